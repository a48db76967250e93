"""Look-ups over one snapshot: owners, events, ready counts, nodes."""

import pytest

from k8s import indexing, model, objects
from tests.k8s.detectors import builders as b


def _top(pod: b.Json, **lists: list[b.Json]) -> model.ResourceRef:
    snapshot = b.snapshot(pods=[pod], **lists)
    return indexing.Index(snapshot).top_owner("Pod", snapshot.pods[0].metadata)


def test_a_pod_of_a_deployment_belongs_to_the_deployment_by_its_replica_sets_own_reference() -> None:
    assert _top(b.pod(), replicasets=[b.replicaset(deployment="api")]).name == "api"


def test_where_the_replica_set_was_not_seen_it_is_the_owner() -> None:
    assert _top(b.pod()) == model.ResourceRef("ReplicaSet", "shop", "web-7d9f", "uid-web-7d9f")


@pytest.mark.parametrize(
    ("labels", "deployment", "kind"),
    [
        ({"pod-template-hash": "7d9f"}, "web", "Deployment"),
        ({"pod-template-hash": "7d9f"}, "other", "ReplicaSet"),
        ({"pod-template-hash": "aaaa"}, "web", "ReplicaSet"),
        ({}, "web", "ReplicaSet"),
    ],
)
def test_a_replica_set_that_was_not_seen_is_its_deployments_where_name_and_hash_say_so(
    labels: dict[str, str], deployment: str, kind: str
) -> None:
    pod = b.pod()
    pod["metadata"]["labels"] = labels
    top = _top(pod, deployments=[b.deployment(deployment)])
    assert (top.kind, bool(top.uid)) == (kind, True)
    assert top.name == ("web" if kind == "Deployment" else "web-7d9f")


def test_a_reference_that_does_not_control_is_no_owner() -> None:
    owner = b.controlled("ReplicaSet", "web-7d9f")[0] | {"controller": None}
    assert _top(b.pod(owner=[owner])).kind == "Pod"


def test_a_controller_without_a_name_is_no_owner() -> None:
    assert _top(b.pod(owner=b.controlled("ReplicaSet", "", "uid"))).kind == "Pod"


def test_a_reference_without_an_uid_ends_the_chain() -> None:
    owner = b.controlled("ReplicaSet", "web-7d9f")[0] | {"uid": ""}
    nameless = b.replicaset() | {"metadata": b.meta("x", owners=b.controlled("Deployment", "wrong"), uid="")}
    assert _top(b.pod(owner=[owner]), replicasets=[nameless]).kind == "ReplicaSet"


def test_a_static_pod_is_its_own_owner() -> None:
    assert _top(b.pod("etcd-node-a", owner=b.controlled("Node", "node-a"))).name == "etcd-node-a"


def test_owners_in_a_circle_end_somewhere() -> None:
    first = b.replicaset("a", deployment="") | {"metadata": b.meta("a", owners=b.controlled("ReplicaSet", "b"))}
    second = b.replicaset("b", deployment="") | {"metadata": b.meta("b", owners=b.controlled("ReplicaSet", "a"))}
    assert _top(b.pod(owner=b.controlled("ReplicaSet", "a")), replicasets=[first, second]).name in {"a", "b"}


def test_events_are_newest_first_and_by_reason() -> None:
    pod = b.pod()
    told = [
        b.event(pod, "Pod", "BackOff", "old", lastTimestamp=b.ago(50)),
        b.event(pod, "Pod", "Failed", "failed", lastTimestamp=b.ago(20)),
        b.event(pod, "Pod", "BackOff", "new", lastTimestamp=b.ago(10)),
        b.event(pod, "Pod", "BackOff", "never", firstTimestamp=None, lastTimestamp=None),
        b.event(b.pod("other"), "Pod", "BackOff", "other"),
    ]
    index = indexing.Index(b.snapshot(events=told))
    ref = model.ResourceRef("Pod", "shop", "web-7d9f-abcde", "uid-web-7d9f-abcde")
    assert [event.message for event in index.events(ref)] == ["new", "failed", "old", "never"]
    assert [event.message for event in index.events(ref, ("BackOff",))] == ["new", "old", "never"]
    assert index.events(model.ResourceRef("Pod", "shop", "nobody")) == []


