"""Many presses, two replicas, one database: a press counts once, and every other one gets an honest answer."""

import pytest

from bot.store import engine
from demo import slack
from demo.cluster import scenarios
from tests.stories import world as worlds

pytestmark = pytest.mark.story

PRESSES = 200


async def test_two_hundred_presses_through_two_replicas_are_one_execution(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    for _ in range(2):  # nobody dies here: a busy machine must not look like it
        await world.start_bot(LEASE="30s")
    parent = await world.proposed("payments/api")
    people = [slack.ANA, slack.BEN]
    presses = [(people[number % 2], slack.ONCALL, parent["ts"], "wk:approve") for number in range(PRESSES)]
    seen = await world.slack.press_concurrently(presses)

    assert sum(one.ack.ok for one in seen) == PRESSES
    await world.eventually_row("SELECT state = 'verified' FROM proposal WHERE kind = 'remedy'")
    assert await world.value("SELECT count(*) FROM execution") == 1
    assert len(world.cluster.journal.writes) == 1
    assert await world.value("SELECT count(*) FROM audit WHERE tag = 'proposal:approved'") == 1
    assert await world.value("SELECT count(*) FROM audit WHERE tag = 'press:refused'") == PRESSES - 1

    def answered() -> bool:
        return sum(len(world.slack.ephemerals(person, slack.ONCALL)) for person in people) == PRESSES - 1

    await world.eventually(answered, what="199 answers")
    answers = [worlds.text_of(one) for person in people for one in world.slack.ephemerals(person, slack.ONCALL)]
    assert all("approved by <@" in answer for answer in answers)

    database = engine.Database(world.database_url)
    try:
        async with database.begin() as tx:
            assert await tx.trail.verify("demo") is None
    finally:
        await database.close()


async def test_forged_presses_do_nothing_and_say_so(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    real = worlds.value(parent, "wk:approve")
    row, _, digest = real.partition(":")
    for forged in (
        "",
        "x",
        f"{row}:-",
        f"{row}:{'0' * len(digest)}",
        f"999999:{digest}",
        f"{row}:{digest[:4]}",
        f"-{real}",
    ):
        seen = await world.slack.forge(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve", value=forged)
        assert "belongs to no proposal" in worlds.text_of(await seen.ephemeral())
    assert world.cluster.journal.attempts == []
    assert await world.value("SELECT count(*) FROM execution") == 0
    assert await world.value("SELECT state FROM proposal") == "proposed"


async def test_an_envelope_that_slack_delivers_twice_counts_once(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    await world.start_bot()
    parent = await world.proposed("payments/api")
    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
    await world.slack.redeliver(to_every_connection=True)
    await world.eventually_row("SELECT state = 'verified' FROM proposal WHERE kind = 'remedy'")
    assert len(world.cluster.journal.writes) == 1


async def test_two_replicas_tell_each_incident_once(begin: worlds.Start) -> None:
    world = await begin(scenarios.demo())
    await world.start_bot(wait=False)
    await world.start_bot(wait=False)
    await world.eventually(lambda: len(world.parents()) >= 6, what="six incidents")
    await world.eventually_row("SELECT count(*) = 0 FROM message_view WHERE wanted > shown")
    assert len(world.parents()) == 6
    assert await world.value("SELECT count(*) FROM incident") == 6
