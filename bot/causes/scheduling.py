"""Pods that no node can take: what they ask for beside what the nodes have.

The scheduler's words are certain. What is open is whether the last rollout asks for more, or there are simply more
replicas than the cluster holds.
"""

import re
from collections.abc import Mapping

from bot.causes import cases, narrowing
from bot.domain import diagnoses
from k8s import fields, model, quantities

_STEPS: Mapping[str, str] = {
    "cpu": "Ask for less cpu, add a node, or free some.",
    "memory": "Ask for less memory, add a node, or free some.",
    "gpu": "Add a node with such a device, or wait until one is free.",
    "resource": "Ask for less of it, add a node that has it, or free some.",
    "taint": "Tolerate the taint, or take it off a node if it should not be there.",
    "affinity": "Correct the node selector or affinity, or label a node.",
    "pvc": "Look at its PersistentVolumeClaim: it must exist and be bound where the pod may run.",
    "too-many-pods": "Add a node: those there are hold as many pods as they may.",
    "other": "Read the scheduler's words in the events.",
    "ports": "Another pod holds the host port on every node: free it, or use another.",
    "gated": "Its scheduling gates must be removed by whoever set them.",
}
_KINDS: Mapping[str, diagnoses.CauseKind] = {
    "cpu": "capacity",
    "memory": "capacity",
    "gpu": "capacity",
    "resource": "capacity",
    "too-many-pods": "capacity",
    "ports": "capacity",
    "taint": "placement",
    "affinity": "placement",
    "gated": "placement",
    "pvc": "storage",
}
_NEEDED = re.compile(
    r"(?:(?:init )?[\w.-]{1,253}: )?(?:\S{1,80} request |port )|(?:init )?container \S{1,253} added"
    r"|(?:nodeSelector|nodeName|affinity|tolerations|topologySpreadConstraints|schedulingGates|overhead|hostNetwork"
    r"|runtimeClassName|priorityClassName|resources) "
)
"""Lines of `k8s.templates` on what the scheduler goes by, by their beginning: a variable may be called as anything."""
_LIMIT = re.compile(r"(?:(?:init )?[\w.-]{1,253}: )?(cpu|memory|ephemeral-storage) limit .{1,200}")
_SCALED_BEYOND = frozenset(_STEPS) - {"gated", "pvc", "other"}
"""Where replicas of the same template are ready and more of them do not fit, fewer of them do."""


def unschedulable(case: cases.Case) -> cases.Verdict:
    """A pod that waits for a node."""
    kind = case.finding.facts.get("class", "")
    cause = f"{case.found('events', 'status', 'scheduling')}{_room(case)}"
    step = _STEPS.get(kind, _STEPS["other"])
    if case.fact("room_never") and kind in {"cpu", "memory"}:
        step = f"Ask for less {kind}, or add a larger node."
    changed = next((line for line in case.changes if _needs(case, kind, line)), "")
    if changed and case.suspected:
        return cases.Verdict(
            f"{cause} {case.last_rollout('changed what it needs', changed)}",
            "high",
            "the scheduler names what does not fit, and the last rollout changed it",
            f"{step}{case.no_undo}",
            (*_narrow(case, kind, changed), *case.undo("the earlier revision asks for what the nodes have")),
            _kind(case, kind),
        )
    beyond = _scaled_beyond(case, cause, step) if kind in _SCALED_BEYOND else None
    return beyond or cases.Verdict(cause, "high", "these are the scheduler's own words", step, kind=_kind(case, kind))


def _needs(case: cases.Case, kind: str, line: str) -> bool:
    """Whether a change of the last rollout is one of what a node must have. A limit is, where no request is given
    beside it: it is taken for the request then.
    https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits"""
    if limit := _LIMIT.fullmatch(line):
        containers = fields.items(case.template, "spec", "containers")
        return any(not fields.value(one, "resources", "requests", limit[1]) for one in containers)
    return _NEEDED.match(line) is not None or (kind == "pvc" and line.startswith("volume "))


def _kind(case: cases.Case, kind: str) -> diagnoses.CauseKind:
    """A claim that is not there is missing; one that waits for its volume is the storage's."""
    if kind == "pvc" and "not found" in case.finding.facts.get("said", ""):
        return "missing-object"
    return _KINDS.get(kind, "unknown")


def _narrow(case: cases.Case, kind: str, changed: str) -> tuple[diagnoses.Candidate, ...]:
    """The request alone, where more was rolled out and it is of the very resource that is short."""
    resource: quantities.Resource | None = "cpu" if kind == "cpu" else "memory" if kind == "memory" else None
    if resource is None or f"{resource} request" not in changed or not case.more_than(changed):
        return ()
    return narrowing.request(case, resource)


def _room(case: cases.Case) -> str:
    """What the nodes have, and what keeps the pod off them, as sentences; empty where neither is known."""
    nodes = case.cite("scheduling")
    told = ""
    if room := case.fact("room"):
        never = f"It fits on no node, even an empty one: {room[:1].lower()}{room[1:]}"
        told += f" {never if case.fact('room_never') else room}{nodes}."
    if kept_off := case.fact("kept_off"):
        told += f" {kept_off.rstrip('.')}{nodes}."
    return told


def _scaled_beyond(case: cases.Case, cause: str, step: str) -> cases.Verdict | None:
    """Where it was just scaled to more replicas than fit: back to as many as there were, or as are ready."""
    before, after, ready = case.fact("scaled_from"), case.fact("scaled_to"), case.problem.ready
    if not (before and after and ready):
        return None
    back = max(int(before), ready)
    if back >= int(after):
        return None
    why = f"it was scaled from {before} to {after}, and the cluster holds no more than {ready}"
    return cases.Verdict(
        f"{cause} It was scaled from {before} to {after} replicas{case.cite('events')}.",
        "medium",
        "the scheduler names what does not fit; whether the replicas are needed is for a person to say",
        f"{step} Or scale back to {back}.",
        (diagnoses.Candidate(model.Scale(case.problem.subject, back), why),),
        "capacity",
    )
