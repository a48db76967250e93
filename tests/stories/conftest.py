"""Fixtures of the stories."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from demo import slack
from demo.cluster import SimulatedCluster
from demo.cluster.pieces import Piece
from tests.stories import world as worlds


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
