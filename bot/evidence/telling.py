"""Turns raw objects into evidence that a person reads: the suspect container, its state, its events, the nodes. Pure.

Called by `collecting`; what comes out is redacted there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from k8s import fields, model, objects, phrases, workloads

EVENT_LINES = 12
_SCALED_UP = re.compile(
    r"Scaled up replica set \S+ (?:from (?P<old>[0-9]{1,6}) to (?P<new>[0-9]{1,6})"
    r"|to (?P<new_before>[0-9]{1,6}) from (?P<old_before>[0-9]{1,6}))"
)
"""As the Deployment controller writes it: `from 3 to 5` since Kubernetes 1.31, `to 5 from 3` before. Whoever may write
events may write anything into them, so nothing but plain numbers is taken."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """The container whose log and events are worth reading."""

    pod: model.ResourceRef
    container: str
    restarted: bool
    """It has a life before this one, with a log of its own."""
    ran: bool
    """It ran at all: a container that could not be created has no log."""
    status: model.Json


def suspect(problem: model.Problem, target: model.Target | None) -> Suspect | None:
    """The pod of the primary finding, else the least well pod of the workload; None where there is no pod."""
    shown = next((finding for finding in problem.findings if finding.resource.kind == "Pod"), None)
    pods = () if target is None else target.pods
    if shown is None:
        sick = [pod for pod in pods if not workloads.pod_ready(pod)]
        if not sick:
            return None
        worst = max(sick, key=_restarts)
        return _suspect(workloads.reference(worst, "Pod"), worst, "")
    raw = next((pod for pod in pods if fields.uid(pod) == shown.resource.uid), None)
    if raw is None:
        ran = "exit_code" in shown.facts or shown.kind in {"NotReady", "OOMKilled", "CrashLoopBackOff"}
        return Suspect(shown.resource, shown.container, shown.facts.get("restarts", "0") != "0", ran, {})
    return _suspect(shown.resource, raw, shown.container)


def newest(pods: Sequence[model.Json]) -> Suspect | None:
    """The pod made last and its container that failed; None where there is no pod."""
    if not pods:
        return None
    pod = max(pods, key=lambda one: fields.text(one, "metadata", "creationTimestamp"))
    failed = next((one for one in _statuses(pod) if fields.count(one, "state", "terminated", "exitCode")), {})
    return _suspect(workloads.reference(pod, "Pod"), pod, fields.text(failed, "name"))


def _statuses(pod: model.Json) -> list[model.Json]:
    found: list[model.Json] = []
    for key in ("initContainerStatuses", "containerStatuses"):
        found += fields.items(pod, "status", key)
    return found


def _restarts(pod: model.Json) -> int:
    return sum(fields.count(one, "restartCount") for one in _statuses(pod))


def _suspect(ref: model.ResourceRef, pod: model.Json, container: str) -> Suspect:
    statuses = _statuses(pod)
    named = next((one for one in statuses if fields.text(one, "name") == container), None)
    failing = named or next((one for one in statuses if not one.get("ready")), None) or {}
    restarted = fields.count(failing, "restartCount") > 0 or bool(fields.mapping(failing, "lastState"))
    running = bool(fields.mapping(failing, "state", "running") or fields.mapping(failing, "state", "terminated"))
    name = container or fields.text(failing, "name")
    return Suspect(ref, name, restarted, restarted or running, failing)


def status(problem: model.Problem, target: model.Target | None, found: Suspect | None) -> str:
    """Describe-level facts: each finding, the workload's counters, the suspect container's states and limits."""
    lines = [_found(finding) for finding in problem.findings[:6]]
    if len(problem.findings) > len(lines):
        lines.append(f"… and {len(problem.findings) - len(lines)} more findings")
    if target is not None and target.object is not None:
        lines.append(_counters(target))
    if found is not None and found.status:
        lines.append(_container(found))
    return "\n".join(lines)


def _found(finding: model.Finding) -> str:
    """With the cluster's own words where the message has others: a cause quotes them."""
    said = finding.facts.get("said", "")
    told = f' The cluster says: "{said}".' if said and said.rstrip(".") not in finding.message else ""
    return f"{finding.kind}: {finding.message}{told}"


def _counters(target: model.Target) -> str:
    obj, kind = target.object or {}, target.ref.kind
    updated = fields.count(obj, "status", "updatedNumberScheduled" if kind == "DaemonSet" else "updatedReplicas")
    text = f"{target.ref}: {workloads.ready(obj, kind)} of {workloads.desired(obj, kind)} ready, {updated} updated"
    current = workloads.current_revision(target)
    return text if current is None else f"{text}, revision {current.number} ({', '.join(current.images)})"


