"""A sweep comes to an end with what can be seen, bounded in memory and time, and leaves the event loop its turns."""

import asyncio
import dataclasses
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from demo.cluster import SimulatedCluster
from demo.cluster.faults import ODDITIES, Fault
from k8s import model, snapshot
from k8s.client import connection, errors, reader
from tests.k8s.client import servers

EVERYWHERE = model.Scope()
USUAL = snapshot.Limits()
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
LISTS = {
    "namespaces": "/api/v1/namespaces",
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "deployments": "/apis/apps/v1/deployments",
    "replicasets": "/apis/apps/v1/replicasets",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "jobs": "/apis/batch/v1/jobs",
    "cronjobs": "/apis/batch/v1/cronjobs",
    "events": "/api/v1/events",
}
OPTIONAL = {
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "ingresses": "/apis/networking.k8s.io/v1/ingresses",
    "ingressclasses": "/apis/networking.k8s.io/v1/ingressclasses",
    "persistentvolumeclaims": "/api/v1/persistentvolumeclaims",
    "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
    "resourcequotas": "/api/v1/resourcequotas",
    "horizontalpodautoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
    "poddisruptionbudgets": "/apis/policy/v1/poddisruptionbudgets",
    "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "mutatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
}
SECRETS = "/api/v1/secrets"
LISTS |= OPTIONAL


