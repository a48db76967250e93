"""HPABroken: an autoscaler that cannot work, and one that has no room left."""

from datetime import timedelta
from typing import Any

import pytest

from k8s import detection, model
from tests.k8s.detectors import builders as b

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}


def _says(kind: str, status: str, reason: str, message: str = "", *, since: float = 400) -> b.Json:
    return b.node_condition(kind, status, reason=reason, since=since) | {"message": message}


def _full(*, since: float = 1800, scaled: float | None = None, value: b.Json | None = None, **more: Any) -> b.Json:
    """An autoscaler at its maximum of 10 replicas, of which it wants more."""
    current = [{"type": "Resource", "resource": {"name": "cpu", "current": value}}] if value is not None else None
    return b.autoscaler(
        _says("AbleToScale", "True", "ReadyForNewScale"),
        _says("ScalingActive", "True", "ValidMetricFound"),
        _says("ScalingLimited", "True", "TooManyReplicas", since=since),
        current=10,
        spec={"metrics": [CPU]},
        status={"currentMetrics": current, "lastScaleTime": b.ago(since if scaled is None else scaled)} | more,
    )


def _class(autoscaler: b.Json) -> str:
    found = b.findings("HPABroken", horizontalpodautoscalers=[autoscaler])
    return found[0].facts["class"] if found else ""


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        (_says("AbleToScale", "False", "FailedGetScale", 'deployments.apps "web" not found'), "target-missing"),
        (_says("AbleToScale", "False", "FailedGetScale", "the server is busy"), "target"),
        (_says("AbleToScale", "False", "FailedUpdateScale", "forbidden"), "target"),
        (_says("AbleToScale", "False", "BackoffBoth"), ""),
        (_says("ScalingActive", "False", "FailedGetResourceMetric", "no metrics"), "metrics"),
        (_says("ScalingActive", "False", "FailedGetExternalMetric", "no metrics"), "metrics"),
        (_says("ScalingActive", "False", "InvalidSelector"), "selector"),
        (_says("ScalingActive", "False", "AmbiguousSelector"), "selector"),
        (_says("ScalingActive", "False", "ScalingDisabled"), ""),
        (_says("ScalingActive", "Unknown", "FailedGetResourceMetric"), ""),
        (_says("ScalingLimited", "True", "TooFewReplicas"), ""),
    ],
)
def test_what_the_controller_says_is_classified(condition: b.Json, kind: str) -> None:
    assert _class(b.autoscaler(condition)) == kind


def test_a_target_that_cannot_be_read_comes_before_metrics_that_are_of_then() -> None:
    lost = _says("AbleToScale", "False", "FailedGetScale", 'deployments.apps "web" not found')
    blind = _says("ScalingActive", "False", "FailedGetResourceMetric")
    finding = b.only("HPABroken", horizontalpodautoscalers=[b.autoscaler(blind, lost)])
    assert finding.message == "HorizontalPodAutoscaler web does not scale: its target Deployment web does not exist."
    assert (finding.severity, finding.since, finding.cause) == ("P2", b.moment(400), "target-missing FailedGetScale")
    assert finding.owner == model.ResourceRef("HorizontalPodAutoscaler", "shop", "web", "uid-web")


def test_it_folds_into_the_workload_that_it_scales() -> None:
    blind = b.autoscaler(_says("ScalingActive", "False", "FailedGetResourceMetric", "no metrics API"))
    finding = b.only("HPABroken", horizontalpodautoscalers=[blind], deployments=[b.deployment()])
    assert finding.owner == model.ResourceRef("Deployment", "shop", "web", "uid-web")
    assert (finding.facts["said"], finding.facts["target"]) == ("no metrics API", "Deployment web")


@pytest.mark.parametrize(("since", "mature"), [(299, False), (300, True)])
def test_its_grace_is_five_minutes(since: float, mature: bool) -> None:
    blind = b.autoscaler(_says("ScalingActive", "False", "FailedGetResourceMetric", since=since))
    found = detection.detect(b.snapshot(horizontalpodautoscalers=[blind]))
    assert found.findings[0].grace == timedelta(seconds=300)
    assert found.problems[0].mature(b.NOW) is mature


def test_at_its_maximum_the_metric_and_its_target_are_told() -> None:
    finding = b.only("HPABroken", horizontalpodautoscalers=[_full(value={"averageUtilization": 93})])
    assert finding.message == (
        "HorizontalPodAutoscaler web has been at its maximum of 10 replicas since 2026-03-14 02:30 UTC "
        "while cpu is at 93 % of 70 % wanted."
    )
    assert (finding.severity, finding.cause, finding.since) == ("P3", "at its maximum", b.moment(1800))


@pytest.mark.parametrize(
    ("since", "scaled", "found"), [(1800, 1800, True), (1799, 1800, False), (7200, 1799, False), (1800, 9000, True)]
)
def test_half_an_hour_at_the_maximum_counts_from_the_last_change(since: float, scaled: float, found: bool) -> None:
    assert bool(_class(_full(since=since, scaled=scaled))) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"averageUtilization": 77}, False),
        ({"averageUtilization": 78}, True),
        ({"averageUtilization": 10}, False),
        ({"averageUtilization": "much"}, True),
        ({"averageValue": "500m"}, True),
        ({}, True),
        (None, True),
    ],
)
def test_a_metric_within_its_target_wants_no_more_and_an_unknown_one_is_left_to_the_controller(
    value: b.Json | None, found: bool
) -> None:
    assert bool(_class(_full(value=value))) is found


def test_the_worst_of_several_metrics_counts() -> None:
    pods = {"type": "Pods", "pods": {"metric": {"name": "queue"}, "target": {"averageValue": "10"}}}
    full = _full(value={"averageUtilization": 10})
    full["spec"]["metrics"].append(pods)
    full["status"]["currentMetrics"].append(
        {"type": "Pods", "pods": {"metric": {"name": "queue"}, "current": {"averageValue": "2500m"}}}
    )
    assert _class(full) == ""
    full["status"]["currentMetrics"][-1]["pods"]["current"] = {"averageValue": "40"}
    assert b.only("HPABroken", horizontalpodautoscalers=[full]).facts["metrics"] == "queue is at 40 of 10 wanted"


@pytest.mark.parametrize(
    "change",
    [
        {"currentReplicas": 9},
        {"conditions": [_says("ScalingLimited", "False", "DesiredWithinRange", since=9000)]},
        {"conditions": [_says("ScalingLimited", "True", "ScaleUpLimit", since=9000)]},
    ],
    ids=["below its maximum", "within range", "slowed down"],
)
def test_with_room_left_it_is_silent(change: b.Json) -> None:
    full = _full()
    full["status"] |= change
    assert _class(full) == ""


def test_one_that_is_being_deleted_or_says_nothing_is_silent() -> None:
    gone = _full()
    gone["metadata"]["deletionTimestamp"] = b.ago(1)
    assert _class(gone) == ""
    assert _class({"metadata": b.meta("web")}) == ""


@pytest.mark.parametrize(
    "odd", [{}, {"type": 3}, {"type": ""}, {"type": "Pods", "pods": []}, {"type": "Pods", "pods": {"metric": 1}}]
)
def test_odd_metrics_break_nothing(odd: b.Json) -> None:
    full = _full()
    full["spec"]["metrics"] = full["status"]["currentMetrics"] = [odd]
    assert _class(full) == "at-maximum"
