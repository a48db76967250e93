"""NodeNotReady and NodePressure: what a node's own conditions say."""

from datetime import timedelta

import pytest

from k8s import detection
from tests.k8s.detectors import builders as b


@pytest.mark.parametrize(("status", "words"), [("Unknown", "has stopped reporting"), ("False", "has not been ready")])
def test_the_finding_says_since_when_and_how_many_pods(status: str, words: str) -> None:
    node = b.node("node-a", b.node_condition("Ready", status, reason="NodeStatusUnknown"))
    pods = [b.pod("a"), b.pod("b"), b.pod("c", phase="Succeeded"), b.pod("d", node="node-b"), b.pod("e", node="")]
    finding = b.only("NodeNotReady", nodes=[node], pods=pods)
    assert finding.message == f"Node node-a {words} since 2026-03-14 02:55 UTC; 2 pods are on it."
    assert finding.facts == {
        "reason": "NodeStatusUnknown",
        "condition": "Ready",
        "status": status,
        "pods": "2",
    }
    assert (finding.severity, finding.since, finding.cause) == ("P1", b.moment(300), "not ready")
    assert finding.resource == finding.owner
    assert (finding.resource.kind, finding.resource.namespace, finding.node) == ("Node", "", "node-a")


def test_one_pod_is_said_in_the_singular_and_a_cordon_is_a_fact() -> None:
    node = b.node("node-a", b.node_condition("Ready", "False"), spec={"unschedulable": True})
    finding = b.only("NodeNotReady", nodes=[node], pods=[b.pod()])
    assert finding.message.endswith("; 1 pod is on it.")
    assert finding.facts["cordoned"] == "true"


@pytest.mark.parametrize(("kind", "condition"), [("NodeNotReady", "Ready"), ("NodePressure", "PIDPressure")])
@pytest.mark.parametrize(("since", "mature"), [(59, False), (60, True)])
def test_the_grace_is_a_minute(kind: str, condition: str, since: float, mature: bool) -> None:
    status = "False" if condition == "Ready" else "True"
    node = b.node("node-a", b.node_condition(condition, status, since=since))
    found = detection.detect(b.snapshot(nodes=[node]))
    assert found.findings[0].kind == kind
    assert found.findings[0].grace == timedelta(seconds=60)
    assert found.problems[0].mature(b.NOW) is mature


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("MemoryPressure", "has been short of memory"),
        ("DiskPressure", "has been short of disk space"),
        ("PIDPressure", "has been short of process ids"),
        ("NetworkUnavailable", "has had no working pod network"),
        ("KernelDeadlock", "has reported KernelDeadlock"),
        ("ReadonlyFilesystem", "has reported ReadonlyFilesystem"),
        ("FrequentKubeletRestart", "has reported FrequentKubeletRestart"),
        ("ContainerRuntimeUnhealthy", "has reported ContainerRuntimeUnhealthy"),
    ],
)
def test_pressures_and_the_bad_conditions_of_a_problem_detector_are_found(condition: str, words: str) -> None:
    finding = b.only("NodePressure", nodes=[b.node("node-a", b.node_condition(condition, "True"))])
    assert words in finding.message
    assert (finding.cause, finding.severity) == (condition, "P2")


@pytest.mark.parametrize("status", ["False", "Unknown", ""])
def test_a_condition_that_is_not_true_is_silent(status: str) -> None:
    assert b.findings("NodePressure", nodes=[b.node("node-a", b.node_condition("MemoryPressure", status))]) == []


@pytest.mark.parametrize("condition", ["EtcdIsVoter", "SysctlChanged", "GPUHealthy"])
def test_an_unknown_condition_for_which_true_is_good_is_silent(condition: str) -> None:
    assert b.findings("NodePressure", nodes=[b.node("node-a", b.node_condition(condition, "True"))]) == []


@pytest.mark.parametrize("taint", ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"])
def test_a_node_that_an_autoscaler_takes_away_is_silent(taint: str) -> None:
    spec = {"taints": [{"key": "other", "effect": "NoSchedule"}, {"key": taint, "effect": "NoSchedule"}]}
    assert b.findings("NodeNotReady", nodes=[b.node("node-a", b.node_condition("Ready", "False"), spec=spec)]) == []


def test_a_node_without_conditions_says_nothing() -> None:
    node = b.node() | {"status": {"conditions": None}}
    assert detection.detect(b.snapshot(nodes=[node])).findings == ()
