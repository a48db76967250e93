"""RolloutStuck and ReplicasMissing: a workload with fewer ready replicas than it asks for. Called by `k8s.detection`.

StatefulSets and DaemonSets have kinds of their own for what holds them back; here a StatefulSet only misses replicas.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from k8s import model, objects, phrases, symptoms

ROLLOUT_STUCK = symptoms.KindInfo(
    kind="RolloutStuck",
    severity="P2",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment",
    condition="a rollout makes no progress within its own deadline",
    unless="P1 where no replica is ready",
)
"""The Deployment's own deadline is the grace: nothing is found before it has passed."""

REPLICAS_MISSING = symptoms.KindInfo(
    kind="ReplicasMissing",
    severity="P2",
    grace=timedelta(seconds=120),
    doc="https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/#debugging-replication-controllers",
    condition="a workload misses ready replicas, and no rollout explains it",
    unless="P1 where no replica is ready",
)
KINDS = (ROLLOUT_STUCK, REPLICAS_MISSING)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("deployments", "replicasets", "statefulsets", "pods")

_REFUSALS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("quota", re.compile(r"exceeded quota|limitrange|maximum .{1,80} usage per")),
    ("service-account", re.compile(r"serviceaccount|service account")),
    (
        "admission",
        re.compile(r"admission webhook|violates podsecurity|denied the request|failed calling webhook|policy"),
    ),
    ("forbidden", re.compile(r"forbidden")),
    ("invalid", re.compile(r"invalid")),
)
_QUOTA = re.compile(r"exceeded quota: ([a-z0-9.-]{1,253})")

_SAYINGS = {
    "quota": "a quota or limit refuses new pods",
    "service-account": "its service account does not exist",
    "admission": "an admission policy refuses new pods",
    "forbidden": "the API server forbids new pods",
    "invalid": "the API server calls its pods invalid",
    "refused": "its pods cannot be created",
}


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """P1 where no replica is ready, else P2."""
    now = snapshot.taken_at
    for deployment in snapshot.deployments:
        stuck = _stuck_since(deployment, index, now)
        if stuck is not None:
            yield _rollout_stuck(deployment, index, stuck)
        if _short(deployment):
            refusal = _refusal("Deployment", deployment, index)
            if refusal or (stuck is None and not symptoms.rolling(deployment)):
                yield _replicas_missing("Deployment", deployment, index, now, refusal)
    for statefulset in snapshot.statefulsets:
        if _short(statefulset) and not _updating(statefulset, index, now):
            refusal = _refusal("StatefulSet", statefulset, index)
            yield _replicas_missing("StatefulSet", statefulset, index, now, refusal)
    for replicaset in snapshot.replicasets:
        if _short(replicaset) and not _controlled(replicaset):
            refusal = _refusal("ReplicaSet", replicaset, index)
            yield _replicas_missing("ReplicaSet", replicaset, index, now, refusal)


def _short(workload: objects.Workload) -> bool:
    """Whether ready replicas are missing. One that is scaled to zero or being deleted misses none."""
    return (workload.status.ready_replicas or 0) < symptoms.desired(
        workload
    ) and not workload.metadata.deletion_timestamp


def _controlled(workload: objects.Workload) -> bool:
    return any(owner.controller for owner in workload.metadata.owner_references or ())


# --- a rollout that is stuck ----------------------------------------------------------------------------------------


def _stuck_since(deployment: objects.Workload, index: model.Index, now: datetime) -> datetime | None:
    """When a rollout got stuck: by the controller's word, or, where it gives none, by the default deadline."""
    if deployment.metadata.deletion_timestamp or deployment.spec.paused or symptoms.desired(deployment) <= 0:
        return None
    if symptoms.unobserved(deployment):
        return None
    progressing = objects.condition(deployment.status.conditions, "Progressing")
    if progressing is not None:
        if progressing.status != "False":
            return None
        return symptoms.earliest(now, objects.moment(progressing.last_transition_time))
    replicasets = index.replicasets(symptoms.reference("Deployment", deployment.metadata))
    if not replicasets or not symptoms.outdated(deployment):
        return None
    newest, older = replicasets[-1], replicasets[:-1]
    began = objects.moment(newest.metadata.creation_timestamp)
    unavailable = (newest.status.available_replicas or 0) < max(symptoms.desired(newest), 1)
    serving = any(replicaset.status.ready_replicas for replicaset in older)
    overdue = began is not None and now - began >= symptoms.DEFAULT_DEADLINE
    return began if unavailable and serving and overdue else None


def _rollout_stuck(deployment: objects.Workload, index: model.Index, since: datetime) -> model.Finding:
    ref = symptoms.reference("Deployment", deployment.metadata)
    ready, desired = deployment.status.ready_replicas or 0, symptoms.desired(deployment)
    progressing = objects.condition(deployment.status.conditions, "Progressing") or objects.Condition()
    replicasets = index.replicasets(ref)
    newest = replicasets[-1] if replicasets else None
    updated = newest.status.ready_replicas or 0 if newest is not None else 0
    revision = ((newest.metadata.annotations or {}).get(symptoms.REVISION, "") if newest is not None else "")[:20]
    change = _image_change(replicasets, index)
    changed = f" It changes {change}." if change else ""
    serving = f"{ready} of {desired} replicas are ready" if ready else "no replica is ready"
    facts = {
        "reason": progressing.reason or "",
        "said": phrases.clip(progressing.message),
        "ready": str(ready),
        "desired": str(desired),
        "updated": str(deployment.status.updated_replicas or 0),
        "updated_ready": str(updated),
        "revision": revision,
        "change": change,
    }
    return model.Finding(
        kind=ROLLOUT_STUCK.kind,
        severity="P1" if ready <= 0 else "P2",
        resource=ref,
        owner=ref,
        message=f"The rollout of Deployment {ref.name}{f' to revision {revision}' if revision else ''} is stuck: "
        f"{updated} of its new pods {'is' if updated == 1 else 'are'} ready, {serving} in all.{changed}",
        since=since,
        cause="rollout stuck",
        grace=ROLLOUT_STUCK.grace,
        facts={name: text for name, text in facts.items() if text},
    )


