"""What sweeps learnt of workloads, as rows: one for each workload, container and family. Behind `ports.Baselines`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.store import columns, findings, querying, tables
from k8s import history, model

TABLE = querying.table(tables.Baseline)
KEPT: Mapping[history.Family, timedelta] = {
    "restarts": timedelta(days=14),
    "memory": timedelta(hours=26),
    "logs": timedelta(days=3),
}
"""How long a state that no sweep changes is kept: some of its half-lives, or as long as its samples count."""
_BATCH = 50
"""Rows a statement. A state has a few kilobytes at most, and each statement holds the event loop while its states are
made to JSON, or read from it: with 200 of them for up to 0.16 s, while Slack waits for an answer."""
_KEY = (TABLE.c.subject_key, TABLE.c.container, TABLE.c.family)


class Baselines:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def known(self, cluster: str, families: Sequence[history.Family], namespace: str = "") -> history.History:
        asked = sa.select(*_KEY, TABLE.c.subject, TABLE.c.state).where(
            TABLE.c.cluster == cluster, TABLE.c.family.in_(families)
        )
        if namespace:
            asked = asked.where(TABLE.c.namespace == namespace)
        restarts: dict[history.Place, history.Restarts] = {}
        memory: dict[history.Place, history.Memory] = {}
        logs: dict[history.Place, history.Logs] = {}
        rows = await self._page(asked, None)
        while rows:
            for row in rows:
                place = history.Place(*_names(row.subject), row.container)
                match row.state:
                    case history.Restarts():
                        restarts[place] = row.state
                    case history.Memory():
                        memory[place] = row.state
                    case history.Logs():
                        logs[place] = row.state
            rows = await self._page(asked, rows[-1]) if len(rows) == _BATCH else ()
        return history.History(restarts, memory, logs, kept=True)

    async def _page(self, asked: sa.Select[Any], after: querying.Row | None) -> Sequence[querying.Row]:
        """The rows after this one, by their key."""
        if after is not None:
            key = (sa.literal(getattr(after, column.name)) for column in _KEY)
            asked = asked.where(sa.tuple_(*_KEY) > sa.tuple_(*key))
        return await self._queries.all(asked.order_by(*_KEY).limit(_BATCH))

    async def keep(self, cluster: str, changes: history.History, now: datetime) -> None:
        rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        for place, state in changes:
            row = _row(cluster, place, state, now)
            rows[row["subject_key"], row["container"], row["family"]] = row
        ordered = [rows[key] for key in sorted(rows)]  # all replicas lock rows in one order
        for start in range(0, len(ordered), _BATCH):
            await self._queries.count(_upsert(ordered[start : start + _BATCH]))

    async def forget(self, cluster: str, now: datetime) -> None:
        old = [sa.and_(TABLE.c.family == family, TABLE.c.changed_at < now - kept) for family, kept in KEPT.items()]
        youngest = now - min(KEPT.values())
        await self._queries.count(
            sa.delete(TABLE).where(TABLE.c.cluster == cluster, TABLE.c.changed_at < youngest, sa.or_(*old))
        )


def _names(subject: model.ResourceRef) -> tuple[str, str, str, str]:
    return subject.kind, subject.namespace, subject.name, subject.uid


def _family(state: history.State) -> history.Family:
    match state:
        case history.Restarts():
            return "restarts"
        case history.Memory():
            return "memory"
        case history.Logs():
            return "logs"


def _row(cluster: str, place: history.Place, state: history.State, now: datetime) -> dict[str, Any]:
    subject = model.ResourceRef(place.kind, place.namespace, place.name, place.uid)
    return {
        "cluster": cluster,
        "subject_key": findings.subject_key(subject),
        "container": columns.clean(place.container),
        "family": _family(state),
        "namespace": place.namespace,
        "subject": subject,
        "state": state,
        "changed_at": now,
    }


def _upsert(rows: Sequence[Mapping[str, Any]]) -> sa.Executable:
    insert = postgresql.insert(TABLE).values(list(rows))
    return insert.on_conflict_do_update(
        index_elements=[TABLE.c.cluster, TABLE.c.subject_key, TABLE.c.container, TABLE.c.family],
        set_={
            "namespace": insert.excluded.namespace,
            "subject": insert.excluded.subject,
            "state": insert.excluded.state,
            "changed_at": insert.excluded.changed_at,
        },
    )
