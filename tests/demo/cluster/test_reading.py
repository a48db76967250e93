"""Lists, pages, selectors, watches, logs and discovery, by the official client and by plain HTTP."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client

from demo.cluster import Run, SimulatedCluster, scenarios
from tests.demo.cluster.conftest import Connect, Raw, Start


def cart(replicas: int = 3) -> Any:
    return scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=replicas))


async def test_official_client_reads_bytes_and_typed_objects(start: Start, connect: Connect) -> None:
    cluster = await start("demo")
    core: Any = client.CoreV1Api(await connect(cluster))
    response = await core.list_pod_for_all_namespaces_without_preload_content(limit=500)
    listed = json.loads(await response.read())
    assert listed["kind"] == "PodList"
    assert len(listed["items"]) == len(cluster.list("pods"))
    assert "kind" not in listed["items"][0]
    pods = await core.list_namespaced_pod("payments")
    assert {pod.metadata.namespace for pod in pods.items} == {"payments"}
    nodes = await core.list_node()
    assert all(condition.status == "False" for condition in nodes.items[0].status.conditions[:3])
    apps: Any = client.AppsV1Api(core.api_client)
    deployment = await apps.read_namespaced_deployment("api", "payments")
    assert deployment.status.unavailable_replicas == 3
    assert (await apps.list_stateful_set_for_all_namespaces()).items
    assert (await apps.list_daemon_set_for_all_namespaces()).items
    batch: Any = client.BatchV1Api(core.api_client)
    assert {job.status.failed for job in (await batch.list_namespaced_job("batch")).items} == {None, 3}
    assert (await batch.list_namespaced_cron_job("batch")).items[0].status.last_schedule_time
    assert (await client.PolicyV1Api(core.api_client).list_pod_disruption_budget_for_all_namespaces()).items
    assert (await client.VersionApi(core.api_client).get_code()).git_version.startswith("v1.")
    assert (await client.DiscoveryV1Api(core.api_client).list_namespaced_endpoint_slice("web")).items


async def test_every_object_of_the_demo_has_the_shape_that_the_typed_client_expects(
    start: Start, connect: Connect
) -> None:
    cluster = await start([*scenarios.demo(), scenarios.node_pressure(), scenarios.quota_exceeded()])
    api = await connect(cluster)
    core: Any = client.CoreV1Api(api)
    apps: Any = client.AppsV1Api(api)
    batch: Any = client.BatchV1Api(api)
    lists: list[Any] = [
        core.list_pod_for_all_namespaces,
        core.list_event_for_all_namespaces,
        core.list_service_for_all_namespaces,
        core.list_endpoints_for_all_namespaces,
        core.list_namespace,
        core.list_node,
        core.list_secret_for_all_namespaces,
        core.list_resource_quota_for_all_namespaces,
        core.list_persistent_volume_claim_for_all_namespaces,
        apps.list_deployment_for_all_namespaces,
        apps.list_replica_set_for_all_namespaces,
        apps.list_stateful_set_for_all_namespaces,
        apps.list_daemon_set_for_all_namespaces,
        apps.list_controller_revision_for_all_namespaces,
        batch.list_job_for_all_namespaces,
        batch.list_cron_job_for_all_namespaces,
        client.PolicyV1Api(api).list_pod_disruption_budget_for_all_namespaces,
        client.DiscoveryV1Api(api).list_endpoint_slice_for_all_namespaces,
        client.CoordinationV1Api(api).list_lease_for_all_namespaces,
    ]
    for read in lists:
        assert (await read()).items, read.__name__


async def test_pages_are_cut_from_one_snapshot(start: Start, raw: Raw) -> None:
    cluster = await start([cart(5)])
    first = (await raw(cluster, "GET", "/api/v1/pods?limit=2")).json
    assert first["metadata"]["remainingItemCount"] == 3
    cluster.patch("deployments", "cart", "web", {"spec": {"replicas": 1}})
    await cluster.settle()
    names, token = [item["metadata"]["name"] for item in first["items"]], first["metadata"]["continue"]
    while token:
        page = (await raw(cluster, "GET", f"/api/v1/pods?limit=2&continue={token}")).json
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue")
    assert len(set(names)) == 5


async def test_lists_of_two_namespaces_at_one_revision_have_pages_of_their_own(start: Start, raw: Raw) -> None:
    cluster = await start([cart(5)])
    everywhere = (await raw(cluster, "GET", "/api/v1/pods?limit=2&labelSelector=app=cart")).json
    there = (await raw(cluster, "GET", "/api/v1/namespaces/web/pods?limit=4")).json
    assert everywhere["metadata"]["resourceVersion"] == there["metadata"]["resourceVersion"]
    nowhere = (await raw(cluster, "GET", "/api/v1/namespaces/kube-system/pods?limit=1")).json
    assert nowhere["items"] == []
    token = there["metadata"]["continue"]
    rest = (await raw(cluster, "GET", f"/api/v1/namespaces/web/pods?limit=4&continue={token}")).json["items"]
    names = [item["metadata"]["name"] for item in (*there["items"], *rest)]
    assert len(set(names)) == len(names) == len(cluster.list("pods", "web"))


async def test_expired_continue_token_is_410_with_a_new_token(start: Start, raw: Raw) -> None:
    cluster = await start([cart(5)])
    first = (await raw(cluster, "GET", "/api/v1/pods?limit=2")).json
    cluster.compact()
    answer = await raw(cluster, "GET", f"/api/v1/pods?limit=2&continue={first['metadata']['continue']}")
    assert (answer.status, answer.json["reason"]) == (410, "Expired")
    assert answer.json["metadata"]["continue"]


async def test_the_new_token_of_a_410_goes_on_behind_the_last_object_in_the_newest_state(
    start: Start, raw: Raw
) -> None:
    cluster = await start([cart(7)])
    before = [item["metadata"]["name"] for item in (await raw(cluster, "GET", "/api/v1/pods")).json["items"]]
    first = (await raw(cluster, "GET", "/api/v1/pods?limit=2")).json
    cluster.delete("pods", before[0], "web", grace=0)
    cluster.delete("pods", before[3], "web", grace=0)
    cluster.compact()
    token = first["metadata"]["continue"]
    answer = await raw(cluster, "GET", f"/api/v1/pods?limit=2&continue={token}")
    names, token = [], answer.json["metadata"]["continue"]
    while token:
        page = (await raw(cluster, "GET", f"/api/v1/pods?limit=2&continue={token}")).json
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue")
    assert before[0] not in names
    assert before[1] not in names
    assert set(before[2:3] + before[4:]) <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("labelSelector=app%3Dcart", {"cart"}),
        ("labelSelector=app!%3Dcart", {"api"}),
        ("labelSelector=app+in+(cart,api),pod-template-hash", {"cart", "api"}),
        ("labelSelector=app+notin+(cart)", {"api"}),
        ("labelSelector=!nothing,app%3D%3Dapi", {"api"}),
        ("fieldSelector=metadata.namespace%3Dweb", {"cart"}),
        ("fieldSelector=status.phase%3DRunning,metadata.namespace!%3Dweb", {"api"}),
        ("fieldSelector=spec.nodeName%3Dnowhere", set()),
    ],
)
async def test_selectors(start: Start, raw: Raw, query: str, expected: set[str]) -> None:
    cluster = await start([cart(), scenarios.running(scenarios.deployment("api", "pay", "pay/api:v1"))])
    answer = await raw(cluster, "GET", f"/api/v1/pods?{query}")
    assert {item["metadata"]["labels"]["app"] for item in answer.json["items"]} == expected
    assert "remainingItemCount" not in answer.json["metadata"]


async def test_wrong_selectors_are_refused(start: Start, raw: Raw) -> None:
    cluster = await start()
    answer = await raw(cluster, "GET", "/api/v1/pods?fieldSelector=spec.image%3Dx")
    assert (answer.status, answer.json["message"]) == (400, "field label not supported: spec.image")
    answer = await raw(cluster, "GET", "/api/v1/pods?labelSelector=a+like+b")
    assert answer.status == 400
    answer = await raw(cluster, "GET", "/api/v1/pods?resourceVersion=999999999")
    assert (answer.status, answer.json["reason"]) == (504, "Timeout")


async def test_events_of_one_object_in_both_groups(start: Start, raw: Raw) -> None:
    cluster = await start([cart(1)])
    pod = cluster.pods("web", "cart")[0]
    cluster.delete("pods", pod["metadata"]["name"], "web")
    await cluster.settle()
    uid = pod["metadata"]["uid"]
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/web/events?fieldSelector=involvedObject.uid%3D{uid}")
    assert [item["reason"] for item in answer.json["items"]] == ["Killing"]
    event = answer.json["items"][0]
    assert event["involvedObject"]["fieldPath"] == "spec.containers{cart}"
    assert event["count"] == 1
    newer = (await raw(cluster, "GET", "/apis/events.k8s.io/v1/namespaces/web/events")).json
    found = next(item for item in newer["items"] if item["metadata"]["name"] == event["metadata"]["name"])
    assert (found["note"], found["regarding"]["uid"]) == (event["message"], uid)
    assert newer["kind"] == "EventList"


async def lines(response: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        return [json.loads(await response.content.readline()) for _ in range(count)]


async def test_watch_reports_additions_changes_and_deletions(start: Start) -> None:
    cluster = await start([cart(1)])
    headers = {"Authorization": f"Bearer {cluster.token('reader')}"}
    version = cluster.store.revision
    path = f"/apis/apps/v1/namespaces/web/deployments?watch=1&resourceVersion={version}&labelSelector=app%3Dcart"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(cluster.url + path) as response:
        cluster.patch("deployments", "cart", "web", {"metadata": {"annotations": {"note": "1"}}})
        cluster.patch("deployments", "cart", "web", {"metadata": {"labels": {"app": "other"}}})
        cluster.patch("deployments", "cart", "web", {"metadata": {"labels": {"app": "cart"}}})
        cluster.delete("deployments", "cart", "web")
        events = await lines(response, 4)
    assert [event["type"] for event in events] == ["MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert events[0]["object"]["kind"] == "Deployment"
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(versions)


async def test_watch_without_a_version_begins_with_what_is_there(start: Start) -> None:
    cluster = await start([cart(2)])
    headers = {"Authorization": f"Bearer {cluster.token('reader')}"}
    path = "/api/v1/namespaces/web/pods?watch=true&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(cluster.url + path) as response:
        events = await lines(response, 3)
        assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK"]
        assert events[2]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert json.loads(await response.content.readline())["type"] == "BOOKMARK"
        assert await response.content.read() == b""


async def test_watch_that_is_too_old_gets_an_error_event(start: Start) -> None:
    cluster = await start([cart(1)])
    cluster.compact()
    headers = {"Authorization": f"Bearer {cluster.token('reader')}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(cluster.url + "/api/v1/pods?watch=1&resourceVersion=5") as response,
    ):
        event = json.loads(await response.content.readline())
    assert (response.status, event["type"], event["object"]["code"]) == (200, "ERROR", 410)
    assert event["object"]["message"].startswith("too old resource version: 5 (")


async def test_logs_with_all_their_options(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.crash_loop()])
    name = cluster.pods("payments", "api")[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/payments/pods/{name}/log"
    whole = (await raw(cluster, "GET", path)).body.decode()
    assert "Traceback (most recent call last):" in whole
    assert "postgres://app:" in whole
    assert (await raw(cluster, "GET", f"{path}?previous=true&tailLines=1")).body == b"KeyError: 'DB_URL'\n"
    assert (await raw(cluster, "GET", f"{path}?limitBytes=10")).body == whole.encode()[:10]
    stamped = (await raw(cluster, "GET", f"{path}?timestamps=true&tailLines=1")).body.decode()
    assert stamped.startswith("2")
    assert "Z KeyError" in stamped
    assert (await raw(cluster, "GET", f"{path}?sinceSeconds=1")).body == b""
    assert (await raw(cluster, "GET", f"{path}?tailLines=x")).status == 400
    wrong = await raw(cluster, "GET", f"{path}?container=nope")
    assert (wrong.status, wrong.json["message"]) == (400, f"container nope is not valid for pod {name}")


async def test_logs_that_do_not_exist_yet_are_refused_in_the_kubelets_words(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.bad_image(), scenarios.init_failing(), scenarios.unschedulable()])
    broken = next(p["metadata"]["name"] for p in cluster.pods("web", "storefront") if p["status"]["phase"] == "Pending")
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/web/pods/{broken}/log")
    text = f'container "storefront" in pod "{broken}" is waiting to start: trying and failing to pull image'
    assert (answer.status, answer.json["reason"], answer.json["message"]) == (400, "BadRequest", text)
    good = next(p["metadata"]["name"] for p in cluster.pods("web", "storefront") if p["status"]["phase"] == "Running")
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/web/pods/{good}/log?previous=true")
    assert answer.json["message"] == f'previous terminated container "storefront" in pod "{good}" not found'
    init = cluster.pods("shop", "catalog")[0]["metadata"]["name"]
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/shop/pods/{init}/log?container=catalog")
    assert answer.json["message"].endswith("is waiting to start: PodInitializing")
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/shop/pods/{init}/log?container=migrate")
    assert b"migration failed" in answer.body
    pending = cluster.pods("batch", "report-builder")[0]["metadata"]["name"]
    assert (await raw(cluster, "GET", f"/api/v1/namespaces/batch/pods/{pending}/log")).body == b""
    assert (await raw(cluster, "GET", "/api/v1/namespaces/batch/pods/gone/log")).status == 404


async def test_pods_with_two_containers_need_a_name_for_the_log(start: Start, raw: Raw) -> None:
    cluster = await start()
    cluster.images.publish("web/two", "v1", program=lambda launch: Run(lines=((0.1, f"I am {launch.container}"),)))
    manifest = scenarios.deployment("two", "web", "web/two:v1")
    manifest["spec"]["template"]["spec"]["containers"].append(scenarios.container("side", "web/two:v1"))
    cluster.apply(manifest)
    await cluster.settle()
    name = cluster.pods("web", "two")[0]["metadata"]["name"]
    answer = await raw(cluster, "GET", f"/api/v1/namespaces/web/pods/{name}/log")
    assert answer.json["message"] == f"a container name must be specified for pod {name}, choose one of: [two side]"
    side = cluster.get("pods", name, "web")["status"]["containerStatuses"][1]["containerID"]
    await cluster.wait_for(lambda: bool(cluster.kubelets.logs.lines(side)))
    assert (await raw(cluster, "GET", f"/api/v1/namespaces/web/pods/{name}/log?container=side")).body == b"I am side\n"


async def test_discovery_and_health(start: Start, raw: Raw) -> None:
    cluster = await start()
    for path in ("/healthz", "/readyz", "/livez"):
        assert (await raw(cluster, "GET", path, token="")).body == b"ok"
    groups = {group["name"] for group in (await raw(cluster, "GET", "/apis")).json["groups"]}
    assert {"apps", "batch", "policy", "autoscaling", "events.k8s.io", "authorization.k8s.io"} <= groups
    core = {row["name"]: row for row in (await raw(cluster, "GET", "/api/v1")).json["resources"]}
    assert {"pods", "pods/log", "pods/eviction", "nodes", "secrets"} <= set(core)
    assert core["pods"]["shortNames"] == ["po"]
    apps = {row["name"] for row in (await raw(cluster, "GET", "/apis/apps/v1")).json["resources"]}
    assert {"deployments", "deployments/scale", "controllerrevisions"} <= apps
    assert (await raw(cluster, "GET", "/api")).json["versions"] == ["v1"]
    assert (await raw(cluster, "GET", "/apis/apps")).json["preferredVersion"]["version"] == "v1"
    assert (await raw(cluster, "GET", "/apis/metrics.k8s.io/v1beta1/pods")).status == 404
    assert (await raw(cluster, "GET", "/apis/wombats.example/v1/wombats")).body == b"404 page not found\n"
    missing = await raw(cluster, "GET", "/api/v1/wombats")
    assert (missing.status, missing.json["message"]) == (404, "the server could not find the requested resource")


async def test_metadata_only_lists(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.crash_loop()])
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    answer = await raw(cluster, "GET", "/api/v1/secrets", headers=accept)
    assert answer.json["kind"] == "PartialObjectMetadataList"
    assert set(answer.json["items"][0]) == {"kind", "apiVersion", "metadata"}
    only_protobuf = {"Accept": "application/vnd.kubernetes.protobuf"}
    assert (await raw(cluster, "GET", "/api/v1/secrets", headers=only_protobuf)).status == 406


async def test_the_same_seed_gives_the_same_names(start: Start) -> None:
    one, two = await start("demo"), await start("demo")

    def names(cluster: SimulatedCluster) -> list[str]:
        return [pod["metadata"]["name"] + pod["metadata"]["uid"] for pod in cluster.list("pods")]

    assert names(one) == names(two)
