"""Risk tiers: each circumstance raises a risk, several of them to the top, and nothing lowers it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import catalogue, model, policy, policy_tiers
from tests.k8s import raw

RESTART = model.RolloutRestart(raw.API)
POD = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")
DELETE = model.DeletePod(POD, raw.API)
CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
MORE_THAN_HALF = "It touches 3 of 3 replicas, more than half."


def weighed(
    action: model.Action, target: model.Target, *, production: bool = False, **changed: Any
) -> policy_tiers.Weight:
    plan = replace(catalogue.plan(action, target, raw.NOW), **changed)
    return policy_tiers.weighed(action, plan, target, production=production)


def pod(*, ready: bool, of: int = 3, **more: Any) -> model.Target:
    owner = raw.workload(replicas=of, ready=of - (not ready))
    return raw.target(
        raw.pod(ready=ready), of=POD, owner=owner, replicasets=(raw.replicaset(5, "web:1.5"),), **more
    )  # fmt: skip


def test_where_nothing_else_is_met_the_actions_own_risk_counts() -> None:
    nothing_ready = raw.target(raw.workload(ready=0))
    assert weighed(RESTART, nothing_ready) == policy_tiers.Weight(
        "low", ("rollout-restart is of low risk here by itself.",)
    )
    for risk in policy.TIERS:
        assert weighed(RESTART, nothing_ready, risk=risk).tier == risk


def test_more_than_half_of_what_serves_is_at_least_medium() -> None:
    assert weighed(RESTART, raw.target(raw.workload())).reasons[1:] == (MORE_THAN_HALF,)
    assert weighed(RESTART, raw.target(raw.workload())).tier == "medium"
    assert weighed(DELETE, pod(ready=True)).reasons[1:] == ()
    assert weighed(DELETE, pod(ready=True, of=1)).reasons[1:] == ("It touches 1 of 1 replicas, more than half.",)


@pytest.mark.parametrize(("replicas", "touches"), [(5, False), (12, False), (2, False), (1, True)])
def test_a_scale_touches_what_it_removes(replicas: int, touches: bool) -> None:
    weight = weighed(model.Scale(raw.API, replicas), raw.target(raw.workload()))
    assert (len(weight.reasons) > 1) is touches


def test_what_keeps_state_is_at_least_medium() -> None:
    stateful = model.RolloutRestart(raw.ref("StatefulSet"))
    weight = weighed(stateful, raw.target(raw.workload("StatefulSet", ready=0), of=raw.ref("StatefulSet")), risk="low")
    assert weight == policy_tiers.Weight(
        "medium", (weight.reasons[0], "It is a StatefulSet: its pods are no two alike.")
    )
    template = raw.pod_template()
    template["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}, CLAIM]
    weight = weighed(RESTART, raw.target(raw.workload(ready=0, template=template)))
    assert weight.reasons[1:] == ("Its pods keep data in volumes that outlive them.",)
    assert weight.tier == "medium"
    owner = raw.workload(template=template)
    target = replace(pod(ready=False), owner=owner)
    assert weighed(DELETE, target).reasons[1:] == ("Its pods keep data in volumes that outlive them.",)


def test_no_room_is_at_least_medium() -> None:
    tight = "Its PodDisruptionBudget leaves no room for one pod less."
    assert weighed(DELETE, pod(ready=True, headroom=0), risk="low").reasons[1:] == (tight,)
    assert weighed(DELETE, pod(ready=True, headroom=1), risk="low").reasons[1:] == ()
    assert weighed(DELETE, pod(ready=False, headroom=0), risk="low").reasons[1:] == ()
    half = raw.target(raw.workload(replicas=4, ready=2))
    up_then_down = weighed(model.Scale(raw.API, 3), half)
    assert up_then_down.reasons[1:] == ("Only 2 of 4 replicas are ready as it is.",)


def test_three_circumstances_or_two_in_production_are_high() -> None:
    assert weighed(RESTART, raw.target(raw.workload()), production=True).tier == "high"
    assert weighed(RESTART, raw.target(raw.workload(ready=0)), production=True) == policy_tiers.Weight(
        "medium", ("rollout-restart is of low risk here by itself.", "This is production.")
    )
    two = raw.target(raw.workload(), headroom=0)
    assert weighed(RESTART, two).tier == "medium"
    template = raw.pod_template()
    template["spec"]["volumes"] = [CLAIM]
    three = raw.target(raw.workload(template=template), headroom=0)
    assert weighed(RESTART, three).tier == "high"
    assert len(weighed(RESTART, three).reasons) == 4


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(policy.TIERS),
    st.integers(0, 5),
    st.integers(0, 5),
    st.none() | st.integers(0, 2),
    st.booleans(),
)
def test_nothing_lowers_a_risk_and_production_never_makes_it_less(
    risk: model.RiskTier, replicas: int, ready: int, headroom: int | None, production: bool
) -> None:
    target = raw.target(raw.workload(replicas=replicas, ready=min(ready, replicas)), headroom=headroom)
    tier = weighed(RESTART, target, production=production, risk=risk).tier
    assert policy.TIERS.index(tier) >= policy.TIERS.index(risk)
    assert policy.TIERS.index(weighed(RESTART, target, production=True, risk=risk).tier) >= policy.TIERS.index(tier)
