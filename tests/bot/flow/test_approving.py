"""A press: counted once, or told honestly why not; whoever presses, whatever the button says, however many press."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from bot import errors
from bot.domain import approvals, proposals
from demo.cluster import scenarios
from k8s import guardrails
from tests.bot.flow import worlds

UNKNOWN = "This button belongs to no proposal that is known here."


async def test_an_approval_queues_exactly_what_was_shown(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    await bot.wanted()
    rung = bot.bell.rung
    assert await bot.pipeline.approve(worlds.press(proposal)) == approvals.Answer("counted")
    assert bot.bell.rung == rung + 1
    card = await bot.card(incident.id)
    assert card.remedy is not None
    assert card.remedy.proposal.state == "approved"
    assert card.remedy.decision is not None
    assert (card.remedy.decision.user, card.remedy.decision.verdict) == (worlds.ANA, "approve")
    assert card.remedy.execution is not None
    assert card.remedy.execution.state == "queued"
    permit = card.remedy.execution.permit
    assert (permit.digest, permit.approvers) == (proposal.digest, (worlds.ANA,))
    assert await bot.wanted() == {"parent": 1, "progress": 1}
    assert world.writes == []


async def test_a_rejection_ends_it_with_its_reason(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.may_decide(worlds.press(proposal, worlds.BEN))).counted
    assert (await bot.pipeline.reject(worlds.press(proposal, worlds.BEN, reason="we are in a freeze"))).counted
    assert (await bot.remedy(incident.id)).state == "rejected"
    assert (await bot.told(incident.id, "proposal:rejected")).data["reason"] == "we are in a freeze"
    late = await bot.pipeline.approve(worlds.press(proposal))
    assert late.ending == "late"
    assert "rejected by <@U0BEN>" in late.text
    assert "we are in a freeze" in late.text
    assert not (await bot.pipeline.reject(worlds.press(proposal))).counted
    assert not await bot.pipeline.execute_next()


async def test_who_is_no_approver_is_told_who_is_and_it_is_recorded(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    for door in (bot.pipeline.approve, bot.pipeline.reject, bot.pipeline.may_decide):
        answer = await door(worlds.press(proposal, worlds.CHLOE))
        assert answer == approvals.Answer("not-allowed", "Only approvers may decide on this. Ask <@U0ANA> or <@U0BEN>.")
    assert (await bot.remedy(incident.id)).state == "proposed"
    refused = await bot.told(incident.id, "press:refused")
    assert (refused.actor, refused.data["ending"]) == (worlds.CHLOE, "not-allowed")
    assert (refused.data["why"], refused.data["digest"]) == ("no approver", proposal.digest)
    assert refused.data["policy"] == worlds.POLICY.hash


async def test_every_step_from_the_proposal_to_its_end_names_the_digest_and_the_policy(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, worlds.ANA))).counted
    assert not (await bot.pipeline.approve(worlds.press(proposal, worlds.BEN))).counted
    assert await bot.pipeline.execute_next()
    for tag in ("proposal:made", "proposal:approved", "press:refused", "execution:started", "execution:ended"):
        event = await bot.told(incident.id, tag)
        assert (event.data["digest"], event.data["policy"]) == (proposal.digest, worlds.POLICY.hash), tag
    refused = await bot.told(incident.id, "press:refused")
    assert (refused.actor, refused.data["why"]) == (worlds.BEN, "it was approved already")
    assert (await bot.told(incident.id, "execution:started")).data["approvers"] == [worlds.ANA]


async def test_a_press_that_is_refused_on_an_incident_is_recorded_too(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.acknowledge(incident.id, worlds.ANA)).counted
    assert not (await bot.pipeline.acknowledge(incident.id, worlds.CHLOE)).counted
    refused = await bot.told(incident.id, "press:refused")
    assert (refused.actor, refused.data["button"], refused.data["ending"]) == (worlds.CHLOE, "acknowledge", "late")
    assert (await bot.pipeline.approve(worlds.press(proposal))).counted
    assert not (await bot.pipeline.propose_again(incident.id, worlds.CHLOE)).counted
    assert (await bot.told(incident.id, "press:refused")).data["button"] == "propose again"


async def test_where_nobody_may_it_says_so(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    _, proposal = await world.proposed(bot)
    lonely = await world.replica("b", rules=replace(worlds.RULES, policy=guardrails.Policy()))
    answer = await lonely.pipeline.approve(worlds.press(proposal))
    assert answer.ending == "not-allowed"
    assert "WATCHKEEPER_APPROVERS" in answer.text


async def test_a_forged_button_is_nobodys(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    digest = proposal.digest[: approvals.DIGEST_SHOWN]
    forged = [
        approvals.Press(worlds.ANA, 10**12, digest),
        approvals.Press(worlds.ANA, proposal.id, "0" * approvals.DIGEST_SHOWN),
        approvals.Press(worlds.ANA, proposal.id, ""),
        approvals.Press(worlds.ANA, proposal.id, digest[:-1]),
        approvals.Press(worlds.ANA, proposal.id, proposal.digest + "0"),
    ]
    for press in forged:
        assert await bot.pipeline.approve(press) == approvals.Answer("unknown-button", UNKNOWN)
        assert await bot.pipeline.reject(press) == approvals.Answer("unknown-button", UNKNOWN)
    assert (await bot.remedy(incident.id)).state == "proposed"
    async with bot.database.begin() as tx:
        page = await tx.trail.page(actor=worlds.ANA)
        assert await tx.trail.verify("-") is None
    assert Counter(entry.event.tag for entry in page.entries)["press:refused"] == 2 * len(forged)
    with pytest.raises(errors.NotPossible, match="no proposal"):
        await bot.pipeline.proposal(forged[0])


async def test_what_a_press_is_about_can_be_shown_once_more(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    _, proposal = await world.proposed(bot)
    assert await bot.pipeline.proposal(worlds.press(proposal)) == proposal


async def test_an_expired_proposal_permits_nothing_even_before_it_is_tidied_up(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    world.clock.passed += worlds.RULES.proposal_ttl
    for _ in range(2):
        answer = await bot.pipeline.approve(worlds.press(proposal))
        assert answer.ending == "expired"
        await bot.pipeline.tidy()
    assert (await bot.remedy(incident.id)).state == "expired"
    assert not await bot.pipeline.execute_next()
    assert (await bot.trail(incident.id)).count("proposal:expired") == 1


async def test_a_proposal_of_another_policy_is_not_approved(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    stricter = guardrails.Policy(approvers=worlds.POLICY.approvers, max_replicas=10)
    changed = await world.replica("b", rules=replace(worlds.RULES, policy=stricter))
    answer = await changed.pipeline.approve(worlds.press(proposal))
    told = "The policy has changed since this was proposed. A fresh proposal is being made; it needs new approvals."
    assert answer == approvals.Answer("lapsed", told)
    assert (await bot.remedy(incident.id)).state == "superseded"
    assert await changed.pipeline.diagnose_next()
    assert (await changed.pipeline.approve(worlds.press(await changed.remedy(incident.id)))).counted


async def test_a_second_press_hears_who_was_first(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    _, proposal = await world.approved(bot)
    for user in (worlds.ANA, worlds.BEN):
        answer = await bot.pipeline.approve(worlds.press(proposal, user))
        assert answer.ending == "late"
        assert "approved by <@U0ANA>" in answer.text
        assert "is under way" in answer.text


async def test_two_hundred_presses_through_two_replicas_are_one_approval_and_199_honest_answers(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, proposal = await world.proposed(a)
    presses = [worlds.press(proposal, (worlds.ANA, worlds.BEN)[number // 2 % 2]) for number in range(200)]
    doors = [(a, b)[number % 2].pipeline.approve(press) for number, press in enumerate(presses)]
    answers = await asyncio.gather(*doors)
    assert Counter(answer.ending for answer in answers) == {"counted": 1, "late": 199}
    winner = presses[[answer.counted for answer in answers].index(True)].user
    assert all(f"approved by <@{winner}>" in answer.text for answer in answers if not answer.counted)
    done = await asyncio.gather(*(replica.pipeline.execute_next() for replica in (a, b, a, b)))
    assert sorted(done) == [False, False, False, True]
    assert len(world.writes) == 1
    tags = Counter(await a.trail(incident.id))
    assert tags["proposal:approved"] == tags["execution:started"] == tags["execution:ended"] == 1
    assert tags["press:refused"] == 199


async def test_an_approval_and_a_rejection_at_the_same_moment_are_one_decision(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, proposal = await world.proposed(a)
    yes, no = await asyncio.gather(
        a.pipeline.approve(worlds.press(proposal)), b.pipeline.reject(worlds.press(proposal, worlds.BEN))
    )
    assert sorted((yes.counted, no.counted)) == [False, True]
    assert (await a.remedy(incident.id)).state == ("approved" if yes.counted else "rejected")
    assert "<@U0" in (no if yes.counted else yes).text


# --- acknowledge, propose again -------------------------------------------------------------------------------------


async def test_anyone_may_take_an_incident_on_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident = await world.diagnosed(bot)
    await bot.wanted()
    assert (await bot.pipeline.acknowledge(incident.id, worlds.CHLOE)).counted
    assert await bot.wanted() == {"parent": 1, "progress": 1}
    again = await bot.pipeline.acknowledge(incident.id, worlds.ANA)
    assert again == approvals.Answer("late", f"{incident.name} is already acknowledged by <@U0CHLOE>.")
    assert [one.id for one in await bot.pipeline.list_incidents("mine", worlds.CHLOE)] == [incident.id]
    assert (await bot.pipeline.acknowledge(999, worlds.ANA)).ending == "unknown-button"
    assert (await bot.trail(incident.id)).count("incident:acknowledged") == 1


async def test_two_who_take_it_on_at_once_are_one(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    (incident,) = await world.sweep(a)
    answers = await asyncio.gather(
        a.pipeline.acknowledge(incident.id, worlds.ANA), b.pipeline.acknowledge(incident.id, worlds.BEN)
    )
    assert sorted(answer.counted for answer in answers) == [False, True]


async def test_propose_again_looks_anew_and_puts_a_fresh_proposal_in_the_place_of_the_old(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, old = await world.proposed(bot)
    world.clock.passed += worlds.RULES.proposal_ttl
    await bot.pipeline.tidy()
    assert (await bot.pipeline.propose_again(incident.id, worlds.CHLOE)).counted
    assert await bot.pipeline.diagnose_next()
    new = await bot.remedy(incident.id)
    assert (new.state, new.id > old.id, new.digest) == ("proposed", True, old.digest)
    assert (await bot.pipeline.approve(worlds.press(old))).ending == "expired"
    assert (await bot.pipeline.approve(worlds.press(new))).counted


async def test_propose_again_is_refused_while_an_action_is_under_way_and_after_the_end(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    busy = await bot.pipeline.propose_again(incident.id, worlds.ANA)
    assert busy == approvals.Answer("late", "An approved action is under way. Its end is told in the thread.")
    await world.verified(bot, incident.id)
    over = await bot.pipeline.propose_again(incident.id, worlds.ANA)
    assert over.ending == "late"
    assert over.text.startswith(f"{incident.name} is resolved: Fixed by kubectl ")
    assert (await bot.pipeline.propose_again(999, worlds.ANA)).ending == "unknown-button"


@pytest.mark.parametrize("state", ["approved", "rejected"])
async def test_decisions_are_never_overwritten(begin: worlds.Begin, state: proposals.State) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    _, proposal = await world.proposed(bot)
    door = bot.pipeline.approve if state == "approved" else bot.pipeline.reject
    assert (await door(worlds.press(proposal, reason="first"))).counted
    await bot.pipeline.approve(worlds.press(proposal, worlds.BEN, reason="second"))
    await bot.pipeline.reject(worlds.press(proposal, worlds.BEN, reason="third"))
    async with bot.database.begin() as tx:
        made = await tx.proposals.decision(proposal.id)
    assert made is not None
    assert (made.user, made.reason) == (worlds.ANA, "first")
