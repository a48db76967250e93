"""Sweeps as rows: a unique (watch, slot) is what makes one tick one sweep. Behind `ports.Sweeps`."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import watches
from bot.store import querying, tables

TABLE = querying.table(tables.Sweep)
ABANDONED = "The process that ran this sweep ended before it was done."


def value(row: querying.Row) -> watches.Sweep:
    return watches.Sweep(
        id=row.id,
        watch_id=row.watch_id,
        slot=row.slot,
        trigger=row.trigger,
        status=row.status,
        started_at=row.started_at,
        finished_at=row.finished_at,
        pods=row.pods,
        nodes=row.nodes,
        findings=row.findings,
        muted=row.muted,
        seconds=row.seconds,
        summary=row.summary,
        degraded=row.degraded,
        error=row.error,
    )


class Sweeps:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def claim(
        self, watch_id: int, slot: datetime | None, trigger: watches.Trigger, owner: str, now: datetime
    ) -> watches.Sweep | None:
        row = await self._queries.first(
            postgresql.insert(TABLE)
            .values(
                watch_id=watch_id,
                slot=slot,
                trigger=trigger,
                status="running",
                owner=owner,
                started_at=now,
                degraded={},
            )
            .on_conflict_do_nothing()
            .returning(TABLE)
        )
        return None if row is None else value(row)

    async def finish(self, sweep: watches.Sweep) -> None:
        """Also of a sweep that was given up meanwhile: what it found is the truth."""
        await self._queries.count(
            sa.update(TABLE)
            .where(TABLE.c.id == sweep.id)
            .values(
                status=sweep.status,
                finished_at=sweep.finished_at,
                pods=sweep.pods,
                nodes=sweep.nodes,
                findings=sweep.findings,
                muted=sweep.muted,
                seconds=sweep.seconds,
                summary=sweep.summary,
                degraded=dict(sweep.degraded),
                error=sweep.error,
            )
        )

    async def latest(self, watch_id: int) -> watches.Sweep | None:
        finished = sa.select(TABLE).where(TABLE.c.watch_id == watch_id, TABLE.c.status != "running")
        row = await self._queries.first(finished.order_by(TABLE.c.started_at.desc(), TABLE.c.id.desc()).limit(1))
        return None if row is None else value(row)

    async def abandon(self, before: datetime) -> int:
        return await self._queries.count(
            sa.update(TABLE)
            .where(TABLE.c.status == "running", TABLE.c.started_at < before)
            .values(status="failed", finished_at=before, error=ABANDONED, summary=ABANDONED)
        )
