"""Faults on demand: wrong codes, delays, dropped connections, odd objects, and the control endpoints for all that."""

import asyncio
from typing import Any

import aiohttp
import pytest

from demo.cluster import Fault, scenarios
from demo.cluster.patches import MERGE_PATCH
from tests.demo.cluster.conftest import Raw, Start

CART = "/apis/apps/v1/namespaces/web/deployments/cart"


def cart() -> Any:
    return scenarios.running(scenarios.deployment("cart", "web", "web/cart:v1", replicas=2))


async def test_status_codes_for_a_path_prefix_and_a_number_of_times(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    cluster.faults.add(Fault(path="/api/v1/pods", status=429, retry_after=3, times=1))
    cluster.faults.add(Fault(path="/apis/apps", method="GET", status=503))
    limited = await raw(cluster, "GET", "/api/v1/pods")
    assert (limited.status, limited.headers["Retry-After"], limited.json["reason"]) == (429, "3", "TooManyRequests")
    assert (await raw(cluster, "GET", "/api/v1/pods")).status == 200
    assert (await raw(cluster, "GET", CART)).json["reason"] == "ServiceUnavailable"
    assert (await raw(cluster, "PATCH", CART, body={}, content_type=MERGE_PATCH)).status == 200
    cluster.faults.clear()
    assert (await raw(cluster, "GET", CART)).status == 200
    cluster.faults.add(Fault(path=CART, status=500, user="reader"))
    assert (await raw(cluster, "GET", CART, user="writer")).status == 200
    assert (await raw(cluster, "GET", CART, user="reader")).status == 500


async def test_a_write_that_is_done_but_never_answered(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    cluster.faults.add(Fault(path=CART, method="PATCH", drop="after", times=1))
    with pytest.raises(aiohttp.ClientError):
        await raw(cluster, "PATCH", CART, body={"spec": {"replicas": 5}}, content_type=MERGE_PATCH)
    assert cluster.get("deployments", "cart", "web")["spec"]["replicas"] == 5
    assert [entry.dropped for entry in cluster.journal.writes] == [True]


async def test_connections_closed_before_the_work(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    cluster.faults.add(Fault(path=CART, drop="before", times=1))
    with pytest.raises(aiohttp.ClientError):
        await raw(cluster, "PATCH", CART, body={"spec": {"replicas": 5}}, content_type=MERGE_PATCH)
    assert cluster.get("deployments", "cart", "web")["spec"]["replicas"] == 2
    assert cluster.journal.writes == []
    cluster.faults.unreachable = True
    with pytest.raises(aiohttp.ClientError):
        await raw(cluster, "GET", "/version")
    cluster.faults.unreachable = False
    assert (await raw(cluster, "GET", "/version")).status == 200


async def test_hanging_and_slow_answers(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    cluster.faults.add(Fault(path="/api/v1/pods", hang=True))
    cluster.faults.add(Fault(path="/api/v1/nodes", delay=0.1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw(cluster, "GET", "/api/v1/pods"), 0.2)
    begun = asyncio.get_running_loop().time()
    assert (await raw(cluster, "GET", "/api/v1/nodes")).status == 200
    assert asyncio.get_running_loop().time() - begun >= 0.1


async def test_half_a_list_and_expired_tokens(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    cluster.faults.add(Fault(path="/api/v1/pods", half_list=True, times=1))
    with pytest.raises(aiohttp.ClientPayloadError):
        await raw(cluster, "GET", "/api/v1/pods")
    token = (await raw(cluster, "GET", "/api/v1/pods?limit=1")).json["metadata"]["continue"]
    cluster.faults.add(Fault(path="/api/v1/pods", expire_continue=True))
    assert (await raw(cluster, "GET", f"/api/v1/pods?limit=1&continue={token}")).status == 410
    assert (await raw(cluster, "GET", "/api/v1/pods?limit=1")).status == 200


async def test_odd_objects_in_lists(start: Start, raw: Raw) -> None:
    cluster = await start([scenarios.crash_loop()])
    odd = ("null-containers", "missing-status", "null-conditions")
    cluster.faults.add(Fault(path="/api/v1/pods", odd=odd))
    cluster.faults.add(Fault(path="/api/v1/events", odd=("null-event-time", "null-labels", "bad-timestamp")))
    pods = (await raw(cluster, "GET", "/api/v1/pods")).json["items"]
    assert pods[0]["spec"]["containers"] is None
    assert "status" not in pods[1]
    assert pods[2]["status"]["conditions"] is None
    events = (await raw(cluster, "GET", "/api/v1/events")).json["items"]
    assert events[0]["lastTimestamp"] is None
    assert events[1]["metadata"]["labels"] is None
    assert cluster.pods("payments", "api")[0]["spec"]["containers"]


async def test_control_endpoints_from_another_process(start: Start, raw: Raw) -> None:
    cluster = await start([cart()])
    added = await raw(cluster, "POST", "/_test/faults", body={"path": "/api/v1/pods", "status": 500, "times": 1})
    assert added.json["status"] == 500
    assert (await raw(cluster, "GET", "/api/v1/pods")).status == 500
    journal = (await raw(cluster, "GET", "/_test/journal")).json
    assert [(entry["method"], entry["path"], entry["status"]) for entry in journal] == [("GET", "/api/v1/pods", 500)]
    assert (await raw(cluster, "GET", "/_test/faults")).json[0]["hits"] == 1
    await raw(cluster, "DELETE", "/_test/faults")
    await raw(cluster, "DELETE", "/_test/journal")
    assert (await raw(cluster, "GET", "/_test/journal")).json == []
    assert (await raw(cluster, "POST", "/_test/faults", body={"pth": "/"})).status == 400
    await raw(cluster, "POST", "/_test/nodes", body={"name": "worker-1", "do": "press", "kind": "DiskPressure"})
    assert any(each["status"] == "True" for each in cluster.get("nodes", "worker-1")["status"]["conditions"][:3])
    await raw(cluster, "POST", "/_test/nodes", body={"name": "worker-1", "do": "relieve", "kind": "DiskPressure"})
    await raw(cluster, "POST", "/_test/images", body={"repository": "web/cart", "tags": ["v2"]})
    container = {"name": "cart", "image": "web/cart:v2"}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    body: dict[str, Any] = {"kind": "deployments", "name": "cart", "namespace": "web", "patch": patch}
    assert (await raw(cluster, "POST", "/_test/patch", body=body)).json["metadata"]["generation"] == 2
    assert (await raw(cluster, "POST", "/_test/settle?timeout=5")).json == {"settled": True}
    assert cluster.pods("web", "cart")[0]["spec"]["containers"][0]["image"] == "web/cart:v2"
    await raw(cluster, "POST", "/_test/apply", body=scenarios.config_map("x", "web", a="b"))
    await raw(cluster, "POST", "/_test/delete", body={"kind": "configmaps", "name": "x", "namespace": "web"})
    assert (
        await raw(cluster, "POST", "/_test/delete", body={"kind": "cm", "name": "x", "namespace": "web"})
    ).status == 404
    body = {"user": "reader", "verb": "list", "resource": "pods"}
    await raw(cluster, "POST", "/_test/access", body=body)
    assert (await raw(cluster, "GET", "/api/v1/pods", user="reader")).status == 403
    await raw(cluster, "POST", "/_test/access", body=body | {"allow": True})
    assert (await raw(cluster, "GET", "/api/v1/pods", user="reader")).status == 200
    assert b"current-context: demo" in (await raw(cluster, "GET", "/_test/kubeconfig")).body
    await raw(cluster, "POST", "/_test/compact")
    await raw(cluster, "POST", "/_test/unreachable", body={"on": True})
    with pytest.raises(aiohttp.ClientError):
        await raw(cluster, "GET", "/version")
    await raw(cluster, "POST", "/_test/unreachable", body={"on": False})
    stranger = await raw(cluster, "GET", "/_test/journal", headers={"Host": "evil.example.com"})
    assert stranger.status == 403
