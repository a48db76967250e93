"""A cluster that is closed again, and clients that talk to it as the bot does: through a kubeconfig."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import config

from demo.cluster import Piece, SimulatedCluster

Start = Callable[..., Awaitable[SimulatedCluster]]
Connect = Callable[..., Awaitable[Any]]
Raw = Callable[..., Awaitable["Answer"]]


class Answer:
    """A response that was read to its end."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, decoded: Any) -> None:
        self.status, self.headers, self.body, self.json = status, headers, body, decoded


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as found:
        yield found


@pytest.fixture
def start(stack: AsyncExitStack) -> Start:
    """`await start([piece, …], speed=20)`: a running cluster. It must end without a failure of a controller."""

    async def begin(scenario: str | Iterable[Piece] = "empty", *, speed: float = 20.0) -> SimulatedCluster:
        cluster = SimulatedCluster(scenario, speed=speed)
        await stack.enter_async_context(cluster)
        stack.callback(lambda: _no_failures(cluster))
        return cluster

    return begin


def _no_failures(cluster: SimulatedCluster) -> None:
    assert cluster.manager.failures == []


@pytest.fixture
def connect(stack: AsyncExitStack, tmp_path: Path) -> Connect:
    """`await connect(cluster, 'writer')`: an ApiClient of the official client."""

    async def open_client(cluster: SimulatedCluster, user: str = "admin") -> Any:
        path = cluster.write_kubeconfig(tmp_path / "kubeconfig")
        loader: Any = config.new_client_from_config
        found = await loader(config_file=str(path), context=f"demo-{user}")
        return await stack.enter_async_context(found)

    return open_client


@pytest.fixture
def raw(stack: AsyncExitStack) -> Raw:
    """`await raw(cluster, 'GET', '/api/v1/pods', user='reader')` by aiohttp, without the official client."""

    async def send(
        cluster: SimulatedCluster,
        method: str,
        path: str,
        *,
        user: str = "admin",
        body: Any = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        sent = {"Authorization": f"Bearer {token or cluster.token(user)}", "Content-Type": content_type}
        if token == "":
            del sent["Authorization"]
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, cluster.url + path, json=body, headers=sent | (headers or {})) as response,
        ):
            data = await response.read()
            decoded = await response.json() if response.content_type == "application/json" else None
            return Answer(response.status, dict(response.headers), data, decoded)

    return send
