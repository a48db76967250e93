"""Runbooks as rows, and which of them fit a problem: by kind and labels first, then by full-text search.

Behind `ports.Runbooks`. A runbook that names neither kinds nor labels could be about anything, so its words have to
speak for it: one in its name or title, or several in its text.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import consultations
from bot.store import columns, querying, tables

TABLE = querying.table(tables.Runbook)
WORDS = 40
"""Of a text that is searched for."""
ENOUGH = 3
"""Different words in the text of a runbook that make it fit by itself."""
_WORD = re.compile(r"[^\W_][\w.-]{1,60}[^\W_]")
_EMPTY = frozenset(
    {
        *("all", "and", "any", "are", "but", "can", "cannot", "could", "does", "for", "from", "has", "have", "into"),
        *("its", "last", "more", "not", "now", "off", "once", "one", "only", "since", "some", "than", "that", "the"),
        *("their", "them", "there", "this", "times", "true", "false", "was", "were", "what", "when", "which", "while"),
        *("with", "without", "you", "your", "container", "containers", "default", "deployment", "error", "errors"),
        *("exit", "failed", "failing", "message", "pod", "pods", "ready", "reason", "state", "status"),
    }
)
"""Words that tell nothing of what a text is about: of the language, and of every incident."""


def value(row: querying.Row) -> consultations.Runbook:
    return consultations.Runbook(
        name=row.name,
        title=row.title,
        body=row.body,
        source=row.source,
        kinds=row.kinds,
        labels=row.labels,
        cluster=row.cluster,
        added_by=row.added_by,
        added_at=row.added_at,
    )


def telling(text: str) -> tuple[str, ...]:
    """The words of a text that can be searched for, lower case, in their order."""
    found = (word.lower() for word in _WORD.findall(columns.clean(text)))
    return tuple(dict.fromkeys(word for word in found if word not in _EMPTY and not word.isdigit()))[:WORDS]


class Runbooks:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def put(self, one: consultations.Runbook, now: datetime) -> bool:
        said: dict[str, Any] = {
            "title": one.title,
            "body": one.body,
            "kinds": tuple(one.kinds),
            "labels": dict(one.labels),
        }
        insert = postgresql.insert(TABLE).values(
            name=one.name, source=one.source, cluster=one.cluster, added_by=one.added_by, added_at=now, **said
        )
        new = insert.excluded
        changed = insert.on_conflict_do_update(
            index_elements=[TABLE.c.cluster, TABLE.c.source, TABLE.c.name],
            set_={name: new[name] for name in (*said, "added_by", "added_at")},
            where=sa.or_(*(TABLE.c[name].is_distinct_from(new[name]) for name in said)),
        )
        return await self._queries.count(changed) == 1

    async def remove(self, source: str, name: str, cluster: str = "") -> bool:
        gone = sa.delete(TABLE).where(TABLE.c.source == source, TABLE.c.name == name, TABLE.c.cluster == cluster)
        return await self._queries.count(gone) == 1

    async def keep_only(self, source: str, cluster: str, names: Collection[str]) -> int:
        gone = sa.delete(TABLE).where(
            TABLE.c.source == source, TABLE.c.cluster == cluster, TABLE.c.name.not_in(list(names))
        )
        return await self._queries.count(gone)

    async def all(self) -> Sequence[consultations.Runbook]:
        rows = await self._queries.all(sa.select(TABLE).order_by(TABLE.c.name, TABLE.c.source, TABLE.c.cluster))
        return [value(row) for row in rows]

    async def matching(
        self, cluster: str, kinds: Collection[str], labels: Mapping[str, str], text: str, limit: int
    ) -> Sequence[consultations.Runbook]:
        words = telling(text)
        in_title, in_text = _hits(words, "{a}"), _hits(words, "{a,b}")
        kinds_said: Any = sa.type_coerce(TABLE.c.kinds, postgresql.JSONB)
        labels_said: Any = sa.type_coerce(TABLE.c.labels, postgresql.JSONB)
        any_kind = kinds_said == sa.literal([], postgresql.JSONB)
        no_labels = labels_said == sa.literal({}, postgresql.JSONB)
        of_kind = kinds_said.op("?|", is_comparison=True)(
            sa.cast(sa.literal(list(kinds), postgresql.ARRAY(sa.Text)), postgresql.ARRAY(sa.Text))
        )
        labelled = labels_said.op("<@", is_comparison=True)(sa.literal(dict(labels), postgresql.JSONB))
        scoped = sa.case((~any_kind, 2), else_=0) + sa.case((~no_labels, 1), else_=0)
        rows = await self._queries.all(
            sa.select(TABLE)
            .where(
                TABLE.c.cluster.in_(["", cluster]),
                sa.or_(any_kind, of_kind),
                labelled,
                sa.or_(scoped > 0, in_title > 0, in_text >= ENOUGH),
            )
            .order_by(scoped.desc(), in_title.desc(), in_text.desc(), TABLE.c.name, TABLE.c.id)
            .limit(limit)
        )
        return [value(row) for row in rows]


def _hits(words: Sequence[str], weights: Literal["{a}", "{a,b}"]) -> sa.ColumnElement[int]:
    """How many of the words a runbook has, where they weigh so much (a: name and title; b: the text)."""
    if not words:
        return sa.literal(0)
    asked = sa.func.unnest(sa.cast(sa.literal(list(words), postgresql.ARRAY(sa.Text)), postgresql.ARRAY(sa.Text)))
    each = asked.table_valued("word").render_derived()
    kept: Any = sa.func.ts_filter(TABLE.c.words, sa.literal_column(f"'{weights}'"))
    found = kept.op("@@", is_comparison=True)(sa.func.plainto_tsquery("simple", each.c.word))
    return sa.select(sa.func.count()).select_from(each).where(found).correlate(TABLE).scalar_subquery()
