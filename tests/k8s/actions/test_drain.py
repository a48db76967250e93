"""Draining a node: which pods it names, what it is not for, what it says of what is lost, and a digest that holds."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from k8s import catalogue, drains, guardrails, model, verification
from tests.k8s import raw
from tests.k8s.actions import examples
from tests.k8s.actions.examples import DRAIN, NODE

POLICY = guardrails.Policy(approvers=("U1", "U2"))


def problems(target: model.Target, action: model.Drain = DRAIN) -> str:
    return " ".join(catalogue.problems(action, target))


def judged(target: model.Target, action: model.Drain = DRAIN, policy: guardrails.Policy = POLICY) -> guardrails.Verdict:
    plan = catalogue.plan(action, target, raw.NOW)
    return guardrails.judge(
        action,
        plan,
        target,
        subject=NODE,
        policy=policy,
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
    )


def test_it_names_the_pods_that_a_drain_has_to_move_and_no_others() -> None:
    target = examples.drained()
    beside = (
        raw.pod("agent", owner=("DaemonSet", "ds-1"), uid="a"),
        raw.pod("static", owner=None, uid="b", annotations={"kubernetes.io/config.mirror": "x"}),
        raw.pod("leaving", uid="c", deletionTimestamp=raw.at(1)),
        {**raw.pod("over", uid="d"), "status": {"phase": "Succeeded"}},
        {**raw.pod("elsewhere", uid="e"), "spec": {"nodeName": "node-b"}},
    )
    made = drains.made(target.object or {}, (*target.pods, *beside))
    assert made.workload == NODE
    assert made.pods == DRAIN.pods
    assert [(owner.kind, owner.uid) for owner in made.owners] == [("ReplicaSet", "rs-5"), ("StatefulSet", "sts-1")]


def test_the_plan_cordons_first_is_of_high_risk_and_honest_about_the_way_back() -> None:
    plan = catalogue.plan(DRAIN, examples.drained(), raw.NOW)
    assert [(op.verb, op.target.name) for op in plan.operations] == [
        ("patch", "node-a"),
        ("evict", "api-h5-a"),
        ("evict", "db-0"),
    ]
    assert (plan.risk, plan.inverse, plan.blast.pods, plan.blast.headroom) == ("high", model.Uncordon(NODE), 2, 1)
    assert plan.blast.note.endswith("Undo uncordons the node; pods do not move back by themselves.")
    assert judged(examples.drained()).approvals_needed == POLICY.tiers.of("high").approvals == 2


def test_an_eviction_of_a_pod_that_it_does_not_name_is_none_of_its_own() -> None:
    remedy = catalogue.remedy_for(DRAIN)
    (named, *_) = DRAIN.pods
    eviction = model.Operation("evict", named)
    assert remedy.shaped(eviction, DRAIN)
    for forged in (
        model.Operation("evict", msgspec.structs.replace(named, name="other", uid="other")),
        model.Operation("evict", msgspec.structs.replace(named, uid="made-anew")),
        model.Operation("evict", msgspec.structs.replace(named, namespace="shop")),
        msgspec.structs.replace(eviction, body={"deleteOptions": {"gracePeriodSeconds": 0}}),
        model.Operation("delete", named),
    ):
        assert not remedy.shaped(forged, DRAIN), forged


def test_of_a_node_that_was_cordoned_before_there_is_no_way_back() -> None:
    plan = catalogue.plan(DRAIN, examples.drained(unschedulable=True), raw.NOW)
    assert {op.verb for op in plan.operations} == {"evict"}
    assert plan.inverse is None
    assert plan.irreversible.startswith("The node was cordoned before and stays so")


def test_the_digest_stays_when_a_pod_ends_or_comes_and_moves_with_the_node() -> None:
    before = catalogue.plan(DRAIN, examples.drained(), raw.NOW)
    fewer = catalogue.plan(DRAIN, examples.drained(raw.pod()), raw.NOW)
    more = catalogue.plan(DRAIN, examples.drained(*examples.drained().pods, raw.pod("new", uid="n")), raw.NOW)
    digests = {guardrails.digest_of(plan, POLICY) for plan in (before, fewer, more)}
    assert len(digests) == 1
    assert judged(examples.drained(raw.pod())).allowed
    shut = catalogue.plan(DRAIN, examples.drained(unschedulable=True), raw.NOW)
    assert shut.pins != before.pins


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (examples.drained(spare="False"), "No other node is ready and takes pods"),
        (examples.drained(raw.pod(owner=None)), "Pod payments/api-h5-a has no controller"),
        (examples.drained(raw.pod(uid="another")), "None of these pods is on node node-a any more."),
        (examples.drained(raw.pod(owner=("DaemonSet", "x"))), "belongs to the node or to a DaemonSet"),
        (replace(examples.drained(), object=None), "Node node-a is gone."),
    ],
)
def test_what_it_is_not_done_to(target: model.Target, told: str) -> None:
    assert told in problems(target)


def test_a_node_of_the_control_plane_is_left_alone() -> None:
    target = examples.drained()
    assert target.object is not None
    target.object["metadata"]["labels"] = {"node-role.kubernetes.io/control-plane": ""}
    assert "is of the control plane" in problems(target)
    assert problems(examples.drained()) == ""


def test_a_budget_without_room_is_waited_for_and_said() -> None:
    target = examples.drained(headroom=0)
    assert problems(target) == ""
    note = catalogue.plan(DRAIN, target, raw.NOW).blast.note
    assert "No disruption is allowed now by PodDisruptionBudget api: the drain waits for it." in note


def test_what_is_lost_and_who_loses_most_is_said() -> None:
    local = raw.pod()
    local["spec"]["volumes"] = [{"name": "cache", "emptyDir": {}}]
    both = (local, raw.pod("api-2", uid="pod-2"))
    note = catalogue.plan(DRAIN, examples.drained(*both), raw.NOW).blast.note
    assert "More than half of its pods go: payments/o (2 of 3)." in note
    assert "What is in emptyDir volumes is lost: payments/o." in note


@pytest.mark.parametrize("mark", ["Namespace", "Pod", "ReplicaSet"])
def test_marks_of_protection_on_whatever_it_touches_refuse_it(mark: str) -> None:
    target = examples.drained()
    marked = {"Pod": target.pods[0]} | {each["kind"]: each for each in target.extras}
    marked[mark]["metadata"]["annotations"] = {"watchkeeper.io/protected": "true"}
    verdict = judged(target)
    assert not verdict.allowed
    assert "is marked watchkeeper.io/protected." in " ".join(verdict.reasons)


def test_protected_namespaces_refuse_it() -> None:
    policy = msgspec.structs.replace(POLICY, protected_namespaces=("payments",))
    assert "Namespace payments is protected" in " ".join(judged(examples.drained(), policy=policy).reasons)


def test_a_pod_that_is_elsewhere_is_outside_of_the_incident() -> None:
    target = examples.drained()
    target.pods[0]["spec"]["nodeName"] = "node-b"
    assert "is outside of this incident" in " ".join(judged(target).reasons)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"pods": []}, "pods"),
        ({"pods": [{"kind": "Node", "namespace": "", "name": "x", "uid": "u"}], "owners": []}, "pods.kind"),
        ({"pods": [{"kind": "Pod", "namespace": "payments", "name": "x", "uid": ""}]}, "pods"),
        ({"pods": [{"kind": "Pod", "namespace": "payments", "name": "x", "uid": "u", "more": "1"}]}, "pods.more"),
        ({"owners": [{"kind": "Job", "namespace": "payments", "name": "x", "uid": "u"}]}, "owners.kind"),
        ({"owners": [{"kind": "ReplicaSet", "namespace": "shop", "name": "x", "uid": "u"}]}, "owners"),
        ({"pods": [{"kind": "Pod", "namespace": "p", "name": f"x{n:03}", "uid": f"{n}"} for n in range(121)]}, "pods"),
    ],
)
def test_what_is_no_drain_is_not_decoded(wrong: dict[str, object], field: str) -> None:
    good = msgspec.to_builtins(DRAIN)
    assert catalogue.decode(good) == DRAIN
    with pytest.raises(catalogue.InvalidAction) as refused:
        catalogue.decode({**good, **wrong})
    assert refused.value.field == field


def test_half_way_is_told_by_numbers() -> None:
    operations = catalogue.plan(DRAIN, examples.drained(), raw.NOW).operations
    half = catalogue.halfway(DRAIN, operations, examples.drained(raw.pod(), unschedulable=True))
    assert half == model.Halfway(True, "the node is cordoned, and 1 of 2 pods are gone")
    none = catalogue.halfway(DRAIN, operations, examples.drained())
    assert none == model.Halfway(False, "the node is not cordoned, and 0 of 2 pods are gone")


@pytest.mark.parametrize(("ready", "status"), [(3, "verified"), (2, "pending")])
def test_it_is_verified_when_what_was_moved_is_ready_again(ready: int, status: str) -> None:
    target = replace(examples.drained(unschedulable=True), pods=())
    target.extras[0]["status"]["readyReplicas"] = ready
    found = verification.assess(
        DRAIN, started=raw.NOW, target=target, now=raw.NOW, hold=timedelta(0), timeout=timedelta(minutes=10)
    )
    assert found.status == status
    assert ("payments/api-5d8 (2 of 3 ready)" in found.progress) == (status == "pending")
