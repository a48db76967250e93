"""What one replica does at a time, as rows with an end. Behind `ports.Leases`."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.store import querying, tables

TABLE = querying.table(tables.Lease)


class Leases:
    def __init__(self, queries: querying.Queries) -> None:
        self._queries = queries

    async def take(self, name: str, owner: str, now: datetime, lease: timedelta) -> bool:
        """By compare-and-set: of many who ask at once, one gets it."""
        insert = postgresql.insert(TABLE).values(name=name, owner=owner, lease_until=now + lease)
        taken = insert.on_conflict_do_update(
            index_elements=[TABLE.c.name],
            set_={"owner": insert.excluded.owner, "lease_until": insert.excluded.lease_until},
            where=sa.or_(TABLE.c.owner == owner, querying.free(TABLE.c.lease_until, now, lease)),
        ).returning(TABLE.c.name)
        return await self._queries.first(taken) is not None

    async def give_back(self, name: str, owner: str) -> None:
        await self._queries.count(sa.delete(TABLE).where(TABLE.c.name == name, TABLE.c.owner == owner))
