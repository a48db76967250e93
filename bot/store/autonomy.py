"""Announcements of what is done by itself, and the breakers of watches, as rows. Behind `ports.Alone`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import autonomy, proposals
from bot.store import findings, querying, tables
from k8s import model

TABLE = querying.table(tables.Announcement)
BREAKER = querying.table(tables.Breaker)
_PROPOSAL = querying.table(tables.Proposal)
_VERIFICATION = querying.table(tables.Verification)
_VIEW = querying.table(tables.MessageView)
_OPEN = TABLE.c.state.in_(sorted(autonomy.OPEN))
_UNDER_WAY = sa.and_(TABLE.c.state == "started", TABLE.c.ended == "")


def value(row: querying.Row) -> autonomy.Announcement:
    return autonomy.Announcement(
        proposal_id=row.proposal_id,
        incident_id=row.incident_id,
        watch_id=row.watch_id,
        cluster=row.cluster,
        state=row.state,
        rule=row.rule,
        delay=timedelta(seconds=row.delay_seconds),
        version=row.version,
        announced_at=row.announced_at,
        at=row.at,
        ts=row.ts,
        moved_at=row.moved_at,
        by=row.by,
        why=row.why,
        end=row.ended,
    )


def breaker(row: querying.Row) -> autonomy.Breaker:
    return autonomy.Breaker(
        watch_id=row.watch_id,
        bad=row.bad,
        opened_at=row.opened_at,
        why=row.why,
        incident_id=row.incident_id,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
    )


class Alone:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def announce(self, new: autonomy.Announcement, workload: model.ResourceRef) -> bool:
        added = await self._queries.count(
            postgresql.insert(TABLE)
            .values(
                proposal_id=new.proposal_id,
                incident_id=new.incident_id,
                watch_id=new.watch_id,
                cluster=new.cluster,
                subject_key=findings.subject_key(workload),
                state=new.state,
                rule=new.rule,
                delay_seconds=int(new.delay.total_seconds()),
                version=new.version,
                announced_at=new.announced_at,
            )
            .on_conflict_do_nothing()
        )
        return added == 1

    async def get(self, proposal_id: int) -> autonomy.Announcement | None:
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.proposal_id == proposal_id))
        return None if row is None else value(row)

    async def due(self, now: datetime) -> tuple[autonomy.Announcement, autonomy.Shown] | None:
        told = sa.and_(_VIEW.c.ts != "", _VIEW.c.shown >= TABLE.c.version)
        late = TABLE.c.at <= now
        ready = sa.or_(
            sa.and_(TABLE.c.state == "waiting", told),
            sa.and_(TABLE.c.state == "counting", late),
            sa.and_(TABLE.c.state == "starting", late, sa.or_(told, TABLE.c.at <= now - autonomy.PATIENCE)),
        )
        row = await self._queries.first(
            sa.select(TABLE, _VIEW.c.shown.label("shown"), _VIEW.c.ts.label("shown_ts"))
            .join(_PROPOSAL, _PROPOSAL.c.id == TABLE.c.proposal_id)
            .join(_VIEW, sa.and_(_VIEW.c.kind == "parent", _VIEW.c.incident_id == TABLE.c.incident_id))
            .where(_OPEN, _PROPOSAL.c.state == "proposed", _PROPOSAL.c.expires_at > now, ready)
            .order_by(TABLE.c.proposal_id)
            .limit(1)
            .with_for_update(of=TABLE, skip_locked=True)
        )
        return None if row is None else (value(row), autonomy.Shown(row.shown, row.shown_ts))

    async def save(self, changed: autonomy.Announcement) -> bool:
        """Compare-and-set: what was stopped, started or dropped stays so."""
        saved = (
            sa.update(TABLE)
            .where(TABLE.c.proposal_id == changed.proposal_id, _OPEN)
            .values(
                state=changed.state,
                version=changed.version,
                at=changed.at,
                ts=changed.ts,
                moved_at=changed.moved_at,
                by=changed.by,
                why=changed.why,
            )
        )
        return await self._queries.count(saved) == 1

    async def stopped(self, incident_id: int) -> bool:
        one = sa.select(TABLE.c.proposal_id).where(TABLE.c.incident_id == incident_id, TABLE.c.state == "stopped")
        return await self._queries.first(one.limit(1)) is not None

    async def under_way(self, watch_id: int) -> bool:
        one = sa.select(TABLE.c.proposal_id).where(TABLE.c.watch_id == watch_id, _UNDER_WAY)
        return await self._queries.first(one.limit(1)) is not None

    async def done(self, cluster: str, workload: model.ResourceRef, since: datetime) -> tuple[int, int]:
        mine = sa.func.count().filter(TABLE.c.subject_key == findings.subject_key(workload))
        row = await self._queries.first(
            sa.select(mine.label("mine"), sa.func.count().label("all")).where(
                TABLE.c.cluster == cluster, TABLE.c.state == "started", TABLE.c.moved_at > since
            )
        )
        return (0, 0) if row is None else (row.mine, row.all)

    async def settled(self) -> tuple[autonomy.Announcement, proposals.State, proposals.Check | None] | None:
        row = await self._queries.first(
            sa.select(TABLE, _PROPOSAL.c.state.label("ended_as"), _VERIFICATION.c.status.label("checked"))
            .join(_PROPOSAL, _PROPOSAL.c.id == TABLE.c.proposal_id)
            .outerjoin(_VERIFICATION, _VERIFICATION.c.proposal_id == TABLE.c.proposal_id)
            .where(
                _UNDER_WAY,
                _PROPOSAL.c.state.not_in(sorted(proposals.RUNNING)),
                sa.func.coalesce(_VERIFICATION.c.status, "") != "pending",
            )
            .order_by(TABLE.c.moved_at, TABLE.c.proposal_id)
            .limit(1)
            .with_for_update(of=TABLE, skip_locked=True)
        )
        return None if row is None else (value(row), row.ended_as, row.checked)

    async def end(self, proposal_id: int, end: autonomy.End) -> None:
        mine = (TABLE.c.proposal_id == proposal_id, _UNDER_WAY)
        await self._queries.count(sa.update(TABLE).where(*mine).values(ended=end))

    async def breaker(self, watch_id: int, *, lock: bool = False) -> autonomy.Breaker:
        found = sa.select(BREAKER).where(BREAKER.c.watch_id == watch_id)
        if lock:
            await self._queries.count(postgresql.insert(BREAKER).values(watch_id=watch_id).on_conflict_do_nothing())
            found = found.with_for_update()
        row = await self._queries.first(found)
        return autonomy.Breaker(watch_id) if row is None else breaker(row)

    async def set_breaker(self, changed: autonomy.Breaker) -> None:
        await self._queries.count(
            sa.update(BREAKER)
            .where(BREAKER.c.watch_id == changed.watch_id)
            .values(
                bad=changed.bad,
                opened_at=changed.opened_at,
                why=changed.why,
                incident_id=changed.incident_id,
                closed_at=changed.closed_at,
                closed_by=changed.closed_by,
            )
        )


async def breakers(queries: querying.Queries, watch_ids: Sequence[int]) -> dict[int, autonomy.Breaker]:
    """Of these watches, where they have one."""
    rows = await queries.all(sa.select(BREAKER).where(BREAKER.c.watch_id.in_(list(watch_ids))))
    return {row.watch_id: breaker(row) for row in rows}
