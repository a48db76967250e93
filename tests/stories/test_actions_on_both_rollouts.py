"""Every action on what a Deployment rolls out, asked for by a person: done, verified, taken back. On every ground."""

from typing import Any

import pytest

from k8s import model
from tests import grounds
from tests.stories import asking, unready
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]


# --- what is broken


async def paused_without_settings(ground: grounds.Ground) -> None:
    """A template that would do is there, and nothing rolls it out."""
    await unready.without_settings(ground)
    mended = unready.api(ground, unready.plain(ground), replicas=1)
    await ground.admin.patch("Deployment", "api", {"spec": {**mended["spec"], "paused": True}}, how="merge")
    await ground.observed("Deployment", "api")


def released(first: dict[str, Any], second: dict[str, Any]) -> asking.Change:
    """Revision 1 serves; revision 2 has other fields in its container, and cannot start."""

    async def broken(ground: grounds.Ground) -> None:
        await ground.established(unready.api(ground, unready.plain(ground, **first)))
        await ground.admin.apply(unready.api(ground, unready.plain(ground, **second)))
        await ground.observed("Deployment", "api")

    return broken


async def released_without_settings(ground: grounds.Ground) -> None:
    """Revision 1 serves; revision 2 is not ready."""
    await ground.established(unready.api(ground, unready.plain(ground)))
    await ground.admin.apply(unready.api(ground, unready.wanting(ground)))
    await ground.observed("Deployment", "api")
    await unready.running(ground)


async def released_a_missing_image(ground: grounds.Ground) -> None:
    await ground.established(unready.api(ground, unready.plain(ground)))
    await ground.admin.apply(unready.api(ground, unready.plain(ground) | {"image": ground.missing_image()}))
    await ground.observed("Deployment", "api")


# --- what is asked for


async def restart(ground: grounds.Ground) -> model.Action:
    return model.RolloutRestart(await unready.workload(ground))


async def rollout_undo(ground: grounds.Ground) -> model.Action:
    return model.RolloutUndo(await unready.workload(ground), 1)


async def pause(ground: grounds.Ground) -> model.Action:
    return model.RolloutPause(await unready.workload(ground))


async def resume(ground: grounds.Ground) -> model.Action:
    return model.RolloutResume(await unready.workload(ground))


async def set_image(ground: grounds.Ground) -> model.Action:
    return model.SetImage(await unready.workload(ground), "app", unready.plain(ground)["image"])


async def set_resources(ground: grounds.Ground) -> model.Action:
    return model.SetResources(await unready.workload(ground), "app", memory_limit="128Mi")


async def set_env(ground: grounds.Ground) -> model.Action:
    return model.SetEnv(await unready.workload(ground), "app", "HOST", 1)


async def unset_env(ground: grounds.Ground) -> model.Action:
    return model.UnsetEnv(await unready.workload(ground), "app", "HOST", 1)


STORIES: dict[str, asking.Story] = {
    "rollout-restart": asking.Story(
        restart,
        "rollout restart deployment/api",
        unready.PATCHED,
        unready.without_settings,
        state=unready.as_it_is,
        final="nothing else changes that could be put back",
        prepared=unready.settings_there,
    ),
    "rollout-undo": asking.Story(
        rollout_undo,
        "rollout undo deployment/api --to-revision=1",
        unready.PATCHED,
        released_without_settings,
        state=unready.as_it_is,
        undone=unready.PATCHED,
    ),
    "rollout-pause": asking.Story(
        pause,
        "rollout pause deployment/api",
        unready.PATCHED,
        released_without_settings,
        state=unready.as_it_is,
        undone=unready.PATCHED,
        prepared=unready.settings_there,
        mended=unready.pods_replaced,
    ),
    "rollout-resume": asking.Story(
        resume,
        "rollout resume deployment/api",
        unready.PATCHED,
        paused_without_settings,
        state=unready.as_it_is,
        refused="there is nothing to pause",
    ),
    "set-image": asking.Story(
        set_image,
        "set image deployment/api app=",
        unready.PATCHED,
        released_a_missing_image,
        state=unready.as_it_is,
        undone=unready.PATCHED,
    ),
    "set-resources": asking.Story(
        set_resources,
        "set resources deployment/api --containers=app --limits=memory=128Mi",
        unready.PATCHED,
        unready.without_settings,
        state=unready.as_it_is,
        undone=unready.PATCHED,
        prepared=unready.settings_there,
    ),
    "set-env": asking.Story(
        set_env,
        "set env deployment/api --containers=app --env=-",
        unready.PATCHED,
        released({"env": {"HOST": "db.internal"}}, {"env": {"HOST": unready.MISSING}}),
        state=unready.as_it_is,
        undone=unready.PATCHED,
    ),
    "unset-env": asking.Story(
        unset_env,
        "set env deployment/api --containers=app HOST-",
        unready.PATCHED,
        released({}, {"env": {"HOST": unready.MISSING}}),
        state=unready.as_it_is,
        undone=unready.PATCHED,
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_it_is_done_verified_and_taken_back(ground: grounds.Ground, tell: worlds.Tell, name: str) -> None:
    await asking.through(ground, tell, STORIES[name])
