"""Writes: the three patches, dry runs, conflicts, deletes, scale, eviction, and what is refused with which words."""

from typing import Any

import pytest
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

from demo.cluster import SimulatedCluster, scenarios
from demo.cluster.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.demo.cluster.conftest import Connect, Raw, Start

CART = "/apis/apps/v1/namespaces/web/deployments/cart"


def cart(replicas: int = 2, **more: Any) -> Any:
    return scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=replicas, **more))


def image(cluster: SimulatedCluster) -> str:
    return str(cluster.get("deployments", "cart", "web")["spec"]["template"]["spec"]["containers"][0]["image"])


async def test_three_patch_types(start: Start, raw: Raw) -> None:
    cluster = await start([cart(env={"A": "1", "B": "2"})])
    env = [{"name": "A", "value": "9"}, {"name": "B", "$patch": "delete"}, {"name": "C", "value": "3"}]
    body: Any = {"spec": {"template": {"spec": {"containers": [{"name": "cart", "env": env}]}}}}
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=STRATEGIC_PATCH)
    container = answer.json["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}]
    assert container["image"] == "web/cart:v1"
    body = {"metadata": {"annotations": {"note": "x"}}, "spec": {"minReadySeconds": None}}
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=MERGE_PATCH)
    assert answer.json["metadata"]["annotations"]["note"] == "x"
    body = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
        {"op": "remove", "path": "/metadata/annotations/note"},
    ]
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=JSON_PATCH)
    assert answer.json["spec"]["replicas"] == 3
    assert "note" not in answer.json["metadata"]["annotations"]
    answer = await raw(cluster, "PATCH", CART, body={}, content_type="application/apply-patch+yaml")
    assert (answer.status, answer.json["reason"]) == (415, "UnsupportedMediaType")


async def test_official_client_patches_and_dry_runs(start: Start, connect: Connect) -> None:
    cluster = await start([cart()])
    apps: Any = client.AppsV1Api(await connect(cluster))
    before = cluster.get("deployments", "cart", "web")
    body = {"spec": {"replicas": 7}}
    would_be = await apps.patch_namespaced_deployment(
        "cart", "web", body, dry_run="All", field_manager="watchkeeper", field_validation="Strict"
    )
    assert (would_be.spec.replicas, would_be.metadata.generation) == (7, 2)
    assert would_be.metadata.resource_version == before["metadata"]["resourceVersion"]
    await cluster.settle()
    assert cluster.get("deployments", "cart", "web") == before
    assert len(cluster.journal.dry_runs) == 1
    assert cluster.journal.writes == []
    done = await apps.patch_namespaced_deployment("cart", "web", body)
    assert done.spec.replicas == 7
    assert [entry.method for entry in cluster.journal.writes] == ["PATCH"]
    assert cluster.journal.writes[0].body == body


async def test_dry_runs_of_every_kind_change_nothing(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    pod = cluster.pods("web", "cart")[0]["metadata"]["name"]
    revision = cluster.store.revision
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}, "data": {"a": "b"}}
    created = await raw(cluster, "POST", "/api/v1/namespaces/web/configmaps?dryRun=All", user="admin", body=body)
    assert (created.status, created.json["metadata"]["uid"] != "") == (201, True)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "web"}}
    scale = {"spec": {"replicas": 5}}
    answers = [
        await raw(cluster, "DELETE", f"/api/v1/namespaces/web/pods/{pod}", body={"dryRun": ["All"]}),
        await raw(cluster, "DELETE", f"{CART}?dryRun=All"),
        await raw(cluster, "POST", f"/api/v1/namespaces/web/pods/{pod}/eviction?dryRun=All", body=eviction),
        await raw(
            cluster,
            "POST",
            f"/api/v1/namespaces/web/pods/{pod}/eviction",
            body=eviction | {"deleteOptions": {"dryRun": ["All"]}},
        ),
        await raw(cluster, "PATCH", f"{CART}/scale?dryRun=All", body=scale, content_type=MERGE_PATCH),
        await raw(cluster, "PUT", f"{CART}?dryRun=All", body=cluster.get("deployments", "cart", "web")),
    ]
    assert [answer.status for answer in answers] == [200, 200, 201, 201, 200, 200]
    assert answers[4].json["spec"] == {"replicas": 5}
    assert cluster.store.revision == revision
    assert cluster.journal.writes == []
    assert len(cluster.journal.dry_runs) == 7
    answer = await raw(cluster, "PATCH", f"{CART}?dryRun=Some", body={}, content_type=MERGE_PATCH)
    assert answer.status == 422


