"""Presses where what is approved is written in people's names: who may, who may not, and what the record says."""

from dataclasses import replace

import pytest

from bot import clusters
from bot.domain import approvals
from demo.cluster import Fault, scenarios
from demo.cluster.access import WRITER, Binding, PolicyRule
from k8s import executor, guardrails, model
from k8s.client import connection
from k8s.client import reader as reading
from tests.bot.flow import worlds

ANA, BEN = worlds.ANA, worlds.BEN
KNOWN = guardrails.Identities({ANA: model.Identity("ana@example.com", ("oncall",)), BEN: model.Identity("ben@x.org")})
RULES = replace(worlds.RULES, identities=KNOWN)
READS = tuple(rule for rule in WRITER if not {"patch", "delete", "create"} & set(rule.verbs))
WRITES = tuple(rule for rule in WRITER if rule not in READS)
IMPERSONATE = (
    PolicyRule(("",), ("users",), ("impersonate",), names=("ana@example.com", "ben@x.org")),
    PolicyRule(("",), ("groups",), ("impersonate",), names=("oncall",)),
)
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def may(world: worlds.World, subject: str, *rules: PolicyRule) -> None:
    world.cluster.access.bindings[subject] = [Binding("test", rules, subject)]


async def replica(world: worlds.World, known: guardrails.Identities = KNOWN, owner: str = "a") -> worlds.Replica:
    """A replica whose writer can only read and impersonate; those of oncall may write."""
    may(world, "writer", *READS, *IMPERSONATE)
    may(world, "group:oncall", *WRITES)
    writing = await connection.Connection.open(worlds.access(world.kubeconfig, user="writer"))
    world.stack.push_async_callback(writing.close)
    made = executor.Executor.over(reading.Reader(writing, now=world.clock), writing, known)
    hand = clusters.GuardedHand(made)
    return await world.replica(owner, hands=lambda _: hand, rules=replace(RULES, identities=known))


async def test_it_is_written_in_the_name_of_who_approved_and_the_record_says_so(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    assert await bot.pipeline.execute_next()
    (write,) = world.writes
    assert (write.user, write.impersonated, write.groups) == ("writer", "ana@example.com", ("oncall",))
    card = await bot.card(incident.id)
    assert card.remedy is not None
    assert card.remedy.execution is not None
    assert card.remedy.execution.permit.identity == KNOWN.of(ANA)
    started = await bot.told(incident.id, "execution:started")
    assert started.data["as"] == {"user": "ana@example.com", "groups": ["oncall"]}
    assert started.data["approvers"] == [ANA]


async def test_whose_identity_lacks_the_right_is_told_so_and_nothing_is_lost(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident, proposal = await world.proposed(bot)
    why = "Your cluster identity ben@x.org may not patch deployments.apps in namespace payments."
    for door in (bot.pipeline.approve, bot.pipeline.may_approve):
        assert await door(worlds.press(proposal, BEN)) == approvals.Answer("no-right", why)
    told = await bot.told(incident.id, "press:refused")
    assert (told.actor, told.data["ending"], told.data["why"]) == (BEN, "no-right", why)
    assert (await bot.remedy(incident.id)).state == "proposed"
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    assert await bot.pipeline.execute_next()
    assert (await bot.remedy(incident.id)).state == "succeeded"


async def test_who_has_no_identity_cannot_approve_and_is_told_what_to_do_but_may_reject(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world, guardrails.Identities({ANA: model.Identity("ana@example.com", ("oncall",))}))
    incident, proposal = await world.proposed(bot)
    refused = await bot.pipeline.approve(worlds.press(proposal, BEN))
    assert refused.ending == "no-right"
    assert "must add your Slack id to the impersonation file" in refused.text
    assert (await bot.pipeline.reject(worlds.press(proposal, BEN, reason="no"))).counted
    assert (await bot.remedy(incident.id)).state == "rejected"
    assert world.writes == []


async def test_who_is_no_approver_learns_nothing_and_no_cluster_is_asked(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    _, proposal = await world.proposed(bot)
    world.cluster.journal.clear()
    assert (await bot.pipeline.approve(worlds.press(proposal, worlds.CHLOE))).ending == "not-allowed"
    forged = approvals.Press(ANA, proposal.id, "0" * approvals.DIGEST_SHOWN)
    assert (await bot.pipeline.approve(forged)).ending == "unknown-button"
    assert [entry.path for entry in world.cluster.journal] == []


async def test_what_nobody_could_do_is_not_offered_and_the_card_says_what_is_missing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    may(world, "group:oncall")
    incident = await world.diagnosed(bot)
    card = await bot.card(incident.id)
    assert card.remedy is None
    assert any("ana@example.com may not patch deployments.apps" in told for told in card.refused), card.refused


@pytest.mark.parametrize("fault", [Fault(path=REVIEWS, hang=True), Fault(path=REVIEWS, status=503)])
async def test_a_cluster_that_does_not_say_does_not_keep_the_press_and_has_the_last_word(
    begin: worlds.Begin, fault: Fault
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident, proposal = await world.proposed(bot)
    may(world, "group:oncall")
    world.cluster.faults.add(fault)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    world.cluster.faults.clear()
    assert await bot.pipeline.execute_next()
    row = await bot.remedy(incident.id)
    assert row.state == "refused"
    assert world.writes == []


async def test_a_replica_with_another_file_does_not_execute_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await replica(world)
    incident, proposal = await world.proposed(bot)
    assert (await bot.pipeline.approve(worlds.press(proposal, ANA))).counted
    other = await replica(world, guardrails.Identities({ANA: model.Identity("root@example.com")}), owner="b")
    assert await other.pipeline.execute_next()
    assert (await bot.remedy(incident.id)).state == "refused"
    assert "has changed since it was approved" in str((await bot.told(incident.id, "execution:ended")).data["detail"])
    assert world.writes == []


def test_the_rules_above_name_what_the_shipped_role_has() -> None:
    """So that the writer of these tests has no right to write: else they would pass without impersonation."""
    assert READS
    assert WRITES
    assert not {"patch", "delete", "create"} & {verb for rule in READS for verb in rule.verbs}
