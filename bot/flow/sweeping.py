"""Sweeping: one look at a watch's cluster. The first stage; `triage` takes what it saw.

A tick is claimed by its row before anything is looked at, so that one tick is one sweep on however many replicas.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import errors, remembering
from bot.domain import audit, ports, watches
from k8s import detection, model

ABANDONED_AFTER = timedelta(minutes=10)
"""A sweep still running after this long belonged to a process that died."""


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that could look, and what it saw."""

    sweep: watches.Sweep
    watch: watches.Watch
    snapshot: model.Snapshot
    detection: detection.Detection


async def claim(
    wired: ports.Ports, watch: watches.Watch, slot: datetime | None, trigger: watches.Trigger
) -> watches.Sweep | None:
    """The sweep's row; None where another replica has this tick already."""
    async with wired.store.begin() as tx:
        return await tx.sweeps.claim(watch.id, slot, trigger, wired.owner, wired.clock())


async def look(
    wired: ports.Ports, watch: watches.Watch, sweep: watches.Sweep, scope: model.Scope | None = None
) -> Swept | None:
    """Looks and detects. A cluster that cannot be reached fails the sweep, visibly, and concludes nothing: None."""
    try:
        snapshot = await wired.eyes.look(watch.cluster, scope or watch.scope)
    except errors.ClusterUnavailable as error:
        await _fail(wired, watch, sweep, str(error))
        return None
    kinds = wired.rules.kinds_of(watch)
    snapshot = await remembering.learnt(wired, snapshot, kinds, listen=scope is None)
    found = await asyncio.to_thread(detection.detect, snapshot, kinds)
    status, summary = watches.summarise(
        snapshot, len(found.findings), len(found.problems), len(found.risks), found.errors
    )
    finished = replace(
        sweep,
        status=status,
        finished_at=wired.clock(),
        pods=len(snapshot.pods),
        nodes=len(snapshot.nodes),
        findings=len(found.findings),
        muted=found.muted,
        seconds=snapshot.seconds,
        summary=summary,
        degraded={**snapshot.degraded, **found.errors},
    )
    wired.meter.swept(watch.cluster, status, snapshot.seconds, len(found.findings))
    return Swept(finished, watch, snapshot, found)


async def _fail(wired: ports.Ports, watch: watches.Watch, sweep: watches.Sweep, error: str) -> None:
    now = wired.clock()
    wired.meter.swept(watch.cluster, "failed", (now - sweep.started_at).total_seconds(), None)
    failed = replace(sweep, status="failed", finished_at=now, error=error, summary=f"could not look: {error}")
    async with wired.store.begin() as tx:
        before = await tx.sweeps.latest(watch.id)
        await tx.sweeps.finish(failed)
        if before is None or before.status != "failed":
            data = {"watch": watch.name, "error": error}
            await tx.trail.append(audit.Event("sweep:failed", watch.cluster, "watchkeeper", now, data=data))


async def abandon(wired: ports.Ports) -> int:
    """Closes sweeps whose process died; how many."""
    async with wired.store.begin() as tx:
        return await tx.sweeps.abandon(wired.clock() - ABANDONED_AFTER)
