"""Proposals and decisions as rows; every change of state is a compare-and-set. Behind `ports.Proposals`."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot import errors
from bot.domain import proposals
from bot.store import executions, incidents, querying, tables
from k8s import guardrails, model

TABLE = querying.table(tables.Proposal)
DECISION = querying.table(tables.Decision)


def value(row: querying.Row) -> proposals.Proposal:
    return proposals.Proposal(
        id=row.id,
        incident_id=row.incident_id,
        kind=row.kind,
        undo_of=row.undo_of,
        action=row.action,
        planned_at=row.planned_at,
        operations=row.operations,
        pins=row.pins,
        digest=row.digest,
        policy=row.policy,
        kubectl=row.kubectl,
        summary=row.summary,
        why=row.why,
        risk=row.risk,
        blast=row.blast,
        inverse=row.inverse,
        irreversible=row.irreversible,
        diff=row.diff,
        warnings=row.warnings,
        state=row.state,
        created_at=row.created_at,
        expires_at=row.expires_at,
        proposer=row.proposer,
        rule=row.rule,
        tier_reasons=row.tier_reasons,
        approvals=row.approvals,
        reason_required=row.reason_required,
    )


def decision(row: querying.Row) -> proposals.Decision:
    return proposals.Decision(row.proposal_id, row.user_id, row.verdict, row.reason, row.decided_at)


class Proposals:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def add(self, new: proposals.Proposal) -> proposals.Proposal:
        """Raises NotPossible where the incident has an open remedy (or the remedy an open undo): supersede it first."""
        insert = (
            postgresql.insert(TABLE)
            .values(
                incident_id=new.incident_id,
                kind=new.kind,
                undo_of=new.undo_of,
                action=new.action,
                planned_at=new.planned_at,
                operations=new.operations,
                pins=dict(new.pins),
                digest=new.digest,
                policy=new.policy,
                kubectl=new.kubectl,
                summary=new.summary,
                why=new.why,
                risk=new.risk,
                blast=new.blast,
                inverse=new.inverse,
                irreversible=new.irreversible,
                diff=new.diff,
                warnings=new.warnings,
                state=new.state,
                created_at=new.created_at,
                expires_at=new.expires_at,
                moved_at=new.created_at,
                proposer=new.proposer,
                rule=new.rule,
                tier_reasons=new.tier_reasons,
                approvals=new.approvals,
                reason_required=new.reason_required,
            )
            .on_conflict_do_nothing()
            .returning(TABLE)
        )
        row = await self._queries.first(insert)
        if row is None:
            raise errors.NotPossible(f"WK-{new.incident_id} has an open proposal already: it must end first.")
        return value(row)

    async def get(self, proposal_id: int) -> proposals.Proposal | None:
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.id == proposal_id))
        return None if row is None else value(row)

    async def lock(self, proposal_id: int) -> proposals.Proposal | None:
        """Rows that refer to it may be added meanwhile; it itself is not changed."""
        row = await self._queries.first(
            sa.select(TABLE).where(TABLE.c.id == proposal_id).with_for_update(key_share=True)
        )
        return None if row is None else value(row)

    async def of_incident(self, incident_id: int) -> Sequence[proposals.Proposal]:
        mine = sa.select(TABLE).where(TABLE.c.incident_id == incident_id).order_by(TABLE.c.id)
        return [value(row) for row in await self._queries.all(mine)]

    async def move(self, proposal_id: int, before: proposals.State, after: proposals.State, now: datetime) -> bool:
        """Raises ValueError for a step that `proposals.FOLLOWS` does not know: no state of the rows allows it."""
        if not proposals.may_follow(before, after):
            raise ValueError(f"a proposal never goes from {before} to {after}")
        moved = sa.update(TABLE).where(TABLE.c.id == proposal_id, TABLE.c.state == before)
        if after == "approved":
            moved = moved.where(TABLE.c.expires_at > now)
        return await self._queries.count(moved.values(state=after, moved_at=now)) == 1

    async def decide(self, decision: proposals.Decision) -> bool:
        """One approval and one rejection of each person; the first stands."""
        added = await self._queries.count(
            postgresql.insert(DECISION)
            .values(
                proposal_id=decision.proposal_id,
                user_id=decision.user,
                verdict=decision.verdict,
                reason=decision.reason,
                decided_at=decision.at,
            )
            .on_conflict_do_nothing()
        )
        return added == 1

    async def decisions(self, proposal_id: int) -> Sequence[proposals.Decision]:
        made = sa.select(DECISION).where(DECISION.c.proposal_id == proposal_id).order_by(DECISION.c.id)
        return [decision(row) for row in await self._queries.all(made)]

    async def decision(self, proposal_id: int) -> proposals.Decision | None:
        """The last one."""
        made = sa.select(DECISION).where(DECISION.c.proposal_id == proposal_id)
        row = await self._queries.first(made.order_by(DECISION.c.id.desc()).limit(1))
        return None if row is None else decision(row)

    async def expired(self, now: datetime) -> Sequence[proposals.Proposal]:
        late = (
            sa.select(TABLE)
            .where(TABLE.c.state == "proposed", TABLE.c.expires_at <= now)
            .order_by(TABLE.c.id)
            .with_for_update(skip_locked=True)
        )
        return [value(row) for row in await self._queries.all(late)]

    async def recent_executions(self, cluster: str, since: datetime, *, besides: int = 0) -> guardrails.History:
        """Begun since then, oldest first. Status: `executing`, or what the proposal has become by it."""
        begun = (
            sa.select(
                TABLE.c.action,
                TABLE.c.inverse,
                TABLE.c.state,
                executions.TABLE.c.started_at,
                executions.TABLE.c.state.label("execution"),
                executions.TABLE.c.outcome,
            )
            .join(executions.TABLE, executions.TABLE.c.proposal_id == TABLE.c.id)
            .join(incidents.TABLE, incidents.TABLE.c.id == TABLE.c.incident_id)
            .where(incidents.TABLE.c.cluster == cluster, executions.TABLE.c.started_at >= since, TABLE.c.id != besides)
            .order_by(executions.TABLE.c.started_at, executions.TABLE.c.id)
        )
        return guardrails.History(tuple(_past(row) for row in await self._queries.all(begun)))


def _past(row: querying.Row) -> guardrails.PastExecution:
    return guardrails.PastExecution(
        action_name=model.name_of(row.action),
        workload=model.subject_of(row.action),
        at=row.started_at,
        status=_status(row),
        inverse=row.inverse,
    )


def _status(row: querying.Row) -> str:
    """An unknown end after which the cluster was seen without the change is a failed one: nothing waits for it. A
    command that was run and failed is `not-verified`: it counts as done, for cooldowns and limits."""
    if row.execution == "executing":
        return "executing"
    if row.state == "failed" and row.outcome is not None and row.outcome.written:
        return "not-verified"
    seen_without = row.state == "unknown" and row.outcome is not None and row.outcome.written is False
    return "failed" if seen_without else str(row.state)
