"""StuckTerminating: a pod or a namespace was asked to go, and is still there. Called by `k8s.detection`.

The deletion timestamp of a pod already holds its grace: it is when the pod was to be gone
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from k8s import containers, model, objects, phrases, symptoms

STUCK_TERMINATING = symptoms.KindInfo(
    kind="StuckTerminating",
    severity="P3",
    grace=timedelta(seconds=300),
    doc="https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/",
    condition="a pod or a namespace was to be gone, and is still there",
)
KINDS = (STUCK_TERMINATING,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods",)

_SAYINGS = {
    "node-lost": "its node {node} does not report, so nobody knows whether it still runs",
    "node-gone": "its node {node} is no longer in the cluster",
    "finalizers": "{finalizers} {hold} it",
    "running": "the kubelet of node {node} does not bring it to its end",
    "unknown": "nothing that is known holds it",
}

_NAMESPACE_CONDITIONS = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
)
"""Why a namespace stays, most telling first (core/v1 NamespaceConditionType)."""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: node-lost, node-gone, finalizers, running or unknown; of a namespace, its condition."""
    known = frozenset(node.metadata.name for node in snapshot.nodes) if snapshot.saw(["nodes"]) else frozenset()
    for pod in snapshot.pods:
        if pod.metadata.deletion_timestamp:
            since = objects.moment(pod.metadata.deletion_timestamp)
            if since is not None and since <= snapshot.taken_at:
                yield _pod(pod, index, since, known)
    for namespace in snapshot.namespaces:
        since = objects.moment(namespace.metadata.deletion_timestamp)
        if since is not None and since <= snapshot.taken_at:
            yield _namespace(namespace, since)


def _pod(pod: objects.Pod, index: model.Index, since: datetime, nodes: frozenset[str]) -> model.Finding:
    finalizers = sorted(name for name in pod.metadata.finalizers or () if name)
    node = pod.spec.node_name or ""
    kind = _class(pod, index, nodes)
    events = index.events(symptoms.reference("Pod", pod.metadata), ("FailedKillPod", "FailedPreStopHook"))
    named = phrases.clip(", ".join(finalizers))
    saying = _SAYINGS[kind].format(
        node=node,
        finalizers=f"the finalizer{'s' if len(finalizers) > 1 else ''} {named}",
        hold="hold" if len(finalizers) > 1 else "holds",
    )
    return symptoms.pod_finding(
        STUCK_TERMINATING,
        pod,
        index,
        since=since,
        message=f"Pod {pod.metadata.name} was to be gone by {since:%Y-%m-%d %H:%M} UTC and is still there: {saying}.",
        cause=f"finalizers {named}" if kind == "finalizers" else kind,
        facts={
            "class": kind,
            "finalizers": named,
            "node": node,
            "reason": (events[0].reason or "") if events else "",
            "said": phrases.clip(events[0].message) if events else "",
        },
    )


def _class(pod: objects.Pod, index: model.Index, nodes: frozenset[str]) -> str:
    """What holds a pod. While its containers may run, that is the kubelet; finalizers count once they do not."""
    node = pod.spec.node_name
    if node and not index.node_ready(node):
        return "node-lost"
    if node and nodes and node not in nodes:
        return "node-gone"
    lives = node and any(container.running is not None for container in containers.of(pod))
    if pod.metadata.finalizers and not lives:
        return "finalizers"
    return "running" if node else "unknown"


def _namespace(namespace: objects.Namespace, since: datetime) -> model.Finding:
    conditions = namespace.status.conditions
    told = next(
        (
            condition
            for kind in _NAMESPACE_CONDITIONS
            if (condition := objects.condition(conditions, kind)) is not None and condition.status == "True"
        ),
        None,
    )
    name = namespace.metadata.name
    ref = model.ResourceRef("Namespace", "", name, namespace.metadata.uid)
    said = phrases.clip(told.message) if told is not None else ""
    facts = {"class": told.type if told is not None else "unknown", "said": said}
    why = f': "{said.rstrip(".")}"' if said else ", and it does not say why"
    return model.Finding(
        kind=STUCK_TERMINATING.kind,
        severity=STUCK_TERMINATING.severity,
        resource=ref,
        owner=ref,
        message=f"Namespace {name} was to be gone by {since:%Y-%m-%d %H:%M} UTC and is still there{why}.",
        since=since,
        cause=facts["class"],
        grace=STUCK_TERMINATING.grace,
        facts={key: text for key, text in facts.items() if text},
    )
