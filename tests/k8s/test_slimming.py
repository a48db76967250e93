"""What a sweep leaves out of pods that simply run, and holds once of all others: nobody may miss it."""

import copy
import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import detection, history, learning, live, model, objects, slimming, usage
from tests.k8s import pictures
from tests.k8s.detectors import builders as b

EVERYTHING = detection.Options(enabled=frozenset(detection.KINDS))
SPEC = {
    "containers": [
        {"name": "app", "image": "registry.example/app:1", "resources": {"limits": {"memory": "512Mi"}}},
        {"name": "proxy", "image": "registry.example/proxy"},
    ],
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
}


def slim(seen: model.Snapshot) -> model.Snapshot:
    """As a sweep would have kept it."""
    slimming_ = slimming.Slimming()
    lists: dict[str, Any] = {}
    for name, keep in (("pods", slimming_.pod), ("events", slimming_.event), ("podmetrics", slimming_.metrics)):
        lists[name] = copy.deepcopy(list(getattr(seen, name)))
        for each in lists[name]:
            keep(each)
    return dataclasses.replace(seen, **lists)


def kept(*pods: b.Json) -> list[objects.Pod]:
    found = [msgspec.convert(pod, type=objects.Pod) for pod in pods]
    return list(slim(model.Snapshot("test", b.NOW, pods=found)).pods)


def web(name: str, **more: Any) -> b.Json:
    return b.pod(name, owner=b.controlled("ReplicaSet", "web-new"), spec=copy.deepcopy(SPEC), **more)


def metrics(pod: b.Json, mib: int) -> usage.PodMetrics:
    tree = {
        "metadata": {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]},
        "containers": [{"name": "app", "usage": {"memory": f"{mib}Mi"}}],
    }
    return msgspec.convert(tree, type=usage.PodMetrics)


def learnt(seen: model.Snapshot) -> tuple[history.History, tuple[Any, ...]]:
    found = learning.learn(seen, history.History(), ("restarts", "memory", "logs"), listen=True)
    return found.changes, found.listening


@settings(deadline=None, max_examples=200)
@given(st.lists(pictures.items(), max_size=14), st.lists(st.integers(200, 600), min_size=14, max_size=14))
def test_of_slim_pods_the_same_is_found_and_learnt_as_of_whole_ones(
    items: list[tuple[str, b.Json]], used: list[int]
) -> None:
    truth: pictures.Objects = {name: {} for name in live.KINDS}
    for name, item in items:
        if name == "pods":
            item["spec"] |= copy.deepcopy(SPEC)
        truth[name][item["metadata"]["uid"]] = item
    amounts = [metrics(pod, mib) for pod, mib in zip(truth["pods"].values(), used, strict=False)]
    whole = dataclasses.replace(pictures.whole(truth), podmetrics=amounts)
    seen = slim(whole)
    assert (seen.events, seen.podmetrics) == (list(whole.events), amounts), "of these nothing is lost"
    assert detection.detect(seen, EVERYTHING) == detection.detect(whole, EVERYTHING)
    assert learnt(seen) == learnt(whole)


def test_what_pods_of_one_template_have_in_common_is_held_once() -> None:
    one, other = kept(web("a", labels={"app": "web"}), web("b", labels={"app": "web"}))
    assert (one.metadata.name, other.metadata.name) == ("a", "b")
    assert one.metadata.labels is other.metadata.labels
    assert one.metadata.labels == {"app": "web"}, "Services and budgets select by them"
    assert one.metadata.owner_references is other.metadata.owner_references
    assert one.spec.containers is other.spec.containers
    assert one.spec.volumes is None
    assert one.status is other.status
    assert live.plain(one), "it is as well as the whole one"


def test_a_pod_that_was_changed_after_its_template_keeps_what_it_has_of_its_own() -> None:
    changed = web("b", labels={"app": "web", "statefulset.kubernetes.io/pod-name": "b"})
    changed["spec"]["containers"][0]["image"] = "registry.example/app:2"
    one, other = kept(web("a", labels={"app": "web"}), changed)
    assert (one.spec.containers or [])[0].image == "registry.example/app:1"
    assert (other.spec.containers or [])[0].image == "registry.example/app:2"
    assert (other.metadata.labels or {})["statefulset.kubernetes.io/pod-name"] == "b"


@pytest.mark.parametrize(
    "pod",
    [
        web("a", statuses=[b.crashed()]),
        web("a", statuses=[b.running(restarts=1)]),
        web("a", phase="Pending"),
        web("a", deletionTimestamp=b.ago(5)),
        web("a", annotations={"watchkeeper.io/ignore": "true"}),
        web("a", ready=False),
    ],
)
def test_of_a_pod_that_shows_anything_nothing_is_lost(pod: b.Json) -> None:
    (found,) = kept(pod)
    assert found == msgspec.convert(pod, type=objects.Pod)


def test_a_static_pod_is_still_known_as_one() -> None:
    (found,) = kept(b.pod("kube-proxy", annotations={objects.MIRROR: "1", "other": "2"}))
    assert found.metadata.annotations == {objects.MIRROR: "1"}


def test_what_is_shared_is_bounded() -> None:
    slimming_ = slimming.Slimming()
    for number in range(slimming.SHARED + 10):
        slimming_.event(objects.Event(message=str(number)))
    assert len(slimming_._texts) <= slimming.SHARED
