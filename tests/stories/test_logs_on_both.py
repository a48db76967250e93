"""Logs that no program should write, on every ground: told in time, cut, marked as cut, and in bounded memory."""

import asyncio
import time
from typing import Any

import psutil
import pytest

from demo import slack
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

MIB = 1024 * 1024
MOST = 120 * MIB
"""What a bot may grow by while it reads logs: they are 64 KiB each, and nothing else happens here."""
IN_TIME = 30.0
CUT = "longer than what is kept"
SLOW = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "200m"}}
"""A flood that leaves some of the machine to others."""


def api(ground: grounds.Ground, does: behaviours.Behaviour, **fields: Any) -> dict[str, Any]:
    return manifests.deployment("api", ground.container(does, **fields) | {"resources": SLOW})


def memory(world: worlds.World) -> int:
    """Bytes that the bot holds."""
    return int(psutil.Process(world._bots[0].process.pid).memory_info().rss)


async def evidence(world: worlds.World, parent: worlds.Message, *parts: str) -> str:
    """The replies below a parent as soon as they show all of these."""

    def found() -> str:
        text = world.thread(parent)
        return text if all(part in text for part in parts) else ""

    text: str = await world.eventually(found, what=f"the evidence shows {parts}")
    return text


@pytest.mark.parametrize(
    ("does", "shown"),
    [(behaviours.floods(), "trying again at once"), (behaviours.one_line(), "upstream did not answer")],
    ids=["faster than it is read", "without an end of its line"],
)
async def test_a_log_without_end_is_read_in_time_and_cut_and_the_bot_does_not_grow(
    ground: grounds.Ground, tell: worlds.Tell, does: behaviours.Behaviour, shown: str
) -> None:
    await ground.admin.apply(api(ground, does, readinessProbe=manifests.asks("/tmp/never")))
    world = await tell(GRACES="NotReady=2s")
    before = memory(world)
    parent = await telling.told(world, f"{ground.namespace}/api")
    told = time.monotonic()
    thread = await evidence(world, parent, shown, CUT)
    assert time.monotonic() - told < IN_TIME
    assert max(map(len, thread.splitlines())) < 1000, "no line that nobody can read"

    for _ in range(3):
        seen = await world.slack.command(slack.ANA, slack.ONCALL, "/watch", f"now {ground.namespace}/deployment/api")
        await seen.ephemeral(within=telling.ANSWERED * world.patience)
        await asyncio.sleep(1)
    assert memory(world) - before < MOST
    await ground.untouched()


async def test_the_last_words_of_one_whose_log_was_rotated_while_it_ran_are_told(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    """A kubelet looks every ten seconds and begins a new file behind 10 MiB; it reads the newest alone."""
    last = "ERROR  the journal is full, giving up"
    await ground.admin.apply(api(ground, behaviours.floods_then_fails(25, last)))
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/api", within=120)
    await telling.shows(world, parent, "giving up")
    await evidence(world, parent, last, CUT)
    await ground.untouched()


async def test_a_log_that_is_no_text_is_shown_as_far_as_it_is_one(ground: grounds.Ground, tell: worlds.Tell) -> None:
    last = "ERROR  the index is corrupt"
    await ground.admin.apply(api(ground, behaviours.garbles(last, code=5)))
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/api")
    shown = await telling.shows(world, parent, "exits with code 5", "the index is corrupt")
    thread = await evidence(world, parent, last, "red")
    for text in (shown, thread):
        assert not {each for each in text if ord(each) < 32 and each != "\n"}
        assert "[31m" not in text
    await ground.untouched()
