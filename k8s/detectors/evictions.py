"""Evicted: the kubelet ended a pod, for what its node lacked or what the pod itself took. Called by `k8s.detection`.

A failed pod stays in the list after it was replaced. Where its owner is whole again, nobody has anything to do about
it, unless its node is still short: then it belongs to what is wrong with the node.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from k8s import model, objects, phrases, symptoms

EVICTED = symptoms.KindInfo(
    kind="Evicted",
    severity="P3",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
    condition="the kubelet has evicted a pod, and nothing has taken its place or its node is still short",
)
KINDS = (EVICTED,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "deployments", "replicasets", "statefulsets", "daemonsets")

RECENT = timedelta(hours=1)
"""An eviction that is older explains nothing of what its owner lacks now."""

_PRESSURES: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("own-limit", "", re.compile(r"exceed(s|ed) (the|its) (total |local )?(limit|ephemeral)")),
    ("disk", "DiskPressure", re.compile(r"low on resource: (ephemeral-storage|inodes)|diskpressure")),
    ("memory", "MemoryPressure", re.compile(r"low on resource: memory|memorypressure")),
    ("pids", "PIDPressure", re.compile(r"low on resource: pids?|pidpressure")),
)
"""Class, the node's condition, and the kubelet's words (pkg/kubelet/eviction/helpers.go)."""

_SAYINGS = {
    "own-limit": "it took more local storage than its own limit allows",
    "memory": "its node was short of memory",
    "disk": "its node was short of disk space",
    "pids": "its node was short of process ids",
    "other": "its node could not hold it any more",
}

_CONDITIONS = frozenset(condition for _, condition, _ in _PRESSURES if condition)


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: memory, disk, pids, own-limit or other. One on a node still short belongs to the node."""
    short: Mapping[str, objects.Node] | None = None
    for pod in index.troubled:
        if pod.status.phase != "Failed" or pod.status.reason != "Evicted":
            continue
        since = _evicted_at(pod)
        if since is not None and snapshot.taken_at - since > RECENT and _controlled(pod):
            continue
        if not _whole(pod, index):
            yield _finding(pod, index, since, snapshot.taken_at, None)
            continue
        if short is None:
            short = {node.metadata.name: node for node in snapshot.nodes if _short(node)}
        node = short.get(pod.spec.node_name or "")
        if node is not None:
            yield _finding(pod, index, since, snapshot.taken_at, node)


def _controlled(pod: objects.Pod) -> bool:
    return any(owner.controller for owner in pod.metadata.owner_references or ())


def _evicted_at(pod: objects.Pod) -> datetime | None:
    """When it was evicted: by its DisruptionTarget condition, its containers' ends, or, if it never ran, its start."""
    target = objects.condition(pod.status.conditions, "DisruptionTarget")
    told = objects.moment(target.last_transition_time) if target is not None else None
    if told is not None:
        return told
    ends = [
        moment
        for status in pod.status.container_statuses or ()
        if status.state is not None and status.state.terminated is not None
        if (moment := objects.moment(status.state.terminated.finished_at)) is not None
    ]
    return max(ends, default=objects.moment(pod.status.start_time))


def _whole(pod: objects.Pod, index: model.Index) -> bool:
    """Whether its place is taken: its owner has all replicas ready, or (of a Job, say) a pod after it lives or is done.

    Of a pod without a controller nothing takes the place.
    """
    counts = index.ready(index.top_owner("Pod", pod.metadata))
    if counts is not None:
        return counts[0] >= counts[1]
    born = objects.moment(pod.metadata.creation_timestamp)
    for owner in pod.metadata.owner_references or ():
        if not owner.controller or owner.kind == "Node":
            continue
        siblings = index.pods(model.ResourceRef(owner.kind, pod.metadata.namespace, owner.name, owner.uid))
        for sibling in siblings:
            made = objects.moment(sibling.metadata.creation_timestamp)
            if born is not None and made is not None and made >= born and sibling.status.phase != "Failed":
                return True
    return False


def _short(node: objects.Node) -> bool:
    return any(
        condition.type in _CONDITIONS and condition.status == "True" for condition in node.status.conditions or ()
    )


def _finding(
    pod: objects.Pod, index: model.Index, since: datetime | None, now: datetime, node: objects.Node | None
) -> model.Finding:
    said = pod.status.message or ""
    lowered = said[:4096].lower()
    kind = next((name for name, _, pattern in _PRESSURES if pattern.search(lowered)), "other")
    facts = {"reason": "Evicted", "class": kind, "node": pod.spec.node_name or "", "said": phrases.clip(said)}
    owner = index.top_owner("Pod", pod.metadata)
    if node is not None:
        facts["workload"] = str(owner)
        owner = model.ResourceRef("Node", "", node.metadata.name, node.metadata.uid)
    where = f" from node {pod.spec.node_name}" if pod.spec.node_name else ""
    return model.Finding(
        kind=EVICTED.kind,
        severity=EVICTED.severity,
        resource=symptoms.reference("Pod", pod.metadata),
        owner=owner,
        message=f"Pod {pod.metadata.name} was evicted{where}: {_SAYINGS[kind]}.",
        since=symptoms.earliest(now, since),
        cause=f"evicted: {kind}",
        grace=EVICTED.grace,
        facts={name: text for name, text in facts.items() if text},
        node=pod.spec.node_name or "",
    )
