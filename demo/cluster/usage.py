"""What metrics.k8s.io answers, where a test has said what containers use. `server` serves it.

https://github.com/kubernetes/metrics/blob/master/pkg/apis/metrics/v1beta1/types.go
"""

import re

from demo.cluster.objects import Object, name_of, namespace_of, rfc3339
from demo.cluster.registry import Registry
from demo.cluster.resources import Resource

POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics")
_PATH = re.compile(r"/apis/metrics\.k8s\.io/v1beta1(?:/namespaces/(?P<namespace>[^/]+))?/pods")


def namespace_asked(path: str) -> str | None:
    """The namespace of a list of pod metrics, empty for all; None where the path is another one."""
    found = _PATH.fullmatch(path)
    return None if found is None else found["namespace"] or ""


def pod_metrics(registry: Registry, namespace: str) -> Object:
    """The list, of running pods whose use is known."""
    now = rfc3339(registry.timeline.now())
    items = []
    for pod in registry.store.all("pods", namespace):
        statuses = (pod.get("status") or {}).get("containerStatuses") or []
        running = [each["name"] for each in statuses if "running" in (each.get("state") or {})]
        used = [(name, registry.usage(pod, name)) for name in running] if registry.usage is not None else []
        containers = [
            {"name": name, "usage": {"cpu": "1m", "memory": f"{round(size / 1024)}Ki"}}
            for name, size in used
            if size is not None
        ]
        if containers:
            meta = {"name": name_of(pod), "namespace": namespace_of(pod), "creationTimestamp": now}
            items.append({"metadata": meta, "timestamp": now, "window": "15s", "containers": containers})
    return {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": items}
