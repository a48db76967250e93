"""A thousand presses at once, of approvers and strangers, through two replicas: one execution, and a word for each."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from bot import errors
from bot import pipeline as stages
from bot.domain import approvals
from bot.store import engine
from demo.cluster import scenarios
from tests.bot.flow import worlds

PRESSES = 1_000
ANA, BEN, CHLOE = worlds.ANA, worlds.BEN, worlds.CHLOE


@pytest.mark.timeout(900)
async def test_a_thousand_presses_at_once_are_one_execution_and_every_one_is_answered(begin: worlds.Begin) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    a, b = await world.replica(), await world.replica("b")
    incident, proposal = await world.proposed(a)
    people = (ANA, BEN, CHLOE, "U0NOBODY")
    presses = [worlds.press(proposal, people[number % 4]) for number in range(PRESSES)]
    doors = [(a, b)[number % 2].pipeline.approve(press) for number, press in enumerate(presses)]
    answers = await asyncio.gather(*doors)

    told: dict[str, list[approvals.Answer]] = {"approvers": [], "strangers": []}
    for press, answer in zip(presses, answers, strict=True):
        told["approvers" if press.user in (ANA, BEN) else "strangers"].append(answer)
    assert {answer.ending for answer in told["strangers"]} == {"not-allowed"}
    assert Counter(answer.ending for answer in told["approvers"])["counted"] == 1
    late = [answer for answer in told["approvers"] if answer.ending != "counted"]
    assert all(answer.ending == "late" and "approved by <@" in answer.text for answer in late)

    assert sorted(await asyncio.gather(a.pipeline.execute_next(), b.pipeline.execute_next())) == [False, True]
    assert len(world.writes) == 1
    async with a.database.begin() as tx:
        assert len(await tx.proposals.decisions(proposal.id)) == 1
        page = await tx.trail.page(incident_id=incident.id, limit=2 * PRESSES)
        assert await tx.trail.verify(worlds.CLUSTER) is None
    tags = Counter(entry.event.tag for entry in page.entries)
    assert (tags["proposal:approved"], tags["press:refused"]) == (1, PRESSES - 1)


@pytest.mark.timeout(600)
async def test_presses_wait_for_their_turn_and_not_for_a_connection(begin: worlds.Begin) -> None:
    """With a pool of fewer connections than presses, and no patience at all for a free one."""
    world = await begin([scenarios.bad_image("api", "payments")])
    a = await world.replica()
    _, proposal = await world.proposed(a)
    small = engine.Database(world.url, pool_size=stages.PRESSES, pool_timeout=0.01)
    world.stack.push_async_callback(small.close)
    pipeline = stages.Pipeline(replace(a.wired, store=small))
    people = (ANA, "U0NOBODY")
    presses = [worlds.press(proposal, people[number % 2]) for number in range(10 * stages.PRESSES)]
    answers = await asyncio.gather(*map(pipeline.approve, presses))
    assert Counter(answer.ending for answer in answers) == {
        "counted": 1,
        "late": 5 * stages.PRESSES - 1,
        "not-allowed": 5 * stages.PRESSES,
    }


@pytest.mark.timeout(600)
async def test_a_press_that_finds_every_connection_taken_counts_for_nothing_and_can_be_repeated(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    a = await world.replica()
    _, proposal = await world.proposed(a)
    small = engine.Database(world.url, pool_size=1, pool_timeout=0.01)
    world.stack.push_async_callback(small.close)
    pipeline = stages.Pipeline(replace(a.wired, store=small))
    async with small.begin():
        with pytest.raises(errors.StoreUnavailable, match="busy"):
            await pipeline.approve(worlds.press(proposal))
    async with a.database.begin() as tx:
        assert await tx.proposals.decisions(proposal.id) == []
    assert (await pipeline.approve(worlds.press(proposal))).counted
