"""DaemonSetIncomplete: nodes without their daemon, told from nodes that somebody works on and from rollouts."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from k8s import detection
from tests.k8s.detectors import builders as b


def _nodes(**changed: b.Json) -> list[b.Json]:
    return [changed.get(name.replace("-", "_"), b.node(name)) for name in ("node-a", "node-b", "node-c")]


def _tainted(name: str, key: str, effect: str = "NoSchedule") -> b.Json:
    return b.node(name, spec={"taints": [{"key": key, "effect": effect}]})


def _pods(**more: Any) -> list[b.Json]:
    return [b.daemon("node-a", ready=False, **more), b.daemon("node-b"), b.daemon("node-c")]


def _found(daemonset: b.Json, nodes: list[b.Json], **more: Any) -> list[str]:
    found = b.findings("DaemonSetIncomplete", daemonsets=[daemonset], nodes=nodes, pods=_pods(**more))
    return [finding.facts["class"] for finding in found]


def test_the_nodes_are_told() -> None:
    lists = {"daemonsets": [b.daemonset(ready=2)], "pods": _pods(), "nodes": _nodes()}
    finding = b.only("DaemonSetIncomplete", **lists)
    assert finding.message == "DaemonSet agent is not available on 1 of 3 nodes."
    assert (finding.cause, finding.severity, finding.since) == ("unavailable", "P2", b.moment(900))
    assert finding.facts == {"class": "unavailable", "nodes": "node-a", "ready": "2", "desired": "3"}


@pytest.mark.parametrize(("since", "mature"), [(299, False), (300, True)])
def test_its_grace_is_five_minutes(since: float, mature: bool) -> None:
    found = detection.detect(b.snapshot(daemonsets=[b.daemonset(ready=2)], pods=_pods(since=since), nodes=_nodes()))
    (finding,) = found.findings
    assert finding.grace == timedelta(seconds=300)
    assert found.problems[0].mature(b.NOW) is mature


@pytest.mark.parametrize(
    "node",
    [
        b.cordoned("node-a"),
        _tainted("node-a", "node.kubernetes.io/out-of-service", "NoExecute"),
        _tainted("node-a", "ToBeDeletedByClusterAutoscaler"),
        b.node("node-a", deletionTimestamp=b.ago(5)),
        b.node("node-a", b.node_condition("Ready", "Unknown")),
    ],
    ids=["cordoned", "out of service", "about to be deleted", "being deleted", "lost"],
)
def test_a_node_that_is_dealt_with_is_excused(node: b.Json) -> None:
    assert _found(b.daemonset(ready=2), _nodes(node_a=node)) == []


def test_a_taint_that_the_daemons_tolerate_excuses_nothing() -> None:
    control_plane = _tainted("node-a", "node-role.kubernetes.io/control-plane")
    assert _found(b.daemonset(ready=2), _nodes(node_a=control_plane)) == ["unavailable"]


@pytest.mark.parametrize(
    ("unavailable", "allowed", "since", "found"),
    [
        (1, 1, 599, False),
        (1, 1, 600, True),
        (2, 1, 400, True),
        (1, None, 400, False),
        (1, "34%", 400, False),
        (2, "34%", 400, False),
        (1, "1%", 400, False),
        (2, "1%", 400, True),
        (1, "many", 400, False),
    ],
)
def test_a_rollout_within_max_unavailable_has_ten_minutes(
    unavailable: int, allowed: int | str | None, since: float, found: bool
) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": allowed}}
    rolling = b.daemonset(ready=3 - unavailable, updated=1, updateStrategy=strategy)
    assert bool(_found(rolling, _nodes(), since=since)) is found


@pytest.mark.parametrize(
    "daemonset", [b.daemonset(ready=2, updated=3), b.daemonset(ready=2, updated=1, updateStrategy={"type": "OnDelete"})]
)
def test_without_a_rollout_nothing_is_excused_by_one(daemonset: b.Json) -> None:
    assert _found(daemonset, _nodes(), since=400) == ["unavailable"]


def test_pods_that_are_ready_and_only_not_yet_available_are_no_news() -> None:
    found = b.findings(
        "DaemonSetIncomplete", daemonsets=[b.daemonset(ready=2)], pods=[b.daemon("node-a")], nodes=_nodes()
    )
    assert found == []


def test_pods_that_cannot_be_made_are_told_with_the_controllers_words() -> None:
    made = b.daemonset(ready=2, made=2)
    said = 'Error creating: pods "agent-x" is forbidden: exceeded quota: few, requested: pods=1'
    told = b.event(made, "DaemonSet", "FailedCreate", said)
    lists = {"daemonsets": [made], "pods": [b.daemon("node-b"), b.daemon("node-c")], "nodes": _nodes()}
    assert b.findings("DaemonSetIncomplete", **lists) == []
    finding = b.only("DaemonSetIncomplete", **lists, events=[told])
    assert finding.message == "DaemonSet agent is not available on 1 of 3 nodes, and their pods cannot be created."
    assert (finding.facts["said"], finding.facts["quota"], finding.since) == (said, "few", b.moment(600))


def test_pods_that_run_where_they_should_not_are_counted() -> None:
    lists = {
        "daemonsets": [b.daemonset(desired=2, ready=2, misscheduled=2)],
        "pods": [b.daemon("node-a"), b.daemon("node-b")],
    }
    finding = b.only("DaemonSetIncomplete", **lists, nodes=_nodes(node_a=_tainted("node-a", "gpu")))
    assert finding.message == "DaemonSet agent has 1 pod on nodes that should not run it."
    assert (finding.cause, finding.since) == ("misscheduled", b.NOW)


@pytest.mark.parametrize(
    "node", [_tainted("node-a", "gpu"), _tainted("node-a", "gpu", "NoExecute"), b.cordoned("node-a")]
)
def test_a_taint_that_came_after_the_pod_explains_it(node: b.Json) -> None:
    made = b.daemonset(desired=2, ready=2, misscheduled=1)
    assert b.findings("DaemonSetIncomplete", daemonsets=[made], pods=[b.daemon("node-a")], nodes=[node]) == []


def test_a_pod_on_its_way_out_or_nodes_that_may_not_be_read_explain_it_too() -> None:
    made = b.daemonset(desired=2, ready=2, misscheduled=1)
    leaving = b.daemon("node-a", deletionTimestamp=b.ago(-30))
    assert b.findings("DaemonSetIncomplete", daemonsets=[made], pods=[leaving], nodes=_nodes()) == []
    seen = b.snapshot(daemonsets=[made], pods=[b.daemon("node-a")])
    why = {"nodes": "no"}
    for blind in (dataclasses.replace(seen, degraded=why), dataclasses.replace(seen, unread=why)):
        assert detection.detect(blind).findings == ()


def test_what_is_deleted_or_not_yet_observed_is_silent() -> None:
    for change in ({"generation": 2}, {"deletionTimestamp": b.ago(1)}):
        made = b.daemonset(ready=2)
        made["metadata"] |= change
        assert _found(made, _nodes()) == []
