"""A finalizer that nobody will ever take away: one name, of an object that is overdue."""

from dataclasses import replace
from typing import Any

import pytest

from k8s import catalogue, guardrails, model
from tests.k8s import raw
from tests.k8s.actions import examples

CLAIM = model.ResourceRef("PersistentVolumeClaim", "payments", "data", "pvc-1")


def claim(*finalizers: str, minutes: float = 10) -> model.Target:
    metadata = {"name": "data", "namespace": "payments", "uid": "pvc-1", "deletionTimestamp": raw.at(minutes)}
    obj = {"kind": CLAIM.kind, "metadata": {**metadata, "finalizers": list(finalizers)}}
    return raw.target(obj, of=CLAIM)


def test_the_one_name_is_tested_at_its_place_and_removed() -> None:
    target = claim("a.example/x", examples.HELD)
    plan = catalogue.plan(model.RemoveFinalizer(CLAIM, CLAIM, examples.HELD), target, raw.NOW)
    (operation,) = plan.operations
    path = "/metadata/finalizers/1"
    steps = [{"op": "test", "path": path, "value": examples.HELD}, {"op": "remove", "path": path}]
    assert (operation.target, operation.patch_type, operation.body) == (CLAIM, "json", steps)
    assert plan.pins == {"uid": "pvc-1", "finalizers": f"a.example/x, {examples.HELD}"}
    assert plan.blast.note == "It still waits for a.example/x."
    assert (plan.risk, plan.inverse) == ("high", None)
    assert plan.kubectl == "kubectl -n payments edit persistentvolumeclaim/data"


@pytest.mark.parametrize(
    ("target", "finalizer", "why"),
    [
        (claim(examples.HELD, minutes=4), examples.HELD, "less than 5 min"),
        (claim("kubernetes.io/pvc-protection"), "kubernetes.io/pvc-protection", "guards data"),
        (claim("foregroundDeletion"), "foregroundDeletion", "the cluster's own way"),
        (claim("other.example/x"), examples.HELD, "does not wait for"),
        (raw.target(None, of=CLAIM), examples.HELD, "is gone"),
    ],
)
def test_nothing_else_is_touched(target: model.Target, finalizer: str, why: str) -> None:
    (problem,) = catalogue.problems(model.RemoveFinalizer(CLAIM, CLAIM, finalizer), target)
    assert why in problem


def test_a_namespace_that_waits_for_it_is_no_reason_against() -> None:
    action = model.RemoveFinalizer(CLAIM, CLAIM, examples.HELD)
    leaving = {"metadata": {"name": "payments", "deletionTimestamp": raw.at(10)}, "status": {"phase": "Terminating"}}
    target = replace(claim(examples.HELD), namespace=leaving)
    verdict = guardrails.judge(
        action,
        catalogue.plan(action, target, raw.NOW),
        target,
        subject=CLAIM,
        policy=guardrails.Policy(approvers=("U1", "U2")),
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
    )
    assert (verdict.reasons, verdict.tier, verdict.approvals_needed) == ((), "high", 2)


def test_a_pod_must_be_of_the_workload() -> None:
    action = model.RemoveFinalizer(examples.POD, raw.API, examples.HELD)
    stranger = raw.pod(owner=("ReplicaSet", "rs-9"), deletionTimestamp=raw.at(10), finalizers=[examples.HELD])
    target = raw.target(stranger, of=examples.POD, owner=raw.workload())
    assert catalogue.problems(action, target) == ("Pod payments/api-h5-a is not of Deployment payments/api.",)


REF = {"kind": "Deployment", "namespace": "payments", "name": "api"}
PERSON = {"kind": "Pod", "namespace": "payments", "name": "api-1"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"finalizer": "a b"}, "finalizer"),
        ({"finalizer": ""}, "finalizer"),
        ({"object": {**PERSON, "kind": "Secret"}}, "object.kind"),
        ({"object": {**PERSON, "namespace": "other"}}, "object.namespace"),
        ({"workload": {**REF, "kind": "Secret"}}, "workload.kind"),
        ({"object": {**REF, "name": "other"}}, "object.kind"),
    ],
)
def test_what_it_may_name_is_bounded(changed: dict[str, Any], field: str) -> None:
    tree = {"action": "remove-finalizer", "object": PERSON, "workload": REF, "finalizer": examples.HELD}
    catalogue.decode(tree)
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, **changed})
    assert caught.value.field == field
