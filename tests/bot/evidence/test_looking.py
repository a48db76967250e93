"""What a model may look at: reads alone, redacted and capped, within the watch's scope, and never a Secret."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import errors
from bot.domain import consultations, diagnoses
from bot.evidence import looking
from demo.cluster import Fault, scenarios
from k8s import detection, model, policy
from tests.bot.flow import worlds

Look = Callable[..., Any]
SECRET = "AKIA" + "IOSFODNN7EXAMPLE"
NAMESPACE = "payments"


@pytest.fixture
async def world(postgres_url: str, tmp_path: Path) -> AsyncIterator[worlds.World]:
    async with contextlib.AsyncExitStack() as stack:
        pieces = [scenarios.crash_loop(), scenarios.oom()]
        yield await stack.enter_async_context(worlds.World.made(postgres_url, tmp_path, pieces))


async def made(world: worlds.World, **scope: Any) -> looking.Looking:
    """For the crash loop of payments/api, under a watch of this scope."""
    replica = await world.replica("a")
    watch = await world.watch(replica, scope=model.Scope(**({"include": (NAMESPACE,)} | scope)))
    found = detection.detect(await world.eyes.look(worlds.CLUSTER, model.Scope((NAMESPACE,)))).problems
    problem = next(one for one in found if one.subject.name == "api")
    rules = diagnoses.Diagnosis("c", (), "high", "r", "n")
    brief = consultations.Brief(1, watch.id, worlds.CLUSTER, problem, diagnoses.Dossier(()), rules, "en")
    eyes = world.eyes
    return looking.Looking(
        brief, eyes.reader, eyes.selected, replica.database, world.clock, policy.Policy(approvers=(worlds.ANA,))
    )


def pod(world: worlds.World) -> model.ResourceRef:
    return model.ResourceRef("Pod", NAMESPACE, world.cluster.pods(NAMESPACE, "api")[0]["metadata"]["name"])


async def test_objects_logs_events_and_revisions_are_told_in_words(world: worlds.World) -> None:
    look = await made(world)
    one = pod(world)
    deployment = model.ResourceRef("Deployment", NAMESPACE, "api")
    whole = await look.get(deployment)
    assert "kind: Deployment" in whole
    assert "managedFields" not in whole
    rows = await look.listed("Pod", NAMESPACE, "")
    assert one.name in rows
    assert "ready" in rows
    assert "KeyError: 'DB_URL'" in await look.logs(one, "", previous=True)
    assert "BackOff" in await look.events(one)
    told = await look.rollouts(deployment)
    assert told.index("revision 2") < told.index("revision 1")
    assert "DB_URL" in told
    assert await look.past(deployment) == "none are known"
    assert await look.runbook("crash loop") == "none fits"
    sight = await look.sight()
    assert sight is not None
    assert sight.subject.name == "api"
    assert look.sources == ()
    assert world.writes == []


async def test_nothing_is_read_outside_of_the_watch(world: worlds.World) -> None:
    look = await made(world, include=(), exclude=("kube-*", "media"), labels="")
    for namespace in ("kube-system", "media", ""):
        for reading in (
            look.get(model.ResourceRef("Pod", namespace, "x")),
            look.listed("Pod", namespace, ""),
            look.logs(model.ResourceRef("Pod", namespace, "x"), "app", previous=False),
            look.events(model.ResourceRef("Pod", namespace, "x")),
            look.rollouts(model.ResourceRef("Deployment", namespace, "x")),
            look.top(namespace, ""),
            look.past(model.ResourceRef("Deployment", namespace, "x")),
        ):
            with pytest.raises(errors.NotPossible, match="outside of this watch"):
                await reading
    with pytest.raises(errors.NotPossible, match="outside"):
        await look.get(model.ResourceRef("Namespace", "", "kube-system"))


async def test_labels_of_namespaces_are_asked_for_now(world: worlds.World) -> None:
    look = await made(world, include=(), labels="team=nobody")
    with pytest.raises(errors.NotPossible, match="outside of this watch"):
        await look.listed("Pod", NAMESPACE, "")


async def test_secrets_are_not_read_and_of_a_configmap_the_keys_alone(world: worlds.World) -> None:
    look = await made(world)
    data = {"settings.py": f"key = {SECRET}", "url": "postgres://u:hunter2hunter2@db/x"}
    world.cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "api", "namespace": NAMESPACE}, "data": data}
    )
    for reading in (look.get(model.ResourceRef("Secret", NAMESPACE, "api-db")), look.listed("Secret", NAMESPACE, "")):
        with pytest.raises(errors.NotPossible, match="Secrets are not read"):
            await reading
    shown = await look.get(model.ResourceRef("ConfigMap", NAMESPACE, "api"))
    assert "settings.py" in shown
    assert SECRET not in shown
    assert "hunter2" not in shown
    with pytest.raises(errors.NotPossible, match="forbidden"):  # as the shipped reader has it
        await look.listed("ConfigMap", NAMESPACE, "")
    world.cluster.allow("reader", "list", "configmaps", NAMESPACE)
    assert "keys: settings.py, url" in await look.listed("ConfigMap", NAMESPACE, "")


async def test_what_is_not_there_is_said_and_what_is_away_is_an_outage(world: worlds.World) -> None:
    look = await made(world)
    with pytest.raises(errors.NotPossible):
        await look.get(model.ResourceRef("Pod", NAMESPACE, "nobody"))
    with pytest.raises(errors.NotPossible, match="No Prometheus"):
        await look.promql("up", 5)
    with pytest.raises(errors.NotPossible, match="No Loki"):
        await look.logql("{}", 5)
    world.cluster.faults.add(Fault(path="/api", status=503))
    with pytest.raises(errors.ClusterUnavailable):
        await look.get(pod(world))
    world.cluster.faults.clear()


async def test_an_annotation_with_a_secret_is_redacted_and_a_long_object_is_cut(world: worlds.World) -> None:
    look = await made(world)
    notes = {"note": f"the key is {SECRET}", "long": "word " * 4000}
    world.cluster.patch("deployments", "api", NAMESPACE, {"metadata": {"annotations": notes}})
    shown = await look.get(model.ResourceRef("Deployment", NAMESPACE, "api"))
    assert SECRET not in shown
    assert shown.endswith("… cut")
    assert len(shown) <= looking.CHARACTERS + 10


async def test_an_incident_whose_watch_is_gone_is_seen_in_its_own_namespace_alone(world: worlds.World) -> None:
    look = await made(world)
    look._brief = replace(look._brief, watch_id=999)
    assert "api" in await look.listed("Deployment", NAMESPACE, "")
    with pytest.raises(errors.NotPossible, match="outside"):
        await look.listed("Deployment", "media", "")
