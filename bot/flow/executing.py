"""Executing: the approved action is done once, by whichever replica takes its row, and its end is recorded honestly.

The row says `executing` before anything is sent to the cluster. So a process that dies leaves a row whose lease runs
out; such a row is never executed again: it becomes `unknown`, the cluster is looked at, and what is found is told. A
cluster that is away then is looked at when it answers again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from bot import errors
from bot.domain import approvals, audit, incidents, ports, proposals, watches
from k8s import catalogue, guardrails, model, redact, stepping, verification_worse

DONE: tuple[ports.ViewKind, ...] = ("parent", "progress")
LOOKED_FOR = timedelta(days=1)
"""A cluster that stays away for longer than this after a write of unknown end is not looked at for it any more."""


@dataclass(frozen=True, slots=True)
class Job:
    """One execution with the rows around it."""

    execution: proposals.Execution
    proposal: proposals.Proposal
    incident: incidents.Incident
    watch: watches.Watch | None
    history: guardrails.History


async def take(wired: ports.Ports) -> Job | None:
    """Claims one queued execution and says so in the trail, in one transaction. None where there is none."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        execution = await tx.executions.claim(wired.owner, now, wired.rules.lease)
        if execution is None:
            return None
        job = await _job(wired, tx, execution, now)
        await tx.proposals.move(job.proposal.id, "approved", "executing", now)
        permit = execution.permit
        data: dict[str, object] = {"owner": wired.owner, "approvers": list(permit.approvers)}
        if permit.identity is not None:
            data["as"] = msgspec.to_builtins(permit.identity)
        if permit.reasons:
            data["reasons"] = list(permit.reasons)
        await _tell(tx, job, "execution:started", now, data)
        await _show(tx, job, now)
    wired.bell.ring()
    return job


Gone = Callable[[ports.Ports, incidents.Incident, watches.Watch | None], Awaitable[bool]]
"""A fresh look: whether an incident's problem is gone. Raises ClusterUnavailable."""
GONE = model.Outcome("already-fixed", "The problem is gone: nothing was done.")


async def do(wired: ports.Ports, job: Job, gone: Gone) -> model.Outcome:
    """Does it, renewing the lease meanwhile. The executor asks for the lease once more right before it writes.

    A remedy of a problem that is `gone` by then is not done any more: the press may be older than the recovery.
    """
    hand = wired.hands(job.incident.cluster)
    if hand is None:
        return model.Outcome("refused", "Read-only: nothing is changed in any cluster from here.")
    async with _renewing(wired, job.execution):
        outcome = await _execute(wired, job, hand, gone)
        if outcome.status != "unknown":
            return outcome
        return _with(outcome, await _seen(wired, job, hand))


async def _execute(wired: ports.Ports, job: Job, hand: ports.Hand, gone: Gone) -> model.Outcome:
    try:
        if job.proposal.kind == "remedy" and await _needless(wired, job, gone):
            return GONE
        return await hand.execute(
            job.proposal.action,
            job.execution.permit,
            proposal=str(job.proposal.id),
            subject=job.incident.subject,
            policy=wired.rules.policy,
            history=job.history,
            mode=_mode(job.watch),
            planned_at=job.proposal.planned_at,
            pins=job.proposal.pins,
            operations=job.proposal.operations,
            now=wired.clock,
            fence=_Fence(wired, job.execution),
            cluster=job.incident.cluster,
            members=await wired.directory.of(approvals.places(wired.rules.policy)),
            proposer=job.proposal.proposer,
            oversight=_oversight(wired, job),
        )
    except errors.ClusterUnavailable as error:
        return model.Outcome("failed", f"The cluster did not answer: {error}")
    except errors.StoreUnavailable:
        return model.Outcome("refused", "The record did not answer, so nothing was written.")


def _mode(watch: watches.Watch | None) -> guardrails.Mode:
    """A watch that was paused or removed meanwhile does nothing by itself any more; what people approved is done."""
    alone = watch is not None and watch.mode == "autonomous"
    return "approve" if watch is None or (alone and watch.state != "active") else watch.mode


async def _needless(wired: ports.Ports, job: Job, gone: Gone) -> bool:
    """Whether the problem is gone while its target is the one that was approved for.

    Where the target itself has gone, or has a namesake, the executor says that: it is the better word.
    """
    if not await gone(wired, job.incident, job.watch):
        return False
    target = await wired.eyes.target(job.incident.cluster, job.proposal.action)
    return target.object is not None and target.ref.uid == job.proposal.pins.get("uid", target.ref.uid)


