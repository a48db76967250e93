"""Failure kinds of one watch alone: what it looks for, after how long, how bad it is; and two watches of one place."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import errors
from bot.domain import incidents, watches
from bot.flow import watching
from demo.cluster import scenarios, workloads
from k8s import detection, model
from tests.bot.flow import worlds

NO_JOBS = watches.Kinds(off=("JobFailed",))
OTHER = "C0OTHER001"


async def sweep(world: worlds.World, bot: worlds.Replica, name: str, times: int = 1) -> list[incidents.Incident]:
    """Sweeps of this watch as it is now, some minutes apart; the live incidents afterwards."""
    for _ in range(times):
        watch = next(one for one in await bot.pipeline.list_watches() if one.name == name)
        world.clock.advance(minutes=3)
        assert await bot.pipeline.tick(watch, world.clock())
    return list(await world.live(bot))


async def test_a_kind_may_be_off_for_one_watch_and_on_for_another_of_the_same_place(begin: worlds.Begin) -> None:
    world = await begin([scenarios.job_failed()])
    bot = await world.replica()
    await world.watch(bot, "quiet", kinds=NO_JOBS)
    loud = await world.watch(bot, "loud", channel=OTHER)
    assert await sweep(world, bot, "quiet", 2) == []
    (opened,) = await sweep(world, bot, "loud")
    assert (opened.watch_id, opened.channel, opened.kinds) == (loud.id, OTHER, ("JobFailed",))
    (still,) = await sweep(world, bot, "quiet", 4)
    assert (still.id, still.clear_sweeps) == (opened.id, 0)


async def test_a_kind_that_is_off_by_the_settings_may_be_on_for_a_watch_and_is_diagnosed(begin: worlds.Begin) -> None:
    world = await begin([scenarios.job_failed()])
    off = replace(worlds.RULES, kinds=detection.Options(disabled=frozenset({"JobFailed"})))
    bot = await world.replica(rules=off)
    await world.watch(bot, "as-set")
    await world.watch(bot, "eager", kinds=watches.Kinds(on=("JobFailed",)))
    assert await sweep(world, bot, "as-set") == []
    (opened,) = await sweep(world, bot, "eager")
    while await bot.pipeline.diagnose_next():
        pass
    assert (await bot.card(opened.id)).diagnosis is not None, "the fresh look goes by the watch's kinds"


async def test_a_grace_and_a_severity_of_a_watch_hold_for_it_alone(begin: worlds.Begin) -> None:
    world = await begin([scenarios.job_failed()])
    bot = await world.replica()
    patient = watches.Kinds(graces={"JobFailed": timedelta(hours=2)}, severities={"JobFailed": "P1"})
    await world.watch(bot, "patient", kinds=patient)
    assert await sweep(world, bot, "patient", 2) == []
    world.clock.advance(hours=2)
    (opened,) = await sweep(world, bot, "patient")
    assert opened.severity == "P1"


async def test_an_incident_goes_by_the_watch_that_opened_it_whoever_else_looks(begin: worlds.Begin) -> None:
    world = await begin([scenarios.job_failed()])
    bot = await world.replica()
    await world.watch(bot, "first", kinds=watches.Kinds(severities={"JobFailed": "P3"}))
    await world.watch(bot, "second", kinds=watches.Kinds(severities={"JobFailed": "P1"}))
    (opened,) = await sweep(world, bot, "first")
    (seen,) = await sweep(world, bot, "second")
    assert (seen.id, seen.severity) == (opened.id, "P3")
    assert seen.last_seen_at == opened.last_seen_at, "a look by other kinds does not touch it"
    (seen,) = await sweep(world, bot, "first")
    assert (seen.severity, seen.last_seen_at > opened.last_seen_at) == ("P3", True)


async def test_watches_that_go_by_the_same_kinds_look_for_each_other(begin: worlds.Begin) -> None:
    world = await begin([scenarios.job_failed()])
    bot = await world.replica()
    for name in ("first", "second"):
        await world.watch(bot, name, kinds=watches.Kinds(severities={"JobFailed": "P3"}))
    (opened,) = await sweep(world, bot, "first")
    (seen,) = await sweep(world, bot, "second")
    assert (seen.id, seen.last_seen_at > opened.last_seen_at) == (opened.id, True)


async def test_turning_a_kind_off_ends_its_incident_without_calling_it_a_recovery_and_others_may_open_theirs(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.job_failed()])
    bot = await world.replica()
    await world.watch(bot, "demo")
    other = await world.watch(bot, "other", channel=OTHER)
    (opened,) = await sweep(world, bot, "demo")
    await bot.wanted()
    await bot.pipeline.change_kinds("demo", NO_JOBS, (), worlds.ANA)
    assert await sweep(world, bot, "demo", 2) == []
    ended = (await bot.card(opened.id)).incident
    assert ended.resolution == "JobFailed is turned off for watch demo; what became of the problem is not known."
    assert await bot.wanted() == {"parent": 1}
    (again,) = await sweep(world, bot, "other")
    assert (again.watch_id, again.channel) == (other.id, OTHER), "no echo: its own watch does not look for it"
    assert [one.id for one in await sweep(world, bot, "demo", 3)] == [again.id]


async def test_a_kind_that_is_turned_on_again_is_told_at_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.job_failed()])
    bot = await world.replica()
    await world.watch(bot, "demo")
    assert len(await sweep(world, bot, "demo")) == 1
    await bot.pipeline.change_kinds("demo", NO_JOBS, (), worlds.ANA)
    assert await sweep(world, bot, "demo", 2) == []
    await bot.pipeline.change_kinds("demo", watches.Kinds(), ("JobFailed",), worlds.ANA)
    assert len(await sweep(world, bot, "demo")) == 1


class Log:
    """Behind `ports.Ears`: counts how often a log is read."""

    def __init__(self) -> None:
        self.asked = 0

    async def log(self, _cluster: str, _pod: model.ResourceRef, _container: str, _since: datetime) -> str | None:
        self.asked += 1
        return "INFO all is well"


@pytest.mark.parametrize(("name", "read"), [("silent", False), ("listening", True)])
async def test_logs_are_read_for_the_watch_alone_that_asks_for_it(begin: worlds.Begin, name: str, read: bool) -> None:
    app = scenarios.running(workloads.deployment("indexer", "search", "search/indexer:v1"), ago=600.0)
    world, log = await begin([app]), Log()
    bot = await world.replica(ears=log)
    await world.watch(bot, "silent")
    await world.watch(bot, "listening", kinds=watches.Kinds(on=("LogErrors",)))
    await sweep(world, bot, name)
    assert bool(log.asked) is read


async def trail(bot: worlds.Replica) -> list[dict[str, Any]]:
    """What the bot's own chain says of watches, oldest first."""
    async with bot.database.begin() as tx:
        page = await tx.trail.page(actor=worlds.ANA, limit=100)
    return [{"tag": one.event.tag, **one.event.data} for one in reversed(page.entries) if one.event.chain == "-"]


