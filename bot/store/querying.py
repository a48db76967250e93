"""Statements on the one connection of one transaction: what all repositories of this package ask through."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext import asyncio as sa_asyncio

from bot.store import faults, tables
from k8s import guardrails

Row = sa.Row[Any]

UNHURRIED = sa.text("SELECT set_config(name, '0', true) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'")
"""Lets this transaction take its time, where the server limits transactions at all (from Postgres 17 on)."""


def table(entity: type[tables.Table]) -> sa.Table:
    """The table of an entity, for statements on columns."""
    found = sa.inspect(entity).local_table
    if not isinstance(found, sa.Table):
        raise TypeError(f"{entity.__name__} is no table")
    return found


def free(lease_until: sa.ColumnElement[Any], now: datetime, lease: timedelta) -> sa.ColumnElement[bool]:
    """Whether what is leased until then may be taken: nobody has it, or the time is over.

    A time further off than any lease lasts was written by a clock that has been put back since: believed, it would keep
    what a dead replica had for as long as the jump was wide.
    """
    latest = now + lease + guardrails.CLOCKS_APART
    return sa.or_(lease_until.is_(None), lease_until <= now, lease_until > latest)


class Queries:
    """One transaction. Every method raises `errors.StoreUnavailable` where the database is away."""

    def __init__(self, connection: sa_asyncio.AsyncConnection) -> None:
        self._connection = connection

    async def count(self, statement: sa.Executable) -> int:
        """Executes it; how many rows it touched."""
        return (await self._run(statement)).rowcount

    async def first(self, statement: sa.Executable) -> Row | None:
        return (await self._run(statement)).first()

    async def all(self, statement: sa.Executable) -> Sequence[Row]:
        return (await self._run(statement)).all()

    async def scalar(self, statement: sa.Executable) -> Any:
        return (await self._run(statement)).scalar()

    async def many(self, statement: sa.Executable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Executes it for each of the rows."""
        if parameters := [dict(row) for row in rows]:
            with faults.translated():
                await self._connection.execute(statement, parameters)

    async def _run(self, statement: sa.Executable) -> sa.CursorResult[Any]:
        with faults.translated():
            return await self._connection.execute(statement)