class Api:
    """A cluster as lists of objects; `wrong` answers for a list name instead."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {name: [] for name in (*LISTS, "secrets", "podmetrics")}
        self.wrong: dict[str, servers.Answer] = {}
        self.separators = (", ", ": ")

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        name = "podmetrics" if "metrics.k8s.io" in request.path else request.path.rpartition("/")[2]
        if name in self.wrong:
            return await self.wrong[name](request)
        items = self.lists[name]
        parts = request.path.split("/")
        if "namespaces" in parts[:-1]:
            place = parts[parts.index("namespaces") + 1]
            items = [item for item in items if item["metadata"]["namespace"] == place]
        start, size = int(request.query.get("continue", "0")), int(request.query["limit"])
        more = {"continue": str(start + size)} if start + size < len(items) else {}
        listed = {"metadata": {"resourceVersion": "1"} | more, "items": items[start : start + size]}
        return web.json_response(text=json.dumps(listed, separators=self.separators))


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


async def taken(
    cluster: reader.Reader,
    scope: model.Scope = EVERYWHERE,
    limits: snapshot.Limits = USUAL,
    *,
    certificates: bool = False,
) -> model.Snapshot:
    return await snapshot.take(
        cluster, scope, now=NOW, monotonic=time.monotonic, limits=limits, certificates=certificates
    )


def item(name: str, namespace: str = "payments", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}} | more


def event(name: str, last: str, namespace: str = "payments", kind: str = "Pod") -> dict[str, Any]:
    about = {"kind": kind, "name": "x"} | ({} if kind == "Node" else {"namespace": namespace})
    place = "default" if kind == "Node" else namespace
    return item(name, place, involvedObject=about, type="Warning", lastTimestamp=last)


def names(items: Any) -> list[str]:
    return [each.metadata.name for each in items]


async def test_every_kind_is_listed_whole_over_all_pages(api: Api, cluster: reader.Reader) -> None:
    for name in LISTS:
        api.lists[name] = [item(f"{name}-{number}") for number in range(5)]
    seen = await taken(cluster, limits=snapshot.Limits(page=2))
    for name in LISTS:
        assert sorted(names(getattr(seen, name))) == [f"{name}-{number}" for number in range(5)]
    assert (seen.cluster, seen.taken_at, seen.degraded, seen.odd) == ("prod-eu", NOW, {}, 0)
    assert seen.seconds > 0


async def test_only_warning_events_are_asked_for(server: servers.Server, cluster: reader.Reader) -> None:
    await taken(cluster)
    selectors = {seen.path: seen.query.get("fieldSelector") for seen in server.seen}
    assert selectors.pop(LISTS["events"]) == "type=Warning"
    assert set(selectors.values()) == {None}


async def test_seconds_come_from_the_given_clock(cluster: reader.Reader) -> None:
    ticks = itertools.count(100.0, 7.5)
    seen = await snapshot.take(cluster, model.Scope(), now=NOW, monotonic=lambda: next(ticks))
    assert seen.seconds == 7.5


# --- scope ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ((), (), ["kube-system", "payments", "payments-eu", "search"]),
        (("pay*",), (), ["payments", "payments-eu"]),
        ((), ("kube-*", "search"), ["payments", "payments-eu"]),
        (("pay*", "search"), ("*-eu",), ["payments", "search"]),
        (("*",), ("*",), []),
    ],
)
async def test_globs_choose_namespaces_and_exclusion_wins(
    api: Api, cluster: reader.Reader, include: tuple[str, ...], exclude: tuple[str, ...], kept: list[str]
) -> None:
    places = ["kube-system", "payments", "payments-eu", "search"]
    api.lists["namespaces"] = [{"metadata": {"name": place}} for place in places]
    for name in ("pods", "deployments", "jobs"):
        api.lists[name] = [item(f"{name}-{place}", place) for place in places]
    api.lists["events"] = [event(f"e-{place}", "2026-11-21T03:00:00Z", place) for place in places]
    api.lists["nodes"] = [{"metadata": {"name": "node-1"}}]
    seen = await taken(cluster, model.Scope(include, exclude))
    assert names(seen.namespaces) == kept
    assert names(seen.pods) == [f"pods-{place}" for place in kept]
    assert names(seen.jobs) == [f"jobs-{place}" for place in kept]
    assert names(seen.events) == [f"e-{place}" for place in kept]
    assert names(seen.nodes) == ["node-1"]


async def test_events_about_nodes_are_kept_whatever_the_scope(api: Api, cluster: reader.Reader) -> None:
    api.lists["events"] = [event("pressure", "2026-11-21T03:00:00Z", kind="Node")]
    assert names((await taken(cluster, model.Scope(("pay*",)))).events) == ["pressure"]


async def test_namespaces_without_globs_are_listed_one_by_one(
    api: Api, server: servers.Server, cluster: reader.Reader
) -> None:
    api.lists["pods"] = [item("a", "payments"), item("b", "search"), item("c", "other")]
    seen = await taken(cluster, model.Scope(("payments", "search", "payments", "hidden"), ("hidden",)))
    assert names(seen.pods) == ["a", "b"]
    asked = [each.path for each in server.seen if each.path.startswith("/api/") and each.path.endswith("/pods")]
    assert asked == ["/api/v1/namespaces/payments/pods", "/api/v1/namespaces/search/pods"]
    assert LISTS["nodes"] in [each.path for each in server.seen]


async def test_nothing_is_listed_where_all_named_namespaces_are_excluded(
    api: Api, server: servers.Server, cluster: reader.Reader
) -> None:
    api.lists["pods"] = [item("a", "payments")]
    assert list((await taken(cluster, model.Scope(("payments",), ("pay*",)))).pods) == []
    assert not [each for each in server.seen if each.path.endswith("/pods")]


# --- what cannot be seen ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"), [(403, 'User "x" cannot list resource "nodes"'), (404, "gone"), (429, "slow"), (503, "later")]
)
async def test_a_kind_that_cannot_be_listed_is_degraded_and_the_rest_is_seen(
    api: Api, cluster: reader.Reader, code: int, words: str
) -> None:
    api.lists["pods"] = [item("a")]
    api.wrong["nodes"] = servers.status(code, words, details={"retryAfterSeconds": 60})
    seen = await taken(cluster)
    assert seen.degraded == {"nodes": f"could not list nodes: {words}"}
    assert names(seen.pods) == ["a"]
    assert not seen.saw(("pods", "nodes"))
    assert seen.saw(("pods", "events"))


async def test_pods_that_may_not_be_listed_do_not_fail_the_sweep(api: Api, cluster: reader.Reader) -> None:
    api.lists["nodes"] = [{"metadata": {"name": "node-1"}}]
    api.wrong["pods"] = servers.status(403, 'User "x" cannot list resource "pods"')
    seen = await taken(cluster)
    assert set(seen.degraded) == {"pods"}
    assert names(seen.nodes) == ["node-1"]


async def test_the_pages_before_a_failure_are_kept_and_the_kind_is_degraded(api: Api, cluster: reader.Reader) -> None:
    api.lists["pods"] = [item(f"pod-{number}") for number in range(6)]
    api.wrong["pods"] = servers.in_turn(_without_wrong(api), _without_wrong(api), servers.status(500, "etcd"))
    seen = await taken(cluster, limits=snapshot.Limits(page=2))
    assert names(seen.pods) == ["pod-0", "pod-1", "pod-2", "pod-3"]
    assert set(seen.degraded) == {"pods"}


def _without_wrong(api: Api) -> servers.Answer:
    clean = Api()
    clean.lists = api.lists
    return clean


@pytest.mark.parametrize("code", [401, 403, 500])
async def test_when_nothing_at_all_can_be_listed_the_sweep_fails(api: Api, cluster: reader.Reader, code: int) -> None:
    api.wrong = dict.fromkeys(LISTS, servers.status(code, "no"))
    with pytest.raises(errors.ClusterError) as caught:
        await taken(cluster)
    assert caught.value.message.partition(";")[0] == "no", "the server's words come first"


async def test_an_unreachable_cluster_fails_the_sweep(server: servers.Server, tmp_path: Path) -> None:
    async with servers.serving() as gone:
        pass
    async with servers.connected(gone, tmp_path) as over:
        with pytest.raises(errors.Unreachable):
            await taken(reader.Reader(over))


async def test_a_list_that_hangs_is_cut_short_at_its_time(api: Api, cluster: reader.Reader) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    api.lists["pods"] = [item("a")]
    api.wrong["events"] = hang
    started = time.monotonic()
    seen = await taken(cluster, limits=snapshot.Limits(timeout_s=0.2))
    assert time.monotonic() - started < 2
    assert seen.degraded == {"events": "listing events took longer than 0.2 s and was cut short"}
    assert names(seen.pods) == ["a"]


@pytest.mark.parametrize("body", ["<html>", '{"items": [', '{"items": 7}', "[]"])
async def test_an_answer_that_is_no_list_degrades_its_kind(api: Api, cluster: reader.Reader, body: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    api.wrong["jobs"] = answer
    seen = await taken(cluster)
    assert set(seen.degraded) == {"jobs"}
    assert seen.degraded["jobs"].startswith("could not list jobs: ")


# --- lists that an identity may do without, and certificates ----------------------------------------------------------


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("code", [403, 404])
async def test_an_optional_list_without_a_right_or_an_api_is_unread_and_the_sweep_is_whole(
    api: Api, cluster: reader.Reader, name: str, code: int
) -> None:
    api.lists["pods"] = [item("a")]
    why = f'User "x" cannot list resource "{name}"'
    api.wrong[name] = servers.status(code, why)
    seen = await taken(cluster)
    assert seen.degraded == {}
    assert seen.unread == {
        name: f"could not list {name}: {why}",
        "secrets": "reading certificates is off",
    }
    assert not seen.saw(("pods", name))
    assert seen.saw(("pods",))


@pytest.mark.parametrize("name", OPTIONAL)
async def test_an_optional_list_that_fails_is_degraded_like_any_other(
    api: Api, cluster: reader.Reader, name: str
) -> None:
    api.wrong[name] = servers.status(500, "etcd")
    seen = await taken(cluster)
    assert seen.degraded == {name: f"could not list {name}: etcd"}
    assert set(seen.unread) == {"secrets"}
    assert not seen.saw((name,))


@pytest.mark.parametrize("name", ["pods", "deployments", "events", "nodes"])
async def test_a_list_that_every_sweep_needs_is_never_unread(api: Api, cluster: reader.Reader, name: str) -> None:
    api.wrong[name] = servers.status(403, "no")
    seen = await taken(cluster)
    assert set(seen.degraded) == {name}
    assert set(seen.unread) == {"secrets"}


async def test_an_identity_with_no_right_but_to_optional_lists_sees_them(api: Api, cluster: reader.Reader) -> None:
    api.wrong = dict.fromkeys(LISTS.keys() - {"services"}, servers.status(403, 'User "x" cannot list resource'))
    api.lists["services"] = [item("web")]
    seen = await taken(cluster)
    assert names(seen.services) == ["web"]
    assert set(seen.degraded) == LISTS.keys() - OPTIONAL.keys()


async def test_secrets_are_never_asked_for_unless_certificates_are_wanted(
    api: Api, server: servers.Server, cluster: reader.Reader
) -> None:
    api.lists["secrets"] = [item("web-tls", type="kubernetes.io/tls", data={"tls.crt": "LS0t", "tls.key": "hidden"})]
    seen = await taken(cluster)
    assert list(seen.secrets) == []
    assert seen.unread == {"secrets": "reading certificates is off"}
    assert SECRETS not in [each.path for each in server.seen]
    assert not [each for each in server.seen if "secret" in each.path]


async def test_of_a_tls_secret_the_certificate_is_read_and_the_key_is_nowhere(
    api: Api, server: servers.Server, cluster: reader.Reader
) -> None:
    data = {"tls.crt": "Q0VSVA==", "tls.key": "VEhFLUtFWQ==", "ca.crt": "VEhFLUNB", "password": "VEhFLVBX"}
    secret = item("web-tls", type="kubernetes.io/tls", data=data, stringData={"tls.key": "PLAIN-KEY"})
    secret["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(data)}
    api.lists["secrets"] = [secret]
    seen = await taken(cluster, certificates=True)
    (read,) = seen.secrets
    assert read.data is not None
    assert read.data.certificate == "Q0VSVA=="
    assert [each.query.get("fieldSelector") for each in server.seen if each.path == SECRETS] == [
        "type=kubernetes.io/tls"
    ]
    held = list(_everything(seen))
    assert "Q0VSVA==" in held
    for hidden in ("VEhFLUtFWQ==", "VEhFLUNB", "VEhFLVBX", "PLAIN-KEY"):
        assert not [text for text in held if hidden in text]
    assert seen.unread == {}


def _everything(value: Any) -> Iterator[str]:
    """Every text in a value, its parts and their parts: keys too, and the fields of structs and dataclasses."""
    if isinstance(value, str | bytes):
        yield value if isinstance(value, str) else value.decode(errors="replace")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _everything(key)
            yield from _everything(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _everything(each)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _everything(getattr(value, name))
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _everything(getattr(value, each.name))


@pytest.mark.parametrize("code", [403, 404, 500, 503])
async def test_metrics_are_never_missed(api: Api, cluster: reader.Reader, code: int) -> None:
    api.wrong["podmetrics"] = servers.status(code, "the server is currently unable to handle the request")
    seen = await taken(cluster)
    assert (set(seen.unread), seen.degraded) == ({"secrets", "podmetrics"}, {})


async def test_a_list_that_comes_in_one_large_piece_is_read_whole(api: Api, cluster: reader.Reader) -> None:
    wide = {"usage": {"memory": "1Ki"}, "name": "x" * 5000}
    every = [item(f"p{number}", containers=[wide]) for number in range(2_000)]
    every[7] = item("odd", containers="none")
    seen = await taken(cluster, limits=snapshot.Limits(page=10_000))
    assert seen.podmetrics == []
    api.lists["podmetrics"] = every
    seen = await taken(cluster, limits=snapshot.Limits(page=10_000))
    assert len(seen.podmetrics) == 1_999
    assert seen.podmetrics[-1].metadata.name == "p1999"
    assert seen.odd == 1


@pytest.mark.parametrize("nested", [0, 3], ids=["plain", "with what looks like the end of an object inside of one"])
async def test_a_list_in_one_piece_that_is_written_compactly_is_read_whole(
    api: Api, cluster: reader.Reader, nested: int
) -> None:
    api.separators = (",", ":")
    parts = [{"metadata": {"name": "x" * 99_000}}] * nested
    every = [
        item(f"p{number}", containers=[{"name": "x" * 5000}], templates=parts if number == 50 else [])
        for number in range(1_000)
    ]
    every[7] = item("odd", containers="none")
    api.lists["podmetrics"] = every
    seen = await taken(cluster, limits=snapshot.Limits(page=10_000))
    assert [each.metadata.name for each in seen.podmetrics] == [f"p{number}" for number in range(1_000) if number != 7]
    assert seen.odd == 1


async def test_a_list_in_one_piece_that_ends_too_soon_is_no_list(api: Api, cluster: reader.Reader) -> None:
    whole = json.dumps({"items": [item(f"p{number}", x="x" * 5000) for number in range(1_000)]}, separators=(",", ":"))

    async def cut(request: web.Request) -> web.StreamResponse:
        return web.json_response(text=whole[:-4000])

    api.wrong["podmetrics"] = cut
    seen = await taken(cluster)
    assert (list(seen.podmetrics), seen.degraded) == ([], {})
    assert "the answer could not be decoded" in seen.unread["podmetrics"]


async def test_odd_metrics_do_not_degrade_a_sweep(api: Api, cluster: reader.Reader) -> None:
    api.lists["podmetrics"] = [item("a", containers=7), item("b", containers=[{"name": "app", "usage": None}])]
    seen = await taken(cluster)
    assert names(seen.podmetrics) == ["b"]
    assert (set(seen.unread), seen.degraded) == ({"secrets", "podmetrics"}, {})


@pytest.mark.parametrize("code", [403, 404])
async def test_certificates_that_may_not_be_read_leave_the_sweep_whole(
    api: Api, cluster: reader.Reader, code: int
) -> None:
    api.wrong["secrets"] = servers.status(code, 'User "x" cannot list resource "secrets"')
    seen = await taken(cluster, certificates=True)
    assert (set(seen.unread), seen.degraded) == ({"secrets"}, {})


async def test_a_secret_that_cannot_be_decoded_is_odd_and_its_text_is_not_told(
    api: Api, cluster: reader.Reader
) -> None:
    api.lists["secrets"] = [item("a", data={"tls.crt": 7, "tls.key": "hidden"}), item("b", data=None)]
    seen = await taken(cluster, certificates=True)
    assert names(seen.secrets) == ["b"]
    assert seen.degraded == {"secrets": "1 secrets could not be read and were left out"}
    assert not [text for text in _everything(seen) if "hidden" in text]


# --- odd objects ------------------------------------------------------------------------------------------------------


async def test_one_odd_object_costs_itself_and_nothing_else(api: Api, cluster: reader.Reader) -> None:
    odd = item("odd", status={"containerStatuses": "none"})
    api.lists["pods"] = [item("a"), odd, item("b"), 7, item("c")]
    seen = await taken(cluster)
    assert names(seen.pods) == ["a", "b", "c"]
    assert seen.odd == 2
    assert seen.degraded == {"pods": "2 pods could not be read and were left out"}


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": {"name": "x", "labels": None, "annotations": None, "ownerReferences": None}},
        {"metadata": {"name": "x"}, "spec": {"containers": None}, "status": {"conditions": None}},
        {"metadata": {"name": "x", "creationTimestamp": "yesterday"}},
        {"metadata": {"name": "x"}, "status": {"containerStatuses": [{"name": "a", "state": {}}]}},
        {"metadata": {"name": "x"}, "spec": {"futureField": {"deep": [1]}}, "newTopLevel": 3},
    ],
)
async def test_what_real_clusters_send_is_not_odd(api: Api, cluster: reader.Reader, odd: Any) -> None:
    api.lists["pods"] = [odd]
    seen = await taken(cluster)
    assert names(seen.pods) == ["x"]
    assert (seen.odd, seen.degraded) == (0, {})


async def test_an_event_without_any_time_is_kept(api: Api, cluster: reader.Reader) -> None:
    api.lists["events"] = [item("e", eventTime=None, firstTimestamp=None, lastTimestamp=None, series=None)]
    assert names((await taken(cluster)).events) == ["e"]


async def test_null_items_are_an_empty_list(api: Api, cluster: reader.Reader) -> None:
    api.wrong["pods"] = servers.always({"metadata": None, "items": None})
    seen = await taken(cluster)
    assert (list(seen.pods), seen.degraded) == ([], {})


# --- bounds -----------------------------------------------------------------------------------------------------------


async def test_more_objects_than_the_bound_are_cut_and_said(
    api: Api, server: servers.Server, cluster: reader.Reader
) -> None:
    api.lists["pods"] = [item(f"pod-{number:02d}") for number in range(40)]
    seen = await taken(cluster, limits=snapshot.Limits(pods=10, page=4))
    assert names(seen.pods) == [f"pod-{number:02d}" for number in range(10)]
    assert seen.degraded == {"pods": "there are more than 10 pods, the rest were left out"}
    assert len([each for each in server.seen if each.path == LISTS["pods"]]) == 3


async def test_exactly_as_many_as_the_bound_are_whole(api: Api, cluster: reader.Reader) -> None:
    api.lists["pods"] = [item(f"pod-{number}") for number in range(10)]
    seen = await taken(cluster, limits=snapshot.Limits(pods=10, page=5))
    assert (len(seen.pods), seen.degraded) == (10, {})


async def test_of_too_many_events_the_newest_are_kept(api: Api, cluster: reader.Reader) -> None:
    minutes = [17, 3, 59, 40, 8, 22, 51, 0, 33, 45, 12, 58]
    api.lists["events"] = [event(f"e-{minute}", f"2026-11-21T03:{minute:02d}:00Z") for minute in minutes]
    seen = await taken(cluster, limits=snapshot.Limits(events=3, page=2))
    assert names(seen.events) == ["e-59", "e-58", "e-51"]
    assert seen.degraded == {"events": "there are more than 3 warning events, only the newest were kept"}


async def test_the_copy_of_the_whole_object_in_an_annotation_is_dropped(api: Api, cluster: reader.Reader) -> None:
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    deployment = item("api")
    deployment["metadata"]["annotations"] = {applied: "x" * 1000, "watchkeeper.io/ignore": "true"}
    api.lists["deployments"] = [deployment]
    assert (await taken(cluster)).deployments[0].metadata.annotations == {"watchkeeper.io/ignore": "true"}


async def test_lists_are_read_a_few_at_a_time(api: Api, cluster: reader.Reader) -> None:
    at_once, most = 0, 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return await servers.empty(request)

    api.wrong = dict.fromkeys(LISTS, slow)
    await taken(cluster, limits=snapshot.Limits(concurrency=2))
    assert most == 2


class Prepared:
    """A reader whose pages are all there at once, so that nothing but the snapshot gives the loop its turns."""

    cluster = "prepared"

    def __init__(self, pages: int, per_page: int) -> None:
        pods = [item(f"pod-{number}", spec={"containers": [{"name": "a"}]}) for number in range(per_page)]
        self._body = json.dumps({"metadata": {}, "items": pods}).encode()
        self._pages = pages

    async def pages(self, kind: str, namespace: str | None = None, *, page: int = 500, field_selector: str = "") -> Any:
        for _ in range(self._pages):
            yield self._body


async def test_the_event_loop_gets_its_turn_between_all_pages() -> None:
    turns, done = 0, False

    async def ticker() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(ticker())
    seen = await snapshot.take(Prepared(20, 3), model.Scope(), now=NOW, monotonic=time.monotonic)
    done = True
    await ticking
    assert len(seen.pods) == 60
    assert turns >= 20 * len(LISTS), "two pages were decoded without a turn in between"


async def test_a_discarded_snapshot_is_emptied_in_slices() -> None:
    seen = await snapshot.take(Prepared(4, 500), model.Scope(), now=NOW, monotonic=time.monotonic)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await snapshot.discard(seen)
    counting.cancel()
    assert turns >= 4 * len(LISTS) - 1
    assert not any(getattr(seen, name) for name in LISTS)


async def test_a_cancelled_sweep_leaves_nothing_running(api: Api, cluster: reader.Reader) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    api.wrong = dict.fromkeys(LISTS, hang)
    before = asyncio.all_tasks()
    sweep = asyncio.create_task(taken(cluster))
    await asyncio.sleep(0.05)
    sweep.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweep
    left = {task for task in asyncio.all_tasks() - before if "_list" in repr(task)}
    assert left == set()


async def test_a_simulated_cluster_is_seen_whole_for_all_its_oddities(tmp_path: Path) -> None:
    async with SimulatedCluster("demo") as simulated:
        simulated.faults.add(Fault(path="/api", odd=tuple(ODDITIES)))
        access = connection.ClusterAccess("demo", simulated.write_kubeconfig(tmp_path / "config"))
        over = await connection.Connection.open(access)
        try:
            seen = await taken(reader.Reader(over))
        finally:
            await over.close()
        counts = {name: len(simulated.list(name)) for name in LISTS if name != "events"}
    assert {name: len(getattr(seen, name)) for name in counts} == counts
    assert counts["pods"] > 20
    assert seen.events
    assert (seen.odd, seen.degraded) == (0, {})
