"""The policy: a denial wins, nothing outside of the incident, no permit without people who may give it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from k8s import catalogue, guardrails, model
from k8s import policy as rulebook
from tests.k8s import raw

POLICY = guardrails.Policy(approvers=("U1", "U2"))
ALONE = guardrails.Policy(approvers=("U1", "U2"), autonomous=rulebook.Autonomous(enabled=True))
"""Where a watch may do something by itself, which the shipped policy switches off."""
NOTHING_DONE = guardrails.History()
UNDO = model.RolloutUndo(raw.API, 4)
RESTART = model.RolloutRestart(raw.API)
UP = model.Scale(raw.API, 5)
POD = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")
DELETE = model.DeletePod(POD, raw.API)
ACTIONS: tuple[model.Action, ...] = (UNDO, RESTART, UP, DELETE)


def target_for(action: model.Action, **more: Any) -> model.Target:
    if isinstance(action, model.DeletePod):
        return replace(raw.broken_rollout(**more), ref=POD, object=raw.pod(ready=False), owner=raw.workload())
    return raw.broken_rollout(**more)


def judged(
    action: model.Action,
    target: model.Target | None = None,
    *,
    plan: model.Plan | None = None,
    subject: model.ResourceRef = raw.API,
    policy: guardrails.Policy = POLICY,
    history: guardrails.History = NOTHING_DONE,
    mode: guardrails.Mode = "approve",
    now: datetime = raw.NOW,
) -> guardrails.Verdict:
    target = target_for(action) if target is None else target
    plan = catalogue.plan(action, target, raw.NOW) if plan is None else plan
    return guardrails.judge(action, plan, target, subject=subject, policy=policy, history=history, mode=mode, now=now)


def done(action: model.Action, minutes: float, status: str = "succeeded", **more: Any) -> guardrails.PastExecution:
    when = raw.NOW - timedelta(minutes=minutes)
    return guardrails.PastExecution(
        action_name=model.name_of(action), workload=action.workload, at=when, status=status, **more
    )


# --- the verdict ---


@pytest.mark.parametrize("action", ACTIONS)
def test_an_ordinary_action_is_allowed_and_needs_one_person(action: model.Action) -> None:
    verdict = judged(action)
    assert verdict.allowed
    assert verdict.reasons == ()
    assert verdict.approvals_needed == 1
    assert verdict.approvers == ("U1", "U2")
    assert verdict.warnings == ()


TWO = rulebook.Tiers(low=rulebook.Tier(approvals=2), medium=rulebook.Tier(approvals=2))
NAMESPACE = {"metadata": {"name": "payments"}}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"policy": guardrails.Policy(approvers=("U1",), read_only=True)}, "Read-only"),
        ({"mode": "observe"}, "only observes"),
        ({"policy": guardrails.Policy()}, "Nobody may approve"),
        ({"policy": guardrails.Policy(approvers=("",))}, "Nobody may approve"),
        ({"policy": guardrails.Policy(approvers=("U1",), protected_namespaces=("pay*",))}, "is protected"),
        ({"subject": raw.ref(name="web", uid="other")}, "outside of this incident"),
        ({"subject": raw.ref(uid="another-life")}, "outside of this incident"),
        ({"subject": model.ResourceRef("Node", "", "node-a", "n")}, "outside of this incident"),
        ({"subject": model.ResourceRef("Deployment", "other", "api", "")}, "outside of this incident"),
    ],
)
def test_what_the_policy_forbids_is_denied_with_its_reason(
    action: model.Action, how: dict[str, Any], said: str
) -> None:
    verdict = judged(action, **how)
    assert not verdict.allowed
    assert any(said in reason for reason in verdict.reasons)


@pytest.mark.parametrize("key", ["labels", "annotations"])
@pytest.mark.parametrize(
    ("value", "allowed"),
    [("true", False), ("True", False), ("yes", False), ("ture", False), (True, False), ("false", True), ("", True)],
)
def test_a_mark_of_protection_denies_unless_it_clearly_says_no(key: str, value: object, allowed: bool) -> None:
    mark: dict[str, Any] = {key: {"watchkeeper.io/protected": value}}
    marked = raw.workload(metadata=mark)
    assert judged(RESTART, raw.target(marked)).allowed is allowed
    assert judged(RESTART, raw.target(raw.workload(), namespace={"metadata": mark})).allowed is allowed
    assert judged(DELETE, replace(target_for(DELETE), owner=marked)).allowed is allowed
    pod = raw.pod(ready=False, **mark)
    assert judged(DELETE, replace(target_for(DELETE), object=pod)).allowed is allowed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"object": raw.workload(metadata={"deletionTimestamp": raw.at(1)})}, "is being deleted"),
        ({"object": None}, "is gone"),
        ({"owner": raw.workload(metadata={"deletionTimestamp": raw.at(1)})}, "workload of"),
        ({"namespace": {"metadata": {"deletionTimestamp": raw.at(1)}}}, "Namespace payments is being deleted"),
        ({"namespace": {"status": {"phase": "Terminating"}}}, "Namespace payments is being deleted"),
    ],
)
def test_what_is_going_away_is_left_alone(change: dict[str, Any], said: str) -> None:
    target = target_for(RESTART)
    plan = catalogue.plan(RESTART, target, raw.NOW)
    verdict = judged(RESTART, replace(target, **change), plan=plan)
    assert not verdict.allowed
    assert any(said in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("replicas", "allowed"), [(0, False), (-1, False), (1, True), (2, True), (12, True), (13, False), (51, False)]
)
def test_a_scale_stays_within_bounds_and_steps(replicas: int, allowed: bool) -> None:
    assert judged(model.Scale(raw.API, replicas)).allowed is allowed


def test_most_replicas_and_a_step_down_are_bounded_too() -> None:
    many = raw.target(raw.workload(replicas=40))
    assert judged(model.Scale(raw.API, 50), many).allowed
    assert not judged(model.Scale(raw.API, 51), many).allowed
    assert not judged(model.Scale(raw.API, 9), many).allowed
    from_zero = raw.target(raw.workload(replicas=0))
    assert judged(model.Scale(raw.API, 20), from_zero).allowed


def test_a_scale_under_an_autoscaler_is_denied() -> None:
    verdict = judged(UP, target_for(UP, autoscalers=({"metadata": {"name": "hpa"}},)))
    assert not verdict.allowed
    assert "HorizontalPodAutoscaler" in verdict.reasons[0]


def test_an_undo_to_a_revision_that_never_worked_is_denied() -> None:
    target = replace(raw.broken_rollout(), object=raw.workload(template=raw.pod_template("web:1.6")))
    verdict = judged(model.RolloutUndo(raw.API, 5), target)
    assert verdict.reasons == ("Nothing shows that revision 5 of payments/api ever worked.",)
    missing = judged(model.RolloutUndo(raw.API, 9), plan=catalogue.plan(UNDO, target, raw.NOW))
    assert any("revision 9" in reason for reason in missing.reasons)


def test_a_plan_of_another_action_is_denied() -> None:
    target = target_for(UP)
    verdict = judged(UP, plan=catalogue.plan(model.Scale(raw.API, 6), target, raw.NOW))
    assert "The plan was made for another action." in verdict.reasons


# --- history ---


@pytest.mark.parametrize(
    ("past", "allowed"),
    [
        (done(RESTART, 4), False),
        (done(RESTART, -3), False),
        (done(RESTART, 5), True),
        (done(RESTART, 4, "unknown"), False),
        (done(RESTART, 4, "verified"), False),
        (done(RESTART, 4, "failed"), True),
        (done(RESTART, 4, "stale"), True),
        (done(UP, 4), True),
        (done(model.RolloutRestart(raw.ref(name="web", uid="w")), 4), True),
    ],
)
def test_the_same_action_on_the_same_workload_waits_for_its_cooldown(
    past: guardrails.PastExecution, allowed: bool
) -> None:
    assert judged(RESTART, history=guardrails.History((past,))).allowed is allowed


def test_the_cooldown_says_how_long_to_wait() -> None:
    (reason,) = judged(RESTART, history=guardrails.History((done(RESTART, 4),))).reasons
    assert "wait 60 s more" in reason
    (reason,) = judged(RESTART, history=guardrails.History((done(RESTART, -30),))).reasons
    assert "wait 300 s more" in reason


def test_too_many_actions_within_an_hour_are_denied() -> None:
    past = tuple(done(UP, 50 - number) for number in range(6))
    verdict = judged(RESTART, history=guardrails.History(past))
    assert verdict.reasons == ("6 actions on payments/api within an hour did not settle it.",)
    assert judged(RESTART, history=guardrails.History(past[1:])).allowed
    assert judged(RESTART, history=guardrails.History(past), now=raw.NOW + timedelta(minutes=30)).allowed


def test_taking_the_last_action_back_is_allowed_at_once_and_to_what_was_broken() -> None:
    undone = replace(
        raw.broken_rollout(),
        object=raw.workload(template=raw.pod_template("web:1.4"), ready=3),
        replicasets=(
            raw.replicaset(5, "web:1.5", created=10),
            raw.replicaset(6, "web:1.4", pods=3, ready=3, history="4"),
        ),
    )
    back = model.RolloutUndo(raw.API, 5)
    history = guardrails.History((done(UNDO, 1, inverse=back),))
    assert len(judged(back, undone).reasons) == 1
    verdict = judged(back, undone, history=history)
    assert verdict.allowed
    assert any("takes the last action back" in warning for warning in verdict.warnings)
    later = guardrails.History((*history.executions, done(RESTART, 0.5)))
    assert not judged(back, undone, history=later).allowed


# --- scope ---


def test_the_owner_of_the_incidents_pod_or_replica_set_is_within_its_scope() -> None:
    target = replace(raw.broken_rollout(), pods=(raw.pod(), raw.pod("other", uid="pod-2")))
    assert judged(RESTART, target, subject=POD).allowed
    foreign = replace(target, pods=(raw.pod(owner=("ReplicaSet", "rs-of-another")),))
    assert not judged(RESTART, foreign, subject=POD).allowed


def test_a_bare_replica_set_leads_to_its_deployment() -> None:
    verdict = judged(RESTART, subject=model.ResourceRef("ReplicaSet", "payments", "api-h5", "rs-5"))
    assert verdict.allowed


def test_a_pod_of_another_workload_is_outside() -> None:
    stranger = replace(target_for(DELETE), object=raw.pod(owner=("ReplicaSet", "rs-of-another"), ready=False))
    assert not judged(DELETE, stranger).allowed
    other_owner = replace(target_for(DELETE), owner=raw.workload(metadata={"uid": "another"}))
    assert not judged(DELETE, other_owner).allowed


def test_only_the_pod_of_the_action_is_ever_deleted() -> None:
    target = raw.broken_rollout(owner=raw.workload())
    plan = catalogue.plan(DELETE, target_for(DELETE), raw.NOW)
    whole_deployment = replace(plan, operations=(model.Operation("delete", raw.API),))
    (reason,) = judged(DELETE, target, plan=whole_deployment).reasons
    assert "is not what delete-pod writes" in reason
    sibling = model.ResourceRef("Pod", "payments", "api-h5-b", "pod-2")
    other = replace(target_for(DELETE), object=raw.pod("api-h5-b", uid="pod-2", ready=False))
    (reason,) = judged(DELETE, other, plan=replace(plan, operations=(model.Operation("delete", sibling),))).reasons
    assert "is not what delete-pod writes" in reason


def test_a_claim_of_ownership_across_namespaces_leads_nowhere() -> None:
    foreign = raw.pod(namespace="other")
    subject = model.ResourceRef("Pod", "other", "api-h5-a", "pod-1")
    assert not judged(RESTART, replace(raw.broken_rollout(), pods=(foreign,)), subject=subject).allowed


names = st.sampled_from(("api", "web", "kube-proxy"))
kinds = st.sampled_from(("Deployment", "StatefulSet", "Pod", "Node", "Secret", "ClusterRole"))
spaces = st.sampled_from(("payments", "kube-system", ""))
uids = st.sampled_from(("", raw.OWNER_UID, "pod-1", "other"))
any_ref = st.builds(model.ResourceRef, kinds, spaces, names, uids)
bodies = st.none() | st.just({"spec": {"replicas": 5}}) | st.just([{"op": "remove", "path": "/spec"}])
operations = st.builds(
    model.Operation,
    st.sampled_from(("patch", "scale", "delete")),
    any_ref,
    st.sampled_from((None, "merge", "json")),
    bodies,
)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ACTIONS), st.lists(operations, max_size=2), st.sampled_from(get_args(guardrails.Mode)))
def test_operations_that_are_not_exactly_the_actions_own_are_always_denied(
    action: model.Action, forged: list[model.Operation], mode: guardrails.Mode
) -> None:
    plan = catalogue.plan(action, target_for(action), raw.NOW)
    assume(tuple(forged) != plan.operations)
    anyone = guardrails.Policy(approvers=(guardrails.ANYONE,), protected_namespaces=())
    for written in (tuple(forged), plan.operations + tuple(forged)):
        if written == plan.operations:
            continue
        verdict = judged(action, plan=replace(plan, operations=written), policy=anyone, mode=mode)
        assert not verdict.allowed


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ACTIONS), any_ref)
def test_an_operation_outside_of_the_subject_is_always_denied(action: model.Action, subject: model.ResourceRef) -> None:
    assume((subject.kind, subject.namespace, subject.name) != ("Deployment", "payments", "api"))
    assume(subject != POD)
    assert not judged(action, subject=subject, policy=guardrails.Policy(approvers=("*",))).allowed


TEMPLATE = {"op": "replace", "path": "/spec/template", "value": {}}
CAUSE = {"op": "add", "path": "/metadata/annotations/kubernetes.io~1change-cause", "value": "x"}


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ([TEMPLATE], True),
        ([TEMPLATE, CAUSE], True),
        ([CAUSE], False),
        ([TEMPLATE, CAUSE, CAUSE], False),
        ([TEMPLATE, {**CAUSE, "path": "/spec/replicas"}], False),
        ([{**TEMPLATE, "path": "/spec"}], False),
        ([{**TEMPLATE, "op": "remove"}], False),
        ({"spec": {}}, False),
        (["/spec/template"], False),
        ([], False),
        (None, False),
    ],
)
def test_an_undo_writes_one_template_and_at_most_its_cause(body: Any, allowed: bool) -> None:
    plan = catalogue.plan(UNDO, target_for(UNDO), raw.NOW)
    patch = model.Operation("patch", raw.API, "json", body)
    assert judged(UNDO, plan=replace(plan, operations=(patch,))).allowed is allowed


def test_a_restart_writes_its_time_and_nothing_beside_it() -> None:
    plan = catalogue.plan(RESTART, target_for(RESTART), raw.NOW)
    body = msgspec.json.decode(msgspec.json.encode(plan.operations[0].body))
    body["spec"]["replicas"] = 0
    widened = model.Operation("patch", raw.API, "merge", body)
    assert not judged(RESTART, plan=replace(plan, operations=(widened,))).allowed


def test_an_object_of_another_name_under_the_same_uid_is_outside() -> None:
    renamed = raw.workload(metadata={"name": "api2"})
    assert not judged(RESTART, replace(target_for(RESTART), object=renamed)).allowed


# --- warnings ---


@pytest.mark.parametrize(("action", "warned"), [(UNDO, True), (UP, True), (RESTART, False)])
def test_who_would_put_it_back_is_told_where_something_lasting_is_written(action: model.Action, warned: bool) -> None:
    owned = raw.workload(metadata={"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, ready=2)
    verdict = judged(action, replace(target_for(action), object=owned))
    assert verdict.allowed
    assert any("Flux (Kustomization apps)" in warning for warning in verdict.warnings) is warned


def test_a_namespace_that_cannot_be_read_is_told() -> None:
    verdict = judged(RESTART, replace(target_for(RESTART), namespace=None))
    assert verdict.allowed
    assert "could not be read" in verdict.warnings[0]


@pytest.mark.parametrize(
    ("action", "unread", "warned"),
    [
        (UP, "horizontalpodautoscalers", "put its own number back"),
        (RESTART, "poddisruptionbudgets", "how many pods may go"),
    ],
)
def test_what_may_not_be_read_is_told_and_not_taken_for_none(action: model.Action, unread: str, warned: str) -> None:
    verdict = judged(action, replace(target_for(action), unread=(unread,)))
    assert verdict.allowed
    assert any(warned in warning for warning in verdict.warnings)
    assert judged(action, target_for(action)).warnings == ()


@pytest.mark.parametrize(("headroom", "warned"), [(0, True), (1, False), (None, False)])
def test_a_budget_without_room_is_named_beside_the_deletion_of_a_pod(headroom: int | None, warned: bool) -> None:
    pod = model.ResourceRef("Pod", "payments", "api-h5-a", "pod-1")
    action = model.DeletePod(pod=pod, workload=raw.ref("Deployment"))
    replicasets = (raw.replicaset(5, "web:1.5"),)
    target = raw.target(raw.pod(ready=False), of=pod, owner=raw.workload(), replicasets=replicasets, headroom=headroom)
    verdict = judged(action, target)
    assert verdict.allowed
    assert any("allows no disruption now" in warning for warning in verdict.warnings) is warned


# --- approvals ---


@pytest.mark.parametrize(
    ("approvers", "user", "may"),
    [
        (("U1",), "U1", True),
        (("U1",), "U2", False),
        ((), "U1", False),
        (("*",), "U9", True),
        (("*",), "", False),
        (("*",), "*", False),
        (("policy",), "policy", False),
        (("",), "", False),
    ],
)
def test_who_may_approve_is_named_and_no_names_mean_nobody(approvers: tuple[str, ...], user: str, may: bool) -> None:
    assert guardrails.may_approve(user, guardrails.Policy(approvers=approvers)) is may


@pytest.mark.parametrize(
    ("action", "mode", "needed"),
    [(UP, "autonomous", 0), (UP, "approve", 1), (UNDO, "autonomous", 1), (RESTART, "autonomous", 1)],
)
def test_the_policy_alone_permits_only_what_is_low_risk_and_can_be_taken_back(
    action: model.Action, mode: guardrails.Mode, needed: int
) -> None:
    target = target_for(action)
    if action == RESTART:
        assert catalogue.plan(action, target, raw.NOW).risk == "low"
    assert judged(action, target, policy=ALONE, mode=mode).approvals_needed == needed


def test_the_shipped_policy_permits_nothing_alone() -> None:
    verdict = judged(UP, mode="autonomous")
    assert verdict.approvals_needed == 1
    lax = msgspec.structs.replace(verdict, approvals_needed=0)
    with pytest.raises(guardrails.NotPermitted, match="0 of 1"):
        permitted(lax, approvers=())
    by_policy = msgspec.structs.replace(permitted(verdict), approvers=(guardrails.BY_POLICY,))
    assert "policy alone" in checked(by_policy, lax)


def test_a_tier_of_two_needs_two_different_people() -> None:
    two = guardrails.Policy(approvers=("U1", "U2"), tiers=TWO)
    verdict = judged(UP, policy=two, mode="autonomous")
    assert verdict.approvals_needed == 2
    for pressed in (("U1",), ("U1", "U1")):
        with pytest.raises(guardrails.NotPermitted, match="1 of 2"):
            permitted(verdict, two, pressed)
    assert permitted(verdict, two, ("U1", "U2")).approvers == ("U1", "U2")
    alone = guardrails.Policy(approvers=("U1", "U1"), tiers=TWO)
    assert "Two people" in judged(UP, policy=alone).reasons[0]


# --- permits ---


def permitted(
    verdict: guardrails.Verdict, policy: guardrails.Policy = POLICY, approvers: tuple[str, ...] = ("U1",), **more: Any
) -> model.Permit:
    given = {"proposal": "p-1", "digest": verdict.digest, "now": raw.NOW, "expires_at": raw.NOW + timedelta(hours=1)}
    return guardrails.permit(verdict=verdict, policy=policy, approvers=approvers, **{**given, **more})


def checked(permit: model.Permit, verdict: guardrails.Verdict, /, **more: Any) -> str:
    given: dict[str, Any] = {"proposal": "p-1", "digest": verdict.digest, "policy": POLICY, "now": raw.NOW}
    return guardrails.check_permit(permit, **{**given, "verdict": verdict, **more})


def test_a_permit_covers_exactly_what_was_judged() -> None:
    verdict = judged(UP)
    permit = permitted(verdict)
    assert permit == model.Permit(
        proposal="p-1",
        digest=verdict.digest,
        policy=POLICY.hash,
        approvers=("U1",),
        granted_at=raw.NOW,
        expires_at=raw.NOW + timedelta(hours=1),
    )
    assert checked(permit, verdict) == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"digest": "other"}, "not what was judged"),
        ({"digest": ""}, "not what was judged"),
        ({"proposal": ""}, "not what was judged"),
        ({"expires_at": raw.NOW}, "expired"),
        ({"approvers": ("U3",)}, "U3 may not"),
        ({"approvers": ("U1", "U3")}, "U3 may not"),
        ({"approvers": ("",)}, "Someone unnamed"),
        ({"approvers": ()}, "0 of 1"),
        ({"policy": guardrails.Policy(approvers=("U1",), read_only=True)}, "Read-only"),
    ],
)
def test_no_permit_is_given_for_anything_else(more: dict[str, Any], said: str) -> None:
    with pytest.raises(guardrails.NotPermitted, match=said) as caught:
        permitted(judged(UP), **more)
    assert caught.value.reason == str(caught.value)


def test_a_denied_verdict_never_yields_a_permit() -> None:
    denied = judged(UP, policy=guardrails.Policy(approvers=("U1",)), mode="observe")
    with pytest.raises(guardrails.NotPermitted, match="only observes"):
        permitted(denied)
    with pytest.raises(guardrails.NotPermitted, match="denies"):
        permitted(msgspec.structs.replace(judged(UP), allowed=False))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"proposal": "p-2"}, "another proposal"),
        ({"digest": "other"}, "something else"),
        ({"policy": guardrails.Policy(approvers=("U1",))}, "policy has changed"),
        ({"now": raw.NOW + timedelta(hours=1)}, "expired"),
        ({"verdict": judged(UP, mode="observe")}, "no longer allows"),
        ({"verdict": judged(model.Scale(raw.API, 6))}, "no longer allows"),
    ],
)
def test_a_permit_is_refused_for_anything_else(more: dict[str, Any], said: str) -> None:
    verdict = judged(UP)
    assert said in checked(permitted(verdict), verdict, **more)


def test_a_permit_of_the_policy_alone_holds_only_while_nobody_need_be_asked() -> None:
    verdict = judged(UP, policy=ALONE, mode="autonomous")
    permit = permitted(verdict, ALONE, approvers=())
    assert permit.approvers == (guardrails.BY_POLICY,)
    assert checked(permit, verdict, policy=ALONE) == ""
    assert "policy alone" in checked(permit, judged(UP, policy=ALONE, mode="approve"), policy=ALONE)
    assert "policy alone" in checked(permit, verdict, policy=ALONE, verdict=None)


@pytest.mark.parametrize(
    ("approvers", "said"), [((), "Nobody has approved"), (("U3",), "U3 may not"), (("",), "Someone unnamed")]
)
def test_a_forged_permit_is_refused_by_its_approvers(approvers: tuple[str, ...], said: str) -> None:
    verdict = judged(UP)
    forged = msgspec.structs.replace(permitted(verdict), approvers=approvers)
    assert said in checked(forged, verdict)


def test_a_permit_with_too_few_people_is_refused() -> None:
    two = guardrails.Policy(approvers=("U1", "U2"), tiers=TWO)
    verdict = judged(UP, policy=two)
    permit = permitted(verdict, two, ("U1", "U2"))
    assert checked(permit, verdict, policy=two) == ""
    assert "1 of 2" in checked(msgspec.structs.replace(permit, approvers=("U1", "U1")), verdict, policy=two)


def test_read_only_refuses_even_a_permit_of_its_own_policy() -> None:
    frozen = guardrails.Policy(approvers=("U1",), read_only=True)
    verdict = judged(UP, policy=frozen)
    forged = msgspec.structs.replace(permitted(judged(UP)), policy=frozen.hash, digest=verdict.digest)
    assert "Read-only" in checked(forged, verdict, policy=frozen)


users = st.sampled_from(("U1", "U2", "U3", "", "*", "policy"))
asked = st.builds(rulebook.Tier, approvals=st.integers(1, 2), self_approval=st.booleans())
tiers = st.builds(rulebook.Tiers, low=asked, medium=asked, high=asked)
policies = st.builds(
    guardrails.Policy,
    read_only=st.booleans(),
    approvers=st.lists(users, max_size=3).map(tuple),
    protected_namespaces=st.sampled_from(((), ("payments",), ("kube-*",))),
    cooldown=st.sampled_from((timedelta(0), timedelta(minutes=5))),
    hourly_limit=st.integers(0, 3),
    max_replicas=st.integers(0, 10),
    max_scale_factor=st.sampled_from((0.0, 1.0, 4.0)),
    tiers=tiers,
    autonomous=st.builds(rulebook.Autonomous, enabled=st.booleans()),
)
histories = st.lists(
    st.builds(done, st.sampled_from(ACTIONS), st.integers(-5, 90), st.sampled_from(("succeeded", "failed", "unknown"))),
    max_size=3,
).map(lambda past: guardrails.History(tuple(past)))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(ACTIONS),
    policies,
    histories,
    st.sampled_from(get_args(guardrails.Mode)),
    st.lists(users, max_size=3).map(tuple),
)
def test_whatever_the_policy_a_denial_gives_no_permit_and_a_permit_has_people_who_may(
    action: model.Action,
    policy: guardrails.Policy,
    history: guardrails.History,
    mode: guardrails.Mode,
    pressed: tuple[str, ...],
) -> None:
    verdict = judged(action, policy=policy, history=history, mode=mode)
    assert verdict.allowed == (not verdict.reasons)
    try:
        permit = permitted(verdict, policy, pressed)
    except guardrails.NotPermitted:
        return
    assert verdict.allowed
    assert not policy.read_only
    assert mode != "observe"
    people = [user for user in permit.approvers if guardrails.may_approve(user, policy)]
    if people:
        assert tuple(people) == permit.approvers
        assert len(set(people)) >= verdict.approvals_needed
    else:
        assert (mode, verdict.tier, verdict.approvals_needed) == ("autonomous", "low", 0)
        assert policy.autonomous.enabled
    assert checked(permit, verdict, policy=policy) == ""


# --- the digest ---


def test_the_hash_of_a_policy_changes_with_every_field_and_not_with_the_order_of_names() -> None:
    changes: dict[str, Any] = {
        "read_only": True,
        "approvers": ("U1",),
        "protected_namespaces": (),
        "cooldown": timedelta(minutes=6),
        "hourly_limit": 7,
        "max_replicas": 51,
        "max_scale_factor": 5.0,
        "cluster_hourly_limit": 31,
        "tiers": TWO,
        "rulesets": (rulebook.Ruleset(default="deny"),),
        "production": (rulebook.Places(clusters=("prod-*",)),),
        "freezes": (rulebook.Freeze(name="night"),),
        "autonomous": rulebook.Autonomous(enabled=True),
        "gitops": rulebook.Gitops(helm="refuse"),
        "commands": (rulebook.Commands(entries=(rulebook.Command(name="look", line="ls"),)),),
    }
    assert set(changes) == set(guardrails.Policy.__struct_fields__)
    hashes = {msgspec.structs.replace(POLICY, **{field: value}).hash for field, value in changes.items()}
    assert len(hashes | {POLICY.hash}) == len(changes) + 1
    assert guardrails.Policy(approvers=("U2", "U1", "U1")).hash == POLICY.hash


def test_a_policy_of_unknown_fields_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"readonly": True}, guardrails.Policy)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(ACTIONS), st.data())
def test_changing_any_operation_pin_or_policy_changes_the_digest(action: model.Action, data: st.DataObject) -> None:
    plan = catalogue.plan(action, target_for(action), raw.NOW)
    digest = guardrails.digest_of(plan, POLICY)
    pin = data.draw(st.sampled_from(sorted(plan.pins)))
    other = data.draw(st.text(max_size=8).filter(lambda text: text != plan.pins[pin]))
    assert guardrails.digest_of(replace(plan, pins={**plan.pins, pin: other}), POLICY) != digest
    assert guardrails.digest_of(replace(plan, pins={**plan.pins, "more": ""}), POLICY) != digest
    changed = data.draw(operations.filter(lambda drawn: drawn not in plan.operations))
    assert guardrails.digest_of(replace(plan, operations=(changed,)), POLICY) != digest
    assert guardrails.digest_of(replace(plan, operations=(*plan.operations, changed)), POLICY) != digest
    policy = data.draw(policies.filter(lambda drawn: drawn.hash != POLICY.hash))
    assert guardrails.digest_of(plan, policy) != digest
    assert judged(action, plan=plan).digest == digest
