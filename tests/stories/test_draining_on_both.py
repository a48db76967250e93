"""A node is drained of a shop whose disruption budget holds it up first, and given back. On every ground.

The node is a ghost with room for pods: the story plays its kubelet, and what is moved away runs on a machine.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from k8s import drains, model
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.grounds.admin import Object, Refused
from tests.stories import asking, telling
from tests.stories import test_actions_on_both_nodes as on_nodes
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.alone, pytest.mark.needs("behaviours")]

ROOM = {"pods": "10", "cpu": "4", "memory": "4Gi"}
PLAYED = 0.2
"""Seconds between two looks of the kubelet that is played."""


@contextlib.asynccontextmanager
async def kubelet(ground: grounds.Ground) -> AsyncIterator[None]:
    """What a kubelet tells of the pods on the ghost: they run and are ready; those that are to go are gone at once."""

    async def play() -> None:
        while True:
            for pod in await on_the_ghost(ground):
                with contextlib.suppress(Refused):  # it went, or was changed, in this very moment
                    await _tend(ground, pod)
            await asyncio.sleep(PLAYED)

    task = asyncio.create_task(play())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tend(ground: grounds.Ground, pod: Object) -> None:
    name = pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        await ground.admin.delete("Pod", name, grace=0)
    elif pod["status"].get("phase") != "Running":
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        container = pod["spec"]["containers"][0]
        status = {
            "phase": "Running",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Ready", "ContainersReady")
            ],
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": now}},
                }
            ],
        }
        await ground.admin.patch("Pod", name, {"status": status}, subresource="status")


async def on_the_ghost(ground: grounds.Ground) -> list[Object]:
    return [pod for pod in await ground.admin.list("Pod") if pod["spec"].get("nodeName") == ground.ghostly]


async def all_ready(ground: grounds.Ground) -> bool:
    return bool((await ground.admin.get("Deployment", "shop"))["status"].get("readyReplicas") == 2)


async def crowded(ground: grounds.Ground) -> None:
    """Both pods of the shop are on the ghost, and its budget lets none of them go."""
    ghost = ground.ghostly
    room = {"status": {"capacity": ROOM, "allocatable": ROOM}}
    await ground.admin.patch("Node", ghost, room, "", how="merge", subresource="status")

    async def takes_pods() -> bool:
        return not (await ground.admin.get("Node", ghost, "")).get("spec", {}).get("taints")

    await ground.admin.until(takes_pods, what="the ghost takes pods")
    await ground.admin.create(manifests.disruption_budget("shop", maxUnavailable=0))
    async with cordoned(ground):
        await ground.admin.create(manifests.deployment("shop", ground.container(behaviours.serving()), replicas=2))
        await ground.admin.until(lambda: all_ready(ground), what="the shop is ready")
    assert len(await on_the_ghost(ground)) == 2
    await ground.report(ghost, KernelDeadlock="True")


@contextlib.asynccontextmanager
async def cordoned(ground: grounds.Ground) -> AsyncIterator[None]:
    """No node but the ghost takes pods inside."""

    async def set_to(*, value: bool | None) -> None:
        for name in ground.node_names:
            await ground.admin.patch("Node", name, {"spec": {"unschedulable": value}}, "", how="merge")

    await set_to(value=True)
    try:
        yield
    finally:
        await set_to(value=None)


async def drain(ground: grounds.Ground) -> model.Drain:
    return drains.made(await ground.admin.get("Node", ground.ghostly, ""), await ground.admin.list("Pod", ""))


async def test_it_waits_for_the_budget_moves_each_pod_once_and_is_taken_back(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    for role in ("watchkeeper-writer", *on_nodes.NODES):  # what is on a node may be of any namespace
        await ground.bind(role)
    async with on_nodes.reporting(ground), kubelet(ground):
        await crowded(ground)
        world = await tell(GRACES=asking.GRACES)
        parent = await telling.told(world, ground.ghostly)
        incident = await asking.incident_of(world, parent)
        action = await drain(ground)
        assert len(action.pods) == 2
        await asking.asks_for(world, incident, action)
        await telling.shows(world, parent, f"kubectl drain {ground.ghostly}", "No disruption is allowed now")
        await ground.untouched()

        await asking.agreed(world, parent, incident, 2)
        held = f"waiting for PodDisruptionBudget {ground.namespace}/shop"
        await telling.shows(world, parent, f"Draining {ground.ghostly}", held)
        assert len(await on_the_ghost(ground)) == 2
        rule = {"spec": {"maxUnavailable": 2}}
        await ground.admin.patch("PodDisruptionBudget", "shop", rule, how="merge")
        await ground.admin.until(lambda: _moved(ground), what="the shop is ready elsewhere")
        await on_nodes.recovers(ground)
        await asking.verified(world, parent, incident)

        cordoned = f"patch nodes {ground.ghostly}"
        evicted = [f"create pods/eviction {pod.name}" for pod in action.pods]
        await ground.wrote(cordoned, *evicted)
        await telling.undo(world, parent)
        await telling.undone(world, parent)
        assert await on_nodes.as_it_is(ground) == (False, [])
        assert await on_the_ghost(ground) == [], "pods do not move back by themselves"
        await ground.wrote(cordoned, *evicted, cordoned)


async def _moved(ground: grounds.Ground) -> bool:
    return await on_the_ghost(ground) == [] and await all_ready(ground)