async def test_conflicts(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    old = cluster.get("deployments", "cart", "web")
    cluster.patch("deployments", "cart", "web", {"metadata": {"annotations": {"moved": "on"}}})
    message = (
        'Operation cannot be fulfilled on deployments.apps "cart": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    details = {"name": "cart", "group": "apps", "kind": "deployments"}
    answer = await raw(cluster, "PUT", CART, body=old)
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "Conflict",
        "details": details,
        "code": 409,
    }
    body: Any = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "spec": {"replicas": 9}}
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=MERGE_PATCH)
    assert (answer.status, answer.json["message"]) == (409, message)
    body = [{"op": "test", "path": "/spec/replicas", "value": 99}, {"op": "remove", "path": "/spec/replicas"}]
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=JSON_PATCH)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert answer.json["message"] == "the server rejected our request due to an error in our request"
    answer = await raw(cluster, "PATCH", CART, body={"metadata": {"uid": "else"}}, content_type=MERGE_PATCH)
    assert answer.status == 422
    del old["metadata"]["resourceVersion"]
    old["metadata"]["uid"] = "else"
    answer = await raw(cluster, "PUT", CART, body=old)
    assert (answer.status, "Precondition failed: UID" in answer.json["message"]) == (409, True)
    scale = {"metadata": {"name": "cart", "namespace": "web", "resourceVersion": "1"}, "spec": {"replicas": 9}}
    assert (await raw(cluster, "PUT", f"{CART}/scale", body=scale)).status == 409
    assert cluster.get("deployments", "cart", "web")["spec"]["replicas"] == 2


async def test_generation_moves_with_the_spec_only(start: Start) -> None:
    cluster = await start([cart()])
    patched = cluster.patch("deployments", "cart", "web", {"metadata": {"labels": {"x": "y"}}})
    assert patched["metadata"]["generation"] == 1
    same = cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 2}})
    assert same["metadata"]["resourceVersion"] == patched["metadata"]["resourceVersion"]
    assert cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 3}})["metadata"]["generation"] == 2


async def test_that_a_deployment_is_not_paused_is_left_out(start: Start) -> None:
    cluster = await start([cart()])
    assert cluster.patch("deployments", "cart", "web", {"spec": {"paused": True}})["spec"]["paused"] is True
    assert "paused" not in cluster.patch("deployments", "cart", "web", {"spec": {"paused": False}})["spec"]


async def test_invalid_objects_are_refused_with_causes(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    answer = await raw(cluster, "PATCH", CART, body={"spec": {"replicas": -1}}, content_type=MERGE_PATCH)
    assert answer.json["message"] == (
        'Deployment.apps "cart" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )
    assert answer.json["details"]["causes"][0]["reason"] == "FieldValueInvalid"
    answer = await raw(cluster, "PATCH", CART, body={"spec": {"replicas": "three"}}, content_type=MERGE_PATCH)
    assert (answer.status, "cannot unmarshal string" in answer.json["message"]) == (422, True)
    body: Any = {"spec": {"repliicas": 3}}
    answer = await raw(cluster, "PATCH", f"{CART}?fieldValidation=Strict", body=body, content_type=MERGE_PATCH)
    assert (answer.status, answer.json["message"].endswith('unknown field "spec.repliicas"')) == (422, True)
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=MERGE_PATCH)
    assert "repliicas" not in answer.json["spec"]
    body = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=MERGE_PATCH)
    assert answer.status == 422
    container = {"name": "cart", "resources": {"limits": {"memory": "lots"}}}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    answer = await raw(cluster, "PATCH", CART, body=body, content_type=STRATEGIC_PATCH)
    assert (answer.status, "quantities must match" in answer.json["message"]) == (422, True)
    pod = cluster.pods("web", "cart")[0]["metadata"]["name"]
    body = [{"op": "replace", "path": "/spec/containers/0/name", "value": "x"}]
    answer = await raw(cluster, "PATCH", f"/api/v1/namespaces/web/pods/{pod}", body=body, content_type=JSON_PATCH)
    assert (answer.status, "pod updates may not change fields" in answer.json["message"]) == (422, True)
    answer = await raw(cluster, "PATCH", CART, body=[1], content_type=JSON_PATCH)
    assert answer.status == 400
    answer = await raw(cluster, "PATCH", CART + "x", body={}, content_type=MERGE_PATCH)
    assert (answer.status, answer.json["message"]) == (404, 'deployments.apps "cartx" not found')


