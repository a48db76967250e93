"""Fixtures and options that every folder of tests may ask for. Nothing is started that no test asks for."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from bot.store import engine
from tests import postgres

# How fast an example is says how busy the machine is: nothing fails by the clock.
_SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("watchkeeper", deadline=None, suppress_health_check=_SLOW)
hypothesis.settings.load_profile("watchkeeper")


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "a kubeconfig of an administrator of the cluster for the tests marked real; without it they are left out"
    parser.addoption("--kubeconfig", type=Path, metavar="PATH", help=what)
    more = "so many examples, and longer ones, of the machine of approvals (tests/machine); without it a few"
    parser.addoption("--machine", type=int, default=0, metavar="N", help=more)


def pytest_configure(config: pytest.Config) -> None:
    kubeconfig: Path | None = config.getoption("--kubeconfig")
    if kubeconfig is not None and not kubeconfig.is_file():
        raise pytest.UsageError(f"--kubeconfig: there is no file {kubeconfig}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a cluster the tests marked real are deselected, not skipped: nobody meant them to run."""
    if config.getoption("--kubeconfig") is None:
        left_out = [item for item in items if item.get_closest_marker("real")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("real")]


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
