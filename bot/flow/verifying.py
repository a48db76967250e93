"""Verifying: did the action help? Looks until the workload is well for long enough, or clearly is not, or time is up.

Each look is one turn, so that any replica can go on with it after a crash. Well also means that the incident's findings
are gone, by a fresh look with the same detectors: then the incident resolves. Where less works than before the write,
that has a name of its own, and the way back is offered first.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import errors
from bot.domain import audit, incidents, looks, ports, proposals, watches
from k8s import catalogue, model, redact, verification, verification_kinds, verification_worse

SHOWN: tuple[ports.ViewKind, ...] = ("parent", "progress")


@dataclass(frozen=True, slots=True)
class Turn:
    """One look at one verification."""

    verification: proposals.Verification
    proposal: proposals.Proposal
    incident: incidents.Incident
    watch: watches.Watch | None
    """The incident's: its kinds hold."""


async def take(wired: ports.Ports) -> Turn | None:
    """Claims a verification that is due; None where there is none."""
    async with wired.store.begin() as tx:
        claimed = await tx.verifications.claim(wired.owner, wired.clock(), wired.rules.lease)
        if claimed is None:
            return None
        proposal = await tx.proposals.get(claimed.proposal_id)
        incident = None if proposal is None else await tx.incidents.get(proposal.incident_id)
        watch = None if incident is None else await tx.watches.get(incident.watch_id)
        if proposal is None or incident is None:
            raise errors.NotPossible(f"The verification of {claimed.proposal_id} has lost its proposal.")
    return Turn(claimed, proposal, incident, watch)


Recovered = Callable[[ports.Ports, incidents.Incident, watches.Watch | None, datetime], Awaitable[looks.Seen]]
"""A fresh look at the incident's problem, after something was done at this moment. Raises ClusterUnavailable."""


async def look(wired: ports.Ports, turn: Turn, recovered: Recovered) -> proposals.Verification:
    """The verification after a fresh look. A cluster that does not answer proves nothing: still pending, and said."""
    now = wired.clock()
    hold = _hold(wired, turn)
    late = now - turn.verification.started_at >= wired.rules.verify_timeout + hold
    try:
        target = await wired.eyes.target(turn.incident.cluster, turn.proposal.action)
        assessed = verification.assess(
            turn.proposal.action,
            started=turn.verification.started_at,
            target=target,
            now=now,
            hold=hold,
            timeout=wired.rules.verify_timeout,
        )
        if assessed.status == "pending" and (left := _left(turn, target)):
            return _ended(turn, "not-verified", assessed.progress, left, now)
        if assessed.status == "pending":
            return replace(turn.verification, progress=redact.redact(assessed.progress))
        if turn.proposal.kind == "undo":
            return _ended(turn, assessed.status, assessed.progress, assessed.reason, now)
        return await _judged(wired, turn, recovered, assessed, now)
    except errors.ClusterUnavailable as error:
        if late:
            return _ended(turn, "not-verified", "", f"the cluster could not be looked at in time: {error}", now)
        return replace(turn.verification, progress="the cluster does not answer; still looking")


def _left(turn: Turn, target: model.Target) -> str:
    """Why nothing more is to be waited for, of one in steps that was left half-way; "" where there is."""
    row = turn.proposal
    half = catalogue.halfway(row.action, row.operations, target) if row.state in ("stopped", "unknown") else None
    return "" if half is None or half.ending else f"It was left half-way: {half.told}."


def _hold(wired: ports.Ports, turn: Turn) -> timedelta:
    """How long all has to stay well. An undo is no fix: that it stands as it was is all that it is asked for."""
    rules = wired.rules
    kinds = () if turn.proposal.kind == "undo" else turn.incident.kinds
    return verification_kinds.hold_of(kinds, usual=rules.verify_hold, relapsing=rules.verify_hold_relapsing)


async def _judged(
    wired: ports.Ports, turn: Turn, recovered: Recovered, assessed: verification.Assessment, now: datetime
) -> proposals.Verification:
    """What the workload tells, beside what the same detectors find now and what was there before the write."""
    before = turn.verification.before
    if assessed.status == "not-verified":
        fewer = verification_worse.fewer_ready(assessed, before.ready)
        status: proposals.Check = "worse" if fewer else "not-verified"
        return _ended(turn, status, assessed.progress, f"{fewer} {assessed.reason}".strip(), now)
    seen = await recovered(wired, turn.incident, turn.watch, turn.verification.started_at)
    fresh = _fresh(turn, seen)
    graver = verification_worse.graver(fresh, before.severity, now)
    if graver is not None:
        reason = f"It is graver than before ({graver.severity}, it was {before.severity}): {graver.message}"
        return _ended(turn, "worse", assessed.progress, reason, now)
    left = f"still found: {fresh[0].message}" if fresh else seen.lacking
    if not left:
        return _ended(turn, "verified", assessed.progress, assessed.reason, now)
    if now - turn.verification.started_at < wired.rules.verify_timeout:
        return replace(turn.verification, progress=redact.redact(f"{assessed.progress}; but {left}"))
    return _ended(turn, "not-verified", assessed.progress, left, now)


