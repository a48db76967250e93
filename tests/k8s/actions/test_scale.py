"""Scaling: up and down, the way back, and who else sets the number."""

from typing import Any

import pytest

from k8s import catalogue, model
from tests.k8s import raw


def scale(replicas: int, kind: str = "Deployment") -> model.Scale:
    return model.Scale(raw.ref(kind), replicas)


def test_it_sets_the_number_through_the_scale_subresource() -> None:
    plan = catalogue.plan(scale(5), raw.target(raw.workload(), headroom=2), raw.NOW)
    assert plan.operations == (model.Operation("scale", raw.API, None, {"spec": {"replicas": 5}}),)
    assert plan.pins == {"uid": raw.OWNER_UID, "replicas": "3"}
    assert plan.kubectl == "kubectl -n payments scale deployment/api --replicas=5"
    assert plan.summary == "Scales Deployment payments/api up from 3 to 5: adds 2 pods."
    assert plan.inverse == scale(3)
    assert plan.irreversible == ""
    assert plan.risk == "low"
    assert plan.blast == model.BlastRadius(pods=2, ready=3, desired=3, headroom=2)


def test_scaling_down_is_riskier_and_says_what_it_removes() -> None:
    plan = catalogue.plan(scale(2), raw.target(raw.workload()), raw.NOW)
    assert plan.risk == "medium"
    assert plan.summary.endswith("down from 3 to 2: removes 1 pod.")


@pytest.mark.parametrize(("replicas", "note"), [(5, "new ordinals start"), (1, "highest ordinals go first")])
def test_a_stateful_set_is_scaled_in_its_order(replicas: int, note: str) -> None:
    plan = catalogue.plan(scale(replicas, "StatefulSet"), raw.target(raw.workload("StatefulSet")), raw.NOW)
    assert note in plan.blast.note


def test_from_zero_there_is_no_way_back() -> None:
    plan = catalogue.plan(scale(2), raw.target(raw.workload(replicas=0, ready=0)), raw.NOW)
    assert plan.inverse is None
    assert "0 replicas now" in plan.irreversible


def test_a_workload_without_a_number_has_one_replica() -> None:
    obj = raw.workload()
    del obj["spec"]["replicas"]
    assert catalogue.plan(scale(2), raw.target(obj), raw.NOW).pins["replicas"] == "1"


KEEPS: dict[str, Any] = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Retain"}}
DELETES: dict[str, Any] = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
HPA: model.Json = {"metadata": {"name": "api-hpa"}}


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        (scale(3), raw.target(raw.workload()), "has 3 replicas already"),
        (scale(0), raw.target(raw.workload()), "Scaling to 0"),
        (scale(4), raw.target(raw.workload(), autoscalers=(HPA,)), "HorizontalPodAutoscaler api-hpa"),
        (scale(2, "StatefulSet"), raw.target(raw.workload("StatefulSet", **DELETES)), "deletes the volumes"),
        (scale(4), raw.target(None), "is gone"),
    ],
)
def test_what_stands_in_the_way_is_said(action: model.Scale, target: model.Target, said: str) -> None:
    (problem,) = catalogue.problems(action, target)
    assert said in problem


def test_volumes_that_are_kept_or_not_touched_are_no_problem() -> None:
    assert catalogue.problems(scale(2, "StatefulSet"), raw.target(raw.workload("StatefulSet", **KEEPS))) == ()
    assert catalogue.problems(scale(5, "StatefulSet"), raw.target(raw.workload("StatefulSet", **DELETES))) == ()


def test_it_counts_as_applied_once_the_number_is_there() -> None:
    target = raw.target(raw.workload())
    plan = catalogue.plan(scale(5), target, raw.NOW)
    assert not catalogue.applied(plan.action, plan.operations, target)
    assert catalogue.applied(plan.action, plan.operations, raw.target(raw.workload(replicas=5)))
    another = raw.workload(replicas=5, metadata={"uid": "another"})
    assert not catalogue.applied(plan.action, plan.operations, raw.target(another))
    assert not catalogue.applied(plan.action, plan.operations, raw.target(None))
