"""What is judged right before a write: whether what was approved is still what would be written, and is still allowed.

Pure. Called by `k8s.executor` alone, with the target as it was read a moment ago. Its answer is what may be written, or
the end of the execution, told in sentences.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from k8s import catalogue, guardrails, model, redact, workloads

Status = Literal["succeeded", "stale", "already-fixed", "refused", "failed", "stopped", "unknown"]

_SHOWN_PIN = 20
"""Longer pinned values are hashes, uids or the like: that they changed says enough."""
_SHOWN_CHANGES = 4
"""Of a template that somebody changed: the rest is counted."""
_PINS = {
    "replicas": "number of replicas",
    "template": "pod template",
    "target template": "template to go back to",
    "resources": "set of requests and limits",
}
"""How a pin is called where its own name is no plain word."""


@dataclass(frozen=True, slots=True)
class Order:
    """All that one execution was asked with."""

    action: model.Action
    permit: model.Permit
    proposal: str
    subject: model.ResourceRef
    policy: guardrails.Policy
    history: guardrails.History
    mode: guardrails.Mode
    planned_at: datetime
    pins: Mapping[str, str]
    operations: Sequence[model.Operation]
    cluster: str
    members: guardrails.Members
    proposer: str
    identities: guardrails.Identities


def decide(
    order: Order, target: model.Target, now: Callable[[], datetime]
) -> Sequence[model.Operation] | model.Outcome:
    """What is to be written (one operation, or the steps of a remedy that has some), or why nothing is."""
    action = order.action
    if order.operations and catalogue.applied(action, order.operations, target):
        return outcome("already-fixed", "The change is there already.")
    if faults := catalogue.problems(action, target):
        if _applied_as_planned(order, target):
            return outcome("already-fixed", "The change is there already.")
        return outcome("stale", " ".join(faults), moved=faults)
    plan = catalogue.plan(action, target, order.planned_at)
    if moved := _moved(order.pins, plan.pins, target):
        return outcome("stale", " ".join(moved), moved=moved)
    verdict = guardrails.judge(
        action,
        plan,
        target,
        subject=order.subject,
        policy=order.policy,
        history=order.history,
        mode=order.mode,
        now=now(),
        cluster=order.cluster,
        members=order.members,
    )
    if not verdict.allowed:
        return outcome("refused", " ".join(verdict.reasons))
    if model.digest(plan.operations, plan.pins, order.permit.policy) != order.permit.digest:
        moved = ("What would be written now is not what was approved.",)
        return outcome("stale", moved[0], moved=moved)
    digest = guardrails.digest_of(plan, order.policy)
    if order.permit.policy != order.policy.hash:
        return outcome("refused", "The policy has changed since the permit was given.")
    fault = guardrails.check_permit(
        order.permit,
        proposal=order.proposal,
        digest=digest,
        policy=order.policy,
        now=now(),
        verdict=verdict,
        members=order.members,
        proposer=order.proposer,
        identities=order.identities,
    )
    if fault:
        return outcome("refused", fault)
    if len(plan.operations) != 1 and not catalogue.remedy_for(action).steps:  # a half-done execution would have no name
        return outcome("refused", f"It takes {len(plan.operations)} writes, and only one is done at a time.")
    return plan.operations


def _applied_as_planned(order: Order, target: model.Target) -> bool:
    """Whether the target shows what would be written: asked where the action is not possible (any more)."""
    if target.object is None or (uid := order.pins.get("uid")) is None or uid != target.ref.uid:
        return False
    try:
        operations = catalogue.plan(order.action, target, order.planned_at).operations
    except LookupError:
        return False
    return catalogue.applied(order.action, operations, target)


def _moved(before: Mapping[str, str], now: Mapping[str, str], target: model.Target) -> tuple[str, ...]:
    return tuple(
        _sentence(pin, before.get(pin, ""), now.get(pin, ""), target)
        for pin in sorted(before.keys() | now.keys())
        if before.get(pin) != now.get(pin)
    )


def _sentence(pin: str, old: str, new: str, target: model.Target) -> str:
    if pin == "uid":
        return "The object was deleted and created anew."
    name = _PINS.get(pin, pin)
    if pin == "template" and (changes := _template_changes(old, target)):
        more = f"; and {len(changes) - _SHOWN_CHANGES} more" if len(changes) > _SHOWN_CHANGES else ""
        return f"The {name} has changed: {'; '.join(changes[:_SHOWN_CHANGES])}{more}."
    if max(len(old), len(new)) > _SHOWN_PIN:
        return f"The {name} has changed."
    return f"The {name} was {old or 'not set'} and is {new or 'not set'} now."


def _template_changes(old: str, target: model.Target) -> Sequence[str]:
    """What of the template is other than in the revision that had this hash; nothing where that one is not kept."""
    known = (each.template for each in workloads.revisions(target) if workloads.template_hash(each.template) == old)
    before = next(known, None)
    return () if before is None else workloads.template_diff(before, workloads.template(target.object or {}))


def outcome(
    status: Status,
    detail: str,
    image: model.Json | None = None,
    moved: Sequence[str] = (),
    *,
    written: bool | None = None,
) -> model.Outcome:
    """Redacted: an outcome goes into the record and to Slack."""
    return model.Outcome(
        status=status,
        detail=redact.redact(detail),
        pre_image=masked(image),
        moved=tuple(redact.redact(each) for each in moved),
        written=written,
    )


def masked(image: model.Json | None) -> Any:
    return None if image is None else redact.redact_json({**image, "metadata": _without_managed(image)})


def _without_managed(image: model.Json) -> model.Json:
    return {key: value for key, value in (image.get("metadata") or {}).items() if key != "managedFields"}
