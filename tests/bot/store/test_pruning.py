"""Months of the trail: each entry in its own, none ever refused, and what is left of a pruned chain can be proved."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import alembic.command
import asyncpg
import pytest
import sqlalchemy as sa

from bot import errors
from bot.domain import audit
from bot.store import engine, partitions, schema
from tests import postgres
from tests.bot.store import examples

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
WHERE = "SELECT tableoid::regclass::text FROM audit WHERE chain = $1 ORDER BY seq"


@pytest.fixture
async def superuser(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def _append(store: engine.Database, count: int = 1, chain: str = "prod-eu") -> None:
    async with store.begin() as tx:
        for number in range(count):
            await tx.trail.append(examples.event(chain=chain, data={"n": number}))


async def _flaw(store: engine.Database, chain: str = "prod-eu") -> audit.Flaw | None:
    async with store.begin() as tx:
        return await tx.trail.verify(chain)


async def _long_ago(connection: asyncpg.Connection, *months: date, chain: str = "prod-eu") -> None:
    """An entry in each of the months, as the application would have added it then."""
    previous = audit.GENESIS
    for seq, month in enumerate(months, 1):
        at = examples.NOW.replace(year=month.year, month=month.month)
        event = examples.event(chain=chain, at=at, data={"n": seq})
        digest = audit.link(previous, seq, event)
        await connection.execute(
            "INSERT INTO audit (chain, seq, tag, actor, at, incident_id, proposal_id, data, previous, hash, month)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            chain, seq, event.tag, event.actor, at, event.incident_id, None, f'{{"n":{seq}}}', previous, digest, month,
        )  # fmt: skip
        previous = digest
    await connection.execute("INSERT INTO audit_head VALUES ($1, $2, $3, $4)", chain, seq, previous, months[-1])


async def _without_first(connection: asyncpg.Connection) -> None:
    """The first partition, which takes all that is older, would take what is put into months of its own here."""
    named = "SELECT relname FROM pg_class WHERE relname LIKE 'audit_until_%' AND relkind = 'r'"
    await connection.execute(f"DROP TABLE {await connection.fetchval(named)}")


@pytest.fixture
async def aged(store: engine.Database, superuser: asyncpg.Connection) -> engine.Database:
    """A trail that began in January: four entries of prod-eu, two of prod-us, one of young, and one of today."""
    await _without_first(superuser)
    await store.migrate()
    await _long_ago(superuser, JANUARY, JANUARY, FEBRUARY, MARCH)
    await _long_ago(superuser, FEBRUARY, MARCH, chain="prod-us")
    await _long_ago(superuser, MARCH, chain="young")
    await store.migrate()
    await _append(store)
    return store


async def test_an_entry_lies_in_the_month_of_the_server(store: engine.Database, superuser: asyncpg.Connection) -> None:
    await _append(store, 3)
    (place,) = {row[0] for row in await superuser.fetch(WHERE, "prod-eu")}
    this = await superuser.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')")
    assert place.removeprefix("audit_").removeprefix("until_") == this


async def test_partitions_of_months_to_come_are_there(store: engine.Database) -> None:
    known = await store.run(partitions.known)
    now = await store.run(partitions.this_month)
    assert [one.last for one in known] == [partitions.after(now, count) for count in range(partitions.AHEAD + 1)]
    await store.migrate()
    assert await store.run(partitions.known) == known


async def test_what_has_no_partition_is_kept_and_moved_to_one_at_the_next_start(
    store: engine.Database, superuser: asyncpg.Connection
) -> None:
    await _append(store)
    later = date(2031, 5, 1)
    await superuser.execute("ALTER TABLE audit_head DISABLE TRIGGER USER")
    await superuser.execute("UPDATE audit_head SET month = $1", later)
    await superuser.execute("ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_forward")
    await _append(store, 2)
    assert [row[0] for row in await superuser.fetch(WHERE, "prod-eu")][1:] == ["audit_default"] * 2
    assert await _flaw(store) is None
    await store.migrate()
    assert [row[0] for row in await superuser.fetch(WHERE, "prod-eu")][1:] == ["audit_2031_05"] * 2
    await _append(store)
    assert await _flaw(store) is None
    assert await superuser.fetchval("SELECT count(*) FROM audit") == 4


async def test_every_partition_refuses_changes_also_when_it_is_named_itself(
    aged: engine.Database, superuser: asyncpg.Connection
) -> None:
    found = await superuser.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit'::regclass"
    )
    names = [row[0] for row in found]
    assert {"audit_default", "audit_2026_01"} <= set(names)
    assert len(names) > partitions.AHEAD
    for name in names:
        for statement in (f"DELETE FROM {name}", f"TRUNCATE {name}", f"UPDATE {name} SET seq = 7"):  # noqa: S608
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                await superuser.execute(statement)


async def test_pruned_months_are_gone_and_the_rest_can_still_be_proved(
    aged: engine.Database, superuser: asyncpg.Connection
) -> None:
    last = await superuser.fetchrow("SELECT seq, hash FROM audit WHERE chain = 'prod-eu' AND month = $1 ", FEBRUARY)
    anchors = await aged.prune(MARCH, "cli:ana", examples.NOW)
    assert [(one.chain, one.seq, one.entries) for one in anchors] == [("prod-eu", 3, 3), ("prod-us", 1, 1)]
    assert (anchors[0].seq, anchors[0].hash) == tuple(last)
    tables = [one.name for one in await aged.run(partitions.known)]
    assert not {"audit_2026_01", "audit_2026_02"} & set(tables)
    assert await superuser.fetchval("SELECT min(month) FROM audit") == MARCH
    for chain in ("prod-eu", "prod-us", "young"):
        assert await _flaw(aged, chain) is None
    async with aged.begin() as tx:
        page = await tx.trail.page(actor="cli:ana")
        heads = {head.chain: head for head in await tx.trail.heads()}
    assert page.broken is None
    assert {entry.event.tag for entry in page.entries} == {audit.PRUNED}
    assert heads["prod-eu"].anchor == anchors[0]
    assert heads["young"].anchor is None
    await _append(aged)
    assert await _flaw(aged) is None
    assert await aged.prune(MARCH, "cli:ana", examples.NOW) == (), "and there is nothing left to prune"


async def test_pruning_again_goes_on_from_the_anchor_before(aged: engine.Database) -> None:
    await aged.prune(FEBRUARY, "cli:ana", examples.NOW)
    anchors = await aged.prune(partitions.after(MARCH), "cli:ana", examples.NOW)
    assert [(one.chain, one.seq, one.entries) for one in anchors] == [
        ("prod-eu", 4, 2),
        ("prod-us", 2, 2),
        ("young", 1, 1),
    ]
    for chain in ("prod-eu", "prod-us", "young"):
        assert await _flaw(aged, chain) is None


async def test_a_dry_run_says_the_same_and_drops_nothing(aged: engine.Database, superuser: asyncpg.Connection) -> None:
    told = await aged.prune(MARCH, "cli:ana", examples.NOW, dry=True)
    assert await superuser.fetchval("SELECT count(*) FROM audit") == 8
    assert await superuser.fetchval("SELECT count(*) FROM audit_anchor") == 0
    assert await aged.prune(MARCH, "cli:ana", examples.NOW) == told


async def test_a_month_that_is_still_written_to_is_not_pruned(aged: engine.Database) -> None:
    now = await aged.run(partitions.this_month)
    with pytest.raises(errors.NotPossible, match="still written to"):
        await aged.prune(partitions.after(now), "cli:ana", examples.NOW)
    await aged.prune(now, "cli:ana", examples.NOW)
    assert await _flaw(aged) is None


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET actor = 'U9' WHERE chain = 'prod-eu' AND seq = 2",
        "UPDATE audit SET actor = 'U9' WHERE chain = 'prod-eu' AND seq = 4",
        "DELETE FROM audit WHERE chain = 'prod-us' AND seq = 1",
    ],
)
async def test_a_trail_that_was_tampered_with_is_kept_as_it_is(
    aged: engine.Database, superuser: asyncpg.Connection, tampering: str
) -> None:
    await superuser.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await superuser.execute(tampering)
    count = await superuser.fetchval("SELECT count(*) FROM audit")
    with pytest.raises(errors.NotPossible, match=r"Nothing is pruned: the chain of prod-.. is broken"):
        await aged.prune(MARCH, "cli:ana", examples.NOW)
    assert await superuser.fetchval("SELECT count(*) FROM audit") == count


@pytest.mark.parametrize(
    ("tampering", "what"),
    [
        ("UPDATE audit SET actor = 'U9' WHERE chain = 'prod-eu' AND seq = 4", "entry 4 does not follow"),
        ("DELETE FROM audit WHERE chain = 'prod-eu' AND seq = 4", "entry 5 does not follow"),
        ("UPDATE audit_anchor SET hash = repeat('0', 64) WHERE chain = 'prod-eu'", "entry 4 does not follow"),
        ("DELETE FROM audit_anchor", "entry 4 does not follow"),
        (
            "INSERT INTO audit SELECT chain, 2, tag, actor, at, 1, 1, data, previous, hash FROM audit WHERE seq = 4",
            "entry 2 does not follow",
        ),
        ("DELETE FROM audit_head WHERE chain = 'prod-eu'", "head of the chain is gone"),
    ],
)
async def test_tampering_with_what_is_left_or_with_the_anchor_is_found(
    aged: engine.Database, superuser: asyncpg.Connection, tampering: str, what: str
) -> None:
    await aged.prune(MARCH, "cli:ana", examples.NOW)
    for table in ("audit", "audit_anchor", "audit_head"):
        await superuser.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    await superuser.execute(tampering)
    flaw = await _flaw(aged)
    assert flaw is not None
    assert what in flaw.what


async def test_a_beginning_that_was_cut_off_under_a_forged_anchor_is_found(
    aged: engine.Database, superuser: asyncpg.Connection
) -> None:
    await superuser.execute(
        "INSERT INTO audit_anchor SELECT chain, seq, hash, 1, now(), now(), 'U9' FROM audit"
        " WHERE chain = 'prod-us' AND seq = 1"
    )
    await superuser.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    await superuser.execute("DELETE FROM audit WHERE chain = 'prod-us' AND seq = 1")
    flaw = await _flaw(aged, "prod-us")
    assert flaw is not None
    assert "the chain does not tell of it" in flaw.what


async def test_an_entry_that_stands_twice_or_after_the_head_is_found(
    aged: engine.Database, superuser: asyncpg.Connection
) -> None:
    """The key keeps places unique within a month only."""
    columns = "chain, seq, tag, actor, at, incident_id, proposal_id, data, previous, hash"
    twice = f"INSERT INTO audit ({columns}, month) SELECT {columns}, $1 FROM audit WHERE chain = 'young'"  # noqa: S608
    await superuser.execute(twice, JANUARY)
    flaw = await _flaw(aged, "young")
    assert flaw is not None
    after = "INSERT INTO audit SELECT chain, 99, tag, actor, at, NULL, NULL, data, previous, hash FROM audit"
    await superuser.execute(f"{after} WHERE chain = 'prod-us' AND seq = 1")
    flaw = await _flaw(aged, "prod-us")
    assert flaw is not None
    assert "there are 3 entries where the head knows of 2" in flaw.what


async def test_months_that_do_not_follow_the_order_of_entries_are_not_pruned(
    store: engine.Database, superuser: asyncpg.Connection
) -> None:
    await _without_first(superuser)
    await store.migrate()
    await _long_ago(superuser, JANUARY, FEBRUARY, JANUARY)
    await store.migrate()
    with pytest.raises(errors.NotPossible, match="not in the order of their months"):
        await store.prune(FEBRUARY, "cli:ana", examples.NOW)


async def test_presses_go_on_while_months_are_pruned(aged: engine.Database) -> None:
    async def press() -> None:
        for _ in range(10):
            await _append(aged)

    await asyncio.gather(aged.prune(MARCH, "cli:ana", examples.NOW), *(press() for _ in range(4)))
    assert await _flaw(aged) is None


# --- the revision ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def empty_url(postgres_server: postgres.Server) -> AsyncIterator[str]:
    async with postgres_server.database("template0") as url:
        yield url


async def _revised(store: engine.Database, to: str) -> None:
    def revise(connection: sa.Connection) -> None:
        config = schema.configuration(connection)
        command = alembic.command.downgrade if to == "0004" and _at(connection) else alembic.command.upgrade
        command(config, to)

    async with store._owning.connect() as connection:
        await connection.run_sync(revise)
        await connection.commit()


def _at(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table("audit_anchor")


ROWS = (
    "SELECT chain, seq, tag, actor, at, incident_id, proposal_id, data::text, previous, hash FROM audit ORDER BY 1, 2"
)


async def test_the_revision_keeps_every_row_and_every_hash_up_and_down_and_up_again(empty_url: str) -> None:
    store = engine.Database(empty_url)
    await _revised(store, "0004")
    connection = await asyncpg.connect(empty_url)
    previous = audit.GENESIS
    for seq in range(1, 2_501):
        event = examples.event(data={"n": seq, "small": 1e-7}, at=examples.NOW - timedelta(days=seq))
        digest = audit.link(previous, seq, event)
        await connection.execute(
            "INSERT INTO audit VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            "prod-eu", seq, event.tag, event.actor, event.at, 1, None, f'{{"n":{seq},"small":1e-7}}', previous, digest,
        )  # fmt: skip
        previous = digest
    await connection.execute("INSERT INTO audit_head VALUES ('prod-eu', 2500, $1)", previous)
    before = await connection.fetch(ROWS)

    await store.migrate()
    assert await connection.fetch(ROWS) == before
    assert await _flaw(store) is None
    await _append(store, 2)
    assert await _flaw(store) is None
    more = await connection.fetch(ROWS)

    await _revised(store, "0004")
    assert await connection.fetch(ROWS) == more
    with pytest.raises(asyncpg.RestrictViolationError):
        await connection.execute("DELETE FROM audit")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("INSERT INTO audit SELECT * FROM audit WHERE seq = 1")

    await store.migrate()
    assert await connection.fetch(ROWS) == more
    await _append(store)
    assert await _flaw(store) is None
    assert await store.pending_changes() == []
    await connection.close()
    await store.close()


async def test_a_replica_of_the_version_before_goes_on_adding(
    store: engine.Database, superuser: asyncpg.Connection
) -> None:
    """It knows no month, neither of an entry nor of a head."""
    event = examples.event()
    digest = audit.link(audit.GENESIS, 1, event)
    await superuser.execute("INSERT INTO audit_head (chain, seq, hash) VALUES ('prod-eu', 0, $1)", audit.GENESIS)
    await superuser.execute(
        "INSERT INTO audit (chain, seq, tag, actor, at, incident_id, data, previous, hash)"
        " VALUES ('prod-eu', 1, $1, $2, $3, 1, $4, $5, $6)",
        event.tag, event.actor, event.at, '{"n":1}', audit.GENESIS, digest,
    )  # fmt: skip
    await superuser.execute("UPDATE audit_head SET seq = 1, hash = $1 WHERE chain = 'prod-eu'", digest)
    await _append(store)
    assert await _flaw(store) is None


async def test_a_pruned_trail_is_not_taken_down_to_a_version_that_knows_no_anchor(
    aged: engine.Database, superuser: asyncpg.Connection
) -> None:
    await aged.prune(MARCH, "cli:ana", examples.NOW)
    with pytest.raises(RuntimeError, match="were pruned"):
        await _revised(aged, "0004")
    assert await _flaw(aged) is None
