"""Verifying: did the action help? Looks until the workload is well for long enough, or clearly is not, or time is up.

Each look is one turn, so that any replica can go on with it after a crash. Well also means that the incident's findings
are gone, by a fresh look with the same detectors: then the incident resolves.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from bot import errors
from bot.domain import audit, incidents, ports, proposals, watches
from k8s import detection, model, redact, verification

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


async def look(wired: ports.Ports, turn: Turn) -> proposals.Verification:
    """The verification after a fresh look. A cluster that does not answer proves nothing: still pending, and said."""
    now = wired.clock()
    rules = wired.rules
    try:
        target = await wired.eyes.target(turn.incident.cluster, turn.proposal.action)
        assessed = verification.assess(
            turn.proposal.action,
            started=turn.verification.started_at,
            target=target,
            now=now,
            hold=rules.verify_hold,
            timeout=rules.verify_timeout,
        )
        left = await _left(wired, turn) if assessed.status == "verified" and turn.proposal.kind == "remedy" else ""
    except errors.ClusterUnavailable as error:
        if now - turn.verification.started_at >= rules.verify_timeout:
            return _ended(turn, "not-verified", "", f"the cluster could not be looked at in time: {error}", now)
        return replace(turn.verification, progress="the cluster does not answer; still looking")
    progress, reason = redact.redact(assessed.progress), redact.redact(assessed.reason)
    if assessed.status == "pending":
        return replace(turn.verification, progress=progress)
    if left:
        if now - turn.verification.started_at < rules.verify_timeout:
            return replace(turn.verification, progress=f"{progress}; but {left}")
        return _ended(turn, "not-verified", progress, left, now)
    return _ended(turn, assessed.status, progress, reason, now)


async def _left(wired: ports.Ports, turn: Turn) -> str:
    """What is still found on the subject, of what began or went on after the action; empty where nothing is."""
    namespace = turn.incident.subject.namespace
    scope = model.Scope((namespace,)) if namespace else model.Scope()
    snapshot = await wired.eyes.look(turn.incident.cluster, scope)
    started = turn.verification.started_at
    found = await asyncio.to_thread(detection.detect, snapshot, wired.rules.kinds_of(turn.watch))
    await wired.eyes.release(snapshot)
    for problem in found.problems:
        if problem.subject.same(turn.incident.subject):
            fresh = [
                finding for finding in problem.findings if finding.since > started or finding.resource.kind != "Pod"
            ]
            if fresh:
                return f"still found: {redact.redact(fresh[0].message)}"
    return ""


def _ended(turn: Turn, status: str, progress: str, reason: str, now: datetime) -> proposals.Verification:
    return replace(
        turn.verification,
        status="verified" if status == "verified" else "not-verified",
        progress=progress or turn.verification.progress,
        reason=reason,
        finished_at=now,
    )


async def record(
    wired: ports.Ports, turn: Turn, after: proposals.Verification, undo: proposals.Proposal | None
) -> None:
    """Stores the look. At the end: the proposal's end, its undo on offer, and the incident resolved where it helped."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(turn.incident.cluster)
        if not await tx.verifications.save(after):
            return
        if after.status == "pending":
            if after.progress != turn.verification.progress:
                await _show(tx, turn.incident, now, SHOWN[1:], paced=True)
            return
        row = await tx.proposals.get(turn.proposal.id)
        if row is not None and proposals.may_follow(row.state, after.status):
            await tx.proposals.move(row.id, row.state, after.status, now)
        data = {"status": after.status, "progress": after.progress, "reason": after.reason}
        await _tell(tx, turn, "proposal:verified" if after.status == "verified" else "proposal:not-verified", now, data)
        if undo is not None:
            added = await tx.proposals.add(undo)
            offered = {"kubectl": added.kubectl, "digest": added.digest, "undo_of": turn.proposal.id}
            await _tell(tx, turn, "undo:offered", now, offered, added.id)
        current = await tx.incidents.get(turn.incident.id)
        if current is not None and current.live and after.status == "verified" and turn.proposal.kind == "remedy":
            await _resolve(tx, turn, current, now)
        await _show(tx, turn.incident, now, SHOWN)
    wired.bell.ring()


async def _resolve(tx: ports.Tx, turn: Turn, current: incidents.Incident, now: datetime) -> None:
    resolution = f"Fixed by {turn.proposal.kubectl}."
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
