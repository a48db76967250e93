"""The clusters of the settings: opened once, lazily; their errors in the product's words; whose trouble is known."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot import clusters, errors
from demo.cluster import SimulatedCluster, scenarios
from k8s import guardrails, model
from k8s.client import connection
from k8s.client import errors as cluster_errors
from tests.bot.flow import worlds

API = model.ResourceRef("Deployment", "payments", "api")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[worlds.World]:
    """A world that stores nothing."""
    async with worlds.World.made("", tmp_path, [scenarios.crash_loop()]) as made:
        yield made


async def test_a_cluster_is_looked_at_within_the_scope(world: worlds.World) -> None:
    seen = await world.eyes.look(worlds.CLUSTER, model.Scope(("payments",)))
    assert (seen.cluster, len(seen.pods)) == (worlds.CLUSTER, 3)
    assert abs((world.clock() - seen.taken_at).total_seconds()) < 60
    other = await world.eyes.look(worlds.CLUSTER, model.Scope(("web",)))
    assert list(other.pods) == []
    await world.eyes.release(seen)
    assert list(seen.pods) == []


@pytest.mark.parametrize("wanted", [False, True])
async def test_certificates_are_read_only_where_the_settings_say_so(world: worlds.World, wanted: bool) -> None:
    (access,) = world.eyes._accesses.values()
    eyes = clusters.Clusters([access], world.clock, time.monotonic, certificates=wanted)
    try:
        seen = await eyes.look(worlds.CLUSTER, model.Scope())
    finally:
        await eyes.close()
    assert (seen.unread.get("secrets") == "reading certificates is off") is not wanted


async def test_a_target_and_names_are_read(world: worlds.World) -> None:
    target = await world.eyes.target(worlds.CLUSTER, model.RolloutRestart(API))
    assert target.ref.uid
    assert len(target.pods) == 3
    assert await world.eyes.names(worlds.CLUSTER, "deployments", "payments") == ["api"]
    assert await world.eyes.names(worlds.CLUSTER, "deployments", "web") == []
    assert "payments" in await world.eyes.names(worlds.CLUSTER, "namespaces")


async def test_many_who_ask_at_once_share_one_connection(world: worlds.World) -> None:
    readers = await asyncio.gather(*(world.eyes.reader(worlds.CLUSTER) for _ in range(5)))
    assert len({id(reader._connection) for reader in readers}) == 1


ASKED: list[tuple[str, Callable[[clusters.Clusters, str], Awaitable[Any]]]] = [
    ("look", lambda eyes, name: eyes.look(name, model.Scope())),
    ("target", lambda eyes, name: eyes.target(name, model.RolloutRestart(API))),
    ("names", lambda eyes, name: eyes.names(name, "namespaces")),
]


@pytest.mark.parametrize("ask", [row[1] for row in ASKED], ids=[row[0] for row in ASKED])
async def test_a_cluster_that_is_away_is_unavailable_and_known_to_be_until_it_answers(
    world: worlds.World, ask: Callable[[clusters.Clusters, str], Awaitable[Any]]
) -> None:
    world.cluster.faults.unreachable = True
    with pytest.raises(errors.ClusterUnavailable) as raised:
        await ask(world.eyes, worlds.CLUSTER)
    assert world.eyes.troubles == {worlds.CLUSTER: str(raised.value)}
    world.cluster.faults.clear()
    await ask(world.eyes, worlds.CLUSTER)
    assert world.eyes.troubles == {}


@pytest.mark.parametrize("ask", [row[1] for row in ASKED], ids=[row[0] for row in ASKED])
async def test_a_cluster_that_is_in_the_settings_no_more_is_unavailable(
    world: worlds.World, ask: Callable[[clusters.Clusters, str], Awaitable[Any]]
) -> None:
    with pytest.raises(errors.ClusterUnavailable, match="cluster `gone` is no longer in the settings"):
        await ask(world.eyes, "gone")
    assert world.eyes.troubles == {}


async def test_a_kubeconfig_that_is_wrong_is_told_when_it_is_first_used(tmp_path: Path) -> None:
    access = connection.ClusterAccess("demo", tmp_path / "nothing-here", "demo")
    eyes = clusters.Clusters([access], worlds.Clock(), time.monotonic)
    assert eyes.clusters == ("demo",)
    with pytest.raises(errors.ClusterUnavailable, match="nothing-here"):
        await eyes.look("demo", model.Scope())
    assert "demo" in eyes.troubles
    await eyes.close()


async def test_one_cluster_in_trouble_does_not_touch_the_other(world: worlds.World, tmp_path: Path) -> None:
    async with SimulatedCluster() as second:
        accesses = [
            worlds.access(world.kubeconfig),
            connection.ClusterAccess("second", second.write_kubeconfig(tmp_path / "second"), "demo"),
        ]
        eyes = worlds.eyes_of(accesses, world.clock)
        second.faults.unreachable = True
        with pytest.raises(errors.ClusterUnavailable):
            await eyes.look("second", model.Scope())
        assert len((await eyes.look(worlds.CLUSTER, model.Scope())).pods) == 3
        assert list(eyes.troubles) == ["second"]
        await eyes.close()


async def test_after_closing_a_cluster_can_be_opened_again(world: worlds.World) -> None:
    await world.eyes.look(worlds.CLUSTER, model.Scope())
    await world.eyes.close()
    assert len((await world.eyes.look(worlds.CLUSTER, model.Scope())).pods) == 3


# --- hands ----------------------------------------------------------------------------------------------------------


class Failing:
    """A hand whose cluster errors reach it untranslated. Behind `ports.Hand`."""

    async def _fail(self, *_: Any, **__: Any) -> Any:
        raise cluster_errors.Throttled("patch Deployment payments/api", "too many requests")

    lacking = lacking_of = dry_run = execute = look = _fail


async def test_cluster_errors_of_a_hand_are_told_in_the_products_words(world: worlds.World) -> None:
    hand = clusters.GuardedHand(Failing())
    now = world.clock()
    plan = model.Plan(model.RolloutRestart(API), (), {}, "", "", model.BlastRadius(0, 0, 0), "low", None)
    permit = model.Permit("1", "d", "p", ("U1",), now, now)

    def execute() -> Awaitable[Any]:
        return hand.execute(
            plan.action,
            permit,
            proposal="1",
            subject=API,
            policy=guardrails.Policy(),
            history=guardrails.History(),
            mode="approve",
            planned_at=now,
            pins={},
            operations=(),
            now=world.clock,
            fence=lambda: asyncio.sleep(0, True),
        )

    for ask in (lambda: hand.lacking(plan), lambda: hand.dry_run(plan), execute, lambda: hand.look(plan.action, ())):
        with pytest.raises(errors.ClusterUnavailable, match="patch Deployment payments/api: too many requests"):
            await ask()
