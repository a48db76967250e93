"""What a model may ask its tools for: kinds, names, namespaces and queries, each held to the watch."""

from typing import Any

import pytest

from bot import errors
from bot.llm import messages, queries, tools
from tests.bot.llm import making

GLOBS = ("payments", "shop-*")


async def used(tool: str, given: dict[str, Any], look: making.Look | None = None) -> tuple[tools.Found, making.Look]:
    seen = look or making.Look()
    return await tools.use(messages.Call("c1", tool, given), seen, GLOBS), seen


@pytest.mark.parametrize(
    ("name", "given", "asked"),
    [
        ("get", {"kind": "Pod", "namespace": "payments", "name": "api-1"}, ("get", "Pod/payments/api-1")),
        ("get", {"kind": "Node", "namespace": "", "name": "node-1"}, ("get", "Node/node-1")),
        ("get", {"kind": "Namespace", "namespace": "", "name": "shop-eu"}, ("get", "Namespace/shop-eu")),
        ("list", {"kind": "Pod", "namespace": "shop-eu", "labels": "app=x"}, ("list", "Pod", "shop-eu", "app=x")),
        ("list", {"kind": "Node", "namespace": "", "labels": ""}, ("list", "Node", "", "")),
        (
            "logs",
            {"namespace": "payments", "pod": "api-1", "container": "", "previous": True},
            ("logs", "Pod/payments/api-1", "", "True"),
        ),
        ("events", {"kind": "Job", "namespace": "payments", "name": "j"}, ("events", "Job/payments/j")),
        (
            "rollouts",
            {"kind": "Deployment", "namespace": "payments", "name": "api"},
            ("rollouts", "Deployment/payments/api"),
        ),
        ("top", {"namespace": "payments", "workload": ""}, ("top", "payments", "")),
        ("promql", {"query": 'up{namespace="payments"}', "minutes": 30}, ("promql", 'up{namespace="payments"}', "30")),
        (
            "logql",
            {"query": '{namespace="payments"} |= "x"', "minutes": 5},
            ("logql", '{namespace="payments"} |= "x"', "5"),
        ),
        (
            "past_incidents",
            {"kind": "Deployment", "namespace": "payments", "name": "api"},
            ("past", "Deployment/payments/api"),
        ),
        ("runbook", {"words": "quota"}, ("runbook", "quota")),
    ],
)
async def test_what_is_inside_is_read(name: str, given: dict[str, Any], asked: tuple[str, ...]) -> None:
    found, look = await used(name, given)
    assert found.error == ""
    assert look.asked == [asked]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("get", {"kind": "Secret", "namespace": "payments", "name": "db"}),
        ("get", {"kind": "secrets", "namespace": "payments", "name": "db"}),
        ("get", {"kind": "Pod", "namespace": "kube-system", "name": "x"}),
        ("get", {"kind": "Pod", "namespace": "", "name": "x"}),
        ("get", {"kind": "Pod", "namespace": "payments", "name": "../../secrets/db"}),
        ("get", {"kind": "Pod", "namespace": "payments/pods", "name": "x"}),
        ("get", {"kind": "Namespace", "namespace": "", "name": "kube-system"}),
        ("get", {"kind": "Pod", "namespace": "payments"}),
        ("get", {"kind": "Pod", "namespace": "payments", "name": 3}),
        ("get", {"kind": "Pod", "namespace": "payments", "name": "x", "subresource": "exec"}),
        ("list", {"kind": "Pod", "namespace": "", "labels": ""}),
        ("list", {"kind": "Namespace", "namespace": "", "labels": ""}),
        ("list", {"kind": "Secret", "namespace": "payments", "labels": ""}),
        ("list", {"kind": "Pod", "namespace": "payments", "labels": "a" * 300}),
        ("logs", {"namespace": "payments", "pod": "x", "container": "a/b", "previous": False}),
        ("logs", {"namespace": "payments", "pod": "x", "container": "", "previous": "no"}),
        ("rollouts", {"kind": "Pod", "namespace": "payments", "name": "x"}),
        ("top", {"namespace": "kube-system", "workload": ""}),
        ("promql", {"query": 'up{namespace="payments"}', "minutes": 100_000}),
        ("promql", {"query": 'up{namespace="payments"}', "minutes": True}),
        ("promql", {"query": "up", "minutes": 5}),
        ("runbook", {"words": ""}),
        ("exec", {"command": "sh"}),
        ("", {}),
    ],
)
async def test_what_is_outside_is_refused_with_a_sentence_and_nothing_is_read(name: str, given: dict[str, Any]) -> None:
    found, look = await used(name, given)
    assert found.error.endswith(".")
    assert look.asked == []


