"""What PromQL, LogQL and the metrics of pods bring to a model, by answers as the real servers give them.

Those of Prometheus were taken from a real one (2.42): https://prometheus.io/docs/prometheus/latest/querying/api/;
Loki's from https://grafana.com/docs/loki/latest/reference/loki-http-api/; those of a metrics server from
https://github.com/kubernetes/metrics/blob/master/pkg/apis/metrics/v1beta1/types.go.
"""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot import clusters, errors
from bot.domain import consultations, diagnoses
from bot.evidence import gathering, loki, looking, prometheus
from bot.store import engine
from k8s import policy
from k8s.client import connection
from tests.bot.evidence import examples, serving

AT = 1_795_317_709
LABELS = {
    "container": "app",
    "instance": "10.0.0.7:9100",
    "job": "self",
    "namespace": "payments",
    "pod": "api-5d9-x2x7p",
}


@pytest.fixture
async def server() -> AsyncIterator[serving.Server]:
    async with serving.server() as made:
        yield made


def answered(kind: str, result: Any, **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def series(*values: str, **labels: str) -> dict[str, Any]:
    return {"metric": {**LABELS, **labels}, "values": [[AT + 5 * at, value] for at, value in enumerate(values)]}


async def metrics(server: serving.Server) -> str:
    return await prometheus.Prometheus(server.address(), lambda: examples.NOW).ask("demo", "x", 5)


async def lines(server: serving.Server, tenant: str = "") -> str:
    return await loki.Loki(server.address(tenant=tenant), lambda: examples.NOW).ask("demo", "x", 5)


# --- Prometheus


async def test_what_all_series_share_is_told_once_and_what_tells_them_apart_in_each_line(
    server: serving.Server,
) -> None:
    found = [series("87", "90", __name__="x_bucket", le="0.1"), series("1", "2.5", __name__="x_bucket", le="+Inf")]
    server.answers(answered("matrix", found))
    assert (await metrics(server)).splitlines() == [
        f"all have __name__=x_bucket, {', '.join(f'{key}={value}' for key, value in LABELS.items())}",
        "le=0.1: 87 90 (least 87, most 90, last 90)",
        "le=+Inf: 1 2.5 (least 1, most 2.5, last 2.5)",
    ]
    assert server.asked[0].path == "/api/v1/query_range"
    assert float(server.asked[0].query["end"]) - float(server.asked[0].query["start"]) == 300


async def test_the_labels_of_a_single_series_are_its_own(server: serving.Server) -> None:
    server.answers(answered("matrix", [series("0.5", "1e-05", "1.5e+09")]))
    told = await metrics(server)
    assert told.startswith(
        "container=app, instance=10.0.0.7:9100, job=self, namespace=payments, pod=api-5d9-x2x7p: 0.5"
    )
    assert "(least 1e-05, most 1500000000, last 1500000000)" in told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (answered("matrix", [series("NaN", "NaN")]), "1 series without a number (NaN, infinite or a histogram)"),
        (answered("matrix", [series("+Inf"), series("-Inf")]), "2 series without a number"),
        (
            answered("matrix", [{"metric": LABELS, "histograms": [[AT, {"count": "3", "sum": "9", "buckets": []}]]}]),
            "1 series without a number",
        ),
        (answered("matrix", [series("NaN", "4", "+Inf", "6")]), "4 6 (least 4, most 6, last 6)"),
        (answered("matrix", []), "no series matches"),
        (answered("vector", [{"metric": LABELS, "value": [AT + 0.225, "1"]}]), "1 (least 1, most 1, last 1)"),
        (answered("scalar", [AT + 0.236, "42"]), "value: 42 (least 42, most 42, last 42)"),
        (answered("string", [AT + 0.25, "a"]), "1 series without a number"),
    ],
)
async def test_every_sort_of_result_is_told_for_what_it_is(server: serving.Server, body: Any, told: str) -> None:
    server.answers(body)
    assert told in await metrics(server)


async def test_what_a_server_says_against_its_own_answer_is_told(server: serving.Server) -> None:
    warnings = ["No StoreAPIs matched for this query", "partial\nresponse", "a third"]
    server.answers(answered("matrix", [series("1")], warnings=warnings, infos=["metric might not be a counter"]))
    told = await metrics(server)
    assert told.endswith("the server warns: No StoreAPIs matched for this query\nthe server warns: partial response")
    server.answers(answered("matrix", [], warnings=warnings[:1]))
    assert await metrics(server) == "no series matches\nthe server warns: No StoreAPIs matched for this query"
    server.answers(answered("matrix", [series("1")], warnings="odd"))
    assert "warns" not in await metrics(server)


