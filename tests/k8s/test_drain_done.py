"""A node is drained on a simulated cluster: budgets waited for, stopped half-way, out of time, and never a stranger."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.cluster import Fault, scenarios
from k8s import catalogue, drains, guardrails, model, stepping, verification
from tests.k8s import executing

POLICY = guardrails.Policy(approvers=("U1", "U2"))
NODE = "worker-1"


@dataclass
class Watcher:
    """Sees the progress, and may ask to stop or change the world at any of it."""

    told: list[model.Progress] = field(default_factory=list)
    why: str = ""
    then: Any = None
    clock: executing.Clock = field(default_factory=executing.Clock)

    async def progress(self, made: model.Progress) -> None:
        self.told.append(made)
        if self.then is not None:
            self.then(made)

    async def stop(self) -> str:
        return self.why

    async def pause(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)
        await asyncio.sleep(0.05)

    def oversight(self, limit: timedelta = timedelta(minutes=15)) -> stepping.Oversight:
        return stepping.Oversight(self.progress, self.stop, limit, self.pause)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[executing.World]:
    """Three workers, and a shop of six replicas on them."""
    pieces = [scenarios.running(scenarios.deployment("store", "shop", "shop/store:v1", replicas=6))]
    async with executing.world(tmp_path, pieces, speed=50.0, clocked=True) as made:
        made.cluster.bind("writer", "watchkeeper-writer-nodes")
        await made.cluster.settle()
        yield made


async def action_for(world: executing.World, node: str = NODE) -> model.Drain:
    return drains.made(world.cluster.get("Node", node), await world.reader.pods_on(node))


def shop(world: executing.World, node: str = NODE) -> set[str]:
    """Uids of the shop's pods on a node."""
    found = world.cluster.pods("shop", "store")
    return {pod["metadata"]["uid"] for pod in found if pod["spec"].get("nodeName") == node}


def evictions(world: executing.World) -> list[str]:
    return [entry.path.split("/")[-2] for entry in world.cluster.journal.writes if entry.path.endswith("/eviction")]


async def execute(world: executing.World, made: executing.Proposal, watcher: Watcher, **changed: Any) -> model.Outcome:
    limit = changed.pop("limit", timedelta(minutes=15))
    watcher.clock = changed.get("now", world.clock)
    return await world.execute(made, oversight=watcher.oversight(limit), **changed)


async def proposed(world: executing.World) -> executing.Proposal:
    made = await world.propose(await action_for(world), POLICY)
    assert await world.executor.lacking(made.plan) == ""
    return made


async def test_a_node_is_drained_one_pod_after_another_and_that_is_verified(world: executing.World) -> None:
    made, watcher = await proposed(world), Watcher()
    assert shop(world)
    tried = await world.executor.dry_run(made.plan)
    assert (tried.accepted, len(tried.diff)) == (True, len(made.plan.operations))
    assert world.cluster.journal.writes == []
    outcome = await execute(world, made, watcher)
    total = len(made.plan.operations) - 1
    assert outcome.status == "succeeded", outcome
    assert watcher.told[-1] == model.Progress(total, total)
    assert world.cluster.get("Node", NODE)["spec"]["unschedulable"] is True
    assert not shop(world)
    named = [op.target.name for op in made.plan.operations[1:]]
    assert evictions(world) == named
    await world.cluster.settle()
    now = world.cluster.timeline.now()
    assessed = verification.assess(
        made.action,
        started=now,
        target=await world.reader.read_target(made.action),
        now=now,
        hold=timedelta(0),
        timeout=timedelta(minutes=10),
    )
    assert assessed.status in ("pending", "verified"), assessed
    assert await world.executor.look(made.action, made.plan.operations) is True
    assert (await execute(world, made, watcher)).status == "already-fixed"
    assert evictions(world) == named


async def test_a_budget_is_waited_for_and_named_and_then_it_goes_on(world: executing.World) -> None:
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=0))
    await world.cluster.settle()
    made = await proposed(world)
    assert (await world.executor.dry_run(made.plan)).accepted, "what a budget holds is waited for"

    def let_go(progress: model.Progress) -> None:
        if progress.waiting == "PodDisruptionBudget shop/store":
            world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=6))

    watcher = Watcher(then=let_go)
    outcome = await execute(world, made, watcher)
    assert outcome.status == "succeeded", outcome
    assert "PodDisruptionBudget shop/store" in {each.waiting for each in watcher.told}
    assert not shop(world)


async def test_stopped_half_way_it_says_what_is_done_and_evicts_no_more(world: executing.World) -> None:
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=0))
    await world.cluster.settle()
    made, watcher = await proposed(world), Watcher()

    def stop(progress: model.Progress) -> None:
        watcher.why = "A person stopped it." if progress.waiting else ""

    watcher.then = stop
    before = shop(world)
    outcome = await execute(world, made, watcher)
    assert (outcome.status, outcome.written) == ("stopped", True)
    assert outcome.detail.startswith("A person stopped it. The node is cordoned, and ")
    assert shop(world) == before
    target = await world.reader.read_target(made.action)
    half = catalogue.halfway(made.action, made.plan.operations, target)
    assert half is not None
    assert half.begun
    assert made.plan.inverse == model.Uncordon(made.action.workload)


