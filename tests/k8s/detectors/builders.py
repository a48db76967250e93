"""API objects as a cluster sends them (JSON), for the tests of detection: each makes one plain, healthy part."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from k8s import detection, model, objects, surroundings

NOW = datetime(2026, 3, 14, 3, 0, tzinfo=UTC)
"""When every snapshot of these tests was taken."""

Json = dict[str, Any]

_TYPES: Mapping[str, Any] = {
    "namespaces": list[objects.Namespace],
    "nodes": list[objects.Node],
    "pods": list[objects.Pod],
    "deployments": list[objects.Workload],
    "replicasets": list[objects.Workload],
    "statefulsets": list[objects.Workload],
    "daemonsets": list[objects.Workload],
    "jobs": list[objects.Job],
    "cronjobs": list[objects.CronJob],
    "events": list[objects.Event],
    "services": list[surroundings.Service],
    "endpointslices": list[surroundings.EndpointSlice],
    "ingresses": list[surroundings.Ingress],
    "ingressclasses": list[surroundings.IngressClass],
    "persistentvolumeclaims": list[surroundings.Claim],
    "storageclasses": list[surroundings.StorageClass],
    "resourcequotas": list[surroundings.Quota],
    "horizontalpodautoscalers": list[surroundings.Autoscaler],
    "poddisruptionbudgets": list[surroundings.Budget],
    "validatingwebhookconfigurations": list[surroundings.WebhookConfiguration],
    "mutatingwebhookconfigurations": list[surroundings.WebhookConfiguration],
    "secrets": list[surroundings.TlsSecret],
}


def ago(seconds: float) -> str:
    """The timestamp of so many seconds before NOW, as the API writes it."""
    return (NOW - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def moment(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def snapshot(**lists: Sequence[Json]) -> model.Snapshot:
    """A snapshot of these objects, decoded as the reader decodes them. Lists are named as in `model.Snapshot`."""
    decoded = {name: msgspec.convert(list(items), type=_TYPES[name]) for name, items in lists.items()}
    return model.Snapshot("test", NOW, **decoded)


def findings(kind: str, **lists: Sequence[Json]) -> list[model.Finding]:
    """The findings of one kind in a snapshot of these objects; a detector that breaks off fails the test."""
    found = detection.detect(snapshot(**lists))
    assert not found.errors
    return [finding for finding in found.findings if finding.kind == kind]


def only(kind: str, **lists: Sequence[Json]) -> model.Finding:
    """The one finding of a kind."""
    found = findings(kind, **lists)
    assert len(found) == 1, found
    return found[0]


def controlled(kind: str, name: str, uid: str = "") -> list[Json]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid or f"uid-{name}", "controller": True}]


def meta(name: str, namespace: str = "shop", *, owners: Sequence[Json] = (), age: float = 86_400, **more: Any) -> Json:
    return {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "creationTimestamp": ago(age),
        "ownerReferences": list(owners),
    } | more


# --- containers and pods --------------------------------------------------------------------------------------------


def running(name: str = "app", *, ready: bool = True, started: float = 3600, restarts: int = 0, **more: Any) -> Json:
    return {
        "name": name,
        "image": "registry.example/app:1",
        "ready": ready,
        "started": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": ago(started)}},
        "lastState": {},
    } | more


def waiting(reason: str, message: str = "", name: str = "app", *, restarts: int = 0, **more: Any) -> Json:
    return {
        "name": name,
        "image": "registry.example/app:1",
        "ready": False,
        "started": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": {},
    } | more


def ended(exit_code: int | None = 1, reason: str = "Error", *, started: float = 63, finished: float = 60) -> Json:
    terminated = {"exitCode": exit_code, "reason": reason, "startedAt": ago(started), "finishedAt": ago(finished)}
    return {"terminated": terminated}


def crashed(name: str = "app", exit_code: int = 1, reason: str = "Error", **more: Any) -> Json:
    """A container that backs off between two crashes."""
    return waiting("CrashLoopBackOff", "back-off 5m0s", name, restarts=12, lastState=ended(exit_code, reason), **more)


def pod(
    name: str = "web-7d9f-abcde",
    statuses: Iterable[Json] | None = None,
    *,
    namespace: str = "shop",
    owner: Sequence[Json] | None = None,
    phase: str = "Running",
    ready: bool | None = None,
    since: float = 600,
    node: str = "node-a",
    inits: Sequence[Json] = (),
    ephemerals: Sequence[Json] = (),
    spec: Json | None = None,
    conditions: Sequence[Json] = (),
    **more: Any,
) -> Json:
    """A pod of the ReplicaSet web-7d9f unless it is told another owner; `more` goes to its metadata."""
    shown = [running()] if statuses is None else list(statuses)
    is_ready = all(status["ready"] for status in shown) if ready is None else ready
    default_spec = {
        "nodeName": node,
        "restartPolicy": "Always",
        "containers": [{"name": status["name"], "image": status["image"]} for status in shown],
        "initContainers": [{"name": status["name"], "image": status["image"]} for status in inits],
    }
    owners = controlled("ReplicaSet", "web-7d9f") if owner is None else list(owner)
    return {
        "metadata": meta(name, namespace, owners=owners, **more),
        "spec": default_spec | (spec or {}),
        "status": {
            "phase": phase,
            "startTime": ago(since),
            "conditions": [
                {"type": "Ready", "status": "True" if is_ready else "False", "lastTransitionTime": ago(since)},
                *conditions,
            ],
            "containerStatuses": shown,
            "initContainerStatuses": list(inits),
            "ephemeralContainerStatuses": list(ephemerals),
        },
    }


def event(about: Json, kind: str, reason: str, message: str, *, container: str = "", **times: Any) -> Json:
    """A Warning event about an object of this kind."""
    target = about["metadata"]
    involved = {"kind": kind, "namespace": target.get("namespace", ""), "name": target["name"], "uid": target["uid"]}
    if container:
        involved["fieldPath"] = f"spec.containers{{{container}}}"
    return {
        "metadata": {"name": f"{target['name']}.1", "namespace": target.get("namespace") or "default"},
        "involvedObject": involved,
        "type": "Warning",
        "reason": reason,
        "message": message,
        "firstTimestamp": ago(600),
        "lastTimestamp": ago(10),
    } | times


# --- workloads, jobs, nodes -----------------------------------------------------------------------------------------


def replicaset(
    name: str = "web-7d9f",
    *,
    deployment: str = "web",
    revision: int = 1,
    replicas: int = 2,
    ready: int = 2,
    **more: Any,
) -> Json:
    owners = controlled("Deployment", deployment) if deployment else []
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    return {
        "metadata": meta(name, owners=owners, annotations=annotations, **more),
        "spec": {"replicas": replicas},
        "status": {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1},
    }


def progressing(status: str = "True", reason: str = "NewReplicaSetAvailable", *, since: float = 3600) -> Json:
    return {"type": "Progressing", "status": status, "reason": reason, "lastTransitionTime": ago(since)}


def deployment(
    name: str = "web",
    *,
    replicas: int = 2,
    ready: int = 2,
    updated: int | None = None,
    conditions: Sequence[Json] | None = None,
    status: Json | None = None,
    spec: Json | None = None,
    **more: Any,
) -> Json:
    """A Deployment whose rollout is complete."""
    return {
        "metadata": meta(name, **({"generation": 1} | more)),
        "spec": {"replicas": replicas} | (spec or {}),
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": replicas if updated is None else updated,
            "conditions": [progressing()] if conditions is None else list(conditions),
        }
        | (status or {}),
    }


def job(name: str = "report-1", *, conditions: Sequence[Json] = (), cronjob: str = "", **more: Any) -> Json:
    return {
        "metadata": meta(name, owners=controlled("CronJob", cronjob) if cronjob else (), **more),
        "spec": {"backoffLimit": 3},
        "status": {"failed": 4, "conditions": list(conditions)},
    }


def job_failed(reason: str = "BackoffLimitExceeded", *, since: float = 300) -> Json:
    return {"type": "Failed", "status": "True", "reason": reason, "lastTransitionTime": ago(since)}


def node(name: str = "node-a", *conditions: Json, spec: Json | None = None, **more: Any) -> Json:
    """A node that is Ready unless its conditions say otherwise."""
    told = {condition["type"] for condition in conditions}
    ready = [] if "Ready" in told else [node_condition("Ready", "True")]
    return {
        "metadata": {"name": name, "uid": f"uid-{name}"} | more,
        "spec": spec or {},
        "status": {"conditions": [*ready, *conditions]},
    }


def node_condition(kind: str, status: str, *, since: float = 300, reason: str = "") -> Json:
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": ago(since)}


def whole(*pods: Json, ready: int = 1) -> dict[str, list[Json]]:
    """These pods with the ReplicaSet web-7d9f and the Deployment web above them, of which `ready` of 2 are ready."""
    return {"pods": list(pods), "replicasets": [replicaset(ready=ready)], "deployments": [deployment(ready=ready)]}


# --- StatefulSets, DaemonSets, CronJobs, autoscalers, budgets -------------------------------------------------------


def statefulset(name: str = "db", *, replicas: int = 3, ready: int = 3, made: int | None = None, **more: Any) -> Json:
    """A StatefulSet whose update is complete; `more` goes to its specification."""
    return {
        "metadata": meta(name, generation=1),
        "spec": {"replicas": replicas, "serviceName": "", "podManagementPolicy": "OrderedReady"} | more,
        "status": {
            "observedGeneration": 1,
            "replicas": replicas if made is None else made,
            "readyReplicas": ready,
            "currentRevision": "db-1",
            "updateRevision": "db-1",
            "updatedReplicas": replicas,
        },
    }


def ordinal(number: int, *, ready: bool = True, since: float = 600, revision: str = "db-1", **more: Any) -> Json:
    """A pod of the StatefulSet db."""
    owner = controlled("StatefulSet", "db")
    labels = {"controller-revision-hash": revision}
    return pod(f"db-{number}", [running(ready=ready)], owner=owner, since=since, labels=labels, **more)


def daemonset(
    name: str = "agent",
    *,
    desired: int = 3,
    ready: int = 3,
    made: int | None = None,
    updated: int | None = None,
    misscheduled: int = 0,
    **spec: Any,
) -> Json:
    return {
        "metadata": meta(name, generation=1),
        "spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}} | spec,
        "status": {
            "observedGeneration": 1,
            "desiredNumberScheduled": desired,
            "currentNumberScheduled": desired if made is None else made,
            "updatedNumberScheduled": desired if updated is None else updated,
            "numberReady": ready,
            "numberAvailable": ready,
            "numberUnavailable": desired - ready,
            "numberMisscheduled": misscheduled,
        },
    }


def daemon(node: str, *, ready: bool = True, since: float = 900, **more: Any) -> Json:
    """The pod of the DaemonSet agent on a node."""
    owner = controlled("DaemonSet", "agent")
    return pod(f"agent-{node}", [running(ready=ready)], owner=owner, node=node, since=since, **more)


def cronjob(name: str = "report", *, spec: Json | None = None, status: Json | None = None, **more: Any) -> Json:
    """One that is due at 03:00 every day; `more` goes to its metadata."""
    return {
        "metadata": meta(name, **({"age": 30 * 86_400} | more)),
        "spec": {"schedule": "0 3 * * *"} | (spec or {}),
        "status": status or {},
    }


def autoscaler(
    *conditions: Json, current: int = 2, most: int = 10, spec: Json | None = None, status: Json | None = None
) -> Json:
    """The HorizontalPodAutoscaler web of the Deployment web."""
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    return {
        "metadata": meta("web"),
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": most} | (spec or {}),
        "status": {"currentReplicas": current, "desiredReplicas": current, "conditions": list(conditions)}
        | (status or {}),
    }


def budget(
    name: str = "web", *, healthy: int = 2, desired: int = 2, expected: int = 2, allowed: int = 0, **spec: Any
) -> Json:
    """A PodDisruptionBudget of the pods with app=web, that allows nothing since 20 minutes."""
    refuses = {"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods"}
    return {
        "metadata": meta(name),
        "spec": {"minAvailable": desired, "selector": {"matchLabels": {"app": "web"}}} | spec,
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "conditions": [refuses | {"lastTransitionTime": ago(1200)}],
        },
    }


def cordoned(name: str = "node-a", *, since: float = 900) -> Json:
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": ago(since)}
    return node(name, spec={"unschedulable": True, "taints": [taint]})
