"""The fast path as people meet it: a bot whose sweeps are far apart tells of what breaks all the same."""

import pytest

from demo.cluster import scenarios
from k8s import live
from tests.stories import world as worlds

SELDOM = "0 0 1 1 *"
"""Once a year: what is told in a story was not found by a sweep, but for the one at the start."""


async def swept(world: worlds.World, times: int = 1) -> None:
    """Waits until so many sweeps have ended."""
    await world.eventually_row("SELECT count(*) >= $1 FROM sweep WHERE status <> 'running'", times)


async def followed(world: worlds.World) -> None:
    await world.eventually_row("SELECT count(*) FROM lease WHERE name LIKE 'fast-path:%' AND lease_until > now()")
    await world.eventually(lambda: watched(world) >= set(live.KINDS), what="every list is watched")


def watched(world: worlds.World) -> set[str]:
    """The lists of which a watch was ever asked for."""
    return {one.path.rpartition("/")[2] for one in world.cluster.journal.entries if "watch" in one.query}


async def test_what_breaks_between_two_sweeps_is_told_with_its_cause_and_an_action(begin: worlds.Start) -> None:
    world = await begin([scenarios.base()])
    await world.start_bot(SWEEP_SCHEDULE=SELDOM)
    await swept(world)
    await followed(world)
    assert world.parents() == []

    await world.cluster.add(scenarios.crash_loop(ago=0))
    parent = await world.parent("payments/api")
    await world.diagnosed(parent)
    assert await world.value("SELECT count(*) FROM sweep") == 1, "no sweep has found it"
    assert len(world.parents()) == 1
    assert await world.value("SELECT count(*) FROM incident") == 1


async def test_what_was_broken_before_the_bot_came_is_told_once(begin: worlds.Start) -> None:
    world = await begin([scenarios.job_failed(), scenarios.crash_loop()])
    await world.start_bot(SWEEP_SCHEDULE=SELDOM)
    await world.parent("ledger-export")
    await world.parent("payments/api")
    await followed(world)
    await world.cluster.add(scenarios.bad_image(ago=0))
    await world.parent("storefront")
    assert len(world.parents()) == 3


@pytest.mark.parametrize("fast_path", ["true", "false"])
async def test_a_bot_stops_cleanly_and_leaves_the_cluster_to_the_next(begin: worlds.Start, fast_path: str) -> None:
    world = await begin([scenarios.base()])
    bot = await world.start_bot(SWEEP_SCHEDULE=SELDOM, FAST_PATH=fast_path)
    await swept(world)
    if fast_path == "true":
        await followed(world)
    assert await bot.stop() == 0
    assert await world.value("SELECT count(*) FROM lease") == 0
    log = bot.log.read_text()
    assert "Traceback" not in log
    assert "never retrieved" not in log


async def test_off_means_that_only_sweeps_look(begin: worlds.Start) -> None:
    world = await begin([scenarios.base()])
    await world.start_bot(SWEEP_SCHEDULE=SELDOM, FAST_PATH="false")
    await swept(world)
    await world.cluster.add(scenarios.job_failed(ago=0))
    assert watched(world) == set()
    assert await world.value("SELECT count(*) FROM lease") == 0
