"""THE policy: whether an action may be done to its target now, who must agree, and the permit to do exactly that, once.

Pure. Called by the stages of `bot` that propose, ask and execute, and asked again by `k8s.executor` right before the
write: a verdict of an hour ago permits nothing. Everything here fails closed, and a denial wins over all else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from k8s import commands as listed
from k8s import identities as naming
from k8s import model, policy_rules, policy_tiers, scopes, standing
from k8s import policy as policies

Mode = Literal["observe", "approve", "autonomous"]
Policy = policies.Policy
Members = policies.Members
NO_MEMBERS = policies.NO_MEMBERS
Identities = naming.Identities
NO_IDENTITIES = naming.OFF

ANYONE = policies.ANYONE
BY_POLICY = "policy"
"""The approver of a permit that the policy alone gave, in autonomous mode. Nobody's user id."""

_NOTHING_WRITTEN = frozenset(("stale", "already-fixed", "refused", "failed"))
_NO_REASONS: Mapping[str, str] = {}
_NUMBERS = {2: "Two", 3: "Three", 4: "Four", 5: "Five"}


CLOCKS_APART = timedelta(minutes=1)
"""So far the clocks of two replicas may differ. More is a clock that jumped, by which nothing can be called in time."""


class PastExecution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of the record, on this cluster."""

    action_name: str
    workload: model.ResourceRef
    at: datetime
    status: str
    """An Outcome's status, or what became of it later (`verified`, `undone` …)."""
    inverse: model.Action | None = None
    """What takes it back. That very action is allowed at once, and to a revision that is not proven."""


