"""A watch on a server that does wrong whatever the simulated cluster does not: broken off, odd, endless, too long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from k8s.client import changes, connection, errors, watching
from tests.k8s.client import logged, servers
from tests.k8s.client.following import CALLS, followed, of, truth, until

PODS = "/api/v1/namespaces/payments/pods"


@pytest.fixture
def api() -> logged.Api:
    made = logged.Api()
    made.put("a")
    return made


@pytest.fixture
async def server(api: logged.Api) -> AsyncIterator[servers.Server]:
    async with servers.serving(api) as running:
        yield running


@pytest.fixture
async def over(server: servers.Server, tmp_path: Path) -> AsyncIterator[connection.Connection]:
    async with servers.connected(server, tmp_path, CALLS) as opened:
        yield opened


def watches(server: servers.Server) -> list[servers.Seen]:
    return [seen for seen in server.seen if "watch" in seen.query]


async def test_a_watch_asks_for_bookmarks_and_for_an_end_that_chance_chooses(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    for chance, seconds in ((0.0, "300"), (0.5, "420"), (0.999, "540")):
        stream = of(over, limits=watching.Limits(), chance=lambda chance=chance: chance, field_selector="type=x")
        before = len(api.requests)
        async with followed(stream):
            await until(lambda: len(api.requests) > before)  # noqa: B023 - asked here and now
        assert watches(server)[-1].query == {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": "101",
            "timeoutSeconds": seconds,
            "fieldSelector": "type=x",
        }


async def test_a_watch_goes_on_from_the_newest_bookmark(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched)
        api.revision = 900  # of other kinds
        api.bookmark()
        api.tell("drop")
        await until(lambda: len(watches(server)) == 2)
        assert watches(server)[1].query["resourceVersion"] == "900"
        assert len(picture.told) == 1, "a bookmark is nothing that the consumer wants to know"
    assert stream.odd == 0


async def test_half_a_line_before_the_connection_breaks_comes_again(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched)
        told = logged.line("ADDED", {"metadata": {"name": "b"}})
        api.put("b", sent=told[:30])
        api.tell("drop")
        await until(lambda: picture.versions == truth(api))
        assert watches(server)[1].query["resourceVersion"] == "101"
    assert (picture.relists, stream.odd) == (1, 0)


async def test_lines_may_come_in_any_pieces(over: connection.Connection, api: logged.Api) -> None:
    async with followed(of(over)) as picture:
        await until(lambda: api.watched)
        for name in ("b", "c"):
            pieces = logged.line("ADDED", {"metadata": {"name": name, "uid": name, "resourceVersion": "7"}})
            for number in range(0, len(pieces), 9):
                api.tell(pieces[number : number + 9])
                await asyncio.sleep(0.001)
        await until(lambda: picture.names == ["a", "b", "c"])


@pytest.mark.parametrize("code", [410, 500, 403, None])
async def test_an_error_in_the_stream_leads_to_a_list(over: connection.Connection, api: logged.Api, code: Any) -> None:
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched)
        api.put("b", sent=b"\n")
        api.tell(logged.line("ERROR", logged.expired(1) | {"code": code, "message": "the end"}))
        await until(lambda: stream.state.phase == "waiting")
        assert stream.state.why.startswith("could not watch pods in payments: ")
        await until(lambda: picture.versions == truth(api))
    assert picture.relists == 2


async def test_a_line_that_nobody_can_read_ends_nothing_and_is_put_right_by_a_list_later(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched)
        api.put("a", sent=b"<html>busy</html>\n\n  \r\n")
        api.put("b")
        await until(lambda: picture.names == ["a", "b"])
        assert (stream.odd, len(watches(server)), picture.versions["a"]) == (1, 1, "101")
        api.tell("end")
        await until(lambda: picture.versions == truth(api))
        assert picture.relists == 2
        await until(lambda: api.watched)
        api.tell("end")
        await until(lambda: len(watches(server)) == 3)
    assert (picture.relists, stream.odd) == (2, 1)


async def test_a_line_that_is_too_long_is_dropped_counted_and_put_right_later(
    over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched)
        api.put("a", status={"message": "x" * (5 << 20)})
        api.put("b")
        await until(lambda: picture.names == ["a", "b"])
        assert (stream.odd, picture.versions["a"]) == (1, "101")
        api.tell("end")
        await until(lambda: picture.versions == truth(api))
    assert picture.relists == 2


async def test_odd_objects_are_counted_and_hurt_no_other(over: connection.Connection, api: logged.Api) -> None:
    api.put("b")
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched)
        api.put("c", spec={"containers": None}, status={"conditions": None, "phase": "Dreaming"})
        api.put("a", status=5)
        api.put("b", status="?")
        api.delete("b")
        api.tell(logged.line("RENAMED", api.objects["c"]))
        api.put("d")
        await until(lambda: picture.names == ["a", "c", "d"])
        assert picture.versions["a"] == "101", "the last state that could be read"
    assert (stream.odd, picture.relists) == (4, 1)


async def test_a_list_says_how_many_objects_it_lacks(over: connection.Connection, api: logged.Api) -> None:
    api.put("b", status=5)
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: picture.names == ["a"])
    first = picture.told[0]
    assert isinstance(first, changes.Relisted)
    assert (first.odd, stream.odd, first.resource_version) == (1, 1, "102")


async def test_a_list_whose_page_token_expired_begins_anew(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    for name in ("b", "c", "d"):
        api.put(name)

    async def late(request: web.Request) -> web.StreamResponse:
        api.delete("a")
        api.compact()
        more = {"metadata": {"continue": "102:2"}}
        return web.json_response(logged.expired(1) | more, status=410)

    api.wrong = [api_page(api), late]
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: picture.told)
        assert picture.names == ["b", "c", "d"]
    assert [seen.query.get("continue") for seen in server.seen][:3] == [None, "104:2", None]


async def test_a_list_of_pages_that_differ_is_watched_from_the_oldest_of_them(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    first = {"metadata": {"resourceVersion": "101", "continue": "more"}, "items": []}
    second = {"metadata": {"resourceVersion": "900"}, "items": []}
    api.wrong = [servers.always(first), servers.always(second)]
    async with followed(of(over)):
        await until(lambda: watches(server))
    assert watches(server)[0].query["resourceVersion"] == "101"


def api_page(api: logged.Api) -> servers.Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(api.page(2, ""))

    return answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (servers.always({"metadata": {}, "items": []}), "the list has no resource version"),
        (servers.always([1]), "the answer is not a list of objects"),
        (servers.always({}, 200), "the list has no resource version"),
        (servers.status(404, "the server could not find the requested resource"), "could not find the requested"),
        (servers.status(400, "field label not supported: type"), "field label not supported"),
    ],
)
async def test_a_list_that_is_none_is_said_and_tried_again(
    over: connection.Connection, api: logged.Api, answer: servers.Answer, why: str
) -> None:
    api.wrong = [answer]
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: stream.state.phase == "waiting")
        assert why in stream.state.why
        await until(lambda: picture.names == ["a"])


async def test_a_connection_on_which_nothing_ends_is_given_up(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    limits = watching.Limits(watch_s=(1.0, 1.0), margin_s=0.1, steady_s=0.0, first_pause_s=0.02, spread_s=0.05)
    stream = of(over, limits=limits)
    async with followed(stream) as picture:
        await until(lambda: len(watches(server)) == 2)
        assert watches(server)[0].query["timeoutSeconds"] == "1"
        await until(lambda: api.requests[0].transport is None)
        api.put("b")
        await until(lambda: picture.versions == truth(api))
    assert picture.relists == 1


async def test_a_server_that_never_begins_to_answer_is_given_up(
    server: servers.Server, api: logged.Api, tmp_path: Path
) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    async with servers.connected(server, tmp_path, servers.QUICK) as over:
        stream = of(over)
        async with followed(stream):
            await until(lambda: api.watched)
            api.wrong = [never]
            api.tell("end")
            await until(lambda: stream.state.phase == "waiting")
            assert stream.state.why == "could not watch pods in payments: no answer in time"
            await until(lambda: str(stream.state) == "watching")


async def test_errors_inside_of_a_stream_are_ours(over: connection.Connection, api: logged.Api) -> None:
    request = connection.Request("watch pods", "GET", PODS, [("watch", "true"), ("resourceVersion", "101")])

    async def read(within_s: float) -> None:
        async with over.stream(request, within_s=within_s) as pieces:
            async for _ in pieces:
                api.tell("drop")

    with pytest.raises(errors.Unreachable, match="no answer in time"):
        await read(0.2)
    api.put("b")
    with pytest.raises(errors.Unreachable, match=r"watch pods: .* broke"):
        await read(5.0)
