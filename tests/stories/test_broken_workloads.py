"""Workloads that break in the ways that workloads break, on every ground; and those that are well and stay silent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from demo import slack
from k8s import changes_before
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.grounds.admin import Object
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

PATCHED = "patch deployments api"
UNDO = "rollout undo deployment/api --to-revision=1"
SETTINGS = "api-settings"
OPTIONAL = {"configMapKeyRef": {"name": SETTINGS, "key": "value", "optional": True}}
"""A variable that a process has if it is started while `switch` says so: what is broken is neither the template nor the
image, so it may come and go with nothing rolled out."""


def api(*containers: Object, replicas: int = 2, **more: Any) -> Object:
    return manifests.deployment("api", *containers, replicas=replicas, **more)


async def switch(ground: grounds.Ground, *, on: bool) -> None:
    """Whether containers that start from now on have the variable of `OPTIONAL`."""
    await ground.admin.apply(manifests.config_map(SETTINGS, value="yes"))
    if not on:
        await ground.admin.patch("ConfigMap", SETTINGS, {"data": {"value": None}}, how="merge")


async def scale(ground: grounds.Ground, kind: str, name: str, replicas: int) -> None:
    await ground.admin.patch(kind, name, {"spec": {"replicas": replicas}}, how="merge")


async def replicas_of(ground: grounds.Ground, name: str) -> int:
    return int((await ground.admin.get("Deployment", name))["spec"]["replicas"])


async def ready(ground: grounds.Ground, kind: str, name: str, number: int) -> None:
    """Waits until so many replicas are ready."""

    async def done() -> bool:
        status = (await ground.admin.get(kind, name)).get("status") or {}
        return bool(status.get("readyReplicas", 0) == number)

    await ground.admin.until(done, what=f"{number} of {kind} {name} are ready")


def no_approval(world: worlds.World, parent: worlds.Message) -> None:
    assert "wk:approve" not in worlds.buttons(world.shown(parent))


# --- memory ---------------------------------------------------------------------------------------------------------


async def test_what_the_kernel_kills_for_its_memory_is_told_with_its_limit_and_more_is_proposed_and_not_done(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await ground.admin.apply(api(ground.container(behaviours.eats_memory(), memory_limit="32Mi"), replicas=1))
    world = await tell()
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "out of memory", "used all of its memory limit of 32Mi", "is not known")
    await telling.shows(world, parent, "set resources deployment/api --containers=app --limits=memory=48Mi")
    assert worlds.buttons(world.shown(parent))["wk:approve"]["text"]["text"] == "Approve: set memory limit 48Mi"
    await ground.untouched()


async def test_a_memory_limit_that_a_rollout_lowered_is_put_back(ground: grounds.Ground, tell: worlds.Tell) -> None:
    """The new pod runs for moments, and would count as available at once: then nothing of the old would be left."""
    eats, later = behaviours.eats_memory(), {"min_ready": int(5 + 3 * ground.speed)}
    await ground.established(api(ground.container(eats, memory_limit="256Mi"), replicas=1, deadline=120))
    await ground.admin.apply(api(ground.container(eats, memory_limit="32Mi"), replicas=1, deadline=120, **later))
    world = await tell()
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "memory limit 256Mi → 32Mi", UNDO)
    await telling.approve(world, parent)
    await telling.verified(world, parent)
    await ground.rolled_out("Deployment", "api")
    await ground.wrote(PATCHED)


# --- pods that fit nowhere ------------------------------------------------------------------------------------------


async def test_what_is_larger_than_any_node_is_told_with_what_it_asks_and_what_the_largest_has(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await ground.admin.apply(api(ground.container(behaviours.serving(), cpu="640"), replicas=1))
    world = await tell(GRACES="Unschedulable=0s")
    parent = await telling.told(world, f"{ground.namespace}/api")
    shown = await telling.shows(
        world, parent, "asks for 640 CPU", "It fits on no node, even an empty one", "of it free"
    )
    assert any(name in shown for name in ground.node_names)
    assert "add a larger node" in shown
    no_approval(world, parent)
    await ground.untouched()


async def test_a_label_that_no_node_has_is_named(ground: grounds.Ground, tell: worlds.Tell) -> None:
    only = {"watchkeeper.test/disk": "none-has-this"}
    await ground.admin.apply(api(ground.container(behaviours.serving()), replicas=1, nodeSelector=only))
    world = await tell(GRACES="Unschedulable=0s")
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(
        world, parent, "may only run on nodes with watchkeeper.test/disk=none-has-this, which no node has"
    )
    no_approval(world, parent)

    await ground.admin.patch("Deployment", "api", {"spec": {"template": {"spec": {"nodeSelector": None}}}}, how="merge")
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    await ground.untouched()


@pytest.mark.alone
async def test_a_taint_that_is_not_tolerated_is_named_with_its_node(ground: grounds.Ground, tell: worlds.Tell) -> None:
    """No new pod of anybody finds a place meanwhile: hence alone, and no longer than it takes to be told."""
    world = await tell(GRACES="Unschedulable=0s")
    async with tainted(ground, f"watchkeeper.test/{ground.namespace}"):
        await ground.admin.apply(api(ground.container(behaviours.serving()), replicas=1))
        parent = await telling.told(world, f"{ground.namespace}/api")
        shown = await telling.shows(world, parent, f"watchkeeper.test/{ground.namespace}=story:NoSchedule")
    assert f"(node {min(ground.node_names)}" in shown
    no_approval(world, parent)
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    await ground.untouched()


@contextlib.asynccontextmanager
async def tainted(ground: grounds.Ground, key: str) -> AsyncIterator[None]:
    """Every node has a taint of this key inside."""

    async def change(*added: Object) -> None:
        for name in ground.node_names:
            taints = (await ground.admin.get("Node", name))["spec"].get("taints") or []
            kept = [taint for taint in taints if taint["key"] != key]
            await ground.admin.patch("Node", name, {"spec": {"taints": [*kept, *added]}}, how="merge")

    try:
        await change({"key": key, "value": "story", "effect": "NoSchedule"})
        yield
    finally:
        await change()


# --- a Deployment that was scaled too far ---------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def devices(ground: grounds.Ground, number: int) -> AsyncIterator[str]:
    """The name of a resource of which one node has so many, and which nobody else asks for.

    https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/
    """
    name = f"watchkeeper.test/{ground.namespace}"

    async def set_to(amount: str | None) -> None:
        status = {"capacity": {name: amount}, "allocatable": {name: amount}}
        await ground.admin.patch("Node", ground.node_names[0], {"status": status}, how="merge", subresource="status")

    try:
        await set_to(str(number))
        yield name
    finally:
        await set_to(None)


async def test_what_was_scaled_beyond_what_fits_is_scaled_back_and_may_be_put_back(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    async with devices(ground, 3) as device:
        resources = {"requests": {"cpu": "10m", "memory": "16Mi", device: "1"}, "limits": {device: "1"}}
        await ground.admin.apply(api(ground.container(behaviours.serving(), resources=resources)))
        await ground.rolled_out("Deployment", "api")
        await scale(ground, "Deployment", "api", 5)
        await ready(ground, "Deployment", "api", 3)
        world = await tell(GRACES="Unschedulable=0s")
        parent = await telling.proposed(world, f"{ground.namespace}/api")
        await telling.shows(world, parent, "scaled from 2 to 5", "scale deployment/api --replicas=3")
        await ground.untouched()

        await telling.approve(world, parent)
        await telling.verified(world, parent)
        assert await replicas_of(ground, "api") == 3
        await ground.wrote("patch deployments/scale api")

        await telling.undo(world, parent)
        await telling.undone(world, parent)
        assert await replicas_of(ground, "api") == 5
        await ground.wrote("patch deployments/scale api", "patch deployments/scale api")


# --- rollouts -------------------------------------------------------------------------------------------------------


async def test_a_rollout_that_is_stuck_while_the_old_pods_serve_names_its_change_and_is_undone(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    probe = manifests.asks()
    await ground.established(api(ground.container(behaviours.serving(), readinessProbe=probe)))
    good = await ground.admin.get("Deployment", "api")
    await ground.admin.apply(api(ground.container(behaviours.never_ready(), version="v2", readinessProbe=probe)))
    world = await tell(GRACES="NotReady=1s")
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    shown = await telling.shows(world, parent, "image: ", ":v1 → ", ":v2", UNDO, "2 of 2 ready")
    assert "revision 2" in shown
    await ground.untouched()

    await telling.approve(world, parent)
    await telling.verified(world, parent)
    after = await ground.rolled_out("Deployment", "api")
    assert after["spec"]["template"] == good["spec"]["template"]
    await ground.wrote(PATCHED)


async def test_what_recovers_before_anybody_presses_is_green_and_its_old_button_does_nothing(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await ground.established(api(ground.container(behaviours.serving()), replicas=1))
    await switch(ground, on=False)
    needs = ground.container(behaviours.needs_env("DB_URL"), version="v2", env={"DB_URL": OPTIONAL})
    await ground.admin.apply(api(needs, replicas=1))
    world = await tell()
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    old = worlds.value(world.shown(parent), "wk:approve")

    await switch(ground, on=True)
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent, within=120)  # a crash loop is over once the container has run for a minute
    assert worlds.buttons(world.shown(parent)) == {}
    late = await world.slack.forge(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve", value=old)
    assert "The problem is gone" in worlds.text_of(await late.ephemeral())
    await ground.untouched()


# --- one pod of many ------------------------------------------------------------------------------------------------


async def test_the_one_pod_of_a_stateful_set_that_is_not_ready_is_deleted_and_made_anew(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await switch(ground, on=True)
    does = behaviours.ready_with_env("WELL")
    member = ground.container(does, env={"WELL": OPTIONAL}, readinessProbe=manifests.asks())
    await ground.admin.apply(manifests.service("db"))
    await ground.admin.apply(manifests.stateful_set("db", member))
    await ground.rolled_out("StatefulSet", "db")
    await switch(ground, on=False)
    await scale(ground, "StatefulSet", "db", 2)
    sick = await ground.admin.until(lambda: started(ground, "db-1"), what="db-1 runs")
    await asyncio.sleep(changes_before.SKEW.total_seconds() + 1.0)  # what is mended now reaches only pods that come
    await switch(ground, on=True)

    world = await tell(GRACES="NotReady=1s")
    parent = await telling.proposed(world, f"{ground.namespace}/db")
    shown = await telling.shows(
        world, parent, "readiness probe", behaviours.UNHEALTHY, "1 of 2 ready", "cannot be undone"
    )
    assert f"kubectl -n {ground.namespace} delete pod/db-1" in shown
    await ground.untouched()

    await telling.approve(world, parent)
    await telling.verified(world, parent)
    made = await ground.admin.get("Pod", "db-1")
    assert made["metadata"]["uid"] != sick["metadata"]["uid"]
    assert worlds.buttons(world.shown(parent)) == {}
    await ground.rolled_out("StatefulSet", "db")
    await ground.wrote("delete pods db-1")


async def started(ground: grounds.Ground, pod: str) -> Object | None:
    found = await ground.admin.find("Pod", pod)
    return found if found is not None and found["status"].get("phase") == "Running" else None


async def test_one_replica_of_two_that_crashes_is_told_as_one_of_two(ground: grounds.Ground, tell: worlds.Tell) -> None:
    await switch(ground, on=True)
    needs = ground.container(behaviours.needs_env("DB_URL"), env={"DB_URL": OPTIONAL})
    await ground.admin.apply(api(needs, replicas=1))
    await ground.rolled_out("Deployment", "api")
    await switch(ground, on=False)
    await scale(ground, "Deployment", "api", 2)
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/api")
    shown = await telling.shows(world, parent, "crash-looping", "1 of 2 ready", "KeyError: 'DB_URL'")
    assert "P2" in shown
    no_approval(world, parent)
    await ground.untouched()


async def test_an_init_container_that_crash_loops_is_told_and_what_it_waits_for_heals_it(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await switch(ground, on=False)
    waits = ground.container(behaviours.finishes_with_env("SCHEMA"), name="migrate", env={"SCHEMA": OPTIONAL})
    await ground.admin.apply(api(ground.container(behaviours.serving()), replicas=1, initContainers=[waits]))
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "stuck in an init container", "migrate", "KeyError: 'SCHEMA'")
    no_approval(world, parent)

    await switch(ground, on=True)
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    await ground.untouched()


async def test_what_its_liveness_probe_kills_again_and_again_is_not_told_as_a_crash_of_its_own(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    """The process ends well each time it is told to, with code 0: that is no cause."""
    dies = ground.container(behaviours.forgets_healthy(3), livenessProbe=manifests.asks(period=1))
    await ground.admin.apply(api(dies, replicas=1))
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/api")
    shown = await telling.shows(
        world, parent, "by the kubelet again and again", f'liveness probe fails with "{behaviours.UNHEALTHY}"'
    )
    assert "exits with code" not in shown
    no_approval(world, parent)
    await ground.untouched()


# --- silence --------------------------------------------------------------------------------------------------------


async def test_a_job_that_succeeds_after_retries_is_silent(ground: grounds.Ground, tell: worlds.Tell) -> None:
    await switch(ground, on=False)
    tries = ground.container(behaviours.finishes_with_env("LEDGER"), env={"LEDGER": OPTIONAL})
    await ground.admin.apply(manifests.job("export", tries, backoff_limit=6))
    world = await tell()

    async def counted(which: str) -> bool:
        return bool(((await ground.admin.get("Job", "export")).get("status") or {}).get(which))

    await ground.admin.until(lambda: counted("failed"), what="a first try that failed")
    await telling.sweep(world)
    await switch(ground, on=True)
    await ground.admin.until(lambda: counted("succeeded"), what="a try that succeeded")
    await telling.sweep(world)
    assert world.parents() == []
    await ground.untouched()


async def test_healthy_workloads_of_every_kind_are_silent_through_sweeps_and_a_rollout(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    well = ground.container(behaviours.serving(), readinessProbe=manifests.asks())
    done = ground.container(behaviours.finishes("INFO  exported"))
    for each in (
        api(well),
        manifests.service("db"),
        manifests.stateful_set("db", well, replicas=2),
        manifests.daemon_set("agent", well),
        manifests.job("export", done),
        manifests.cron_job("nightly", done),
    ):
        await ground.admin.apply(each)
    await ground.rolled_out("StatefulSet", "db")  # while its first pods start it misses replicas, for longer than 1 s
    world = await tell(GRACES="NotReady=1s,ReplicasMissing=1s,ImagePull=1s,ConfigError=1s,Unschedulable=1s")
    for kind, name in (("Deployment", "api"), ("DaemonSet", "agent")):
        await ground.rolled_out(kind, name)
    await telling.sweep(world)
    await ground.admin.apply(api(ground.container(behaviours.serving(), version="v2", readinessProbe=manifests.asks())))
    await telling.sweep(world)
    await ground.rolled_out("Deployment", "api")
    await telling.sweep(world)
    assert world.parents() == []
    await ground.untouched()
