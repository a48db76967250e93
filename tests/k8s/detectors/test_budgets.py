"""PDBBlocking: what a drain leaves behind, and what merely looks like it."""

from datetime import timedelta
from typing import Any

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b


def _pod(name: str = "web-7d9f-abcde", app: str = "web", **more: Any) -> b.Json:
    return b.pod(name, labels={"app": app}, **more)


def _found(*pods: b.Json, budget: b.Json | None = None, node: b.Json | None = None) -> list[model.Finding]:
    lists = {"pods": list(pods), "poddisruptionbudgets": [budget or b.budget()], "nodes": [node or b.cordoned()]}
    return b.findings("PDBBlocking", **lists)


def test_the_budget_its_node_and_its_arithmetic_are_told() -> None:
    (finding,) = _found(_pod())
    assert finding.message == (
        "PodDisruptionBudget web lets no pod go (it asks for 2 of 2 pods at all times), while node node-a is cordoned "
        "and still has 1 pod of it; what could go has gone."
    )
    assert (finding.severity, finding.cause, finding.since) == ("P3", "no disruption allowed", b.moment(900))
    assert finding.owner.kind == "ReplicaSet"
    assert (finding.facts["class"], finding.facts["nodes"], finding.facts["held"]) == ("never", "node-a", "1")


def test_a_budget_whose_pods_are_not_well_says_so_and_owners_that_differ_leave_it_its_own() -> None:
    owner = b.controlled("StatefulSet", "web")
    (finding,) = _found(_pod(), _pod("web-0", owner=owner), budget=b.budget(healthy=1, desired=2, expected=3))
    assert "(1 of its 3 pods are healthy and it asks for 2)" in finding.message
    assert "still has 2 pods of it" in finding.message
    assert finding.facts["class"] == "unhealthy"
    assert finding.owner == model.ResourceRef("PodDisruptionBudget", "shop", "web", "uid-web")


@pytest.mark.parametrize(("since", "mature"), [(599, False), (600, True)])
def test_its_grace_is_ten_minutes_of_both(since: float, mature: bool) -> None:
    lists = {"pods": [_pod()], "poddisruptionbudgets": [b.budget()], "nodes": [b.cordoned(since=since)]}
    found = detection.detect(b.snapshot(**lists))
    assert found.findings[0].grace == timedelta(seconds=600)
    assert found.problems[0].mature(b.NOW) is mature


def test_the_later_of_the_two_counts_and_what_is_not_known_begins_now() -> None:
    assert _found(_pod(), node=b.cordoned(since=5000))[0].since == b.moment(1200)
    assert _found(_pod(), node=b.node(spec={"unschedulable": True}))[0].since == b.NOW
    unknown = b.budget()
    unknown["status"]["conditions"] = []
    assert _found(_pod(), budget=unknown)[0].since == b.NOW


@pytest.mark.parametrize(
    ("key", "value", "seconds"),
    [
        ("ToBeDeletedByClusterAutoscaler", str(int(b.moment(800).timestamp())), 800),
        ("ToBeDeletedByClusterAutoscaler", "soon", 0),
        ("karpenter.sh/disrupted", None, 0),
    ],
)
def test_a_node_that_an_autoscaler_drains_counts_as_cordoned(key: str, value: str | None, seconds: float) -> None:
    node = b.node(spec={"taints": [{"key": key, "value": value, "effect": "NoSchedule"}]})
    assert _found(_pod(), node=node)[0].since == b.moment(seconds)


@pytest.mark.parametrize(
    "other",
    [
        b.pod("agent-1", owner=b.controlled("DaemonSet", "agent")),
        b.pod("proxy", owner=b.controlled("Node", "node-a")),
        b.pod("mirror", annotations={"kubernetes.io/config.mirror": "x"}),
        b.pod("done", phase="Succeeded"),
        b.pod("leaving", deletionTimestamp=b.ago(-20)),
        b.pod("elsewhere", node="node-b"),
    ],
    ids=["a daemon", "a static pod", "a mirror", "done", "on its way", "on another node"],
)
def test_what_a_drain_leaves_alone_does_not_hide_it(other: b.Json) -> None:
    assert len(_found(_pod(), other)) == 1


def test_a_node_that_still_has_what_could_go_was_only_cordoned() -> None:
    assert _found(_pod(), _pod("api-1", app="api")) == []


@pytest.mark.parametrize(
    "budget",
    [
        b.budget(allowed=1),
        b.budget(expected=0),
        b.budget(selector=None),
        b.budget(selector={"matchLabels": {"app": "api"}}),
        b.budget() | {"metadata": b.meta("web", "elsewhere")},
        b.budget() | {"status": {}},
    ],
    ids=["it has room", "no pods", "no selector", "other pods", "another namespace", "not counted yet"],
)
def test_a_budget_that_does_not_hold_the_pod_is_silent(budget: b.Json) -> None:
    assert _found(_pod(), budget=budget) == []


@pytest.mark.parametrize(
    ("expression", "selects"),
    [
        ({"key": "app", "operator": "In", "values": ["web", "api"]}, True),
        ({"key": "app", "operator": "In", "values": ["api"]}, False),
        ({"key": "app", "operator": "NotIn", "values": ["api"]}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["x"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["web"]}, False),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "tier", "operator": "Exists"}, False),
        ({"key": "tier", "operator": "DoesNotExist"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
        ({"key": "app", "operator": "Resembles"}, False),
    ],
)
def test_selectors_select_as_the_api_has_it(expression: b.Json, selects: bool) -> None:
    assert bool(_found(_pod(), budget=b.budget(selector={"matchExpressions": [expression]}))) is selects


def test_an_empty_selector_selects_all() -> None:
    assert len(_found(_pod(app="anything"), budget=b.budget(selector={}))) == 1


@pytest.mark.parametrize(
    ("policy", "healthy", "phase", "held"),
    [
        (None, 1, "Running", True),
        (None, 2, "Running", False),
        ("IfHealthyBudget", 2, "Running", False),
        ("AlwaysAllow", 1, "Running", False),
        (None, 1, "Pending", False),
    ],
)
def test_a_pod_that_is_not_ready_is_held_only_as_the_budget_has_it(
    policy: str | None, healthy: int, phase: str, held: bool
) -> None:
    unready = b.pod(statuses=[b.running(ready=False)], labels={"app": "web"}, phase=phase)
    assert bool(_found(unready, budget=b.budget(healthy=healthy, unhealthyPodEvictionPolicy=policy))) is held


def test_several_nodes_and_budgets_are_each_told_once() -> None:
    lists = {
        "pods": [_pod("w-1"), _pod("w-2", node="node-b"), _pod("a-1", app="api", node="node-b")],
        "poddisruptionbudgets": [b.budget(), b.budget("api", selector={"matchLabels": {"app": "api"}})],
        "nodes": [b.cordoned(), b.cordoned("node-b")],
    }
    api, web = sorted(b.findings("PDBBlocking", **lists), key=lambda finding: finding.resource.name)
    assert (api.facts["nodes"], web.facts["nodes"]) == ("node-b", "node-a, node-b")
    assert "while 2 nodes are cordoned and still have 2 pods of it" in web.message


def test_without_a_cordoned_node_or_a_full_budget_no_pod_is_looked_at() -> None:
    assert _found(_pod(), node=b.node()) == []
    lists = {"pods": [_pod()], "nodes": [b.cordoned()]}
    assert b.findings("PDBBlocking", **lists) == []
