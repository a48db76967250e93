"""Every action on a node, asked for by a person: done, verified, taken back. On every ground.

The node is a ghost: no machine stands behind it, and it has no room for a pod. It is everybody's, so that these stories
are told alone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from k8s import model
from tests import grounds
from tests.stories import asking
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.alone]

TAINT = {"key": "team", "value": "batch", "effect": "NoSchedule"}
NODES = ("watchkeeper-writer-nodes",)
GHOST = "ghost-{namespace}"
PATCHED = "patch nodes {name}"
REPORTS = 5.0
"""Seconds between two reports: a node that is silent for fifty has another trouble."""


@contextlib.asynccontextmanager
async def reporting(ground: grounds.Ground) -> AsyncIterator[None]:
    """A ghost that says again and again that it is ready."""
    async with ground.ghost() as name:

        async def report() -> None:
            while True:
                await asyncio.sleep(REPORTS)
                await ground.report(name)

        task = asyncio.create_task(report())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


# --- what is broken


async def hangs(ground: grounds.Ground) -> None:
    await ground.report(ground.ghostly, KernelDeadlock="True")


async def hangs_cordoned(ground: grounds.Ground) -> None:
    await ground.admin.patch("Node", ground.ghostly, {"spec": {"unschedulable": True}}, "")
    await hangs(ground)


async def hangs_tainted(ground: grounds.Ground) -> None:
    await ground.admin.patch("Node", ground.ghostly, {"spec": {"taints": [TAINT]}}, "", how="merge")
    await hangs(ground)


async def recovers(ground: grounds.Ground) -> None:
    await ground.report(ground.ghostly, KernelDeadlock="False")


# --- what is asked for


async def node(ground: grounds.Ground) -> model.ResourceRef:
    return await asking.reference(ground, "Node", ground.ghostly)


async def as_it_is(ground: grounds.Ground) -> Any:
    """What people set: the taints that tell of its state are its controller's."""
    spec = (await ground.admin.get("Node", ground.ghostly, "")).get("spec") or {}
    own = [each for each in spec.get("taints") or () if not each["key"].startswith("node.kubernetes.io/")]
    return spec.get("unschedulable", False), own


async def cordon(ground: grounds.Ground) -> model.Action:
    return model.Cordon(await node(ground))


async def uncordon(ground: grounds.Ground) -> model.Action:
    return model.Uncordon(await node(ground))


async def remove_taint(ground: grounds.Ground) -> model.Action:
    return model.RemoveTaint(await node(ground), "team", "NoSchedule")


STORIES: dict[str, asking.Story] = {
    "cordon": asking.Story(
        cordon,
        "kubectl cordon {name}",
        PATCHED,
        hangs,
        subject=GHOST,
        roles=NODES,
        mended=recovers,
        state=as_it_is,
        undone=PATCHED,
    ),
    "uncordon": asking.Story(
        uncordon,
        "kubectl uncordon {name}",
        PATCHED,
        hangs_cordoned,
        subject=GHOST,
        roles=NODES,
        mended=recovers,
        state=as_it_is,
        undone=PATCHED,
    ),
    "remove-taint": asking.Story(
        remove_taint,
        "kubectl taint nodes {name} team:NoSchedule-",
        PATCHED,
        hangs_tainted,
        subject=GHOST,
        roles=NODES,
        mended=recovers,
        state=as_it_is,
        final="It is put back by hand",
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_it_is_done_verified_and_taken_back(ground: grounds.Ground, tell: worlds.Tell, name: str) -> None:
    async with reporting(ground):
        await asking.through(ground, tell, STORIES[name])
