"""Transactions, outages, and what the sessions are set to."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import sqlalchemy as sa

from bot import errors
from bot.domain import ports
from bot.store import engine, querying
from tests import postgres
from tests.bot.store import examples


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _settings(store: engine.Database, *names: str) -> list[str]:
    def ask(connection: sa.Connection) -> list[str]:
        return [str(connection.scalar(sa.text(f"SHOW {name}"))) for name in names]

    return await store.run(ask)


def test_a_database_is_a_store() -> None:
    kept: type[ports.Store] = engine.Database
    assert kept is engine.Database


async def test_a_transaction_commits_on_leaving(store: engine.Database) -> None:
    watch = await examples.watched(store)
    async with store.begin() as tx:
        assert await tx.watches.all() == [watch]


async def test_an_exception_of_the_caller_rolls_back_and_is_not_mistaken_for_an_outage(store: engine.Database) -> None:
    async def stop_half_way() -> None:
        async with store.begin() as tx:
            await tx.watches.add(examples.new_watch(), examples.NOW)
            raise ConnectionRefusedError("of a cluster")

    with pytest.raises(ConnectionRefusedError, match="of a cluster"):
        await stop_half_way()
    async with store.begin() as tx:
        assert await tx.watches.all() == []


async def test_a_cancelled_transaction_is_rolled_back_and_its_connection_is_free_again(
    postgres_url: str,
) -> None:
    store = engine.Database(postgres_url, pool_size=1, pool_timeout=5)
    begun = asyncio.Event()

    async def hang() -> None:
        async with store.begin() as tx:
            await tx.watches.add(examples.new_watch(), examples.NOW)
            begun.set()
            await asyncio.Event().wait()

    for _ in range(3):
        begun.clear()
        task = asyncio.create_task(hang())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with store.begin() as tx:
        assert await tx.watches.all() == []
    await store.close()


async def test_every_session_has_limits_and_a_name(store: engine.Database) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone", "application_name")
    assert await _settings(store, *names) == ["15s", "5s", "10s", "UTC", "watchkeeper"]
    assert await _settings(store, "transaction_timeout") == ["30s"]


async def test_a_transaction_that_is_frozen_between_preparing_and_running_gives_its_locks_back(
    postgres_url: str,
) -> None:
    """The server does not count it as idle: it waits for a message that belongs to the statement."""
    store = engine.Database(postgres_url, transaction_s=4)
    frozen = await store._connect()
    other = await asyncpg.connect(postgres_url)
    try:
        transaction = frozen.transaction()
        await transaction.start()
        await frozen.execute("SELECT pg_advisory_xact_lock(4711)")
        await frozen.prepare("SELECT 1")
        state = "SELECT state FROM pg_stat_activity WHERE pid = $1"
        assert await other.fetchval(state, frozen.get_server_pid()) == "active"
        await asyncio.wait_for(other.execute("SELECT pg_advisory_lock(4711)"), 20)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
            await frozen.execute("SELECT 1")
    finally:
        frozen.terminate()
        await other.close()
        await store.close()


async def test_who_needs_long_may_take_long(postgres_url: str) -> None:
    store = engine.Database(postgres_url, transaction_s=1)

    def slow(connection: sa.Connection) -> str:
        connection.execute(querying.UNHURRIED)
        connection.execute(sa.text("SELECT pg_sleep(1.5)"))
        return str(connection.scalar(sa.text("SHOW transaction_timeout")))

    assert await store.run(slow) == "0"
    with pytest.raises(errors.StoreUnavailable):
        await store.run(lambda connection: connection.execute(sa.text("SELECT pg_sleep(10)")))
    await store.close()


async def test_times_come_back_in_utc(store: engine.Database) -> None:
    watch = await examples.watched(store)
    assert watch.created_at.utcoffset() == examples.NOW.utcoffset()


# --- outages --------------------------------------------------------------------------------------------------------


async def _unavailable(store: engine.Database) -> str:
    with pytest.raises(errors.StoreUnavailable) as raised:
        await store.ping()
    return str(raised.value)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@127.0.0.1:1/d", "postgresql://u:hunter2@/d?host=/nowhere"])
async def test_a_database_that_is_not_there(url: str) -> None:
    store = engine.Database(url)
    told = await _unavailable(store)
    assert "hunter2" not in told
    with pytest.raises(errors.StoreUnavailable):
        async with store.begin():
            raise AssertionError("there is no transaction without a database")
    with pytest.raises(errors.StoreUnavailable):
        await store.migrate()
    await store.close()


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """A port that takes connections and never says a word."""
    parted = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await parted.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    parted.set()
    server.close()
    await server.wait_closed()


async def test_a_database_that_does_not_answer(silent: int) -> None:
    store = engine.Database(f"postgresql://u@127.0.0.1:{silent}/d?connect_timeout=0.2&sslmode=disable")
    await _unavailable(store)
    await store.close()


async def test_a_lost_connection_in_the_middle_is_an_outage_and_the_next_transaction_is_fine(
    store: engine.Database, postgres_url: str
) -> None:
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watchkeeper' AND datname = "
    )

    async def lose() -> None:
        async with store.begin() as tx:
            await tx.watches.add(examples.new_watch(), examples.NOW)
            await _execute(postgres_url, kill + "current_database()")
            await tx.watches.all()

    with pytest.raises(errors.StoreUnavailable):
        await lose()
    async with store.begin() as tx:
        assert await tx.watches.all() == []


async def test_connections_lost_while_idle_are_replaced_unnoticed(store: engine.Database, postgres_url: str) -> None:
    await asyncio.gather(*(store.ping() for _ in range(5)))
    await _execute(
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watchkeeper'"
        " AND datname = current_database()",
    )
    await asyncio.gather(*(store.ping() for _ in range(5)))


async def test_a_connection_lost_before_the_commit_is_an_outage(store: engine.Database, postgres_url: str) -> None:
    async def lose() -> None:
        async with store.begin() as tx:
            await tx.watches.add(examples.new_watch(), examples.NOW)
            await _execute(
                postgres_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watchkeeper'"
                " AND datname = current_database()",
            )

    with pytest.raises(errors.StoreUnavailable):
        await lose()


async def test_a_read_only_database_is_an_outage_until_it_is_writable_again(
    store: engine.Database, postgres_url: str
) -> None:
    name = postgres_url.rpartition("@/")[2].partition("?")[0]
    await _execute(postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(errors.StoreUnavailable, match="read-only"):
        await examples.watched(store)
    connection = await asyncpg.connect(postgres_url, server_settings={"default_transaction_read_only": "off"})
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    await connection.close()
    await examples.watched(store)


async def test_a_pool_that_is_used_up_is_an_outage(postgres_url: str) -> None:
    store = engine.Database(postgres_url, pool_size=1, pool_timeout=0.2)
    async with store.begin():
        assert "busy" in await _unavailable(store)
    await store.ping()
    await store.close()


async def test_a_lock_that_is_not_to_be_had_is_an_outage(store: engine.Database, postgres_url: str) -> None:
    kept = await examples.opened(store)
    connection = await asyncpg.connect(postgres_url)
    async with connection.transaction():
        await connection.execute("LOCK TABLE incident IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(errors.StoreUnavailable, match="lock timeout"):
            async with store.begin() as tx:
                await tx.incidents.get(kept.id)
    await connection.close()


async def test_of_a_deadlock_one_side_is_told_that_the_store_is_unavailable(store: engine.Database) -> None:
    one, other = await examples.opened(store), await examples.opened(store, cluster="prod-us")
    both = asyncio.Barrier(2)

    async def change(first: int, second: int) -> None:
        async with store.begin() as tx:
            await tx.incidents.release_diagnosis(first)
            await both.wait()
            await tx.incidents.release_diagnosis(second)

    ended = await asyncio.gather(change(one.id, other.id), change(other.id, one.id), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ended) == ["NoneType", "StoreUnavailable"]


async def test_a_wrong_statement_is_a_bug_and_not_an_outage(store: engine.Database) -> None:
    with pytest.raises(sa.exc.ProgrammingError):
        await store.run(lambda connection: connection.execute(sa.text("SELECT nonsense")))


async def test_a_row_that_breaks_a_rule_is_a_bug_and_is_told_without_its_values(store: engine.Database) -> None:
    with pytest.raises(sa.exc.IntegrityError) as raised:
        await examples.opened(store, state="resolved", resolution="a secret of theirs")
    assert "parameters hidden" in str(raised.value)
    assert "a secret of theirs" not in str(raised.value)


async def test_a_server_that_restarts_is_away_and_then_back_with_all_that_was_kept() -> None:
    server = postgres.Server()
    try:
        async with server.database() as url:
            store = engine.Database(url)
            watch = await examples.watched(store)
            with pytest.raises(errors.StoreUnavailable):
                await _pause_half_way(server, store)
            await _unavailable(store)
            await asyncio.to_thread(server.resume)
            async with store.begin() as tx:
                assert await tx.watches.all() == [watch]
            await store.close()
    finally:
        server.stop()


async def _pause_half_way(server: postgres.Server, store: engine.Database) -> None:
    async with store.begin() as tx:
        await asyncio.to_thread(server.pause)
        await tx.watches.all()
