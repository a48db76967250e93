"""Prometheus and Loki over HTTP: what is asked, what comes of it, and what each way of not answering is called."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.evidence import asking, gathering, loki, names, prometheus
from k8s import model
from tests.bot.evidence import examples, serving

GIGABYTE_OF = b"x" * 65_536


@pytest.fixture
async def server() -> AsyncIterator[serving.Server]:
    async with serving.server() as made:
        yield made


def now() -> Any:
    return examples.NOW


async def metrics(server: serving.Server, **how: Any) -> str:
    source = prometheus.Prometheus(server.address(**how), now)
    return "\n".join(piece.body for piece in await source.collect("demo", examples.problem(), None))


async def lines(server: serving.Server, **how: Any) -> str:
    source = loki.Loki(server.address(**how), now)
    return "\n".join(piece.body for piece in await source.collect("demo", examples.problem(), None))


# --- Prometheus


def series(*values: str, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[1_700_000_000 + number, value] for number, value in enumerate(values)]}


async def test_series_are_told_with_least_most_and_last(server: serving.Server) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        memory = request.query["query"].startswith("max by (container) (container_memory_working_set_bytes")
        found = [series(*[str(n * 20 * 1024**2) for n in range(1, 13)], container="app")]
        return web.json_response({"data": {"result": found if memory and "/" not in request.query["query"] else []}})

    server.answer = answer
    told = await metrics(server, token="t0k")
    assert told.startswith("memory, working set, app: 20Mi 40Mi")
    assert told.endswith("(least 20Mi, most 240Mi, last 240Mi)")
    assert len(told.splitlines()) == 1
    first = server.asked[0]
    assert first.path == "/api/v1/query_range"
    assert first.headers["Authorization"] == "Bearer t0k"
    assert 'namespace="payments",pod=~"api-[a-z0-9]{1,12}-[a-z0-9]{5}"' in first.query["query"]
    assert float(first.query["end"]) - float(first.query["start"]) == 3600


async def test_a_server_that_knows_nothing_adds_nothing(server: serving.Server) -> None:
    server.says([])
    assert await metrics(server) == ""


async def test_some_queries_without_an_answer_are_counted_beside_the_others(server: serving.Server) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "http_requests_total" in request.query["query"]:
            return web.json_response({"status": "error", "error": "many-to-many matching"}, status=422)
        return web.json_response({"data": {"result": [series("0.5", "NaN", "0.7", container="app")]}})

    server.answer = answer
    told = await metrics(server)
    assert "cpu, app: 500m 700m (least 500m, most 700m, last 700m)" in told
    assert told.endswith("2 of 8 queries had no answer: it answered 422: many-to-many matching")


async def test_a_query_of_somebody_else_is_answered_with_its_labels(server: serving.Server) -> None:
    server.says([series("1", "2", pod="a"), {"metric": "odd", "values": [["x"], 7, [1, "y"]]}])
    assert await prometheus.Prometheus(server.address(), now).ask("demo", "up", 5) == (
        "pod=a: 1 2 (least 1, most 2, last 2)\n1 series without a number (NaN, infinite or a histogram)"
    )
    server.says([])
    assert await prometheus.Prometheus(server.address(), now).ask("demo", "up", 5) == "no series matches"


# --- Loki


async def test_lines_of_errors_are_told_oldest_first(server: serving.Server) -> None:
    at = int(examples.NOW.timestamp() * 1e9)
    newest_first = [[str(at - 1), "ERROR second"], [str(at - 5_000_000_000), "ERROR first"]]
    server.says([{"stream": {"pod": "api-5d-x"}, "values": newest_first}, {"stream": None, "values": "odd"}])
    assert await lines(server) == "ERROR first\nERROR second"
    query = server.asked[0].query
    assert server.asked[0].path == "/loki/api/v1/query_range"
    assert query["query"].startswith('{namespace="payments",pod=~"api-[a-z0-9]{1,12}-[a-z0-9]{5}"} |~ "(?i)(error')
    assert int(query["end"]) - int(query["start"]) == 1_800_000_000_000


async def test_lines_of_any_query_bear_time_and_pod(server: serving.Server) -> None:
    at = str(int(examples.NOW.timestamp() * 1e9))
    server.says([{"stream": {"pod": "api-5d-x"}, "values": [[at, "password=hunter2-hunter2"]]}])
    told = await loki.Loki(server.address(), now).ask("demo", "{}", 5)
    assert told.startswith("03:00:00 api-5d-x password=")
    assert "hunter2" not in told


# --- no answer

Ask = Callable[..., Awaitable[str]]
BOTH = pytest.mark.parametrize("ask", [metrics, lines], ids=["prometheus", "loki"])


@BOTH
@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ('{"status":"error","error":"parse error"}', 400, "it answered 400: parse error"),
        ("too many outstanding requests", 429, "it answered 429: too many outstanding requests"),
        ("<html>login</html>", 500, "it answered 500"),
        ("<html>login</html>", 200, "its answer is not that of a query"),
        ("[1,2]", 200, "its answer is not that of a query"),
        ('{"data":{"result":"x"}}', 200, "its answer is not that of a query"),
        ("\x00\x01garbage", 200, "its answer is not that of a query"),
    ],
)
async def test_an_answer_that_is_none_says_why(
    server: serving.Server, ask: Ask, text: str, status: int, said: str
) -> None:
    server.text(text, status)
    with pytest.raises(gathering.Unanswered) as raised:
        await ask(server)
    assert str(raised.value) == said


@BOTH
async def test_a_server_that_hangs_is_given_up(server: serving.Server, ask: Ask) -> None:
    gone = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        await gone.wait()
        return web.Response()

    server.answer = answer
    with pytest.raises(gathering.Unanswered, match=re.escape("no answer within 0.2 s")):
        await ask(server, seconds=0.2)
    gone.set()


@BOTH
async def test_an_endless_answer_is_not_read_to_its_end(server: serving.Server, ask: Ask) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        sent = web.StreamResponse()
        await sent.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await sent.write(GIGABYTE_OF)
        return sent

    server.answer = answer
    with pytest.raises(gathering.Unanswered, match="larger than 2 MB"):
        await ask(server)


@BOTH
async def test_a_redirect_does_not_carry_the_token_away(server: serving.Server, ask: Ask) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/elsewhere")

    server.answer = answer
    with pytest.raises(gathering.Unanswered, match="it answered 302"):
        await ask(server, token="t0k")
    assert "/elsewhere" not in [one.path for one in server.asked]


@BOTH
async def test_an_address_where_nobody_listens_is_told_without_its_details(ask: Ask, unused_tcp_port: int) -> None:
    with pytest.raises(gathering.Unanswered, match=r"it could not be asked \(ClientConnectorError\)"):
        await ask(serving.Server(f"http://127.0.0.1:{unused_tcp_port}/"))


# --- what may stand in a query


async def test_the_cluster_is_part_of_the_address_where_it_says_so(server: serving.Server) -> None:
    server.says([])
    at = asking.Address(f"{server.url}{{cluster}}", "t0k")
    await loki.Loki(at, now).collect("prod-eu", examples.problem(), None)
    assert server.asked[0].path == "/prod-eu/loki/api/v1/query_range"
    assert "t0k" not in repr(at)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["Deployment", "StatefulSet", "Pod", "Node"]))
def test_no_name_ends_a_string_of_a_query(name: str, namespace: str, kind: str) -> None:
    subject = model.ResourceRef(kind, namespace, name)
    shown = examples.problem(examples.finding(resource=subject, owner=subject), subject=subject)
    for text in (names.pods(shown, None), names.namespace(shown)):
        assert re.fullmatch(r"[-a-z0-9.\\\[\]{},]*", text)
        assert '"' not in text


def test_the_names_of_other_workloads_pods_do_not_match() -> None:
    told = names.pods(examples.problem(), None)
    assert re.fullmatch(told, "api-5d9c8b7f6-x2x7p")
    assert not re.fullmatch(told, "api-worker-5d9c8b7f6-x2x7p")
