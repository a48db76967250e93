"""StatefulSetStuck: one pod holds the others back, or what it rests on does not exist. Called by `k8s.detection`.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees : pods are made
in order, each only after all before it are ready; updates go from the highest ordinal down, and wait in the same way.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from k8s import model, objects, symptoms

STATEFULSET_STUCK = symptoms.KindInfo(
    kind="StatefulSetStuck",
    severity="P2",
    grace=timedelta(seconds=300),
    doc="https://kubernetes.io/docs/tasks/debug/debug-application/debug-statefulset/",
    condition="a pod of a StatefulSet holds the others back, or its Service or StorageClass does not exist",
    unless="P3 where all replicas are ready without their Service",
    also={"Service ": ("services",), "StorageClass ": ("storageclasses",)},
)
KINDS = (STATEFULSET_STUCK,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("statefulsets", "pods")

_ORDINAL = re.compile(r".*-(\d{1,10})")

_REVISION = "controller-revision-hash"
"""The label that names the revision of a pod."""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: order, update, outdated-pod, storage-class or service."""
    services: frozenset[tuple[str, str]] | None = None
    classes: frozenset[str] | None = None
    for statefulset in snapshot.statefulsets:
        if statefulset.metadata.deletion_timestamp or symptoms.desired(statefulset) <= 0:
            continue
        held = _held(statefulset, index, snapshot.taken_at)
        if held is not None:
            yield held
        if statefulset.spec.volume_claim_templates and snapshot.saw(["storageclasses"]):
            if classes is None:
                classes = frozenset(each.metadata.name for each in snapshot.storageclasses)
            unstored = _unstored(statefulset, index, classes, snapshot.taken_at)
            if unstored is not None:
                yield unstored
        if statefulset.spec.service_name and snapshot.saw(["services"]):
            if services is None:
                services = frozenset((each.metadata.namespace, each.metadata.name) for each in snapshot.services)
            if (statefulset.metadata.namespace, statefulset.spec.service_name) not in services:
                yield _unserved(statefulset, snapshot.taken_at)


def _held(statefulset: objects.Workload, index: model.Index, now: datetime) -> model.Finding | None:
    """The pod that those which are not made, or not updated yet, wait for."""
    if symptoms.unobserved(statefulset):
        return None
    pods = _numbered(index.pods(symptoms.reference("StatefulSet", statefulset.metadata)))
    desired = symptoms.desired(statefulset)
    ordinals = statefulset.spec.ordinals
    first = max((ordinals.start or 0) if ordinals is not None else 0, 0)
    unready = [(ordinal, pod) for ordinal, pod in pods if not symptoms.ready(pod)]
    if statefulset.spec.pod_management_policy != "Parallel" and unready and len(pods) < desired:
        there = {ordinal for ordinal, _ in pods}
        following = next((n for n in range(first, first + len(pods) + 1) if n not in there), first)
        if unready[0][0] < following:
            waits = f"so {statefulset.metadata.name}-{following} is not made"
            return _by_pod(statefulset, unready[0][1], "order", waits, now)
    if unready and _updating(statefulset, desired):
        updated = statefulset.status.updated_replicas or 0
        waits = f"so the update waits with {updated} of {desired} pods done"
        return _by_pod(statefulset, unready[-1][1], "update", waits, now)
    return None


def _numbered(pods: Sequence[objects.Pod]) -> list[tuple[int, objects.Pod]]:
    """Pods with their ordinals, ascending; a name that ends in none is no pod of a StatefulSet's making."""
    found = [(int(match[1]), pod) for pod in pods if (match := _ORDINAL.fullmatch(pod.metadata.name)) is not None]
    return sorted(found, key=lambda numbered: (numbered[0], numbered[1].metadata.uid))


def _updating(statefulset: objects.Workload, desired: int) -> bool:
    """Whether an update by the controller is under way. A partition holds the pods below it back on purpose."""
    status, strategy = statefulset.status, statefulset.spec.update_strategy
    if not status.update_revision or status.update_revision == status.current_revision:
        return False
    if strategy is not None and strategy.type == "OnDelete":
        return False
    rolling = strategy.rolling_update if strategy is not None else None
    partition = max((rolling.partition or 0) if rolling is not None else 0, 0)
    return (status.updated_replicas or 0) < desired - partition


