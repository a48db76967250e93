"""Approval by several people: counted one by one, lapsing with what it was given for; groups, reasons, own requests."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from bot.domain import approvals, diagnoses, proposals
from bot.flow import proposing
from demo.cluster import scenarios
from k8s import guardrails, model
from k8s import policy as rulebook
from tests.bot.flow import worlds

ANA, BEN, CHLOE = worlds.ANA, worlds.BEN, worlds.CHLOE
GROUP, CHANNEL = "S0ONCALL", "C0RELEASE"
API = model.ResourceRef("Deployment", "payments", "api")


def policy(**tier: Any) -> guardrails.Policy:
    """The same of every tier."""
    one = rulebook.Tier(**{"approvals": 2, **tier})
    tiers = rulebook.Tiers(low=one, medium=one, high=one)
    return guardrails.Policy(approvers=(ANA, BEN, CHLOE), tiers=tiers)


def of_group(*, approvals_: int = 1) -> guardrails.Policy:
    one = rulebook.Tier(approvals=approvals_, approvers=(rulebook.Approvers(groups=(GROUP,), channels=(CHANNEL,)),))
    return guardrails.Policy(tiers=rulebook.Tiers(low=one, medium=one, high=one))


@dataclass
class Directory:
    """Who is where, as a test says."""

    members: dict[str, frozenset[str]] = field(default_factory=dict)
    why: str = "the Slack app lacks a scope"

    async def of(self, places: Sequence[str]) -> guardrails.Members:
        return {place: self.members[place] for place in places if place in self.members}

    def fault(self, place: str) -> str:
        return "" if place in self.members else self.why


async def _replica(world: worlds.World, rules: guardrails.Policy, owner: str = "a", **changes: Any) -> worlds.Replica:
    return await world.replica(owner, rules=replace(worlds.RULES, policy=rules), **changes)


async def _given(bot: worlds.Replica, row: proposals.Proposal) -> list[str]:
    async with bot.database.begin() as tx:
        return [f"{one.user} {one.verdict}" for one in await tx.proposals.decisions(row.id)]


async def test_the_first_of_two_approvals_is_kept_and_the_second_one_queues_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy())
    incident, proposal = await world.proposed(bot)
    assert proposal.approvals == 2
    await bot.wanted()
    assert await bot.pipeline.approve(worlds.press(proposal, ANA)) == approvals.Answer("counted")
    card = (await bot.card(incident.id)).remedy
    assert card is not None
    assert (card.proposal.state, card.execution) == ("proposed", None)
    assert [one.user for one in card.approvals] == [ANA]
    assert await bot.wanted() == {"parent": 1, "progress": 1}
    assert not await bot.pipeline.execute_next()
    given = await bot.told(incident.id, "approval:given")
    assert (given.actor, given.data["count"], given.data["needed"]) == (ANA, 1, 2)
    assert (given.data["digest"], given.data["policy"]) == (proposal.digest, policy().hash)

    assert (await bot.pipeline.approve(worlds.press(proposal, BEN))).counted
    card = (await bot.card(incident.id)).remedy
    assert card is not None
    assert card.execution is not None
    assert (card.proposal.state, card.execution.permit.approvers) == ("approved", (ANA, BEN))
    assert (await bot.told(incident.id, "proposal:approved")).data["approvers"] == [ANA, BEN]
    late = await bot.pipeline.approve(worlds.press(proposal, CHLOE))
    assert late.ending == "late"
    assert f"approved by <@{ANA}> and <@{BEN}>" in late.text
    assert await bot.pipeline.execute_next()
    assert len(world.writes) == 1


async def test_the_same_person_twice_counts_once_and_is_told(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy())
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    again = await bot.pipeline.approve(worlds.press(proposal, ANA))
    told = "Your approval counts already: 1 of 2. Somebody else must approve it too."
    assert again == approvals.Answer("again", told)
    assert await _given(bot, proposal) == [f"{ANA} approve"]
    assert (await bot.told(incident.id, "press:refused")).data["ending"] == "again"


async def test_of_many_presses_at_once_two_count_and_it_is_done_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await _replica(world, policy()), await _replica(world, policy(), "b")
    incident, proposal = await world.proposed(a)
    people = (ANA, BEN, CHLOE)
    presses = [worlds.press(proposal, people[number % 3]) for number in range(60)]
    doors = [(a, b)[number % 2].pipeline.approve(press) for number, press in enumerate(presses)]
    answers = Counter(answer.ending for answer in await asyncio.gather(*doors))
    assert (answers["counted"], answers["again"] + answers["late"]) == (2, 58)
    assert len(await _given(a, proposal)) == 2
    assert sorted(await asyncio.gather(a.pipeline.execute_next(), b.pipeline.execute_next())) == [False, True]
    assert len(world.writes) == 1
    tags = Counter(await a.trail(incident.id))
    assert tags["approval:given"] == tags["proposal:approved"] == tags["execution:started"] == 1


async def test_a_rejection_ends_it_whoever_approved_before(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy())
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    assert (await bot.pipeline.reject(worlds.press(proposal, ANA, reason="I read the log again"))).counted
    assert await _given(bot, proposal) == [f"{ANA} approve", f"{ANA} reject"]
    late = await bot.pipeline.approve(worlds.press(proposal, BEN))
    assert f"rejected by <@{ANA}>" in late.text
    assert (await bot.remedy(incident.id)).state == "rejected"
    assert not await bot.pipeline.execute_next()


async def test_approvals_lapse_with_the_time_and_a_fresh_proposal_has_none(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy())
    incident, old = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(old, ANA))).counted
    world.clock.passed += worlds.RULES.proposal_ttl
    assert (await bot.pipeline.approve(worlds.press(old, BEN))).ending == "expired"
    await bot.pipeline.tidy()
    assert (await bot.pipeline.propose_again(incident.id, CHLOE)).counted
    assert await bot.pipeline.diagnose_next()
    new = await bot.remedy(incident.id)
    assert (new.digest, new.proposer) == (old.digest, CHLOE)
    assert await _given(bot, new) == []
    assert (await bot.pipeline.approve(worlds.press(new, BEN))).counted
    assert (await bot.remedy(incident.id)).state == "proposed"


async def test_after_a_change_of_policy_the_second_press_counts_for_nothing_and_it_is_proposed_anew(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy())
    incident, old = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(old, ANA))).counted
    changed = await _replica(world, msgspec.structs.replace(policy(), max_replicas=9), "b")
    answer = await changed.pipeline.approve(worlds.press(old, BEN))
    assert answer.ending == "lapsed"
    assert answer.text.startswith("The policy has changed since this was proposed. A fresh proposal is being made")
    assert (await changed.told(incident.id, "proposal:superseded")).actor == BEN
    assert await changed.pipeline.diagnose_next()
    new = await changed.remedy(incident.id)
    assert (new.id > old.id, new.state, new.policy != old.policy) == (True, "proposed", True)
    assert await _given(changed, new) == []
    assert not await changed.pipeline.execute_next()
    assert (await changed.pipeline.approve(worlds.press(old, CHLOE))).ending == "moved-on"


# --- groups


async def test_whoever_is_in_the_group_or_the_channel_may_approve(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    known = Directory({GROUP: frozenset({ANA}), CHANNEL: frozenset({BEN})})
    bot = await _replica(world, of_group(approvals_=2), directory=known)
    incident, proposal = await world.proposed(bot)
    other = await bot.pipeline.approve(worlds.press(proposal, CHLOE))
    told = f"Only approvers may decide on this. Ask <!subteam^{GROUP}> or <#{CHANNEL}>."
    assert other == approvals.Answer("not-allowed", told)
    for user in (ANA, BEN):
        assert (await bot.pipeline.approve(worlds.press(proposal, user))).counted
    assert await bot.pipeline.execute_next()
    assert (await bot.remedy(incident.id)).state == "succeeded"


async def test_a_group_that_cannot_be_read_has_nobody_in_it_and_that_is_said(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    known = Directory({GROUP: frozenset({ANA}), CHANNEL: frozenset()})
    bot = await _replica(world, of_group(), directory=known)
    incident, proposal = await world.proposed(bot)
    del known.members[GROUP]
    answer = await bot.pipeline.approve(worlds.press(proposal, ANA))
    assert answer.ending == "not-allowed"
    assert f"Who is in <!subteam^{GROUP}> could not be read: the Slack app lacks a scope." in answer.text
    assert (await bot.remedy(incident.id)).state == "proposed"
    drafted = await proposing.draft(
        bot.wired, incident, "approve", [diagnoses.Candidate(model.RolloutRestart(incident.subject), "x")]
    )
    assert drafted.proposal is None
    assert f"{GROUP} could not be read: the Slack app lacks a scope." in " ".join(drafted.refused)


async def test_who_left_the_group_approves_nothing_any_more_not_even_what_they_approved(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    known = Directory({GROUP: frozenset({ANA, BEN}), CHANNEL: frozenset()})
    bot = await _replica(world, of_group(approvals_=2), directory=known)
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    known.members[GROUP] = frozenset({BEN, CHLOE})
    answer = await bot.pipeline.approve(worlds.press(proposal, BEN))
    assert answer.ending == "lapsed"
    assert f"<@{ANA}> approved this, and may not approve it any more." in answer.text
    assert (await bot.remedy(incident.id)).state == "superseded"


async def test_whether_a_first_approval_still_counts_is_not_guessed(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    known = Directory({GROUP: frozenset({ANA}), CHANNEL: frozenset({BEN})})
    bot = await _replica(world, of_group(approvals_=2), directory=known)
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    del known.members[GROUP]
    answer = await bot.pipeline.approve(worlds.press(proposal, BEN))
    assert answer.ending == "unavailable"
    assert "still counts is not known" in answer.text
    known.members[GROUP] = frozenset({ANA})
    assert (await bot.pipeline.approve(worlds.press(proposal, BEN))).counted
    assert (await bot.remedy(incident.id)).state == "approved"


async def test_right_before_the_write_the_groups_are_asked_once_more(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    known = Directory({GROUP: frozenset({ANA, BEN}), CHANNEL: frozenset()})
    bot = await _replica(world, of_group(), directory=known)
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    known.members[GROUP] = frozenset({BEN})
    assert await bot.pipeline.execute_next()
    assert (await bot.remedy(incident.id)).state == "refused"
    assert "may not approve this" in (await bot.told(incident.id, "execution:ended")).data["detail"]
    assert world.writes == []


# --- reasons, and who asked


async def test_each_gives_a_reason_where_one_is_required_and_the_permit_holds_all(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy(reason_required=True))
    incident, proposal = await world.proposed(bot)
    assert proposal.reason_required
    silent = await bot.pipeline.approve(worlds.press(proposal, ANA, reason="  "))
    assert (silent.ending, silent.text[:24]) == ("moved-on", "A reason is required for")
    assert (await bot.pipeline.may_approve(worlds.press(proposal, ANA))).counted
    for user, reason in ((ANA, "it served for days"), (BEN, "the log says so")):
        assert (await bot.pipeline.approve(worlds.press(proposal, user, reason=reason))).counted
    assert (await bot.pipeline.may_approve(worlds.press(proposal, CHLOE))).ending == "late"
    card = (await bot.card(incident.id)).remedy
    assert card is not None
    assert card.execution is not None
    permit = card.execution.permit
    assert dict(zip(permit.approvers, permit.reasons, strict=True)) == {
        ANA: "it served for days",
        BEN: "the log says so",
    }
    approved = await bot.told(incident.id, "proposal:approved")
    assert approved.data["reasons"] == {ANA: "it served for days", BEN: "the log says so"}
    assert await bot.pipeline.execute_next()
    assert (await bot.remedy(incident.id)).state == "succeeded"
    assert (await bot.told(incident.id, "execution:started")).data["reasons"] == [
        "it served for days",
        "the log says so",
    ]


async def test_who_asked_for_it_does_not_approve_it_where_the_policy_says_so(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy(approvals=1, self_approval=False))
    incident, old = await world.proposed(bot)
    assert (await bot.pipeline.reject(worlds.press(old, ANA, reason="not yet"))).counted
    assert (await bot.pipeline.propose_again(incident.id, ANA)).counted
    assert await bot.pipeline.diagnose_next()
    new = await bot.remedy(incident.id)
    assert new.proposer == ANA
    own = await bot.pipeline.approve(worlds.press(new, ANA))
    assert own == approvals.Answer("own", "You asked for this yourself, and somebody else must approve it.")
    assert (await bot.told(incident.id, "press:refused")).data["why"] == own.text
    assert not (await bot.card(incident.id)).self_approval
    assert (await bot.pipeline.approve(worlds.press(new, BEN))).counted


async def test_what_nobody_else_could_approve_is_not_offered(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    alone = msgspec.structs.replace(policy(approvals=1, self_approval=False), approvers=(ANA,))
    bot = await _replica(world, alone)
    incident = await world.diagnosed(bot)
    candidate = diagnoses.Candidate(model.RolloutRestart(incident.subject), "x")
    drafted = await proposing.draft(bot.wired, incident, "approve", [candidate], proposer=ANA)
    assert "too few others may" in " ".join(drafted.refused)
    assert (await proposing.draft(bot.wired, incident, "approve", [candidate], proposer=BEN)).proposal is not None


# --- edits


async def _scaling(world: worlds.World, bot: worlds.Replica, replicas: int) -> proposals.Proposal:
    """A proposal to scale the usual workload, in the place of what is proposed."""
    incident = await world.diagnosed(bot)
    candidate = diagnoses.Candidate(model.Scale(incident.subject, replicas), "a test speaks for it")
    drafted = await proposing.draft(bot.wired, incident, "approve", [candidate])
    assert drafted.proposal is not None, drafted.refused
    async with bot.database.begin() as tx:
        for row in await tx.proposals.of_incident(incident.id):
            if row.state == "proposed":
                await tx.proposals.move(row.id, "proposed", "superseded", world.clock())
        return await tx.proposals.add(drafted.proposal)


async def test_an_edit_is_a_new_proposal_of_that_person_and_what_was_approved_lapses(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy())
    old = await _scaling(world, bot, 4)
    assert (await bot.pipeline.approve(worlds.press(old, ANA))).counted
    begun = await bot.pipeline.begin_edit(worlds.press(old, CHLOE))
    assert [(one.name, one.kind, one.value) for one in begun.fields] == [("replicas", "number", "4")]
    edited = await bot.pipeline.edit(worlds.press(old, CHLOE), {"replicas": "5"})
    assert (edited.answer.counted, edited.faults) == (True, {})
    new = await bot.remedy(old.incident_id)
    assert (new.action, new.proposer, new.state) == (model.Scale(new.action.workload, 5), CHLOE, "proposed")
    assert new.digest != old.digest
    assert await _given(bot, new) == []
    told = await bot.told(old.incident_id, "proposal:edited")
    assert (told.actor, told.data["by"], told.data["lapsed"]) == (CHLOE, new.id, [ANA])
    assert (await bot.pipeline.approve(worlds.press(old, BEN))).ending == "moved-on"
    assert (await bot.pipeline.edit(worlds.press(old, BEN), {"replicas": "6"})).answer.ending == "moved-on"
    for user in (ANA, BEN):
        assert (await bot.pipeline.approve(worlds.press(new, user))).counted
    assert await bot.pipeline.execute_next()
    assert world.cluster.get("deployments", "api", "payments")["spec"]["replicas"] == 5


async def test_what_may_not_be_is_said_at_the_field_in_the_words_of_whoever_forbids_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await _replica(world, policy())
    old = await _scaling(world, bot, 4)
    for entered, told in (
        ("many", "Give a whole number."),
        ("4", "This is what is proposed already."),
        ("0", "Scaling to 0 would stop the service wholly"),
        ("51", "51 replicas are more than the 50 that the policy allows."),
        ("9999999999", "is no number of replicas"),
    ):
        edited = await bot.pipeline.edit(worlds.press(old, BEN), {"replicas": entered})
        assert told in edited.faults["replicas"], entered
        assert not edited.answer.counted
    assert (await bot.remedy(old.incident_id)).id == old.id
    refused = await bot.told(old.incident_id, "press:refused")
    assert (refused.actor, refused.data["button"]) == (BEN, "edit")


async def test_who_is_no_approver_edits_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    old = await _scaling(world, bot, 4)
    edited = await bot.pipeline.edit(worlds.press(old, CHLOE), {"replicas": "5"})
    assert edited.answer.ending == "not-allowed"
    assert (await bot.remedy(old.incident_id)).id == old.id