async def test_what_a_watch_says_of_kinds_is_in_the_trail_and_changed_step_by_step(
    record: tuple[worlds.Replica, worlds.Clock],
) -> None:
    bot, _ = record
    said = watches.Kinds(off=("JobFailed",), graces={"NotReady": timedelta(minutes=10)})
    await bot.pipeline.add_default_watch(worlds.new_watch("w", kinds=said))
    more = watches.Kinds(on=("JobFailed",), severities={"OOMKilled": "P1"})
    changed = await bot.pipeline.change_kinds("w", more, ("NotReady",), worlds.ANA)
    assert changed.kinds == more
    assert changed == (await bot.pipeline.list_watches())[0]
    assert await bot.pipeline.change_kinds("w", watches.Kinds(), (), worlds.ANA) == changed, (
        "nothing said, nothing told"
    )
    added, told = await trail(bot)
    assert (added["tag"], added["off"], added["grace"]) == ("watch:added", ["JobFailed"], ["NotReady=10m"])
    assert told == {
        "tag": "watch:kinds-changed",
        "name": "w",
        "on": ["JobFailed"],
        "severity": ["OOMKilled=P1"],
        "before": "off JobFailed grace NotReady=10m",
    }
    with pytest.raises(errors.NotPossible, match="There are: `w`"):
        await bot.pipeline.change_kinds("W", NO_JOBS, (), worlds.ANA)


async def test_what_two_people_change_at_once_holds_both(record: tuple[worlds.Replica, worlds.Clock]) -> None:
    bot, _ = record
    stale = await bot.pipeline.add_default_watch(worlds.new_watch("w"))
    await asyncio.gather(
        watching.change_kinds(bot.wired, stale, NO_JOBS, (), worlds.ANA),
        watching.change_kinds(bot.wired, stale, watches.Kinds(on=("LogErrors",)), (), worlds.BEN),
    )
    (after,) = await bot.pipeline.list_watches()
    assert after.kinds == watches.Kinds(on=("LogErrors",), off=("JobFailed",))
    await bot.pipeline.remove_watch("w", worlds.ANA)
    with pytest.raises(errors.NotPossible, match="is removed already"):
        await watching.change_kinds(bot.wired, stale, NO_JOBS, (), worlds.ANA)