async def test_out_of_time_it_stops_and_says_what_it_waited_for(world: executing.World) -> None:
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=0))
    await world.cluster.settle()
    made = await proposed(world)
    outcome = await execute(world, made, Watcher(), limit=timedelta(minutes=1))
    assert outcome.status == "stopped"
    assert outcome.detail.startswith("It was not done within 1 min, waiting for PodDisruptionBudget shop/store. ")


async def test_a_stop_before_the_first_step_leaves_all_as_it_is(world: executing.World) -> None:
    made = await proposed(world)
    outcome = await execute(world, made, Watcher(why="A person stopped it."))
    assert (outcome.status, outcome.written) == ("stopped", False)
    assert world.cluster.journal.attempts == []


async def test_a_fence_that_is_lost_half_way_stops_it(world: executing.World) -> None:
    made = await proposed(world)

    async def fence() -> bool:
        return not evictions(world)

    outcome = await execute(world, made, Watcher(), fence=fence)
    assert outcome.status == "stopped"
    assert len(evictions(world)) == 1


async def test_a_permit_that_expires_meanwhile_was_enough_and_one_that_had_expired_is_not(
    world: executing.World,
) -> None:
    made, begun = await proposed(world), executing.ROUND
    clock = executing.Clock(begun)
    watcher = Watcher(then=lambda _: setattr(clock, "at", made.permit.expires_at + timedelta(seconds=1)))
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=1))
    await world.cluster.settle()
    outcome = await execute(world, made, watcher, now=clock, limit=timedelta(hours=2))
    assert outcome.status == "succeeded", outcome
    late = await world.propose(await action_for(world, "worker-2"), POLICY)
    outcome = await execute(world, late, Watcher(), now=clock)
    assert (outcome.status, outcome.detail) == ("refused", "The permit has expired.")


async def test_a_pod_that_ended_meanwhile_changes_no_digest_and_one_that_came_is_left_alone(
    world: executing.World,
) -> None:
    made = await proposed(world)
    gone = next(op.target for op in made.plan.operations if op.target.namespace == "shop")
    world.cluster.delete("pods", gone.name, "shop", grace=0)
    world.cluster.apply(stranger())
    await world.cluster.settle()
    outcome = await execute(world, made, Watcher())
    assert outcome.status == "succeeded", outcome
    assert gone.name not in evictions(world)
    assert "stranger" not in evictions(world)
    assert world.cluster.get("Pod", "stranger", "shop")["spec"]["nodeName"] == NODE
    assert "Left alone, as it came later: " in outcome.detail


def stranger() -> model.Json:
    container = {"name": "app", "image": "shop/store:v1"}
    spec = {"nodeName": NODE, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger", "namespace": "shop"}, "spec": spec}


async def test_another_node_of_the_same_name_is_not_drained(world: executing.World) -> None:
    made = await proposed(world)
    found = world.cluster.get("Node", NODE)
    world.cluster.delete("nodes", NODE)
    world.cluster.apply({**found, "metadata": {"name": NODE, "labels": found["metadata"]["labels"]}})
    outcome = await execute(world, made, Watcher())
    assert outcome.status == "stale"
    assert evictions(world) == []


async def test_who_uncordons_the_node_half_way_stops_it(world: executing.World) -> None:
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=0))
    await world.cluster.settle()
    made = await proposed(world)

    def uncordon(progress: model.Progress) -> None:
        if progress.waiting:
            world.cluster.patch("nodes", NODE, "", {"spec": {"unschedulable": False}})

    before = shop(world)
    outcome = await execute(world, made, Watcher(then=uncordon))
    assert (outcome.status, outcome.written) == ("stopped", True)
    assert outcome.detail.startswith(f"Node {NODE} was uncordoned meanwhile. ")
    assert shop(world) == before


async def test_a_fence_that_is_lost_in_the_dry_run_of_an_eviction_lets_nothing_be_evicted(
    world: executing.World,
) -> None:
    made = await proposed(world)

    async def fence() -> bool:
        return not any(entry.path.endswith("/eviction") for entry in world.cluster.journal)

    outcome = await execute(world, made, Watcher(), fence=fence)
    assert outcome.status == "stopped"
    assert outcome.detail.startswith("This execution was taken over while it waited.")
    assert evictions(world) == []


async def test_an_answer_that_never_came_is_unknown_and_no_eviction_is_sent_again(world: executing.World) -> None:
    made = await proposed(world)
    first = made.plan.operations[1].target
    path = f"/api/v1/namespaces/{first.namespace}/pods/{first.name}/eviction"
    world.cluster.faults.add(Fault(path=path, method="POST", delay=0.001, times=1))  # the dry run goes through
    world.cluster.faults.add(Fault(path=path, method="POST", drop="after", times=1))
    outcome = await execute(world, made, Watcher())
    assert outcome.status == "unknown", outcome
    assert evictions(world) == [first.name]


async def test_of_the_whole_catalogue_a_drain_alone_has_steps() -> None:
    assert [name for name, remedy in catalogue.REMEDIES.items() if remedy.steps] == ["drain"]
