"""Sweeping: one tick is one sweep; a cluster that cannot be looked at fails it visibly and concludes nothing."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bot.domain import rules
from bot.flow import examining, sweeping
from demo.cluster import Fault, scenarios
from k8s import detection
from tests.bot.flow import worlds

PODS = "/api/v1/pods"
ALL_OFF = detection.Options(disabled=frozenset(detection.KINDS))


def by(options: detection.Options) -> rules.Rules:
    return replace(worlds.RULES, kinds=options)


def waiting(span: timedelta) -> rules.Rules:
    """Every kind has this grace."""
    return by(detection.Options(graces=dict.fromkeys(detection.KINDS, span)))


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
    world.cluster.delete("services", "api", "payments")
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


# --- failure kinds as a person has set them


async def test_a_kind_that_is_off_is_not_looked_for_and_its_neighbours_are(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    kinds = {"CrashLoopBackOff", "RolloutStuck", "ReplicasMissing", "ServiceNoEndpoints"}
    off = detection.Options(disabled=frozenset(kinds))
    found = await world.sweep(await world.replica(rules=by(off)))
    assert [(one.subject.short, one.kinds) for one in found] == [("search/indexer", ("OOMKilled",))]


async def test_a_severity_that_was_set_is_the_incidents(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    mild = detection.Options(severities=dict.fromkeys(detection.KINDS, "P3"))
    (incident,) = await world.sweep(await world.replica(rules=by(mild)))
    assert incident.severity == "P3"


async def test_without_a_grace_what_would_have_to_wait_opens_at_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.unschedulable(ago=10.0)])
    usual = await world.replica("usual")
    assert await world.sweep(usual) == []
    (incident,) = await world.sweep(await world.replica("hasty", rules=waiting(timedelta(0))), name="hasty")
    assert incident.kinds == ("Unschedulable",)


async def test_with_a_longer_grace_what_would_open_at_once_has_to_wait_for_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.unschedulable(ago=600.0)])
    bot = await world.replica(rules=waiting(timedelta(minutes=20)))
    assert await world.sweep(bot) == []
    world.clock.advance(minutes=9)
    assert await world.sweep(bot) == []
    world.clock.advance(minutes=2)
    assert [one.subject.short for one in await world.sweep(bot)] == ["batch/report-builder"]


async def test_an_incident_whose_kind_is_turned_off_ends_as_not_known_and_its_thread_tells_no_recovery(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.oom()])
    before = await world.replica("before")
    (known,) = await world.sweep(before)
    await before.wanted()
    after = await world.replica("after", rules=by(ALL_OFF))
    for _ in range(2):
        world.clock.advance(minutes=1)
        await world.sweep(after)
    incident = (await after.card(known.id)).incident
    assert incident.state == "resolved"
    off = ", ".join(known.kinds)
    assert "OOMKilled, " in off
    assert incident.resolution == f"{off} are turned off; what became of the problem is not known."
    assert await after.wanted() == {"parent": 1}


async def test_the_diagnosis_of_a_kind_that_is_turned_off_is_not_wanted_any_more(begin: worlds.Begin) -> None:
    world = await begin([scenarios.oom()])
    (known,) = await world.sweep(await world.replica("before"))
    after = await world.replica("after", rules=by(ALL_OFF))
    assert await examining.problem_of(after.wired, known) is None


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
