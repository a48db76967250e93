"""What the stories rest on, tried on every ground: it can be broken as it says, and mended again."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from k8s.client import connection, reader
from tests import grounds
from tests.grounds import admin, behaviours, manifests
from tests.grounds.admin import Object
from tests.grounds.ground import OLD_ENOUGH, Identity


@contextlib.asynccontextmanager
async def identity(ground: grounds.Ground, who: Identity) -> AsyncIterator[reader.Reader]:
    """As the bot connects by the ground's settings."""
    given = ground.settings()
    kubeconfig, user = given["KUBECONFIG"], None
    if who == "writer":
        kubeconfig, user = given.get("WRITER_KUBECONFIG", kubeconfig), given.get("WRITER_USER")
    access = connection.ClusterAccess(who, Path(kubeconfig), given["CONTEXTS"], user=user)
    opened = await connection.Connection.open(access)
    try:
        yield reader.Reader(opened)
    finally:
        await opened.close()


def api(ground: grounds.Ground, version: str = "v1", replicas: int = 1) -> Object:
    return manifests.deployment("api", ground.container(behaviours.serving(), version=version), replicas=replicas)


async def test_the_bot_has_the_rights_of_the_manifest_and_one_can_be_taken_and_given_back(
    ground: grounds.Ground,
) -> None:
    async with identity(ground, "reader") as reading, identity(ground, "writer") as writing:
        rights: tuple[tuple[reader.Reader, Identity, str, str], ...] = (
            (reading, "reader", "list", "pods"),
            (reading, "reader", "get", "pods/log"),
            (writing, "writer", "patch", "deployments"),
        )
        for one, who, verb, resource in rights:
            assert await one.can_i(verb, resource, ground.namespace)
            await ground.forbid(who, verb, resource)
            assert not await one.can_i(verb, resource, ground.namespace)
            await ground.allow(who, verb, resource)
            assert await one.can_i(verb, resource, ground.namespace)
        assert not await reading.can_i("patch", "deployments", ground.namespace)
        assert not await writing.can_i("get", "secrets", ground.namespace, group="")


async def test_a_person_who_approves_may_mend_by_hand_and_no_more(ground: grounds.Ground) -> None:
    await ground.admin.apply(api(ground))
    assert (await ground.approver.get("Deployment", "api"))["spec"]["replicas"] == 1
    await ground.approver.patch("Deployment", "api", {"spec": {"replicas": 0}})
    with pytest.raises(admin.Refused) as refused:
        await ground.approver.delete("Deployment", "api")
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")


@pytest.mark.needs("behaviours")
async def test_what_is_established_runs_and_counts_as_proven(ground: grounds.Ground) -> None:
    await ground.established(manifests.config_map("settings", LEVEL="info"), api(ground, replicas=2))
    replicasets = await ground.admin.list("ReplicaSet")
    assert [each["status"]["readyReplicas"] for each in replicasets] == [2]
    created = datetime.fromisoformat(replicasets[0]["metadata"]["creationTimestamp"])
    assert (datetime.now(UTC) - created).total_seconds() >= OLD_ENOUGH - 1
    await ground.admin.apply(manifests.config_map("now"))
    made = (await ground.admin.get("ConfigMap", "now"))["metadata"]["creationTimestamp"]
    assert (datetime.now(UTC) - datetime.fromisoformat(made)).total_seconds() < OLD_ENOUGH / 2


@pytest.mark.needs("behaviours")
async def test_another_version_is_another_revision_and_what_a_pod_says_can_be_read(ground: grounds.Ground) -> None:
    await ground.admin.apply(api(ground))
    await ground.rolled_out("Deployment", "api")
    await ground.admin.apply(api(ground, "v2"))
    await ground.rolled_out("Deployment", "api")
    assert len(await ground.admin.list("ReplicaSet", labels="app=api")) == 2

    async def newest() -> list[Object]:
        pods = await ground.admin.pods("api")
        return pods if len(pods) == 1 else []

    name = (await ground.admin.until(newest))[0]["metadata"]["name"]

    async def said() -> str:
        return await ground.admin.logs(name, "app")

    assert "INFO  serving" in await ground.admin.until(said, what="a log")
    assert [event["involvedObject"]["name"] for event in await ground.admin.events(name, "Scheduled")] == [name]


@pytest.mark.needs("behaviours")
async def test_a_budget_refuses_an_eviction_that_is_too_much(ground: grounds.Ground) -> None:
    await ground.admin.apply(manifests.disruption_budget("api", minAvailable=1))
    await ground.admin.apply(api(ground))
    await ground.rolled_out("Deployment", "api")

    name = (await ground.admin.pods("api"))[0]["metadata"]["name"]
    with pytest.raises(admin.Refused, match="violate the pod's disruption budget") as refused:
        await ground.admin.evict(name)
    assert refused.value.status == 429
    assert (await ground.admin.pods("api"))[0]["metadata"]["name"] == name


async def test_an_admission_policy_refuses_updates_in_its_own_words(ground: grounds.Ground) -> None:
    await ground.admin.apply(api(ground, replicas=0))
    await ground.refuse("deployments", "images are frozen until Monday")
    with pytest.raises(admin.Refused) as refused:
        await ground.admin.patch("Deployment", "api", {"spec": {"paused": True}})
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")
    assert refused.value.message.endswith("denied request: images are frozen until Monday")
    await ground.admin.apply(manifests.config_map("other"))


@pytest.mark.alone
@pytest.mark.needs("restart")
async def test_the_api_server_goes_and_comes_back_with_what_it_knew(ground: grounds.Ground) -> None:
    await ground.admin.apply(manifests.config_map("kept", key="value"))
    async with ground.away():
        with pytest.raises(admin.Unreachable):
            await ground.admin.get("ConfigMap", "kept")

    async def back() -> Object:
        return await ground.admin.get("ConfigMap", "kept")

    assert (await ground.admin.until(back))["data"] == {"key": "value"}


@pytest.mark.alone
@pytest.mark.needs("restart")
async def test_what_was_listed_before_is_too_old_afterwards(ground: grounds.Ground) -> None:
    for number in range(3):
        await ground.admin.apply(manifests.config_map(f"map-{number}"))
    path = ground.admin.path("ConfigMap")
    page = await ground.admin.ask("GET", path, {"limit": "1"})
    token = page["metadata"]["continue"]
    await ground.admin.apply(manifests.config_map("one-more"))
    await ground.expire()

    async def gone() -> bool:
        try:
            await ground.admin.ask("GET", path, {"limit": "1", "continue": token})
        except admin.Refused as refused:
            return refused.status == 410
        return False

    assert await ground.admin.until(gone, what="410 Gone")


async def test_nothing_was_written_by_the_bot_where_there_was_none(ground: grounds.Ground) -> None:
    await ground.admin.apply(manifests.config_map("by-hand"))
    await ground.untouched()
    await ground.wrote()


async def test_what_is_not_there_is_refused_or_none(ground: grounds.Ground) -> None:
    assert await ground.admin.find("Deployment", "nowhere") is None
    with pytest.raises(admin.Refused) as refused:
        await ground.admin.get("Deployment", "nowhere")
    assert (refused.value.status, refused.value.reason) == (404, "NotFound")
    with pytest.raises(AssertionError, match=r"not within .* a wonder"):
        await ground.admin.until(lambda: ground.admin.find("Deployment", "nowhere"), 0.3, "a wonder")
    await ground.admin.create(manifests.config_map("once"))
    with pytest.raises(admin.Refused, match="409 AlreadyExists"):
        await ground.admin.create(manifests.config_map("once"))
