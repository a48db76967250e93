"""Fixtures of the stories."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from demo import slack
from demo.cluster import SimulatedCluster
from demo.cluster.pieces import Piece
from tests import grounds
from tests.grounds import simulated
from tests.stories import world as worlds

REAL_TIME = 600
"""Seconds that a story may take where time is real: a revision is proven after a minute, a back-off takes its time."""


@pytest.fixture
async def begin(postgres_url: str, tmp_path: Path) -> AsyncIterator[worlds.Start]:
    """Begins a world with these pieces broken in it."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(pieces: Iterable[Piece]) -> worlds.World:
            workspace = await stack.enter_async_context(slack.SlackStandIn())
            cluster = await stack.enter_async_context(SimulatedCluster(list(pieces), speed=worlds.SPEED))
            world = worlds.World(workspace, cluster, postgres_url, tmp_path)
            stack.push_async_callback(world.end)
            return world

        yield start


@pytest.fixture(
    params=["simulated", pytest.param("real", marks=[pytest.mark.real, pytest.mark.timeout(REAL_TIME)])],
)
async def ground(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[grounds.Ground]:
    """The cluster that the story is told on, each in turn. One that lacks what the story `needs` is left out."""
    async with _opened(request, tmp_path) as found:
        needed = {feature for mark in request.node.iter_markers("needs") for feature in mark.args}
        if lacking := sorted(feature for feature in needed if not found.has(feature)):
            pytest.skip(f"the {found.name} ground has no {', '.join(lacking)}")
        yield found


def _opened(request: pytest.FixtureRequest, folder: Path) -> contextlib.AbstractAsyncContextManager[grounds.Ground]:
    if request.param == "simulated":
        return simulated.Simulated.open(folder)
    from tests.grounds import real  # only where it is asked for: it may rest on more than the simulation does

    return real.Real.open(request.config.getoption("--kubeconfig"), folder)


@pytest.fixture
async def tell(ground: grounds.Ground, postgres_url: str, tmp_path: Path) -> AsyncIterator[worlds.Tell]:
    """Begins a world on the ground, with one bot that watches the story's namespace. Once in a story."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(**settings: str) -> worlds.World:
            workspace = await stack.enter_async_context(slack.SlackStandIn())
            reached = ground.settings() | settings
            world = worlds.World(workspace, reached, postgres_url, tmp_path, patience=ground.patience)
            stack.push_async_callback(world.end)
            await world.start_bot()
            return world

        yield start
