"""A channel's report: claimed by its slot, counted from the rows of its period. Behind `ports.Reports`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import cards
from bot.store import executions, incidents, proposals, querying, sweeps, tables, verifications, watches

TABLE = querying.table(tables.Report)
NOISIEST = 5

_INCIDENT = incidents.TABLE.c
_PROPOSAL = proposals.TABLE.c


class Reports:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def claim(self, channel: str, slot: datetime, since: datetime, until: datetime, asked_by: str) -> int | None:
        claimed: int | None = await self._queries.scalar(
            postgresql.insert(TABLE)
            .values(channel=channel, slot=slot, since=since, until=until, asked_by=asked_by)
            .on_conflict_do_nothing()
            .returning(TABLE.c.id)
        )
        return claimed

    async def load(self, report_id: int) -> cards.Report | None:
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.id == report_id))
        if row is None:
            return None
        numbers = await self._numbers(row)
        swept = await self._sweeps(row)
        return cards.Report(
            id=row.id,
            channel=row.channel,
            since=row.since,
            until=row.until,
            asked_by=row.asked_by,
            opened=numbers.opened,
            resolved=numbers.resolved,
            still_open=await self._still_open(row),
            opened_before=numbers.opened_before,
            mtta_seconds=numbers.mtta,
            mttr_seconds=numbers.mttr,
            noisiest=await self._noisiest(row),
            actions=await self._actions(row),
            sweeps=swept.sweeps,
            failed_sweeps=swept.failed,
            muted=await self._muted(row),
        )

    async def channels(self) -> Sequence[str]:
        told = sa.select(watches.TABLE.c.channel).where(watches.TABLE.c.state != "removed")
        named = told.where(watches.TABLE.c.channel != "").distinct().order_by(watches.TABLE.c.channel)
        return [row.channel for row in await self._queries.all(named)]

    async def _numbers(self, period: querying.Row) -> Any:
        opened = _within(_INCIDENT.opened_at, period)
        resolved = _within(_INCIDENT.resolved_at, period)
        acknowledged = _within(_INCIDENT.acknowledged_at, period)
        before = period.since - (period.until - period.since)
        earlier = sa.and_(_INCIDENT.opened_at >= before, _INCIDENT.opened_at < period.since)
        return await self._queries.first(
            sa.select(
                sa.func.count().filter(opened).label("opened"),
                sa.func.count().filter(resolved).label("resolved"),
                sa.func.count().filter(earlier).label("opened_before"),
                _seconds(_INCIDENT.acknowledged_at).filter(acknowledged).label("mtta"),
                _seconds(_INCIDENT.resolved_at).filter(resolved).label("mttr"),
            ).where(_INCIDENT.channel == period.channel)
        )

    async def _still_open(self, period: querying.Row) -> Any:
        """At the end of the period, the most severe and oldest first."""
        rows = await self._queries.all(
            sa.select(incidents.TABLE)
            .where(
                _INCIDENT.channel == period.channel,
                _INCIDENT.opened_at < period.until,
                sa.or_(_INCIDENT.resolved_at.is_(None), _INCIDENT.resolved_at >= period.until),
            )
            .order_by(_INCIDENT.severity, _INCIDENT.opened_at, _INCIDENT.id)
        )
        return tuple(incidents.value(row) for row in rows)

    async def _noisiest(self, period: querying.Row) -> tuple[tuple[str, int], ...]:
        subject = sa.type_coerce(_INCIDENT.subject, postgresql.JSONB)
        name = sa.func.concat_ws("/", sa.func.nullif(subject["namespace"].astext, ""), subject["name"].astext)
        rows = await self._queries.all(
            sa.select(name.label("subject"), sa.func.count().label("times"))
            .where(_INCIDENT.channel == period.channel, _within(_INCIDENT.opened_at, period))
            .group_by(_INCIDENT.cluster, _INCIDENT.subject_key, name)
            .order_by(sa.desc("times"), sa.asc("subject"))
            .limit(NOISIEST)
        )
        return tuple((row.subject, row.times) for row in rows)

    async def _actions(self, period: querying.Row) -> Mapping[str, int]:
        """Of remedies: what people decided, how the others ended, whether they helped, what was taken back."""
        decided = proposals.DECISION.c
        verdict = sa.case((decided.verdict == "approve", "approved"), else_="rejected")
        ended = sa.type_coerce(executions.TABLE.c.outcome, postgresql.JSONB)["status"].astext
        counted = sa.union_all(
            _of_channel(verdict, proposals.DECISION, period).where(_within(decided.decided_at, period)),
            _of_channel(_PROPOSAL.state, None, period).where(
                _PROPOSAL.state.in_(("expired", "undone")), _within(_PROPOSAL.moved_at, period)
            ),
            _of_channel(ended, executions.TABLE, period).where(
                ended != "succeeded", _within(executions.TABLE.c.finished_at, period)
            ),
            _of_channel(verifications.TABLE.c.status, verifications.TABLE, period).where(
                _within(verifications.TABLE.c.finished_at, period)
            ),
        ).subquery()
        rows = await self._queries.all(
            sa.select(counted.c.ending, sa.func.count().label("times"))
            .group_by(counted.c.ending)
            .order_by(counted.c.ending)
        )
        return {row.ending: row.times for row in rows}

    async def _sweeps(self, period: querying.Row) -> Any:
        swept = sweeps.TABLE.c
        return await self._queries.first(
            sa.select(sa.func.count().label("sweeps"), sa.func.count().filter(swept.status == "failed").label("failed"))
            .join_from(sweeps.TABLE, watches.TABLE)
            .where(watches.TABLE.c.channel == period.channel, _within(swept.finished_at, period))
        )

    async def _muted(self, period: querying.Row) -> int:
        """As the last good sweep of each watch in the period left it out."""
        swept = sweeps.TABLE.c
        last = (
            sa.select(swept.muted)
            .join_from(sweeps.TABLE, watches.TABLE)
            .where(
                watches.TABLE.c.channel == period.channel,
                swept.status.not_in(("running", "failed")),
                _within(swept.finished_at, period),
            )
            .ext(postgresql.distinct_on(swept.watch_id))
            .order_by(swept.watch_id, swept.started_at.desc(), swept.id.desc())
            .subquery()
        )
        return int(await self._queries.scalar(sa.select(sa.func.coalesce(sa.func.sum(last.c.muted), 0))))


def _within(column: sa.ColumnElement[Any], period: querying.Row) -> sa.ColumnElement[bool]:
    return sa.and_(column >= period.since, column < period.until)


def _seconds(until: sa.ColumnElement[Any]) -> sa.Function[Any]:
    """The mean time from opening until then."""
    passed = sa.func.extract("epoch", until - _INCIDENT.opened_at)
    return sa.func.avg(sa.cast(passed, sa.Double))


def _of_channel(ending: Any, source: sa.Table | None, period: querying.Row) -> sa.Select[Any]:
    chosen = sa.select(ending.label("ending")).select_from(proposals.TABLE)
    if source is not None:
        chosen = chosen.join(source, source.c.proposal_id == _PROPOSAL.id)
    chosen = chosen.join(incidents.TABLE, _INCIDENT.id == _PROPOSAL.incident_id)
    return chosen.where(_INCIDENT.channel == period.channel, _PROPOSAL.kind == "remedy")