async def test_evidence_tells_a_warning_once_and_none_where_nothing_was_found(server: serving.Server) -> None:
    source = prometheus.Prometheus(server.address(), lambda: examples.NOW)
    server.answers(answered("matrix", [series("1")], warnings=["a store is away"]))
    (piece,) = await source.collect("demo", examples.problem(), None)
    assert piece.body.count("the server warns: a store is away") == 1
    server.answers(answered("matrix", [], warnings=["a store is away"]))
    assert await source.collect("demo", examples.problem(), None) == ()


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "bad_data", "1:30: parse error: unclosed left parenthesis"),
        (400, "bad_data", 'invalid expression type "range vector" for range query, must be Scalar or instant Vector'),
        (422, "execution", "found duplicate series for the match group on the right hand-side of the operation"),
        (503, "timeout", "query timed out in expression evaluation"),
    ],
)
async def test_why_a_query_was_refused_is_said_in_the_servers_words(
    server: serving.Server, status: int, kind: str, error: str
) -> None:
    server.answers({"status": "error", "errorType": kind, "error": error}, status)
    with pytest.raises(gathering.Unanswered) as raised:
        await metrics(server)
    assert str(raised.value) == f"it answered {status}: {error}"


# --- Loki


def stream(*values: list[Any], **labels: str) -> dict[str, Any]:
    return {"stream": {"app": "api", "namespace": "payments", **labels}, "values": list(values)}


def at(seconds: int) -> str:
    return str(int(examples.NOW.timestamp() + seconds) * 1_000_000_000)


async def test_streams_of_several_pods_are_one_story_oldest_first(server: serving.Server) -> None:
    server.answers(
        answered(
            "streams",
            [
                stream([at(9), "ERROR third\n"], [at(1), "first  of all"], pod="api-1"),
                stream([at(5), "second", {"structuredMetadata": {"trace_id": "0242"}}], pod="api-2"),
                stream([at(7), "nobody's"]),
            ],
            stats={"summary": {"bytesProcessedPerSecond": 0}},
        )
    )
    assert (await lines(server)).splitlines() == [
        "03:00:01 api-1 first  of all",
        "03:00:05 api-2 second",
        "03:00:07 nobody's",
        "03:00:09 api-1 ERROR third",
    ]
    assert server.asked[0].query["direction"] == "backward"


async def test_a_metric_query_of_loki_is_told_as_series(server: serving.Server) -> None:
    found = [{"metric": {"level": "error", "pod": "api-1"}, "values": [[AT, "3"], [AT + 60, "12"]]}]
    server.answers(answered("matrix", found, warnings=["a querier is away"]))
    assert await lines(server) == (
        "level=error, pod=api-1: 3 12 (least 3, most 12, last 12)\nthe server warns: a querier is away"
    )


async def test_that_there_are_more_lines_than_were_read_is_said(server: serving.Server) -> None:
    server.answers(answered("streams", [stream(*[[at(0), "alike"] for _ in range(loki.LINES)], pod="api-1")]))
    assert (await lines(server)).endswith("these are of the newest 500 lines: there are more")
    server.answers(answered("streams", [stream([at(0), "alike"], pod="api-1")]))
    assert "there are more" not in await lines(server)


async def test_no_line_is_no_line(server: serving.Server) -> None:
    server.answers(answered("streams", []))
    assert await lines(server) == "no line matches"


async def test_loki_is_told_whose_lines_are_meant(server: serving.Server) -> None:
    server.answers(answered("streams", []))
    await lines(server, tenant="team-a|team-b")
    await lines(server)
    assert [one.headers.get("X-Scope-OrgID") for one in server.asked] == ["team-a|team-b", None]
    server.text("no org id\n", 401)
    with pytest.raises(gathering.Unanswered, match="it answered 401: no org id"):
        await lines(server)


# --- metrics.k8s.io


def pod(name: str, owner: str = "", kind: str = "ReplicaSet", **limits: str) -> dict[str, Any]:
    owners = [{"kind": kind, "name": owner, "uid": f"u-{owner}", "controller": True}] if owner else []
    container = {"name": "app", "resources": {"limits": limits, "requests": {"cpu": "100m"}}}
    meta = {"name": name, "namespace": "payments", "uid": f"u-{name}", "ownerReferences": owners}
    return {"metadata": meta, "spec": {"containers": [container]}}


