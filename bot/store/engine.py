"""The database: connections, transactions, migrations. Opened by `bot.main`, which hands it on as `ports.Store`.

    database = engine.Database("postgresql://…")
    await database.migrate()
    async with database.begin() as tx: …
    await database.close()
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import alembic.autogenerate
import alembic.command
import alembic.config
import alembic.runtime.migration
import alembic.script
import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.ext import asyncio as sa_asyncio

import migrations
from bot import errors
from bot.domain import ports
from bot.store import addresses, columns, faults, querying, tables, unit_of_work

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
    "idle_in_transaction_session_timeout": "60s",
}
"""Of every session, given when it connects: nothing here may wait for ever, whatever the server's own settings are."""
MIGRATION_WAIT = "120s"
"""How long a replica waits for another one that is migrating."""
MIGRATION_LOCK_TIMEOUT = "5s"
"""A migration that cannot have its table gives up, so that it does not queue everybody else behind it."""
MIGRATION_STATEMENT_TIMEOUT = "60s"
_LOCK = "watchkeeper:migrations"


class Database:
    """Behind `ports.Store`. Connects when it is first used; `url` is checked at once (`errors.ConfigurationError`)."""

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE, pool_timeout: float = POOL_TIMEOUT) -> None:
        self._address = addresses.parse(url)
        self._engine = sa_asyncio.create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_pre_ping=True,
            pool_recycle=STALE_AFTER,
            json_serializer=columns.dumps,
            json_deserializer=msgspec.json.decode,
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
            yield unit_of_work.UnitOfWork(querying.Queries(connection))
            with faults.translated():
                await connection.commit()

    async def ping(self) -> None:
        """Raises `errors.StoreUnavailable` where the database does not answer."""
        async with self._connection() as connection:
            with faults.translated():
                await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()

    async def migrate(self) -> None:
        """Brings the schema up to this version's, once, however many replicas ask at the same time.

        Raises `errors.SchemaTooNew` where a newer version was here; `errors.ConfigurationError` where the address, the
        role or its privileges are wrong; `errors.StoreUnavailable` on an outage. Nothing is left half done.
        """
        with faults.explained():
            async with self._engine.connect() as connection:
                await connection.execute(
                    sa.text("SELECT set_config('lock_timeout', :wait, true), set_config('statement_timeout', :wait, true)"),
                    {"wait": MIGRATION_WAIT},
                )
                await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": _LOCK})
                await connection.execute(
                    sa.text("SELECT set_config('lock_timeout', :lock, true), set_config('statement_timeout', :each, true)"),
                    {"lock": MIGRATION_LOCK_TIMEOUT, "each": MIGRATION_STATEMENT_TIMEOUT},
                )
                await connection.run_sync(_upgrade)
                await connection.commit()

    async def pending_changes(self) -> Sequence[str]:
        """How the schema of a migrated database differs from `tables`: empty where a migration is complete."""
        with faults.translated():
            async with self._engine.connect() as connection:
                return await connection.run_sync(_differences)

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            self._address.dsn, timeout=self._address.timeout, server_settings=SESSION, command_timeout=30
        )

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


def configuration(connection: sa.Connection | None = None) -> alembic.config.Config:
    """Alembic's configuration, for the revisions that are shipped with this version."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: sa.Connection) -> None:
    config = configuration(connection)
    known = {script.revision for script in alembic.script.ScriptDirectory.from_config(config).walk_revisions()}
    current = _context(connection).get_current_heads()
    if unknown := sorted(set(current) - known):
        raise errors.SchemaTooNew(
            f"The database is at revision {', '.join(unknown)}, which this version does not know: a newer version of "
            "Watchkeeper has used it. Run that version, or give this one a database of its own."
        )
    alembic.command.upgrade(config, "head")


def _differences(connection: sa.Connection) -> list[str]:
    found = alembic.autogenerate.compare_metadata(_context(connection), tables.Table.metadata)
    return [str(difference) for difference in found]


def _context(connection: sa.Connection) -> alembic.runtime.migration.MigrationContext:
    return alembic.runtime.migration.MigrationContext.configure(connection, opts=options())


def options() -> dict[str, Any]:
    """How Alembic compares: our tables only, whatever else lives in the same database."""
    return {
        "target_metadata": tables.Table.metadata,
        "version_table": "watchkeeper_version",
        "compare_type": True,
        "compare_server_default": True,
        "include_name": _ours,
        "render_item": _render,
        "transaction_per_migration": False,
    }


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in tables.Table.metadata.tables


def _render(kind: str, item: object, context: Any) -> str | bool:
    """Revisions name what Postgres has, not the types of ours that wrap it."""
    if kind != "type" or not isinstance(item, sa.TypeDecorator):
        return False
    rendered: Callable[[object], str] = context.opts["render_postgres"] if "render_postgres" in context.opts else _plain
    return rendered(item.impl_instance)


def _plain(item: object) -> str:
    return f"sa.{type(item).__name__}()" if type(item).__module__.startswith("sqlalchemy.sql") else "postgresql.JSONB()"
