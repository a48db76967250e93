"""Worlds that are closed again when their test ends."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from demo.cluster.pieces import Piece
from tests.bot.flow import worlds


@pytest.fixture
async def begin(postgres_url: str, tmp_path: Path) -> AsyncIterator[worlds.Begin]:
    """`await begin([piece, …])`: a world with these pieces, on a database of its own."""
    async with contextlib.AsyncExitStack() as stack:

        async def made(scenario: str | Iterable[Piece] = "empty", *, speed: float = 40.0) -> worlds.World:
            return await stack.enter_async_context(worlds.World.made(postgres_url, tmp_path, scenario, speed=speed))

        yield made


@pytest.fixture
async def record(postgres_url: str) -> AsyncIterator[tuple[worlds.Replica, worlds.Clock]]:
    """A replica on a database of its own, with no cluster to look at."""
    async with worlds.recorded(postgres_url) as made:
        yield made
