"""Watches as rows. Behind `ports.Watches`."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import watches
from bot.store import querying, tables
from k8s import guardrails

TABLE = querying.table(tables.Watch)


def value(row: querying.Row) -> watches.Watch:
    return watches.Watch(
        id=row.id,
        name=row.name,
        cluster=row.cluster,
        scope=row.scope,
        cron=row.cron,
        timezone=row.timezone,
        channel=row.channel,
        mode=row.mode,
        state=row.state,
        created_by=row.created_by,
        created_at=row.created_at,
        kinds=row.kinds,
    )


class Watches:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def add(self, new: watches.NewWatch, now: datetime) -> watches.Watch | None:
        row = await self._queries.first(
            postgresql.insert(TABLE)
            .values(
                name=new.name,
                cluster=new.cluster,
                scope=new.scope,
                cron=new.cron,
                timezone=new.timezone,
                channel=new.channel,
                mode=new.mode,
                state="active",
                created_by=new.created_by,
                created_at=now,
                kinds=new.kinds,
            )
            .on_conflict_do_nothing()
            .returning(TABLE)
        )
        return None if row is None else value(row)

    async def all(self) -> Sequence[watches.Watch]:
        kept = sa.select(TABLE).where(TABLE.c.state != "removed").order_by(TABLE.c.name)
        return [value(row) for row in await self._queries.all(kept)]

    async def clusters_ever(self) -> frozenset[str]:
        rows = await self._queries.all(sa.select(TABLE.c.cluster).distinct())
        return frozenset(row.cluster for row in rows)

    async def get(self, watch_id: int) -> watches.Watch | None:
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.id == watch_id))
        return None if row is None else value(row)

    async def named(self, name: str) -> watches.Watch | None:
        """An active or paused one: the name of a removed watch is free again."""
        row = await self._queries.first(sa.select(TABLE).where(TABLE.c.name == name, TABLE.c.state != "removed"))
        return None if row is None else value(row)

    async def set_state(self, watch_id: int, before: Sequence[watches.State], after: watches.State) -> bool:
        """A removed watch stays removed: its name may have been taken since."""
        moved = (
            sa.update(TABLE)
            .where(TABLE.c.id == watch_id, TABLE.c.state.in_(before), TABLE.c.state != "removed")
            .values(state=after)
        )
        return await self._queries.count(moved) == 1

    async def set_mode(self, watch_id: int, mode: guardrails.Mode) -> bool:
        """False where it is removed."""
        changed = sa.update(TABLE).where(TABLE.c.id == watch_id, TABLE.c.state != "removed").values(mode=mode)
        return await self._queries.count(changed) == 1

    async def set_kinds(self, watch_id: int, kinds: watches.Kinds) -> bool:
        """False where it is removed."""
        changed = sa.update(TABLE).where(TABLE.c.id == watch_id, TABLE.c.state != "removed").values(kinds=kinds)
        return await self._queries.count(changed) == 1