async def test_create_and_replace(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    cluster.images.publish("web/shop", "v1")
    manifest = scenarios.deployment("shop", "web", "web/shop:v1")
    path = "/apis/apps/v1/namespaces/web/deployments"
    answer = await raw(cluster, "POST", path, user="admin", body=manifest)
    assert (answer.status, answer.json["spec"]["strategy"]["type"]) == (201, "RollingUpdate")
    answer = await raw(cluster, "POST", path, user="admin", body=manifest)
    assert (answer.status, answer.json["reason"]) == (409, "AlreadyExists")
    nowhere = "/apis/apps/v1/namespaces/nowhere/deployments"
    manifest["metadata"]["namespace"] = "nowhere"
    answer = await raw(cluster, "POST", nowhere, user="admin", body=manifest)
    assert (answer.status, answer.json["message"]) == (404, 'namespaces "nowhere" not found')
    await cluster.settle()
    current = cluster.get("deployments", "shop", "web")
    current["spec"]["replicas"] = 2
    answer = await raw(cluster, "PUT", f"{path}/shop", body=current)
    assert (answer.status, answer.json["metadata"]["generation"]) == (200, 2)
    answer = await raw(cluster, "PUT", f"{path}/other", body=current)
    assert answer.status == 400


async def test_delete_with_preconditions_and_propagation(start: Start, connect: Connect) -> None:
    cluster = await start([cart()])
    api = await connect(cluster)
    core: Any = client.CoreV1Api(api)
    apps: Any = client.AppsV1Api(api)
    pod = cluster.pods("web", "cart")[0]["metadata"]
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
    with pytest.raises(ApiException) as caught:
        await core.delete_namespaced_pod(pod["name"], "web", body=options)
    assert caught.value.status == 409
    assert "the UID in the precondition (another) does not match the UID in record" in str(caught.value.body)
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=pod["uid"]), grace_period_seconds=0)
    await core.delete_namespaced_pod(pod["name"], "web", body=options)
    await cluster.settle()
    assert cluster.find("pods", pod["name"], "web") is None
    assert len(cluster.pods("web", "cart")) == 2
    await apps.delete_namespaced_deployment("cart", "web", body=client.V1DeleteOptions(propagation_policy="Orphan"))
    await cluster.settle()
    replica_set = cluster.list("replicasets", "web")[0]
    assert "ownerReferences" not in replica_set["metadata"]
    assert len(cluster.pods("web", "cart")) == 2
    options = client.V1DeleteOptions(propagation_policy="Foreground")
    await apps.delete_namespaced_replica_set(replica_set["metadata"]["name"], "web", body=options)
    assert cluster.get("replicasets", replica_set["metadata"]["name"], "web")["metadata"]["finalizers"]
    await cluster.settle()
    assert cluster.list("replicasets", "web") == cluster.list("pods", "web") == []


