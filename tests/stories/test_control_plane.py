"""What a control plane tells by itself: on every ground, also where nodes are played and no container ever runs.

The scheduler, the controllers, admission and access rules are real there, and these stories ask no more: their pods
are broken by what they ask for, not by what they do.
"""

from typing import Any

import pytest

from demo import slack
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = pytest.mark.story

PATCHED = "patch deployments api"
SOON = "Unschedulable=1s,ReplicasMissing=1s"
TOO_MUCH = "4000"
"""More cpus than any node here has."""


def api(ground: grounds.Ground, cpu: str = "10m", version: str = "v1", replicas: int = 2) -> dict[str, Any]:
    app = ground.container(behaviours.serving(), version=version, cpu=cpu)
    return manifests.deployment("api", app, replicas=replicas)


async def broken(ground: grounds.Ground) -> None:
    """Two replicas serve, and a rollout asks for more than there is."""
    await ground.established(api(ground))
    await ground.admin.apply(api(ground, TOO_MUCH, "v2"))


async def cpu_of(ground: grounds.Ground) -> str:
    template = (await ground.admin.get("Deployment", "api"))["spec"]["template"]
    return str(template["spec"]["containers"][0]["resources"]["requests"]["cpu"])


async def test_a_rollout_that_fits_on_no_node_is_taken_back_verified_and_may_be_put_back(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await broken(ground)
    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "not enough CPU is free", "cpu", "rollout undo deployment/api --to-revision=1")
    await ground.untouched()

    seen = await telling.approve(world, parent)
    assert seen.ack.ok
    await telling.verified(world, parent)
    assert await cpu_of(ground) == "10m"
    await ground.rolled_out("Deployment", "api")
    assert f"<@{slack.ANA}>" in world.thread(parent)
    await ground.wrote(PATCHED)

    await telling.undo(world, parent)
    await telling.undone(world, parent)
    assert await cpu_of(ground) in (TOO_MUCH, "4k")
    await ground.wrote(PATCHED, PATCHED)


async def test_a_change_by_hand_before_the_press_makes_it_stale_and_nothing_is_written(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await broken(ground)
    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await ground.approver.patch("Deployment", "api", {"spec": {"template": {"metadata": {"labels": {"by": "hand"}}}}})
    await telling.approve(world, parent)
    await world.eventually(lambda: "*Stale*" in world.thread(parent), what="the thread says that it is stale")
    assert "The pod template has changed" in world.thread(parent)
    await ground.untouched()
    assert await cpu_of(ground) in (TOO_MUCH, "4k")


async def test_a_right_or_a_policy_that_comes_before_the_press_ends_it_with_nothing_written(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await broken(ground)
    world = await tell(GRACES=SOON)
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await ground.forbid("writer", "patch", "deployments")
    await telling.approve(world, parent)
    await world.eventually_row("SELECT count(*) = 1 FROM proposal WHERE state IN ('refused', 'failed')")
    await telling.shows(world, parent, "patch deployments")

    await ground.allow("writer", "patch", "deployments")
    await ground.refuse("deployments", "images are frozen until Monday")
    await telling.offered(world, parent, "wk:propose")
    await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:propose")
    await telling.shows(world, parent, "images are frozen until Monday")
    assert "wk:approve" not in worlds.buttons(world.shown(parent))
    assert await ground.writes() == []
    assert await cpu_of(ground) in (TOO_MUCH, "4k")


async def test_a_quota_that_leaves_no_room_is_told_in_its_words_and_heals_when_it_is_raised(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await ground.admin.apply(manifests.quota("few", pods="1"))
    await ground.admin.apply(api(ground, replicas=3))
    world = await tell(GRACES=SOON)
    parent = await telling.told(world, f"ResourceQuota {ground.namespace}/few")
    await telling.shows(world, parent, "refuses new pods (pods 1 of 1)", "Deployment api")
    assert len(world.parents()) == 1, "what the quota refuses is the quota's"
    assert "wk:approve" not in worlds.buttons(world.shown(parent))

    await ground.admin.delete("ResourceQuota", "few")
    await ground.admin.patch("Deployment", "api", {"spec": {"replicas": 2}})
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    await ground.untouched()


async def test_healthy_workloads_and_one_that_is_scaled_to_nothing_are_silent(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    serving = ground.container(behaviours.serving())
    await ground.admin.apply(api(ground))
    await ground.admin.apply(manifests.service("store"))
    await ground.admin.apply(manifests.stateful_set("store", serving, replicas=2))
    await ground.admin.apply(manifests.daemon_set("agent", serving))
    await ground.admin.apply(manifests.deployment("idle", serving, replicas=0))
    for kind, name in (("Deployment", "api"), ("StatefulSet", "store"), ("DaemonSet", "agent")):
        await ground.rolled_out(kind, name)
    world = await tell(GRACES=f"{SOON},NotReady=1s,RolloutStuck=1s")
    await telling.sweep(world)
    await ground.admin.apply(api(ground, version="v2"))
    await telling.sweep(world)
    await ground.rolled_out("Deployment", "api")
    assert "nothing is broken" in await telling.sweep(world)
    assert world.parents() == []
    await ground.untouched()
