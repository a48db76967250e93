"""The verdict and the permit under a policy of a file: rules, freezes, tiers, people, limits and GitOps."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import catalogue, guardrails, model, policy, policy_rules
from tests.k8s import raw
from tests.k8s import ruling_books as books
from tests.k8s.test_guardrails import ACTIONS, DELETE, RESTART, UNDO, UP, done, target_for

ASKED = policy.Policy(approvers=("U1", "U2"))


def judged(
    action: model.Action,
    rules: policy.Policy,
    target: model.Target | None = None,
    *,
    cluster: str = "prod-eu",
    history: guardrails.History = guardrails.History(),  # noqa: B008 - frozen
    mode: guardrails.Mode = "approve",
    members: policy.Members = policy.NO_MEMBERS,
) -> guardrails.Verdict:
    target = target_for(action) if target is None else target
    plan = catalogue.plan(action, target, raw.NOW)
    return guardrails.judge(
        action, plan, target, subject=raw.API, policy=rules, history=history, mode=mode, now=raw.NOW, cluster=cluster,
        members=members,
    )  # fmt: skip


def permitted(verdict: guardrails.Verdict, rules: policy.Policy, *people: str, **more: Any) -> model.Permit:
    return guardrails.permit(
        proposal="p-1", digest=verdict.digest, verdict=verdict, policy=rules, approvers=people, now=raw.NOW,
        expires_at=raw.NOW + timedelta(minutes=5), **more,
    )  # fmt: skip


def checked(permit: model.Permit, verdict: guardrails.Verdict | None, rules: policy.Policy, **more: Any) -> str:
    return guardrails.check_permit(
        permit, proposal="p-1", digest=permit.digest, policy=rules, now=raw.NOW, verdict=verdict, **more
    )


def held(*rules: policy.Rule, **more: Any) -> policy.Policy:
    return msgspec.structs.replace(ASKED, rulesets=(policy.Ruleset(rules=rules, **more),))


def tiered(**asked: Any) -> policy.Policy:
    """Every tier asks for the same."""
    tier = policy.Tier(**asked)
    return msgspec.structs.replace(ASKED, tiers=policy.Tiers(low=tier, medium=tier, high=tier))


# --- rules and freezes


@pytest.mark.parametrize("action", ACTIONS)
def test_a_denial_is_told_with_the_rule_that_decided(action: model.Action) -> None:
    rules = held(policy.Rule(effect="deny", name="hands off", namespaces=("pay*",), source="p.yaml:4"))
    verdict = judged(action, rules)
    assert verdict.reasons == ("The policy denies this: deny rule hands off (p.yaml:4).",)
    assert verdict.rule == "deny rule hands off (p.yaml:4)"
    assert judged(action, held(policy.Rule(effect="deny", name="web", namespaces=("web",)))).allowed


def test_a_denial_of_pods_is_about_their_deletion_and_labels_are_the_workloads() -> None:
    pods = held(policy.Rule(effect="deny", name="pods", kinds=("Pod",)))
    assert not judged(DELETE, pods).allowed
    assert judged(RESTART, pods).allowed
    shop = held(policy.Rule(effect="deny", name="shop", labels=("part-of=shop",)))
    owner = raw.workload(metadata={"labels": {"part-of": "shop"}})
    assert judged(DELETE, shop).allowed
    assert not judged(DELETE, shop, replace(target_for(DELETE), owner=owner)).allowed


def test_a_cluster_that_is_not_named_may_be_any() -> None:
    rules = held(policy.Rule(effect="deny", name="us", clusters=("prod-us",)))
    assert judged(UP, rules).allowed
    assert not judged(UP, rules, cluster="prod-us").allowed
    assert not judged(UP, rules, cluster="").allowed


def test_what_no_rule_allows_is_denied_where_that_is_the_default() -> None:
    rules = held(policy.Rule(effect="allow", name="scaling", actions=("scale",)), default="deny")
    assert judged(UP, rules).rule == "allow rule scaling"
    assert judged(UP, rules).allowed
    assert not judged(RESTART, rules).allowed
    assert judged(RESTART, ASKED).rule == "default ask"


def test_a_freeze_stops_what_is_new_and_not_the_way_back() -> None:
    frozen = msgspec.structs.replace(ASKED, freezes=(policy.Freeze(name="xmas", reason="The shop is busy."),))
    assert judged(RESTART, frozen).reasons == ("Frozen by freeze xmas: The shop is busy.",)
    back = guardrails.History((done(UNDO, 1, inverse=RESTART),))
    assert judged(RESTART, frozen, history=back).allowed


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(ACTIONS), books.denials, st.lists(books.policies, max_size=2), st.sampled_from(books.CLUSTERS))
def test_what_a_deny_names_is_never_permitted_by_whatever_policy(
    action: model.Action, denial: policy.Rule, others: list[policy.Policy], cluster: str
) -> None:
    rules = policy.merged(*others, policy.Policy(approvers=("*",), rulesets=(policy.Ruleset(rules=(denial,)),)))
    target = target_for(action)
    plan = catalogue.plan(action, target, raw.NOW)
    if not policy_rules.denies(denial, policy_rules.deed(action, plan.operations, target, cluster)):
        return
    verdict = judged(action, rules, cluster=cluster, mode="autonomous")
    assert not verdict.allowed
    with pytest.raises(guardrails.NotPermitted):
        permitted(verdict, rules, "U1", "U2", "U3", reasons={"U1": "x", "U2": "x", "U3": "x"})


# --- tiers and people


def test_the_tier_is_the_computed_one_with_its_reasons() -> None:
    production = msgspec.structs.replace(ASKED, production=(policy.Places(clusters=("prod-*",)),))
    verdict = judged(UNDO, production)
    assert verdict.tier == "medium"
    assert verdict.tier_reasons == ("rollout-undo is of medium risk here by itself.", "This is production.")
    high = judged(RESTART, production)
    assert (high.tier, high.approvals_needed, high.reason_required) == ("high", 2, True)
    assert judged(RESTART, production, cluster="dev").tier == "medium"


def test_autonomy_ends_where_the_risk_is_raised_or_more_is_asked() -> None:
    alone = policy.Autonomous(enabled=True)
    assert judged(UP, ASKED, mode="autonomous").approvals_needed == 1
    assert judged(UP, msgspec.structs.replace(ASKED, autonomous=alone), mode="autonomous").approvals_needed == 0
    production = msgspec.structs.replace(ASKED, autonomous=alone, production=(policy.Places(namespaces=("payments",)),))
    assert judged(UP, production, mode="autonomous").approvals_needed == 1
    for asked in ({"reason_required": True}, {"approvals": 2}):
        strict = msgspec.structs.replace(tiered(**asked), autonomous=alone)
        verdict = judged(UP, strict, mode="autonomous")
        assert verdict.approvals_needed > 0
        lax = msgspec.structs.replace(verdict, approvals_needed=0, reason_required=False)
        with pytest.raises(guardrails.NotPermitted):
            permitted(lax, strict)


GROUPS = {"S1": frozenset({"U5", "U6"}), "C1": frozenset({"U7"})}


def test_a_user_group_approves_as_far_as_its_members_are_known() -> None:
    rules = tiered(approvers=(policy.Approvers(groups=("S1",), channels=("C1",)),))
    rules = msgspec.structs.replace(rules, approvers=())
    unknown = judged(UNDO, rules)
    assert "Who is in S1, C1 is not known here." in unknown.reasons[0]
    verdict = judged(UNDO, rules, members=GROUPS)
    assert verdict.allowed
    assert verdict.approvers == ("S1", "C1")
    permit = permitted(verdict, rules, "U7", members=GROUPS)
    assert checked(permit, verdict, rules, members=GROUPS) == ""
    assert "U7 may not" in checked(permit, verdict, rules)
    with pytest.raises(guardrails.NotPermitted, match="U1 may not"):
        permitted(verdict, rules, "U1", members=GROUPS)
    assert guardrails.may_approve("U5", rules, tier="medium", members=GROUPS)
    assert not guardrails.may_approve("U5", rules, tier="medium")


def test_settings_and_file_must_both_name_an_approver() -> None:
    rules = tiered(approvers=(policy.Approvers(users=("U2", "U3")),))
    verdict = judged(UNDO, rules)
    assert verdict.approvers == ("U2",)
    assert permitted(verdict, rules, "U2").approvers == ("U2",)
    for user in ("U1", "U3"):
        with pytest.raises(guardrails.NotPermitted, match="may not"):
            permitted(verdict, rules, user)


def test_a_tier_that_asks_for_more_people_than_there_are_is_denied() -> None:
    assert judged(UP, tiered(approvals=2)).allowed
    assert judged(UP, tiered(approvals=3)).reasons == ("Three people must approve this, and the policy names 2.",)


def test_a_reason_is_asked_of_everyone_who_approves() -> None:
    rules = tiered(reason_required=True, approvals=2)
    verdict = judged(UNDO, rules)
    assert verdict.reason_required
    for reasons in ({}, {"U1": "it burns"}, {"U1": "it burns", "U2": " \n"}):
        with pytest.raises(guardrails.NotPermitted, match="A reason is required for an action of medium risk"):
            permitted(verdict, rules, "U1", "U2", reasons=reasons)
    permit = permitted(verdict, rules, "U1", "U2", reasons={"U1": "it burns", "U2": "so it does"})
    assert permit.approvers == ("U1", "U2")


def test_who_asked_for_it_is_not_who_approves_it_where_the_policy_says_so() -> None:
    rules = tiered(self_approval=False)
    verdict = judged(UNDO, rules)
    assert not verdict.self_approval
    with pytest.raises(guardrails.NotPermitted, match="somebody else must approve"):
        permitted(verdict, rules, "U1", proposer="U1")
    permit = permitted(verdict, rules, "U1", proposer="U2")
    assert checked(permit, verdict, rules, proposer="U2") == ""
    assert "somebody else" in checked(permit, verdict, rules, proposer="U1")
    assert permitted(judged(UNDO, ASKED), ASKED, "U1", proposer="U1").approvers == ("U1",)


def test_the_policys_own_word_on_a_tier_holds_beside_a_verdict_that_says_less() -> None:
    rules = tiered(approvals=2, self_approval=False)
    lax = msgspec.structs.replace(judged(UNDO, rules), approvals_needed=1, self_approval=True)
    with pytest.raises(guardrails.NotPermitted, match="1 of 2"):
        permitted(lax, rules, "U1")
    with pytest.raises(guardrails.NotPermitted, match="somebody else"):
        permitted(lax, rules, "U1", "U2", proposer="U1")


def test_without_a_verdict_a_permit_must_be_enough_for_every_tier() -> None:
    verdict = judged(UP, ASKED)
    permit = permitted(verdict, ASKED, "U1")
    assert "1 of 2 approvals" in checked(permit, None, ASKED)
    assert checked(permitted(verdict, ASKED, "U1", "U2"), None, ASKED) == ""


pressers = st.lists(st.sampled_from((*books.USERS, "", "*", "policy")), max_size=4).map(tuple)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(ACTIONS), books.policies, pressers, books.members, st.sampled_from(("", "U1")), st.booleans())
def test_a_permit_for_a_tier_never_holds_with_fewer_distinct_valid_approvers_than_it_needs(
    action: model.Action,
    rules: policy.Policy,
    pressed: tuple[str, ...],
    members: policy.Members,
    proposer: str,
    forged: bool,
) -> None:
    verdict = judged(action, rules, members=members)
    permit = model.Permit(
        "p-1", verdict.digest, rules.hash, pressed, raw.NOW, raw.NOW + timedelta(minutes=5)
    )  # fmt: skip
    if not forged:
        try:
            reasons = dict.fromkeys(pressed, "because")
            permit = permitted(verdict, rules, *pressed, members=members, proposer=proposer, reasons=reasons)
        except guardrails.NotPermitted:
            return
    if checked(permit, verdict, rules, members=members, proposer=proposer):
        return
    asked, people = rules.tiers.of(verdict.tier), policy.people(rules, verdict.tier, members)
    valid = {user for user in permit.approvers if user and user not in ("*", "policy")}
    assert verdict.allowed
    assert len(valid) >= asked.approvals
    assert people is None or valid <= people
    assert asked.self_approval or proposer not in valid


# --- limits and GitOps


def test_a_cluster_has_a_limit_of_its_own_that_the_way_back_does_not_wait_for() -> None:
    rules = msgspec.structs.replace(ASKED, cluster_hourly_limit=3)
    web = model.RolloutRestart(raw.ref(name="web", uid="w"))
    past = (done(web, 9), done(web, 19), done(web, 29, "unknown"), done(web, 39, "failed"), done(web, 61))
    verdict = judged(RESTART, rules, history=guardrails.History(past))
    assert verdict.reasons == ("3 actions on this cluster within an hour are as many as the policy allows.",)
    assert judged(RESTART, rules, history=guardrails.History(past[1:])).allowed
    back = guardrails.History((*past, done(UNDO, 1, inverse=RESTART)))
    assert judged(RESTART, rules, history=back).allowed


ARGO = {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:payments/api"}}
FLUX = {"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}
HELM = {"annotations": {"meta.helm.sh/release-name": "api"}}


@pytest.mark.parametrize(
    ("metadata", "where"),
    [
        (ARGO, "Open a change instead: in the source of application shop."),
        (FLUX, "Open a change instead: in the source of Kustomization apps in namespace flux-system."),
        (HELM, "Open a change instead: in the values or the chart of release api."),
    ],
)
def test_what_gitops_owns_is_warned_of_advised_on_or_refused(metadata: dict[str, Any], where: str) -> None:
    target = replace(target_for(UP), object=raw.workload(metadata=metadata, ready=2))

    def under(stance: policy.Ownership) -> guardrails.Verdict:
        gitops = policy.Gitops(argocd=stance, flux=stance, helm=stance)
        return judged(UP, msgspec.structs.replace(ASKED, gitops=gitops), target)

    assert under("warn").allowed
    assert "put its own version back" in under("warn").warnings[0]
    refused, advised = under("refuse"), under("advise")
    assert not refused.allowed
    assert (refused.advice, refused.warnings) == ((), ())
    assert "the policy refuses" in refused.reasons[0]
    assert not advised.allowed
    assert advised.advice == (where,)
    assert where in advised.reasons[0]


def test_what_leaves_nothing_behind_is_no_matter_of_gitops_and_neither_is_the_way_back() -> None:
    rules = msgspec.structs.replace(ASKED, gitops=policy.Gitops(argocd="refuse"))
    target = replace(target_for(RESTART), object=raw.workload(metadata=ARGO, ready=2))
    assert judged(RESTART, rules, target).allowed
    back = guardrails.History((done(RESTART, 1, inverse=UP),))
    assert not judged(UP, rules, target).allowed
    verdict = judged(UP, rules, target, history=back)
    assert verdict.allowed
    assert any("Argo CD" in warning for warning in verdict.warnings)
