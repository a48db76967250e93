"""The API server goes away at the worst of moments, on every ground: nothing is concluded, nothing done twice or lost.

What is broken in these stories is a rollout that no node has room for, so they hold where no container really runs too.
Those that stop the API server are marked `alone`: on a real cluster everybody else would lose it with them.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from demo import slack
from k8s import model, snapshot
from k8s.client import connection, reader
from tests import grounds
from tests.grounds import behaviours, manifests, relay
from tests.stories import probing, telling
from tests.stories import world as worlds

pytestmark = pytest.mark.story

PATCHED = "patch deployments api"
FAILED = "SELECT count(*) FROM audit WHERE tag = 'sweep:failed'"
VERIFIED = "SELECT state = 'verified' FROM proposal WHERE kind = 'remedy' ORDER BY id DESC LIMIT 1"
STATE = "SELECT state FROM proposal WHERE kind = 'remedy' ORDER BY id LIMIT 1"
SCHEDULED = "SELECT count(*) FROM sweep WHERE status NOT IN ('running', 'failed') AND slot IS NOT NULL AND id > $1"
INCIDENTS = "SELECT id, state, severity, episode FROM incident ORDER BY id"
AWAY = 30.0
"""Seconds that a real one is away: longer than a load balancer or a client waits, shorter than an upgrade."""
TOO_MUCH = "4000"
"""More cpus than any node here has."""


def api(ground: grounds.Ground, cpu: str = "10m", version: str = "v1") -> dict[str, Any]:
    """The time for a rollout goes on while the API server is away: it must be long enough for that."""
    app = ground.container(behaviours.serving(), version=version, cpu=cpu)
    return manifests.deployment("api", app, replicas=2, deadline=600)


@contextlib.asynccontextmanager
async def relayed(
    ground: grounds.Ground, folder: Path, tell: worlds.Tell
) -> AsyncIterator[tuple[worlds.World, relay.Relay]]:
    async with relay.Relay.open(ground, folder) as way:
        yield await tell(**way.settings, GRACES="Unschedulable=1s", VERIFY_HOLD="5s"), way


async def broken(ground: grounds.Ground) -> None:
    """Two replicas serve, and a rollout asks for more than there is."""
    await ground.established(api(ground))
    await ground.admin.apply(api(ground, TOO_MUCH, "v2"))


def bot_of(world: worlds.World) -> worlds.Bot:
    return world._bots[0]


async def long_enough(ground: grounds.Ground) -> None:
    """Shorter where nodes are played: a pod of a node that was given up is made ready again by a kubelet alone."""
    await asyncio.sleep(AWAY if ground.has("kubelet") else AWAY / 10)


async def back(ground: grounds.Ground) -> None:
    async def asked() -> bool:
        return bool(await ground.admin.list("Deployment"))

    await ground.admin.until(asked, what="the API server is back")


def posts(world: worlds.World) -> int:
    return len(world.slack.messages(slack.ONCALL))


# --- sweeping -------------------------------------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.needs("restart")
async def test_an_api_server_that_is_away_fails_each_sweep_and_concludes_nothing(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await broken(ground)
    world = await tell(GRACES="Unschedulable=1s")
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    before, posted = await world.rows(INCIDENTS), posts(world)

    async with ground.away():
        for _ in range(3):
            assert "could not look" in await telling.sweep(world)
        named = await probing.wrong(bot_of(world))
        assert any(part.startswith("cluster ") for part in named), named
        await long_enough(ground)
        assert "could not look" in await telling.sweep(world)
        assert await world.rows(INCIDENTS) == before
        assert posts(world) == posted, "an outage of the cluster is no news for the channel"
        assert await world.value(FAILED) == 1, "and is one event of the trail"
    await back(ground)

    last = await world.value("SELECT max(id) FROM sweep")
    await world.eventually_row(SCHEDULED, last, within=90)
    await probing.says(bot_of(world))
    assert len(world.parents(f"{ground.namespace}/api")) == 1
    await ground.admin.apply(api(ground, version="v3"))
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    assert len(world.parents()) == 1
    await ground.untouched()


@pytest.mark.alone
@pytest.mark.needs("restart")
async def test_an_api_server_that_goes_in_the_middle_of_a_sweep_leaves_no_half_truth(
    ground: grounds.Ground, tell: worlds.Tell, tmp_path: Path
) -> None:
    """Deployments are seen and their pods are not: neither is anything missing for that, nor has anything healed."""
    await broken(ground)
    async with relayed(ground, tmp_path, tell) as (world, way):
        parent = await telling.proposed(world, f"{ground.namespace}/api")
        await ground.admin.apply(manifests.deployment("web", ground.container(behaviours.serving()), replicas=1))
        await ground.rolled_out("Deployment", "web")
        before, posted = await world.rows(INCIDENTS), posts(world)

        with way.hold("reader", "GET", "/pods", when="asked") as held:
            sweeping = asyncio.create_task(telling.sweep(world))
            await held.met.wait()
            await way.quiet()
            held_up = await world.value("SELECT max(id) FROM sweep")
            async with ground.away():
                held.lose()
                said = await sweeping
                assert "list pods" in said, said
                assert await world.value("SELECT status FROM sweep WHERE id = $1", held_up) == "partial"
                assert await world.rows(INCIDENTS) == before
                assert posts(world) == posted
        await back(ground)
        assert "could not look" not in await telling.sweep(world)
        assert await world.rows(INCIDENTS) == before
        assert len(world.parents()) == 1
        assert not telling.green(world, parent)
        await ground.untouched()


# --- executing and verifying ----------------------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.needs("restart")
async def test_an_api_server_that_goes_while_a_fix_is_verified_is_waited_for(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await broken(ground)
    world = await tell(GRACES="Unschedulable=1s", VERIFY_HOLD="10s")
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await telling.approve(world, parent)
    await world.eventually_row("SELECT count(*) FROM verification")
    async with ground.away():
        await world.eventually(lambda: "does not answer" in world.thread(parent), what="the thread says so")
        await long_enough(ground)
        assert await world.value("SELECT status FROM verification") == "pending"
        assert not telling.green(world, parent)
    await telling.verified(world, parent)
    await world.eventually_row(VERIFIED)
    await telling.offered(world, parent, "wk:undo")
    await ground.wrote(PATCHED)
    assert len(world.parents()) == 1


@pytest.mark.alone
@pytest.mark.needs("restart")
@pytest.mark.parametrize("step", ["before it is read", "before it is tried", "before it is written"])
async def test_an_api_server_that_goes_between_press_and_write_gets_nothing_written_and_that_is_said(
    ground: grounds.Ground, tell: worlds.Tell, tmp_path: Path, step: str
) -> None:
    await broken(ground)
    async with relayed(ground, tmp_path, tell) as (world, way):
        parent = await telling.proposed(world, f"{ground.namespace}/api")
        method, dry = ("GET" if step == "before it is read" else "PATCH"), step == "before it is tried"
        with way.hold("writer", method, "/deployments/api", when="asked", dry_run=dry) as held:
            pressing = asyncio.create_task(telling.approve(world, parent))
            await asyncio.wait_for(held.met.wait(), 60)
            async with ground.away():
                held.lose()
                await pressing
                ended = await world.eventually_row(
                    "SELECT state FROM proposal WHERE kind = 'remedy' AND state IN ('failed', 'unknown')"
                )
        assert ended == ("unknown" if step == "before it is written" else "failed")
        await back(ground)
        await ground.untouched()
        assert len(world.parents()) == 1
        await _goes_on(ground, world, parent)


@pytest.mark.alone
@pytest.mark.needs("restart")
async def test_a_write_whose_answer_was_lost_with_the_api_server_is_looked_for_when_it_is_back(
    ground: grounds.Ground, tell: worlds.Tell, tmp_path: Path
) -> None:
    await broken(ground)
    async with relayed(ground, tmp_path, tell) as (world, way):
        parent = await telling.proposed(world, f"{ground.namespace}/api")
        with way.hold("writer", "PATCH", "/deployments/api", when="answered") as held:
            pressing = asyncio.create_task(telling.approve(world, parent))
            await asyncio.wait_for(held.met.wait(), 60)
            async with ground.away():
                held.lose()
                await pressing
                await world.eventually(lambda: "unknown" in world.thread(parent).lower(), what="it is said")
        await telling.verified(world, parent)
        await world.eventually_row("SELECT state = 'verified' FROM proposal WHERE kind = 'remedy' ORDER BY id LIMIT 1")
        await telling.offered(world, parent, "wk:undo")
        await ground.wrote(PATCHED)
        assert len(world.parents()) == 1


async def _goes_on(ground: grounds.Ground, world: worlds.World, parent: worlds.Message) -> None:
    """As a person would: asks for a new proposal where none comes by itself, and presses again."""
    async with asyncio.timeout(90 * world.patience):
        while not await world.value(VERIFIED):
            shown = world.shown(parent)
            for action in ("wk:approve", "wk:propose"):
                if worlds.button(shown, action):
                    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], action)
                    break
            await asyncio.sleep(0.5)
    await telling.verified(world, parent)
    await ground.wrote(PATCHED)


# --- lists that grew too old ----------------------------------------------------------------------------------------


class Interrupted(reader.Reader):
    """A reader whose list of Deployments is left lying after its first page until the cluster has forgotten it."""

    def __init__(self, over: connection.Connection, ground: grounds.Ground) -> None:
        super().__init__(over)
        self._ground = ground
        self.interrupted = 0

    async def pages(self, kind: str, namespace: str | None = None, **more: Any) -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(super().pages(kind, namespace, **more)) as pages:
            async for body in pages:
                yield body
                if kind == "deployments" and not self.interrupted:
                    self.interrupted += 1
                    await self._ground.admin.apply(manifests.config_map("meanwhile"))
                    await self._ground.expire()


@pytest.mark.alone
@pytest.mark.needs("restart")
async def test_a_list_whose_next_page_is_410_gone_goes_on_and_is_whole(ground: grounds.Ground) -> None:
    names = [f"api-{number}" for number in range(7)]
    for name in names:
        await ground.admin.apply(manifests.deployment(name, ground.container(behaviours.serving()), replicas=0))
    given = ground.settings()
    access = connection.ClusterAccess("here", Path(given["KUBECONFIG"]), given["CONTEXTS"])
    opened = await connection.Connection.open(access)
    try:
        source = Interrupted(opened, ground)
        seen = await snapshot.take(
            source,
            model.Scope((ground.namespace,)),
            now=datetime.now(UTC),
            monotonic=time.monotonic,
            limits=snapshot.Limits(page=2, concurrency=1),
        )
    finally:
        await opened.close()
    assert source.interrupted == 1
    assert seen.degraded == {}
    assert [each.metadata.name for each in seen.deployments] == names


# --- a node that is lost --------------------------------------------------------------------------------------------


@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.needs("restart")
async def test_a_node_that_falls_silent_is_one_incident_with_its_pods_in_it(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    """A node is Unknown after 50 s of silence, its pods are not ready then, and it all comes back by itself."""
    await ground.admin.apply(manifests.daemon_set("agent", ground.container(behaviours.serving())))
    await ground.rolled_out("DaemonSet", "agent")
    world = await tell(GRACES="NodeNotReady=5s,NotReady=5s,ReplicasMissing=5s")
    async with ground.silence() as name:
        parent = await telling.told(world, name, within=120)
        await telling.shows(world, parent, "not ready")
        await telling.sweep(world)
        assert world.parents(f"{ground.namespace}/agent") == [], "what the node takes with it is the node's"
    await telling.healed(world, parent, within=120)
    await ground.untouched()


# --- a person's hand ------------------------------------------------------------------------------------------------


@pytest.mark.needs("behaviours")
async def test_a_person_who_execs_what_is_missing_back_heals_it_and_nobody_wrote(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    forgets = ground.container(behaviours.forgets_healthy(8), readinessProbe=manifests.asks())
    await ground.admin.apply(manifests.deployment("api", forgets))
    world = await tell(GRACES="NotReady=2s")
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "readiness probe", behaviours.UNHEALTHY)

    (pod,) = await ground.admin.pods("api")
    name = pod["metadata"]["name"]
    await ground.exec(name, "touch", behaviours.HEALTHY)
    assert await ground.exec(name, "ls", behaviours.HEALTHY) == f"{behaviours.HEALTHY}\n"
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    (same,) = await ground.admin.pods("api")
    assert same["metadata"]["uid"] == pod["metadata"]["uid"]
    assert same["status"]["containerStatuses"][0]["restartCount"] == 0
    await ground.untouched()