class History(msgspec.Struct, frozen=True):
    """What was done lately: the last hour, or the cooldown where that is longer, and each workload's last execution."""

    executions: tuple[PastExecution, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy says of one plan. Sentences are for people; text from the cluster in them is not redacted yet."""

    allowed: bool
    reasons: tuple[str, ...]
    """Why not; empty where it is allowed."""
    warnings: tuple[str, ...]
    """What a person should know before pressing."""
    tier: model.RiskTier
    approvals_needed: int
    """Different people who must approve; 0 only in autonomous mode, for low-risk and reversible actions."""
    approvers: tuple[str, ...]
    """Who may approve: user ids, user groups (`S…`), channels (`C…`: their members), or `*`."""
    digest: str
    """Of exactly the plan that was judged, under the policy that judged it: a permit is given for no other."""
    tier_reasons: tuple[str, ...] = ()
    """Why it is of this tier."""
    reason_required: bool = False
    """Whether each approver has to say why."""
    self_approval: bool = True
    """Whether who asked for it, or changed it, may approve it."""
    rule: str = ""
    """What decided whether it may be done at all: `allow rule restarts (policy.yaml:12)`, or the default."""
    advice: tuple[str, ...] = ()
    """Where to change it instead, where the policy says so."""


class NotPermitted(Exception):
    """No permit, and why: one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def digest_of(plan: model.Plan, policy: Policy) -> str:
    """What a person approves: see `model.digest`."""
    return model.digest(plan.operations, plan.pins, policy.hash)


def judge(
    action: model.Action,
    plan: model.Plan,
    target: model.Target,
    *,
    subject: model.ResourceRef,
    policy: Policy,
    history: History,
    mode: Mode,
    now: datetime,
    cluster: str = "",
    members: Members = NO_MEMBERS,
) -> Verdict:
    """The verdict on a plan against its freshly read target. `subject` is the incident's own workload (or node).

    Without its name the cluster may be any: denials and freezes of clusters then hold, and allowances do not. User
    groups and channels that `members` does not have are empty.
    """
    what = policy_rules.deed(action, plan.operations, target, cluster)
    back = _takes_back(action, history)
    production = policy_rules.in_production(policy, cluster, what.namespaces)
    weight = listed.raised(policy, action, policy_tiers.weighed(action, plan, target, production=production))
    ruling = policy_rules.ruling(policy, what)
    owned = standing.ownership(action, target, policy.gitops, taking_back=back)
    needed = _approvals_needed(weight.tier, plan, policy, mode)
    reasons = [
        *_switched_off(policy, mode),
        *([] if plan.action == action else ["The plan was made for another action."]),
        *scopes.faults(action, plan.operations, target, subject),
        *ruling.denials,
        *policy_rules.relabelled(policy, action, plan.operations),
        *listed.refusals(policy, action, cluster),
        *_protection(target, what, policy),
        *standing.protected_steps(action, target),
        *standing.deletion(action, target),
        *policy_rules.frozen(policy, what, weight.tier, now, back=back),
        *owned.refusals,
        *_replica_bounds(action, target, policy),
        *([] if back else standing.proof(action, target)),
        *_pace(action, policy, history, now, taking_back=back),
        *_nobody_to_ask(needed, weight.tier, policy, members),
    ]
    tier = policy.tiers.of(weight.tier)
    return Verdict(
        allowed=not reasons,
        reasons=tuple(reasons),
        warnings=(*listed.told(policy, action), *owned.warnings, *standing.warnings(action, target, taking_back=back)),
        tier=weight.tier,
        approvals_needed=needed,
        approvers=policies.named(policy, weight.tier),
        digest=digest_of(plan, policy),
        tier_reasons=weight.reasons,
        reason_required=tier.reason_required,
        self_approval=tier.self_approval,
        rule=ruling.by,
        advice=owned.advice,
    )


def _protection(target: model.Target, what: policy_rules.Deed, policy: Policy) -> list[str]:
    found = [
        reason
        for namespace in sorted(what.namespaces)
        for reason in standing.protection(target, namespace, policy.protected_namespaces)
    ]
    return list(dict.fromkeys(found))


def _switched_off(policy: Policy, mode: Mode) -> list[str]:
    found = []
    if policy.read_only:
        found.append("Read-only: nothing is changed in any cluster from here.")
    if mode == "observe":
        found.append("This watch only observes.")
    return found


def _approvals_needed(tier: model.RiskTier, plan: model.Plan, policy: Policy, mode: Mode) -> int:
    if mode == "autonomous" and plan.inverse is not None and not plan.irreversible and alone(tier, policy):
        return 0
    return max(1, policy.tiers.of(tier).approvals)


def alone(tier: model.RiskTier, policy: Policy) -> bool:
    """Whether the policy may ever permit something of this tier by itself. Off unless the policy switches it on."""
    asked = policy.tiers.of(tier)
    return policy.autonomous.enabled and tier == "low" and asked.approvals < 2 and not asked.reason_required


def _nobody_to_ask(needed: int, tier: model.RiskTier, policy: Policy, members: Members) -> list[str]:
    people = policies.people(policy, tier, members)
    if not needed or people is None:
        return []
    unknown = policies.unknown_places(policy, tier, members)
    beside = f" Who is in {', '.join(unknown)} is not known here." if unknown else ""
    if not people:
        nobody = "the policy names no approvers" if not unknown else f"nobody is known to be an approver of {tier} risk"
        return [f"Nobody may approve: {nobody}.{beside}"]
    if len(people) < needed:
        count = "one" if len(people) == 1 else str(len(people))
        return [f"{_NUMBERS.get(needed, str(needed))} people must approve this, and the policy names {count}.{beside}"]
    return []


def _replica_bounds(action: model.Action, target: model.Target, policy: Policy) -> list[str]:
    if isinstance(action, model.SetAutoscaler) and action.most > policy.max_replicas:
        return [f"{action.most} replicas are more than the {policy.max_replicas} that the policy allows."]
    if not isinstance(action, model.Scale):
        return []
    found = standing.scaling(action, target)
    current = standing.replicas(action, target)
    if action.replicas > policy.max_replicas:
        found.append(f"{action.replicas} replicas are more than the {policy.max_replicas} that the policy allows.")
    more, fewer = current * policy.max_scale_factor, current / max(policy.max_scale_factor, 1.0)
    if current > 0 and not fewer <= action.replicas <= more:
        found.append(f"From {current} to {action.replicas} replicas is more than one step may change.")
    return found


# --- what was done before -------------------------------------------------------------------------------------------


def _on_workload(action: model.Action, history: History) -> list[PastExecution]:
    """Executions on the workload that may have changed it, newest first."""
    here = [
        past
        for past in history.executions
        if past.status not in _NOTHING_WRITTEN and past.workload.same(action.workload)
    ]
    return sorted(here, key=lambda past: past.at, reverse=True)


def _takes_back(action: model.Action, history: History) -> bool:
    """Whether this is the inverse of the last execution on the workload."""
    here = _on_workload(action, history)
    return bool(here) and here[0].inverse is not None and here[0].inverse == action


def _pace(action: model.Action, policy: Policy, history: History, now: datetime, *, taking_back: bool) -> list[str]:
    """A time in the future (a replica's clock runs ahead) counts as just now."""
    here = _on_workload(action, history)
    found = []
    last = next((past.at for past in here if past.action_name == model.name_of(action)), None)
    if last is not None and now - last < policy.cooldown and not taking_back:
        left = max(1, round((policy.cooldown - max(timedelta(0), now - last)).total_seconds()))
        found.append(f"The same was done to {action.workload.short} a moment ago: wait {left} s more.")
    recent = sum(now - past.at < timedelta(hours=1) for past in here)
    if recent >= policy.hourly_limit and not taking_back:
        found.append(f"{recent} actions on {action.workload.short} within an hour did not settle it.")
    everywhere = sum(
        past.status not in _NOTHING_WRITTEN and now - past.at < timedelta(hours=1) for past in history.executions
    )
    if everywhere >= policy.cluster_hourly_limit and not taking_back:
        found.append(f"{everywhere} actions on this cluster within an hour are as many as the policy allows.")
    return found


# --- permits --------------------------------------------------------------------------------------------------------


def may_approve(
    user: str,
    policy: Policy,
    *,
    tier: model.RiskTier | None = None,
    members: Members = NO_MEMBERS,
) -> bool:
    """Whether this user's press counts for an action of this tier; without one: of any tier at all."""
    if not user or user in (ANYONE, BY_POLICY):
        return False
    tiers = policies.TIERS if tier is None else (tier,)
    known = [policies.people(policy, each, members) for each in tiers]
    return any(people is None or user in people for people in known)


def permit(
    *,
    proposal: str,
    digest: str,
    verdict: Verdict,
    policy: Policy,
    approvers: Sequence[str],
    now: datetime,
    expires_at: datetime,
    members: Members = NO_MEMBERS,
    proposer: str = "",
    reasons: Mapping[str, str] = _NO_REASONS,
    identities: Identities = NO_IDENTITIES,
) -> model.Permit:
    """Leave to do what `digest` covers. `approvers` are the users who pressed Approve, in their order; raises
    NotPermitted. It is written as the last of them, where `identities` knows that one.

    `proposer` is the person who asked for the action or changed it, empty where that was Watchkeeper itself. `reasons`
    are what each approver gave as theirs. The policy's own word on the tier holds beside the verdict's: the stricter.
    """
    if not verdict.allowed or verdict.reasons:
        raise NotPermitted(" ".join(verdict.reasons) or "The policy denies it.")
    if policy.read_only:
        raise NotPermitted("Read-only: nothing is changed in any cluster from here.")
    if not proposal or not digest or digest != verdict.digest:
        raise NotPermitted("What was approved is not what was judged.")
    if expires_at <= now:
        raise NotPermitted("The proposal has expired.")
    people = tuple(dict.fromkeys(approvers))
    if fault := _approval_fault(people, policy, verdict, members, proposer):
        raise NotPermitted(fault)
    if fault := _reason_fault(people, policy, verdict, reasons):
        raise NotPermitted(fault)
    if people and identities.lacks(people[-1]):
        raise NotPermitted(naming.lacking(people[-1]))
    return model.Permit(
        proposal=proposal,
        digest=digest,
        policy=policy.hash,
        approvers=people or (BY_POLICY,),
        granted_at=now,
        expires_at=expires_at,
        reasons=tuple(reasons.get(user, "").strip() for user in people) if any(reasons.values()) else (),
        identity=identities.of(people[-1]) if people else None,
    )


def _approval_fault(
    people: Sequence[str], policy: Policy, verdict: Verdict | None, members: Members, proposer: str
) -> str:
    """Why these people's approval is not enough. Without a verdict the tier is not known: then all tiers must agree."""
    tiers = policies.TIERS if verdict is None else (verdict.tier,)
    for user in people:
        if not all(may_approve(user, policy, tier=tier, members=members) for tier in tiers):
            return f"{user or 'Someone unnamed'} may not approve this."
    others = verdict is not None and not verdict.self_approval
    if proposer and proposer in people and (others or not all(policy.tiers.of(tier).self_approval for tier in tiers)):
        return f"{proposer} asked for this, and somebody else must approve it."
    needed = max(policy.tiers.of(tier).approvals for tier in tiers)
    if verdict is not None:
        by_itself = verdict.approvals_needed == 0 and alone(verdict.tier, policy)
        needed = 0 if by_itself else max(1, needed, verdict.approvals_needed)
    counted = len(set(people))
    return f"{counted} of {needed} approvals." if counted < needed else ""


def _identity_fault(permit: model.Permit, identities: Identities) -> str:
    """In whose name it is written is decided here and now, of who approved it; the record of it must say the same."""
    last = permit.approvers[-1] if permit.approvers else ""
    if last in ("", BY_POLICY):
        return "" if permit.identity is None else "What the policy permits is written in nobody else's name."
    if identities.lacks(last):
        return naming.lacking(last)
    same = permit.identity == identities.of(last)
    return "" if same else f"Who {last} is in the cluster has changed since it was approved."


def _reason_fault(people: Sequence[str], policy: Policy, verdict: Verdict, reasons: Mapping[str, str]) -> str:
    if not (verdict.reason_required or policy.tiers.of(verdict.tier).reason_required):
        return ""
    silent = any(not reasons.get(user, "").strip() for user in people)
    return f"A reason is required for an action of {verdict.tier} risk." if silent or not people else ""


def check_permit(
    permit: model.Permit,
    *,
    proposal: str,
    digest: str,
    policy: Policy,
    now: datetime,
    verdict: Verdict | None = None,
    members: Members = NO_MEMBERS,
    proposer: str = "",
    identities: Identities = NO_IDENTITIES,
) -> str:
    """Why this permit does not cover what is about to be done, as a sentence; "" where it does.

    `verdict` is the one of this very moment. A permit that the policy alone gave holds only beside a verdict that still
    needs nobody's approval, so without one it is refused; any other must then be enough for every tier.
    """
    if permit.proposal != proposal:
        return "The permit is for another proposal."
    if permit.digest != digest or not digest:
        return "The permit is for something else than what would be done now."
    if permit.policy != policy.hash:
        return "The policy has changed since the permit was given."
    if now >= permit.expires_at:
        return "The permit has expired."
    if permit.granted_at > now + CLOCKS_APART:
        return "The permit is from a time to come: a clock was put back, or those of two replicas differ."
    if policy.read_only:
        return "Read-only: nothing is changed in any cluster from here."
    if verdict is not None and (not verdict.allowed or verdict.digest != permit.digest):
        return "The policy no longer allows it."
    if fault := _identity_fault(permit, identities):
        return fault
    if permit.approvers == (BY_POLICY,):
        by_itself = verdict is not None and verdict.approvals_needed == 0 and alone(verdict.tier, policy)
        return "" if by_itself else "The policy alone may no longer permit this."
    if not permit.approvers:
        return "Nobody has approved it."
    if fault := _approval_fault(permit.approvers, policy, verdict, members, proposer):
        return fault
    given = dict(zip(permit.approvers, permit.reasons, strict=False))
    return "" if verdict is None else _reason_fault(permit.approvers, policy, verdict, given)
