"""API objects as raw JSON, and targets made of them: what the tests of remedies, policy and verification start from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from k8s import model

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
OWNER_UID = "00000000-0000-4000-8000-000000000001"
API = model.ResourceRef("Deployment", "payments", "api", OWNER_UID)


def at(minutes: float) -> str:
    """A timestamp so many minutes before NOW (after it, if negative), as the API writes it."""
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ref(kind: str = "Deployment", name: str = "api", uid: str = OWNER_UID) -> model.ResourceRef:
    return model.ResourceRef(kind, "payments", name, uid)


def pod_template(image: str = "web:1.5", **container: Any) -> model.Json:
    return {
        "metadata": {"labels": {"app": "api"}},
        "spec": {"containers": [{"name": "web", "image": image, **container}]},
    }


def workload(
    kind: str = "Deployment",
    *,
    replicas: int = 3,
    ready: int = 3,
    template: model.Json | None = None,
    revision: int = 5,
    status: model.Json | None = None,
    metadata: model.Json | None = None,
    **spec: Any,
) -> model.Json:
    """A workload whose controller has seen all, with so many pods ready and all updated."""
    daemons = {
        "desiredNumberScheduled": replicas,
        "currentNumberScheduled": replicas,
        "updatedNumberScheduled": replicas,
        "numberReady": ready,
        "numberAvailable": ready,
    }
    others = {
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "updateRevision": "api-7",
    }
    made: model.Json = {
        "kind": kind,
        "metadata": {
            "name": "api",
            "namespace": "payments",
            "uid": OWNER_UID,
            "generation": 4,
            "annotations": {"deployment.kubernetes.io/revision": str(revision)} if kind == "Deployment" else {},
            **(metadata or {}),
        },
        "spec": {"template": template or pod_template(), **spec},
        "status": {"observedGeneration": 4, **(daemons if kind == "DaemonSet" else others), **(status or {})},
    }
    if kind != "DaemonSet":
        made["spec"]["replicas"] = replicas
    return made


def replicaset(
    number: int,
    image: str,
    *,
    created: float = 60,
    pods: int = 0,
    ready: int = 0,
    cause: str = "",
    history: str = "",
    template: model.Json | None = None,
    owner: str = OWNER_UID,
) -> model.Json:
    """A ReplicaSet of the Deployment; `created` in minutes before NOW."""
    hashed = template or pod_template(image)
    hashed = {
        **hashed,
        "metadata": {
            **hashed["metadata"],
            "creationTimestamp": None,
            "labels": {"app": "api", "pod-template-hash": f"h{number}"},
        },
    }
    annotations = {"deployment.kubernetes.io/revision": str(number)}
    if cause:
        annotations["kubernetes.io/change-cause"] = cause
    if history:
        annotations["deployment.kubernetes.io/revision-history"] = history
    return {
        "metadata": {
            "name": f"api-h{number}",
            "namespace": "payments",
            "uid": f"rs-{number}",
            "creationTimestamp": at(created),
            "annotations": annotations,
            "ownerReferences": [{"kind": "Deployment", "name": "api", "uid": owner, "controller": True}],
        },
        "spec": {"replicas": pods, "template": hashed},
        "status": {"replicas": pods, "readyReplicas": ready},
    }


def pod(
    name: str = "api-h5-a",
    *,
    owner: tuple[str, str] | None = ("ReplicaSet", "rs-5"),
    uid: str = "pod-1",
    created: float = 30,
    ready: bool = True,
    since: float = 20,
    labels: dict[str, str] | None = None,
    containers: list[model.Json] | None = None,
    **metadata: Any,
) -> model.Json:
    """A running pod; `created`, and `since` when it is (not) ready, in minutes before NOW."""
    owners = [] if owner is None else [{"kind": owner[0], "name": "o", "uid": owner[1], "controller": True}]
    running = {"name": "web", "restartCount": 0, "state": {"running": {"startedAt": at(created)}}}
    return {
        "metadata": {
            "name": name,
            "namespace": "payments",
            "uid": uid,
            "creationTimestamp": at(created),
            "labels": labels or {},
            "ownerReferences": owners,
            **metadata,
        },
        "spec": {"nodeName": "node-a"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": at(since)}],
            "containerStatuses": [running] if containers is None else containers,
        },
    }


def target(
    obj: model.Json | None,
    *,
    of: model.ResourceRef = API,
    owner: model.Json | None = None,
    replicasets: tuple[model.Json, ...] = (),
    pods: tuple[model.Json, ...] = (),
    headroom: int | None = None,
    autoscalers: tuple[model.Json, ...] = (),
    namespace: model.Json | None = None,
) -> model.Target:
    budgets = () if headroom is None else ({"status": {"disruptionsAllowed": headroom}},)
    return model.Target(
        ref=of,
        object=obj,
        read_at=NOW,
        owner=owner,
        replicasets=replicasets,
        pods=pods,
        budgets=budgets,
        autoscalers=autoscalers,
        namespace={"metadata": {"name": "payments"}} if namespace is None else namespace,
    )


def broken_rollout(**more: Any) -> model.Target:
    """Revision 5 (web:1.5) does not come up, revision 4 (web:1.4) still has two ready pods, revision 3 had served."""
    return target(
        workload(ready=2, status={"updatedReplicas": 1, "unavailableReplicas": 1}),
        replicasets=(
            replicaset(3, "web:1.3", created=600),
            replicaset(4, "web:1.4", created=300, pods=2, ready=2, cause="release 1.4"),
            replicaset(5, "web:1.5", created=10, pods=1),
        ),
        **more,
    )


def revision(
    number: int,
    image: str = "web:1.5",
    *,
    kind: str = "StatefulSet",
    created: float = 60,
    template: model.Json | None = None,
    owner: str = OWNER_UID,
) -> model.Json:
    """A ControllerRevision; `created` in minutes before NOW. Its pods: `revision_pod`."""
    hashed = f"h{number}"
    return {
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"api-{hashed}",
            "namespace": "payments",
            "uid": f"cr-{number}",
            "creationTimestamp": at(created),
            "labels": {"app": "api", "controller-revision-hash": hashed if kind == "DaemonSet" else f"api-{hashed}"},
            "ownerReferences": [{"kind": kind, "name": "api", "uid": owner, "controller": True}],
        },
        "revision": number,
        "data": {"spec": {"template": {**(template or pod_template(image)), "$patch": "replace"}}},
    }


def revision_pod(number: int, name: str, *, kind: str = "StatefulSet", **made: Any) -> model.Json:
    hashed = f"h{number}" if kind == "DaemonSet" else f"api-h{number}"
    return pod(name, owner=(kind, OWNER_UID), uid=name, labels={"controller-revision-hash": hashed}, **made)


def stuck(kind: str = "StatefulSet", **more: Any) -> model.Target:
    """Revision 3 (web:1.5) does not come up, revision 2 (web:1.4) has two ready pods, revision 1 had served."""
    status = {"updatedReplicas": 1, "updatedNumberScheduled": 1, "updateRevision": "api-h3"}
    pods = (
        revision_pod(2, "api-0", kind=kind),
        revision_pod(2, "api-1", kind=kind),
        revision_pod(3, "api-2", kind=kind, ready=False),
    )
    kept = (("web:1.3", 600), ("web:1.4", 300), ("web:1.5", 10))
    revisions = tuple(
        revision(number, image, kind=kind, created=created) for number, (image, created) in enumerate(kept, start=1)
    )
    found = target(workload(kind, ready=2, status=status), of=ref(kind), pods=pods, **more)
    return replace(found, revisions=revisions)
