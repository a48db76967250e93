"""HPABroken: a HorizontalPodAutoscaler that cannot do its work, or has no room left for it. Called by `k8s.detection`.

What its controller says in its conditions:
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough/#appendix-horizontal-pod-autoscaler-status-conditions
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from k8s import model, objects, phrases, surroundings, symptoms

HPA_BROKEN = symptoms.KindInfo(
    kind="HPABroken",
    severity="P2",
    grace=timedelta(seconds=300),
    doc="https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/",
    condition="a HorizontalPodAutoscaler cannot scale, or has been at its maximum for 30 min and wants more",
    unless="P3 where it is at its maximum",
)
KINDS = (HPA_BROKEN,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("horizontalpodautoscalers",)

AT_MAXIMUM = timedelta(minutes=30)

TOLERANCE = 1.1
"""A metric within a tenth of its target makes the controller do nothing (its default tolerance)."""

_SAYINGS = {
    "target-missing": "its target {target} does not exist",
    "target": "it cannot read or change the scale of its target {target}",
    "selector": "the selector of its target {target} is missing, wrong or shared with another autoscaler",
    "metrics": "it has no metrics of its target {target}",
}


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: target-missing, target, selector, metrics or at-maximum.

    One whose target is scaled to zero does nothing on purpose; one at its minimum does its work.
    """
    for autoscaler in snapshot.horizontalpodautoscalers:
        if autoscaler.metadata.deletion_timestamp:
            continue
        finding = _disabled(autoscaler, index, snapshot.taken_at) or _at_maximum(autoscaler, index, snapshot.taken_at)
        if finding is not None:
            yield finding


def _disabled(autoscaler: surroundings.Autoscaler, index: model.Index, now: datetime) -> model.Finding | None:
    conditions = autoscaler.status.conditions
    able, active = objects.condition(conditions, "AbleToScale"), objects.condition(conditions, "ScalingActive")
    if able is not None and able.status == "False" and not (able.reason or "").startswith("Backoff"):
        gone = able.reason == "FailedGetScale" and "not found" in (able.message or "")
        return _by_condition(autoscaler, able, "target-missing" if gone else "target", index, now)
    if active is not None and active.status == "False" and active.reason != "ScalingDisabled":
        selector = active.reason in ("InvalidSelector", "AmbiguousSelector")
        return _by_condition(autoscaler, active, "selector" if selector else "metrics", index, now)
    return None


def _by_condition(
    autoscaler: surroundings.Autoscaler, condition: objects.Condition, kind: str, index: model.Index, now: datetime
) -> model.Finding:
    said = phrases.clip(condition.message)
    why = _SAYINGS[kind].format(target=_target(autoscaler))
    return _finding(
        autoscaler,
        index,
        since=symptoms.earliest(now, objects.moment(condition.last_transition_time)),
        message=f"HorizontalPodAutoscaler {autoscaler.metadata.name} does not scale: {why}.",
        cause=f"{kind} {condition.reason or ''}".rstrip(),
        facts={"class": kind, "reason": condition.reason or "", "said": said},
    )


def _at_maximum(autoscaler: surroundings.Autoscaler, index: model.Index, now: datetime) -> model.Finding | None:
    """Its controller wants more replicas than it may have, and has for half an hour."""
    limited = objects.condition(autoscaler.status.conditions, "ScalingLimited")
    if limited is None or limited.status != "True" or limited.reason != "TooManyReplicas":
        return None
    most = autoscaler.spec.max_replicas or 0
    if most <= 0 or (autoscaler.status.current_replicas or 0) < most:
        return None
    told = (objects.moment(limited.last_transition_time), objects.moment(autoscaler.status.last_scale_time))
    known = [moment for moment in told if moment is not None and moment <= now]
    if not known or now - max(known) < AT_MAXIMUM:
        return None
    pressures = _pressures(autoscaler)
    if pressures and max(pressure for pressure, _ in pressures) <= TOLERANCE:
        return None
    above = [words for pressure, words in pressures if pressure > TOLERANCE]
    metric = f" while {above[0]}" if above else ", and its metrics ask for more"
    return _finding(
        autoscaler,
        index,
        since=max(known),
        message=f"HorizontalPodAutoscaler {autoscaler.metadata.name} has been at its maximum of "
        f"{phrases.counted(most, 'replica')} since {max(known):%Y-%m-%d %H:%M} UTC{metric}.",
        cause="at its maximum",
        facts={"class": "at-maximum", "maximum": str(most), "metrics": phrases.clip("; ".join(above))},
        severity="P3",
    )


def _pressures(autoscaler: surroundings.Autoscaler) -> list[tuple[float, str]]:
    """For each metric whose value and target are known, value / target, with words; worst first."""
    current = {_named(metric): _inner(metric) for metric in autoscaler.status.current_metrics or ()}
    found: list[tuple[float, str]] = []
    for metric in autoscaler.spec.metrics or ():
        name = _named(metric)
        target, value = _inner(metric).get("target"), current.get(name, {}).get("current")
        if not name or not isinstance(target, dict) or not isinstance(value, dict):
            continue
        for field in ("averageUtilization", "averageValue", "value"):
            wanted, is_now = phrases.quantity(target.get(field)), phrases.quantity(value.get(field))
            if wanted and is_now is not None:
                unit = " %" if field == "averageUtilization" else ""
                shown = f"{phrases.clip(str(value[field]))}{unit} of {phrases.clip(str(target[field]))}{unit}"
                found.append((is_now / wanted, f"{name[1]} is at {shown} wanted"))
                break
    return sorted(found, reverse=True)


def _inner(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    """`{"type": "Resource", "resource": {…}}` → the part that its type names."""
    kind = metric.get("type")
    inner = metric.get(kind[:1].lower() + kind[1:]) if isinstance(kind, str) else None
    return inner if isinstance(inner, dict) else {}


def _named(metric: Mapping[str, Any]) -> tuple[str, str] | tuple[()]:
    """Type and name of a metric; empty where it has none."""
    inner = _inner(metric)
    within = inner.get("metric")
    name = inner.get("name") or (within.get("name") if isinstance(within, dict) else None)
    return (str(metric.get("type")), phrases.clip(name)) if isinstance(name, str) else ()


def _target(autoscaler: surroundings.Autoscaler) -> str:
    target = autoscaler.spec.scale_target_ref
    return phrases.clip(f"{target.kind} {target.name}".strip()) or "that is not named"


def _finding(
    autoscaler: surroundings.Autoscaler,
    index: model.Index,
    *,
    since: datetime,
    message: str,
    cause: str,
    facts: Mapping[str, str],
    severity: model.Severity = "P2",
) -> model.Finding:
    """Folds into the workload that it scales, where that was seen."""
    resource = symptoms.reference("HorizontalPodAutoscaler", autoscaler.metadata)
    target = autoscaler.spec.scale_target_ref
    workload = index.workload(model.ResourceRef(target.kind, autoscaler.metadata.namespace, target.name))
    counts = {"current": str(autoscaler.status.current_replicas or 0), "target": _target(autoscaler)}
    return model.Finding(
        kind=HPA_BROKEN.kind,
        severity=severity,
        resource=resource,
        owner=resource if workload is None else symptoms.reference(target.kind, workload.metadata),
        message=message,
        since=since,
        cause=cause,
        grace=HPA_BROKEN.grace,
        facts={name: text for name, text in {**facts, **counts}.items() if text},
    )
