"""A clock that jumps, of one replica or of all: nothing late is done, nothing twice, and nothing is kept for ever."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from bot.flow import executing
from demo.cluster import scenarios
from k8s import guardrails
from tests.bot.flow import worlds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Skewed:
    """The world's clock as one replica reads it."""

    world: worlds.Clock
    skew: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return self.world() + self.skew


async def _ended(bot: worlds.Replica, incident_id: int) -> tuple[str, str]:
    card = await bot.card(incident_id)
    assert card.remedy is not None
    assert card.remedy.execution is not None
    assert card.remedy.execution.outcome is not None
    return card.remedy.proposal.state, card.remedy.execution.outcome.detail


async def test_a_jump_forward_between_press_and_execution_lets_the_permit_expire(begin: worlds.Begin) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    world.clock.passed += DAY
    assert await bot.pipeline.execute_next()
    state, told = await _ended(bot, incident.id)
    assert (state, told) == ("refused", "The permit has expired.")
    assert world.writes == []


async def test_a_jump_backward_between_press_and_execution_gives_a_permit_no_longer_life(begin: worlds.Begin) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    world.clock.passed -= HOUR
    assert await bot.pipeline.execute_next()
    state, told = await _ended(bot, incident.id)
    assert state == "refused"
    assert told.startswith("The permit is from a time to come")
    world.clock.passed += HOUR
    assert not await bot.pipeline.execute_next()
    assert world.writes == []


async def test_clocks_that_are_a_little_apart_keep_nothing_from_being_done(begin: worlds.Begin) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    behind = await world.replica("b", clock=Skewed(world.clock, -guardrails.CLOCKS_APART / 2))
    _, proposal = await world.proposed(bot)
    assert (await behind.pipeline.approve(worlds.press(proposal))).counted
    assert await behind.pipeline.execute_next()
    assert len(world.writes) == 1


async def test_a_press_by_a_clock_that_was_put_back_does_not_count(begin: worlds.Begin) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    behind = await world.replica("b", clock=Skewed(world.clock, -HOUR))
    incident, proposal = await world.proposed(bot)
    world.clock.passed += worlds.RULES.proposal_ttl
    answer = await behind.pipeline.approve(worlds.press(proposal))
    assert answer.ending == "unavailable"
    assert "clock here is behind" in answer.text
    assert (await bot.told(incident.id, "press:refused")).data["ending"] == "unavailable"
    assert (await bot.pipeline.approve(worlds.press(proposal))).ending == "expired"
    assert not await bot.pipeline.execute_next()


@pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["a day on", "an hour back"])
async def test_what_was_left_at_a_crash_is_looked_at_at_once_after_a_jump_and_never_done_again(
    begin: worlds.Begin, jump: timedelta
) -> None:
    """Backward: the lease would else keep its dead owner's work for an hour and more."""
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    job = await executing.take(bot.wired)
    assert job is not None
    world.clock.passed += jump
    other = await world.replica("b")
    assert await other.pipeline.execute_next()
    state, told = await _ended(other, incident.id)
    assert state == "unknown"
    assert "the change is not there" in told
    fence = executing._Fence(bot.wired, job.execution)
    assert not await fence(), "who was taken over must not write when it wakes"
    assert world.writes == []


async def test_a_lease_that_is_young_is_left_to_its_owner_by_every_clock_that_is_right(begin: worlds.Begin) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    other = await world.replica("b", clock=Skewed(world.clock, -guardrails.CLOCKS_APART))
    await world.approved(bot)
    assert await executing.take(bot.wired) is not None
    assert not await other.pipeline.execute_next()


@pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["a day on", "an hour back"])
async def test_a_jump_within_a_verification_ends_in_a_look_at_what_is_there(
    begin: worlds.Begin, jump: timedelta
) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    await world.cluster.settle()
    await bot.pipeline.verify_next()
    world.clock.passed += jump
    assert await bot.pipeline.verify_next(), "its lease is believed no longer than a lease lasts"
    if jump < timedelta():
        world.clock.passed -= jump
    card = await world.verified(bot, incident.id) if jump < timedelta() else await bot.card(incident.id)
    assert card.remedy is not None
    assert card.remedy.verification is not None
    assert card.remedy.verification.status == "verified"
    assert len(world.writes) == 1


@pytest.mark.parametrize("jump", [DAY, -HOUR], ids=["a day on", "an hour back"])
async def test_a_jump_between_two_sweeps_leaves_one_incident_with_one_open_remedy(
    begin: worlds.Begin, jump: timedelta
) -> None:
    world = await begin([scenarios.bad_image("api", "payments")])
    bot = await world.replica()
    incident, _ = await world.proposed(bot)
    world.clock.passed += jump
    await bot.pipeline.tidy()
    live = await world.sweep(bot)
    while await bot.pipeline.diagnose_next():
        pass
    assert [one.id for one in live] == [incident.id]
    async with bot.database.begin() as tx:
        rows = await tx.proposals.of_incident(incident.id)
    assert sum(row.state == "proposed" for row in rows) <= 1
    assert {row.state for row in rows} <= {"proposed", "expired", "superseded"}
    await bot.trail(incident.id)
