"""Following a cluster: when its picture is to be trusted, and what it does without."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from demo.cluster import SimulatedCluster, scenarios
from k8s import following, live
from k8s.client import connection
from tests.k8s.client.following import CALLS, QUICK, until


class Watchmaker:
    """A monotonic clock that a test may set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
async def cluster() -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster([scenarios.base()], speed=40.0) as running:
        yield running


@pytest.fixture
async def source(cluster: SimulatedCluster, tmp_path: Path) -> AsyncIterator[connection.Connection]:
    access = connection.ClusterAccess("demo", cluster.write_kubeconfig(tmp_path / "kubeconfig"))
    over = await connection.Connection.open(access, CALLS)
    yield over
    await over.close()


def of(
    source: connection.Connection, *places: str, monotonic: Callable[[], float] = time.monotonic
) -> following.Follower:
    return following.Follower(source, "demo", places or (None,), monotonic=monotonic, limits=QUICK)


async def sighted(follower: following.Follower) -> None:
    await until(lambda: not follower.blind)


async def test_the_picture_is_the_clusters(cluster: SimulatedCluster, source: connection.Connection) -> None:
    await cluster.add(scenarios.job_failed(ago=0))
    async with of(source) as follower:
        assert follower.blind
        await sighted(follower)
        assert follower.picture.touched == 0
        for name in live.KINDS:
            if name != "events":
                known = {found.metadata.uid for found in follower.picture.all(name).values()}
                assert known == {found["metadata"]["uid"] for found in cluster.list(name)}


async def test_news_come_when_something_is_touched(cluster: SimulatedCluster, source: connection.Connection) -> None:
    async with of(source) as follower:
        await sighted(follower)
        began = time.monotonic()
        await follower.news(0.2)
        assert 0.1 < time.monotonic() - began < 5
        cluster.nodes.fail("worker-2")
        await follower.news()
        assert follower.picture.take(10) == [("node", "worker-2")]


async def test_it_is_blind_while_one_of_its_watches_does_not_stand(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    async with of(source) as follower:
        await sighted(follower)
        cluster.forbid("reader", "watch", "replicasets")
        cluster.watches.close()
        await until(lambda: follower.refused)
        assert follower.blind.startswith("replicasets: waiting: ")
        cluster.allow("reader", "watch", "replicasets")
        await sighted(follower)
        assert follower.refused == ""


@pytest.mark.parametrize("name", sorted(following.SIDE))
async def test_it_does_without_lists_that_namespaced_roles_cannot_read(
    cluster: SimulatedCluster, source: connection.Connection, name: str
) -> None:
    cluster.forbid("reader", "list", name)
    async with of(source) as follower:
        await sighted(follower)
        for _ in range(50):  # also while it asks again
            assert "forbidden" in follower.unread[name]
            await asyncio.sleep(0.002)
        assert set(follower.unread) == {name}


async def test_without_a_list_that_problems_hang_on_it_stays_blind(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    cluster.forbid("reader", "list", "deployments")
    async with of(source) as follower:
        await until(lambda: follower.refused)
        await follower.news(0.3)
        assert follower.blind.startswith("deployments: waiting: could not list")
        assert follower.unread == {}


async def test_a_watch_of_which_nothing_is_heard_is_not_trusted(source: connection.Connection) -> None:
    clock = Watchmaker()
    async with of(source, monotonic=clock) as follower:
        await sighted(follower)
        clock.ahead = following.HEARD_S + 1
        assert follower.blind.endswith("nothing was heard for a while")


async def test_namespaces_are_followed_one_by_one(cluster: SimulatedCluster, source: connection.Connection) -> None:
    for name in ("one", "two", "three"):
        await cluster.add(scenarios.job_failed(f"job-{name}", name, ago=0))
    async with of(source, "one", "two") as follower:
        await sighted(follower)
        assert sorted(job.metadata.namespace for job in follower.picture.all("jobs").values()) == ["one", "two"]
        assert {pod.metadata.namespace for pod in follower.picture.all("pods").values()} == {"one", "two"}
