"""A DaemonSet is restarted on one node: only its own pod there, and only where that node can run a new one."""

from dataclasses import replace
from typing import Any

import pytest

from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

ACTION = model.RestartOnNode(raw.ref("DaemonSet"), examples.POD, "node-a")
OWNER = ("DaemonSet", raw.OWNER_UID)


def node(status: str = "True", **metadata: Any) -> model.Json:
    ready = {"type": "Ready", "status": status, "lastTransitionTime": raw.at(60)}
    return {
        "kind": "Node",
        "metadata": {"name": "node-a", "uid": "node-1", **metadata},
        "status": {"conditions": [ready]},
    }


def target(pod: model.Json | None = None, *extras: model.Json, **more: Any) -> model.Target:
    more.setdefault("owner", raw.workload("DaemonSet", ready=2))
    found = raw.target(raw.pod(owner=OWNER, ready=False) if pod is None else pod, of=examples.POD, **more)
    return replace(found, extras=extras or (node(),))


def test_it_deletes_the_pod_of_that_node_and_says_where_the_new_one_comes() -> None:
    plan = catalogue.plan(ACTION, target(), raw.NOW)
    assert plan.operations == (model.Operation("delete", examples.POD),)
    assert plan.pins == {"uid": "pod-1", "owner": raw.OWNER_UID, "node": "node-a", "uid of the node": "node-1"}
    assert plan.kubectl == "kubectl -n payments delete pod/api-h5-a"
    assert plan.summary == (
        "Restarts DaemonSet payments/api on node node-a: pod api-h5-a, which is not ready now, is deleted, and a new "
        "one starts on the same node."
    )
    assert (plan.risk, plan.inverse, plan.blast.pods) == ("low", None, 1)
    assert plan.irreversible
    assert catalogue.problems(ACTION, target()) == ()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (raw.target(None, of=examples.POD, owner=raw.workload("DaemonSet")), "is gone"),
        (target(raw.pod(owner=("DaemonSet", "another"), ready=False)), "is not a pod of DaemonSet payments/api"),
        (target(raw.pod(owner=None)), "has no controller"),
        (replace(target(), extras=()), "Node node-a is gone: no new pod could start on it."),
        (target(None, node("False")), "Node node-a is not ready: no new pod could start on it."),
        (target(None, node("Unknown")), "Node node-a is not ready"),
        (target(None, node(deletionTimestamp=raw.at(1))), "Node node-a is being deleted"),
        (target(raw.pod(owner=OWNER), headroom=0), "is ready, and PodDisruptionBudget "),
        (target(raw.pod(owner=OWNER, uid="another")), "created anew"),
    ],
)
def test_what_stands_in_the_way_is_said(found: model.Target, said: str) -> None:
    (problem,) = catalogue.problems(ACTION, found)
    assert said in problem


def test_a_pod_of_another_node_is_not_taken_for_the_one_of_this() -> None:
    elsewhere = raw.pod(owner=OWNER, ready=False)
    elsewhere["spec"]["nodeName"] = "node-b"
    assert catalogue.problems(ACTION, target(elsewhere)) == ("Pod payments/api-h5-a is on node-b, and not on node-a.",)


def test_a_node_that_cannot_be_one_is_no_parameter() -> None:
    raw_action = {
        "action": "restart-on-node",
        "workload": {"kind": "DaemonSet", "namespace": "payments", "name": "api"},
        "pod": {"kind": "Pod", "namespace": "payments", "name": "api-1"},
    }
    for name in ("", "../x", "a b", "A"):
        with pytest.raises(catalogue.InvalidAction) as caught:
            catalogue.decode({**raw_action, "node": name})
        assert caught.value.field == "node"
    with pytest.raises(catalogue.InvalidAction):
        catalogue.decode({**raw_action, "node": "a", "workload": {**raw_action["workload"], "kind": "Deployment"}})  # type: ignore[dict-item]