async def finish(wired: ports.Ports, job: Job, outcome: model.Outcome) -> bool:
    """Records how it ended, and starts its verification. False where the row was taken over meanwhile."""
    now = wired.clock()
    told = msgspec.structs.replace(
        outcome, detail=redact.redact(outcome.detail), moved=tuple(map(redact.redact, outcome.moved))
    )
    async with wired.store.begin() as tx:
        await tx.incidents.lock(job.incident.cluster)
        if not await tx.executions.finish(job.execution.id, wired.owner, told, now):
            return False
        await tx.proposals.move(job.proposal.id, "executing", told.status, now)
        data = {"status": told.status, "detail": told.detail, "moved": list(told.moved)}
        await _tell(tx, job, "execution:ended", now, data)
        await _go_on(tx, job, told, now)
    wired.meter.executed(model.name_of(job.proposal.action), told.status)
    wired.bell.ring()
    return True


async def _go_on(tx: ports.Tx, job: Job, told: model.Outcome, now: datetime) -> None:
    """What is there is verified; where nothing is, the cluster is looked at anew for what to propose."""
    if told.status == "succeeded" or (told.written and told.status != "failed"):
        await tx.verifications.start(job.proposal.id, now, _before(job, told))
        if job.proposal.undo_of is not None:
            await _undone(tx, job, job.proposal.undo_of, now)
    elif told.status in ("stale", "already-fixed", "stopped", "unknown") or told.written:
        await _look_again(tx, job)
    await _show(tx, job, now)


def _before(job: Job, told: model.Outcome) -> proposals.Before:
    """How things were right before the write: the incident is as it was read when the execution was taken."""
    ready = verification_worse.ready_before(job.proposal.action, told.pre_image, job.proposal.blast)
    return proposals.Before(ready, job.incident.severity)


async def orphans(wired: ports.Ports) -> int:
    """Takes over what dead replicas left: marks it unknown, looks at the cluster, says what is there; how many."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        found = await tx.executions.orphans(wired.owner, now, wired.rules.lease)
        jobs = [await _job(wired, tx, execution, now) for execution in found]
    for job in jobs:
        await _look_at(wired, job)
    return len(jobs)


async def settle(wired: ports.Ports) -> bool:
    """Looks at one cluster that was away when a write of unknown end was looked for; whether there was one to look at.

    One that is away still is looked at again after a lease.
    """
    now = wired.clock()
    async with wired.store.begin() as tx:
        execution = await tx.executions.unseen(wired.owner, now, now - LOOKED_FOR, wired.rules.lease)
        job = None if execution is None else await _job(wired, tx, execution, now)
    if job is None:
        return False
    seen = await _look(wired, job)
    before = job.execution.outcome
    if before is not None and not seen.away:
        after = _with(msgspec.structs.replace(before, detail=f"{before.detail} It answers again."), seen)
        await _settle(wired, job, after)
    return True


async def _settle(wired: ports.Ports, job: Job, told: model.Outcome) -> None:
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(job.incident.cluster)
        if not await tx.executions.settle(job.execution.id, wired.owner, told):
            return
        await _tell(tx, job, "execution:looked-at", now, {"written": told.written, "detail": told.detail})
        await _go_on(tx, job, told, now)
    wired.bell.ring()


async def _look_at(wired: ports.Ports, job: Job) -> None:
    """Only looks. Whatever it finds, nothing is written to the cluster again."""
    seen = await _look(wired, job)
    died = model.Outcome("unknown", "The process that executed this died before it could say how it ended.")
    told = _with(died, seen)
    await finish(wired, job, msgspec.structs.replace(told, detail=f"{told.detail} It is not tried again."))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look for the change has shown: `written` as in `model.Outcome`, and the sentence that says so."""

    written: bool | None
    told: str
    away: bool = False
    """The cluster did not answer."""


def _with(outcome: model.Outcome, seen: _Seen) -> model.Outcome:
    detail = redact.redact(f"{outcome.detail} {seen.told}")
    return msgspec.structs.replace(outcome, detail=detail, written=seen.written, unseen=seen.away)


async def _look(wired: ports.Ports, job: Job) -> _Seen:
    hand = wired.hands(job.incident.cluster)
    if hand is None:
        return _Seen(None, "Read-only now, so the cluster was not looked at.")
    return await _seen(wired, job, hand)


