"""What holds up a pod that was to be gone, taken away by a person's choice: done and verified. On every ground.

Both actions wait for five minutes and take two people with a reason each. On a real cluster the minutes are waited for.
"""

from datetime import timedelta
from typing import Any

import pytest

from k8s import model
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.stories import asking
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

OVERDUE = timedelta(minutes=5, seconds=10)
SILENT = timedelta(minutes=10)
HOLDER = "example.com/backup"
FINALIZERS = ("watchkeeper-writer-finalizers",)
NODES = ("watchkeeper-writer-nodes",)


def api(ground: grounds.Ground, **pod: Any) -> dict[str, Any]:
    return manifests.deployment("api", ground.container(behaviours.serving()), deadline=600, **pod)


async def leaving(ground: grounds.Ground) -> list[dict[str, Any]]:
    pods = await ground.admin.list("Pod", labels="app=api")
    return [pod for pod in pods if pod["metadata"].get("deletionTimestamp")]


async def until_leaving(ground: grounds.Ground) -> None:
    async def is_leaving() -> bool:
        return bool(await leaving(ground))

    await ground.admin.until(is_leaving, what="a pod is on its way out")


async def held(ground: grounds.Ground) -> None:
    """A pod was deleted five minutes ago, and somebody's finalizer holds it; the new one serves."""
    await ground.admin.apply(api(ground))
    await ground.rolled_out("Deployment", "api")
    name = (await ground.admin.pods("api"))[0]["metadata"]["name"]
    await ground.admin.patch("Pod", name, {"metadata": {"finalizers": [HOLDER]}}, how="merge")
    async with ground.earlier(OVERDUE.total_seconds()):
        await ground.admin.delete("Pod", name, grace=1)
        await until_leaving(ground)
    await ground.rolled_out("Deployment", "api")


async def stranded(ground: grounds.Ground) -> None:
    """A rollout moved the pod away from a node that is silent, and nobody can say that the old one has ended."""
    await ground.admin.apply(api(ground, nodeName=ground.ghostly))
    await ground.observed("Deployment", "api")
    await ground.report(ground.ghostly, since=SILENT, Ready="Unknown")
    async with ground.earlier(OVERDUE.total_seconds()):
        elsewhere = {"spec": {"template": {"spec": {"nodeName": None}}}}
        await ground.admin.patch("Deployment", "api", elsewhere, how="merge")
        await until_leaving(ground)
    await ground.rolled_out("Deployment", "api")


async def the_pod(ground: grounds.Ground) -> model.ResourceRef:
    (pod,) = await leaving(ground)
    return await asking.reference(ground, "Pod", pod["metadata"]["name"])


async def remove_finalizer(ground: grounds.Ground) -> model.Action:
    owner = await asking.reference(ground, "Deployment", "api")
    return model.RemoveFinalizer(await the_pod(ground), owner, HOLDER)


async def force_delete(ground: grounds.Ground) -> model.Action:
    owner = await asking.reference(ground, "Deployment", "api")
    return model.ForceDeletePod(await the_pod(ground), owner, ground.ghostly)


async def names(ground: grounds.Ground) -> Any:
    return [pod["metadata"]["name"] for pod in await leaving(ground)]


STORIES: dict[str, asking.Story] = {
    "remove-finalizer": asking.Story(
        remove_finalizer,
        "edit pod/{name}",
        "patch pods {name}",
        held,
        roles=FINALIZERS,
        state=names,
        final="Without its finalizers the object is gone at once.",
        people=2,
    ),
    "force-delete-pod": asking.Story(
        force_delete,
        "delete pod/{name} --grace-period=0 --force",
        "delete pods {name}",
        stranded,
        roles=NODES,
        state=names,
        final="A record that is dropped does not come back.",
        people=2,
        settings={"GRACES": f"{asking.GRACES},NodeNotReady=2h"},
    ),
}


async def test_a_finalizer_that_nobody_takes_away(ground: grounds.Ground, tell: worlds.Tell) -> None:
    await asking.through(ground, tell, STORIES["remove-finalizer"])
    assert await names(ground) == []


@pytest.mark.alone
async def test_a_pod_whose_node_is_silent(ground: grounds.Ground, tell: worlds.Tell) -> None:
    async with ground.ghost():
        await asking.through(ground, tell, STORIES["force-delete-pod"])
    assert await names(ground) == []
