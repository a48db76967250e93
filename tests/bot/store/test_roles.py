"""The application's role: it can do all that the application does, and nothing to what the trail has told."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from bot import errors
from bot.store import engine, roles, tables
from tests import postgres
from tests.bot.store import examples

ACL = """
SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 'watchkeeper_app'::regrole
UNION SELECT c.relname, a.privilege_type || ' (' || t.attname || ')'
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 'watchkeeper_app'::regrole
"""


@pytest.fixture
async def superuser(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest.fixture
async def owner_url(postgres_server: postgres.Server) -> AsyncIterator[str]:
    """An empty database of an owner who may make no roles, as managed databases have it."""
    async with postgres_server.database("template0") as url:
        connection = await asyncpg.connect(url)
        name = await connection.fetchval("SELECT current_database()")
        login = f"owner_of_{name}"
        await connection.execute(f"CREATE ROLE {login} LOGIN; ALTER DATABASE {name} OWNER TO {login}")
        await connection.execute(f"ALTER SCHEMA public OWNER TO {login}")
        try:
            yield url.replace("//postgres@", f"//{login}@")
        finally:
            await connection.execute(f"DROP OWNED BY {login} CASCADE; ALTER DATABASE {name} OWNER TO postgres")
            await connection.execute(f"DROP ROLE {login}")
            await connection.close()


async def _append(store: engine.Database) -> None:
    async with store.begin() as tx:
        await tx.trail.append(examples.event())


async def _who(store: engine.Database) -> str:
    async with store._connection() as connection:
        return str(await connection.scalar(sa.text("SELECT current_user")))


async def _told(store: engine.Database, *statements: str) -> None:
    """As the application could, if somebody got it to."""
    async with store._connection() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))
        await connection.commit()


async def test_sessions_have_the_role_from_their_first_statement_to_their_last(store: engine.Database) -> None:
    assert await _who(store) == roles.DEFAULT
    await _told(store, "RESET ALL", "SET LOCAL statement_timeout = 1000")
    async with store._connection() as connection:
        await connection.execute(sa.text("SELECT 1"))
        await connection.rollback()
        assert await connection.scalar(sa.text("SELECT current_user")) == roles.DEFAULT
    assert await asyncio.gather(*(_who(store) for _ in range(30))) == [roles.DEFAULT] * 30


async def test_a_session_that_replaces_a_lost_one_has_the_role_too(
    store: engine.Database, superuser: asyncpg.Connection
) -> None:
    await asyncio.gather(*(store.ping() for _ in range(3)))
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watchkeeper'"
        " AND datname = current_database()"
    )
    assert await _who(store) == roles.DEFAULT


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'U9'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE false",
        "TRUNCATE audit",
        "DROP TABLE audit",
        "ALTER TABLE audit DISABLE TRIGGER audit_append_only",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_append_only ON audit",
        "CREATE RULE r AS ON INSERT TO audit DO INSTEAD NOTHING",
        "CREATE OR REPLACE FUNCTION watchkeeper_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "ALTER TABLE audit DETACH PARTITION audit_default",
        "TRUNCATE audit_default",
        "DELETE FROM audit_default",
        "INSERT INTO audit_default SELECT * FROM audit",
        "SELECT * FROM audit_default",
        "SET session_replication_role = replica",
        "INSERT INTO audit_anchor VALUES ('prod-eu', 1, 'x', 1, '2026-01-01', now(), 'U9')",
        "DELETE FROM audit_anchor",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "UPDATE audit_head SET chain = 'other'",
        "DELETE FROM incident",
        "UPDATE decision SET user_id = 'U9'",
        "CREATE TABLE audit_2 (id int)",
    ],
)
async def test_the_role_cannot_change_what_was_told(store: engine.Database, statement: str) -> None:
    await _append(store)
    with pytest.raises(sa.exc.DBAPIError) as raised:
        await _told(store, statement)
    assert re.search("permission denied|must be owner", str(raised.value))
    async with store.begin() as tx:
        assert await tx.trail.verify("prod-eu") is None
        assert len((await tx.trail.page()).entries) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_head SET seq = 0",
        "UPDATE audit_head SET seq = 1",
        "UPDATE audit_head SET hash = 'x'",
        "UPDATE audit_head SET seq = 2, month = '2000-01-01'",
    ],
)
async def test_the_head_of_a_chain_goes_forward_only(store: engine.Database, statement: str) -> None:
    await _append(store)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await _told(store, statement)


async def test_every_table_has_its_rights_and_no_other(store: engine.Database, superuser: asyncpg.Connection) -> None:
    assert set(roles.RIGHTS) == {*tables.Table.metadata.tables, "watchkeeper_version"}, "a table needs its line"
    found = {(row["relname"], row["privilege_type"]) for row in await superuser.fetch(ACL)}
    assert found == {(place, right) for place, rights in roles.RIGHTS.items() for right in rights}


async def test_rights_that_were_changed_by_hand_are_set_right_at_the_next_start(
    store: engine.Database, superuser: asyncpg.Connection
) -> None:
    await superuser.execute("GRANT UPDATE, DELETE ON audit TO watchkeeper_app")
    await superuser.execute("REVOKE INSERT ON watch FROM watchkeeper_app")
    assert (await store.migrate()).role == roles.DEFAULT
    await test_every_table_has_its_rights_and_no_other(store, superuser)
    await examples.watched(store)


async def test_nothing_is_granted_where_all_is_as_it_should_be(
    store: engine.Database, superuser: asyncpg.Connection
) -> None:
    versions = "SELECT xmin::text, relname FROM pg_class WHERE relname = ANY($1)"
    before = await superuser.fetch(versions, list(roles.RIGHTS))
    assert (await store.migrate()).role == roles.DEFAULT
    assert await superuser.fetch(versions, list(roles.RIGHTS)) == before


async def _prepared(store: engine.Database) -> str:
    async with store._owning.connect() as connection:
        guard = await connection.run_sync(roles.prepare)
        await asyncio.sleep(0.1)  # the others get into its way
        await connection.commit()
    return guard.role


async def test_databases_of_one_server_that_start_at_once_make_one_role() -> None:
    server = postgres.Server()  # a server of its own: here the role is dropped
    try:
        async with server.database() as one, server.database() as other, server.database() as third:
            urls = (one, other, third)
            for url in (server.url(postgres.TEMPLATE), *urls):
                connection = await asyncpg.connect(url)
                await connection.execute("DROP OWNED BY watchkeeper_app")
                if url == third:
                    await connection.execute("DROP ROLE watchkeeper_app")
                await connection.close()
            stores = [engine.Database(url) for url in urls]
            assert set(await asyncio.gather(*map(_prepared, stores))) == {roles.DEFAULT}
            assert {await _who(store) for store in stores} == {roles.DEFAULT}
            for store in stores:
                await store.close()
    finally:
        await asyncio.to_thread(server.stop)


async def test_where_the_owner_may_not_have_the_role_it_is_said_and_the_trigger_keeps_the_trail(owner_url: str) -> None:
    store = engine.Database(owner_url)
    guard = await store.migrate()
    assert guard.role == ""
    assert "no member of the role watchkeeper_app" in guard.told
    assert (await store.migrate()).role == "", "and again at the next start"
    await _append(store)
    told = await store.guard()
    assert told.role == ""
    assert "triggers alone" in told.told
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        await _told(store, "DELETE FROM audit")
    await store.close()


async def test_where_no_role_can_be_made_it_goes_on_without(owner_url: str) -> None:
    def prepared(connection: sa.Connection) -> Any:
        return roles._made(connection, "nobody_has_made_this_one", by_us=True)

    store = engine.Database(owner_url)
    with pytest.raises(roles._Refused, match=r"cannot be made \(permission denied to create role\)"):
        await store.run(prepared)
    await store.close()


async def test_a_role_that_is_named_is_used_and_has_exactly_the_rights(
    owner_url: str, superuser: asyncpg.Connection
) -> None:
    login = owner_url.partition("//")[2].partition("@")[0]
    await superuser.execute(f"CREATE ROLE of_ours NOLOGIN; GRANT of_ours TO {login}")
    store = engine.Database(owner_url, role="of_ours")
    assert (await store.migrate()).role == "of_ours"
    await _append(store)
    assert await _who(store) == "of_ours"
    assert "add to the trail, not change it" in (await store.guard()).told
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        await _told(store, "DELETE FROM audit")
    await store.close()
    connection = await asyncpg.connect(owner_url.replace(f"//{login}@", "//postgres@"))
    await connection.execute("DROP OWNED BY of_ours; DROP ROLE of_ours")
    await connection.close()


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        ("SELECT 1", "the server has no role of_theirs"),
        ("CREATE ROLE of_theirs NOLOGIN", "no member of the role of_theirs"),
    ],
)
async def test_a_role_that_is_named_and_does_not_do_ends_the_start(
    owner_url: str, superuser: asyncpg.Connection, setup: str, why: str
) -> None:
    await superuser.execute(setup)
    store = engine.Database(owner_url, role="of_theirs")
    with pytest.raises(errors.ConfigurationError, match=f"WATCHKEEPER_DATABASE_ROLE: .*{why}"):
        await store.migrate()
    with pytest.raises(errors.StoreUnavailable):
        await store.ping()
    await store.close()
    await superuser.execute("DROP ROLE IF EXISTS of_theirs")


@pytest.mark.parametrize("how", ["ALTER ROLE too_much SUPERUSER", "GRANT pg_write_all_data TO too_much"])
async def test_a_role_that_is_named_and_may_more_ends_the_start(
    postgres_url: str, superuser: asyncpg.Connection, how: str
) -> None:
    await superuser.execute(f"CREATE ROLE too_much NOLOGIN; {how}")
    store = engine.Database(postgres_url, role="too_much")
    with pytest.raises(errors.ConfigurationError, match="more rights than it should have on audit"):
        await store.migrate()
    with pytest.raises(errors.StoreUnavailable, match="WATCHKEEPER_DATABASE_ROLE"):
        await store.ping()
    await store.close()
    await superuser.execute("DROP OWNED BY too_much; DROP ROLE too_much")


async def test_a_login_of_its_own_starts_on_what_the_owner_has_migrated(
    postgres_url: str, superuser: asyncpg.Connection
) -> None:
    """The application then cannot even go back to the owner's rights."""
    await superuser.execute("CREATE ROLE bare LOGIN; GRANT watchkeeper_app TO bare")
    store = engine.Database(postgres_url.replace("//postgres@", "//bare@"))
    assert (await store.migrate()).role == roles.DEFAULT
    await examples.watched(store)
    await _append(store)
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        await _told(store, "RESET ROLE", "DELETE FROM audit")
    with pytest.raises(errors.ConfigurationError, match="only the owner"):
        await store.prune(examples.NOW.date(), "cli:ana", examples.NOW)
    await store.close()
    await superuser.execute("DROP OWNED BY bare; DROP ROLE bare")
