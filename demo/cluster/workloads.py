"""Manifests of workloads for scenarios and tests: ordinary API objects, short to write.

All take a name and a namespace and label everything with app=<name>. Re-exported by `scenarios`.
"""

from typing import Any

from demo.cluster.objects import Object


def probe(path: str = "/healthz", *, period: int = 5, delay: int = 0, failures: int = 3) -> Object:
    """An HTTP probe on port 8080."""
    found: Object = {"httpGet": {"path": path, "port": 8080}, "periodSeconds": period, "failureThreshold": failures}
    return found | ({"initialDelaySeconds": delay} if delay else {})


def container(
    name: str,
    image: str,
    *,
    env: dict[str, Any] | None = None,
    cpu: str = "50m",
    memory: str = "64Mi",
    memory_limit: str = "",
    readiness: bool | int = False,
    liveness: bool = False,
    **more: Any,
) -> Object:
    """A container; an `env` value that is a dict is a `valueFrom`; a number as `readiness` is the probe's delay."""
    resources: Object = {"requests": {"cpu": cpu, "memory": memory}}
    if memory_limit:
        resources["limits"] = {"memory": memory_limit}
    found: Object = {"name": name, "image": image, "resources": resources}
    if env:
        found["env"] = [
            {"name": key, "valueFrom": value} if isinstance(value, dict) else {"name": key, "value": str(value)}
            for key, value in env.items()
        ]
    found["ports"] = [{"containerPort": 8080, "name": "http"}]
    if readiness:
        found["readinessProbe"] = probe(delay=0 if readiness is True else readiness)
    if liveness:
        found["livenessProbe"] = probe()
    return found | more


def pod_template(name: str, containers: list[Object], *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return {"metadata": {"labels": {"app": name} | (labels or {})}, "spec": {"containers": containers, **spec}}


def deployment(
    name: str,
    namespace: str = "default",
    image: str = "demo/app:v1",
    *,
    replicas: int = 1,
    strategy: Object | None = None,
    progress_deadline: int | None = None,
    min_ready: int = 0,
    annotations: dict[str, str] | None = None,
    pod: dict[str, Any] | None = None,
    **container_fields: Any,
) -> Object:
    """A Deployment with one container of its own name; `pod` adds to the pod's spec, the rest to the container."""
    template = pod_template(name, [container(name, image, **container_fields)], **(pod or {}))
    spec: Object = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    if strategy is not None:
        spec["strategy"] = strategy
    if progress_deadline is not None:
        spec["progressDeadlineSeconds"] = progress_deadline
    if min_ready:
        spec["minReadySeconds"] = min_ready
    found = _object("apps/v1", "Deployment", name, namespace, spec)
    if annotations:
        found["metadata"]["annotations"] = annotations
    return found


def stateful_set(
    name: str,
    namespace: str = "default",
    image: str = "demo/app:v1",
    *,
    replicas: int = 1,
    claim: str = "",
    **fields: Any,
) -> Object:
    """A StatefulSet; `claim` is the size of a volume claim for each pod."""
    spec: Object = {
        "replicas": replicas,
        "serviceName": name,
        "selector": {"matchLabels": {"app": name}},
        "template": pod_template(name, [container(name, image, **fields)]),
    }
    if claim:
        request = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": claim}}}
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": request}]
        spec["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return _object("apps/v1", "StatefulSet", name, namespace, spec)


def daemon_set(name: str, namespace: str = "default", image: str = "demo/app:v1", **fields: Any) -> Object:
    spec: Object = {
        "selector": {"matchLabels": {"app": name}},
        "template": pod_template(name, [container(name, image, **fields)], tolerations=[{"operator": "Exists"}]),
    }
    return _object("apps/v1", "DaemonSet", name, namespace, spec)


def job(
    name: str,
    namespace: str = "default",
    image: str = "demo/task:v1",
    *,
    backoff_limit: int = 2,
    restart_policy: str = "Never",
    owner: Object | None = None,
    **fields: Any,
) -> Object:
    template = pod_template(name, [container(name, image, **fields)], restartPolicy=restart_policy)
    found = _object("batch/v1", "Job", name, namespace, {"backoffLimit": backoff_limit, "template": template})
    if owner is not None:
        found["metadata"]["ownerReferences"] = [owner]
    return found


def cron_job(
    name: str, namespace: str = "default", image: str = "demo/task:v1", *, schedule: str = "0 3 * * *", **fields: Any
) -> Object:
    template = pod_template(name, [container(name, image, **fields)], restartPolicy="Never")
    spec = {"schedule": schedule, "jobTemplate": {"spec": {"backoffLimit": 2, "template": template}}}
    return _object("batch/v1", "CronJob", name, namespace, spec)


def service(name: str, namespace: str = "default", *, app: str = "", port: int = 80) -> Object:
    spec = {"selector": {"app": app or name}, "ports": [{"name": "http", "port": port, "targetPort": 8080}]}
    return _object("v1", "Service", name, namespace, spec)


def disruption_budget(name: str, namespace: str = "default", *, app: str = "", **rule: Any) -> Object:
    """`rule` is minAvailable or maxUnavailable."""
    spec = {"selector": {"matchLabels": {"app": app or name}}, **(rule or {"minAvailable": 1})}
    return _object("policy/v1", "PodDisruptionBudget", name, namespace, spec)


def autoscaler(name: str, namespace: str = "default", *, least: int = 2, most: int = 10) -> Object:
    """A HorizontalPodAutoscaler of the Deployment of the same name."""
    target = {"resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", **target}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", name, namespace, spec)


def quota(name: str, namespace: str, hard: dict[str, str]) -> Object:
    return _object("v1", "ResourceQuota", name, namespace, {"hard": hard})


def config_map(name: str, namespace: str = "default", **data: str) -> Object:
    found = _object("v1", "ConfigMap", name, namespace, None)
    return found | {"data": data}


def secret(name: str, namespace: str = "default", kind: str = "Opaque", **data: str) -> Object:
    """`data` as base64."""
    found = _object("v1", "Secret", name, namespace, None)
    return found | {"data": data, "type": kind}


def _object(api_version: str, kind: str, name: str, namespace: str, spec: Object | None) -> Object:
    metadata: Object = {"name": name, "namespace": namespace, "labels": {"app": name}}
    found: Object = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    return found if spec is None else found | {"spec": spec}
