"""Executions as rows: one for each proposal, held by one owner at a time. Behind `ports.Executions`.

A lease that ran out fences its owner off for good: after `orphans` took a row, `renew` (which the executor asks right
before it writes) says no to everybody, also to a slow worker of the very process that took it over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot import errors
from bot.domain import memory, proposals
from bot.store import querying, tables, tries
from k8s import model

TABLE = querying.table(tables.Execution)
_UNSEEN = sa.and_(
    TABLE.c.state == "done", sa.cast(TABLE.c.outcome, postgresql.JSONB)["unseen"].as_boolean().is_(sa.true())
)


def value(row: querying.Row) -> proposals.Execution:
    return proposals.Execution(
        id=row.id,
        proposal_id=row.proposal_id,
        state=row.state,
        permit=row.permit,
        owner=row.owner,
        lease_until=row.lease_until,
        started_at=row.started_at,
        finished_at=row.finished_at,
        outcome=row.outcome,
        progress=row.progress,
        stop_by=row.stop_by,
    )


class Executions:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def queue(self, proposal_id: int, permit: model.Permit, now: datetime) -> proposals.Execution:
        """Raises NotPossible where the proposal has its execution already."""
        row = await self._queries.first(
            postgresql.insert(TABLE)
            .values(proposal_id=proposal_id, state="queued", permit=permit, queued_at=now)
            .on_conflict_do_nothing()
            .returning(TABLE)
        )
        if row is None:
            raise errors.NotPossible(f"Proposal {proposal_id} has its execution already: there is never a second one.")
        return value(row)

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> proposals.Execution | None:
        one = (
            sa.select(TABLE.c.id)
            .where(TABLE.c.state == "queued")
            .order_by(TABLE.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        row = await self._queries.first(
            sa.update(TABLE)
            .where(TABLE.c.id == one)
            .values(state="executing", owner=owner, lease_until=now + lease, started_at=now)
            .returning(TABLE)
        )
        return None if row is None else value(row)

    async def renew(self, execution_id: int, owner: str, until: datetime, now: datetime) -> bool:
        mine = (
            TABLE.c.id == execution_id,
            TABLE.c.owner == owner,
            TABLE.c.state == "executing",
            TABLE.c.lease_until > now,
            sa.not_(TABLE.c.orphaned),
        )
        return await self._queries.count(sa.update(TABLE).where(*mine).values(lease_until=until)) == 1

    async def tell(self, execution_id: int, owner: str, progress: model.Progress) -> bool:
        mine = (TABLE.c.id == execution_id, TABLE.c.owner == owner, TABLE.c.state == "executing")
        return await self._queries.count(sa.update(TABLE).where(*mine).values(progress=progress)) == 1

    async def ask_stop(self, proposal_id: int, user: str) -> bool:
        runs = (TABLE.c.proposal_id == proposal_id, TABLE.c.state != "done", TABLE.c.stop_by == "")
        return await self._queries.count(sa.update(TABLE).where(*runs).values(stop_by=user)) == 1

    async def stop_asked(self, execution_id: int) -> str:
        row = await self._queries.first(sa.select(TABLE.c.stop_by).where(TABLE.c.id == execution_id))
        return "" if row is None else str(row.stop_by)

    async def finish(self, execution_id: int, owner: str, outcome: model.Outcome, now: datetime) -> bool:
        mine = (TABLE.c.id == execution_id, TABLE.c.owner == owner, TABLE.c.state == "executing")
        ended = sa.update(TABLE).where(*mine).values(state="done", finished_at=now, outcome=outcome, lease_until=None)
        return await self._queries.count(ended) == 1

    async def orphans(self, owner: str, now: datetime, lease: timedelta) -> Sequence[proposals.Execution]:
        """As they were left, so that `owner` of each tells who left it."""
        left = await self._queries.all(
            sa.select(TABLE)
            .where(TABLE.c.state == "executing", querying.free(TABLE.c.lease_until, now, lease))
            .order_by(TABLE.c.id)
            .with_for_update(skip_locked=True)
        )
        if left:
            await self._queries.count(
                sa.update(TABLE)
                .where(TABLE.c.id.in_([row.id for row in left]))
                .values(owner=owner, lease_until=now + lease, orphaned=True)
            )
        return [value(row) for row in left]

    async def unseen(self, owner: str, now: datetime, since: datetime, lease: timedelta) -> proposals.Execution | None:
        """`lease_until` of one that is done says when it may be taken for this again."""
        free = querying.free(TABLE.c.lease_until, now, lease)
        one = (
            sa.select(TABLE.c.id)
            .where(TABLE.c.finished_at > since, _UNSEEN, free)
            .order_by(TABLE.c.lease_until.asc().nulls_first(), TABLE.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        taken = sa.update(TABLE).where(TABLE.c.id == one).values(owner=owner, lease_until=now + lease)
        row = await self._queries.first(taken.returning(TABLE))
        return None if row is None else value(row)

    async def settle(self, execution_id: int, owner: str, outcome: model.Outcome) -> bool:
        mine = (TABLE.c.id == execution_id, TABLE.c.owner == owner, _UNSEEN)
        return await self._queries.count(sa.update(TABLE).where(*mine).values(outcome=outcome, lease_until=None)) == 1

    async def tried(
        self, cluster: str, workload: model.ResourceRef, kind: str, since: datetime
    ) -> Sequence[memory.Try]:
        return await tries.tried(self._queries, cluster, workload, kind, since)

    async def ended(self, incident_ids: Sequence[int]) -> Sequence[memory.Try]:
        return await tries.ended(self._queries, incident_ids)
