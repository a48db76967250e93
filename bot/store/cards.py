"""Read models: everything that one message or page shows, in a handful of queries. Behind `ports.Cards`.

What the rows do not know is left empty for whoever does: `approvers` (the policy), `previous_link` (Slack makes it from
`previous_channel` and `previous_ts`), `next_tick` (the schedules) and `health`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain import cards, consultations, diagnoses, linking, memory, proposals
from bot.store import autonomy, executions, incidents, querying, questions, sweeps, tries, verifications, views, watches
from bot.store import consultations as consultation_rows
from bot.store import diagnoses as diagnosis_rows
from bot.store import proposals as proposal_rows
from k8s import model

RECURRENCE = timedelta(days=30)

_INCIDENT = incidents.TABLE.c
_PROPOSAL = proposal_rows.TABLE.c


_Diagnosed = tuple[
    diagnoses.Diagnosis | None, tuple[diagnoses.Evidence, ...], tuple[str, ...], consultations.Advice | None
]


class Cards:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def incident(self, incident_id: int) -> cards.IncidentCard | None:
        """`recurrences` counts the 30 days before this episode opened."""
        row = await self._queries.first(_with_surroundings(incident_id))
        if row is None:
            return None
        diagnosis, evidence, refused, advice = await self._diagnosis(incident_id)
        mine = sa.select(proposal_rows.TABLE).where(_PROPOSAL.incident_id == incident_id).order_by(_PROPOSAL.id)
        told = await self._proposals(await self._queries.all(mine))
        remedies = [card for card in told if card.proposal.kind == "remedy"]
        remedy = remedies[-1] if remedies else None
        undos = [card for card in told if remedy is not None and card.proposal.undo_of == remedy.proposal.id]
        incident = incidents.value(row)
        near = await incidents.Incidents(self._queries).around(incident.cluster, incident.opened_at, linking.WITHIN)
        return cards.IncidentCard(
            incident=incident,
            mode=row.watch_mode,
            approvers=(),
            diagnosis=diagnosis,
            evidence=evidence,
            remedy=remedy,
            refused=refused,
            undo=undos[-1] if undos else None,
            history=tuple(card for card in remedies[:-1] if _answered(card)),
            previous_name="" if row.previous_id is None else f"WK-{row.previous_id}",
            previous_channel=row.previous_channel or "",
            previous_ts=row.previous_ts or "",
            recurrences=row.recurrences,
            also=linking.linked(incident, near),
            breaker=(await autonomy.breakers(self._queries, [incident.watch_id])).get(incident.watch_id),
            watch_name=row.watch_name,
            tries=await self._tries(incident.cluster, incident.subject, incident.kinds[:1], incident.opened_at),
            advice=advice,
            advice_cost=None if advice is None else await consultation_rows.Advising(self._queries).spent(advice.id),
        )

    async def answer(self, question_id: int) -> cards.AnswerCard | None:
        row = await self._queries.first(sa.select(questions.TABLE).where(questions.TABLE.c.id == question_id))
        asked = None if row is None else questions.value(row)
        about = None if asked is None else await incidents.Incidents(self._queries).get(asked.incident_id)
        return None if asked is None or about is None else cards.AnswerCard(asked, about)

    async def _tries(
        self, cluster: str, workload: model.ResourceRef, kinds: Sequence[str], opened: datetime
    ) -> tuple[memory.Try, ...]:
        """Of the 30 days before this episode, and in it."""
        found = [await tries.tried(self._queries, cluster, workload, kind, opened - memory.SPAN) for kind in kinds]
        return tuple(one for each in found for one in each)

    async def status(self, now: datetime, cluster: str = "") -> cards.Status:
        here = _INCIDENT.cluster == cluster if cluster else sa.true()
        ended = (
            sa.select(sa.func.count().label("resolved_24h"))
            .where(here, _INCIDENT.resolved_at >= now - timedelta(hours=24))
            .subquery()
        )
        alive = ended.outerjoin(incidents.TABLE, sa.and_(here, _INCIDENT.state != "resolved"))  # a row where none is
        rows = await self._queries.all(
            sa.select(ended, incidents.TABLE)
            .select_from(alive)
            .order_by(_INCIDENT.severity, _INCIDENT.opened_at, _INCIDENT.id)
        )
        asked = (
            sa.select(proposal_rows.TABLE)
            .join(incidents.TABLE, _INCIDENT.id == _PROPOSAL.incident_id)
            .where(here, _INCIDENT.state != "resolved")
            .where(_PROPOSAL.state == "proposed", _PROPOSAL.kind == "remedy", _PROPOSAL.expires_at > now)
            .order_by(_PROPOSAL.id)
        )
        return cards.Status(
            watches=await self._watches(cluster),
            open=tuple(incidents.value(row) for row in rows if row.id is not None),
            waiting=await self._proposals(await self._queries.all(asked)),
            resolved_24h=rows[0].resolved_24h,
        )

    async def _diagnosis(self, incident_id: int) -> _Diagnosed:
        """The newest one with its evidence, why no candidate is proposed, and what a model makes of it."""
        made = diagnosis_rows.TABLE.c
        newest = sa.select(diagnosis_rows.TABLE).where(made.incident_id == incident_id).order_by(made.id.desc())
        row = await self._queries.first(newest.limit(1))
        if row is None:
            return None, (), (), None
        pieces = diagnosis_rows.EVIDENCE.c
        rested_on = sa.select(diagnosis_rows.EVIDENCE).where(pieces.diagnosis_id == row.id).order_by(pieces.number)
        evidence = tuple(diagnosis_rows.piece(one) for one in await self._queries.all(rested_on))
        advice = await consultation_rows.Advising(self._queries).of_diagnosis(row.id)
        return diagnosis_rows.value(row), evidence, row.refused, advice

    async def _proposals(self, rows: Sequence[querying.Row]) -> tuple[cards.ProposalCard, ...]:
        """With the decisions, execution, verification and announcement of each: four queries for all of them."""
        if not rows:
            return ()
        ids = [row.id for row in rows]
        decisions: dict[int, list[proposals.Decision]] = {}
        for row in await self._of(proposal_rows.DECISION, ids, "id"):
            decisions.setdefault(row.proposal_id, []).append(proposal_rows.decision(row))
        done = {row.proposal_id: executions.value(row) for row in await self._of(executions.TABLE, ids)}
        looked = {row.proposal_id: verifications.value(row) for row in await self._of(verifications.TABLE, ids)}
        alone = {row.proposal_id: autonomy.value(row) for row in await self._of(autonomy.TABLE, ids)}
        told = (
            _card(proposal_rows.value(row), decisions.get(row.id, ()), done.get(row.id), looked.get(row.id))
            for row in rows
        )
        return tuple(replace(card, alone=alone.get(card.proposal.id)) for card in told)

    async def _of(self, table: sa.Table, ids: Sequence[int], order: str = "proposal_id") -> Sequence[querying.Row]:
        return await self._queries.all(sa.select(table).where(table.c.proposal_id.in_(ids)).order_by(table.c[order]))

    async def _watches(self, cluster: str) -> tuple[cards.WatchStatus, ...]:
        here = watches.TABLE.c.cluster == cluster if cluster else sa.true()
        living = (
            sa.select(sa.func.count())
            .where(_INCIDENT.watch_id == watches.TABLE.c.id, _INCIDENT.state != "resolved")
            .correlate(watches.TABLE)
            .scalar_subquery()
        )
        kept = sa.select(watches.TABLE, living.label("living")).where(here, watches.TABLE.c.state != "removed")
        rows = await self._queries.all(kept.order_by(watches.TABLE.c.name))
        swept = sweeps.TABLE.c
        newest = (
            sa.select(swept.id)
            .where(swept.watch_id == watches.TABLE.c.id, swept.status != "running")
            .order_by(swept.started_at.desc(), swept.id.desc())
            .limit(1)
            .correlate(watches.TABLE)
            .scalar_subquery()
        )
        last = sa.select(sweeps.TABLE).join_from(watches.TABLE, sweeps.TABLE, swept.id == newest)
        latest = {row.watch_id: sweeps.value(row) for row in await self._queries.all(last.where(here))}
        breakers = await autonomy.breakers(self._queries, [row.id for row in rows])
        return tuple(
            cards.WatchStatus(watches.value(row), latest.get(row.id), row.living, breaker=breakers.get(row.id))
            for row in rows
        )


def _card(
    row: proposals.Proposal,
    made: Sequence[proposals.Decision],
    execution: proposals.Execution | None,
    verification: proposals.Verification | None,
) -> cards.ProposalCard:
    return cards.ProposalCard(row, made[-1] if made else None, execution, verification, tuple(made[:-1]))


def _answered(card: cards.ProposalCard) -> bool:
    """Whether it was wholly approved, or rejected: one approval of two that lapsed is no answer."""
    return card.execution is not None or (card.decision is not None and card.decision.verdict == "reject")


def _with_surroundings(incident_id: int) -> sa.Select[Any]:
    """The incident with its watch's mode, where the episode before it is told, and how often it came back."""
    before = views.TABLE.alias("before")
    episodes = incidents.TABLE.alias("episodes")
    recurrences = (
        sa.select(sa.func.count())
        .where(
            episodes.c.cluster == _INCIDENT.cluster,
            episodes.c.fingerprint == _INCIDENT.fingerprint,
            episodes.c.opened_at > _INCIDENT.opened_at - RECURRENCE,
            episodes.c.opened_at <= _INCIDENT.opened_at,
        )
        .correlate(incidents.TABLE)
        .scalar_subquery()
    )
    return (
        sa.select(
            incidents.TABLE,
            watches.TABLE.c.mode.label("watch_mode"),
            watches.TABLE.c.name.label("watch_name"),
            before.c.channel.label("previous_channel"),
            before.c.ts.label("previous_ts"),
            recurrences.label("recurrences"),
        )
        .join(watches.TABLE, watches.TABLE.c.id == _INCIDENT.watch_id)
        .outerjoin(before, sa.and_(before.c.kind == "parent", before.c.incident_id == _INCIDENT.previous_id))
        .where(_INCIDENT.id == incident_id)
    )
