"""Reading: pages, single objects, logs, events, names, access reviews. Whole targets are read in `test_targets`."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from k8s import model
from k8s.client import errors, reader
from tests.k8s.client import servers

POD = model.ResourceRef("Pod", "payments", "api-1", "uid-1")


@pytest.fixture
async def server() -> AsyncIterator[servers.Server]:
    async with servers.serving() as running:
        yield running


@pytest.fixture
async def cluster(server: servers.Server, tmp_path: Path) -> AsyncIterator[reader.Reader]:
    async with servers.connected(server, tmp_path) as over:
        yield reader.Reader(over)


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "payments"}} | more


def paged(*pages: list[Any], items_first: bool = False) -> servers.Answer:
    """Each list as a page; tokens are base64 with characters that a query must escape."""

    async def answer(request: web.Request) -> web.StreamResponse:
        number = int(request.query.get("continue", "+/=0").removeprefix("+/="))
        metadata = {"resourceVersion": "1", "continue": f"+/={number + 1}" if number + 1 < len(pages) else ""}
        body = {"kind": "List", "metadata": metadata, "items": pages[number]}
        if items_first:
            body = {"items": body["items"], "metadata": metadata}
        return web.json_response(body)

    return answer


async def test_all_pages_are_read_in_order(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = paged([named("a"), named("b")], [named("c")], [])
    bodies = [
        body async for body in cluster.pages("pods", page=2, field_selector="type=x", label_selector="a in (b,c)")
    ]
    found = [item["metadata"]["name"] for body in bodies for item in json.loads(body)["items"]]
    assert found == ["a", "b", "c"]
    assert [seen.query.get("continue") for seen in server.seen] == [None, "+/=1", "+/=2"]
    assert all(seen.query["limit"] == "2" for seen in server.seen)
    assert all(seen.query["fieldSelector"] == "type=x" for seen in server.seen)
    assert all(seen.query["labelSelector"] == "a in (b,c)" for seen in server.seen)
    assert {seen.path for seen in server.seen} == {"/api/v1/pods"}


async def test_a_list_that_puts_its_metadata_last_is_read_as_well(
    server: servers.Server, cluster: reader.Reader
) -> None:
    server.answer = paged([named("a")], [named("b")], items_first=True)
    assert await cluster.names("pods", "payments") == ["a", "b"]
    assert server.seen[0].path == "/api/v1/namespaces/payments/pods"


async def test_of_metadata_nothing_else_is_asked_for_and_nothing_else_kept(
    server: servers.Server, cluster: reader.Reader
) -> None:
    async def whole(_: web.Request) -> web.StreamResponse:
        return web.json_response(named("app", data={"PASSWORD": "x"}))

    server.answer = whole
    found = await cluster.metadata(model.ResourceRef("Secret", "payments", "app"))
    assert found == {"metadata": {"name": "app", "namespace": "payments"}}
    (seen,) = server.seen
    assert seen.path == "/api/v1/namespaces/payments/secrets/app"
    assert seen.headers["Accept"] == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


async def test_a_list_without_metadata_has_one_page(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = servers.always({"items": [named("a")]})
    assert await cluster.names("pods") == ["a"]


async def test_a_continue_token_that_grew_too_old_goes_on_where_the_server_says(
    server: servers.Server, cluster: reader.Reader
) -> None:
    gone = servers.status(410, "too old", metadata={"continue": "+/=1"})
    pages = paged([named("a")], [named("b")])
    server.answer = servers.in_turn(pages, gone, pages)
    assert await cluster.names("pods") == ["a", "b"]


async def test_a_410_again_and_again_ends(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = servers.status(410, "too old", metadata={"continue": "again"})
    with pytest.raises(errors.Gone):
        await cluster.names("pods")
    assert len(server.seen) == 2


async def test_a_410_without_a_token_ends(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = servers.status(410, "too old")
    with pytest.raises(errors.Gone):
        await cluster.names("pods")
    assert len(server.seen) == 1


async def test_names_ask_for_metadata_only_and_are_sorted(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = servers.always({"metadata": {}, "items": [named("web"), named("api"), {"metadata": {}}]})
    assert await cluster.names("Deployment", "payments") == ["api", "web"]
    assert "PartialObjectMetadataList" in server.seen[0].headers["Accept"]


async def test_a_single_object_is_read_whole(server: servers.Server, cluster: reader.Reader) -> None:
    whole = named("api-1", kind="Pod", spec={"anything": [1, None, {"deep": True}]})
    server.answer = servers.always(whole)
    assert await cluster.get(POD) == whole
    assert server.seen[0].path == "/api/v1/namespaces/payments/pods/api-1"


async def test_listed_objects_know_their_kind_and_are_bounded(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = paged([named("a"), named("b")], [named("c")], [named("d")])
    found = await cluster.list_json("replicasets", "payments", "app=api", limit=3)
    assert [item["metadata"]["name"] for item in found] == ["a", "b", "c"]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("apps/v1", "ReplicaSet")}
    assert len(server.seen) == 2


async def test_null_items_are_an_empty_list(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = servers.always({"metadata": {"continue": None}, "items": None})
    assert await cluster.list_json("pods", None) == []
    assert await cluster.names("pods") == []


# --- logs -------------------------------------------------------------------------------------------------------------


def log(text: bytes) -> servers.Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=text, content_type="text/plain")

    return answer


async def test_a_log_is_asked_for_by_container_and_run(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = log(b"one\ntwo\n")
    assert await cluster.logs("payments", "api-1", "app", previous=True, tail_lines=50) == "one\ntwo\n"
    seen = server.seen[0]
    assert seen.path == "/api/v1/namespaces/payments/pods/api-1/log"
    assert (seen.query["container"], seen.query["previous"], seen.query["tailLines"]) == ("app", "true", "50")


async def test_the_current_log_does_not_ask_for_the_previous(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = log(b"")
    assert await cluster.logs("payments", "api-1", "app") == ""
    assert "previous" not in server.seen[0].query


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf\xe9 \xff\xfe\n", "caf� ��\n"),
        (b"\x1b[31mred\x1b[0m\x00\x07 text\n", "red text\n"),
        (b"windows\r\nprogress 1%\rprogress 2%\n", "windows\nprogress 1%\nprogress 2%\n"),
        (b"\ttabs stay", "\ttabs stay"),
    ],
)
async def test_a_log_of_any_bytes_becomes_clean_text(
    server: servers.Server, cluster: reader.Reader, raw: bytes, text: str
) -> None:
    server.answer = log(raw)
    assert await cluster.logs("payments", "api-1", "app") == text


async def test_the_end_of_a_long_log_is_kept_from_the_start_of_a_line(
    server: servers.Server, cluster: reader.Reader
) -> None:
    server.answer = log(b"".join(b"line %06d\n" % number for number in range(100_000)))
    text = await cluster.logs("payments", "api-1", "app", tail_lines=1_000_000, limit_bytes=4096)
    assert len(text) <= 4096
    assert text.startswith("line ")
    assert text.endswith("line 099999\n")


async def test_an_endless_line_is_cut_to_its_end(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = log(b"x" * 3_000_000 + b"the end")
    text = await cluster.logs("payments", "api-1", "app", limit_bytes=1000)
    assert len(text) == 1000
    assert text.endswith("xthe end")


async def test_more_lines_than_asked_for_are_cut(server: servers.Server, cluster: reader.Reader) -> None:
    server.answer = log(b"1\n2\n3\n4\n")
    assert await cluster.logs("payments", "api-1", "app", tail_lines=2) == "3\n4\n"


async def test_a_missing_previous_log_is_a_rejection_with_its_words(
    server: servers.Server, cluster: reader.Reader
) -> None:
    server.answer = servers.status(400, 'previous terminated container "app" in pod "api-1" not found')
    with pytest.raises(errors.Rejected, match="previous terminated container"):
        await cluster.logs("payments", "api-1", "app", previous=True)


@pytest.mark.parametrize(
    "said",
    [
        b"unable to retrieve container logs for containerd://0a91d9e400ee544f",
        b'failed to try resolving symlinks in path "/var/log/pods/a/3.log": lstat /var/log/pods/a/3.log: no such file',
    ],
)
async def test_what_a_kubelet_says_instead_of_a_log_that_is_gone_is_no_log(
    server: servers.Server, cluster: reader.Reader, said: bytes
) -> None:
    server.answer = log(said)
    with pytest.raises(errors.NotFound, match="does not have this log"):
        await cluster.logs("payments", "api-1", "app", previous=True)
    server.answer = log(b"INFO starting\n" + said + b"\n")
    assert said.decode() in await cluster.logs("payments", "api-1", "app"), "a program may log the same words"


# --- events, access ---------------------------------------------------------------------------------------------------


async def test_events_are_asked_for_by_uid_and_come_newest_first(
    server: servers.Server, cluster: reader.Reader
) -> None:
    events = [
        {"reason": "first", "firstTimestamp": "2026-11-21T03:00:00Z", "lastTimestamp": None, "eventTime": None},
        {
            "reason": "series",
            "series": {"lastObservedTime": "2026-11-21T03:30:00.5Z"},
            "eventTime": "2026-11-21T01:00:00Z",
        },
        {"reason": "last", "lastTimestamp": "2026-11-21T03:20:00Z"},
        {"reason": "created", "metadata": {"creationTimestamp": "2026-11-21T03:10:00Z"}},
        {"reason": "never", "metadata": None},
    ]
    server.answer = servers.always({"metadata": {}, "items": events})
    found = await cluster.events(POD)
    assert [event["reason"] for event in found] == ["series", "last", "created", "first", "never"]
    assert server.seen[0].path == "/api/v1/namespaces/payments/events"
    assert server.seen[0].query["fieldSelector"] == "involvedObject.uid=uid-1"


async def test_events_of_a_node_are_asked_for_by_name_everywhere(
    server: servers.Server, cluster: reader.Reader
) -> None:
    await cluster.events(model.ResourceRef("Node", "", "node-1", "uid-9"))
    assert server.seen[0].path == "/api/v1/events"
    assert server.seen[0].query["fieldSelector"] == "involvedObject.kind=Node,involvedObject.name=node-1"


@pytest.mark.parametrize("allowed", [True, False])
async def test_an_access_review_is_asked_with_group_and_subresource(
    server: servers.Server, cluster: reader.Reader, *, allowed: bool
) -> None:
    server.answer = servers.always({"status": {"allowed": allowed}}, 201)
    assert await cluster.can_i("patch", "deployments/scale", "payments") is allowed
    seen = server.seen[0]
    assert (seen.method, seen.path) == ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    assert seen.body["spec"]["resourceAttributes"] == {
        "verb": "patch",
        "group": "apps",
        "resource": "deployments",
        "subresource": "scale",
        "namespace": "payments",
    }


async def test_an_access_review_of_an_unknown_resource_takes_the_given_group(
    server: servers.Server, cluster: reader.Reader
) -> None:
    server.answer = servers.always({"status": {}}, 201)
    assert not await cluster.can_i("get", "certificates", group="cert-manager.io")
    attributes = {"verb": "get", "group": "cert-manager.io", "resource": "certificates"}
    assert server.seen[0].body["spec"]["resourceAttributes"] == attributes
