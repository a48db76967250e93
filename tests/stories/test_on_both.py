"""The main job on every ground: told, approved, healed and verified, on the simulated cluster as on a real one."""

from typing import Any

import pytest

from demo import slack
from tests import grounds
from tests.grounds import behaviours, manifests
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = [pytest.mark.story, pytest.mark.needs("behaviours")]

PATCHED = "patch deployments api"


def api(*containers: dict[str, Any], replicas: int = 2) -> dict[str, Any]:
    return manifests.deployment("api", *containers, replicas=replicas)


async def image_of(ground: grounds.Ground, name: str) -> str:
    deployment = await ground.admin.get("Deployment", name)
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


async def ready(ground: grounds.Ground, app: str) -> int:
    """How many pods of it are ready."""
    pods = await ground.admin.pods(app)
    conditions = [one for pod in pods for one in pod["status"].get("conditions") or () if one["type"] == "Ready"]
    return sum(one["status"] == "True" for one in conditions)


async def test_a_variable_that_a_rollout_lost_is_named_and_put_back(ground: grounds.Ground, tell: worlds.Tell) -> None:
    does = behaviours.needs_env("DB_URL")
    await ground.established(api(ground.container(does, env={"DB_URL": "postgres://db.internal/pay", "LEVEL": "info"})))
    await ground.admin.apply(api(ground.container(does, version="v2", env={"LEVEL": "info"})))
    world = await tell()
    parent = await telling.proposed(world, f"{ground.namespace}/api")

    shown = await telling.shows(world, parent, "DB_URL", "KeyError")
    assert f"kubectl -n {ground.namespace} rollout undo deployment/api --to-revision=1" in shown
    await ground.untouched()

    seen = await telling.approve(world, parent)
    assert seen.ack.ok
    await telling.verified(world, parent)

    await ground.wrote(PATCHED)
    await ground.rolled_out("Deployment", "api")
    assert [pod["status"]["phase"] for pod in await ground.admin.pods("api")] == ["Running"] * 2
    assert f"<@{slack.ANA}>" in world.thread(parent)
    await telling.offered(world, parent, "wk:undo")


async def test_an_image_that_cannot_be_had_is_taken_back_and_may_be_put_back(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    """The node is told not to pull, so that no registry's answer, and no network, is a part of this."""
    await ground.established(api(ground.container(behaviours.serving())))
    good, bad = await image_of(ground, "api"), ground.missing_image()
    fault = {"image": bad, "imagePullPolicy": "Never"}
    await ground.admin.apply(api(ground.container(behaviours.serving()) | fault))
    world = await tell(GRACES="ImagePull=1s")
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, bad, "rollout undo deployment/api --to-revision=1")
    assert await ready(ground, "api") == 2, "the old pods serve"

    await telling.approve(world, parent)
    await telling.verified(world, parent)
    assert await image_of(ground, "api") == good

    seen = await telling.undo(world, parent)
    assert seen.ack.ok
    await telling.undone(world, parent)
    assert await image_of(ground, "api") == bad
    await ground.wrote(PATCHED, PATCHED)


async def test_an_image_that_a_rollout_took_to_a_registry_that_nobody_answers_for_is_put_back(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    await ground.established(api(ground.container(behaviours.serving())))
    good, missing = await image_of(ground, "api"), ground.missing_image()
    await ground.admin.apply(api(ground.container(behaviours.serving()) | {"image": missing}))
    world = await tell(GRACES="ImagePull=1s")
    parent = await telling.proposed(world, f"{ground.namespace}/api")
    await telling.shows(
        world, parent, missing, "the registry cannot be reached", "moved it to this registry", "--to-revision=1"
    )
    assert await ready(ground, "api") == 2, "the old pods serve"
    await ground.untouched()

    await telling.approve(world, parent)
    await telling.verified(world, parent)
    assert await image_of(ground, "api") == good
    await ground.wrote(PATCHED)


@pytest.mark.parametrize("reference", ["key", "all"])
async def test_a_config_map_that_is_missing_is_named_and_creating_it_heals(
    ground: grounds.Ground, tell: worlds.Tell, reference: str
) -> None:
    if reference == "key":
        asking: dict[str, Any] = {"env": {"HOST": {"configMapKeyRef": {"name": "api-settings", "key": "HOST"}}}}
    else:
        asking = {"envFrom": [{"configMapRef": {"name": "api-settings"}}]}
    await ground.admin.apply(api(ground.container(behaviours.needs_env("HOST"), **asking), replicas=1))
    world = await tell(GRACES="ConfigError=1s")
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "ConfigMap api-settings", "does not exist")

    await ground.admin.apply(manifests.config_map("api-settings", HOST="db.internal"))
    await ground.rolled_out("Deployment", "api")
    await telling.healed(world, parent)
    assert worlds.buttons(world.shown(parent)) == {}
    await ground.untouched()


async def test_an_init_container_that_fails_is_named_with_its_last_words(
    ground: grounds.Ground, tell: worlds.Tell
) -> None:
    migrate = ground.container(behaviours.fails("ERROR  relation charges is locked", code=3), name="migrate")
    app = ground.container(behaviours.serving())
    await ground.admin.apply(manifests.deployment("api", app, initContainers=[migrate]))
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "migrate", "code 3", "relation charges is locked")
    await ground.untouched()


async def test_a_job_that_has_given_up_is_told(ground: grounds.Ground, tell: worlds.Tell) -> None:
    await ground.admin.apply(manifests.job("export", ground.container(behaviours.fails("ERROR  no space", code=4))))
    world = await tell()
    parent = await telling.told(world, f"{ground.namespace}/export")
    await telling.shows(world, parent, "backoff limit", "exit code 4")
    await ground.untouched()


async def test_a_readiness_probe_that_fails_is_named_with_its_answer(ground: grounds.Ground, tell: worlds.Tell) -> None:
    app = ground.container(behaviours.never_ready(), readinessProbe=manifests.asks())
    await ground.admin.apply(api(app))
    world = await tell(GRACES="NotReady=2s")
    parent = await telling.told(world, f"{ground.namespace}/api")
    await telling.shows(world, parent, "readiness probe", behaviours.UNHEALTHY)
    await ground.untouched()
