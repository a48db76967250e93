"""Sweeping: one tick is one sweep; a cluster that cannot be looked at fails it visibly and concludes nothing."""

import asyncio
from datetime import timedelta

from bot.flow import sweeping
from demo.cluster import Fault, scenarios
from tests.bot.flow import worlds

PODS = "/api/v1/pods"


async def latest(replica: worlds.Replica) -> tuple[str, str]:
    (status,) = (await replica.pipeline.status()).watches
    assert status.last_sweep is not None
    return status.last_sweep.status, status.last_sweep.summary


async def test_one_tick_is_swept_once_by_however_many_replicas(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    watch, slot = await world.watch(a), world.clock()
    done = await asyncio.gather(*(replica.pipeline.tick(watch, slot) for replica in (a, b, a, b)))
    assert sorted(done) == [False, False, False, True]
    assert not await b.pipeline.tick(watch, slot)
    assert len(await world.live(a)) == 1
    assert await b.pipeline.tick(watch, slot + timedelta(minutes=5))


async def test_a_sweep_says_what_it_saw(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    await world.sweep(bot)
    status, summary = await latest(bot)
    assert status == "issues"
    assert summary.startswith("3 pods on 3 nodes: ")
    assert summary.endswith(" in 1 incident")


async def test_a_cluster_that_is_away_fails_the_sweep_and_neither_opens_nor_resolves(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (known,) = await world.sweep(bot)
    world.cluster.faults.unreachable = True
    for _ in range(3):
        world.clock.advance(minutes=5)
        (still,) = await world.sweep(bot)
        assert (still.state, still.clear_sweeps, still.last_seen_at) == ("open", 0, known.last_seen_at)
    status, summary = await latest(bot)
    assert status == "failed"
    assert summary.startswith("could not look: ")
    async with bot.database.begin() as tx:
        page = await tx.trail.page(since=world.clock() - timedelta(days=1))
    assert [entry.event.tag for entry in page.entries].count("sweep:failed") == 1


async def test_a_list_that_cannot_be_had_makes_the_sweep_partial_and_is_named(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (known,) = await world.sweep(bot)
    world.cluster.delete("deployments", "api", "payments")
    await world.cluster.settle()
    world.cluster.faults.add(Fault(path=PODS, status=500))
    for _ in range(3):
        world.clock.advance(minutes=5)
        assert [one.id for one in await world.sweep(bot)] == [known.id]
    status, summary = await latest(bot)
    assert status == "partial"
    assert "not seen whole: " in summary
    assert "pods" in summary
    world.cluster.faults.clear()
    for _ in range(2):
        world.clock.advance(minutes=5)
        await world.sweep(bot)
    assert await world.live(bot) == []


async def test_what_a_dead_process_was_sweeping_is_given_up_and_the_next_tick_comes(begin: worlds.Begin) -> None:
    world = await begin()
    bot = await world.replica()
    watch = await world.watch(bot)
    assert await sweeping.claim(bot.wired, watch, world.clock(), "schedule") is not None
    world.clock.advance(minutes=9)
    assert await sweeping.abandon(bot.wired) == 0
    world.clock.advance(minutes=2)
    await bot.pipeline.tidy()
    status, summary = await latest(bot)
    assert (status, summary) == ("failed", "The process that ran this sweep ended before it was done.")
    await world.sweep(bot)
    assert (await latest(bot))[0] == "ok"


async def test_ten_symptoms_of_one_owner_are_one_incident(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(replicas=5), scenarios.oom()])
    bot = await world.replica()
    found = await world.sweep(bot)
    assert sorted(one.subject.short for one in found) == ["payments/api", "search/indexer"]


async def test_an_identity_that_may_not_list_nodes_and_namespaces_resolves_its_incidents_all_the_same(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    for kind in ("nodes", "namespaces"):
        world.cluster.forbid("reader", "list", kind)
    bot = await world.replica()
    (known,) = await world.sweep(bot)
    assert known.subject.short == "payments/api"
    world.cluster.delete("deployments", "api", "payments")
    await world.until(lambda: world.cluster.list("pods", "payments") == [])
    for _ in range(2):
        world.clock.advance(minutes=1)
        await world.sweep(bot)
    assert await world.live(bot) == []
    assert (await latest(bot))[0] == "partial"
