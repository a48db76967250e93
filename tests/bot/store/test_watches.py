"""Watches and sweeps as rows."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg

from bot.domain import watches
from bot.store import engine
from tests.bot.store import examples


async def test_a_watch_comes_back_as_it_was_added(store: engine.Database) -> None:
    added = await examples.watched(store)
    async with store.begin() as tx:
        assert await tx.watches.get(added.id) == added
        assert await tx.watches.named("prod") == added
    assert added.scope == examples.new_watch().scope
    assert (added.state, added.created_at, added.timezone) == ("active", examples.NOW, "Europe/Berlin")


async def test_a_name_is_taken_until_its_watch_is_removed(store: engine.Database) -> None:
    first = await examples.watched(store)
    async with store.begin() as tx:
        assert await tx.watches.add(examples.new_watch(), examples.NOW) is None
        assert await tx.watches.set_state(first.id, ("active", "paused"), "removed")
    second = await examples.watched(store)
    async with store.begin() as tx:
        assert await tx.watches.all() == [second]
        assert await tx.watches.named("prod") == second


async def test_of_many_who_take_one_name_at_once_one_gets_it(store: engine.Database) -> None:
    async def add() -> watches.Watch | None:
        async with store.begin() as tx:
            return await tx.watches.add(examples.new_watch(), examples.NOW)

    added = await asyncio.gather(*(add() for _ in range(30)))
    assert sum(one is not None for one in added) == 1


async def test_watches_are_listed_by_name_without_removed_ones(store: engine.Database) -> None:
    for name in ("c", "a", "b"):
        await examples.watched(store, name=name)
    async with store.begin() as tx:
        gone = await tx.watches.named("b")
        assert gone is not None
        await tx.watches.set_state(gone.id, ("active",), "removed")
        assert [watch.name for watch in await tx.watches.all()] == ["a", "c"]


async def test_a_cluster_that_was_ever_watched_stays_known(store: engine.Database) -> None:
    async with store.begin() as tx:
        assert await tx.watches.clusters_ever() == frozenset()
    kept = await examples.watched(store)
    gone = await examples.watched(store, name="old", cluster="prod-us")
    await examples.watched(store, name="again")
    async with store.begin() as tx:
        await tx.watches.set_state(gone.id, ("active",), "removed")
        assert await tx.watches.clusters_ever() == {kept.cluster, "prod-us"}


async def test_a_state_is_set_only_from_the_states_named(store: engine.Database) -> None:
    watch = await examples.watched(store)
    async with store.begin() as tx:
        assert not await tx.watches.set_state(watch.id, ("paused",), "active")
        assert await tx.watches.set_state(watch.id, ("active",), "paused")
        assert not await tx.watches.set_state(watch.id, ("active",), "paused")
        found = await tx.watches.get(watch.id)
    assert found is not None
    assert found.state == "paused"


async def test_what_a_watch_says_of_kinds_comes_back_and_is_changed(store: engine.Database) -> None:
    said = watches.Kinds(("LogErrors",), ("JobFailed",), {"NotReady": timedelta(seconds=90)}, {"OOMKilled": "P1"})
    watch = await examples.watched(store, kinds=said)
    assert watch.kinds == said
    async with store.begin() as tx:
        assert await tx.watches.set_kinds(watch.id, watches.Kinds(off=("Risk",)))
        assert await tx.watches.get(watch.id) == replace(watch, kinds=watches.Kinds(off=("Risk",)))
        assert await tx.watches.set_state(watch.id, ("active",), "removed")
        assert not await tx.watches.set_kinds(watch.id, said)


async def test_a_watch_of_an_older_version_says_nothing_of_kinds(store: engine.Database, postgres_url: str) -> None:
    watch = await examples.watched(store)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        """INSERT INTO watch (name, cluster, scope, cron, timezone, channel, mode, state, created_by, created_at)
        SELECT 'old', cluster, scope, cron, timezone, channel, mode, state, created_by, created_at FROM watch"""
    )
    await connection.close()
    async with store.begin() as tx:
        old = await tx.watches.named("old")
    assert old is not None
    assert old == replace(watch, id=old.id, name="old", kinds=watches.Kinds())


async def test_a_removed_watch_never_comes_back(store: engine.Database) -> None:
    watch = await examples.watched(store)
    async with store.begin() as tx:
        assert await tx.watches.set_state(watch.id, ("active",), "removed")
        assert not await tx.watches.set_state(watch.id, ("removed",), "active")


async def test_one_tick_is_one_sweep_on_however_many_replicas(store: engine.Database, postgres_url: str) -> None:
    watch = await examples.watched(store)
    replicas = [engine.Database(postgres_url, pool_size=5) for _ in range(3)]

    async def tick(number: int) -> watches.Sweep | None:
        async with replicas[number % 3].begin() as tx:
            return await tx.sweeps.claim(watch.id, examples.NOW, "schedule", f"replica-{number}", examples.NOW)

    claimed = await asyncio.gather(*(tick(number) for number in range(60)))
    for replica in replicas:
        await replica.close()
    assert sum(one is not None for one in claimed) == 1


async def test_sweeps_that_people_ask_for_are_all_made(store: engine.Database) -> None:
    watch = await examples.watched(store)
    async with store.begin() as tx:
        first = await tx.sweeps.claim(watch.id, None, "command", "a", examples.NOW)
        second = await tx.sweeps.claim(watch.id, None, "command", "a", examples.NOW)
    assert first is not None
    assert second is not None
    assert first.id != second.id


async def test_the_latest_sweep_is_the_newest_finished_one(store: engine.Database) -> None:
    watch = await examples.watched(store)
    async with store.begin() as tx:
        assert await tx.sweeps.latest(watch.id) is None
        done = await tx.sweeps.claim(watch.id, examples.NOW, "schedule", "a", examples.NOW)
        assert done is not None
        assert done.status == "running"
        later = examples.NOW + examples.MINUTE
        assert await tx.sweeps.claim(watch.id, later, "schedule", "a", later) is not None
        finished = replace(
            done,
            status="partial",
            finished_at=examples.NOW + examples.SECOND,
            pods=12,
            nodes=3,
            findings=2,
            muted=1,
            seconds=0.25,
            summary="12 pods",
            degraded={"events": "forbidden"},
        )
        await tx.sweeps.finish(finished)
        assert await tx.sweeps.latest(watch.id) == finished


async def test_a_sweep_whose_process_died_is_given_up(store: engine.Database) -> None:
    watch = await examples.watched(store)
    old, young = examples.NOW - timedelta(minutes=20), examples.NOW - timedelta(minutes=1)
    async with store.begin() as tx:
        left = await tx.sweeps.claim(watch.id, old, "schedule", "a", old)
        assert await tx.sweeps.claim(watch.id, young, "schedule", "a", young) is not None
        assert await tx.sweeps.abandon(examples.NOW - timedelta(minutes=10)) == 1
        assert await tx.sweeps.abandon(examples.NOW - timedelta(minutes=10)) == 0
        found = await tx.sweeps.latest(watch.id)
    assert found is not None
    assert left is not None
    assert (found.id, found.status) == (left.id, "failed")
    assert found.error
