"""The one hand on the cluster: carries a permitted action out, exactly once, or says why it did not.

`bot.main` alone makes an Executor and hands it to the pipeline. Nothing is taken on trust from the moment of the press:
right before the write the target is read anew, the action planned anew, the policy asked anew, and the permit's digest
compared with what would be written now. Then the server tries it (dry run), and only then is it written, bound to the
uid and the version that all of this rested on. Different ends have different names: see `model.Outcome`.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from k8s import catalogue, deciding, differences, evicting, fields, guardrails, model, outputs, redact, stepping
from k8s.client import asking, connection, errors, rights, writer

ATTEMPTS = 3
"""A workload that is crash-looping changes its status, and with it its version, every few seconds: a conflict is then
no sign of a change that matters. Everything is read and asked anew, this many times in all."""


class Reader(Protocol):
    """What the executor needs of `k8s.client.reader.Reader`."""

    async def read_target(self, action: model.Action) -> model.Target: ...

    async def get(self, ref: model.ResourceRef) -> model.Json: ...

    async def pods_on(self, node: str) -> list[model.Json]: ...

    async def can_i(
        self,
        verb: str,
        resource: str,
        namespace: str = "",
        *,
        group: str | None = None,
        as_user: model.Identity | None = None,
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class DryRun:
    """What the API server said to the operations without storing them."""

    accepted: bool
    message: str
    """Why not, in the server's (or an admission webhook's) own words; empty where accepted."""
    diff: tuple[str, ...] = ()
    """`- path: old` and `+ path: new` lines, redacted."""


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
        if lost := await self.lost():
            return lost
        if self.permit.expires_at <= self.now():
            return "The permit has expired."
        if self.permit.granted_at > self.now() + guardrails.CLOCKS_APART:
            return "The clock was put back meanwhile."
        return ""

    async def lost(self) -> str:
        """The same of a step after the first one: whether it is still the caller's."""
        return "" if await self.fence() else "This execution was taken over while it waited."


