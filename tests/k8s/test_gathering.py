"""What detectors of somebody's own ask for is listed as plain JSON, bounded; what cannot be is named."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from k8s import gathering, model, ruling
from k8s.client import connection, discovering, reader
from tests.k8s.client import servers

CERTIFICATE = ruling.Wanted("cert-manager.io/v1", "Certificate")
NAME = str(CERTIFICATE)
EVERYWHERE = model.Scope()
PATH = "/apis/cert-manager.io/v1/certificates"
GROUP = [
    {"name": "certificates/status", "kind": "Certificate", "namespaced": True},
    {"name": "certificates", "kind": "Certificate", "namespaced": True},
    {"name": "clusterissuers", "kind": "ClusterIssuer", "namespaced": False},
]


class Api:
    """A server with one group of custom resources."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.wrong: dict[str, servers.Answer] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path in self.wrong:
            return await self.wrong[request.path](request)
        parts = request.path.split("/")
        if request.path == "/apis/cert-manager.io/v1":
            return web.json_response({"kind": "APIResourceList", "resources": GROUP})
        if parts[-1] not in ("certificates", "clusterissuers"):
            return await servers.status(404, "the server could not find the requested resource")(request)
        place = parts[parts.index("namespaces") + 1] if "namespaces" in parts else ""
        items = [item for item in self.items if not place or item["metadata"]["namespace"] == place]
        start, size = int(request.query.get("continue", "0")), int(request.query["limit"])
        more = {"continue": str(start + size)} if start + size < len(items) else {}
        return web.json_response({"metadata": more, "items": items[start : start + size]})


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def server(api: Api) -> AsyncIterator[servers.Server]:
    async with servers.serving(api) as running:
        yield running


@pytest.fixture
async def cluster(server: servers.Server, tmp_path: Path) -> AsyncIterator[reader.Reader]:
    async with servers.connected(server, tmp_path, connection.CallLimits(read_s=2.0, retries=0)) as over:
        yield reader.Reader(over)


async def gathered(
    cluster: reader.Reader,
    scope: model.Scope = EVERYWHERE,
    known: discovering.Known | None = None,
    wanted: ruling.Wanted = CERTIFICATE,
    **more: Any,
) -> gathering.Gathered:
    return await gathering.gather(cluster, (wanted,), scope, {} if known is None else known, **more)


def certificate(name: str, namespace: str = "payments", **meta: Any) -> model.Json:
    return {"metadata": {"name": name, "namespace": namespace, **meta}}


def names(found: gathering.Gathered, of: str = NAME) -> list[str]:
    return [item["metadata"]["name"] for item in found.objects[of]]


async def test_a_custom_resource_is_listed_whole_over_all_pages_as_plain_json(api: Api, cluster: reader.Reader) -> None:
    api.items = [certificate(str(number)) for number in range(1203)]
    found = await gathered(cluster)
    assert names(found) == [str(number) for number in range(1203)]
    assert found.objects[NAME][0]["kind"] == "Certificate"
    assert found.objects[NAME][0]["apiVersion"] == "cert-manager.io/v1"
    assert (found.unread, found.degraded) == ({}, {})


async def test_what_nobody_asks_about_is_left_out(api: Api, cluster: reader.Reader) -> None:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "a"}
    api.items = [certificate("web", annotations=applied, managedFields=[{}])]
    (item,) = (await gathered(cluster)).objects[NAME]
    assert item["metadata"] == {"name": "web", "namespace": "payments", "annotations": {"team": "a"}}


async def test_the_scope_holds_and_namespaces_that_are_named_are_listed_one_by_one(
    api: Api, server: servers.Server, cluster: reader.Reader
) -> None:
    api.items = [certificate("a"), certificate("b", "web"), certificate("c", "team-c")]
    assert names(await gathered(cluster, model.Scope(("payments", "web"), ("web",)))) == ["a"]
    assert [seen.path for seen in server.seen][-1] == "/apis/cert-manager.io/v1/namespaces/payments/certificates"
    assert names(await gathered(cluster, model.Scope(("team-*",)))) == ["c"]
    assert [seen.path for seen in server.seen][-1] == PATH