def _image_change(replicasets: Sequence[objects.Workload], index: model.Index) -> str:
    """Which images the newest ReplicaSet changes, as its pods and those of the one that serves show it."""
    serving = [item for item in replicasets[:-1] if item.status.ready_replicas]
    if not serving:
        return ""
    old, new = (_images(item, index) for item in (serving[-1], replicasets[-1]))
    changes = [
        f"{name} from {old[name]} to {new[name]}" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]
    ]
    return phrases.clip(", ".join(changes))


def _images(replicaset: objects.Workload, index: model.Index) -> dict[str, str]:
    pods = index.pods(symptoms.reference("ReplicaSet", replicaset.metadata))
    return {container.name: container.image for pod in pods[:1] for container in pod.spec.containers or ()}


# --- replicas that are missing --------------------------------------------------------------------------------------


def _updating(statefulset: objects.Workload, index: model.Index, now: datetime) -> bool:
    """Whether a StatefulSet is being updated, for no longer than a Deployment would be given by default."""
    status = statefulset.status
    if not (status.update_revision and status.update_revision != status.current_revision):
        return False
    if (status.updated_replicas or 0) >= symptoms.desired(statefulset):
        return False
    return now - _since("StatefulSet", statefulset, index, now) < symptoms.DEFAULT_DEADLINE


def _refusal(kind: str, workload: objects.Workload, index: model.Index) -> dict[str, str]:
    """Why pods cannot be created: by the ReplicaFailure condition, else by the newest FailedCreate event."""
    condition = objects.condition(workload.status.conditions, "ReplicaFailure")
    said = (condition.message or "") if condition is not None and condition.status == "True" else ""
    if not said:
        ref = symptoms.reference(kind, workload.metadata)
        # A ReplicaSet that has all its pods left its old failure behind.
        short = [item for item in index.replicasets(ref) if (item.status.replicas or 0) < symptoms.desired(item)]
        makers = [ref, *(symptoms.reference("ReplicaSet", item.metadata) for item in short)]
        if (workload.status.replicas or 0) < symptoms.desired(workload):
            events = [event for maker in makers for event in index.events(maker, ("FailedCreate",))]
            said = (events[0].message or "") if events else ""
    if not said:
        return {}
    lowered = said[:4096].lower()
    quota = _QUOTA.search(lowered)
    kinds_of = (name for name, pattern in _REFUSALS if pattern.search(lowered))
    return {"class": next(kinds_of, "refused"), "said": phrases.clip(said), "quota": quota[1] if quota else ""}


def _replicas_missing(
    kind: str, workload: objects.Workload, index: model.Index, now: datetime, refusal: dict[str, str]
) -> model.Finding:
    ref = symptoms.reference(kind, workload.metadata)
    ready, desired = workload.status.ready_replicas or 0, symptoms.desired(workload)
    node = _lost_node(ref, index, ready, desired)
    why = f": {_SAYINGS[refusal['class']]}" if refusal else ""
    facts = {"ready": str(ready), "desired": str(desired), "node": node} | refusal
    return model.Finding(
        kind=REPLICAS_MISSING.kind,
        severity="P1" if ready <= 0 else "P2",
        resource=ref,
        owner=ref,
        message=f"{kind} {ref.name} has {ready} of {desired} replicas ready{why}.",
        since=_since(kind, workload, index, now),
        cause=f"pods refused: {refusal['class']}" if refusal else "replicas missing",
        grace=REPLICAS_MISSING.grace,
        facts={name: text for name, text in facts.items() if text},
        node=node,
    )


def _since(kind: str, workload: objects.Workload, index: model.Index, now: datetime) -> datetime:
    """When the first replica that is missing went missing, by its pods, its conditions or the refusal of a pod."""
    ref = symptoms.reference(kind, workload.metadata)
    pods = [pod for pod in symptoms.pods_under(index, ref) if symptoms.living(pod) and not symptoms.ready(pod)]
    conditions = workload.status.conditions
    told = [
        objects.moment(condition.last_transition_time)
        for name, bad in (("Available", "False"), ("ReplicaFailure", "True"))
        if (condition := objects.condition(conditions, name)) is not None and condition.status == bad
    ]
    return symptoms.earliest(now, *told, *(symptoms.unready_since(pod) for pod in pods))


def _lost_node(ref: model.ResourceRef, index: model.Index, ready: int, desired: int) -> str:
    """The NotReady node whose pods explain all missing replicas; empty where there is none."""
    lost = [
        pod.spec.node_name
        for pod in symptoms.pods_under(index, ref)
        if pod.spec.node_name and not index.node_ready(pod.spec.node_name)
        if pod.status.phase not in ("Succeeded", "Failed") and not symptoms.ready(pod)
    ]
    return min(lost) if lost and ready + len(lost) >= desired else ""
