"""Pausing a rollout: what it writes, and what looks like a rollout and is none."""

import pytest

from k8s import catalogue, model
from tests.k8s import raw

PAUSE = model.RolloutPause(raw.API)
RESUME = model.RolloutResume(raw.API)


def test_a_rollout_under_way_is_halted_by_one_field() -> None:
    plan = catalogue.plan(PAUSE, raw.broken_rollout(), raw.NOW)
    (operation,) = plan.operations
    assert (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", {"spec": {"paused": True}})
    assert plan.kubectl == "kubectl -n payments rollout pause deployment/api"
    assert plan.summary == "Halts the rollout of Deployment payments/api with 1 of 3 pods updated."
    assert (plan.risk, plan.blast.pods, plan.inverse) == ("low", 0, RESUME)
    assert plan.pins["paused"] == "false"


@pytest.mark.parametrize(
    "status",
    [
        {"updatedReplicas": 2},
        {"replicas": 4},
        {"observedGeneration": 3},
    ],
)
def test_each_sign_of_a_rollout_under_way_counts(status: model.Json) -> None:
    assert catalogue.problems(PAUSE, raw.target(raw.workload(status=status))) == ()


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (raw.workload(), "is not rolling out"),
        (raw.workload(ready=0), "is not rolling out"),
        (raw.workload(paused=True), "is paused already"),
        (None, "is gone"),
        (raw.workload(metadata={"uid": "another"}), "created anew"),
        (raw.workload(metadata={"deletionTimestamp": raw.at(1)}), "is being deleted"),
    ],
)
def test_what_is_no_rollout_is_not_paused(obj: model.Json | None, said: str) -> None:
    (problem,) = catalogue.problems(PAUSE, raw.target(obj))
    assert said in problem


def test_a_pause_that_was_lifted_meanwhile_is_overridden() -> None:
    remedy = catalogue.remedy_for(PAUSE)
    assert remedy.overridden(PAUSE, raw.target(raw.workload())) == "payments/api was resumed since."
    assert remedy.overridden(PAUSE, raw.target(raw.workload(paused=True))) == ""


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_only_a_deployment_can_be_paused(kind: str) -> None:
    (problem,) = catalogue.problems(model.RolloutPause(raw.ref(kind)), raw.target(raw.workload(kind), of=raw.ref(kind)))
    assert "is none of Deployment" in problem
