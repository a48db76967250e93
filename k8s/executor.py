"""The one hand on the cluster: carries a permitted action out, exactly once, or says why it did not.

`bot.main` alone makes an Executor and hands it to the pipeline. Nothing is taken on trust from the moment of the press:
right before the write the target is read anew, the action planned anew, the policy asked anew, and the permit's digest
compared with what would be written now. Then the server tries it (dry run), and only then is it written, bound to the
uid and the version that all of this rested on. Different ends have different names: see `model.Outcome`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from k8s import catalogue, differences, guardrails, model, redact, workloads
from k8s.client import connection, errors, rights, writer

Status = Literal["succeeded", "stale", "already-fixed", "refused", "failed", "unknown"]

ATTEMPTS = 3
"""A workload that is crash-looping changes its status, and with it its version, every few seconds: a conflict is then
no sign of a change that matters. Everything is read and asked anew, this many times in all."""

_SHOWN_PIN = 20
"""Longer pinned values are hashes, uids or the like: that they changed says enough."""
_SHOWN_CHANGES = 4
"""Of a template that somebody changed: the rest is counted."""
_PINS = {"replicas": "number of replicas", "template": "pod template", "target template": "template to go back to"}
"""How a pin is called where its own name is no plain word."""


class Reader(Protocol):
    """What the executor needs of `k8s.client.reader.Reader`."""

    async def read_target(self, action: model.Action) -> model.Target: ...

    async def get(self, ref: model.ResourceRef) -> model.Json: ...

    async def can_i(self, verb: str, resource: str, namespace: str = "", *, group: str | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class DryRun:
    """What the API server said to the operations without storing them."""

    accepted: bool
    message: str
    """Why not, in the server's (or an admission webhook's) own words; empty where accepted."""
    diff: tuple[str, ...] = ()
    """`- path: old` and `+ path: new` lines, redacted."""


@dataclass(frozen=True, slots=True)
class _Order:
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


async def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Gate:
    """The last question before a write."""

    permit: model.Permit
    now: Callable[[], datetime]
    fence: Callable[[], Awaitable[bool]]

    async def shut(self) -> str:
        """Why it must not be written any more, as a sentence; empty where it may."""
        if not await self.fence():
            return "This execution was taken over while it waited."
        if self.permit.expires_at <= self.now():
            return "The permit has expired."
        return ""


class Executor:
    """Executes on one cluster."""

    def __init__(self, reader: Reader, writer: writer.Writer) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    def over(cls, reader: Reader, writing: connection.Connection) -> "Executor":
        """An executor that writes through this connection. The writer itself stays in here: nobody else holds one."""
        return cls(reader, writer.Writer(writing))

    async def lacking(self, plan: model.Plan) -> str:
        """Which rights the writing identity lacks for this plan, as one sentence; empty where it has them all.

        Asked by that very identity, before anybody is asked to approve what would be forbidden. Raises ClusterError
        where the review itself fails: then nothing is known, and nothing may be offered.
        """
        needed = rights.needed(plan.action, plan.operations)
        held = await asyncio.gather(
            *(self._reader.can_i(one.verb, one.resource, one.namespace, group=one.group) for one in needed)
        )
        lacking = [one for one, has in zip(needed, held, strict=True) if not has]
        return rights.missing(lacking) if lacking else ""

    async def dry_run(self, plan: model.Plan) -> DryRun:
        """Asks the server what these operations would do: through admission and validation, nothing stored.

        A refusal is an answer (`accepted` False); Unreachable, Unauthorized, Throttled and ServerFault are raised.
        """
        found: list[str] = []
        for op in plan.operations:
            try:
                before = await self._reader.get(op.target)
                after = await self._writer.apply(op, resource_version=None, dry_run=True)
            except (errors.Rejected, errors.Forbidden, errors.NotFound, errors.Conflict) as error:
                return DryRun(False, redact.redact(error.message), tuple(found))
            found += _changes(op, before, after)
        return DryRun(True, "", tuple(found))

    async def execute(
        self,
        action: model.Action,
        permit: model.Permit,
        *,
        proposal: str,
        subject: model.ResourceRef,
        policy: guardrails.Policy,
        history: guardrails.History,
        mode: guardrails.Mode,
        now: Callable[[], datetime],
        planned_at: datetime,
        pins: Mapping[str, str],
        operations: Sequence[model.Operation] = (),
        fence: Callable[[], Awaitable[bool]] = _always,
        cluster: str = "",
        members: guardrails.Members = guardrails.NO_MEMBERS,
        proposer: str = "",
    ) -> model.Outcome:
        """Does what the permit covers, or nothing.

        `cluster` is its name as rules of the policy know it, `members` who is in which user group and channel, and
        `proposer` the person who asked for this or changed it: as the policy asks for them (`guardrails.judge`).

        `fence` is asked right before every write: whether this execution is still the caller's to do. A process that
        was frozen meanwhile, and whose work another one took over, must not write when it wakes.

        `planned_at` and `pins` are those of the proposal: the same moment makes the same operations, and the pins tell
        what moved since. `operations`, the proposal's own, let an effect that is there already be recognised even where
        the plan can no longer be made. Never raises a ClusterError; a cancellation while writing goes through, and the
        caller's record is then settled by `look`.
        """
        order = _Order(
            action=action,
            permit=permit,
            proposal=proposal,
            subject=subject,
            policy=policy,
            history=history,
            mode=mode,
            planned_at=planned_at,
            pins=pins,
            operations=operations,
            cluster=cluster,
            members=members,
            proposer=proposer,
        )
        for _ in range(ATTEMPTS):
            try:
                target = await self._reader.read_target(action)
            except errors.ClusterError as error:
                return _not_done(error)
            decided = _decide(order, target, now)
            if isinstance(decided, model.Outcome):
                return decided
            outcome = await self._write(decided, target, _Gate(order.permit, now, fence))
            if outcome is not None:
                return outcome
        return _outcome("failed", f"{subject.kind} {subject.short} kept changing while it was tried.")

    async def look(self, action: model.Action, operations: Sequence[model.Operation]) -> bool | None:
        """Whether the change of these operations is there: settles an execution whose end is unknown.

        None where the target is gone or is another object of the same name; a pod that was to be deleted and is gone is
        True. Raises ClusterError.
        """
        target = await self._reader.read_target(action)
        if catalogue.applied(action, operations, target):
            return True
        known = {op.target.uid for op in operations}
        return None if target.object is None or target.ref.uid not in known else False

    async def _write(self, op: model.Operation, target: model.Target, gate: "_Gate") -> model.Outcome | None:
        """Dry run, then the write. None after a conflict: all is to be asked anew."""
        image = target.object or {}
        version = str((image.get("metadata") or {}).get("resourceVersion") or "") or None
        for dry_run in (True, False):
            if not dry_run and (shut := await gate.shut()):
                return _outcome("refused", shut)
            try:
                await self._writer.apply(op, resource_version=version, dry_run=dry_run)
            except (errors.Conflict, errors.NotFound):
                return None
            except errors.Rejected as error:
                # A JSON patch whose uid does not fit is answered like a broken one.
                return None if await self._replaced(op.target) else _not_done(error)
            except errors.ClusterError as error:
                if dry_run or not _may_be_there(error):
                    return _not_done(error)
                detail = f"The change was sent and its answer never came: {error.message}. It may or may not be there."
                return _outcome("unknown", detail, image)
        return _outcome("succeeded", "The API server took the change.", image)

    async def _replaced(self, ref: model.ResourceRef) -> bool:
        """Whether the object is gone or another one has its name. False where that cannot be asked."""
        try:
            found = await self._reader.get(ref)
        except errors.NotFound:
            return True
        except errors.ClusterError:
            return False
        return bool((found.get("metadata") or {}).get("uid") != ref.uid)


def _may_be_there(error: errors.ClusterError) -> bool:
    """Whether a write that ended so may have been carried out."""
    if isinstance(error, errors.Unreachable):
        return error.sent
    return isinstance(error, errors.ServerFault | errors.Malformed)


def _decide(order: _Order, target: model.Target, now: Callable[[], datetime]) -> model.Operation | model.Outcome:
    """The one operation to write, or why nothing is written."""
    action = order.action
    if order.operations and catalogue.applied(action, order.operations, target):
        return _outcome("already-fixed", "The change is there already.")
    if faults := catalogue.problems(action, target):
        if _applied_as_planned(order, target):
            return _outcome("already-fixed", "The change is there already.")
        return _outcome("stale", " ".join(faults), moved=faults)
    plan = catalogue.plan(action, target, order.planned_at)
    if moved := _moved(order.pins, plan.pins, target):
        return _outcome("stale", " ".join(moved), moved=moved)
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
        return _outcome("refused", " ".join(verdict.reasons))
    if model.digest(plan.operations, plan.pins, order.permit.policy) != order.permit.digest:
        moved = ("What would be written now is not what was approved.",)
        return _outcome("stale", moved[0], moved=moved)
    digest = guardrails.digest_of(plan, order.policy)
    if order.permit.policy != order.policy.hash:
        return _outcome("refused", "The policy has changed since the permit was given.")
    fault = guardrails.check_permit(
        order.permit,
        proposal=order.proposal,
        digest=digest,
        policy=order.policy,
        now=now(),
        verdict=verdict,
        members=order.members,
        proposer=order.proposer,
    )
    if fault:
        return _outcome("refused", fault)
    if len(plan.operations) != 1:  # a half-done execution would have no name
        return _outcome("refused", f"It takes {len(plan.operations)} writes, and only one is done at a time.")
    return plan.operations[0]


def _applied_as_planned(order: _Order, target: model.Target) -> bool:
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


def _not_done(error: errors.ClusterError) -> model.Outcome:
    """The server's own no is a refusal, told in plain words or in its own; all else is a failure."""
    match error:
        case errors.Forbidden():
            right = rights.refused(error.message)
            told = f"The API server forbids it: {error.message}" if right is None else rights.missing([right])
            return _outcome("refused", told)
        case errors.Rejected():
            return _outcome("refused", f"The API server refuses it: {error.message}")
        case _:
            return _outcome("failed", f"Could not {error}")


def _changes(op: model.Operation, before: model.Json, after: model.Json) -> Sequence[str]:
    match op.verb:
        case "delete" | "force-delete" | "evict":
            return [f"- {op.target.kind} {op.target.short}"]
        case "create":
            return [f"+ {after.get('kind')} {op.target.namespace}/{(after.get('metadata') or {}).get('name')}"]
        case "scale":
            shown = {"spec": {"replicas": (before.get("spec") or {}).get("replicas")}}
            return differences.lines(shown, {"spec": {"replicas": (after.get("spec") or {}).get("replicas")}})
        case _:
            return differences.lines(before, after)


def _outcome(status: Status, detail: str, image: model.Json | None = None, moved: Sequence[str] = ()) -> model.Outcome:
    """Redacted: an outcome goes into the record and to Slack."""
    masked: Any = None if image is None else redact.redact_json({**image, "metadata": _without_managed(image)})
    return model.Outcome(
        status=status,
        detail=redact.redact(detail),
        pre_image=masked,
        moved=tuple(redact.redact(each) for each in moved),
    )


def _without_managed(image: model.Json) -> model.Json:
    return {key: value for key, value in (image.get("metadata") or {}).items() if key != "managedFields"}
