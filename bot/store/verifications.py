"""Verifications as rows, looked at in turns by whoever holds them. Behind `ports.Verifications`."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import proposals
from bot.store import querying, tables

TABLE = querying.table(tables.Verification)
LOOKS_A_LEASE = 6
"""Its owner is given a pending verification again after this part of a lease; others only when the lease runs out."""


def value(row: querying.Row) -> proposals.Verification:
    return proposals.Verification(
        proposal_id=row.proposal_id,
        status=row.status,
        started_at=row.started_at,
        progress=row.progress,
        reason=row.reason,
        finished_at=row.finished_at,
        owner=row.owner,
        lease_until=row.lease_until,
        before=proposals.Before(row.ready_before, row.severity_before or None),
        no_undo=row.no_undo,
        came_back_at=row.came_back_at,
    )


class Verifications:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def start(self, proposal_id: int, now: datetime, before: proposals.Before = proposals.UNMEASURED) -> None:
        await self._queries.count(
            postgresql.insert(TABLE)
            .values(
                proposal_id=proposal_id,
                status="pending",
                started_at=now,
                ready_before=before.ready,
                severity_before=before.severity or "",
            )
            .on_conflict_do_nothing()
        )

    async def came_back(self, proposal_id: int, now: datetime) -> None:
        first = (TABLE.c.proposal_id == proposal_id, TABLE.c.status == "verified", TABLE.c.came_back_at.is_(None))
        await self._queries.count(sa.update(TABLE).where(*first).values(came_back_at=now))

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> proposals.Verification | None:
        free = querying.free(TABLE.c.lease_until, now, lease)
        mine = sa.and_(TABLE.c.owner == owner, TABLE.c.looked_at <= now - lease / LOOKS_A_LEASE)
        one = (
            sa.select(TABLE.c.proposal_id)
            .where(TABLE.c.status == "pending", sa.or_(free, mine))
            .order_by(TABLE.c.looked_at.asc().nulls_first(), TABLE.c.proposal_id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        row = await self._queries.first(
            sa.update(TABLE)
            .where(TABLE.c.proposal_id == one)
            .values(owner=owner, lease_until=now + lease, looked_at=now)
            .returning(TABLE)
        )
        return None if row is None else value(row)

    async def save(self, changed: proposals.Verification) -> bool:
        mine = (
            TABLE.c.proposal_id == changed.proposal_id,
            TABLE.c.status == "pending",
            TABLE.c.owner == changed.owner,
        )
        saved = sa.update(TABLE).where(*mine)
        kept = saved.values(
            status=changed.status,
            progress=changed.progress,
            reason=changed.reason,
            finished_at=changed.finished_at,
            no_undo=changed.no_undo,
        )
        return await self._queries.count(kept) == 1
