"""Unschedulable: a pod for which the scheduler finds no node, and why."""

from datetime import timedelta

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b


def _condition(message: str | None, reason: str = "Unschedulable", since: float = 300) -> b.Json:
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": b.ago(since),
    }


def _pending(condition: b.Json, **spec: object) -> b.Json:
    return b.pod(statuses=[], phase="Pending", node="", ready=False, conditions=[condition], spec=spec)


def _found(message: str | None, **spec: object) -> model.Finding:
    return b.only("Unschedulable", pods=[_pending(_condition(message), **spec)])


@pytest.mark.parametrize(
    ("message", "classes"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu.", ["cpu"]),
        ("0/3 nodes are available: 3 Insufficient memory.", ["memory"]),
        ("0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.", ["cpu", "memory"]),
        ("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", ["gpu"]),
        ("0/3 nodes are available: 3 Insufficient ephemeral-storage.", ["resource"]),
        ("0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: db}.", ["taint"]),
        ("0/3 nodes are available: 3 node(s) were unschedulable.", ["taint"]),
        ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", ["affinity"]),
        ("0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints.", ["affinity"]),
        ("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.", ["pvc"]),
        ("0/3 nodes are available: 3 node(s) had volume node affinity conflict.", ["pvc"]),
        ('persistentvolumeclaim "data" not found', ["pvc"]),
        ("0/3 nodes are available: 3 Too many pods.", ["too-many-pods"]),
        ("0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.", ["ports"]),
        (
            (
                "0/5 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
                "2 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/5 nodes are "
                "available: 5 No preemption victims found for incoming pod, too many pods."
            ),
            ["cpu", "affinity", "taint"],
        ),
        ("no nodes available to schedule pods", ["other"]),
        (None, ["other"]),
    ],
)
def test_the_words_of_the_scheduler_are_classified(message: str | None, classes: list[str]) -> None:
    finding = _found(message)
    assert finding.facts["classes"].split(",") == classes
    assert (finding.facts["class"], finding.cause) == (classes[0], classes[0])
    assert finding.severity == "P2"


def test_what_was_asked_is_the_sum_of_containers_and_sidecars_or_the_largest_init_container() -> None:
    finding = _found(
        "0/3 nodes are available: 3 Insufficient cpu.",
        containers=[
            {"name": "app", "resources": {"requests": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": 1}}},
            {"name": "log", "resources": {"requests": {"cpu": "250m", "memory": "odd"}}},
            {"name": "plain"},
        ],
        initContainers=[
            {"name": "migrate", "resources": {"requests": {"cpu": "0.5", "memory": "2Gi"}}},
            {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "250m"}}},
        ],
    )
    assert finding.facts["asked_cpu"] == "1"
    assert finding.facts["asked_memory"] == "2Gi"
    assert finding.message == (
        "Pod web-7d9f-abcde cannot be scheduled: not enough CPU is free. It asks for 1 CPU, 2Gi memory, "
        '1 nvidia.com/gpu. The scheduler says: "0/3 nodes are available: 3 Insufficient cpu".'
    )


def test_what_the_scheduler_says_of_preemption_is_a_fact_and_no_part_of_the_sentence() -> None:
    finding = _found("0/3 nodes are available: 3 Too many pods. preemption: 0/3 nodes are available: 3 not helpful.")
    assert finding.message.endswith('The scheduler says: "0/3 nodes are available: 3 Too many pods".')
    assert finding.facts["said"].endswith("not helpful.")


def test_a_pod_that_asks_for_nothing_says_nothing_of_it() -> None:
    finding = _found("0/3 nodes are available: 3 Too many pods.", containers=[{"name": "app"}])
    assert "asks for" not in finding.message
    assert "asked" not in finding.facts


@pytest.mark.parametrize(
    ("gates", "named"),
    [
        ([{"name": "b/y"}, {"name": "a/x"}], "a/x, b/y"),
        (None, "one that is not named"),
        ([{}], "one that is not named"),
    ],
)
def test_a_gated_pod_is_untidy_and_names_its_gates(gates: list[b.Json] | None, named: str) -> None:
    pending = _pending(_condition("gated", "SchedulingGated"), schedulingGates=gates)
    finding = b.only("Unschedulable", pods=[pending])
    assert (finding.severity, finding.cause, finding.facts["gates"]) == ("P3", "gated", named)


@pytest.mark.parametrize(("since", "mature"), [(119, False), (120, True)])
def test_its_grace_leaves_time_for_an_autoscaler(since: float, mature: bool) -> None:
    found = detection.detect(b.snapshot(pods=[_pending(_condition("3 Insufficient cpu", since=since))]))
    assert found.findings[0].grace == timedelta(seconds=120)
    assert found.problems[0].mature(b.NOW) is mature


def test_a_condition_without_a_time_began_with_the_pod() -> None:
    pending = _pending(_condition("3 Insufficient cpu") | {"lastTransitionTime": None})
    assert b.only("Unschedulable", pods=[pending]).since == b.moment(86_400)


@pytest.mark.parametrize(
    "pod",
    [
        _pending({"type": "PodScheduled", "status": "False", "reason": "SchedulerError"}),
        b.pod(statuses=[], phase="Pending", ready=False),
        b.pod(statuses=[b.running(ready=False)], conditions=[_condition("stale")]),
    ],
    ids=["another reason", "no condition", "it runs by now"],
)
def test_what_is_not_unschedulable_is_silent(pod: b.Json) -> None:
    assert b.findings("Unschedulable", pods=[pod]) == []
