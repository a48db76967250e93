"""What was done for a workload before, and whether it helped: the memory of remedies as one query.

Asked by `executions` (for the pipeline) and `cards` (for the message).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import memory
from bot.store import findings, querying, tables
from k8s import model

_INCIDENT = querying.table(tables.Incident)
_PROPOSAL = querying.table(tables.Proposal)
_VERIFICATION = querying.table(tables.Verification)


async def tried(
    queries: querying.Queries, cluster: str, workload: model.ResourceRef, kind: str, since: datetime
) -> Sequence[memory.Try]:
    """Remedies whose verification ended, begun since then, oldest first. Undos are no remedies, and not among them."""
    row, looked, about = _PROPOSAL.c, _VERIFICATION.c, _INCIDENT.c
    done = (
        sa.select(row.action, row.state, looked.started_at, looked.finished_at, looked.came_back_at, _again(kind))
        .select_from(_PROPOSAL)
        .join(_VERIFICATION, looked.proposal_id == row.id)
        .join(_INCIDENT, about.id == row.incident_id)
        .where(about.cluster == cluster, about.subject_key == findings.subject_key(workload), _has(_INCIDENT, kind))
        .where(row.kind == "remedy", looked.status != "pending", looked.started_at >= since)
        .order_by(looked.started_at, row.id)
    )
    return [_try(one) for one in await queries.all(done)]


async def ended(queries: querying.Queries, incident_ids: Sequence[int]) -> Sequence[memory.Try]:
    """Remedies of these incidents whose verification ended, oldest first, without how long they held."""
    row, looked = _PROPOSAL.c, _VERIFICATION.c
    done = (
        sa.select(row.action, row.state, looked.started_at)
        .select_from(_PROPOSAL)
        .join(_VERIFICATION, looked.proposal_id == row.id)
        .where(row.incident_id.in_(incident_ids), row.kind == "remedy", looked.status != "pending")
        .order_by(looked.started_at, row.id)
    )
    return [memory.Try(model.name_of(one.action), one.state, one.started_at) for one in await queries.all(done)]


def _again(kind: str) -> Any:
    """When the next episode of this kind of problem was opened for the workload."""
    following = _INCIDENT.alias("following")
    return (
        sa.select(sa.func.min(following.c.opened_at))
        .where(
            following.c.cluster == _INCIDENT.c.cluster,
            following.c.subject_key == _INCIDENT.c.subject_key,
            following.c.opened_at > _VERIFICATION.c.finished_at,
            _has(following, kind),
        )
        .correlate(_INCIDENT, _VERIFICATION)
        .scalar_subquery()
        .label("again")
    )


def _has(incidents: Any, kind: str) -> sa.ColumnElement[bool]:
    """The kinds of an incident as a JSON array: whether this one is among them."""
    kinds: sa.ColumnElement[Any] = sa.type_coerce(incidents.c.kinds, postgresql.JSONB)
    return kinds.op("?", is_comparison=True)(kind)


def _try(row: querying.Row) -> memory.Try:
    back = min((at for at in (row.came_back_at, row.again) if at is not None), default=None)
    ended = row.finished_at
    held = back - ended if row.state == "verified" and back is not None and ended is not None else None
    return memory.Try(model.name_of(row.action), row.state, row.started_at, held)