def _container(found: Suspect) -> str:
    parts = [f"container {found.container} of pod {found.pod.name}: {_state(fields.mapping(found.status, 'state'))}"]
    last = fields.mapping(found.status, "lastState")
    if last:
        parts.append(f"before that {_state(last)}")
    parts.append(phrases.counted(fields.count(found.status, "restartCount"), "restart"))
    return "; ".join(parts)


def _state(state: Mapping[str, object]) -> str:
    for name in ("waiting", "terminated", "running"):
        detail = state.get(name)
        if not isinstance(detail, dict):
            continue
        if name == "running":
            return f"running since {detail.get('startedAt', 'an unknown time')}"
        reason = detail.get("reason") or "no reason given"
        if name == "waiting":
            return f"waiting, {reason}"
        return f"ended with exit code {detail.get('exitCode')} ({reason}) at {detail.get('finishedAt')}"
    return "in no known state"


def events(found: Iterable[model.Json], now: datetime) -> str:
    """One line each, newest first: how often, how long ago, reason and message. Warnings before the rest."""
    unique = {fields.uid(event) or str(event): event for event in found}.values()
    ranked = sorted(unique, key=_when, reverse=True)
    ranked.sort(key=lambda event: event.get("type") != "Warning")
    lines = [_event(event, now) for event in ranked[:EVENT_LINES]]
    if len(ranked) > EVENT_LINES:
        lines.append(f"… and {len(ranked) - EVENT_LINES} more")
    return "\n".join(lines)


def _when(event: model.Json) -> str:
    series = fields.mapping(event, "series")
    for value in (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")):
        if isinstance(value, str) and value:
            return value
    return fields.text(event, "metadata", "creationTimestamp")


def _event(event: model.Json, now: datetime) -> str:
    count = max(fields.count(event, "count"), fields.count(event, "series", "count"), 1)
    moment = objects.moment(_when(event))
    ago = "at an unknown time" if moment is None else f"{duration((now - moment).total_seconds())} ago"
    times = f" ×{count}" if count > 1 else ""
    message = " ".join(fields.text(event, "message").split())
    return f"{fields.text(event, 'reason')}{times}, {ago}: {message[:400]}"


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `3 h`, `5 d`: as a person says it."""
    total = max(0, int(seconds))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if total >= 2 * size or (unit == "min" and total >= size):
            return f"{total // size} {unit}"
    return f"{total} s"


def scaling(found: Sequence[model.Json]) -> dict[str, str]:
    """Who scaled the workload last, from its controller's events, newest first: `scaled_from`, `scaled_to`. Empty where
    unknown.

    A rollout scales too, but never the whole at one step from n to more than n while another set goes down, so only a
    lone upward step within the events is taken.
    """
    steps = [fields.text(event, "message") for event in found if fields.text(event, "reason") == "ScalingReplicaSet"]
    ups = [step for step in steps if step.startswith("Scaled up")]
    read = [step for up in ups if (step := _SCALED_UP.fullmatch(up)) is not None]
    if not read or len(read) < len(ups) or any(step.startswith("Scaled down") for step in steps):
        return {}
    # Two steps may bear the same second; where nothing went down, the last is the one that went furthest.
    old, new = max(((one["old"] or one["old_before"], one["new"] or one["new_before"]) for one in read), key=_furthest)
    return {} if int(old) == 0 else {"scaled_from": old, "scaled_to": new}


def _furthest(step: tuple[str, str]) -> int:
    return int(step[1])


def raw_pod(problem: model.Problem, target: model.Target | None) -> model.Json:
    """The pod of the primary finding as it was read with the workload; {} where it was not."""
    pods = () if target is None else target.pods
    return next((pod for pod in pods if fields.uid(pod) == problem.primary.resource.uid), {})


def node(found: model.Json) -> str:
    """A node's own conditions and taints, one a line."""
    return "\n".join(_conditions(found))


def _conditions(node: model.Json) -> Iterable[str]:
    for condition in fields.items(node, "status", "conditions"):
        yield (
            f"{fields.text(condition, 'type')}={fields.text(condition, 'status')} since "
            f"{fields.text(condition, 'lastTransitionTime') or 'an unknown time'}: "
            f"{fields.text(condition, 'reason')} {fields.text(condition, 'message')}"
        )
    for taint in fields.items(node, "spec", "taints"):
        yield f"taint {fields.text(taint, 'key')}:{fields.text(taint, 'effect')}"
