"""An execution in steps as rows and in the thread: progress, Stop, half-done ends, a crash, the way back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import approvals, incidents, proposals
from bot.flow import examining, executing
from bot.slack import ids
from bot.slack.blocks import buttons, thread
from demo.cluster import scenarios
from k8s import drains, guardrails, model
from tests.bot.flow import worlds

NODE = "worker-2"


async def begun(begin: worlds.Begin) -> tuple[worlds.World, worlds.Replica, incidents.Incident]:
    """A node under pressure with pods of a shop on it, whose budget lets none go."""
    store = scenarios.running(scenarios.deployment("store", "shop", "shop/store:v1", replicas=6))
    world = await begin([store, scenarios.node_pressure(NODE)])
    world.cluster.bind("writer", "watchkeeper-writer-nodes")
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=0))
    await world.cluster.settle()
    bot = await world.replica()
    incident = await world.diagnosed(bot)
    assert incident.subject.name == NODE
    return world, bot, incident


async def drain_of(world: worlds.World) -> model.Drain:
    source = await world.eyes.reader(worlds.CLUSTER)
    return drains.made(world.cluster.get("Node", NODE), await source.pods_on(NODE))


async def approved(world: worlds.World, bot: worlds.Replica, incident: incidents.Incident) -> proposals.Proposal:
    asked = await bot.pipeline.ask_for(incident.id, await drain_of(world), worlds.ANA)
    assert asked.answer.counted, asked.faults
    proposal = await bot.remedy(incident.id)
    assert (proposal.risk, proposal.approvals) == ("high", 2)
    for user in (worlds.ANA, worlds.BEN):
        assert (await bot.pipeline.approve(worlds.press(proposal, user, reason="The node is bad."))).counted
    return await bot.remedy(incident.id)


async def until_it_waits(bot: worlds.Replica, incident_id: int) -> model.Progress:
    """The progress that is stored, as soon as it says what is waited for."""
    for _ in range(200):
        card = await bot.card(incident_id)
        execution = None if card.remedy is None else card.remedy.execution
        if execution is not None and execution.progress is not None and execution.progress.waiting:
            return execution.progress
        await asyncio.sleep(0.05)
    raise AssertionError("it never waited")


def left(world: worlds.World) -> list[str]:
    return [pod["metadata"]["name"] for pod in world.cluster.pods("shop", "store") if pod["spec"]["nodeName"] == NODE]


def let_go(world: worlds.World) -> None:
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=6))


async def test_the_thread_tells_how_far_it_is_and_what_it_waits_for_and_then_it_is_done(begin: worlds.Begin) -> None:
    world, bot, incident = await begun(begin)
    await approved(world, bot, incident)
    working = asyncio.create_task(bot.pipeline.execute_next())
    told = await until_it_waits(bot, incident.id)
    assert told.waiting == "PodDisruptionBudget shop/store"
    card = await bot.card(incident.id)
    shown = str(thread.progress(card).blocks)
    assert f"Draining {NODE}: {told.done} of {told.total} pod" in shown
    assert "waiting for PodDisruptionBudget shop/store" in shown
    assert ids.STOP in str(buttons.row(card))
    let_go(world)
    assert await working
    done = await bot.remedy(incident.id)
    assert done.state == "succeeded"
    assert left(world) == []
    assert (await bot.trail(incident.id)).count("execution:ended") == 1


async def test_stopped_by_an_approver_it_ends_so_and_uncordon_is_the_way_back(begin: worlds.Begin) -> None:
    world, bot, incident = await begun(begin)
    proposal = await approved(world, bot, incident)
    working = asyncio.create_task(bot.pipeline.execute_next())
    await until_it_waits(bot, incident.id)
    stranger = await bot.pipeline.stop_execution(worlds.press(proposal, worlds.CHLOE))
    assert stranger.ending == "not-allowed"
    assert (await bot.pipeline.stop_execution(worlds.press(proposal, worlds.BEN))).counted
    again = await bot.pipeline.stop_execution(worlds.press(proposal, worlds.ANA))
    assert again.ending == "late"
    assert await working
    stopped = await bot.remedy(incident.id)
    assert stopped.state == "stopped"
    assert left(world)
    assert (await bot.told(incident.id, "execution:stop-asked")).actor == worlds.BEN
    card = await world.verified(bot, incident.id)
    assert card.remedy is not None
    assert card.remedy.proposal.state == "stopped", "a look at what was half done gives it no other name"
    assert f"*Stopped* by <@{worlds.BEN}>" in str(thread.progress(card).blocks)
    assert card.undo is not None
    assert card.undo.proposal.action == model.Uncordon(stopped.action.workload)
    assert ids.UNDO in str(buttons.row(card))
    assert (await bot.pipeline.approve(worlds.press(card.undo.proposal))).counted
    assert await bot.pipeline.execute_next()
    assert not world.cluster.get("Node", NODE)["spec"].get("unschedulable")
    assert (await bot.remedy(incident.id)).state == "undone"
    late = await bot.pipeline.stop_execution(worlds.press(proposal, worlds.ANA))
    assert (late.ending, "It was over already (undone)" in late.text) == ("late", True)


async def test_a_crash_in_the_middle_is_looked_at_told_in_numbers_and_never_gone_on_with(begin: worlds.Begin) -> None:
    world, a, incident = await begun(begin)
    b = await world.replica("b")
    await approved(world, a, incident)
    job = await executing.take(a.wired)
    assert job is not None
    dying = asyncio.create_task(executing.do(a.wired, job, examining.gone))
    await until_it_waits(a, incident.id)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    evicted = [entry.path for entry in world.writes if entry.path.endswith("/eviction")]
    world.clock.passed += worlds.RULES.lease
    let_go(world)
    assert await b.pipeline.execute_next()
    card = await b.card(incident.id)
    assert card.remedy is not None
    assert card.remedy.execution is not None
    assert card.remedy.execution.outcome is not None
    assert card.remedy.proposal.state == "unknown"
    told = card.remedy.execution.outcome
    assert told.written is True
    assert "Looked at the cluster: the node is cordoned, and " in told.detail
    assert told.detail.endswith("It is not tried again.")
    card = await world.verified(b, incident.id)
    assert card.remedy is not None
    assert card.remedy.proposal.state == "not-verified"
    assert card.undo is not None
    assert [entry.path for entry in world.writes if entry.path.endswith("/eviction")] == evicted


async def test_out_of_time_it_is_stopped_with_the_reason(begin: worlds.Begin) -> None:
    world, first, incident = await begun(begin)
    bot = await world.replica("b", rules=replace(worlds.RULES, execution_timeout=timedelta(0)))
    await approved(world, first, incident)
    assert await bot.pipeline.execute_next()
    card = await bot.card(incident.id)
    assert card.remedy is not None
    assert card.remedy.execution is not None
    assert card.remedy.execution.outcome is not None
    assert card.remedy.proposal.state == "stopped"
    assert card.remedy.execution.outcome.detail.startswith("It was not done within 0 min, waiting for PodDisruption")
    assert ids.STOP not in str(buttons.row(card))


async def test_one_write_cannot_be_stopped_half_way(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    _, proposal = await world.approved(bot)
    answer = await bot.pipeline.stop_execution(worlds.press(proposal))
    assert (answer.ending, answer.text) == ("late", "This is one single write: it cannot be stopped half-way.")


@pytest.mark.parametrize("change", [lambda one: one, lambda one: replace(one, user=worlds.CHLOE)])
async def test_a_press_on_stop_of_nothing_is_answered_as_such(
    record: tuple[worlds.Replica, worlds.Clock], change: Callable[[approvals.Press], approvals.Press]
) -> None:
    bot, _ = record
    answer = await bot.pipeline.stop_execution(change(approvals.Press(worlds.ANA, 77, "0" * 16)))
    assert answer.ending == "unknown-button"
    assert guardrails.may_approve(worlds.ANA, worlds.POLICY)
