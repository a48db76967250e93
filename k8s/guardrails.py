"""THE policy: whether an action may be done to its target now, who must agree, and the permit to do exactly that, once.

Pure. Called by the stages of `bot` that propose, ask and execute, and asked again by `k8s.executor` right before the
write: a verdict of an hour ago permits nothing. Everything here fails closed, and a denial wins over all else.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from k8s import model, scopes, standing

Mode = Literal["observe", "approve", "autonomous"]

ANYONE = "*"
"""As an approver: whoever can press the button. An explicit choice, never the default."""
BY_POLICY = "policy"
"""The approver of a permit that the policy alone gave, in autonomous mode. Nobody's user id."""

_NOTHING_WRITTEN = frozenset(("stale", "already-fixed", "refused", "failed"))


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be done, and by whom. Its hash is part of every digest: a changed policy voids what it had allowed."""

    read_only: bool = False
    approvers: tuple[str, ...] = ()
    """User ids that may approve. Empty: nobody may. `*`: anyone may."""
    protected_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease")
    """Shell-style globs; nothing is done in these."""
    cooldown: timedelta = timedelta(minutes=5)
    """Least time between two equal actions on one workload: a rollout needs it to show what it did."""
    hourly_limit: int = 6
    """Most actions on one workload in an hour: when so many did not help, the next one will not."""
    max_replicas: int = 50
    max_scale_factor: float = 4.0
    """At most so many times more, or fewer, replicas in one step."""
    second_approval_tiers: tuple[model.RiskTier, ...] = ()
    """Risk tiers that two different people must approve."""

    @property
    def hash(self) -> str:
        """SHA-256 in hex over the canonical policy; the order of names plays no part. Shown by its first 16."""
        tree = msgspec.to_builtins(self)
        for field in ("approvers", "protected_namespaces", "second_approval_tiers"):
            tree[field] = sorted(set(tree[field]))
        return hashlib.sha256(msgspec.json.encode(tree, order="sorted")).hexdigest()


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
    """Who may approve."""
    digest: str
    """Of exactly the plan that was judged, under the policy that judged it: a permit is given for no other."""


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
) -> Verdict:
    """The verdict on a plan against its freshly read target. `subject` is the incident's own workload (or node)."""
    back = _takes_back(action, history)
    needed = _approvals_needed(plan, policy, mode)
    reasons = [
        *_switched_off(policy, mode),
        *([] if plan.action == action else ["The plan was made for another action."]),
        *scopes.faults(action, plan.operations, target, subject),
        *standing.protection(target, action.workload.namespace, policy.protected_namespaces),
        *standing.deletion(target),
        *_replica_bounds(action, target, policy),
        *([] if back else standing.proof(action, target)),
        *_pace(action, policy, history, now, taking_back=back),
        *_nobody_to_ask(needed, policy),
    ]
    return Verdict(
        allowed=not reasons,
        reasons=tuple(reasons),
        warnings=tuple(standing.warnings(action, target, taking_back=back)),
        tier=plan.risk,
        approvals_needed=needed,
        approvers=policy.approvers,
        digest=digest_of(plan, policy),
    )


def _switched_off(policy: Policy, mode: Mode) -> list[str]:
    found = []
    if policy.read_only:
        found.append("Read-only: nothing is changed in any cluster from here.")
    if mode == "observe":
        found.append("This watch only observes.")
    return found


def _approvals_needed(plan: model.Plan, policy: Policy, mode: Mode) -> int:
    if plan.risk in policy.second_approval_tiers:
        return 2
    return 0 if mode == "autonomous" and plan.risk == "low" and plan.inverse is not None else 1


def _nobody_to_ask(needed: int, policy: Policy) -> list[str]:
    people = {user for user in policy.approvers if user}
    if needed and not people:
        return ["Nobody may approve: the policy names no approvers."]
    if ANYONE not in people and len(people) < needed:
        return ["Two people must approve this, and the policy names one."]
    return []


def _replica_bounds(action: model.Action, target: model.Target, policy: Policy) -> list[str]:
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
    return found


# --- permits --------------------------------------------------------------------------------------------------------


def may_approve(user: str, policy: Policy) -> bool:
    """Whether this user's press counts."""
    if not user or user in (ANYONE, BY_POLICY):
        return False
    return user in policy.approvers or ANYONE in policy.approvers


def permit(
    *,
    proposal: str,
    digest: str,
    verdict: Verdict,
    policy: Policy,
    approvers: Sequence[str],
    now: datetime,
    expires_at: datetime,
) -> model.Permit:
    """Leave to do what `digest` covers. `approvers` are the users who pressed Approve; raises NotPermitted."""
    if not verdict.allowed or verdict.reasons:
        raise NotPermitted(" ".join(verdict.reasons) or "The policy denies it.")
    if policy.read_only:
        raise NotPermitted("Read-only: nothing is changed in any cluster from here.")
    if not proposal or not digest or digest != verdict.digest:
        raise NotPermitted("What was approved is not what was judged.")
    if expires_at <= now:
        raise NotPermitted("The proposal has expired.")
    people = tuple(dict.fromkeys(approvers))
    if fault := _approval_fault(people, verdict, policy):
        raise NotPermitted(fault)
    return model.Permit(
        proposal=proposal,
        digest=digest,
        policy=policy.hash,
        approvers=people or (BY_POLICY,),
        granted_at=now,
        expires_at=expires_at,
    )


def _approval_fault(people: Sequence[str], verdict: Verdict, policy: Policy) -> str:
    for user in people:
        if not may_approve(user, policy):
            return f"{user or 'Someone unnamed'} may not approve this."
    if len(people) < verdict.approvals_needed:
        return f"{len(people)} of {verdict.approvals_needed} approvals."
    return ""


def check_permit(
    permit: model.Permit,
    *,
    proposal: str,
    digest: str,
    policy: Policy,
    now: datetime,
    verdict: Verdict | None = None,
) -> str:
    """Why this permit does not cover what is about to be done, as a sentence; "" where it does.

    `verdict` is the one of this very moment. A permit that the policy alone gave holds only beside a verdict that still
    needs nobody's approval, so without one it is refused.
    """
    if permit.proposal != proposal:
        return "The permit is for another proposal."
    if permit.digest != digest or not digest:
        return "The permit is for something else than what would be done now."
    if permit.policy != policy.hash:
        return "The policy has changed since the permit was given."
    if now >= permit.expires_at:
        return "The permit has expired."
    if policy.read_only:
        return "Read-only: nothing is changed in any cluster from here."
    return _permit_fault(permit, policy, verdict)


def _permit_fault(permit: model.Permit, policy: Policy, verdict: Verdict | None) -> str:
    if verdict is not None and (not verdict.allowed or verdict.digest != permit.digest):
        return "The policy no longer allows it."
    if permit.approvers == (BY_POLICY,):
        alone = verdict is not None and verdict.approvals_needed == 0
        return "" if alone else "The policy alone may no longer permit this."
    if not permit.approvers:
        return "Nobody has approved it."
    needed = 1 if verdict is None else verdict.approvals_needed
    people = set(permit.approvers)
    if len(people) < needed:
        return f"{len(people)} of {needed} approvals."
    stranger = next((user for user in permit.approvers if not may_approve(user, policy)), None)
    return "" if stranger is None else f"{stranger or 'Someone unnamed'} may not approve this."
