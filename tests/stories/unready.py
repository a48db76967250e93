"""The Deployment `api` of most stories about actions: its pods run, and are not ready for want of a setting.

A process reads it at its start: once the setting is there, new pods are well, and those that were there stay as they
are. What an action does not replace, an administrator does (`pods_replaced`).
"""

from typing import Any

from k8s import model
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.stories import asking

SETTINGS = "api-settings"
MISSING = {"configMapKeyRef": {"name": SETTINGS, "key": "HOST"}}
WANTED = {"HOST": {"configMapKeyRef": {**MISSING["configMapKeyRef"], "optional": True}}}
PATCHED = "patch deployments api"
DEADLINE = 30.0
"""Seconds of the story's own time that a rollout is given."""


def api(ground: grounds.Ground, *containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """On a busy machine too, a rollout that goes well goes on within its deadline."""
    deadline = int(DEADLINE * ground.speed)
    return manifests.deployment("api", *containers, **{"replicas": 2, "deadline": deadline, **more})


def plain(ground: grounds.Ground, **more: Any) -> dict[str, Any]:
    return ground.container(behaviours.serving(), **more)


def wanting(ground: grounds.Ground, **more: Any) -> dict[str, Any]:
    """Not ready without its setting."""
    probe = manifests.asks(period=1)
    return ground.container(behaviours.ready_with_env("HOST"), env=WANTED, readinessProbe=probe, **more)


async def without_settings(ground: grounds.Ground) -> None:
    await ground.admin.apply(api(ground, wanting(ground, memory_limit="64Mi"), replicas=1))
    await running(ground)


async def running(ground: grounds.Ground) -> None:
    """Before the setting is there, every pod has read that it is not, and the rollout that brought it is given up:
    what is not ready is told from then on."""

    async def all_run() -> bool:
        pods = await ground.admin.pods("api")
        return bool(pods) and all(pod.get("status", {}).get("phase") == "Running" for pod in pods)

    await ground.admin.until(all_run, what="the pods run")
    if (found := await ground.admin.find("Deployment", "api")) is not None:
        await _given_up(ground, int(found["spec"]["progressDeadlineSeconds"]))


async def _given_up(ground: grounds.Ground, deadline: int) -> None:
    """As after its deadline, which passes at once; the rollouts that follow have all of it."""

    async def over() -> bool:
        status = (await ground.admin.get("Deployment", "api"))["status"]
        return any(each["reason"] == "ProgressDeadlineExceeded" for each in status.get("conditions") or ())

    await _deadline(ground, max(1, int(ground.speed)))
    await ground.admin.until(over, what="the rollout is given up")
    await _deadline(ground, deadline)


async def _deadline(ground: grounds.Ground, seconds: int) -> None:
    await ground.admin.patch("Deployment", "api", {"spec": {"progressDeadlineSeconds": seconds}}, how="merge")
    await ground.observed("Deployment", "api")


async def settings_there(ground: grounds.Ground) -> None:
    await ground.admin.create(manifests.config_map(SETTINGS, HOST="db.internal"))


async def pods_replaced(ground: grounds.Ground) -> None:
    """Those that read their settings too early."""
    for pod in await ground.admin.pods("api"):
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions") or ()}
        if conditions.get("Ready") != "True":
            await ground.admin.delete("Pod", pod["metadata"]["name"])


async def workload(ground: grounds.Ground) -> model.ResourceRef:
    return await asking.reference(ground, "Deployment", "api")


async def as_it_is(ground: grounds.Ground) -> Any:
    """All of the Deployment that is somebody's will."""
    found = await ground.admin.get("Deployment", "api")
    return found["spec"], found["metadata"].get("annotations", {}).get("watchkeeper.io/ignore")