def _by_pod(statefulset: objects.Workload, pod: objects.Pod, kind: str, waits: str, now: datetime) -> model.Finding:
    """A pod of an older revision that never gets ready stays although the template was corrected: a known issue,
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback ."""
    revision, wanted = (pod.metadata.labels or {}).get(_REVISION, ""), statefulset.status.update_revision or ""
    ordered = statefulset.spec.pod_management_policy != "Parallel"
    outdated = bool(revision and wanted and revision != wanted and ordered and not pod.metadata.deletion_timestamp)
    leaving = objects.moment(pod.metadata.deletion_timestamp)
    state = "does not go away" if pod.metadata.deletion_timestamp else "is not ready"
    of = " and is of an older revision than the template" if outdated else ""
    return _finding(
        statefulset,
        since=symptoms.earliest(now, leaving or symptoms.unready_since(pod)),
        message=f"StatefulSet {statefulset.metadata.name} is held by its pod {pod.metadata.name}, "
        f"which {state}{of}, {waits}.",
        cause="an outdated pod" if outdated else kind,
        facts={"class": "outdated-pod" if outdated else kind, "pod": pod.metadata.name, "pod_uid": pod.metadata.uid},
    )


def _unstored(
    statefulset: objects.Workload, index: model.Index, classes: frozenset[str], now: datetime
) -> model.Finding | None:
    """A claim template whose class does not exist, while a pod waits. Claims that are bound need no class any more."""
    names = [each.spec.storage_class_name for each in statefulset.spec.volume_claim_templates or ()]
    absent = next((name for name in names if name and name not in classes), None)
    pods = index.pods(symptoms.reference("StatefulSet", statefulset.metadata))
    waiting = [pod for pod in pods if pod.status.phase == "Pending" and not pod.spec.node_name and symptoms.living(pod)]
    if absent is None or not waiting:
        return None
    return _finding(
        statefulset,
        since=symptoms.earliest(now, *map(symptoms.unready_since, waiting)),
        message=f"The volume claims of StatefulSet {statefulset.metadata.name} ask for StorageClass {absent}, "
        "which does not exist, so its pods wait.",
        cause=f"StorageClass {absent}",
        facts={
            "class": "storage-class",
            "missing": f"StorageClass {absent}",
            "missing_kind": "StorageClass",
            "missing_name": absent,
        },
    )


def _unserved(statefulset: objects.Workload, now: datetime) -> model.Finding:
    """Since when a Service is missing the cluster does not tell."""
    name = statefulset.spec.service_name or ""
    whole = (statefulset.status.ready_replicas or 0) >= symptoms.desired(statefulset)
    return _finding(
        statefulset,
        since=now,
        message=f"The Service {name} that StatefulSet {statefulset.metadata.name} names as its own does not exist, "
        "so its pods have no names in DNS.",
        cause=f"Service {name}",
        facts={
            "class": "service",
            "missing": f"Service {name}",
            "missing_kind": "Service",
            "missing_name": name,
        },
        severity="P3" if whole else "P2",
    )


def _finding(
    statefulset: objects.Workload,
    *,
    since: datetime,
    message: str,
    cause: str,
    facts: dict[str, str],
    severity: model.Severity = "P2",
) -> model.Finding:
    ref = symptoms.reference("StatefulSet", statefulset.metadata)
    counts = {
        "ready": str(statefulset.status.ready_replicas or 0),
        "desired": str(symptoms.desired(statefulset)),
    }
    return model.Finding(
        kind=STATEFULSET_STUCK.kind,
        severity=severity,
        resource=ref,
        owner=ref,
        message=message,
        since=since,
        cause=cause,
        grace=STATEFULSET_STUCK.grace,
        facts={name: text for name, text in (facts | counts).items() if text},
    )
