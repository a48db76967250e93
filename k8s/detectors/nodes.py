"""NodeNotReady and NodePressure: what a node's own conditions say. Called by `k8s.detection`."""

import re
from collections.abc import Iterator
from datetime import timedelta

from k8s import model, objects, phrases, symptoms

NODE_NOT_READY = symptoms.KindInfo(
    kind="NodeNotReady",
    severity="P1",
    grace=timedelta(seconds=60),
    doc="https://kubernetes.io/docs/reference/node/node-status/#condition",
    condition="a node does not report that it is ready",
)
NODE_PRESSURE = symptoms.KindInfo(
    kind="NodePressure",
    severity="P2",
    grace=timedelta(seconds=60),
    doc="https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
    condition="a node reports that it is short of something, or another fault of its own",
)
KINDS = (NODE_NOT_READY, NODE_PRESSURE)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("nodes",)

_PRESSURES = {
    "MemoryPressure": "has been short of memory",
    "DiskPressure": "has been short of disk space",
    "PIDPressure": "has been short of process ids",
    "NetworkUnavailable": "has had no working pod network",
}

_BAD = re.compile(
    r"pressure|unavailable|unhealthy|problem|deadlock|read-?only|corrupt|fail|error|frequent|hung|lost|fatal|shutdown"
    r"|exhaust|degraded|down$",
    re.IGNORECASE,
)
"""Words in a condition type that tell that True is bad. Types of a node problem detector are free text
(https://github.com/kubernetes/node-problem-detector), and other agents set types for which True is good."""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    for node in snapshot.nodes:
        if _leaving(node):
            continue
        for condition in node.status.conditions or ():
            if condition.type == "Ready":
                if condition.status != "True":
                    yield _not_ready(node, condition, index, snapshot)
            elif condition.status == "True" and (condition.type in _PRESSURES or _BAD.search(condition.type)):
                yield _pressure(node, condition, index, snapshot)


def _leaving(node: objects.Node) -> bool:
    return bool(node.metadata.deletion_timestamp) or any(
        taint.key in symptoms.LEAVING for taint in node.spec.taints or ()
    )


def _not_ready(
    node: objects.Node, condition: objects.Condition, index: model.Index, snapshot: model.Snapshot
) -> model.Finding:
    what = "has stopped reporting" if condition.status == "Unknown" else "has not been ready"
    return _finding(NODE_NOT_READY, node, condition, index, snapshot, what, "not ready")


def _pressure(
    node: objects.Node, condition: objects.Condition, index: model.Index, snapshot: model.Snapshot
) -> model.Finding:
    what = _PRESSURES.get(condition.type, f"has reported {phrases.clip(condition.type)}")
    return _finding(NODE_PRESSURE, node, condition, index, snapshot, what, condition.type)


def _finding(
    info: symptoms.KindInfo,
    node: objects.Node,
    condition: objects.Condition,
    index: model.Index,
    snapshot: model.Snapshot,
    what: str,
    cause: str,
) -> model.Finding:
    name = node.metadata.name
    resource = model.ResourceRef("Node", "", name, node.metadata.uid)
    since = symptoms.earliest(snapshot.taken_at, objects.moment(condition.last_transition_time))
    pods = index.pods_on(name)
    facts = {
        "reason": condition.reason or "",
        "condition": condition.type,
        "status": condition.status,
        "said": phrases.clip(condition.message),
        "pods": str(pods),
        "cordoned": "true" if node.spec.unschedulable else "",
    }
    return model.Finding(
        kind=info.kind,
        severity=info.severity,
        resource=resource,
        owner=resource,
        message=f"Node {name} {what} since {since:%Y-%m-%d %H:%M} UTC; "
        f"{phrases.counted(pods, 'pod')} {'is' if pods == 1 else 'are'} on it.",
        since=since,
        cause=cause,
        grace=info.grace,
        facts={name: text for name, text in facts.items() if text},
        node=name,
    )
