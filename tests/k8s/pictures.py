"""Clusters in the making for the tests of the fast path: objects that change, and what a picture must know of them."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st

from k8s import live, model
from tests.k8s.detectors import builders as b

Objects = dict[str, dict[str, b.Json]]
"""List → uid → object."""

CONTAINERS: tuple[b.Json, ...] = (
    b.running(),
    b.running(ready=False),
    b.running(restarts=3, lastState=b.ended()),
    b.crashed(),
    b.crashed(exit_code=137, reason="OOMKilled"),
    b.waiting("ImagePullBackOff", 'failed to pull image "registry.example/app:1": not found'),
    b.waiting("CreateContainerConfigError", 'configmap "settings" not found'),
    b.waiting("ContainerCreating"),
    b.running() | {"state": b.ended(0, "Completed"), "ready": False},
    b.running() | {"state": b.ended(2), "ready": False},
)
OWNERS: tuple[Any, ...] = (
    None,
    [],
    b.controlled("ReplicaSet", "web-new"),
    b.controlled("Job", "report-1"),
    b.controlled("DaemonSet", "agent"),
    b.controlled("StatefulSet", "db"),
    b.controlled("Widget", "custom"),
    b.controlled("Node", "node-a"),
)
NODES = ("node-a", "node-b")


def decoded(name: str, item: b.Json) -> Any:
    """As a stream decodes it, slimmed as the follower does."""
    found = msgspec.convert(item, type=live.KINDS[name].type)
    if name == "pods":
        return live.Slimming().pod(found)
    return live.Slimming().workload(found) if name == "replicasets" else found


@st.composite
def pods(draw: st.DrawFn) -> b.Json:
    phase = draw(st.sampled_from(("Running", "Running", "Pending", "Failed", "Succeeded")))
    more: dict[str, Any] = {}
    if draw(st.integers(0, 9)) == 0:
        more["deletionTimestamp"] = b.ago(draw(st.sampled_from((-30, 10, 900))))
    if draw(st.integers(0, 9)) == 0:
        more["annotations"] = {"watchkeeper.io/ignore": "true"}
    reason = "Evicted" if phase == "Failed" and draw(st.booleans()) else ""
    found = b.pod(
        f"pod-{draw(st.integers(0, 5))}",
        draw(st.lists(st.sampled_from(CONTAINERS), min_size=1, max_size=2)),
        owner=draw(st.sampled_from(OWNERS)),
        phase=phase,
        since=draw(st.sampled_from((5, 600))),
        node=draw(st.sampled_from(NODES)),
        inits=draw(st.lists(st.sampled_from(CONTAINERS), max_size=1)),
        labels={"pod-template-hash": "7d9f", "app": "web"},
        **more,
    )
    found["status"]["reason"] = reason
    return found


@st.composite
def nodes(draw: st.DrawFn) -> b.Json:
    ready = draw(st.sampled_from(("True", "Unknown")))
    pressure = b.node_condition("MemoryPressure", draw(st.sampled_from(("True", "False"))))
    return b.node(draw(st.sampled_from(NODES)), b.node_condition("Ready", ready), pressure)


def _statefulset(name: str) -> b.Json:
    return {"metadata": b.meta(name), "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}


@st.composite
def workloads(draw: st.DrawFn) -> tuple[str, b.Json]:
    stuck = b.progressing("False", "ProgressDeadlineExceeded")
    conditions = draw(st.sampled_from(([b.progressing()], [stuck])))
    failed = draw(st.sampled_from(((), (b.job_failed(),))))
    daemonset = {"metadata": b.meta("agent"), "spec": {}, "status": {"desiredNumberScheduled": 2, "numberReady": 1}}
    made: tuple[str, b.Json] = draw(
        st.sampled_from(
            (
                ("deployments", b.deployment(ready=draw(st.integers(0, 2)), conditions=conditions)),
                ("replicasets", b.replicaset()),
                ("replicasets", b.replicaset("web-new", revision=2)),
                ("jobs", b.job(conditions=failed, cronjob=draw(st.sampled_from(("", "report"))))),
                ("daemonsets", daemonset),
                ("statefulsets", _statefulset("db")),
                ("namespaces", {"metadata": {"name": "shop", "uid": "uid-shop"}}),
            )
        )
    )
    return made


@st.composite
def events(draw: st.DrawFn) -> b.Json:
    about = b.pod(f"pod-{draw(st.integers(0, 5))}")
    reason = draw(st.sampled_from(("Unhealthy", "BackOff", "FailedMount")))
    found = b.event(about, "Pod", reason, "Liveness probe failed: HTTP 500", container="app")
    found["metadata"]["uid"] = f"event-{draw(st.integers(0, 3))}"
    return found


def items() -> st.SearchStrategy[tuple[str, b.Json]]:
    """(list, object)."""
    return st.one_of(
        pods().map(lambda found: ("pods", found)),
        pods().map(lambda found: ("pods", found)),
        nodes().map(lambda found: ("nodes", found)),
        workloads(),
        events().map(lambda found: ("events", found)),
    )


def listed(found: Mapping[str, Mapping[str, b.Json]], cluster: str = "test") -> live.Picture:
    """A picture of these objects that was just listed."""
    picture = live.Picture(cluster)
    for name in live.KINDS:
        take(picture, name, found.get(name, {}))
    return picture


def take(picture: live.Picture, name: str, found: Mapping[str, b.Json], place: str | None = None) -> None:
    for _ in picture.listed(name, place, [decoded(name, each) for each in found.values()]):
        pass


def whole(found: Mapping[str, Mapping[str, b.Json]]) -> model.Snapshot:
    """What a sweep sees of these objects."""
    return b.snapshot(**{name: list(each.values()) for name, each in found.items()})


def keys(picture: live.Picture) -> set[live.Key]:
    """All that there is to be judged."""
    found: set[live.Key] = {("node", node.metadata.name) for node in picture.all("nodes").values()}
    for name in (*live.OWNERS, "pods"):
        for each in picture.all(name).values():
            root = picture.root(each.metadata)
            if root is not None:
                found.add(root)
    return found


def content(picture: live.Picture) -> dict[str, dict[str, Any]]:
    return {name: dict(sorted(picture.all(name).items())) for name in live.KINDS}
