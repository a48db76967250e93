"""The schema and its revisions (`migrations/`): brought up to date, and compared with `tables`. Used by `engine`.

Every replica may ask for it at its start: the one that gets the advisory lock does it, in one transaction, the others
find it done. Revisions are compatible with the code that still runs on other replicas meanwhile.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import alembic.autogenerate
import alembic.command
import alembic.config
import alembic.runtime.migration
import alembic.script
import sqlalchemy as sa

import migrations
from bot import errors
from bot.store import partitions, querying, roles, tables

WAIT = "120s"
"""How long a replica waits for another one that is migrating."""
LOCK_TIMEOUT = "5s"
"""A revision that cannot have its table gives up, so that it does not queue everybody else behind it."""
STATEMENT_TIMEOUT = "60s"
VERSION_TABLE = "watchkeeper_version"
_LOCK = "watchkeeper:migrations"


def options() -> Mapping[str, Any]:
    """How Alembic compares: our tables only, whatever else lives in the same database."""
    return {
        "version_table": VERSION_TABLE,
        "compare_type": True,
        "compare_server_default": True,
        "include_name": _ours,
    }


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in tables.Table.metadata.tables


def configuration(connection: sa.Connection | None = None) -> alembic.config.Config:
    """Alembic's configuration for the revisions that are shipped with this version."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: sa.Connection, role: str = "") -> roles.Guard:
    """To the newest revision, in the transaction that the connection is in, with the partitions of the months to come
    and the rights of the application's role (`role`: the one that a setting names).

    Raises `errors.SchemaTooNew`; `errors.ConfigurationError` where the named role does not do.
    """
    alone(connection)
    config = configuration(connection)
    known = {script.revision for script in alembic.script.ScriptDirectory.from_config(config).walk_revisions()}
    if unknown := sorted(set(_context(connection).get_current_heads()) - known):
        raise errors.SchemaTooNew(
            f"The database is at revision {', '.join(unknown)}, which this version does not know: a newer version of "
            "Watchkeeper has used it. Run that version, or give this one a database of its own."
        )
    alembic.command.upgrade(config, "head")
    partitions.ahead(connection)
    return roles.prepare(connection, role)


def alone(connection: sa.Connection) -> None:
    """No other transaction changes the schema until this one ends."""
    connection.execute(querying.UNHURRIED)
    _limit(connection, WAIT, WAIT)
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": _LOCK})
    _limit(connection, LOCK_TIMEOUT, STATEMENT_TIMEOUT)


def missing(connection: sa.Connection) -> list[str]:
    """Revisions not applied yet, oldest first."""
    script = alembic.script.ScriptDirectory.from_config(configuration(connection))
    heads = _context(connection).get_current_heads()
    applied = {revision.revision for head in heads for revision in script.iterate_revisions(head, "base")}
    return [one.revision for one in reversed(list(script.walk_revisions())) if one.revision not in applied]


def differences(connection: sa.Connection) -> list[str]:
    """How the schema differs from `tables`, one sentence of Alembic's each; empty where it does not."""
    return [str(found) for found in alembic.autogenerate.compare_metadata(_context(connection), tables.Table.metadata)]


def _limit(connection: sa.Connection, lock: str, statement: str) -> None:
    """Of this transaction."""
    limits = "SELECT set_config('lock_timeout', :lock, true), set_config('statement_timeout', :statement, true)"
    connection.execute(sa.text(limits), {"lock": lock, "statement": statement})


def _context(connection: sa.Connection) -> alembic.runtime.migration.MigrationContext:
    return alembic.runtime.migration.MigrationContext.configure(connection, opts=dict(options()))
