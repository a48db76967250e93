"""How Alembic runs our revisions: on the connection that `bot.store.schema` hands over, or on `-x url=…` by hand."""

import asyncio
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext import asyncio as sa_asyncio

from bot.store import addresses, schema, tables


def _render(kind: str, item: Any, autogenerating: AutogenContext) -> str | Literal[False]:
    """Revisions name the types that Postgres has, not ours that wrap them: those may change later."""
    if kind != "type" or not isinstance(item, sa.TypeDecorator):
        return False
    inner = item.impl_instance
    if isinstance(inner, postgresql.JSON):
        autogenerating.imports.add("from sqlalchemy.dialects import postgresql")
        return f"postgresql.{type(inner).__name__}()"
    return f"sa.{type(inner).__name__}()"


def _run(connection: sa.Connection) -> None:
    context.configure(
        connection=connection, target_metadata=tables.Table.metadata, render_item=_render, **schema.options()
    )
    with context.begin_transaction():
        context.run_migrations()


async def _by_hand() -> None:
    """`alembic -x url=postgresql://… upgrade head`: for looking around; the product migrates by itself at its start."""
    url = context.get_x_argument(as_dictionary=True).get("url", "")
    address = addresses.parse(url)
    engine = sa_asyncio.create_async_engine("postgresql+asyncpg://", async_creator=address.connect)
    async with engine.begin() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


given: sa.Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    asyncio.run(_by_hand())