class Executor:
    """Executes on one cluster. With `identities` each write is sent in the name of whoever completed its approval."""

    def __init__(
        self,
        reader: Reader,
        writer: writer.Writer,
        identities: guardrails.Identities = guardrails.NO_IDENTITIES,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._identities = identities

    @classmethod
    def over(
        cls,
        reader: Reader,
        writing: connection.Connection,
        identities: guardrails.Identities = guardrails.NO_IDENTITIES,
    ) -> "Executor":
        """An executor that writes through this connection. The writer itself stays in here: nobody else holds one."""
        return cls(reader, writer.Writer(writing), identities)

    async def lacking(self, plan: model.Plan, people: Collection[str] | None = None, enough: int = 0) -> str:
        """Which rights are lacked for this plan, as one sentence; empty where there are enough.

        Asked before anybody is asked to approve what would be forbidden: by the writing identity itself, and, where it
        is written in people's names, by `enough` of the `people` who may approve it (None: anybody; 0: the policy
        alone permits it, in nobody's name). Raises ClusterError where the review itself fails: then nothing is known,
        and nothing may be offered.
        """
        needed = rights.needed(plan.action, plan.operations)
        if not self._identities.on or not enough:
            return await asking.lacking(self._reader, needed)
        written = rights.writing(plan.operations)
        if own := await asking.lacking(self._reader, [one for one in needed if one not in written]):
            return own
        return await asking.able(self._reader, self._identities, written, people, enough)

    async def lacking_of(self, user: str, operations: Sequence[model.Operation]) -> str:
        """Why these operations could not be written in the name of this approver, as one sentence to them; empty where
        they could, or where nothing is written in people's names. Raises ClusterError."""
        if self._identities.lacks(user):
            return (
                "You have no identity in this cluster: whoever runs Watchkeeper must add your Slack id to the "
                "impersonation file. Somebody else may approve it."
            )
        identity = self._identities.of(user)
        if identity is None:
            return ""
        return await asking.lacking(
            self._reader, rights.writing(operations), identity, f"Your cluster identity {identity.user}"
        )

    async def dry_run(self, plan: model.Plan, people: Collection[str] | None = None) -> DryRun:
        """Asks the server what these operations would do: through admission and validation, nothing stored.

        In the name of one of these people where the writing identity may not do it itself. A refusal is an answer
        (`accepted` False); Unreachable, Unauthorized, Throttled and ServerFault are raised.
        """
        found: list[str] = []
        who = None
        if self._identities.on:
            who = await asking.trier(self._reader, self._identities, rights.writing(plan.operations), people)
        for op in plan.operations:
            if op.verb == "exec":
                found += outputs.told(op)
                continue
            try:
                before = await self._reader.get(op.target)
                after = await self._writer.apply(op, resource_version=None, dry_run=True, as_user=who)
            except (errors.Held, errors.NotFound) as error:
                # Of one in steps: it waits for the budget, and what has ended needs no eviction.
                if not catalogue.remedy_for(plan.action).steps or op.verb != "evict":
                    return DryRun(False, redact.redact(error.message), tuple(found))
                continue
            except (errors.Rejected, errors.Forbidden, errors.Conflict) as error:
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
        oversight: stepping.Oversight = stepping.ALONE,
    ) -> model.Outcome:
        """Does what the permit covers, or nothing; of an action in steps as much as `oversight` leaves it time for.

        `cluster` is its name as rules of the policy know it, `members` who is in which user group and channel, and
        `proposer` the person who asked for this or changed it: as the policy asks for them (`guardrails.judge`).

        `fence` is asked right before every write: whether this execution is still the caller's to do. A process that
        was frozen meanwhile, and whose work another one took over, must not write when it wakes.

        `planned_at` and `pins` are those of the proposal: the same moment makes the same operations, and the pins tell
        what moved since. `operations`, the proposal's own, let an effect that is there already be recognised even where
        the plan can no longer be made. Never raises a ClusterError; a cancellation while writing goes through, and the
        caller's record is then settled by `look`.
        """
        order = deciding.Order(
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
            identities=self._identities,
        )
        for _ in range(ATTEMPTS):
            try:
                target = await self._reader.read_target(action)
            except errors.ClusterError as error:
                return _not_done(error)
            decided = deciding.decide(order, target, now)
            if isinstance(decided, model.Outcome):
                return decided
            gate = _Gate(order.permit, now, fence)
            if isinstance(action, model.Drain):
                outcome = await self._drain(action, decided, target, gate, oversight)
            elif decided[0].verb == "exec":
                return await self._run(decided[0], target, gate)
            else:
                outcome = await self._write(decided[0], target, gate)
            if outcome is not None:
                return outcome
        return deciding.outcome("failed", f"{subject.kind} {subject.short} kept changing while it was tried.")

    async def look(self, action: model.Action, operations: Sequence[model.Operation]) -> bool | None:
        """Whether the change of these operations is there: settles an execution whose end is unknown.

        None where the target is gone or is another object of the same name; a pod that was to be deleted and is gone is
        True. Raises ClusterError.
        """
        if not catalogue.remedy_for(action).seen:
            return None
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
                return deciding.outcome("refused", shut)
            try:
                await self._writer.apply(op, resource_version=version, dry_run=dry_run, as_user=gate.permit.identity)
            except (errors.Conflict, errors.NotFound):
                return None
            except errors.Rejected as error:
                # A JSON patch whose uid does not fit is answered like a broken one.
                return None if await self._replaced(op.target) else _not_done(error)
            except errors.ClusterError as error:
                if dry_run or not _may_be_there(error):
                    return _not_done(error)
                detail = f"The change was sent and its answer never came: {error.message}. It may or may not be there."
                return deciding.outcome("unknown", detail, image)
        return deciding.outcome("succeeded", "The API server took the change.", image)

    async def _run(self, op: model.Operation, target: model.Target, gate: "_Gate") -> model.Outcome:
        """A command, once: without a dry run, which there is none of, and never again whatever comes of it."""
        replaced = deciding.outcome("stale", "The pod was deleted and created anew.", moved=("The pod was replaced.",))
        try:  # no uid goes with it
            if fields.uid(await self._reader.get(op.target)) != op.target.uid:
                return replaced
        except errors.NotFound:
            return replaced
        except errors.ClusterError as error:
            return _not_done(error)
        if shut := await gate.shut():
            return deciding.outcome("refused", shut)
        image = deciding.masked(target.object)
        try:
            ran = await self._writer.run(op, as_user=gate.permit.identity)
        except errors.ClusterError as error:
            if not _may_be_there(error):
                return _not_done(error)
            return outputs.lost(error.message, image)
        return outputs.ended(op, ran.code, ran.stdout, ran.stderr, image)

    async def _drain(
        self,
        action: model.Drain,
        operations: Sequence[model.Operation],
        target: model.Target,
        gate: "_Gate",
        oversight: stepping.Oversight,
    ) -> model.Outcome | None:
        """Cordons, then evicts one by one. The permit must hold for the first write; after it the fence alone is asked,
        as a drain may well take longer than a permit lives. None: nothing was written, and all is to be asked anew."""
        if why := await oversight.stop():
            return deciding.outcome("stopped", f"{why} Nothing was written.", written=False)
        cordons = operations[0].target.kind == "Node"
        if cordons:
            first = await self._write(operations[0], target, gate)
            if first is None or first.status != "succeeded":
                return first
        elif shut := await gate.shut():
            return deciding.outcome("refused", shut)

        async def apply(op: model.Operation, dry_run: bool) -> model.Json:
            who = gate.permit.identity
            return await self._writer.apply(op, resource_version=None, dry_run=dry_run, as_user=who)

        evictor = evicting.Evictor(target.ref, self._reader, apply, gate.lost)
        hands = stepping.Hands(evictor.pods, evictor.evict, evictor.shut, gate.now)
        done = await stepping.drain(action, hands, oversight, begun=cordons)
        return deciding.outcome(done.status, done.detail, target.object, written=done.written)

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


def _not_done(error: errors.ClusterError) -> model.Outcome:
    """The server's own no is a refusal, told in plain words or in its own; all else is a failure."""
    match error:
        case errors.Forbidden():
            right = rights.refused(error.message)
            told = f"The API server forbids it: {error.message}" if right is None else rights.missing([right])
            return deciding.outcome("refused", told)
        case errors.Rejected():
            return deciding.outcome("refused", f"The API server refuses it: {error.message}")
        case _:
            return deciding.outcome("failed", f"Could not {error}")


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
