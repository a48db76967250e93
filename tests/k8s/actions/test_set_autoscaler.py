"""The bounds of an autoscaler: within half of what they are, and of the one that scales this workload."""

from typing import Any

import pytest

from k8s import catalogue, guardrails, model, policy
from tests.k8s import raw
from tests.k8s.actions import examples


def wanted(least: int, most: int) -> model.SetAutoscaler:
    return model.SetAutoscaler(examples.HPA, raw.API, least, most)


def target_of(least: int | None = 2, most: int = 10, *, replicas: int = 3) -> model.Target:
    owner = raw.workload(replicas=replicas)
    return raw.target(examples.autoscaler(least, most), of=examples.HPA, owner=owner)


def test_it_writes_both_bounds_and_goes_back_to_both() -> None:
    plan = catalogue.plan(wanted(3, 12), target_of(), raw.NOW)
    (operation,) = plan.operations
    assert operation == model.Operation("patch", examples.HPA, "merge", {"spec": {"minReplicas": 3, "maxReplicas": 12}})
    assert plan.pins == {"uid": "hpa-1", "least": "2", "most": "10"}
    assert plan.inverse == wanted(2, 10)
    assert (plan.risk, plan.blast.pods) == ("low", 0)
    assert plan.kubectl == (
        "kubectl -n payments patch horizontalpodautoscaler/api --type=merge "
        """-p '{"spec":{"minReplicas":3,"maxReplicas":12}}'"""
    )


@pytest.mark.parametrize(
    ("least", "most", "replicas", "risk", "pods", "note"),
    [
        (3, 10, 2, "low", 1, "It has 2 now, and goes up to 3 at once."),
        (2, 8, 10, "medium", 2, "It has 10 now, and goes down to 8 at once."),
        (1, 10, 3, "medium", 0, ""),
    ],
)
def test_it_says_what_moves_at_once(least: int, most: int, replicas: int, risk: str, pods: int, note: str) -> None:
    plan = catalogue.plan(wanted(least, most), target_of(replicas=replicas), raw.NOW)
    assert (plan.risk, plan.blast.pods, plan.blast.note) == (risk, pods, note)


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ((2, 10), (3, 15), True),
        ((2, 10), (1, 5), True),
        ((2, 10), (4, 10), False),
        ((2, 10), (2, 16), False),
        ((2, 10), (2, 4), False),
        ((None, 3), (2, 4), True),
        ((2, 10), (2, 10), False),
    ],
)
def test_one_step_is_at_most_half_or_one_replica(
    old: tuple[int | None, int], new: tuple[int, int], *, allowed: bool
) -> None:
    assert (catalogue.problems(wanted(*new), target_of(*old)) == ()) == allowed


def test_an_autoscaler_of_another_workload_is_left_alone() -> None:
    other = model.SetAutoscaler(examples.HPA, raw.ref(name="web"), 3, 10)
    (problem,) = catalogue.problems(other, target_of())
    assert "does not scale Deployment payments/web" in problem


def test_the_policy_bounds_it_like_any_scaling() -> None:
    target = target_of(60, 90)
    action = wanted(60, 101)
    verdict = guardrails.judge(
        action,
        catalogue.plan(action, target, raw.NOW),
        target,
        subject=raw.API,
        policy=guardrails.Policy(approvers=("U1",), max_replicas=100),
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
    )
    assert verdict.reasons == ("101 replicas are more than the 100 that the policy allows.",)


def test_whoever_manages_the_autoscaler_itself_is_asked_too() -> None:
    target = target_of()
    assert target.object is not None
    target.object["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    verdict = guardrails.judge(
        wanted(3, 12),
        catalogue.plan(wanted(3, 12), target, raw.NOW),
        target,
        subject=raw.API,
        policy=guardrails.Policy(approvers=("U1",), gitops=policy.Gitops(flux="refuse")),
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
    )
    (reason,) = verdict.reasons
    assert reason.startswith("Flux (Kustomization apps) manages payments/api")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"least": 0}, "least"),
        ({"most": 1}, "most"),
        ({"most": 2**31}, "most"),
        ({"autoscaler": {"kind": "Pod", "namespace": "payments", "name": "api"}}, "autoscaler.kind"),
        ({"autoscaler": {"kind": "HorizontalPodAutoscaler", "namespace": "x", "name": "api"}}, "autoscaler.namespace"),
    ],
)
def test_bounds_that_are_none_are_refused(changed: dict[str, Any], field: str) -> None:
    ref = {"kind": "HorizontalPodAutoscaler", "namespace": "payments", "name": "api"}
    tree = {"action": "set-autoscaler", "autoscaler": ref, "workload": {**ref, "kind": "Deployment"}}
    with pytest.raises(catalogue.InvalidAction) as caught:
        catalogue.decode({**tree, "least": 2, "most": 5, **changed})
    assert caught.value.field == field
