"""Proving: what has to be seen before a rule may speak for certain actions. Pure; called by `collecting`.

Facts for the rules: `lived` (seconds that the container ran before it last ended), `disrupted` (what took all pods of a
Job away), `placed_since` and `other_nodes` (of a node that lacks something), `room_for` (how many more pods the nodes
can take), `finalizers_by` (who last set the finalizers of a pod). A fact that cannot be proven is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.evidence import room, telling
from k8s import fields, model, phrases, workloads, writers

_SHOWN = 3
_DISRUPTIONS: Mapping[str, str] = {
    "EvictionByEvictionAPI": "evicted, as a drain does",
    "DeletionByTaintManager": "taken off a node that had stopped working",
    "DeletionByPodGC": "lost with their node",
}
"""Reasons of the condition DisruptionTarget that do not follow a new pod: the scheduler does not choose such a node.
Not among them: preemption, and evictions by a kubelet that lacks something, which a new pod may meet again.
https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions"""
_SHUT_DOWN = "node shutdown"
"""In what a kubelet says when its machine is shut down:
https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/"""


@dataclass(frozen=True, slots=True)
class Proof:
    """Facts for the rules, and the lines in which a person sees them."""

    facts: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()


_NONE = Proof()


def of_container(found: telling.Suspect | None) -> Proof:
    """How long the container had run when it last ended."""
    for key in ("lastState", "state"):
        ended = fields.mapping(found.status if found else {}, key, "terminated")
        begin, end = fields.moment(ended, "startedAt"), fields.moment(ended, "finishedAt")
        if found and begin is not None and end is not None and end >= begin:
            seconds = int((end - begin).total_seconds())
            ran = f"container {found.container} had run for {telling.duration(seconds)} when it last ended"
            return Proof({"lived": str(seconds)}, [ran])
    return _NONE


def of_run(problem: model.Problem, pods: Sequence[model.Json]) -> Proof:
    """Whether all pods of a Job that has failed were taken away from outside, and none failed by itself."""
    facts = problem.primary.facts
    if problem.primary.kind != "JobFailed" or facts.get("reason") not in ("BackoffLimitExceeded", "PodFailurePolicy"):
        return _NONE
    lost = [pod for pod in pods if fields.text(pod, "status", "phase") != "Succeeded"]
    told = [_disruption(pod) for pod in lost]
    failed = facts.get("failed", "")
    # A pod that failed and is gone may have failed by itself.
    if not lost or not all(told) or not failed.isdigit() or len(lost) < int(failed):
        return _NONE
    lines = [f"pod {fields.text(pod, 'metadata', 'name')} was {why}" for pod, why in zip(lost, told, strict=True)]
    words = " or ".join(dict.fromkeys(told))
    return Proof({"disrupted": f"{phrases.counted(len(lost), 'pod')} {words}"}, lines[:_SHOWN])


def _disruption(pod: model.Json) -> str:
    found = fields.condition(pod, "DisruptionTarget")
    if fields.text(found, "status") != "True":
        return ""
    reason = fields.text(found, "reason")
    if reason == "TerminationByKubelet" and _SHUT_DOWN in fields.text(pod, "status", "message").lower():
        return "ended by the shutdown of their node"
    return _DISRUPTIONS.get(reason, "")


def of_node(problem: model.Problem, nodes: Sequence[model.Json], placed: room.Pods) -> Proof:
    """Which pods were placed on a node since it lacks something, and whether others could take them."""
    if problem.primary.kind != "NodePressure" or problem.subject.name not in placed:
        return _NONE
    come = list(_come(placed[problem.subject.name], problem.primary.since))
    others = room.open_beside(nodes, problem.subject.name)
    shown = ", ".join(come[:_SHOWN]) + (" …" if len(come) > _SHOWN else "")
    named = f" ({shown})" if come else ""
    line = f"pods placed on it since then: {len(come)}{named}; other nodes that take pods: {others}"
    return Proof({"placed_since": str(len(come)), "other_nodes": str(others)}, [line])


def _come(pods: Sequence[model.Json], since: datetime) -> Iterator[str]:
    """Those that the scheduler might have placed elsewhere: not of a DaemonSet, and not the node's own."""
    for pod in pods:
        owner, chosen = fields.controller(pod), fields.condition(pod, "PodScheduled")
        at = fields.moment(chosen, "lastTransitionTime")
        free = owner is not None and owner.kind not in ("DaemonSet", "Node")
        if free and fields.text(chosen, "status") == "True" and at is not None and at > since:
            yield fields.text(pod, "metadata", "name")


def of_room(nodes: Sequence[model.Json], placed: room.Pods, target: model.Target | None) -> Proof:
    """How many more pods of the workload the nodes that were looked at can take."""
    pods = () if target is None else target.pods
    one = next((pod for pod in pods if workloads.pod_ready(pod) and not fields.deleting(pod)), None)
    more = None if one is None else room.fitting(nodes, placed, one)
    return _NONE if more is None else Proof({"room_for": str(more)})


def of_deletion(problem: model.Problem, pod: model.Json) -> Proof:
    """Who set the finalizers of a pod that waits for them: the place to look."""
    if problem.primary.facts.get("class") != "finalizers" or not fields.value(pod, "metadata", "finalizers"):
        return _NONE
    written = writers.last(pod, ("metadata", "finalizers"))
    if written is None:
        return _NONE
    by = f"{written.by} at {written.at:%Y-%m-%d %H:%M} UTC"
    return Proof({"finalizers_by": by}, [f"the finalizers were last set by {by}"])
