"""Resuming a rollout: what rolls out then, and what is not paused."""

from dataclasses import replace
from typing import Any

import pytest

from k8s import catalogue, model, workloads
from tests.k8s import raw

PAUSE = model.RolloutPause(raw.API)
RESUME = model.RolloutResume(raw.API)


def paused(pods: int = 0, image: str = "web:1.5", **more: Any) -> model.Target:
    """The template asks for web:1.5; so many of three pods are of it."""
    known = [raw.replicaset(4, "web:1.4", pods=3 - pods, ready=3 - pods)]
    known += [raw.replicaset(5, "web:1.5", pods=pods, ready=pods)] if pods else []
    return raw.target(raw.workload(template=raw.pod_template(image), paused=True, **more), replicasets=tuple(known))


def test_resuming_says_what_rolls_out_then() -> None:
    plan = catalogue.plan(RESUME, paused(), raw.NOW)
    (operation,) = plan.operations
    assert (operation.patch_type, operation.body) == ("merge", {"spec": {"paused": False}})
    assert plan.kubectl == "kubectl -n payments rollout resume deployment/api"
    assert plan.summary == (
        "Resumes the rollouts of Deployment payments/api: restarts 3 pods (image: web:1.4 → web:1.5), "
        "each old pod kept until a new one is ready."
    )
    assert (plan.risk, plan.blast.pods, plan.inverse) == ("medium", 3, PAUSE)
    assert plan.pins["template"] == workloads.template_hash(raw.pod_template("web:1.5"))


def test_resuming_where_nothing_waits_is_of_low_risk_and_replaces_nothing() -> None:
    plan = catalogue.plan(RESUME, paused(3), raw.NOW)
    assert (plan.risk, plan.blast.pods, plan.blast.note) == ("low", 0, "")
    assert "none is replaced" in plan.summary
    assert (plan.inverse, plan.irreversible) == (
        None,
        "Nothing rolls out by it, so that there is nothing to halt again.",
    )


def test_of_many_changes_some_are_named_and_the_rest_is_counted() -> None:
    target = paused()
    env = [{"name": f"V{number}", "value": "x"} for number in range(5)]
    target = replace(target, object=raw.workload(template=raw.pod_template("web:1.4", env=env), paused=True))
    assert "env V0 added; env V1 added; env V2 added and 2 more" in catalogue.plan(RESUME, target, raw.NOW).summary


def test_what_runs_is_not_resumed() -> None:
    (problem,) = catalogue.problems(RESUME, raw.target(raw.workload()))
    assert "is not paused" in problem


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_only_a_deployment_can_be_resumed(kind: str) -> None:
    (problem,) = catalogue.problems(
        model.RolloutResume(raw.ref(kind)), raw.target(raw.workload(kind), of=raw.ref(kind))
    )
    assert "is none of Deployment" in problem
