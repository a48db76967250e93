"""The audit trail: grows only, in one chain for each cluster, and tells of tampering."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bot.domain import audit
from bot.store import engine, querying, trail
from tests.bot.store import examples


async def _append(store: engine.Database, count: int = 1, **changes: Any) -> None:
    async with store.begin() as tx:
        for number in range(count):
            await tx.trail.append(examples.event(data={"n": number}, **changes))


async def _by_hand(url: str, *statements: str) -> None:
    """As a superuser who knows how to switch the trigger off."""
    connection = await asyncpg.connect(url)
    try:
        for table in ("audit", "audit_head"):
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            assert await connection.execute(statement) not in ("UPDATE 0", "DELETE 0"), "the tampering took place"
    finally:
        await connection.close()


async def _flaw(store: engine.Database) -> audit.Flaw | None:
    async with store.begin() as tx:
        return await tx.trail.verify("prod-eu")


async def test_entries_follow_each_other(store: engine.Database) -> None:
    await _append(store, 3)
    async with store.begin() as tx:
        page = await tx.trail.page()
    entries = page.entries[::-1]
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert entries[0].previous == audit.GENESIS
    assert audit.broken_at(entries) is None
    assert entries[0].event == examples.event(data={"n": 0})
    assert page.broken is None
    assert await _flaw(store) is None


async def test_appending_at_once_from_everywhere_makes_one_chain(store: engine.Database, postgres_url: str) -> None:
    other = engine.Database(postgres_url)
    await asyncio.gather(*(_append((store, other)[number % 2], 2) for number in range(40)))
    await other.close()
    async with store.begin() as tx:
        page = await tx.trail.page(limit=100)
    assert [entry.seq for entry in page.entries] == list(range(80, 0, -1))
    assert await _flaw(store) is None


async def test_every_cluster_has_a_chain_of_its_own(store: engine.Database) -> None:
    await _append(store)
    await _append(store, chain="prod-us")
    async with store.begin() as tx:
        page = await tx.trail.page()
    assert [(entry.event.chain, entry.seq) for entry in page.entries] == [("prod-eu", 1), ("prod-us", 1)]


async def test_a_page_is_of_an_incident_a_person_or_a_time_newest_first(store: engine.Database) -> None:
    await _append(store)
    await _append(store, actor="U1", incident_id=2, proposal_id=5, at=examples.NOW + examples.HOUR)
    async with store.begin() as tx:
        assert [entry.seq for entry in (await tx.trail.page()).entries] == [2, 1]
        assert [entry.seq for entry in (await tx.trail.page(incident_id=2)).entries] == [2]
        assert [entry.seq for entry in (await tx.trail.page(actor="watchkeeper")).entries] == [1]
        since = examples.NOW + timedelta(minutes=1)
        assert [entry.seq for entry in (await tx.trail.page(since=since)).entries] == [2]
        assert [entry.seq for entry in (await tx.trail.page(limit=1)).entries] == [2]
        assert (await tx.trail.page(actor="U9")).entries == ()
        assert await tx.trail.verify("unknown") is None


async def test_state_and_its_event_are_rolled_back_together(store: engine.Database) -> None:
    async def stop_half_way() -> None:
        async with store.begin() as tx:
            await tx.watches.add(examples.new_watch(), examples.NOW)
            await tx.trail.append(examples.event())
            raise LookupError

    with pytest.raises(LookupError):
        await stop_half_way()
    async with store.begin() as tx:
        assert await tx.watches.all() == []
        assert (await tx.trail.page()).entries == ()
    await _append(store)
    assert await _flaw(store) is None, "the next event takes the place of the one that never was"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = 'U9'", "DELETE FROM audit", "TRUNCATE audit", "DELETE FROM audit WHERE false"],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_the_database_refuses_every_change_of_the_trail(
    store: engine.Database, postgres_url: str, statement: str, role: str
) -> None:
    await _append(store)
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"SET session_replication_role = {role}")
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert await _flaw(store) is None


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE audit SET actor = 'U9' WHERE seq = 3", 3),
        ("UPDATE audit SET data = '{\"n\": 7}' WHERE seq = 3", 3),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = 1", 1),
        ("UPDATE audit SET incident_id = NULL WHERE seq = 5", 5),
        ("UPDATE audit SET hash = previous WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 3", 4),
        ("DELETE FROM audit WHERE seq = 1", 2),
        ("UPDATE audit SET chain = 'prod-us' WHERE seq = 4", 5),
        ("DELETE FROM audit WHERE seq >= 4", 3),
    ],
)
async def test_tampering_is_found_where_it_began(
    store: engine.Database, postgres_url: str, tampering: str, broken: int
) -> None:
    await _append(store, 5)
    await _by_hand(postgres_url, tampering)
    flaw = await _flaw(store)
    assert flaw is not None
    assert flaw.entry is not None
    assert flaw.entry.seq == broken
    async with store.begin() as tx:
        page = await tx.trail.page()
    assert page.broken is not None


async def test_an_inserted_entry_is_found(store: engine.Database, postgres_url: str) -> None:
    await _append(store, 2)
    copy = "INSERT INTO audit SELECT chain, 3, tag, actor, at, incident_id, proposal_id, data, hash, hash FROM audit"
    await _by_hand(postgres_url, f"{copy} WHERE seq = 2", "UPDATE audit_head SET seq = 3, hash = hash")
    flaw = await _flaw(store)
    assert flaw is not None
    assert flaw.entry is not None
    assert flaw.entry.seq == 3


async def test_a_chain_that_was_removed_as_a_whole_is_missed(store: engine.Database, postgres_url: str) -> None:
    await _append(store, 2)
    await _by_hand(postgres_url, "DELETE FROM audit")
    flaw = await _flaw(store)
    assert flaw is not None
    assert flaw.entry is None
    assert "there were 2" in flaw.what


async def test_a_head_that_was_removed_is_missed(store: engine.Database, postgres_url: str) -> None:
    await _append(store, 2)
    await _by_hand(postgres_url, "DELETE FROM audit_head")
    flaw = await _flaw(store)
    assert flaw is not None
    assert "head" in flaw.what


async def test_thousands_of_events_of_one_transaction_are_written_and_followed_in_batches(
    store: engine.Database,
) -> None:
    """A cluster that falls apart opens thousands of incidents in one triage."""
    await _append(store, 4_000)
    await _append(store)
    assert await _flaw(store) is None
    async with store.begin() as tx:
        page = await tx.trail.page(limit=1)
    assert (page.entries[0].seq, page.broken) == (4_001, None)


async def test_a_page_checks_only_the_newest_part_of_a_long_chain(store: engine.Database, postgres_url: str) -> None:
    await _append(store, 8)
    await _by_hand(postgres_url, "UPDATE audit SET actor = 'U9' WHERE seq = 2")
    assert await _page_flaw(store, checked=3) is None
    assert await _page_flaw(store, checked=6) is None, "what it begins after is trusted"
    assert await _page_flaw(store, checked=7) == 2
    await _by_hand(postgres_url, "UPDATE audit SET actor = 'U9' WHERE seq = 7")
    assert await _page_flaw(store, checked=3) == 7
    await _by_hand(postgres_url, "DELETE FROM audit WHERE seq = 5")
    assert await _page_flaw(store, checked=3) == 6


async def _page_flaw(store: engine.Database, checked: int) -> int | None:
    async with store._connection() as connection:
        page = await trail.Trail(querying.Queries(connection), checked=checked).page()
    return None if page.broken is None else page.broken.seq


@pytest.mark.parametrize(
    "data",
    [
        {"number": 1e20, "small": 1e-7, "zero": -0.0, "whole": 1.0, "big": 2**80},
        {"text": "NUL \x00, surrogate \ud800, é, 😀", "\x00key": None},
        {"nested": [{"tuple": (1, 2)}, True, None, ""], "empty": {}},
        {"at": examples.NOW},
    ],
)
async def test_whatever_an_event_holds_its_hash_can_be_made_again_from_the_row(
    store: engine.Database, data: dict[str, Any]
) -> None:
    async with store.begin() as tx:
        await tx.trail.append(examples.event(tag="a:b\x00", data=data))
        await tx.trail.append(examples.event())
    assert await _flaw(store) is None


async def test_the_columns_of_the_trail_are_all_in_the_hash(store: engine.Database, postgres_url: str) -> None:
    """A column that the hash leaves out could be changed unseen. The month only says where a row lies."""
    connection = await asyncpg.connect(postgres_url)
    try:
        found = await connection.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = 'audit'")
    finally:
        await connection.close()
    hashed = {"chain", "seq", "tag", "actor", "at", "incident_id", "proposal_id", "data", "previous"}
    assert {row["column_name"] for row in found} == hashed | {"hash", "month"}
