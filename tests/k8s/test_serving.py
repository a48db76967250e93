"""What stands behind a Service is found without walking over all pods for each Service."""

from typing import Any

from k8s import detection, indexing, model, objects, serving, surroundings
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b


class Counted(list[Any]):
    """A list that counts how often it is walked over."""

    walks = 0

    def __iter__(self) -> Any:
        self.walks += 1
        return super().__iter__()


def _snapshot(services: int) -> tuple[model.Snapshot, Counted]:
    pods = Counted(objects.Pod(metadata=objects.Meta(name=f"p{n}", namespace="shop", labels=a.WEB)) for n in range(50))
    broken = [
        surroundings.Service(
            metadata=objects.Meta(name=f"s{n}", namespace="shop"),
            spec=surroundings.ServiceSpec(selector={"app": f"gone-{n}"}, cluster_ip="10.0.0.1"),
        )
        for n in range(services)
    ]
    return model.Snapshot("c", b.NOW, pods=pods, services=broken), pods


def test_more_broken_services_do_not_walk_over_the_pods_more_often() -> None:
    walks = []
    for services in (1, 40):
        snapshot, pods = _snapshot(services)
        found = detection.detect(snapshot)
        assert len([finding for finding in found.findings if finding.kind == "ServiceNoEndpoints"]) == services
        walks.append(pods.walks)
    assert walks[0] == walks[1]


def test_a_cluster_whose_services_are_well_has_no_pods_walked_over() -> None:
    snapshot, pods = _snapshot(0)
    within = serving.Serving(snapshot, indexing.Index(snapshot))
    well = surroundings.Service(metadata=objects.Meta(name="web", namespace="shop"))
    assert not within.selecting(well)
    assert not within.ready(well)
    assert pods.walks == 0
