"""Findings as rows: since when each has been seen without a gap. Behind `ports.Findings`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.store import columns, querying, tables
from k8s import model

TABLE = querying.table(tables.Finding)
_BATCH = 50
"""Rows a statement: more of them at once keep the event loop, and the open transaction, waiting while it is built."""


def subject_key(subject: model.ResourceRef) -> str:
    """What tells one subject from another: its uid, or what it is called where that is not known."""
    return columns.clean(subject.uid or str(subject))


class Findings:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def observe(
        self, cluster: str, problems: Sequence[model.Problem], sweep_id: int, now: datetime
    ) -> Mapping[str, datetime]:
        rows: dict[tuple[str, str, str], dict[str, Any]] = {}
        names: dict[tuple[str, str, str], str] = {}
        for problem in problems:
            for finding in problem.findings:
                key = (subject_key(problem.subject), columns.clean(finding.kind), columns.clean(finding.cause))
                names[key] = f"{problem.subject.uid or problem.subject}:{finding.kind}:{finding.cause}"
                rows.setdefault(key, _row(cluster, problem, finding, sweep_id, now))
        ordered = [rows[key] for key in sorted(rows)]
        first: dict[str, datetime] = {}
        for start in range(0, len(ordered), _BATCH):
            for seen in await self._queries.all(_upsert(ordered[start : start + _BATCH])):
                first[names[seen.subject_key, seen.kind, seen.cause]] = seen.first_seen
        return first

    async def forget(self, cluster: str, before: datetime) -> None:
        await self._queries.count(sa.delete(TABLE).where(TABLE.c.cluster == cluster, TABLE.c.last_seen < before))


def _row(cluster: str, problem: model.Problem, finding: model.Finding, sweep_id: int, now: datetime) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "subject_key": subject_key(problem.subject),
        "kind": finding.kind,
        "cause": finding.cause,
        "subject": problem.subject,
        "resource": finding.resource,
        "severity": finding.severity,
        "first_seen": now,
        "last_seen": now,
        "sweep_id": sweep_id,
    }


def _upsert(rows: Sequence[Mapping[str, Any]]) -> sa.Executable:
    """Later sweeps only move `last_seen` on; never back, as the clocks of replicas differ."""
    insert = postgresql.insert(TABLE).values(list(rows))
    return insert.on_conflict_do_update(
        index_elements=[TABLE.c.cluster, TABLE.c.subject_key, TABLE.c.kind, TABLE.c.cause],
        set_={
            "last_seen": sa.func.greatest(TABLE.c.last_seen, insert.excluded.last_seen),
            "resource": insert.excluded.resource,
            "severity": insert.excluded.severity,
            "sweep_id": insert.excluded.sweep_id,
        },
    ).returning(TABLE.c.subject_key, TABLE.c.kind, TABLE.c.cause, TABLE.c.first_seen)