async def _seen(wired: ports.Ports, job: Job, hand: ports.Hand) -> _Seen:
    if not catalogue.remedy_for(job.proposal.action).seen:
        return _Seen(None, "Whether it ran cannot be seen in the cluster.")
    try:
        there = await hand.look(job.proposal.action, job.proposal.operations)
        half = await _halfway(wired, job) if there is False else None
    except errors.ClusterUnavailable as error:
        return _Seen(None, f"The cluster could not be looked at: {error}.", away=True)
    if there is None:
        return _Seen(None, "Looked at the cluster: the target is gone.")
    if there:
        return _Seen(True, "Looked at the cluster: the change is there, and is being verified.")
    if half is not None:
        return _Seen(half.begun, f"Looked at the cluster: {half.told}.")
    return _Seen(False, "Looked at the cluster: the change is not there.")


async def _halfway(wired: ports.Ports, job: Job) -> model.Halfway | None:
    """How far one in steps has come. Raises ClusterUnavailable."""
    action = job.proposal.action
    if not catalogue.remedy_for(action).steps:
        return None
    target = await wired.eyes.target(job.incident.cluster, action)
    return catalogue.halfway(action, job.proposal.operations, target)


def _oversight(wired: ports.Ports, job: Job) -> stepping.Oversight:
    """Of one in steps: its progress goes on its row and into the thread, and a person's Stop is read from that row."""

    async def progress(made: model.Progress) -> None:
        told = model.Progress(made.done, made.total, redact.redact(made.waiting))
        with contextlib.suppress(errors.StoreUnavailable):
            async with wired.store.begin() as tx:
                if await tx.executions.tell(job.execution.id, wired.owner, told):
                    await _show(tx, job, wired.clock())
            wired.bell.ring()

    async def stop() -> str:
        with contextlib.suppress(errors.StoreUnavailable):  # the fence then says no
            async with wired.store.begin() as tx:
                if await tx.executions.stop_asked(job.execution.id):
                    return "A person stopped it."
        return ""

    return stepping.Oversight(progress, stop, wired.rules.execution_timeout)


async def _job(wired: ports.Ports, tx: ports.Tx, execution: proposals.Execution, now: datetime) -> Job:
    proposal = await tx.proposals.get(execution.proposal_id)
    incident = None if proposal is None else await tx.incidents.get(proposal.incident_id)
    if proposal is None or incident is None:
        raise errors.NotPossible(f"Execution {execution.id} has lost its proposal: the database was changed by hand.")
    watch = await tx.watches.get(incident.watch_id)
    since = now - wired.rules.history
    history = await tx.proposals.recent_executions(incident.cluster, since, besides=proposal.id)
    return Job(execution, proposal, incident, watch, history)


async def _undone(tx: ports.Tx, job: Job, original: int, now: datetime) -> None:
    """The change of the original proposal is taken back."""
    row = await tx.proposals.get(original)
    if row is not None and proposals.may_follow(row.state, "undone"):
        await tx.proposals.move(original, row.state, "undone", now)
        await _tell(tx, job, "proposal:undone", now, {"by": job.proposal.id}, original)


async def _look_again(tx: ports.Tx, job: Job) -> None:
    """The cluster is not as it was proposed for: a fresh diagnosis, and a fresh proposal where there is one."""
    current = await tx.incidents.get(job.incident.id)
    if current is not None and current.live:
        await tx.incidents.save(replace(current, diagnosis_wanted=True))


async def _show(tx: ports.Tx, job: Job, now: datetime) -> None:
    for kind in DONE:
        await tx.views.want(kind, channel=job.incident.channel, incident_id=job.incident.id, due=now)


async def _tell(
    tx: ports.Tx, job: Job, tag: str, now: datetime, data: Mapping[str, object], proposal_id: int | None = None
) -> None:
    about = job.proposal.id if proposal_id is None else proposal_id
    permit = job.execution.permit
    data = {**data, "digest": permit.digest, "policy": permit.policy}
    event = audit.Event(tag, job.incident.cluster, "watchkeeper", now, job.incident.id, about, data)
    await tx.trail.append(event)


class _Fence:
    """Asked by the executor right before the write: is this execution still ours, and its lease still running?"""

    def __init__(self, wired: ports.Ports, execution: proposals.Execution) -> None:
        self._wired = wired
        self._execution = execution

    async def __call__(self) -> bool:
        now = self._wired.clock()
        try:
            async with self._wired.store.begin() as tx:
                until = now + self._wired.rules.lease
                return await tx.executions.renew(self._execution.id, self._wired.owner, until, now)
        except errors.StoreUnavailable:
            return False


@contextlib.asynccontextmanager
async def _renewing(wired: ports.Ports, execution: proposals.Execution) -> AsyncIterator[None]:
    """Renews the lease at a third of its length while the body runs."""
    fence = _Fence(wired, execution)

    async def beat() -> None:
        while True:
            await asyncio.sleep(wired.rules.lease.total_seconds() / 3)
            if not await fence():
                return

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
