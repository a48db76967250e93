"""The database: connections, transactions, migrations. Opened by `bot.main`, which hands it on as `ports.Store`.

database = engine.Database("postgresql://…")
await database.migrate()
async with database.begin() as tx: …
await database.close()
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext import asyncio as sa_asyncio

from bot import errors
from bot.domain import audit, ports
from bot.store import addresses, columns, faults, pruning, querying, roles, schema, unit_of_work

T = TypeVar("T")

POOL_SIZE = 10
POOL_TIMEOUT = 10.0
"""Seconds to wait for a free connection."""
STALE_AFTER = 1800
"""Seconds after which a connection is replaced: proxies drop old ones silently."""
SESSION = {
    "application_name": "watchkeeper",
    "timezone": "UTC",
    "statement_timeout": "15s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
}
"""Of every session, given when it connects: nothing here may wait for ever, whatever the server's own settings are. A
process that is frozen within a transaction holds up the others for ten seconds, not for as long as it is frozen …"""
TRANSACTION_S = 30
"""… and, from Postgres 17 on, for so many seconds where it was frozen between preparing a statement and running it: the
server does not count such a transaction as idle. No transaction of ours takes so long, but those that say so
(`schema.upgrade`, `trail.verify`)."""
_LIMITS_TRANSACTIONS = 17
_HOW: dict[str, Any] = {
    "hide_parameters": True,
    "json_serializer": columns.dumps,
    "json_deserializer": msgspec.json.decode,
}


class Database:
    """Behind `ports.Store`. Connects when it is first used; `url` is checked at once (`errors.ConfigurationError`)."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = POOL_SIZE,
        pool_timeout: float = POOL_TIMEOUT,
        transaction_s: int = TRANSACTION_S,
        role: str = "",
    ) -> None:
        """`role`: the one that a setting names; without it, see `roles`."""
        self._address = addresses.parse(url)
        self._transaction_s = transaction_s
        self._role = role
        self._engine = sa_asyncio.create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_pre_ping=True,
            pool_recycle=STALE_AFTER,
            **_HOW,
        )
        self._owning = sa_asyncio.create_async_engine(
            "postgresql+asyncpg://", async_creator=self._connect_as_owner, poolclass=sa.NullPool, **_HOW
        )

    def __repr__(self) -> str:
        return f"Database({self._address!r})"

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Tx]:
        """One transaction: commits on leaving, rolls back on an exception. `errors.StoreUnavailable` on any outage.

        Where the connection is lost during the commit itself, it is not known whether it took place: the caller is told
        that the store is unavailable, and acts on what the rows say when they can be read again.
        """
        async with self._connection() as connection:
            work = unit_of_work.UnitOfWork(querying.Queries(connection))
            yield work
            await work.complete()
            with faults.translated():
                await connection.commit()

    async def ping(self) -> None:
        """Raises `errors.StoreUnavailable` where the database does not answer."""
        async with self._connection() as connection:
            with faults.translated():
                await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()
        await self._owning.dispose()

    async def migrate(self) -> roles.Guard:
        """Brings the schema up to this version's, once, however many replicas ask at the same time; and the rights of
        the application's role to what they should be. Says what keeps the trail.

        Raises `errors.SchemaTooNew` where a newer version was here; `errors.ConfigurationError` where the address, the
        role or its privileges are wrong; `errors.StoreUnavailable` on an outage. Nothing is left half done.
        """
        with faults.explained():
            async with self._owning.connect() as connection:
                guard = await connection.run_sync(schema.upgrade, self._role)
                await connection.commit()
            await self._engine.dispose()  # sessions from before have the role that there was then
        return guard

    async def guard(self) -> roles.Guard:
        """What keeps the trail from a session of the application, as the server sees it now."""
        async with self._connection() as connection:
            with faults.translated():
                return await connection.run_sync(roles.guarded)

    async def prune(self, before: date, by: str, now: datetime, *, dry: bool = False) -> Sequence[audit.Anchor]:
        """Drops the months of the audit trail before this one, as the owner of the tables; see `pruning`."""
        with faults.explained():
            async with self._owning.connect() as connection:
                await connection.run_sync(schema.alone)
                queries = querying.Queries(connection)
                anchors = await pruning.prune(queries, await connection.run_sync(pruning.plan, before), by, now)
                if not dry:
                    await connection.commit()
                return anchors

    async def behind(self) -> Sequence[str]:
        """Revisions that the schema still lacks, oldest first; empty where it is up to date."""
        return await self.run(schema.missing)

    async def pending_changes(self) -> Sequence[str]:
        """How the schema of a migrated database differs from `tables`: empty where the revisions are complete."""
        return await self.run(schema.differences)

    async def run(self, ask: Callable[[sa.Connection], T]) -> T:
        """What `ask` makes of a connection as the owner, in a transaction that is rolled back: for Alembic, which is
        not async."""
        with faults.translated():
            async with self._owning.connect() as connection:
                return await connection.run_sync(ask)

    async def _connect(self) -> Any:
        """A session of the application, with its role where there is one. The role is of the session: neither the pool,
        nor `RESET ALL`, nor the end of a transaction takes it away."""
        connection = await self._connect_as_owner()
        leave = roles.leave(connection.get_server_version().major)
        try:
            given = await connection.fetchval(roles.ASSUME, self._role or roles.DEFAULT, leave)
        except BaseException:
            connection.terminate()
            raise
        if self._role and given is None:
            connection.terminate()
            raise errors.StoreUnavailable(f"{roles.SETTING}: {self._role} cannot be had, or lacks rights")
        return connection

    async def _connect_as_owner(self) -> Any:
        connection = await self._address.connect(**SESSION)
        if connection.get_server_version().major >= _LIMITS_TRANSACTIONS:
            await connection.execute(f"SET transaction_timeout = '{self._transaction_s}s'")
        return connection

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[sa_asyncio.AsyncConnection]:
        """A connection of the pool. After an outage it is not used again: a failed-over server may linger behind it."""
        with faults.translated():
            connection = await self._engine.connect()
        try:
            yield connection
        except errors.StoreUnavailable:
            with contextlib.suppress(errors.StoreUnavailable), faults.translated():
                await connection.invalidate()
            raise
        finally:
            await asyncio.shield(_closed(connection))


async def _closed(connection: sa_asyncio.AsyncConnection) -> None:
    """Rolls back what was not committed, and gives the connection back; a lost one has nothing to roll back."""
    with contextlib.suppress(errors.StoreUnavailable), faults.translated():
        await connection.close()
