"""A watch on the simulated cluster, over HTTP: it follows what happens, through all that the cluster may answer."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.cluster import Fault, SimulatedCluster, workloads
from k8s import objects
from k8s.client import changes, connection, watching
from tests.k8s.client import servers
from tests.k8s.client.following import CALLS, followed, of, until

PODS = "/api/v1/namespaces/payments/pods"


def bare(name: str, **more: Any) -> dict[str, Any]:
    """A pod that no controller and no node touches."""
    spec = workloads.pod_template(name, [workloads.container("app", "demo/app:v1")])["spec"]
    metadata = {"name": name, "namespace": "payments"} | more
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec | {"schedulingGates": [{"name": "later"}]},
    }


def versions(cluster: SimulatedCluster) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["metadata"]["resourceVersion"] for pod in cluster.list("pods", "payments")}


@pytest.fixture
async def cluster() -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster("empty", speed=50.0) as running:
        for name in ("a", "b", "c"):
            running.apply(bare(name))
        yield running


@pytest.fixture
async def source(cluster: SimulatedCluster, tmp_path: Path) -> AsyncIterator[connection.Connection]:
    access = connection.ClusterAccess("demo", cluster.write_kubeconfig(tmp_path / "kubeconfig"))
    over = await connection.Connection.open(access, CALLS)
    yield over
    await over.close()


async def test_all_is_listed_page_by_page_and_then_every_change_comes(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    stream = of(source)
    assert (str(stream.state), stream.last_heard, stream.last_listed) == ("listing", None, None)
    async with followed(stream) as picture:
        await until(lambda: stream.state.phase == "watching")
        assert picture.names == ["a", "b", "c"]
        assert len([entry for entry in cluster.journal.entries if "limit" in entry.query]) == 2
        cluster.apply(bare("d"))
        cluster.patch("pods", "a", "payments", {"metadata": {"labels": {"seen": "true"}}})
        cluster.delete("pods", "b", "payments", grace=0)
        await until(lambda: picture.versions == versions(cluster))
        assert picture.names == ["a", "c", "d"]
        removed = [each.object.metadata.name for each in picture.told if isinstance(each, changes.Removed)]
        assert removed == ["b"]
    assert (picture.relists, stream.odd) == (1, 0)


async def test_a_rollout_is_followed_to_its_end(cluster: SimulatedCluster, source: connection.Connection) -> None:
    async with followed(of(source)) as picture:
        cluster.images.publish("demo/app", "v1")
        cluster.apply(workloads.deployment("api", "payments", replicas=3))
        await until(lambda: picture.versions == versions(cluster) and len(picture.names) == 6)
        cluster.patch("deployments", "api", "payments", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})

        def new() -> list[str]:
            pods = picture.objects.values()
            return [pod.metadata.name for pod in pods if (pod.metadata.labels or {}).get("v") == "2"]

        await until(lambda: len(new()) == 3 and len(picture.names) == 6)
        await until(lambda: picture.versions == versions(cluster))
        cluster.delete("deployments", "api", "payments")
        await until(lambda: picture.names == ["a", "b", "c"])


async def test_what_the_field_selector_selects_no_more_is_gone(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    async with followed(of(source, field_selector="status.phase=Pending")) as picture:
        await until(lambda: picture.names == ["a", "b", "c"])
        cluster.patch_status("pods", "b", "payments", {"phase": "Running"})
        await until(lambda: picture.names == ["a", "c"])
        cluster.patch_status("pods", "b", "payments", {"phase": "Pending"})
        await until(lambda: picture.names == ["a", "b", "c"])


async def test_other_namespaces_are_left_out_or_all_are_there(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    cluster.apply(bare("elsewhere", namespace="search"))
    limits = watching.Limits()
    whole = watching.Stream(source, "Pod", decode=objects.Pod, monotonic=time.monotonic, limits=limits)
    async with followed(of(source, limits=limits)) as here, followed(whole) as everywhere:
        await until(lambda: "elsewhere" in everywhere.names and here.names)
        cluster.apply(bare("later", namespace="search"))
        await until(lambda: "later" in everywhere.names)
        assert here.names == ["a", "b", "c"]


async def test_a_watch_that_the_server_ends_goes_on_where_it_was(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    async with followed(of(source)) as picture:
        await until(lambda: picture.names)
        for name in ("d", "e", "f"):
            cluster.watches.close()
            cluster.apply(bare(name))
            await until(lambda: picture.versions == versions(cluster))
    assert picture.relists == 1


async def test_a_version_that_expired_leads_to_a_list_that_misses_nothing(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    async with followed(of(source)) as picture:
        await until(lambda: picture.names)
        cluster.watches.close()  # no watch sees what comes, and nobody will be able to tell later
        cluster.delete("pods", "a", "payments", grace=0)
        cluster.apply(bare("d"))
        cluster.patch("pods", "b", "payments", {"metadata": {"labels": {"seen": "true"}}})
        cluster.compact()
        await until(lambda: picture.relists == 2)
        assert picture.versions == versions(cluster)
        cluster.apply(bare("e"))
        await until(lambda: picture.versions == versions(cluster))
    assert picture.relists == 2


@pytest.mark.parametrize("status", [429, 500, 503, 504])
async def test_a_server_that_fails_for_a_while_is_tried_again(
    cluster: SimulatedCluster, source: connection.Connection, status: int
) -> None:
    cluster.faults.add(Fault(path=PODS, status=status, times=2, message="not now"))
    stream = of(source)
    async with followed(stream) as picture:
        await until(lambda: stream.state.phase == "waiting")
        assert str(stream.state) == "waiting: could not list pods in payments: not now"
        assert picture.told == []
        await until(lambda: picture.names == ["a", "b", "c"])
        cluster.faults.add(Fault(path=PODS, status=status, times=2, message="not now"))
        cluster.watches.close()
        await until(lambda: str(stream.state) == "waiting: could not watch pods in payments: not now")
        cluster.apply(bare("d"))
        await until(lambda: picture.versions == versions(cluster))
        assert str(stream.state) == "watching"
    assert picture.relists == 1


async def test_a_server_that_is_away_is_awaited(cluster: SimulatedCluster, source: connection.Connection) -> None:
    stream = of(source)
    async with followed(stream) as picture:
        await until(lambda: picture.names)
        cluster.faults.unreachable = True
        cluster.watches.close()
        await until(lambda: stream.state.phase == "waiting")
        cluster.delete("pods", "a", "payments", grace=0)
        await asyncio.sleep(0.2)
        assert picture.names == ["a", "b", "c"], "what was known stays"
        cluster.faults.unreachable = False
        await until(lambda: picture.names == ["b", "c"])
    assert picture.relists == 1


@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_rights_that_come_later_are_used(
    cluster: SimulatedCluster, source: connection.Connection, verb: str
) -> None:
    cluster.forbid("reader", verb, "pods", "payments")
    stream = of(source)
    async with followed(stream) as picture:
        await until(lambda: stream.state.phase == "waiting")
        assert stream.state.why.startswith(f"could not {verb} pods in payments: ")
        assert 'User "reader" cannot' in stream.state.why
        assert picture.names == ([] if verb == "list" else ["a", "b", "c"])
        cluster.allow("reader", verb, "pods", "payments")
        cluster.apply(bare("d"))
        await until(lambda: picture.versions == versions(cluster))


async def test_credentials_that_are_refused_are_said(cluster: SimulatedCluster, tmp_path: Path) -> None:
    over = await connection.Connection.open(
        connection.ClusterAccess("demo", servers.kubeconfig(tmp_path, cluster.url)), CALLS
    )
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: stream.state.phase == "waiting")
        assert stream.state.why.startswith("could not list pods in payments: Unauthorized")
        assert picture.told == []
    await over.close()


async def test_odd_objects_of_a_list_do_no_harm(cluster: SimulatedCluster, source: connection.Connection) -> None:
    cluster.faults.add(Fault(path=PODS, odd=("null-containers", "null-labels", "missing-status")))
    stream = of(source, limits=watching.Limits(steady_s=0.0))
    async with followed(stream) as picture:
        await until(lambda: picture.names == ["a", "b", "c"])
    assert stream.odd == 0


async def test_what_the_consumer_does_not_want_of_an_object_is_never_kept(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    def keep(found: objects.Pod) -> objects.Pod:
        return objects.Pod(metadata=objects.Meta(name=found.metadata.name, uid=found.metadata.uid))

    async with followed(of(source, keep=keep)) as picture:
        await until(lambda: picture.names == ["a", "b", "c"])
        cluster.patch("pods", "a", "payments", {"metadata": {"labels": {"tier": "web"}}})
        cluster.apply(bare("d"))
        cluster.delete("pods", "b", "payments", grace=0)
        await until(lambda: picture.names == ["a", "c", "d"])
        assert all(each.spec.scheduling_gates is None for each in picture.objects.values())


async def test_a_stream_that_has_no_right_says_so_until_it_has_it(
    cluster: SimulatedCluster, source: connection.Connection
) -> None:
    cluster.forbid("reader", "watch", "pods")
    stream = of(source)
    async with followed(stream):
        await until(lambda: stream.refusal)
        assert stream.state.phase == "waiting"
        assert stream.last_listed is not None
        cluster.allow("reader", "watch", "pods")
        await until(lambda: stream.state.phase == "watching")
        assert stream.refusal == ""