async def test_scale_subresource(start: Start, connect: Connect) -> None:
    cluster = await start([cart()])
    apps: Any = client.AppsV1Api(await connect(cluster))
    scale = await apps.read_namespaced_deployment_scale("cart", "web")
    assert (scale.spec.replicas, scale.status.replicas, scale.status.selector) == (2, 2, "app=cart")
    scale.spec.replicas = 4
    assert (await apps.replace_namespaced_deployment_scale("cart", "web", scale)).spec.replicas == 4
    await apps.patch_namespaced_deployment_scale("cart", "web", {"spec": {"replicas": 1}})
    await cluster.settle()
    assert len(cluster.pods("web", "cart")) == 1


async def test_eviction_respects_the_disruption_budget(start: Start, connect: Connect) -> None:
    cluster = await start([cart()])
    cluster.apply(scenarios.disruption_budget("cart", "web", minAvailable=2))
    await cluster.settle()
    core: Any = client.CoreV1Api(await connect(cluster))
    name = cluster.pods("web", "cart")[0]["metadata"]["name"]
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace="web"))
    with pytest.raises(ApiException) as caught:
        await core.create_namespaced_pod_eviction(name, "web", eviction, dry_run="All")
    assert caught.value.status == 429
    assert "Cannot evict pod as it would violate the pod's disruption budget." in str(caught.value.body)
    assert "The disruption budget cart needs 2 healthy pods and has 2 currently" in str(caught.value.body)
    cluster.patch("poddisruptionbudgets", "cart", "web", {"spec": {"minAvailable": 1}})
    await cluster.settle()
    assert cluster.get("poddisruptionbudgets", "cart", "web")["status"]["disruptionsAllowed"] == 1
    await core.create_namespaced_pod_eviction(name, "web", eviction)
    conditions = cluster.get("pods", name, "web")["status"]["conditions"]
    assert conditions[-1]["reason"] == "EvictionByEvictionAPI"
    await cluster.settle()
    assert cluster.find("pods", name, "web") is None
    assert len(cluster.pods("web", "cart")) == 2


async def test_admission_webhook_refuses_at_the_dry_run_too(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    cluster.images.publish("web/cart", "v2")
    cluster.deny_admission(
        lambda operation, resource, _: operation == "UPDATE" and resource.plural == "deployments", "no changes today"
    )
    container = {"name": "cart", "image": "web/cart:v2"}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    for query in ("", "?dryRun=All"):
        answer = await raw(cluster, "PATCH", CART + query, body=body, content_type=STRATEGIC_PATCH)
        text = 'admission webhook "policy.example.com" denied the request: no changes today'
        assert (answer.status, answer.json["message"]) == (403, text)
    assert image(cluster) == "web/cart:v1"
    assert cluster.journal.writes == []


async def test_a_webhook_that_refuses_pods_stops_the_replica_set(start: Start) -> None:
    cluster = await start([cart()])
    cluster.deny_admission(lambda _, resource, __: resource.plural == "pods", "no new pods", code=400)
    cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 3}})
    await cluster.wait_for(lambda: bool(cluster.events("web", "cart", "FailedCreate")))
    conditions = cluster.get("deployments", "cart", "web")["status"]["conditions"]
    assert conditions[-1]["type"] == "ReplicaFailure"


async def test_cordon_and_uncordon(start: Start, connect: Connect) -> None:
    cluster = await start([cart(3)])
    core: Any = client.CoreV1Api(await connect(cluster))
    await core.patch_node("worker-1", {"spec": {"unschedulable": True}})
    await cluster.settle()
    taints = cluster.get("nodes", "worker-1")["spec"]["taints"]
    assert taints[0]["key"] == "node.kubernetes.io/unschedulable"
    for pod in cluster.pods("web", "cart"):
        cluster.delete("pods", pod["metadata"]["name"], "web")
    await cluster.settle()
    assert "worker-1" not in {pod["spec"]["nodeName"] for pod in cluster.pods("web", "cart")}
    await core.patch_node("worker-1", {"spec": {"unschedulable": None}})
    await cluster.settle()
    assert "taints" not in cluster.get("nodes", "worker-1")["spec"]
