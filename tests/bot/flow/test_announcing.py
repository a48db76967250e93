"""Done by itself: announced, shown by Slack, stopped or done once; the breaker opens, and only a person closes it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from bot import errors
from bot.domain import autonomy, cards, diagnoses, incidents, ports
from bot.flow import announcing, diagnosing
from demo.cluster import scenarios
from k8s import guardrails, model
from k8s import policy as rulebook
from tests.bot.flow import worlds

ANA, BEN, CHLOE = worlds.ANA, worlds.BEN, worlds.CHLOE
ASKED = rulebook.Autonomous(enabled=True, listed=(("scale",),), per_workload_hour=5)
POLICY = guardrails.Policy(approvers=(ANA, BEN), autonomous=ASKED)


def more_replicas(problem: model.Problem, dossier: diagnoses.Dossier, now: datetime) -> diagnoses.Diagnosis:
    """Rules that always speak for one replica more: of low risk, and with a way back."""
    more = model.Scale(problem.subject, (problem.desired or 0) + 1)
    found = diagnosing.diagnose(problem, dossier, now)
    return replace(found, candidates=(diagnoses.Candidate(more, "more of them share the load"),))


@dataclass
class Failing:
    """A hand whose writes all fail; what it is asked before them is answered by the real one."""

    hand: ports.Hand

    async def lacking(self, *given: Any, **named: Any) -> str:
        return await self.hand.lacking(*given, **named)

    async def dry_run(self, *given: Any, **named: Any) -> ports.DryRun:
        return await self.hand.dry_run(*given, **named)

    async def execute(self, *_given: Any, **_named: Any) -> model.Outcome:
        return model.Outcome("failed", "Could not write: no route to host")

    async def look(self, action: model.Action, operations: Sequence[model.Operation]) -> bool | None:
        return await self.hand.look(action, operations)


async def replica(
    world: worlds.World, owner: str = "a", policy: guardrails.Policy = POLICY, **changes: Any
) -> worlds.Replica:
    rules = replace(worlds.RULES, policy=policy)
    return await world.replica(owner, **{"rules": rules, "diagnose": more_replicas, **changes})


async def announced(world: worlds.World, bot: worlds.Replica) -> incidents.Incident:
    """Its proposal will be done by itself, which Slack does not show yet."""
    incident = await world.diagnosed(bot, mode="autonomous")
    assert (await alone(bot, incident)).state == "waiting"
    return incident


async def remedy(bot: worlds.Replica, incident: incidents.Incident) -> cards.ProposalCard:
    card = (await bot.card(incident.id)).remedy
    assert card is not None
    return card


async def alone(bot: worlds.Replica, incident: incidents.Incident) -> autonomy.Announcement:
    found = (await remedy(bot, incident)).alone
    assert found is not None
    return found


async def counting(world: worlds.World, bot: worlds.Replica) -> incidents.Incident:
    """As `announced`, and Slack shows until when it may be stopped."""
    incident = await announced(world, bot)
    await bot.wanted()
    assert await bot.pipeline.announce_next()
    await bot.wanted()
    return incident


async def due(world: worlds.World, bot: worlds.Replica) -> incidents.Incident:
    """As `counting`, the delay is over, and Slack shows that it starts."""
    incident = await counting(world, bot)
    world.clock.advance(seconds=121)
    assert await bot.pipeline.announce_next()
    await bot.wanted()
    return incident


async def wanted_again(bot: worlds.Replica, incident: incidents.Incident) -> None:
    """Something has changed: it is to be diagnosed anew, by nobody's asking."""
    async with bot.database.begin() as tx:
        await tx.incidents.lock(worlds.CLUSTER)
        current = await tx.incidents.get(incident.id)
        assert current is not None
        await tx.incidents.save(replace(current, diagnosis_wanted=True, asked_by=""))
    while await bot.pipeline.diagnose_next():
        pass