def _fresh(turn: Turn, seen: looks.Seen) -> list[model.Finding]:
    """What is found on the subject, of what began, went on or happened again after the action."""
    started = turn.verification.started_at
    found = () if seen.problem is None else seen.problem.findings
    return [finding for finding in found if finding.latest > started or finding.resource.kind != "Pod"]


def _ended(turn: Turn, status: proposals.Check, progress: str, reason: str, now: datetime) -> proposals.Verification:
    return replace(
        turn.verification,
        status=status,
        progress=redact.redact(progress) or turn.verification.progress,
        reason=redact.redact(reason),
        finished_at=now,
    )


@dataclass(frozen=True, slots=True)
class WayBack:
    """The undo to offer at the end of a verification, or why there is none."""

    undo: proposals.Proposal | None = None
    none: str = ""
    """One sentence; empty where there is one, or none is looked for."""


NOT_NEEDED = WayBack()


async def record(wired: ports.Ports, turn: Turn, after: proposals.Verification, back: WayBack = NOT_NEEDED) -> None:
    """Stores the look. At the end: the proposal's end, its undo on offer or why there is none, the incident resolved
    where it helped, and looked at anew where it did not and nothing can be taken back."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(turn.incident.cluster)
        if not await tx.verifications.save(replace(after, no_undo=redact.redact(back.none))):
            return
        if after.status == "pending":
            if after.progress != turn.verification.progress:
                await _show(tx, turn.incident, now, SHOWN[1:], paced=True)
            return
        row = await tx.proposals.get(turn.proposal.id)
        if row is not None and proposals.may_follow(row.state, after.status):
            await tx.proposals.move(row.id, row.state, after.status, now)
        data = {"status": after.status, "progress": after.progress, "reason": after.reason}
        data |= {"digest": turn.proposal.digest, "policy": turn.proposal.policy}
        await _tell(tx, turn, f"proposal:{after.status}", now, data)
        await _offer(tx, turn, back, now)
        current = await tx.incidents.get(turn.incident.id)
        if current is not None and current.live and turn.proposal.kind == "remedy":
            if after.status == "verified":
                await _resolve(tx, turn, current, now)
            elif back.undo is None:
                await tx.incidents.save(replace(current, diagnosis_wanted=True))
        if after.status == "worse":
            await tx.views.want("worse", channel=turn.incident.channel, incident_id=turn.incident.id, due=now)
        await _show(tx, turn.incident, now, SHOWN)
    wired.bell.ring()


async def _offer(tx: ports.Tx, turn: Turn, back: WayBack, now: datetime) -> None:
    """The way back, or why there is none."""
    if back.undo is not None:
        added = await tx.proposals.add(back.undo)
        offered = {"kubectl": added.kubectl, "digest": added.digest, "policy": added.policy}
        await _tell(tx, turn, "undo:offered", now, {**offered, "undo_of": turn.proposal.id}, added.id)
    elif back.none:
        await _tell(tx, turn, "undo:refused", now, {"why": redact.redact(back.none)})


async def _resolve(tx: ports.Tx, turn: Turn, current: incidents.Incident, now: datetime) -> None:
    resolution = f"{incidents.FIXED} {turn.proposal.kubectl}."
    await tx.incidents.save(incidents.resolve(current, resolution, now))
    for row in await tx.proposals.of_incident(current.id):
        if row.state == "proposed" and row.kind == "remedy":  # made while an execution of unknown end was verified
            await tx.proposals.move(row.id, "proposed", "superseded", now)
            await _tell(tx, turn, "proposal:superseded", now, {"why": "the problem is gone"}, row.id)
    data = {"resolution": resolution}
    await tx.trail.append(
        audit.Event("incident:resolved", current.cluster, "watchkeeper", now, current.id, turn.proposal.id, data)
    )
    await tx.views.want("recovery", channel=current.channel, incident_id=current.id, due=now)


async def _show(
    tx: ports.Tx,
    incident: incidents.Incident,
    now: datetime,
    kinds: tuple[ports.ViewKind, ...],
    *,
    paced: bool = False,
) -> None:
    for kind in kinds:
        await tx.views.want(kind, channel=incident.channel, incident_id=incident.id, due=now, paced=paced)


async def _tell(
    tx: ports.Tx, turn: Turn, tag: str, now: datetime, data: Mapping[str, object], proposal_id: int | None = None
) -> None:
    about = turn.proposal.id if proposal_id is None else proposal_id
    event = audit.Event(tag, turn.incident.cluster, "watchkeeper", now, turn.incident.id, about, data)
    await tx.trail.append(event)
