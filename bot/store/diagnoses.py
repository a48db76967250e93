"""Diagnoses with their evidence as rows; earlier ones are kept. Behind `ports.Diagnoses`, read by `cards`."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bot.domain import diagnoses
from bot.store import querying, tables

TABLE = querying.table(tables.Diagnosis)
EVIDENCE = querying.table(tables.Evidence)
BESIDE = "beside: "
"""Before each gap that lowers no confidence: both sorts are in one column, in which every gap begins with its name."""


def value(row: querying.Row) -> diagnoses.Diagnosis:
    return diagnoses.Diagnosis(
        cause=row.cause,
        cites=row.cites,
        confidence=row.confidence,
        reason=row.reason,
        next_step=row.next_step,
        by=row.by,
        candidates=row.candidates,
        missing=tuple(gap for gap in row.missing if not gap.startswith(BESIDE)),
        kind=row.kind,
        beside=tuple(gap.removeprefix(BESIDE) for gap in row.missing if gap.startswith(BESIDE)),
    )


def piece(row: querying.Row) -> diagnoses.Evidence:
    return diagnoses.Evidence(number=row.number, source=row.source, title=row.title, body=row.body, cut=row.cut)


class Diagnoses:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def save(
        self,
        incident_id: int,
        found: diagnoses.Diagnosis,
        evidence: Sequence[diagnoses.Evidence],
        refused: Sequence[str],
        now: datetime,
    ) -> int:
        diagnosis_id: int = await self._queries.scalar(
            sa.insert(TABLE)
            .values(
                incident_id=incident_id,
                cause=found.cause,
                cites=found.cites,
                confidence=found.confidence,
                reason=found.reason,
                next_step=found.next_step,
                by=found.by,
                candidates=found.candidates,
                missing=(*found.missing, *(f"{BESIDE}{gap}" for gap in found.beside)),
                kind=found.kind,
                refused=tuple(refused),
                made_at=now,
            )
            .returning(TABLE.c.id)
        )
        await self._queries.many(
            sa.insert(EVIDENCE),
            (
                {
                    "diagnosis_id": diagnosis_id,
                    "number": one.number,
                    "source": one.source,
                    "title": one.title,
                    "body": one.body,
                    "cut": one.cut,
                }
                for one in evidence
            ),
        )
        return diagnosis_id

    async def get(self, diagnosis_id: int) -> tuple[diagnoses.Diagnosis, Sequence[diagnoses.Evidence]] | None:
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.id == diagnosis_id))
        if row is None:
            return None
        rested_on = sa.select(EVIDENCE).where(EVIDENCE.c.diagnosis_id == diagnosis_id).order_by(EVIDENCE.c.number)
        return value(row), [piece(one) for one in await self._queries.all(rested_on)]