async def test_what_qualifies_is_announced_and_done_once_when_slack_has_shown_all_of_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await replica(world), await replica(world, "b")
    incident = await announced(world, a)
    assert not await a.pipeline.announce_next(), "nothing is shown yet"
    await a.wanted()
    assert await a.pipeline.announce_next()
    one = await alone(a, incident)
    assert (one.state, one.at is not None) == ("counting", True)
    await a.wanted()
    world.clock.advance(seconds=100)
    assert not await a.pipeline.announce_next(), "it may still be stopped"
    world.clock.advance(seconds=21)
    assert await b.pipeline.announce_next()
    assert not await a.pipeline.announce_next(), "Slack has to show that it starts"
    await a.wanted()
    assert sorted(await asyncio.gather(a.pipeline.announce_next(), b.pipeline.announce_next())) == [False, True]
    card = await remedy(a, incident)
    assert card.execution is not None
    assert (card.proposal.state, card.execution.permit.approvers) == ("approved", (guardrails.BY_POLICY,))
    assert sorted(await asyncio.gather(a.pipeline.execute_next(), b.pipeline.execute_next())) == [False, True]
    assert (await remedy(a, incident)).proposal.state == "succeeded"
    assert len(world.writes) == 1
    tags = await a.trail(incident.id)
    assert [tag for tag in tags if tag.startswith(("autonomous:", "proposal:", "execution:"))] == [
        "proposal:made",
        "autonomous:announced",
        "autonomous:counting",
        "proposal:approved",
        "execution:started",
        "execution:ended",
    ]
    told = await a.told(incident.id, "proposal:approved")
    assert (told.actor, told.data["approvers"], told.data["rule"]) == (
        "watchkeeper",
        [guardrails.BY_POLICY],
        "scale is listed under autonomous in the policy",
    )


