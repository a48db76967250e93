"""Pods, nodes and events as the API writes them, short to vary, for the tests of what is told of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from k8s import model

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
API = model.ResourceRef("Deployment", "payments", "api", "uid-api")
POD = model.ResourceRef("Pod", "payments", "api-5d-x", "uid-pod")


def finding(kind: str = "CrashLoopBackOff", **changes: Any) -> model.Finding:
    values: dict[str, Any] = {
        "kind": kind,
        "severity": "P1",
        "resource": POD,
        "owner": API,
        "message": f"Container app shows {kind}.",
        "since": NOW - timedelta(minutes=4),
        "cause": "x",
        "container": "app",
    }
    return model.Finding(**{**values, **changes})


def problem(*findings: model.Finding, subject: model.ResourceRef = API) -> model.Problem:
    return model.Problem(subject, findings or (finding(),), "P1", 0, 3)


def status(name: str = "app", **changes: Any) -> model.Json:
    """Of a container; running, ready, never restarted."""
    values = {
        "name": name,
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-11-21T02:00:00Z"}},
        "lastState": {},
    }
    return {**values, **changes}


def crashed(name: str = "app", code: int = 1, restarts: int = 4) -> model.Json:
    return status(
        name,
        ready=False,
        restartCount=restarts,
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": {"exitCode": code, "reason": "Error", "finishedAt": "2026-11-21T02:58:00Z"}},
    )


def pod(*statuses: model.Json, name: str = "api-5d-x", uid: str = "uid-pod", **changes: Any) -> model.Json:
    ready = all(one.get("ready") for one in statuses)
    values: model.Json = {
        "metadata": {"name": name, "namespace": "payments", "uid": uid, "creationTimestamp": "2026-11-21T02:00:00Z"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": list(statuses),
        },
    }
    return {**values, **changes}


def target(*pods: model.Json, obj: model.Json | None = None) -> model.Target:
    return model.Target(API, obj, NOW, pods=pods)


def event(reason: str = "BackOff", message: str = "Back-off restarting failed container", **changes: Any) -> model.Json:
    values = {
        "metadata": {"uid": f"{reason}-{message}"[:60]},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": 1,
        "lastTimestamp": "2026-11-21T02:58:00Z",
    }
    return {**values, **changes}


def node(name: str = "worker-1", ready: str = "True", **spec: Any) -> model.Json:
    conditions = [{"type": "Ready", "status": ready, "reason": "KubeletReady", "message": "kubelet is posting"}]
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"allocatable": {"cpu": "4", "memory": "8Gi"}, "conditions": conditions},
    }
