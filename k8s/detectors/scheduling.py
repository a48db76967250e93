"""Unschedulable: a pod for which the scheduler finds no node. Called by `k8s.detection`."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from k8s import containers, model, objects, phrases, symptoms

UNSCHEDULABLE = symptoms.KindInfo(
    kind="Unschedulable",
    severity="P2",
    grace=timedelta(seconds=120),
    doc="https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/",
    condition="the scheduler finds no node for a pod",
    unless="P3 where scheduling gates hold it back",
)
KINDS = (UNSCHEDULABLE,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods",)

_REMEDIES = re.compile(r"[,.]? *(no new claims to deallocate|preemption:)", re.IGNORECASE)
"""From here on a scheduler's message tells whether giving up a device or evicting others would help: no cause."""

_INSUFFICIENT = re.compile(r"insufficient ([a-z0-9./_-]{1,253})")

_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("pvc", re.compile(r"persistentvolume|persistent volume|volume|storageclass")),
    ("ports", re.compile(r"free ports")),
    ("too-many-pods", re.compile(r"too many pods")),
    ("affinity", re.compile(r"affinity|selector|topology spread|didn't satisfy plugin")),
    ("taint", re.compile(r"taint|were unschedulable")),
)

_PRIORITY = ("pvc", "ports", "gpu", "cpu", "memory", "resource", "too-many-pods", "affinity", "taint", "other")
"""The class that explains comes first: taints and selectors rule nodes out on purpose (a control plane is always among
them), so where a resource is short as well, that is what keeps the pod waiting."""

_SAYINGS = {
    "pvc": "its volume is not available",
    "ports": "its host port is taken on every node",
    "gpu": "not enough GPUs are free",
    "cpu": "not enough CPU is free",
    "memory": "not enough memory is free",
    "too-many-pods": "the nodes hold as many pods as they may",
    "affinity": "no node matches its selector, affinity or spread rules",
    "taint": "the nodes have taints that it does not tolerate",
    "other": "no node fits",
}


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts is the most telling of `classes`. A pod that gates hold back is P3, of class `gated`."""
    for pod in index.troubled:
        if pod.status.phase in ("Running", "Failed"):
            continue
        condition = objects.condition(pod.status.conditions, "PodScheduled")
        if condition is None or condition.status != "False":
            continue
        if condition.reason == "Unschedulable":
            yield _unschedulable(pod, condition, index, snapshot)
        elif condition.reason == "SchedulingGated":
            yield _gated(pod, condition, index, snapshot)


def _unschedulable(
    pod: objects.Pod, condition: objects.Condition, index: model.Index, snapshot: model.Snapshot
) -> model.Finding:
    classes = _classify(condition.message or "")
    asked = _asked(pod)
    said = phrases.clip(_REMEDIES.split(condition.message or "", maxsplit=1)[0])
    short = _short(condition.message or "", classes)
    saying = f"not enough {phrases.clip(short)} is free" if classes[0] == "resource" else _SAYINGS[classes[0]]
    wants = f" It asks for {asked['asked']}." if asked and short and short != "pods" else ""
    return symptoms.pod_finding(
        UNSCHEDULABLE,
        pod,
        index,
        since=_since(pod, condition, snapshot),
        message=f"Pod {pod.metadata.name} cannot be scheduled: {saying}."
        f'{wants} The scheduler says: "{said.rstrip(".") or "nothing"}".',
        cause=classes[0],
        facts={
            "reason": "Unschedulable",
            "class": classes[0],
            "classes": ",".join(classes),
            "said": phrases.clip(condition.message),
            "short": short,
        }
        | asked,
    )


def _gated(
    pod: objects.Pod, condition: objects.Condition, index: model.Index, snapshot: model.Snapshot
) -> model.Finding:
    gates = sorted(str(gate.get("name", "")) for gate in pod.spec.scheduling_gates or ())
    named = phrases.clip(", ".join(filter(None, gates))) or "one that is not named"
    return symptoms.pod_finding(
        UNSCHEDULABLE,
        pod,
        index,
        since=_since(pod, condition, snapshot),
        message=f"Pod {pod.metadata.name} is held back by scheduling gates: {named}.",
        cause="gated",
        facts={"reason": "SchedulingGated", "class": "gated", "classes": "gated", "gates": named},
        severity="P3",
    )


def _since(pod: objects.Pod, condition: objects.Condition, snapshot: model.Snapshot) -> datetime:
    moment = objects.moment(condition.last_transition_time) or objects.moment(pod.metadata.creation_timestamp)
    return symptoms.earliest(snapshot.taken_at, moment)


def _classify(message: str) -> list[str]:
    """The classes of a scheduler's message, most telling first."""
    lowered = _REMEDIES.split(message[:4096].lower(), maxsplit=1)[0]
    classes = {_resource_class(match[1].rstrip(".")) for match in _INSUFFICIENT.finditer(lowered)}
    for part in lowered.split(","):
        classes.add(next((name for name, pattern in _CLASSES if pattern.search(part)), "other"))
    if len(classes) > 1:
        classes.discard("other")
    return sorted(classes, key=_PRIORITY.index)


def _short(message: str, classes: Sequence[str]) -> str:
    """The resource that is short, by its own name: `cpu`, `nvidia.com/gpu`, `pods`; empty where none explains it."""
    if classes[0] == "too-many-pods":
        return "pods"
    lowered = _REMEDIES.split(message[:4096].lower(), maxsplit=1)[0]
    named = (match[1].rstrip(".") for match in _INSUFFICIENT.finditer(lowered))
    return next((name for name in named if _resource_class(name) == classes[0]), "")


def _resource_class(resource: str) -> str:
    if resource in ("cpu", "memory"):
        return resource
    return "gpu" if "gpu" in resource else "resource"


def _asked(pod: objects.Pod) -> dict[str, str]:
    """What must be found free: `asked_cpu`, `asked_memory`, `asked_nvidia.com/gpu` …, and all as one phrase."""
    asked = containers.requested(pod)
    facts: dict[str, str] = {}
    said: list[str] = []
    for name, written, what in (("cpu", phrases.cores, "CPU"), ("memory", phrases.size, "memory")):
        if value := asked.pop(name, 0.0):
            facts[f"asked_{name}"] = written(value)
            said.append(f"{written(value)} {what}")
    for name, value in sorted(asked.items()):
        if value:
            facts[f"asked_{name}"] = f"{value:g}"
            said.append(f"{value:g} {name}")
    return facts | {"asked": phrases.clip(", ".join(said))} if said else {}
