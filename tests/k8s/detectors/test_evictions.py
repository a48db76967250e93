"""Evicted: which pressure, and who is to know of it."""

from typing import Any

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b

MEMORY = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "


def _evicted(message: str = MEMORY, *, since: float = 300, **more: Any) -> b.Json:
    pod = b.pod("web-7d9f-old", statuses=[], phase="Failed", ready=False, since=since, **more)
    pod["status"] |= {"reason": "Evicted", "message": message}
    return pod


def _short() -> dict[str, list[b.Json]]:
    return {"replicasets": [b.replicaset(ready=1)], "deployments": [b.deployment(ready=1)]}


def _whole() -> dict[str, list[b.Json]]:
    return {"replicasets": [b.replicaset()], "deployments": [b.deployment()]}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (MEMORY, "memory"),
        ("The node was low on resource: ephemeral-storage. ", "disk"),
        ("The node was low on resource: inodes. ", "disk"),
        ("The node was low on resource: pids. ", "pids"),
        ("Pod The node had condition: [DiskPressure]. ", "disk"),
        ("The node had condition: [MemoryPressure]. ", "memory"),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", "own-limit"),
        ('Container app exceeded its local ephemeral storage limit "1Gi". ', "own-limit"),
        ('Usage of EmptyDir volume "cache" exceeds the limit "64Mi". ', "own-limit"),
        ("", "other"),
    ],
)
def test_the_pressure_is_told(message: str, kind: str) -> None:
    finding = b.only("Evicted", pods=[_evicted(message)], **_short())
    assert (finding.facts["class"], finding.cause, finding.severity) == (kind, f"evicted: {kind}", "P3")
    assert finding.owner == model.ResourceRef("Deployment", "shop", "web", "uid-web")
    assert finding.message.startswith("Pod web-7d9f-old was evicted from node node-a: ")


def test_where_the_owner_is_whole_again_it_is_silent() -> None:
    assert b.findings("Evicted", pods=[_evicted()], **_whole()) == []
    calm = b.node("node-a", b.node_condition("MemoryPressure", "False"))
    assert b.findings("Evicted", pods=[_evicted()], nodes=[calm], **_whole()) == []


def test_where_the_owner_is_whole_and_the_node_still_short_it_belongs_to_the_node() -> None:
    short = b.node("node-a", b.node_condition("MemoryPressure", "True"))
    found = detection.detect(b.snapshot(pods=[_evicted()], nodes=[short], **_whole()))
    (problem,) = found.problems
    assert problem.subject == model.ResourceRef("Node", "", "node-a", "uid-node-a")
    assert problem.kinds == ("NodePressure", "Evicted")
    assert problem.findings[1].facts["workload"] == "Deployment/shop/web"


@pytest.mark.parametrize(("since", "found"), [(3600, True), (3601, False)])
def test_an_old_eviction_explains_nothing(since: float, found: bool) -> None:
    assert bool(b.findings("Evicted", pods=[_evicted(since=since)], **_short())) is found


def test_of_a_pod_without_a_controller_nothing_takes_the_place_ever() -> None:
    finding = b.only("Evicted", pods=[_evicted(since=500_000, owner=[])])
    assert finding.owner.kind == "Pod"


@pytest.mark.parametrize(
    ("phase", "age", "found"),
    [("Running", 10, False), ("Succeeded", 10, False), ("Failed", 10, True), ("Running", 999_999, True)],
)
def test_of_a_job_a_later_pod_takes_the_place(phase: str, age: float, found: bool) -> None:
    owner = b.controlled("Job", "report-1")
    other = b.pod("report-1-b", owner=owner, phase=phase, age=age)
    assert bool(b.findings("Evicted", pods=[_evicted(owner=owner), other], jobs=[b.job()])) is found


def test_the_time_is_that_of_the_disruption_else_of_the_last_container() -> None:
    target = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": b.ago(90)}
    assert b.only("Evicted", pods=[_evicted(conditions=[target])], **_short()).since == b.moment(90)
    pod = _evicted()
    pod["status"]["containerStatuses"] = [b.running(ready=False, state=b.ended(137, finished=80)), b.running("x")]
    assert b.only("Evicted", pods=[pod], **_short()).since == b.moment(80)


def test_a_static_pod_is_not_replaced_by_its_neighbour() -> None:
    owner = b.controlled("Node", "node-a")
    neighbour = b.pod("proxy", owner=owner, age=10)
    assert b.only("Evicted", pods=[_evicted(owner=owner), neighbour]).owner.kind == "Pod"