@pytest.mark.parametrize(
    ("uid", "asked", "heard"), [("1", "1", True), ("", "1", True), ("2", "1", False), ("2", "", True)]
)
def test_an_event_counts_by_uid_where_both_know_one(uid: str, asked: str, heard: bool) -> None:
    told = b.event(b.pod("p"), "Pod", "BackOff", "x")
    told["involvedObject"]["uid"] = uid
    index = indexing.Index(b.snapshot(events=[told]))
    assert bool(index.events(model.ResourceRef("Pod", "shop", "p", asked))) is heard


def test_the_events_of_a_node_count_whatever_their_uid_and_namespace() -> None:
    told = b.event(b.node(), "Node", "NodeNotReady", "x")
    told["involvedObject"] |= {"uid": "node-a", "namespace": "default"}
    index = indexing.Index(b.snapshot(events=[told]))
    assert len(index.events(model.ResourceRef("Node", "", "node-a", "uid-node-a"))) == 1


def test_an_event_without_the_namespace_of_its_object_is_about_its_own() -> None:
    told = b.event(b.pod("p"), "Pod", "BackOff", "x")
    told["involvedObject"]["namespace"] = ""
    assert len(indexing.Index(b.snapshot(events=[told])).events(model.ResourceRef("Pod", "shop", "p"))) == 1


def test_ready_counts_are_those_of_the_workload() -> None:
    daemonset: b.Json = {"metadata": b.meta("agent"), "status": {"numberReady": 3, "desiredNumberScheduled": 5}}
    fresh: b.Json = {"metadata": b.meta("fresh")}
    index = indexing.Index(
        b.snapshot(deployments=[b.deployment(replicas=3, ready=2), fresh], daemonsets=[daemonset, fresh])
    )
    assert index.ready(model.ResourceRef("Deployment", "shop", "web")) == (2, 3)
    assert index.ready(model.ResourceRef("Deployment", "shop", "fresh")) == (0, 1)
    assert index.ready(model.ResourceRef("DaemonSet", "shop", "agent")) == (3, 5)
    assert index.ready(model.ResourceRef("DaemonSet", "shop", "fresh")) == (0, 0)
    assert index.ready(model.ResourceRef("Job", "shop", "web")) is None


def test_a_node_is_not_ready_only_where_it_says_so() -> None:
    bare: b.Json = {"metadata": {"name": "bare"}}
    index = indexing.Index(b.snapshot(nodes=[b.node("up"), b.node("down", b.node_condition("Ready", "Unknown")), bare]))
    assert [index.node_ready(name) for name in ("up", "down", "bare", "unseen")] == [True, False, True, True]


def test_replica_sets_are_by_ascending_revision_whatever_stands_in_the_annotation() -> None:
    odd = b.replicaset("odd")
    odd["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "³" * 3 + "9" * 30}
    bare = b.replicaset("bare", age=10)
    bare["metadata"]["annotations"] = None
    index = indexing.Index(
        b.snapshot(replicasets=[b.replicaset("ten", revision=10), b.replicaset("two", revision=2), bare, odd])
    )
    names = [item.metadata.name for item in index.replicasets(model.ResourceRef("Deployment", "shop", "web"))]
    assert names == ["odd", "bare", "two", "ten"]


def test_only_pods_that_are_not_plainly_well_need_a_closer_look() -> None:
    index = indexing.Index(
        b.snapshot(
            pods=[
                b.pod("well", inits=[b.running("init", state=b.ended(0))]),
                b.pod("done", phase="Succeeded"),
                b.pod("leaving", [b.crashed()], deletionTimestamp=b.ago(1)),
                b.pod("pending", [], phase="Pending"),
                b.pod("failed", [], phase="Failed"),
                b.pod("unready", [b.running(ready=False)]),
                b.pod("restarted", [b.running(restarts=1)]),
                b.pod("ended-before", [b.running(lastState=b.ended())]),
                b.pod("init", inits=[b.running("init", restarts=1)]),
                b.pod("debugged", ephemerals=[b.running("debug")]),
            ]
        )
    )
    assert [pod.metadata.name for pod in index.troubled] == [
        "pending",
        "failed",
        "unready",
        "restarted",
        "ended-before",
        "init",
        "debugged",
    ]


def test_the_index_is_what_detectors_are_promised() -> None:
    index: model.Index = indexing.Index(model.Snapshot("c", b.NOW, pods=[objects.Pod()]))
    assert index.pods(model.ResourceRef("ReplicaSet", "", "")) == ()
    assert index.pods_on("nowhere") == 0