def used(name: str, cpu: str, memory: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "payments", "creationTimestamp": "2026-11-03T03:00:00Z"},
        "timestamp": "2026-11-03T02:59:48Z",
        "window": "15.123s",
        "containers": [{"name": "app", "usage": {"cpu": cpu, "memory": memory}}],
    }


PODS = [
    pod("api-5d9c8b7f6-x2x7p", "api-5d9c8b7f6", memory="128Mi", cpu="500m"),
    pod("api-worker-7c6f9-bbbbb", "api-worker-7c6f9"),
    pod("api-28391200-zzzzz", "api-28391200", "Job"),
    pod("api-migrate-yyyyy", "api-migrate", "Job"),
    pod("db-0", "db", "StatefulSet"),
    pod("alone"),
]
USED = [
    used("api-5d9c8b7f6-x2x7p", "12345678n", "98304Ki"),
    used("api-worker-7c6f9-bbbbb", "1500u", "52428800"),
    used("api-28391200-zzzzz", "0", "128974848000m"),
    used("db-0", "2", "1.5Gi"),
    used("alone", "250m", "0"),
]


@pytest.fixture
async def look(server: serving.Server, store: engine.Database, tmp_path: Path) -> AsyncIterator[looking.Looking]:
    """Over a server that answers as a cluster does, by the lists above."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v1/namespaces/payments/pods":
            return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": PODS})
        if request.path == "/apis/metrics.k8s.io/v1beta1/namespaces/payments/pods":
            about = {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}}
            return web.json_response({**about, "items": USED})
        return web.Response(text="404 page not found\n", status=404)

    server.answer = answer
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server.url.rstrip("/")}}],
        "users": [{"name": "u", "user": {"token": "t0k"}}],
        "contexts": [{"name": "demo", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "demo",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config), encoding="utf-8")
    eyes = clusters.Clusters([connection.ClusterAccess("demo", file, "demo")], lambda: examples.NOW, time.monotonic)
    rules = diagnoses.Diagnosis("c", (), "high", "r", "n")
    brief = consultations.Brief(1, 1, "demo", examples.problem(), diagnoses.Dossier(()), rules, "en")
    yield looking.Looking(brief, eyes.reader, eyes.selected, store, lambda: examples.NOW, policy.Policy())
    await eyes.close()


async def test_what_pods_use_is_told_beside_what_they_may(look: looking.Looking) -> None:
    assert await look.top("payments", "") == "\n".join(
        (
            "api-5d9c8b7f6-x2x7p, app: memory 96Mi of 128Mi (75%); cpu 12m of 500m (2%), requests 100m",
            "alone, app: memory 0, no limit; cpu 250m, no limit, requests 100m",
            "api-28391200-zzzzz, app: memory 123Mi, no limit; cpu 0m, no limit, requests 100m",
            "api-worker-7c6f9-bbbbb, app: memory 50Mi, no limit; cpu 2m, no limit, requests 100m",
            "db-0, app: memory 1536Mi, no limit; cpu 2, no limit, requests 100m",
        )
    )


@pytest.mark.parametrize(
    ("workload", "pods"),
    [
        ("api", ["api-5d9c8b7f6-x2x7p", "api-28391200-zzzzz"]),
        ("api-worker", ["api-worker-7c6f9-bbbbb"]),
        ("db", ["db-0"]),
        ("db-0", ["db-0"]),
        ("alone", ["alone"]),
        ("api-migrate", []),
        ("nobody", []),
    ],
)
async def test_a_name_that_only_begins_alike_is_another_workloads(
    look: looking.Looking, workload: str, pods: list[str]
) -> None:
    told = await look.top("payments", workload)
    assert sorted(pods) == sorted(line.partition(",")[0] for line in told.splitlines() if "memory" in line)
    assert pods or told == "nothing is known of these pods"


async def test_a_cluster_without_a_metrics_server_says_so(look: looking.Looking, server: serving.Server) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "metrics" in request.path:
            return web.Response(text="404 page not found\n", status=404)
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": PODS})

    server.answer = answer
    with pytest.raises(errors.NotPossible, match=r"serves no metrics \(metrics.k8s.io\)"):
        await look.top("payments", "")

    async def away(request: web.Request) -> web.StreamResponse:
        told = {"kind": "Status", "status": "Failure", "code": 503, "reason": "ServiceUnavailable"}
        return web.json_response(
            {**told, "message": "the server is currently unable to handle the request"}, status=503
        )

    server.answer = away
    with pytest.raises(errors.ClusterUnavailable):
        await look.top("payments", "")
