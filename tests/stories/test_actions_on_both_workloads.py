"""Every action on a Deployment's pods, its size and its marks, asked for by a person: done, verified, taken back.

On every ground.
"""

from typing import Any

import pytest

from k8s import model
from tests import grounds
from tests.stories import asking, unready
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

LOST = "The pod and what it holds in memory and in emptyDir volumes are gone."


# --- what is broken


async def scaled_without_settings(ground: grounds.Ground) -> None:
    await unready.without_settings(ground)
    await ground.admin.create(AUTOSCALER)


async def restarted_for_cpu(ground: grounds.Ground) -> None:
    """The container is restarted for other CPU, and so reads its settings anew in the very same pod."""
    policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
    await ground.admin.apply(unready.api(ground, unready.wanting(ground, resizePolicy=policy), replicas=1))
    await unready.running(ground)


AUTOSCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "api"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
        "minReplicas": 1,
        "maxReplicas": 4,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
            }
        ],
    },
}


# --- what it is done to


async def a_pod(ground: grounds.Ground) -> model.ResourceRef:
    return await asking.reference(ground, "Pod", (await ground.admin.pods("api"))[0]["metadata"]["name"])


async def of_the_pod(ground: grounds.Ground) -> Any:
    """Which pod it is, and what its container should have."""
    (pod,) = await ground.admin.pods("api")
    return pod["metadata"]["uid"], pod["spec"]["containers"][0]["resources"]


async def bounds(ground: grounds.Ground) -> Any:
    return (await ground.admin.get("HorizontalPodAutoscaler", "api"))["spec"]


# --- what is asked for


async def scale(ground: grounds.Ground) -> model.Action:
    return model.Scale(await unready.workload(ground), 3)


async def delete_pod(ground: grounds.Ground) -> model.Action:
    return model.DeletePod(await a_pod(ground), await unready.workload(ground))


async def evict_pod(ground: grounds.Ground) -> model.Action:
    return model.EvictPod(await a_pod(ground), await unready.workload(ground))


async def resize_pod(ground: grounds.Ground) -> model.Action:
    return model.ResizePod(await a_pod(ground), await unready.workload(ground), "app", cpu_request="20m")


async def set_autoscaler(ground: grounds.Ground) -> model.Action:
    scaler = await asking.reference(ground, "HorizontalPodAutoscaler", "api")
    return model.SetAutoscaler(scaler, await unready.workload(ground), 2, 6)


async def mute(ground: grounds.Ground) -> model.Action:
    return model.AnnotateMute(await unready.workload(ground), ("NotReady",))


STORIES: dict[str, asking.Story] = {
    "scale": asking.Story(
        scale,
        "scale deployment/api --replicas=3",
        "patch deployments/scale api",
        unready.without_settings,
        state=unready.as_it_is,
        undone="patch deployments/scale api",
        prepared=unready.settings_there,
        mended=unready.pods_replaced,
    ),
    "delete-pod": asking.Story(
        delete_pod,
        "delete pod/{name}",
        "delete pods {name}",
        unready.without_settings,
        final=LOST,
        prepared=unready.settings_there,
    ),
    "evict-pod": asking.Story(
        evict_pod,
        "pods/{name}/eviction",
        "create pods/eviction {name}",
        unready.without_settings,
        final=LOST,
        prepared=unready.settings_there,
    ),
    "resize-pod": asking.Story(
        resize_pod,
        "patch pod/{name} --subresource=resize",
        "patch pods/resize {name}",
        restarted_for_cpu,
        state=of_the_pod,
        undone="patch pods/resize {name}",
        prepared=unready.settings_there,
    ),
    "set-autoscaler": asking.Story(
        set_autoscaler,
        "patch horizontalpodautoscaler/api",
        "patch horizontalpodautoscalers api",
        scaled_without_settings,
        state=bounds,
        undone="patch horizontalpodautoscalers api",
        settings={"KINDS_OFF": "HPABroken"},  # the real cluster has no metrics server
        prepared=unready.settings_there,
        mended=unready.pods_replaced,
    ),
    "annotate-mute": asking.Story(
        mute,
        "annotate deployment/api watchkeeper.io/ignore=NotReady",
        unready.PATCHED,
        unready.without_settings,
        state=unready.as_it_is,
        undone=unready.PATCHED,
        prepared=unready.settings_there,
        mended=unready.pods_replaced,
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_it_is_done_verified_and_taken_back(ground: grounds.Ground, tell: worlds.Tell, name: str) -> None:
    await asking.through(ground, tell, STORIES[name])
