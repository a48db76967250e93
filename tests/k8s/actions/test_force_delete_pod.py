"""The forced deletion: a pod that is overdue, on a node that cannot say that it has ended."""

from dataclasses import replace
from typing import Any

import pytest

from k8s import catalogue, guardrails, model
from tests.k8s import raw
from tests.k8s.actions import examples

FORCE = model.ForceDeletePod(examples.POD, raw.API, "node-a")


def node(status: str = "Unknown", minutes: float = 15, name: str = "node-a") -> model.Json:
    ready = {"type": "Ready", "status": status, "lastTransitionTime": raw.at(minutes)}
    return {"kind": "Node", "metadata": {"name": name, "uid": "node-1"}, "status": {"conditions": [ready]}}


def problems(kind: str = "Deployment", *nodes: model.Json, **metadata: Any) -> tuple[str, ...]:
    action = model.ForceDeletePod(examples.POD, raw.ref(kind), "node-a")
    target = examples.overdue(kind)
    assert target.object is not None
    spoilt = {**target.object, "metadata": {**target.object["metadata"], **metadata}}
    return catalogue.problems(action, replace(target, object=spoilt, extras=nodes))


def test_it_drops_the_record_of_the_very_pod() -> None:
    plan = catalogue.plan(FORCE, examples.overdue(), raw.NOW)
    assert plan.operations == (model.Operation("force-delete", examples.POD),)
    assert plan.pins == {"uid": "pod-1", "owner": "rs-5", "node": "node-a", "uid of the node": "node-1"}
    assert plan.kubectl == "kubectl -n payments delete pod/api-h5-a --grace-period=0 --force"
    assert (plan.risk, plan.inverse) == ("high", None)
    assert "may still run on node node-a" in plan.blast.note


def test_what_a_node_that_is_gone_leaves_behind_is_let_go() -> None:
    assert problems("Deployment") == ()
    assert problems("StatefulSet") == ()
    plan = catalogue.plan(FORCE, replace(examples.overdue(), extras=()), raw.NOW)
    assert (plan.pins["uid of the node"], plan.blast.note) == ("", "")


def test_a_member_of_a_statefulset_is_not_doubled_while_its_node_may_run_it() -> None:
    (problem,) = problems("StatefulSet", node())
    assert "another one of its name must not be started" in problem


@pytest.mark.parametrize(
    ("here", "why"),
    [
        (node("True"), "Node node-a reports"),
        (node("False", 4), "less than 5 min"),
        ({"kind": "Node", "metadata": {"name": "node-a"}}, "Node node-a reports"),
    ],
)
def test_a_node_that_reports_will_say_it_itself(here: model.Json, why: str) -> None:
    (problem,) = problems("Deployment", here)
    assert why in problem


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"deletionTimestamp": ""}, "is not being deleted"),
        ({"deletionTimestamp": raw.at(4)}, "less than 5 min"),
        ({"uid": "pod-2"}, "created anew"),
        ({"finalizers": ["example.com/x"]}, "waits for example.com/x"),
        ({"ownerReferences": []}, "has no controller"),
    ],
)
def test_only_a_pod_that_is_overdue_and_would_be_replaced(metadata: dict[str, Any], why: str) -> None:
    (problem,) = problems("Deployment", node(), **metadata)
    assert why in problem


def test_the_node_is_the_one_that_the_pod_was_on() -> None:
    action = model.ForceDeletePod(examples.POD, raw.API, "node-b")
    (problem,) = catalogue.problems(action, examples.overdue())
    assert problem == "Pod payments/api-h5-a is not on node node-b."
    assert catalogue.remedy_for(action).needs(action).extras == (model.ResourceRef("Node", "", "node-b"),)
    with pytest.raises(catalogue.InvalidAction, match="not a node's name"):
        catalogue.decode({"action": "force-delete-pod", **_refs(), "node": "../x"})


def _refs() -> dict[str, Any]:
    pod = {"kind": "Pod", "namespace": "payments", "name": "api-1"}
    return {"pod": pod, "workload": {"kind": "Deployment", "namespace": "payments", "name": "api"}}


# --- the incident of the node


HOME = model.ResourceRef("Node", "", "node-a", "node-1")


def judged(
    subject: model.ResourceRef = HOME, action: model.Action = FORCE, target: model.Target | None = None
) -> guardrails.Verdict:
    target = examples.overdue() if target is None else target
    policy = guardrails.Policy(approvers=("U1", "U2"))
    plan = catalogue.plan(action, target, raw.NOW)
    history = guardrails.History()
    return guardrails.judge(
        action, plan, target, subject=subject, policy=policy, history=history, mode="approve", now=raw.NOW
    )


def test_the_incident_of_the_lost_node_reaches_the_pods_that_wait_for_it() -> None:
    assert judged().reasons == ()
    assert judged(raw.API).reasons == ()


@pytest.mark.parametrize(
    "subject",
    [
        model.ResourceRef("Node", "", "node-b", "node-2"),
        model.ResourceRef("Node", "", "node-a", "created-anew"),
        model.ResourceRef("Deployment", "", "node-a", "node-1"),
    ],
)
def test_no_other_incident_reaches_them(subject: model.ResourceRef) -> None:
    assert any("is outside of this incident" in reason for reason in judged(subject).reasons)


def test_a_pod_that_is_elsewhere_or_a_node_that_was_not_read_is_outside() -> None:
    target = examples.overdue()
    assert target.object is not None
    elsewhere = {**target.object, "spec": {**target.object["spec"], "nodeName": "node-b"}}
    for spoilt in (replace(target, object=elsewhere), replace(target, extras=())):
        assert any("is outside of this incident" in reason for reason in judged(target=spoilt).reasons)


def test_it_reaches_a_pod_by_no_other_action() -> None:
    action = model.DeletePod(examples.POD, raw.API)
    assert any("is outside of this incident" in reason for reason in judged(action=action).reasons)