async def test_with_slack_away_nothing_is_done(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await announced(world, bot)
    for _ in range(20):
        world.clock.advance(minutes=1)
        assert not await bot.pipeline.announce_next()
    await bot.pipeline.tidy()
    assert (await remedy(bot, incident)).proposal.state == "expired"
    assert not await bot.pipeline.execute_next()


@pytest.mark.parametrize("seconds", [121, 140])
async def test_with_slack_away_at_the_last_moment_the_delay_begins_anew(begin: worlds.Begin, seconds: int) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await counting(world, bot)
    world.clock.advance(seconds=seconds)
    assert await bot.pipeline.announce_next()
    assert (await alone(bot, incident)).state == "starting"
    world.clock.passed += autonomy.PATIENCE
    assert await bot.pipeline.announce_next()
    one = await alone(bot, incident)
    assert (one.state, one.at) == ("waiting", None)
    assert (await bot.told(incident.id, "autonomous:delayed")).data["why"].startswith("Slack did not show")
    await bot.wanted()
    assert await bot.pipeline.announce_next()
    again = (await alone(bot, incident)).at
    assert again is not None
    assert again > world.clock() + timedelta(seconds=110)
    assert not await bot.pipeline.execute_next()


@pytest.mark.parametrize("begun", ["counting", "starting"])
async def test_a_bot_that_was_away_when_it_was_due_heard_no_stop_and_announces_it_anew(
    begin: worlds.Begin, begun: str
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await (counting if begun == "counting" else due)(world, bot)
    world.clock.advance(seconds=200)
    other = await replica(world, "b")
    assert await other.pipeline.announce_next()
    one = await alone(bot, incident)
    assert (one.state, one.at) == ("waiting", None)
    assert not await other.pipeline.announce_next()
    assert not await other.pipeline.execute_next()


async def test_a_clock_that_is_behind_the_delay_starts_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await due(world, bot)
    behind = await replica(world, "b", clock=lambda: world.clock() - timedelta(minutes=1))
    assert not await behind.pipeline.announce_next()
    assert (await alone(bot, incident)).state == "starting"
    assert await bot.pipeline.announce_next()
    assert (await remedy(bot, incident)).proposal.state == "approved"


async def test_a_stop_that_changes_nothing_is_in_the_trail_and_says_what_happened(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await due(world, bot)
    row = (await remedy(bot, incident)).proposal
    assert await bot.pipeline.announce_next()
    late = await bot.pipeline.stop_alone(worlds.press(row, ANA))
    assert late.text == "This was begun by itself and is under way. Your press changed nothing."
    told = await bot.told(incident.id, "press:refused")
    assert (told.actor, told.data["ending"], told.data["digest"]) == (ANA, "late", row.digest)
    # The same race, a moment later: the first question was answered before the start.
    raced = await announcing.stop(bot.wired, worlds.press(row, BEN))
    assert raced.text.startswith("This was begun already.")
    told = await bot.told(incident.id, "press:refused")
    assert (told.actor, told.data["button"], told.data["why"]) == (BEN, "stop", raced.text)
    nothing = await announcing.stop(bot.wired, replace(worlds.press(row, BEN), proposal_id=999))
    assert nothing.ending == "unknown-button"
    assert await bot.pipeline.execute_next()
    assert len(world.writes) == 1


async def test_a_stop_in_the_moment_of_a_rejection_leaves_the_rejection_alone(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await counting(world, bot)
    row = (await remedy(bot, incident)).proposal
    assert (await bot.pipeline.reject(worlds.press(row, ANA, reason="not now"))).counted
    raced = await announcing.stop(bot.wired, worlds.press(row, BEN))
    assert (raced.ending, "a moment ago" in raced.text) == ("late", True)
    assert (await alone(bot, incident)).by == ""
    assert (await bot.told(incident.id, "press:refused")).actor == BEN


async def test_what_is_announced_is_not_put_away_by_somebody_who_may_not_stop_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await counting(world, bot)
    row = (await remedy(bot, incident)).proposal
    other = await bot.pipeline.ask_for(incident.id, model.RolloutRestart(incident.subject), CHLOE)
    assert (other.answer.ending, "Only who may stop it" in other.answer.text) == ("not-allowed", True)
    assert (await bot.pipeline.propose_again(incident.id, CHLOE)).ending == "not-allowed"
    assert (await bot.told(incident.id, "press:refused")).actor == CHLOE
    assert ((await remedy(bot, incident)).proposal.id, (await alone(bot, incident)).state) == (row.id, "counting")
    assert (await bot.pipeline.ask_for(incident.id, model.RolloutRestart(incident.subject), BEN)).answer.counted
    world.clock.advance(seconds=130)
    assert not await bot.pipeline.announce_next()
    assert not await bot.pipeline.execute_next()


async def test_a_watch_that_is_paused_after_the_start_does_nothing_by_itself(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await due(world, bot)
    assert await bot.pipeline.announce_next()
    await bot.pipeline.pause_watch(worlds.CLUSTER, CHLOE)
    assert await bot.pipeline.execute_next()
    assert (await remedy(bot, incident)).proposal.state == "refused"
    assert world.writes == []


async def test_an_approver_stops_it_and_it_is_never_done_by_itself_for_this_incident(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await counting(world, bot)
    row = (await remedy(bot, incident)).proposal
    refused = await bot.pipeline.stop_alone(worlds.press(row, CHLOE))
    assert refused.ending == "not-allowed"
    assert (await alone(bot, incident)).state == "counting"
    assert (await bot.pipeline.stop_alone(worlds.press(row, ANA))).counted
    assert await bot.wanted() == {"parent": 1, "progress": 1}
    assert (await bot.told(incident.id, "autonomous:stopped")).actor == ANA
    late = await bot.pipeline.stop_alone(worlds.press(row, BEN))
    assert late.text == f"This was stopped by <@{ANA}> already. It waits for an approval."
    world.clock.advance(minutes=10)
    assert not await bot.pipeline.announce_next()

    world.clock.advance(minutes=10)
    await bot.pipeline.tidy()
    await wanted_again(bot, incident)
    card = await remedy(bot, incident)
    assert (card.proposal.state, card.alone) == ("proposed", None)
    why = (await bot.told(incident.id, "autonomous:not-announced")).data["why"]
    assert why == ["A person stopped one for this incident."]
    assert (await bot.pipeline.approve(worlds.press(card.proposal, BEN))).counted
    assert await bot.pipeline.execute_next()
    assert len(world.writes) == 1


async def test_a_press_at_the_very_moment_and_the_start_are_one_execution(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await replica(world), await replica(world, "b")
    incident = await due(world, a)
    row = (await remedy(a, incident)).proposal
    await asyncio.gather(
        a.pipeline.announce_next(), b.pipeline.approve(worlds.press(row, BEN)), b.pipeline.announce_next()
    )
    card = await remedy(a, incident)
    assert card.execution is not None
    assert card.execution.permit.approvers in ((BEN,), (guardrails.BY_POLICY,))
    assert (await a.trail(incident.id)).count("proposal:approved") == 1
    assert sorted(await asyncio.gather(a.pipeline.execute_next(), b.pipeline.execute_next())) == [False, True]
    assert len(world.writes) == 1


Changed = Callable[[worlds.World, worlds.Replica], Awaitable[worlds.Replica]]


async def _another_policy(world: worlds.World, _bot: worlds.Replica) -> worlds.Replica:
    return await replica(world, "b", msgspec.structs.replace(POLICY, max_replicas=40))


async def _asking_again(_world: worlds.World, bot: worlds.Replica) -> worlds.Replica:
    await bot.pipeline.change_mode(worlds.CLUSTER, "approve", CHLOE)
    return bot


async def _paused(_world: worlds.World, bot: worlds.Replica) -> worlds.Replica:
    await bot.pipeline.pause_watch(worlds.CLUSTER, CHLOE)
    return bot


async def _without_a_writer(world: worlds.World, _bot: worlds.Replica) -> worlds.Replica:
    return await replica(world, "b", hands=lambda _: None)


CHANGES: Mapping[str, tuple[Changed, str]] = {
    "policy": (_another_policy, "The policy has changed since it was proposed."),
    "mode": (_asking_again, "The watch is not in mode autonomous."),
    "paused": (_paused, "The watch is not in mode autonomous."),
    "read-only": (_without_a_writer, "Read-only: nothing is changed in any cluster from here."),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_what_does_not_qualify_any_more_at_the_last_moment_waits_for_people(
    begin: worlds.Begin, name: str
) -> None:
    changed, said = CHANGES[name]
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident = await due(world, bot)
    assert await (await changed(world, bot)).pipeline.announce_next()
    one = await alone(bot, incident)
    assert (one.state, one.why) == ("dropped", said)
    assert (await remedy(bot, incident)).proposal.state == "proposed"
    assert not await bot.pipeline.execute_next()


async def test_read_only_announces_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    frozen = msgspec.structs.replace(POLICY, read_only=True)
    bot = await replica(world, policy=frozen, hands=lambda _: None)
    incident = await world.diagnosed(bot, mode="autonomous")
    assert (await bot.card(incident.id)).remedy is None
    assert not any(tag.startswith("autonomous:") for tag in await bot.trail(incident.id))


async def test_an_ordinary_watch_announces_nothing_and_an_unlisted_action_needs_a_record(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    unlisted = msgspec.structs.replace(POLICY, autonomous=rulebook.Autonomous(enabled=True))
    bot = await replica(world, policy=unlisted)
    incident = await world.diagnosed(bot)
    assert (await remedy(bot, incident)).alone is None
    assert not any(tag.startswith("autonomous:") for tag in await bot.trail(incident.id))
    await bot.pipeline.change_mode(worlds.CLUSTER, "autonomous", ANA)
    async with bot.database.begin() as tx:
        row = (await tx.proposals.of_incident(incident.id))[-1]
        await tx.proposals.move(row.id, "proposed", "superseded", world.clock())
    await wanted_again(bot, incident)
    why = (await bot.told(incident.id, "autonomous:not-announced")).data["why"]
    assert why == ["It takes 3 tries of scale in a row that helped here, and there are 0."]


async def test_two_bad_ends_open_the_breaker_until_an_approver_closes_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world, hands=lambda _: Failing(world.hand))
    incident = await due(world, bot)
    assert await bot.pipeline.announce_next()
    assert await bot.pipeline.execute_next()
    assert (await remedy(bot, incident)).proposal.state == "failed"
    await wanted_again(bot, incident)
    held_back = (await bot.told(incident.id, "autonomous:not-announced")).data["why"]
    assert held_back == ["Something else of this watch was just done by itself, and is being verified."]
    assert await bot.pipeline.announce_next()  # counts the end
    assert (await bot.card(incident.id)).breaker == autonomy.Breaker(incident.watch_id, bad=1)

    async with bot.database.begin() as tx:
        row = (await tx.proposals.of_incident(incident.id))[-1]
        await tx.proposals.move(row.id, "proposed", "superseded", world.clock())
    await wanted_again(bot, incident)
    for _ in range(3):
        await bot.wanted()
        world.clock.advance(seconds=121)
        assert await bot.pipeline.announce_next()
        if (await alone(bot, incident)).state == "starting":
            await bot.wanted()
            assert await bot.pipeline.announce_next()
            break
    assert await bot.pipeline.execute_next()
    await bot.wanted()
    other = await replica(world, "b")
    assert sorted(await asyncio.gather(bot.pipeline.announce_next(), other.pipeline.announce_next())) == [False, True]
    breaker = (await bot.card(incident.id)).breaker
    assert breaker is not None
    assert (breaker.open, breaker.bad, breaker.why) == (True, 2, f"{incident.name} ended as failed")
    assert await bot.wanted() == {"breaker": 1}
    (status,) = (await other.pipeline.status()).watches
    assert status.breaker == breaker

    await wanted_again(bot, incident)
    assert (await remedy(bot, incident)).alone is None
    assert "The breaker of this watch is open." in (await bot.told(incident.id, "autonomous:not-announced")).data["why"]
    assert (await other.pipeline.close_breaker(incident.watch_id, CHLOE)).ending == "not-allowed"
    assert (await other.pipeline.close_breaker(999, CHLOE)).ending == "unknown-button"
    answers = await asyncio.gather(
        bot.pipeline.close_breaker(incident.watch_id, ANA), other.pipeline.close_breaker(incident.watch_id, BEN)
    )
    assert sorted(answer.ending for answer in answers) == ["counted", "late"]
    closed = (await bot.card(incident.id)).breaker
    assert closed is not None
    assert (closed.open, closed.bad) == (False, 0)
    tags = await bot.trail(incident.id)
    assert (tags.count("breaker:opened"), tags.count("breaker:closed"), tags.count("press:refused")) == (1, 1, 2)
    assert (await bot.told(incident.id, "press:refused")).data["ending"] == "late"
    assert (await bot.told(incident.id, "breaker:closed")).actor == closed.closed_by
    assert world.writes == []


async def test_only_an_approver_makes_a_watch_autonomous_and_only_where_the_policy_allows_it(
    begin: worlds.Begin,
) -> None:
    world = await begin("empty")
    off = await world.replica("off")
    await world.watch(off)
    with pytest.raises(errors.NotPossible, match="does not allow autonomous watches"):
        await off.pipeline.change_mode(worlds.CLUSTER, "autonomous", ANA)
    with pytest.raises(errors.NotPossible, match="does not allow autonomous watches"):
        await off.pipeline.add_watch(worlds.new_watch("other", mode="autonomous"))
    on = await replica(world)
    with pytest.raises(errors.NotPossible, match=f"Only who may approve .* Ask <@{ANA}>"):
        await on.pipeline.change_mode(worlds.CLUSTER, "autonomous", CHLOE)
    async with on.database.begin() as tx:
        refused = [one.event for one in (await tx.trail.page()).entries if one.event.tag == "press:refused"]
    assert [(one.actor, one.data["name"]) for one in refused] == [
        (CHLOE, worlds.CLUSTER), (worlds.ANA, "other"), (ANA, worlds.CLUSTER)
    ]  # fmt: skip
    assert (await on.pipeline.change_mode(worlds.CLUSTER, "autonomous", ANA)).mode == "autonomous"
    with pytest.raises(errors.NotPossible, match="in mode autonomous already"):
        await on.pipeline.change_mode(worlds.CLUSTER, "autonomous", ANA)
    assert (await on.pipeline.change_mode(worlds.CLUSTER, "observe", CHLOE)).mode == "observe"
    low = rulebook.Tiers(low=rulebook.Tier(approvals=2))
    two = await replica(world, "two", msgspec.structs.replace(POLICY, tiers=low))
    with pytest.raises(errors.NotPossible, match="takes two people or a reason"):
        await two.pipeline.change_mode(worlds.CLUSTER, "autonomous", ANA)
