"""People ask in an incident's thread, and by `/watch why`: told over the real process and Slack's stand-in."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from demo import slack
from demo.cluster import scenarios
from tests.stories import test_outages
from tests.stories import world as worlds

pytestmark = pytest.mark.story

MENTION = f"<@{slack.BOT_USER}>"


def _answers(world: worlds.World, parent: worlds.Message, containing: str = "Answered by") -> list[str]:
    replies = [worlds.text_of(one) for one in world.slack.replies(slack.ONCALL, parent["ts"])]
    return [text for text in replies if containing in text]


async def _ask(world: worlds.World, parent: worlds.Message, text: str, user: str = slack.CHLOE) -> Any:
    return await world.slack.say(user, slack.ONCALL, f"{MENTION} {text}", thread_ts=parent["ts"])


async def test_a_question_in_the_thread_gets_one_answer_there_however_many_replicas_run(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    await world.start_bot()
    parent = await world.parent("payments/api")
    await world.diagnosed(parent)
    await _ask(world, parent, "why not just restart?")
    delivery = world.slack.service.delivery
    await delivery.redeliver(delivery.sent[-1], to_every_connection=True)
    (told,) = await world.eventually(lambda: _answers(world, parent), what="an answer")
    assert "Restart all pods" in told
    assert "[E" in told
    assert "by the rules" in told
    await _ask(world, parent, "what changed?", slack.ANA)
    await world.eventually(lambda: len(_answers(world, parent)) == 2, what="a second answer")
    asked = await world.rows("SELECT state, user_id FROM question ORDER BY id")
    assert [(one["state"], one["user_id"]) for one in asked] == [("answered", slack.CHLOE), ("answered", slack.ANA)]
    assert len(_answers(world, parent)) == 2


async def test_why_answers_the_asker_alone(begin: worlds.Start) -> None:
    world = await begin(scenarios.healthy())
    await world.start_bot()
    name = world.cluster.list("deployments")[0]["metadata"]
    seen = await world.slack.command(slack.ANA, slack.ONCALL, "/watch", f"why {name['namespace']}/{name['name']}")
    told = worlds.text_of(await seen.ephemeral(within=worlds.SETTLED))
    assert "Nothing is wrong with" in told
    assert world.parents() == []


async def test_where_the_database_is_away_who_asks_is_told_so(tmp_path: Path) -> None:
    async with test_outages.apart(tmp_path, [scenarios.crash_loop()]) as (world, server):
        await world.start_bot()
        parent = await world.parent("payments/api")
        await world.diagnosed(parent)
        await asyncio.to_thread(server.pause)
        await _ask(world, parent, "why?")
        await world.eventually(lambda: "cannot be reached now" in _whispers(world), what="that the record is away")
        assert _answers(world, parent) == []
        await asyncio.to_thread(server.resume)
        await _ask(world, parent, "why, then?")
        assert await world.eventually(lambda: _answers(world, parent), what="an answer afterwards")


def _whispers(world: worlds.World) -> str:
    return "\n".join(worlds.text_of(one) for one in world.slack.ephemerals(slack.CHLOE, slack.ONCALL))
