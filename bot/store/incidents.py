"""Incidents as rows: one live incident for each subject, by the database itself. Behind `ports.Incidents`.

Whoever changes an incident holds `lock` of its cluster from reading it to saving it, so that no change is lost. The
claim of a diagnosis has columns of its own, which `save` leaves alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot import errors
from bot.domain import incidents
from bot.store import findings, querying, tables
from k8s import model

TABLE = querying.table(tables.Incident)


def value(row: querying.Row) -> incidents.Incident:
    return incidents.Incident(
        id=row.id,
        fingerprint=row.fingerprint,
        episode=row.episode,
        cluster=row.cluster,
        subject=row.subject,
        kinds=row.kinds,
        causes=row.causes,
        severity=row.severity,
        state=row.state,
        headline=row.headline,
        watch_id=row.watch_id,
        channel=row.channel,
        since=row.since,
        opened_at=row.opened_at,
        last_seen_at=row.last_seen_at,
        ready=row.ready,
        desired=row.desired,
        clear_sweeps=row.clear_sweeps,
        clear_since=row.clear_since,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        resolved_at=row.resolved_at,
        resolution=row.resolution,
        previous_id=row.previous_id,
        flapping=row.flapping,
        diagnosis_wanted=row.diagnosis_wanted,
        asked_by=row.asked_by,
    )


def _values(incident: incidents.Incident) -> dict[str, Any]:
    return {
        "fingerprint": incident.fingerprint,
        "episode": incident.episode,
        "cluster": incident.cluster,
        "subject": incident.subject,
        "subject_key": findings.subject_key(incident.subject),
        "kinds": incident.kinds,
        "causes": incident.causes,
        "severity": incident.severity,
        "state": incident.state,
        "headline": incident.headline,
        "watch_id": incident.watch_id,
        "channel": incident.channel,
        "since": incident.since,
        "opened_at": incident.opened_at,
        "last_seen_at": incident.last_seen_at,
        "ready": incident.ready,
        "desired": incident.desired,
        "clear_sweeps": incident.clear_sweeps,
        "clear_since": incident.clear_since,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": incident.resolved_at,
        "resolution": incident.resolution,
        "previous_id": incident.previous_id,
        "flapping": incident.flapping,
        "diagnosis_wanted": incident.diagnosis_wanted,
        "asked_by": incident.asked_by,
    }


_AROUND = 200
"""Incidents of other clusters that are compared: more at once are one outage, and no list tells it better."""
_COMPARED = 2_000
"""Incidents that are looked through for alike ones: those that were resolved last, by the index on that moment."""


class Incidents:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def lock(self, cluster: str) -> None:
        name = f"watchkeeper:incidents:{cluster}"
        await self._queries.first(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))

    async def live(self, cluster: str) -> Sequence[incidents.Incident]:
        alive = sa.select(TABLE).where(TABLE.c.cluster == cluster, TABLE.c.state != "resolved").order_by(TABLE.c.id)
        return [value(row) for row in await self._queries.all(alive)]

    async def get(self, incident_id: int) -> incidents.Incident | None:
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.id == incident_id))
        return None if row is None else value(row)

    async def past(self, cluster: str, fingerprint: str, since: datetime) -> Sequence[incidents.Incident]:
        ended = sa.select(TABLE).where(
            TABLE.c.cluster == cluster,
            TABLE.c.fingerprint == fingerprint,
            TABLE.c.state == "resolved",
            TABLE.c.opened_at >= since,
        )
        newest = ended.order_by(TABLE.c.opened_at.desc(), TABLE.c.id.desc())
        return [value(row) for row in await self._queries.all(newest)]

    async def of_subject(
        self, cluster: str, subject: model.ResourceRef, since: datetime, limit: int
    ) -> Sequence[incidents.Incident]:
        ended = sa.select(TABLE).where(
            TABLE.c.cluster == cluster,
            TABLE.c.state == "resolved",
            TABLE.c.opened_at >= since,
            _named(subject),
        )
        newest = ended.order_by(TABLE.c.opened_at.desc(), TABLE.c.id.desc()).limit(limit)
        return [value(row) for row in await self._queries.all(newest)]

    async def alike(self, kind: str, cause: str, since: datetime) -> Sequence[incidents.Incident]:
        newest = TABLE.c.resolved_at.desc()
        recent = sa.select(TABLE).where(TABLE.c.resolved_at >= since).order_by(newest).limit(_COMPARED).subquery()
        kinds = sa.type_coerce(recent.c.kinds, postgresql.JSONB)
        of_kind = sa.select(recent).where(kinds[0].astext == kind).order_by(recent.c.resolved_at.desc(), recent.c.id)
        found = (value(row) for row in await self._queries.all(of_kind))
        return [one for one in found if incidents.is_alike(one, kind, cause)]

    async def around(self, cluster: str, moment: datetime, span: timedelta) -> Sequence[incidents.Incident]:
        opened = TABLE.c.opened_at
        near = sa.select(TABLE).where(TABLE.c.cluster != cluster, opened >= moment - span, opened <= moment + span)
        newest = near.order_by(opened.desc(), TABLE.c.id.desc()).limit(_AROUND)
        return [value(row) for row in await self._queries.all(newest)]

    async def last_resolved(self, cluster: str, subject: model.ResourceRef) -> incidents.Incident | None:
        ended = sa.select(TABLE).where(TABLE.c.cluster == cluster, TABLE.c.resolved_at.is_not(None), _about(subject))
        row = await self._queries.first(ended.order_by(TABLE.c.resolved_at.desc(), TABLE.c.id.desc()).limit(1))
        return None if row is None else value(row)

    async def open(self, new: incidents.Incident) -> incidents.Incident | None:
        insert = postgresql.insert(TABLE).values(_values(new)).on_conflict_do_nothing().returning(TABLE)
        row = await self._queries.first(insert)
        return None if row is None else value(row)

    async def save(self, changed: incidents.Incident) -> None:
        """Raises NotPossible where it would live again beside another live one of its subject."""
        try:
            await self._queries.count(sa.update(TABLE).where(TABLE.c.id == changed.id).values(_values(changed)))
        except sa.exc.IntegrityError as error:
            if "uq_incident_live_subject" not in str(error.orig):
                raise
            text = f"{changed.name} cannot live again: {changed.subject} has another live incident."
            raise errors.NotPossible(text) from error

    async def wanting_diagnosis(self, owner: str, now: datetime, lease: timedelta) -> incidents.Incident | None:
        free = querying.free(TABLE.c.diagnosis_lease_until, now, lease)
        one = (
            sa.select(TABLE.c.id)
            .where(TABLE.c.diagnosis_wanted, TABLE.c.state != "resolved", free)
            .order_by(TABLE.c.opened_at, TABLE.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        row = await self._queries.first(
            sa.update(TABLE)
            .where(TABLE.c.id == one)
            .values(diagnosis_owner=owner, diagnosis_lease_until=now + lease)
            .returning(TABLE)
        )
        return None if row is None else value(row)

    async def release_diagnosis(self, incident_id: int) -> None:
        await self._queries.count(
            sa.update(TABLE).where(TABLE.c.id == incident_id).values(diagnosis_owner="", diagnosis_lease_until=None)
        )

    async def search(
        self, *, states: Sequence[incidents.State], user: str = "", since: datetime | None = None, limit: int = 50
    ) -> Sequence[incidents.Incident]:
        """`user`: acknowledged by them. `since`: not over before then. Newest first."""
        found = sa.select(TABLE).where(TABLE.c.state.in_(states))
        if user:
            found = found.where(TABLE.c.acknowledged_by == user)
        if since is not None:
            found = found.where(sa.or_(TABLE.c.resolved_at.is_(None), TABLE.c.resolved_at >= since))
        newest = found.order_by(TABLE.c.opened_at.desc(), TABLE.c.id.desc()).limit(limit)
        return [value(row) for row in await self._queries.all(newest)]

    async def counts(self) -> Mapping[str, int]:
        """The last 24 h are those of the database's clock."""
        day_ago = sa.func.now() - timedelta(hours=24)
        counted = (
            sa.select(TABLE.c.state, sa.func.count().label("times"))
            .where(sa.or_(TABLE.c.resolved_at.is_(None), TABLE.c.resolved_at >= day_ago))
            .group_by(TABLE.c.state)
        )
        return {row.state: row.times for row in await self._queries.all(counted)}


def _about(subject: model.ResourceRef) -> sa.ColumnElement[bool]:
    if subject.uid:
        return TABLE.c.subject_key == findings.subject_key(subject)
    return _named(subject)


def _named(subject: model.ResourceRef) -> sa.ColumnElement[bool]:
    named = sa.type_coerce(TABLE.c.subject, postgresql.JSONB)
    return sa.and_(
        named["kind"].astext == subject.kind,
        named["namespace"].astext == subject.namespace,
        named["name"].astext == subject.name,
    )
