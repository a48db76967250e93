"""Asking a model as rows: that one is asked about a diagnosis, and the ledger of the requests with what they cost.

Behind `ports.Advising` and `ports.Calls`; read by `cards`. Two locks of their own, held for one short transaction each,
serialise what several replicas must not do at the same moment: take up the same question, and spend the same money.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import consultations
from bot.store import columns, incidents, querying, tables, watches

ADVICE = querying.table(tables.Advice)
CALL = querying.table(tables.ModelCall)
DAY = timedelta(days=1)
LINES = 8
"""Of each list of `/watch cost`."""

KEYED = "/"
"""Between the version of a prompt and the key of what was asked with it: both are in one column, and a version is
hexadecimal."""
BEING_ASKED = "The model was not asked: it is being asked the same right now. Ask again in a minute"
_ASKING = timedelta(minutes=2)
"""A request that has no answer after this is not waited for."""

_CLAIM, _MONEY = 0x57_4B_41_44, 0x57_4B_24_24
"""Keys of the two advisory locks: any number that nobody else uses in this database."""
_OPEN = ("wanted", "running")


def value(row: querying.Row) -> consultations.Advice:
    return consultations.Advice(
        id=row.id,
        diagnosis_id=row.diagnosis_id,
        incident_id=row.incident_id,
        state=row.state,
        key=row.key,
        wanted_at=row.wanted_at,
        finished_at=row.finished_at,
        opinion=row.opinion,
        why=row.why,
        reused_of=row.reused_of,
        attempts=row.attempts,
    )


def call(row: querying.Row) -> consultations.Call:
    return consultations.Call(
        id=row.id,
        purpose=row.purpose,
        cluster=row.cluster,
        model=row.model,
        prompt=row.prompt.partition(KEYED)[0],
        started_at=row.started_at,
        sent=row.sent,
        incident_id=row.incident_id,
        watch_id=row.watch_id,
        question_id=row.question_id,
        finished_at=row.finished_at,
        stop=row.stop,
        error=row.error,
        usage=_usage(row),
        cost=row.cost,
        received=row.received,
    )


def _usage(row: querying.Row) -> consultations.Usage:
    counted = (row.input_tokens, row.output_tokens, row.written_tokens, row.read_tokens)
    return consultations.Usage(*(int(tokens or 0) for tokens in counted))


def _tokens() -> list[sa.ColumnElement[Any]]:
    """Their sums, for `_usage`."""
    names = ("input_tokens", "output_tokens", "written_tokens", "read_tokens")
    return [sa.func.sum(CALL.c[name]).label(name) for name in names]


async def _alone(queries: querying.Queries, lock: int) -> None:
    """Nobody else is here until the transaction ends."""
    await queries.scalar(sa.select(sa.func.pg_advisory_xact_lock(lock)))


class Advising:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def want(self, diagnosis_id: int, incident_id: int, key: str, now: datetime) -> None:
        passed = {"state": "none", "finished_at": now, "why": "A newer diagnosis came before the model was asked."}
        stale = (ADVICE.c.incident_id == incident_id, ADVICE.c.state == "wanted", ADVICE.c.diagnosis_id < diagnosis_id)
        await self._queries.count(sa.update(ADVICE).where(*stale).values(**passed))
        cluster = sa.select(incidents.TABLE.c.cluster).where(incidents.TABLE.c.id == incident_id).scalar_subquery()
        new = {"diagnosis_id": diagnosis_id, "incident_id": incident_id, "cluster": cluster, "state": "wanted"}
        wanted = postgresql.insert(ADVICE).values(**new, key=key, wanted_at=now)
        await self._queries.count(wanted.on_conflict_do_nothing(index_elements=[ADVICE.c.diagnosis_id]))

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> consultations.Advice | None:
        await _alone(self._queries, _CLAIM)
        asked = ADVICE.alias("asked")
        held = sa.and_(asked.c.state == "running", sa.not_(querying.free(asked.c.lease_until, now, lease)))
        twin = sa.exists().where(asked.c.cluster == ADVICE.c.cluster, asked.c.key == ADVICE.c.key, held)
        one = (
            sa.select(ADVICE.c.id)
            .where(ADVICE.c.state.in_(_OPEN), querying.free(ADVICE.c.lease_until, now, lease), sa.not_(twin))
            .order_by(ADVICE.c.wanted_at, ADVICE.c.id)
            .limit(1)
            .scalar_subquery()
        )
        row = await self._queries.first(
            sa.update(ADVICE)
            .where(ADVICE.c.id == one)
            .values(state="running", owner=owner, lease_until=now + lease, attempts=ADVICE.c.attempts + 1)
            .returning(ADVICE)
        )
        return None if row is None else value(row)

    async def renew(self, advice_id: int, owner: str, until: datetime) -> bool:
        mine = (ADVICE.c.id == advice_id, ADVICE.c.owner == owner, ADVICE.c.state == "running")
        return await self._queries.count(sa.update(ADVICE).where(*mine).values(lease_until=until)) == 1

    async def finish(self, done: consultations.Advice, owner: str) -> bool:
        mine = (ADVICE.c.id == done.id, ADVICE.c.owner == owner, ADVICE.c.state == "running")
        ended = sa.update(ADVICE).where(*mine)
        kept = ended.values(
            state=done.state,
            finished_at=done.finished_at,
            opinion=done.opinion,
            why=done.why,
            reused_of=done.reused_of,
            owner="",
            lease_until=None,
        )
        return await self._queries.count(kept) == 1

    async def of_diagnosis(self, diagnosis_id: int) -> consultations.Advice | None:
        row = await self._queries.first(sa.select(ADVICE).where(ADVICE.c.diagnosis_id == diagnosis_id))
        return None if row is None else value(row)

    async def spent(self, advice_id: int) -> consultations.CostLine | None:
        until = sa.func.coalesce(ADVICE.c.finished_at, sa.literal("infinity", columns.Text).cast(columns.MOMENT))
        made = sa.and_(
            CALL.c.incident_id == ADVICE.c.incident_id,
            CALL.c.purpose == "diagnosis",
            CALL.c.started_at.between(ADVICE.c.wanted_at, until),
        )
        row = await self._queries.first(
            sa.select(
                sa.func.count().label("calls"),
                sa.func.sum(sa.case((CALL.c.finished_at.is_(None), CALL.c.estimate), else_=CALL.c.cost)).label("cost"),
                sa.func.count().filter(CALL.c.error != "").label("failed"),
                *_tokens(),
            )
            .select_from(ADVICE.join(CALL, made))
            .where(ADVICE.c.id == advice_id)
        )
        if row is None or not row.calls:
            return None
        return consultations.CostLine("advice", row.calls, _usage(row), int(row.cost), row.failed)

    async def same(self, cluster: str, key: str, since: datetime) -> consultations.Advice | None:
        alike = (ADVICE.c.cluster == cluster, ADVICE.c.key == key, ADVICE.c.state == "done")
        original = (ADVICE.c.reused_of.is_(None), ADVICE.c.finished_at >= since)
        row = await self._queries.first(
            sa.select(ADVICE).where(*alike, *original).order_by(ADVICE.c.id.desc()).limit(1)
        )
        return None if row is None else value(row)


def _counted(now: datetime) -> sa.ColumnElement[Any]:
    """What a call counts: its cost; what was set aside for it while it may still come in; then nothing."""
    under_way = sa.and_(CALL.c.finished_at.is_(None), CALL.c.started_at > now - DAY)
    return sa.case((CALL.c.finished_at.is_not(None), CALL.c.cost), (under_way, CALL.c.estimate), else_=0)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Calls:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def reserve(self, new: consultations.NewCall, ceilings: consultations.Ceilings, now: datetime) -> int | str:
        await _alone(self._queries, _MONEY)
        spent = await self.spent(now, new.incident_id, new.watch_id)
        if over := spent.over(new.estimate, ceilings):
            return over
        prompt = f"{new.prompt}{KEYED}{new.key}" if new.key else new.prompt
        if new.key and await self._under_way(new.watch_id, prompt, now):
            return BEING_ASKED
        return int(
            await self._queries.scalar(
                sa.insert(CALL)
                .values(
                    purpose=new.purpose,
                    cluster=new.cluster,
                    watch_id=new.watch_id,
                    incident_id=new.incident_id,
                    question_id=new.question_id,
                    model=new.model,
                    prompt=prompt,
                    estimate=new.estimate,
                    started_at=now,
                    sent=new.sent,
                )
                .returning(CALL.c.id)
            )
        )

    async def finish(
        self,
        call_id: int,
        usage: consultations.Usage,
        cost: int,
        now: datetime,
        *,
        stop: str,
        received: str,
        error: str,
    ) -> None:
        await self._queries.count(
            sa.update(CALL)
            .where(CALL.c.id == call_id, CALL.c.finished_at.is_(None))
            .values(
                finished_at=now,
                stop=stop,
                error=error,
                received=received,
                cost=cost,
                input_tokens=usage.input,
                output_tokens=usage.output,
                written_tokens=usage.written,
                read_tokens=usage.read,
            )
        )

    async def _under_way(self, watch_id: int | None, prompt: str, now: datetime) -> bool:
        open_ = (CALL.c.watch_id == watch_id, CALL.c.started_at > now - _ASKING, CALL.c.finished_at.is_(None))
        return bool(await self._queries.scalar(sa.select(sa.exists().where(*open_, CALL.c.prompt == prompt))))

    async def answered(self, watch_id: int, key: str, since: datetime) -> consultations.Call | None:
        asked = (CALL.c.watch_id == watch_id, CALL.c.started_at >= since, CALL.c.incident_id.is_(None))
        done = (CALL.c.finished_at.is_not(None), CALL.c.error == "", CALL.c.stop == "end_turn", CALL.c.received != "")
        newest = sa.select(CALL).where(*asked, *done, CALL.c.prompt.endswith(f"{KEYED}{key}", autoescape=True))
        row = await self._queries.first(newest.order_by(CALL.c.id.desc()).limit(1))
        return None if row is None else call(row)

    async def of_incident(self, incident_id: int, limit: int) -> Sequence[consultations.Call]:
        newest = sa.select(CALL).where(CALL.c.incident_id == incident_id).order_by(CALL.c.id.desc()).limit(limit)
        return [call(row) for row in reversed(await self._queries.all(newest))]

    async def forget(self, before: datetime) -> int:
        gone = (CALL.c.started_at < before, sa.or_(CALL.c.sent != "", CALL.c.received != ""))
        return await self._queries.count(sa.update(CALL).where(*gone).values(sent="", received=""))

    async def spent(
        self, now: datetime, incident_id: int | None = None, watch_id: int | None = None
    ) -> consultations.Spent:
        today = CALL.c.started_at >= _midnight(now)
        counted = _counted(now)

        def total(*where: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
            return sa.select(sa.func.coalesce(sa.func.sum(counted), 0)).where(*where).scalar_subquery()

        nothing = sa.literal(0)
        row = await self._queries.first(
            sa.select(
                nothing if incident_id is None else total(CALL.c.incident_id == incident_id),
                nothing if watch_id is None else total(CALL.c.watch_id == watch_id, today),
                total(today),
            )
        )
        return consultations.Spent() if row is None else consultations.Spent(*(int(amount) for amount in row))

    async def costs(self, since: datetime, until: datetime) -> consultations.Costs:
        span = (CALL.c.started_at >= since, CALL.c.started_at < until)
        watch = sa.func.coalesce(watches.TABLE.c.name, "no watch")
        incident = sa.func.coalesce(sa.literal("WK-") + sa.cast(CALL.c.incident_id, sa.Text), "no incident")
        day = sa.func.to_char(sa.func.timezone("UTC", CALL.c.started_at), "YYYY-MM-DD")
        total = await self._lines(until, span, sa.literal("total"))
        by_day = await self._lines(until, span, day, newest=True)
        return consultations.Costs(
            since=since,
            until=until,
            total=total[0] if total else consultations.CostLine("total", 0, consultations.Usage(), 0),
            by_watch=await self._lines(until, span, watch),
            by_incident=await self._lines(until, span, incident),
            by_model=await self._lines(until, span, CALL.c.model),
            by_day=tuple(reversed(by_day)),
        )

    async def _lines(
        self,
        now: datetime,
        span: Sequence[sa.ColumnElement[bool]],
        name: sa.ColumnElement[Any],
        *,
        newest: bool = False,
    ) -> tuple[consultations.CostLine, ...]:
        """Summed by name: the dearest first, or the newest where names are days."""
        cost = sa.func.sum(_counted(now))
        named = name.label("name")
        rows = await self._queries.all(
            sa.select(
                named,
                sa.func.count().label("calls"),
                cost.label("cost"),
                sa.func.count().filter(CALL.c.error != "").label("failed"),
                *_tokens(),
            )
            .select_from(CALL.outerjoin(watches.TABLE, watches.TABLE.c.id == CALL.c.watch_id))
            .where(*span)
            .group_by(named)
            .order_by(named.desc() if newest else cost.desc(), named)
            .limit(LINES)
        )
        return tuple(
            consultations.CostLine(row.name, row.calls, _usage(row), int(row.cost), row.failed) for row in rows
        )
