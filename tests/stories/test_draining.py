"""A node is drained from its incident's thread by two people who see how far it is; and stopped half-way."""

import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import clusters, parts, pipeline, settings
from bot.domain import ports
from bot.evidence import collecting
from bot.llm import absent
from bot.store import engine
from demo import slack
from demo.cluster import scenarios
from k8s import drains, executor
from k8s.client import connection, reader
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = pytest.mark.story

NODE = "worker-2"
APPROVE, STOP = "wk:approve", "wk:stop"
STATE = "SELECT state FROM proposal WHERE kind = 'remedy' ORDER BY id DESC LIMIT 1"


def policy(folder: Path) -> str:
    """As without one, but that nobody is asked for a reason."""
    file = folder / "policy.yaml"
    file.write_text("version: 1\ntiers:\n  high: {approvals: 2, reason_required: false}\n")
    return str(file)


async def broken(begin: worlds.Start, folder: Path) -> tuple[worlds.World, worlds.Message, dict[str, str]]:
    """A node under pressure, and on it pods of a shop whose budget lets none go."""
    store = scenarios.running(scenarios.deployment("store", "shop", "shop/store:v1", replicas=6))
    world = await begin([store, scenarios.node_pressure(NODE)])
    world.cluster.bind("writer", "watchkeeper-writer-nodes")
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=0))
    rules = {"POLICY_FILE": policy(folder)}
    await world.start_bot(POLICY_FILE=rules["POLICY_FILE"])
    return world, await telling.told(world, NODE), rules


class Quiet:
    """Nobody to wake: the bot looks by itself."""

    def ring(self) -> None:
        return


@contextlib.asynccontextmanager
async def beside(world: worlds.World, rules: dict[str, str]) -> AsyncIterator[pipeline.Pipeline]:
    """The pipeline of one more replica, by the same settings: it proposes what rules do not."""

    def clock() -> datetime:
        return datetime.now(UTC)

    chosen = settings.load(world.environment(**rules))
    (access,) = parts.accesses_of(chosen)
    eyes, database = clusters.Clusters([access], clock, time.monotonic), engine.Database(world.database_url)
    writing = await connection.Connection.open(parts.writer_access(chosen, access))
    hand = clusters.GuardedHand(executor.Executor.over(reader.Reader(writing, now=clock), writing))
    try:
        yield pipeline.Pipeline(
            ports.Ports(
                store=database,
                eyes=eyes,
                hands=lambda _: hand,
                witness=collecting.Collector(eyes.reader, clock),
                advisor=absent.NoAdvisor(),
                bell=Quiet(),
                clock=clock,
                owner="beside",
                rules=parts.rules_of(chosen),
            )
        )
    finally:
        await writing.close()
        await eyes.close()
        await database.close()


async def drain_asked_for(world: worlds.World, parent: worlds.Message, rules: dict[str, str]) -> None:
    """Ana asks for the drain of the node, and both approve it."""
    await world.diagnosed(parent)
    incident_id = await world.value("SELECT id FROM incident ORDER BY id LIMIT 1")
    pods = [pod for pod in world.cluster.list("pods") if pod["spec"].get("nodeName") == NODE]
    action = drains.made(world.cluster.get("Node", NODE), pods)
    async with beside(world, rules) as line:
        asked = await line.ask_for(incident_id, action, slack.ANA)
        assert asked.answer.counted, asked.faults
    await telling.shows(world, parent, f"kubectl drain {NODE}")
    await telling.offered(world, parent, APPROVE)
    for user, seen in ((slack.ANA, "*1 of 2*"), (slack.BEN, "Executing")):
        await telling.approve(world, parent, user)
        await telling.shows(world, parent, seen)


async def waits(world: worlds.World, parent: worlds.Message) -> None:
    told = f"Draining {NODE}: "
    await world.eventually(lambda: told in world.thread(parent), what="progress in the thread")
    await telling.shows(world, parent, told, "waiting for PodDisruptionBudget shop/store")


def left(world: worlds.World) -> list[str]:
    found = world.cluster.pods("shop", "store")
    return [pod["metadata"]["name"] for pod in found if pod["spec"].get("nodeName") == NODE]


def written(world: worlds.World) -> list[str]:
    """What the bot wrote, as the API server has it."""
    return [f"{entry.method} {entry.path}" for entry in world.cluster.journal.writes if entry.user == "writer"]


async def test_a_node_is_drained_by_two_people_who_see_how_far_it_is(begin: worlds.Start, tmp_path: Path) -> None:
    world, parent, rules = await broken(begin, tmp_path)
    named = left(world)
    await drain_asked_for(world, parent, rules)
    await waits(world, parent)
    assert left(world)
    world.cluster.apply(scenarios.disruption_budget("store", "shop", maxUnavailable=6))
    await world.eventually_row(
        "SELECT state IN ('succeeded', 'verified') FROM proposal WHERE kind = 'remedy' ORDER BY id DESC LIMIT 1"
    )
    assert left(world) == []
    assert world.cluster.get("Node", NODE)["spec"]["unschedulable"] is True
    assert await world.value("SELECT count(*) FROM execution") == 1
    assert written(world)[0] == f"PATCH /api/v1/nodes/{NODE}"
    evicted = [f"POST /api/v1/namespaces/shop/pods/{name}/eviction" for name in named]
    assert sorted(written(world)[1:]) == sorted(evicted), "the cordon, and each of its pods once"


async def test_stop_ends_it_half_way_and_undo_uncordons_the_node(begin: worlds.Start, tmp_path: Path) -> None:
    world, parent, rules = await broken(begin, tmp_path)
    await drain_asked_for(world, parent, rules)
    await waits(world, parent)
    await telling.offered(world, parent, STOP)
    seen = await world.slack.press(slack.BEN, slack.ONCALL, parent["ts"], STOP)
    assert worlds.text_of(await seen.ephemeral()).startswith("It stops before its next step.")
    await telling.shows(world, parent, f"*Stopped* by <@{slack.BEN}>")
    assert left(world)
    await telling.undo(world, parent, slack.ANA)
    await world.cluster.wait_for(lambda: not world.cluster.get("Node", NODE)["spec"].get("unschedulable"))
    await world.eventually_row("SELECT count(*) > 0 FROM proposal WHERE state = 'undone'")
    assert await world.value("SELECT count(*) FROM audit WHERE tag = 'execution:stop-asked'") == 1


STORIES = {"drain": test_a_node_is_drained_by_two_people_who_see_how_far_it_is}
