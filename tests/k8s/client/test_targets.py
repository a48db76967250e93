"""All that an action rests on, read fresh from a simulated cluster: whole, the workload's own, and nobody else's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from demo.cluster import scenarios
from k8s import model
from k8s.client import connection, errors
from tests.k8s import executing


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[executing.World]:
    async with executing.world(tmp_path) as made:
        yield made


async def target_of(world: executing.World, action: model.Action) -> model.Target:
    return await world.reader.read_target(action)


def uids(items: Any) -> list[str]:
    return sorted(item["metadata"]["uid"] for item in items)


def autoscaler(name: str, target: str, kind: str = "Deployment") -> dict[str, Any]:
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target},
        "minReplicas": 1,
        "maxReplicas": 9,
    }
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "payments"},
        "spec": spec,
    }


def budget(name: str, selector: Any) -> dict[str, Any]:
    spec = {"minAvailable": 1} | ({} if selector is None else {"selector": selector})
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "payments"},
        "spec": spec,
    }


async def test_a_deployment_comes_with_its_replicasets_by_revision_and_its_pods(tmp_path: Path) -> None:
    async with executing.world(tmp_path, speed=50.0) as world:
        await _check_a_deployment(world)


async def _check_a_deployment(world: executing.World) -> None:
    world.change_image()
    world.cluster.patch(
        "deployments", "api", "payments", {"spec": {"template": {"metadata": {"labels": {"team": "a"}}}}}
    )
    await world.cluster.wait_for(lambda: len(world.cluster.list("replicasets", "payments")) == 3)
    ref = world.api()
    found = await target_of(world, model.RolloutRestart(model.ResourceRef("Deployment", "payments", "api")))
    assert found.ref == ref, "the uid that the object has now"
    assert found.object is not None
    assert found.object["spec"]["replicas"] == 3
    assert found.read_at == executing.ROUND
    revisions = [each["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for each in found.replicasets]
    assert revisions == ["1", "2", "3"]
    assert set(uids(found.pods)) == set(uids(world.cluster.pods("payments", "api")))
    assert {each["kind"] for each in found.replicasets} == {"ReplicaSet"}
    assert {each["kind"] for each in found.pods} == {"Pod"}
    assert found.namespace is not None
    assert found.namespace["metadata"]["name"] == "payments"
    assert found.owner is None


async def test_pods_of_another_workload_with_the_same_labels_are_left_out(tmp_path: Path) -> None:
    twin = scenarios.deployment("twin", "payments", "payments/twin:v1", replicas=2)
    twin["spec"]["selector"]["matchLabels"] = {"app": "api"}
    twin["spec"]["template"]["metadata"]["labels"] = {"app": "api"}
    async with executing.world(tmp_path, [scenarios.running(twin)]) as world:
        everyone = world.cluster.pods("payments", "api")
        found = await target_of(world, model.RolloutRestart(world.api()))
        other = await target_of(world, model.RolloutRestart(world.ref("Deployment", "twin", "payments")))
    assert len(everyone) == 5
    assert (len(found.pods), len(other.pods)) == (3, 2)
    assert not set(uids(found.pods)) & set(uids(other.pods))
    assert (len(found.replicasets), len(other.replicasets)) == (2, 1)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_other_workloads_come_with_the_pods_that_they_control_themselves(tmp_path: Path, kind: str) -> None:
    make = {"StatefulSet": scenarios.stateful_set, "DaemonSet": scenarios.daemon_set}[kind]
    async with executing.world(tmp_path, [scenarios.running(make("store", "payments", "payments/store:v1"))]) as world:
        found = await target_of(world, model.RolloutRestart(world.ref(kind, "store", "payments")))
        assert found.replicasets == ()
        assert uids(found.pods) == uids(world.cluster.pods("payments", "store"))
        assert found.pods


async def test_a_pod_comes_with_its_workload_and_siblings(world: executing.World) -> None:
    pod, workload = world.first_pod(), world.api()
    found = await target_of(world, model.DeletePod(pod, workload))
    assert found.ref == pod
    assert found.object is not None
    assert found.object["metadata"]["uid"] == pod.uid
    assert found.owner is not None
    assert found.owner["metadata"]["uid"] == workload.uid
    assert len(found.pods) == 3
    assert len(found.replicasets) == 2


async def test_a_pod_whose_workload_is_gone_has_no_owner(world: executing.World) -> None:
    action = model.DeletePod(world.first_pod(), model.ResourceRef("Deployment", "payments", "gone"))
    found = await target_of(world, action)
    assert found.object is not None
    assert (found.owner, found.pods, found.replicasets) == (None, (), ())


async def test_a_target_that_is_gone_is_no_error(world: executing.World) -> None:
    asked = model.ResourceRef("Deployment", "payments", "nothing", "old-uid")
    found = await target_of(world, model.Scale(asked, 3))
    assert (found.ref, found.object, found.pods) == (asked, None, ())


async def test_only_budgets_that_select_the_pods_are_taken(world: executing.World) -> None:
    chosen = {"by-label", "by-expression", "all"}
    world.cluster.apply(budget("by-label", {"matchLabels": {"app": "api"}}))
    expression = {"key": "app", "operator": "In", "values": ["api", "x"]}
    world.cluster.apply(budget("by-expression", {"matchExpressions": [expression]}))
    world.cluster.apply(budget("all", {}))
    world.cluster.apply(budget("other", {"matchLabels": {"app": "web"}}))
    for action in (model.RolloutRestart(world.api()), model.DeletePod(world.first_pod(), world.api())):
        found = await target_of(world, action)
        assert {each["metadata"]["name"] for each in found.budgets} == chosen


async def test_only_autoscalers_of_the_workload_are_taken(world: executing.World) -> None:
    for name, target, kind in (
        ("mine", "api", "Deployment"),
        ("other", "web", "Deployment"),
        ("set", "api", "StatefulSet"),
    ):
        world.cluster.apply(autoscaler(name, target, kind))
    found = await target_of(world, model.Scale(world.api(), 3))
    assert [each["metadata"]["name"] for each in found.autoscalers] == ["mine"]


async def test_what_only_refines_a_verdict_may_be_forbidden(world: executing.World) -> None:
    world.cluster.apply(budget("all", {}))
    for resource in ("poddisruptionbudgets", "horizontalpodautoscalers", "namespaces"):
        for verb in ("get", "list"):
            world.cluster.forbid("writer", verb, resource)
    found = await target_of(world, model.Scale(world.api(), 3))
    assert (found.budgets, found.autoscalers, found.namespace) == ((), (), None)
    assert len(found.pods) == 3


@pytest.mark.parametrize("resource", ["deployments", "replicasets", "pods"])
async def test_what_a_verdict_rests_on_may_not_be_missing(world: executing.World, resource: str) -> None:
    for verb in ("get", "list"):
        world.cluster.forbid("writer", verb, resource)
    with pytest.raises(errors.Forbidden):
        await target_of(world, model.Scale(world.api(), 3))


async def test_an_unreachable_cluster_is_an_error_and_not_an_absence(tmp_path: Path) -> None:
    async with executing.world(tmp_path, limits=connection.CallLimits(read_s=1.0)) as world:
        action = model.Scale(world.api(), 3)
        world.cluster.faults.unreachable = True
        with pytest.raises(errors.Unreachable):
            await target_of(world, action)


async def test_logs_events_names_and_rights_of_a_real_crash_loop(world: executing.World) -> None:
    for verb, resource in (("get", "pods/log"), ("list", "events"), ("list", "deployments")):
        world.cluster.allow("writer", verb, resource)  # rights of the reading identity, which this world has not
    pod = world.first_pod()
    text = await world.reader.logs("payments", pod.name, "api", previous=True)
    assert "KeyError: 'DB_URL'" in text
    assert "BackOff" in {event["reason"] for event in await world.reader.events(pod)}
    assert await world.reader.names("Deployment", "payments") == ["api"]
    assert await world.reader.can_i("patch", "deployments", "payments")
    assert not await world.reader.can_i("delete", "namespaces")
