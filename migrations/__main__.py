"""`python -m migrations check | revision "what changes"`: for whoever changes `bot.store.tables`, and for CI."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import alembic.command
import alembic.script
import sqlalchemy as sa

from bot.store import embedded, engine, schema


async def check(url: str) -> int:
    """0 where the revisions make what the tables say; else 1, and the differences are told."""
    database = engine.Database(url)
    try:
        await database.migrate()
        changes = await database.pending_changes()
    finally:
        await database.close()
    for change in changes:
        sys.stderr.write(f"{change}\n")
    if changes:
        sys.stderr.write("The tables have changes that no revision makes. See python -m migrations revision.\n")
    return 1 if changes else 0


async def revise(url: str, message: str) -> int:
    """Writes a revision for what the tables have and the revisions do not."""
    database = engine.Database(url)
    try:
        await database.migrate()
        await database.run(lambda connection: _write(connection, message))
    finally:
        await database.close()
    return 0


def _write(connection: sa.Connection, message: str) -> None:
    config = schema.configuration(connection)
    count = len(list(alembic.script.ScriptDirectory.from_config(config).walk_revisions()))
    alembic.command.revision(config, message=message, autogenerate=True, rev_id=f"{count + 1:04}")


async def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m migrations", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="fail where the tables have changes that no revision makes")
    revision = commands.add_parser("revision", help="write the next revision, to be reviewed by hand")
    revision.add_argument("message")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="watchkeeper-migrations-") as folder:
        async with embedded.EmbeddedPostgres(Path(folder)) as server:
            if given.command == "check":
                return await check(server.url)
            return await revise(server.url, given.message)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
