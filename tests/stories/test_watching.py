"""A watch on every ground: it follows what the cluster does, and knows in the end what the cluster knows."""

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from k8s import objects
from k8s.client import connection, watching
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.k8s.client import following

SHORT = watching.Limits(watch_s=(2.0, 4.0), steady_s=1.0, first_pause_s=0.2, spread_s=0.5, refused_pause_s=1.0)
"""Watches that have to go on many times while a story lasts."""


@contextlib.asynccontextmanager
async def watched(ground: grounds.Ground) -> AsyncIterator[tuple[watching.Stream[objects.Pod], following.Picture]]:
    """The pods of the story, as the bot's reading identity sees them."""
    settings = ground.settings()
    access = connection.ClusterAccess("ground", Path(settings["KUBECONFIG"]), settings["CONTEXTS"])
    over = await connection.Connection.open(access)
    try:
        stream = watching.Stream(
            over, "pods", ground.namespace, decode=objects.Pod, monotonic=time.monotonic, limits=SHORT
        )
        async with following.followed(stream) as picture:
            yield stream, picture
        assert stream.odd == 0
    finally:
        await over.close()


def deployment(ground: grounds.Ground, version: str, replicas: int = 3) -> dict[str, Any]:
    container = ground.container(behaviours.serving(), version=version)
    return manifests.deployment("api", container, replicas=replicas)


async def same(ground: grounds.Ground, picture: following.Picture) -> None:
    """Fails where the picture does not become what a list says."""

    async def agree() -> bool:
        pods = await ground.admin.list("Pod")
        listed = {pod["metadata"]["name"]: pod["metadata"]["resourceVersion"] for pod in pods}
        return picture.versions == listed

    await ground.admin.until(agree, what="the watch knows what a list says")


@pytest.mark.needs("behaviours")
async def test_a_watch_follows_a_rollout_to_its_end(ground: grounds.Ground) -> None:
    async with watched(ground) as (_, picture):
        await ground.admin.apply(deployment(ground, "v1"))
        await ground.rolled_out("Deployment", "api")
        await same(ground, picture)
        assert len(picture.names) == 3
        before = set(picture.objects)

        await ground.admin.apply(deployment(ground, "v2"))
        await ground.rolled_out("Deployment", "api")
        await ground.admin.until(lambda: gone(picture, before), what="the old pods are gone")
        await same(ground, picture)
        assert [pod.status.phase for pod in picture.objects.values()] == ["Running"] * 3

        await ground.admin.delete("Deployment", "api", grace=0)
        await ground.admin.until(lambda: gone(picture, before=None), what="all pods are gone")
    assert picture.relists == 1, "every watch went on where the one before it had ended"


async def gone(picture: following.Picture, before: set[str] | None) -> bool:
    """Whether none of these is known any more; None for none at all."""
    return not picture.objects if before is None else not before & set(picture.objects)


@pytest.mark.alone
@pytest.mark.needs("restart", "behaviours")
async def test_a_watch_whose_version_expired_lists_anew_and_misses_nothing(ground: grounds.Ground) -> None:
    """While the bot may not watch, things happen of which the server keeps no record."""

    async def refused() -> bool:
        return stream.state.phase == "waiting" and "cannot watch" in stream.state.why

    async with watched(ground) as (stream, picture):
        await ground.admin.apply(deployment(ground, "v1", replicas=3))
        await ground.rolled_out("Deployment", "api")
        await same(ground, picture)
        before = set(picture.objects)

        await ground.forbid("reader", "watch", "pods")
        await ground.admin.until(refused, what="the watch has ended and there is no other")
        await ground.admin.apply(deployment(ground, "v2", replicas=2))
        await ground.rolled_out("Deployment", "api")
        await ground.expire()
        assert set(picture.objects) == before, "what was known stays"
        assert picture.relists == 1

        await ground.allow("reader", "watch", "pods")
        await same(ground, picture)
        assert picture.relists == 2
        assert not before & set(picture.objects)
        await ground.admin.delete("Deployment", "api", grace=0)
        await ground.admin.until(lambda: gone(picture, before=None), what="all pods are gone")
