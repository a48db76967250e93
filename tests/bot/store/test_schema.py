"""The revisions: they make exactly what the tables say, once, and refuse what a newer version left."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import alembic.command
import alembic.script
import asyncpg
import pytest
import sqlalchemy as sa

import migrations.__main__ as by_hand
from bot import errors
from bot.store import engine, schema, tables
from tests import postgres
from tests.bot.store import examples

CONSTRAINTS = """
SELECT conrelid::regclass::text AS place, conname AS name, pg_get_constraintdef(pg_constraint.oid) AS definition
FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
WHERE connamespace = 'public'::regnamespace AND c.relname <> 'watchkeeper_version' AND NOT c.relispartition
  AND contype <> 'n'  -- of these the columns tell; the server names them
"""
INDEXES = """
SELECT tablename AS place, indexname AS name, indexdef AS definition
FROM pg_indexes JOIN pg_class c ON c.oid = tablename::regclass
WHERE schemaname = 'public' AND NOT c.relispartition
"""
COLUMNS = """
SELECT table_name AS place, column_name AS name,
       concat_ws(' ', data_type, is_nullable, column_default, is_identity, identity_generation) AS definition
FROM information_schema.columns JOIN pg_class c ON c.oid = table_name::regclass
WHERE table_schema = 'public' AND NOT c.relispartition
"""


@pytest.fixture
async def empty_url(postgres_server: postgres.Server) -> AsyncIterator[str]:
    """A database with nothing in it."""
    async with postgres_server.database("template0") as url:
        yield url


async def _described(store: engine.Database) -> set[tuple[str, str, str]]:
    def describe(connection: sa.Connection) -> set[tuple[str, str, str]]:
        rows = [row for query in (CONSTRAINTS, INDEXES, COLUMNS) for row in connection.execute(sa.text(query))]
        return {(row.place, row.name, row.definition) for row in rows if row.place != schema.VERSION_TABLE}

    return await store.run(describe)


async def test_the_revisions_make_exactly_what_the_tables_say(store: engine.Database, empty_url: str) -> None:
    """Also what Alembic does not compare: checks, and the conditions of indexes."""
    assert await store.pending_changes() == []
    other = engine.Database(empty_url)
    async with other._connection() as connection:
        await connection.run_sync(tables.Table.metadata.create_all)
        await connection.commit()
    migrated, created = await _described(store), await _described(other)
    await other.close()
    assert migrated - created == set()
    assert created - migrated == set()
    assert len(migrated) > 200


async def test_a_change_without_a_revision_is_told(store: engine.Database, postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("ALTER TABLE watch DROP COLUMN cron")
    await connection.execute("CREATE TABLE of_somebody_else (id int)")
    await connection.close()
    (change,) = await store.pending_changes()
    assert "add_column" in change
    assert "cron" in change


async def test_many_replicas_that_start_at_once_migrate_once(empty_url: str) -> None:
    replicas = [engine.Database(empty_url) for _ in range(5)]
    await asyncio.gather(*(replica.migrate() for replica in replicas))
    await asyncio.gather(*(replica.migrate() for replica in replicas))
    assert await replicas[0].pending_changes() == []
    await examples.watched(replicas[1])
    for replica in replicas:
        await replica.close()


async def test_a_database_that_a_newer_version_has_used_is_refused_and_left_alone(
    store: engine.Database, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("UPDATE watchkeeper_version SET version_num = '9999'")
    with pytest.raises(errors.SchemaTooNew, match="9999"):
        await store.migrate()
    assert await connection.fetchval("SELECT version_num FROM watchkeeper_version") == "9999"
    await connection.close()


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE TABLE verification (id int)")
    store = engine.Database(empty_url)
    with pytest.raises(sa.exc.ProgrammingError, match="already exists"):
        await store.migrate()
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [row["tablename"] for row in found] == ["verification"]
    await connection.close()
    await store.close()


async def test_a_table_that_is_in_use_makes_the_migration_give_up(empty_url: str) -> None:
    """It must not queue behind a long transaction, with everybody else queueing behind it."""
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE TABLE watchkeeper_version (version_num varchar(32) NOT NULL)")
    store = engine.Database(empty_url)
    async with connection.transaction():
        await connection.execute("LOCK TABLE watchkeeper_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(errors.StoreUnavailable, match="lock timeout"):
            await store.migrate()
    await store.migrate()
    await connection.close()
    await store.close()


async def test_what_a_person_has_to_set_right_is_said_as_such(store: engine.Database, postgres_url: str) -> None:
    missing = engine.Database(re.sub("@/[a-z0-9_]+", "@/nowhere", postgres_url))
    with pytest.raises(errors.ConfigurationError, match="nowhere"):
        await missing.migrate()
    with pytest.raises(errors.StoreUnavailable, match="nowhere"):
        await missing.ping()
    await missing.close()
    stranger = engine.Database(postgres_url.replace("//postgres@", "//stranger@"))
    with pytest.raises(errors.ConfigurationError, match="stranger"):
        await stranger.migrate()
    await stranger.close()


async def test_a_role_without_privileges_is_said_as_such(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE ROLE reader LOGIN")
    store = engine.Database(empty_url.replace("//postgres@", "//reader@"))
    with pytest.raises(errors.ConfigurationError, match="permission denied"):
        await store.migrate()
    await store.close()
    await connection.execute("DROP ROLE reader")
    await connection.close()


async def test_everything_can_be_taken_down_and_built_up_again(store: engine.Database) -> None:
    def down_and_up(connection: sa.Connection) -> list[str]:
        config = schema.configuration(connection)
        alembic.command.downgrade(config, "base")
        left = sa.inspect(connection).get_table_names()
        alembic.command.upgrade(config, "head")
        return left

    assert await store.run(down_and_up) == [schema.VERSION_TABLE]


def test_there_is_one_line_of_revisions() -> None:
    revisions = alembic.script.ScriptDirectory.from_config(schema.configuration())
    assert len(revisions.get_heads()) == 1


async def test_the_check_of_the_command_line(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await by_hand.check(empty_url) == 0
    connection = await asyncpg.connect(empty_url)
    await connection.execute("DROP INDEX uq_proposal_open_remedy")
    await connection.close()
    assert await by_hand.check(empty_url) == 1
    assert "uq_proposal_open_remedy" in capsys.readouterr().err


async def test_a_new_revision_names_the_types_of_postgres(
    store: engine.Database, postgres_url: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("ALTER TABLE watch DROP COLUMN scope, DROP COLUMN cron")
    await connection.close()

    def write(connection: sa.Connection) -> str:
        config = schema.configuration(connection)
        config.set_main_option("version_locations", f"{Path(by_hand.__file__).parent / 'versions'}:{tmp_path}")
        alembic.command.revision(config, "more", autogenerate=True, rev_id="more", version_path=str(tmp_path))
        return next(tmp_path.glob("more*.py")).read_text()

    written = await store.run(write)
    assert "sa.Column('scope', postgresql.JSONB(), nullable=False)" in written
    assert "sa.Column('cron', sa.Text(), nullable=False)" in written
    assert "import sqlmodel" in written
    assert "from sqlalchemy.dialects import postgresql" in written
    compile(written, "more_more.py", "exec")