async def test_a_cluster_scoped_kind_is_listed_whatever_the_scope(api: Api, cluster: reader.Reader) -> None:
    api.items = [{"metadata": {"name": "letsencrypt"}}]
    issuer = ruling.Wanted("cert-manager.io/v1", "ClusterIssuer")
    assert names(await gathered(cluster, model.Scope(("payments",)), wanted=issuer), str(issuer)) == ["letsencrypt"]


async def test_discovery_is_asked_once(api: Api, server: servers.Server, cluster: reader.Reader) -> None:
    known: discovering.Known = {}
    for _ in range(3):
        await gathered(cluster, known=known)
    assert [seen.path for seen in server.seen].count("/apis/cert-manager.io/v1") == 1


@pytest.mark.parametrize(
    ("api_version", "kind", "told"),
    [
        ("argoproj.io/v1alpha1", "Rollout", "this cluster does not serve argoproj.io/v1alpha1"),
        ("cert-manager.io/v1", "Order", "this cluster has no kind Order in cert-manager.io/v1"),
    ],
)
async def test_a_kind_that_the_cluster_does_not_have_is_unread(
    cluster: reader.Reader, api_version: str, kind: str, told: str
) -> None:
    wanted = ruling.Wanted(api_version, kind)
    found = await gathered(cluster, wanted=wanted)
    assert (found.unread, found.degraded) == ({str(wanted): f"could not list {kind} ({api_version}): {told}"}, {})


async def test_a_resource_that_was_taken_away_is_discovered_anew(
    api: Api, server: servers.Server, cluster: reader.Reader
) -> None:
    known: discovering.Known = {}
    await gathered(cluster, known=known)
    api.wrong[PATH] = servers.status(404, "the server could not find the requested resource")
    assert NAME in (await gathered(cluster, known=known)).unread
    api.wrong.clear()
    api.items = [certificate("web")]
    assert names(await gathered(cluster, known=known)) == ["web"]
    assert [seen.path for seen in server.seen].count("/apis/cert-manager.io/v1") == 2


async def test_a_list_that_may_not_be_read_is_degraded(api: Api, cluster: reader.Reader) -> None:
    api.wrong[PATH] = servers.status(403, 'certificates is forbidden: User "x" cannot list resource "certificates"')
    found = await gathered(cluster)
    assert (found.unread, list(found.degraded)) == ({}, [NAME])
    assert "is forbidden" in found.degraded[NAME]


async def test_a_list_that_is_too_long_is_cut_and_says_so(api: Api, cluster: reader.Reader) -> None:
    api.items = [certificate(str(number)) for number in range(30)]
    found = await gathered(cluster, most=20)
    assert len(found.objects[NAME]) == 20
    assert found.degraded == {NAME: "there are more than 20 certificates, the rest were left out"}


async def test_a_list_that_takes_too_long_is_cut_and_says_so(api: Api, cluster: reader.Reader) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1.0)
        return await servers.empty(request)

    api.wrong[PATH] = never
    found = await gathered(cluster, seconds=0.1)
    assert found.degraded == {NAME: f"listing {NAME} took longer than 0.1 s and was cut short"}


@pytest.mark.parametrize("odd", [3, None, "x", [], {}, {"metadata": None}, {"metadata": []}])
async def test_an_odd_object_is_left_out_and_counted(api: Api, cluster: reader.Reader, odd: Any) -> None:
    api.items = [certificate("web"), odd]
    found = await gathered(cluster)
    assert names(found) == ["web"]
    assert found.degraded == {NAME: "1 certificates could not be read and were left out"}


async def test_what_is_no_list_is_degraded(api: Api, cluster: reader.Reader) -> None:
    api.wrong[PATH] = servers.always({"items": 3})
    assert "could not be decoded" in (await gathered(cluster)).degraded[NAME]


async def test_it_is_added_to_a_snapshot_and_freed_with_it(api: Api, cluster: reader.Reader) -> None:
    api.items = [certificate(str(number)) for number in range(250)]
    found = await gathered(cluster)
    bare = model.Snapshot("prod", datetime(2026, 11, 21, tzinfo=UTC), unread={"secrets": "off"})
    seen = gathering.added(bare, found, {"CertificateNotReady": (NAME,)})
    assert len(seen.custom[NAME]) == 250
    assert (seen.unread, seen.rests) == ({"secrets": "off"}, {"CertificateNotReady": (NAME,)})
    await gathering.discard(seen)
    assert seen.custom[NAME] == []
