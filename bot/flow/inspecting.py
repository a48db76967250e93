"""Inspecting: a fresh look at one workload that somebody asks about, whether or not anything is flagged.

Reads only: nothing is opened, stored or learnt. Called by `bot.pipeline` for `/watch why`.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import remembering
from bot.domain import incidents, ports, watches
from k8s import detection, fields, model, phrases, redact, workloads

RECENT = timedelta(hours=24)
MOST = 3
"""Problems of one workload that are diagnosed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at the workload and its namespace showed."""

    problems: tuple[model.Problem, ...]
    facts: tuple[str, ...]
    looked: str
    unread: tuple[str, ...]


async def incident_of(wired: ports.Ports, cluster: str, subject: model.ResourceRef) -> incidents.Incident | None:
    """The live incident of this workload, or of the one that this pod is of."""
    async with wired.store.begin() as tx:
        live = await tx.incidents.live(cluster)
    return next((one for one in live if _of(one.subject, subject)), None)


def _of(workload: model.ResourceRef, subject: model.ResourceRef) -> bool:
    if subject.kind == "Pod" and workload.kind != "Pod":  # pods begin with the name of what they are of
        return workload.namespace == subject.namespace and subject.name.startswith(f"{workload.name}-")
    return (workload.kind, workload.namespace, workload.name) == (subject.kind, subject.namespace, subject.name)


async def look(wired: ports.Ports, watch: watches.Watch, subject: model.ResourceRef) -> Seen:
    """Raises ClusterUnavailable."""
    kinds = wired.rules.kinds_of(watch)
    snapshot = await wired.eyes.look(watch.cluster, model.Scope((subject.namespace,)))
    snapshot = await remembering.recalled(wired, snapshot, kinds)
    found = await asyncio.to_thread(detection.detect, snapshot, kinds)
    looked = (
        f"{phrases.counted(len(snapshot.pods), 'pod')} and all workloads of namespace {subject.namespace}, "
        f"for {phrases.counted(sum(map(kinds.looks_for, kinds.kinds)), 'failure kind')}"
    )
    unread = {**snapshot.unread, **snapshot.degraded, **found.errors}
    await wired.eyes.release(snapshot)
    target = await wired.eyes.around(watch.cluster, subject)
    problems = [one for one in found.problems if _concerns(one, subject)]
    told = tuple(f"{name}: {redact.redact(why)}" for name, why in sorted(unread.items()))
    return Seen(tuple(problems[:MOST]), tuple(_facts(target, wired.clock())), looked, told)


def _concerns(problem: model.Problem, subject: model.ResourceRef) -> bool:
    return _of(problem.subject, subject) or any(
        _of(one.resource, subject) or _of(one.owner, subject) for one in problem.findings
    )


# --- how it stands, where nothing is wrong ----------------------------------------------------------------------------


def _facts(target: model.Target, now: datetime) -> Iterator[str]:
    obj, kind = target.object, target.ref.kind
    if obj is None:
        yield "it was gone when it was looked at"
        return
    match kind:
        case "Pod":
            yield f"phase {fields.text(obj, 'status', 'phase') or 'unknown'}"
            yield "ready" if workloads.pod_ready(obj) else "not ready"
            yield _restarts([obj], now)
        case "Job":
            done, failed = fields.count(obj, "status", "succeeded"), fields.count(obj, "status", "failed")
            yield f"{done} succeeded, {failed} failed"
        case "CronJob":
            yield from _schedule(obj, now)
        case _:
            yield f"{workloads.ready(obj, kind)} of {workloads.desired(obj, kind)} ready"
            yield _restarts(target.pods, now)
            yield from _rollout(target, now)
            yield from _autoscaled(target)


def _restarts(pods: "tuple[model.Json, ...] | list[model.Json]", now: datetime) -> str:
    """Of the last day, as far as the kubelet still tells: the end of each container's life before this one."""
    ended = [
        at
        for pod in pods
        for status in fields.items(pod, "status", "containerStatuses")
        if (at := fields.moment(status, "lastState", "terminated", "finishedAt")) is not None and now - at <= RECENT
    ]
    if not ended:
        return "no restarts in 24 h"
    return f"{phrases.counted(len(ended), 'container')} restarted in 24 h, the last one {_ago(max(ended), now)}"


def _rollout(target: model.Target, now: datetime) -> Iterator[str]:
    revision = workloads.current_revision(target)
    if revision is None:
        return
    when = "" if revision.created is None else f" {_ago(revision.created, now)}"
    images = f" ({', '.join(revision.images[:2])})" if revision.images else ""
    yield redact.redact(f"last rollout{when}, revision {revision.number}{images}")


def _autoscaled(target: model.Target) -> Iterator[str]:
    for one in target.autoscalers[:1]:
        least, most = fields.number(one, "spec", "minReplicas") or 1, fields.count(one, "spec", "maxReplicas")
        yield f"scaled by {fields.text(one, 'metadata', 'name')} between {least} and {most}"


def _schedule(obj: model.Json, now: datetime) -> Iterator[str]:
    yield f"schedule {fields.text(obj, 'spec', 'schedule')}"
    if fields.mapping(obj, "spec").get("suspend") is True:
        yield "suspended"
    last = fields.moment(obj, "status", "lastSuccessfulTime")
    yield "no run has succeeded yet" if last is None else f"the last good run ended {_ago(last, now)}"


def _ago(at: datetime, now: datetime) -> str:
    seconds = max(0, int((now - at).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