async def test_a_source_that_is_not_set_is_no_tool() -> None:
    found, look = await used("promql", {"query": 'up{namespace="payments"}', "minutes": 5}, making.Look(sources=()))
    assert found.error == "There is no tool 'promql'."
    assert look.asked == []
    assert {tool["name"] for tool in tools.schemas(())} == set(tools.NAMES) - {"promql", "logql"}


async def test_what_cannot_be_read_is_told_and_not_raised() -> None:
    for error in (errors.NotPossible("there is no such pod"), errors.ClusterUnavailable("away")):
        found, _ = await used("runbook", {"words": "x"}, making.Look(body=error))
        assert found.error == str(error)


async def test_a_long_result_is_capped_and_says_so() -> None:
    found, _ = await used("runbook", {"words": "x"}, making.Look(body="x " * 50_000))
    piece = tools.evidence(found, 9)
    assert (len(piece.body), piece.cut, piece.label, piece.source) == (tools.BODY_CHARACTERS, True, "E9", "tool")


@pytest.mark.parametrize(
    "query",
    [
        'up{namespace="payments"}',
        'sum by (pod) (rate(http_requests_total{job="x",namespace="payments",code=~"5.."}[5m]))',
        'a{namespace="payments"} / on (pod) group_left b{namespace="shop-eu"} > bool 0.5',
        'max_over_time(x{namespace="payments"}[1h:5m] offset 10m)',
        "{__name__=\"up\", namespace='payments'}",
        'label_replace(up{namespace="payments"}, "a", "$1", "b", "(.*)")',
    ],
)
def test_a_query_inside_the_watch_passes(query: str) -> None:
    assert queries.promql(query, lambda namespace: namespace in ("payments", "shop-eu")) == ""


@pytest.mark.parametrize(
    "query",
    [
        "up",
        "up{}",
        'up{pod="x"}',
        'up{namespace="kube-system"}',
        'up{namespace=~"payments|kube-system"}',
        'up{namespace!="payments"}',
        'up{namespace="payments"} or down',
        'up{namespace="payments"} or up{pod="x"}',
        'up{exported_namespace="payments"}',
        'up{a="namespace=\\"payments\\""}',
        'up{namespace="payments" or namespace="kube-system"}',
        'up{namespace="payments", namespace="kube-system"}',
        'up{namespace="pay\\x6dents"}',
        'up{namespace="payments"} # {',
        'up{namespace="payments"',
        'up{namespace="payments}',
        "sum(up) by (namespace)",
        'up{namespace="payments"}' + " " * 600,
        'up{namespace="payments"}\x000\x00',
    ],
)
def test_a_query_that_could_ask_for_more_is_refused(query: str) -> None:
    assert queries.promql(query, lambda namespace: namespace == "payments")


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ('{namespace="payments"} |= "error" | json | line_format "{{.msg}}"', True),
        ('sum(rate({namespace="payments", app="x"} |~ `a{2}` [5m]))', True),
        ('{app="x"}', False),
        ('{namespace=~".+"}', False),
        ('{namespace="payments"} or {namespace="kube-system"}', False),
        ("rate(x[5m])", False),
        ("", False),
    ],
)
def test_a_query_of_logs_is_held_to_the_watch_as_well(query: str, passes: bool) -> None:
    assert (queries.logql(query, lambda namespace: namespace == "payments") == "") is passes
