"""Slack messages as rows: what each should show, what it shows, and when it may be touched. Behind `ports.Views`.

When a view is due. `due` holds the earliest moment that somebody asked for since it was last taken up; a person's press
asks for now, and nothing makes it wait. `paced_due` holds the same for background changes; they also wait for
`paced_until`, the pace that `shown` sets. Taking a view up (`claim`) clears both, so what is asked for while Slack is
being told counts for the next edit and is not lost.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import ports
from bot.store import columns, querying, tables

TABLE = querying.table(tables.MessageView)
_QUESTION = querying.table(tables.Question)
_TOP = ("parent", "report", "breaker")
"""Kinds that stand in a channel by themselves. An answer stands in the thread of its question; all others are replies
to their incident's parent."""
_NEVER = sa.literal("infinity", columns.Text).cast(columns.MOMENT)


def _least(one: Any, other: Any) -> sa.ColumnElement[Any]:
    """The earlier of two moments; the other one where one is null."""
    return sa.func.least(one, other)


_FREE = TABLE.c.lease_until.is_(None)
_PACED = sa.func.greatest(sa.func.coalesce(TABLE.c.paced_due, _NEVER), TABLE.c.paced_until)
_DUE = _least(TABLE.c.due, _PACED)


def _about(report_id: int | None, question_id: int | None) -> sa.ColumnElement[Any]:
    """The column that tells what the message is about."""
    if report_id is not None:
        return TABLE.c.report_id
    return TABLE.c.incident_id if question_id is None else TABLE.c.question_id


class Views:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def want(
        self,
        kind: ports.ViewKind,
        *,
        channel: str,
        incident_id: int | None = None,
        report_id: int | None = None,
        question_id: int | None = None,
        due: datetime,
        paced: bool = False,
    ) -> None:
        insert = postgresql.insert(TABLE).values(
            kind=kind,
            channel=channel,
            incident_id=incident_id,
            report_id=report_id,
            question_id=question_id,
            due=None if paced else due,
            paced_due=due if paced else None,
        )
        about = _about(report_id, question_id)
        await self._queries.count(
            insert.on_conflict_do_update(
                index_elements=[TABLE.c.kind, about],
                set_={
                    "wanted": TABLE.c.wanted + 1,
                    "channel": sa.case((TABLE.c.ts == "", insert.excluded.channel), else_=TABLE.c.channel),
                    "due": _least(TABLE.c.due, insert.excluded.due),
                    "paced_due": _least(TABLE.c.paced_due, insert.excluded.paced_due),
                },
            )
        )

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> ports.View | None:
        parent = TABLE.alias("parent")
        is_answer = TABLE.c.kind == "answer"
        above = sa.and_(parent.c.kind == "parent", parent.c.incident_id == TABLE.c.incident_id)
        is_top = TABLE.c.kind.in_(_TOP)
        taken = await self._queries.first(
            sa.select(
                TABLE.c.id,
                sa.func.coalesce(_QUESTION.c.thread_ts, parent.c.ts).label("thread_ts"),
                sa.func.coalesce(_QUESTION.c.channel, parent.c.channel).label("thread_channel"),
                is_top.label("is_top"),
            )
            .outerjoin(parent, above)
            .outerjoin(_QUESTION, _QUESTION.c.id == TABLE.c.question_id)
            .where(
                TABLE.c.wanted > TABLE.c.shown,
                sa.case((_FREE, now >= _DUE), else_=querying.free(TABLE.c.lease_until, now, lease)),
                sa.or_(is_top, is_answer, parent.c.ts != ""),
            )
            .order_by(is_top.desc(), _DUE.nulls_first(), TABLE.c.id)
            .limit(1)
            .with_for_update(of=TABLE, skip_locked=True)
        )
        if taken is None:
            return None
        where: dict[str, Any] = {} if taken.is_top else {"channel": taken.thread_channel}
        row = await self._queries.first(
            sa.update(TABLE)
            .where(TABLE.c.id == taken.id)
            .values(owner=owner, lease_until=now + lease, due=None, paced_due=None, **where)
            .returning(TABLE)
        )
        return None if row is None else _value(row, "" if taken.is_top else taken.thread_ts)

    async def posting(self, view_id: int, now: datetime) -> None:
        """The first try counts, so that a later one looks back far enough."""
        await self._set(view_id, posting_since=sa.func.coalesce(TABLE.c.posting_since, now))

    async def shown(
        self, view_id: int, *, version: int, ts: str, channel: str, now: datetime, next_due: datetime
    ) -> None:
        newer = TABLE.c.wanted > version
        pressed = sa.case(
            (TABLE.c.due <= now, TABLE.c.due),
            (TABLE.c.due.is_not(None), sa.func.greatest(TABLE.c.due, next_due)),
            (TABLE.c.paced_due.is_(None), next_due),
            else_=None,
        )
        await self._set(
            view_id,
            shown=sa.func.greatest(TABLE.c.shown, version),
            ts=ts,
            channel=channel,
            posting_since=None,
            attempts=0,
            error="",
            owner="",
            lease_until=None,
            due=sa.case((newer, pressed), else_=None),
            paced_due=sa.case((newer, TABLE.c.paced_due), else_=None),
            paced_until=next_due,
        )

    async def failed(self, view_id: int, error: str, retry_at: datetime) -> None:
        """Nothing before `retry_at`, whoever asked meanwhile: Slack's own word on when to come back is kept."""
        await self._set(
            view_id,
            attempts=TABLE.c.attempts + 1,
            error=error,
            owner="",
            lease_until=None,
            due=retry_at,
            paced_due=None,
        )

    async def lost(self, view_id: int, now: datetime) -> None:
        row = await self._queries.first(sa.select(TABLE.c.kind, TABLE.c.incident_id).where(TABLE.c.id == view_id))
        if row is None:
            return
        gone = TABLE.c.incident_id == row.incident_id if row.kind == "parent" else TABLE.c.id == view_id
        await self._queries.count(
            sa.update(TABLE)
            .where(gone)
            .values(
                ts="",
                key=sa.text("(gen_random_uuid())::text"),
                wanted=TABLE.c.wanted + 1,
                due=now,
                paced_due=None,
                posting_since=None,
                owner="",
                lease_until=None,
            )
        )

    async def version(self, kind: ports.ViewKind, incident_id: int) -> int:
        mine = sa.select(TABLE.c.wanted).where(TABLE.c.kind == kind, TABLE.c.incident_id == incident_id)
        return int(await self._queries.scalar(mine) or 0)

    async def incident_of(self, channel: str, ts: str) -> int | None:
        """Of a parent or of any reply."""
        if not ts:
            return None
        known = (
            sa.select(sa.func.coalesce(TABLE.c.incident_id, _QUESTION.c.incident_id))
            .outerjoin(_QUESTION, _QUESTION.c.id == TABLE.c.question_id)
            .where(TABLE.c.channel == channel, TABLE.c.ts == ts)
        )
        found: int | None = await self._queries.scalar(known.limit(1))
        return found

    async def _set(self, view_id: int, **values: Any) -> None:
        await self._queries.count(sa.update(TABLE).where(TABLE.c.id == view_id).values(**values))


def _value(row: querying.Row, thread_ts: str) -> ports.View:
    return ports.View(
        id=row.id,
        kind=row.kind,
        incident_id=row.incident_id,
        report_id=row.report_id,
        question_id=row.question_id,
        channel=row.channel,
        ts=row.ts,
        wanted=row.wanted,
        shown=row.shown,
        key=row.key,
        thread_ts=thread_ts,
        posting_since=row.posting_since,
        attempts=row.attempts,
    )
