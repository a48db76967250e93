"""Questions of people as rows: each message once, answered once, those of one incident in their order.

Behind `ports.Questions`; `cards` reads them for what the publisher shows.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import consultations
from bot.store import querying, tables

TABLE = querying.table(tables.Question)
_OPEN = ("wanted", "running")


def value(row: querying.Row) -> consultations.Question:
    return consultations.Question(
        id=row.id,
        incident_id=row.incident_id,
        channel=row.channel,
        thread_ts=row.thread_ts,
        ts=row.ts,
        user=row.user_id,
        text=row.text,
        state=row.state,
        asked_at=row.asked_at,
        answered_at=row.answered_at,
        answer=row.answer,
    )


class Questions:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def ask(self, new: consultations.Question) -> consultations.Question | None:
        insert = postgresql.insert(TABLE).values(
            incident_id=new.incident_id,
            channel=new.channel,
            thread_ts=new.thread_ts,
            ts=new.ts,
            user_id=new.user,
            text=new.text,
            state="wanted",
            asked_at=new.asked_at,
        )
        once = insert.on_conflict_do_nothing(index_elements=[TABLE.c.channel, TABLE.c.ts])
        row = await self._queries.first(once.returning(TABLE))
        return None if row is None else value(row)

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> consultations.Question | None:
        earlier = TABLE.alias("earlier")
        waits = (
            sa.select(earlier.c.id)
            .where(earlier.c.incident_id == TABLE.c.incident_id, earlier.c.id < TABLE.c.id, earlier.c.state.in_(_OPEN))
            .correlate(TABLE)
        )
        taken = await self._queries.scalar(
            sa.select(TABLE.c.id)
            .where(TABLE.c.state.in_(_OPEN), querying.free(TABLE.c.lease_until, now, lease), ~waits.exists())
            .order_by(TABLE.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if taken is None:
            return None
        row = await self._queries.first(
            sa.update(TABLE)
            .where(TABLE.c.id == taken)
            .values(state="running", owner=owner, lease_until=now + lease)
            .returning(TABLE)
        )
        return None if row is None else value(row)

    async def renew(self, question_id: int, owner: str, until: datetime) -> bool:
        mine = sa.update(TABLE).where(TABLE.c.id == question_id, TABLE.c.owner == owner, TABLE.c.state == "running")
        return await self._queries.count(mine.values(lease_until=until)) == 1

    async def finish(self, done: consultations.Question, owner: str) -> bool:
        mine = sa.update(TABLE).where(TABLE.c.id == done.id, TABLE.c.owner == owner, TABLE.c.state == "running")
        return (
            await self._queries.count(
                mine.values(
                    state=done.state, answered_at=done.answered_at, answer=done.answer, owner="", lease_until=None
                )
            )
            == 1
        )

    async def get(self, question_id: int) -> consultations.Question | None:
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.id == question_id))
        return None if row is None else value(row)

    async def of_incident(self, incident_id: int, limit: int) -> Sequence[consultations.Question]:
        newest = (
            sa.select(TABLE)
            .where(TABLE.c.incident_id == incident_id, TABLE.c.state == "answered")
            .order_by(TABLE.c.id.desc())
            .limit(limit)
        )
        return [value(row) for row in reversed(await self._queries.all(newest))]
