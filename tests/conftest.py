"""Fixtures that every folder of tests may ask for. Nothing is started that no test asks for."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.store import engine
from tests import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """The embedded Postgres of this test process (of this worker, with pytest-xdist)."""
    server = postgres.Server()
    yield server
    server.stop()


@pytest.fixture
async def postgres_url(postgres_server: postgres.Server) -> AsyncIterator[str]:
    """A fresh, migrated database of the test's own."""
    async with postgres_server.database() as url:
        yield url


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[engine.Database]:
    """The store on a fresh, migrated database."""
    database = engine.Database(postgres_url)
    yield database
    await database.close()
