"""Renders the lists of a large, realistic cluster as the pages that an API server would send, for the benchmarks.

Pods of 8 to 9 KB (owner references, probes, environment, volumes, managedFields), two in a hundred failing, their
owners, nodes and warning events, and what stands around them: a Service and its EndpointSlices for each Deployment,
Ingresses, autoscalers, budgets, claims, quotas, webhooks, metrics. The same numbers give the same bytes.
"""

import functools
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from k8s import snapshot
from k8s.client import resources


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are of what a cluster grows by."""

    pods: int = 10_000
    nodes: int = 200
    deployments: int = 1_000
    """A multiple of `FAILING_EVERY`: then all pods of a failing Deployment fail, and no others."""
    replicasets: int = 2_500
    events: int = 10_000


SMALL, LARGE, HUGE = Size(1_000), Size(10_000), Size(50_000)

PAGE = snapshot.PAGE
"""Objects of a page: what a sweep asks for, and a watch's list."""
FAILING_EVERY = 50
UNPAGED = "podmetrics"
"""The metrics server sends its lists in one piece, whatever limit is asked for."""

_SPACES_OF = 20
"""Deployments a namespace."""
_SLICE = 100
"""Endpoints an EndpointSlice, as its controller cuts them."""

_STARTED = "2026-11-20T08:00:00Z"
_CHANGED = "2026-11-21T03:40:00Z"

Pages = dict[str, list[bytes]]


def rendered(size: Size, page: int) -> Pages:
    """Path → its pages, each at most `page` objects. Every page but the last names the next by its index."""
    lists = {
        "pods": _pods(size),
        "nodes": _nodes(size),
        "namespaces": _namespaces(size),
        "events": _events(size),
        "deployments": _deployments(size),
        "replicasets": _replicasets(size),
        "statefulsets": iter(()),
        "daemonsets": iter(()),
        "jobs": iter(()),
        "cronjobs": iter(()),
        "services": _services(size),
        "endpointslices": _endpointslices(size),
        "ingresses": _ingresses(size),
        "ingressclasses": iter([{"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}]),
        "persistentvolumeclaims": _claims(size),
        "storageclasses": _storageclasses(),
        "resourcequotas": _quotas(size),
        "horizontalpodautoscalers": _autoscalers(size),
        "poddisruptionbudgets": _budgets(size),
        "validatingwebhookconfigurations": _webhooks("policy", size),
        "mutatingwebhookconfigurations": _webhooks("injector", size),
        UNPAGED: _metrics(size),
    }
    return {resources.named(name).path(): _paged(name, items, page) for name, items in lists.items()}


def _paged(name: str, items: Iterator[dict[str, Any]], page: int) -> list[bytes]:
    """Page by page, so that the objects of one page are there at a time."""
    resource = resources.named(name)
    length = None if name == UNPAGED else page
    pages: list[bytes] = []
    following = list(itertools.islice(items, length))
    while True:
        found, following = following, list(itertools.islice(items, length))
        token = {"continue": str(len(pages) + 1)} if following else {}
        metadata = {"resourceVersion": "918273"} | token
        body = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata}
        pages.append(msgspec.json.encode(body | {"items": found}))
        if not following:
            return pages


def _uid(kind: str, number: int) -> str:
    return f"{sum(kind.encode()):08x}-0000-4000-8000-{number:012x}"


def _place(deployment: int) -> tuple[str, str]:
    """(namespace, name) of a Deployment."""
    return f"team-{deployment // _SPACES_OF:02d}", f"service-{deployment:03d}"


def _spaces(size: Size) -> range:
    return range(-(-size.deployments // _SPACES_OF))


def _hash(deployment: int) -> str:
    return f"{deployment * 7919 % 0xFFFFFFF:07x}ab"


def _pod_name(number: int, deployment: int) -> str:
    return f"{_place(deployment)[1]}-{_hash(deployment)}-{number:05x}"


def _replicas(size: Size, deployment: int) -> int:
    return len(range(deployment, size.pods, size.deployments))


def _failing(deployment: int) -> bool:
    return deployment % FAILING_EVERY == 0


def _address(number: int) -> str:
    return f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"


def _labels(deployment: int) -> dict[str, str]:
    namespace, service = _place(deployment)
    return {
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/instance": f"{service}-production",
        "app.kubernetes.io/version": f"1.{deployment}.0",
        "app.kubernetes.io/part-of": f"platform-{namespace}",
    }


def _owner(kind: str, name: str, uid: str) -> list[dict[str, Any]]:
    api = "apps/v1"
    return [{"apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": True, "blockOwnerDeletion": True}]


def changed_pod(number: int, turn: int, size: Size = LARGE) -> dict[str, Any]:
    """A pod in a newer state: the usual change of its probes' answers, or, of one that fails, one more restart."""
    found = _pod(number % size.pods, size)
    found["metadata"]["resourceVersion"] = str(920_000 + turn)
    for status in found["status"]["containerStatuses"]:
        if number % size.pods % FAILING_EVERY == 0:
            status["restartCount"] = 100 + turn
    for condition in found["status"]["conditions"]:
        condition["lastTransitionTime"] = f"2026-11-21T03:{turn // 60 % 60:02d}:{turn % 60:02d}Z"
    return found


def _pods(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.pods):
        yield _pod(number, size)


def _pod(number: int, size: Size) -> dict[str, Any]:
    deployment = number % size.deployments
    namespace, service = _place(deployment)
    hashed = _hash(deployment)
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8080",
        "kubectl.kubernetes.io/restartedAt": _STARTED,
        "checksum/config": f"{number * 2654435761 % 2**32:08x}" * 8,
        "cni.projectcalico.org/podIP": f"{_address(number)}/32",
    }
    return {
        "metadata": {
            "name": _pod_name(number, deployment),
            "generateName": f"{service}-{hashed}-",
            "namespace": namespace,
            "uid": _uid("Pod", number),
            "resourceVersion": str(800_000 + number),
            "creationTimestamp": _STARTED,
            "labels": _labels(deployment) | {"pod-template-hash": hashed},
            "annotations": annotations,
            "ownerReferences": _owner("ReplicaSet", f"{service}-{hashed}", _uid("ReplicaSet", deployment)),
            "managedFields": _managed_fields((*_labels(deployment), "pod-template-hash"), tuple(annotations)),
        },
        "spec": _pod_spec(service, deployment) | {"nodeName": f"node-{number % size.nodes:03d}"},
        "status": _pod_status(number, service, deployment, size),
    }


@functools.cache
def _managed_fields(labels: tuple[str, ...], annotations: tuple[str, ...]) -> list[dict[str, Any]]:
    """A third of an ordinary pod: one entry of the controller, one of the kubelet."""
    owned: dict[str, Any] = {
        f"f:{key}": {} for key in ("image", "imagePullPolicy", "name", "resources", "terminationMessagePath")
    }
    env: dict[str, Any] = {f'k:{{"name":"SETTING_{n}"}}': {".": {}, "f:name": {}, "f:value": {}} for n in range(8)}
    spec = {"f:containers": {'k:{"name":"app"}': owned | {"f:env": env, "f:ports": {".": {}}}}, "f:dnsPolicy": {}}
    metadata: dict[str, Any] = {
        "f:labels": {f"f:{k}": {} for k in labels},
        "f:annotations": {f"f:{k}": {} for k in annotations},
    }
    kinds = ("ContainersReady", "Initialized", "PodReadyToStartContainers", "Ready")
    fields = ("lastProbeTime", "lastTransitionTime", "status", "type")
    conditions: dict[str, Any] = {
        f'k:{{"type":"{kind}"}}': {".": {}} | {f"f:{field}": {} for field in fields} for kind in kinds
    }
    status = {"f:conditions": conditions, "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {}, "f:podIP": {}}
    entry = {"apiVersion": "v1", "fieldsType": "FieldsV1", "operation": "Update", "time": _STARTED}
    return [
        entry | {"manager": "kube-controller-manager", "fieldsV1": {"f:metadata": metadata, "f:spec": spec}},
        entry | {"manager": "kubelet", "subresource": "status", "fieldsV1": {"f:status": status}},
    ]


def _probe(path: str, period: int) -> dict[str, Any]:
    http = {"path": path, "port": 8080, "scheme": "HTTP"}
    return {"httpGet": http, "initialDelaySeconds": 5, "periodSeconds": period, "failureThreshold": 3}


def _container(name: str, image: str) -> dict[str, Any]:
    mounts = [
        {"name": "config", "mountPath": "/etc/service", "readOnly": True},
        {"name": "cache", "mountPath": "/var/cache/service"},
        {
            "name": "kube-api-access-x7k2p",
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "readOnly": True,
        },
    ]
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [
            {"name": "http", "containerPort": 8080, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 9090, "protocol": "TCP"},
        ],
        "env": [{"name": f"SETTING_{n}", "value": f"value-{n}-of-{name}-for-the-service"} for n in range(8)],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        "volumeMounts": mounts,
        "livenessProbe": _probe("/healthz", 10),
        "readinessProbe": _probe("/readyz", 5),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


@functools.cache
def _pod_spec(service: str, deployment: int) -> dict[str, Any]:
    """As a template has it: the same for all pods of a Deployment."""
    registry = "registry.example.com/platform"
    token = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
    return {
        "volumes": [
            {"name": "config", "configMap": {"name": f"{service}-config", "defaultMode": 420}},
            {"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "kube-api-access-x7k2p", "projected": {"sources": [token], "defaultMode": 420}},
        ],
        "containers": [
            _container("app", f"{registry}/{service}:1.{deployment}.0"),
            _container("proxy", f"{registry}/proxy:3.2.1"),
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": service,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _pod_status(number: int, service: str, deployment: int, size: Size) -> dict[str, Any]:
    failing = _failing(deployment)
    ready = "False" if failing else "True"
    kinds = {"PodReadyToStartContainers": "True", "Initialized": "True", "Ready": ready, "ContainersReady": ready}
    conditions = [
        {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": _CHANGED if failing else _STARTED}
        for kind, status in (kinds | {"PodScheduled": "True"}).items()
    ]
    registry = "registry.example.com/platform"
    images = {"app": f"{registry}/{service}:1.{deployment}.0", "proxy": f"{registry}/proxy:3.2.1"}
    return {
        "phase": "Running",
        "conditions": conditions,
        "hostIP": f"192.168.{number % size.nodes // 250}.{number % size.nodes % 250}",
        "podIP": _address(number),
        "startTime": _STARTED,
        "containerStatuses": [
            _container_status(name, image, number, failing=failing and name == "app") for name, image in images.items()
        ],
        "qosClass": "Burstable",
    }


def _container_status(name: str, image: str, number: int, *, failing: bool) -> dict[str, Any]:
    identity = f"{number * 40503 % 2**32:08x}" * 8
    status: dict[str, Any] = {
        "name": name,
        "image": image,
        "imageID": f"{image.partition(':')[0]}@sha256:{identity}",
        "containerID": f"containerd://{identity}",
        "ready": not failing,
        "started": not failing,
        "restartCount": 7 if failing else 0,
        "state": {"running": {"startedAt": _STARTED}},
        "lastState": {},
    }
    if failing:
        back_off = f"back-off 5m0s restarting failed container={name} pod"
        ended = {"exitCode": 1, "reason": "Error", "startedAt": _CHANGED, "finishedAt": _CHANGED}
        status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": back_off}}
        status["lastState"] = {"terminated": ended | {"containerID": f"containerd://{identity}"}}
    return status


def _nodes(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.nodes):
        kinds = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": "True"}
        yield {
            "metadata": {
                "name": f"node-{number:03d}",
                "uid": _uid("Node", number),
                "labels": {f"node.kubernetes.io/label-{n}": f"value-{n}" for n in range(15)},
            },
            "spec": {"podCIDR": f"10.{number}.0.0/24"},
            "status": {
                "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"},
                "conditions": [
                    {"type": kind, "status": status, "lastTransitionTime": _STARTED} for kind, status in kinds.items()
                ],
                "images": [{"names": [f"registry.example.com/image-{n}:1.0"], "sizeBytes": 1 << 27} for n in range(50)],
            },
        }


def _namespaces(size: Size) -> Iterator[dict[str, Any]]:
    for number in _spaces(size):
        name = f"team-{number:02d}"
        yield {"metadata": {"name": name, "uid": _uid("Namespace", number)}, "status": {"phase": "Active"}}


def _meta(kind: str, number: int, name: str, namespace: str = "") -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, "uid": _uid(kind, number), "creationTimestamp": _STARTED} | place


def _template(deployment: int) -> dict[str, Any]:
    service = _place(deployment)[1]
    return {"metadata": {"labels": _labels(deployment)}, "spec": _pod_spec(service, deployment)}


def _deployments(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.deployments):
        namespace, name = _place(number)
        replicas = _replicas(size, number)
        ready = 0 if _failing(number) else replicas
        available = {"type": "Available", "status": "True" if ready else "False", "lastTransitionTime": _CHANGED}
        progressing = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
        yield {
            "metadata": _meta("Deployment", number, name, namespace)
            | {
                "generation": 3,
                "labels": _labels(number),
                "annotations": {
                    "deployment.kubernetes.io/revision": "3",
                    "kubectl.kubernetes.io/last-applied-configuration": json.dumps(_template(number)),
                },
            },
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": _selector(number)},
                "template": _template(number),
            },
            "status": {
                "observedGeneration": 3,
                "replicas": replicas,
                "updatedReplicas": replicas,
                "readyReplicas": ready,
                "availableReplicas": ready,
                "conditions": [available, progressing],
            },
        }


def _replicasets(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.replicasets):
        deployment, current = number % size.deployments, number < size.deployments
        namespace, name = _place(deployment)
        replicas = _replicas(size, deployment) if current else 0
        ready = 0 if _failing(deployment) else replicas
        hashed = _hash(deployment) if current else f"{number:09x}"
        yield {
            "metadata": _meta("ReplicaSet", number, f"{name}-{hashed}", namespace)
            | {
                "labels": _labels(deployment) | {"pod-template-hash": hashed},
                "annotations": {"deployment.kubernetes.io/revision": "3" if current else "2"},
                "ownerReferences": _owner("Deployment", name, _uid("Deployment", deployment)),
            },
            "spec": {"replicas": replicas, "template": _template(deployment)},
            "status": {"replicas": replicas, "readyReplicas": ready, "observedGeneration": 1},
        }


def _events(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.events):
        failing = number * FAILING_EVERY % size.pods
        deployment = failing % size.deployments
        namespace, name = _place(deployment)[0], _pod_name(failing, deployment)
        yield {
            "metadata": _meta("Event", number, f"{name}.{number:016x}", namespace),
            "involvedObject": {
                "kind": "Pod",
                "namespace": namespace,
                "name": name,
                "uid": _uid("Pod", failing),
                "fieldPath": "spec.containers{app}",
            },
            "type": "Warning",
            "reason": "BackOff",
            "message": f"Back-off restarting failed container app in pod {name}_{namespace}({_uid('Pod', failing)})",
            "count": 40,
            "firstTimestamp": _CHANGED,
            "lastTimestamp": f"2026-11-21T03:{number % 60:02d}:00Z",
            "source": {"component": "kubelet", "host": f"node-{failing % size.nodes:03d}"},
        }


# --- what stands around ---------------------------------------------------------------------------------------------


def _selector(deployment: int) -> dict[str, str]:
    return {"app.kubernetes.io/name": _place(deployment)[1]}


def _services(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.deployments):
        namespace, name = _place(number)
        yield {
            "metadata": _meta("Service", number, name, namespace) | {"labels": _labels(number)},
            "spec": {
                "type": "ClusterIP",
                "clusterIP": f"172.16.{number // 256}.{number % 256}",
                "selector": _selector(number),
                "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            },
            "status": {"loadBalancer": {}},
        }


def _endpointslices(size: Size) -> Iterator[dict[str, Any]]:
    made = itertools.count()
    for deployment in range(size.deployments):
        namespace, name = _place(deployment)
        members = range(deployment, size.pods, size.deployments)
        for start in range(0, len(members), _SLICE):
            number = next(made)
            yield {
                "metadata": _meta("EndpointSlice", number, f"{name}-{number:05x}", namespace)
                | {
                    "labels": {"kubernetes.io/service-name": name},
                    "ownerReferences": _owner("Service", name, _uid("Service", deployment)),
                },
                "addressType": "IPv4",
                "endpoints": [_endpoint(pod, deployment, size) for pod in members[start : start + _SLICE]],
                "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            }


def _endpoint(number: int, deployment: int, size: Size) -> dict[str, Any]:
    ready = not _failing(deployment)
    target = {"kind": "Pod", "namespace": _place(deployment)[0], "name": _pod_name(number, deployment)}
    return {
        "addresses": [_address(number)],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "nodeName": f"node-{number % size.nodes:03d}",
        "targetRef": target | {"uid": _uid("Pod", number)},
    }


def _ingresses(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(0, size.deployments, 5):
        namespace, name = _place(number)
        backend = {"service": {"name": name, "port": {"name": "http"}}}
        path = {"path": "/", "pathType": "Prefix", "backend": backend}
        yield {
            "metadata": _meta("Ingress", number, name, namespace),
            "spec": {
                "ingressClassName": "nginx",
                "rules": [{"host": f"{name}.example.com", "http": {"paths": [path]}}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}},
        }


def _autoscalers(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(1, size.deployments, 4):
        namespace, name = _place(number)
        replicas = _replicas(size, number)
        goal = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
        seen = {"name": "cpu", "current": {"averageUtilization": 55, "averageValue": "55m"}}
        conditions = {"AbleToScale": "True", "ScalingActive": "True", "ScalingLimited": "False"}
        yield {
            "metadata": _meta("HorizontalPodAutoscaler", number, name, namespace),
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 1,
                "maxReplicas": 2 * replicas + 2,
                "metrics": [{"type": "Resource", "resource": goal}],
            },
            "status": {
                "currentReplicas": replicas,
                "desiredReplicas": replicas,
                "currentMetrics": [{"type": "Resource", "resource": seen}],
                "conditions": [
                    {"type": kind, "status": status, "reason": "ReadyForNewScale", "lastTransitionTime": _STARTED}
                    for kind, status in conditions.items()
                ],
            },
        }


def _budgets(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(0, size.deployments, 2):
        namespace, name = _place(number)
        replicas = _replicas(size, number)
        healthy = 0 if _failing(number) else replicas
        yield {
            "metadata": _meta("PodDisruptionBudget", number, name, namespace) | {"generation": 1},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(number)}},
            "status": {
                "observedGeneration": 1,
                "disruptionsAllowed": 1 if healthy else 0,
                "currentHealthy": healthy,
                "desiredHealthy": max(replicas - 1, 0),
                "expectedPods": replicas,
            },
        }


def _claims(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(0, size.deployments, 10):
        namespace, name = _place(number)
        yield {
            "metadata": _meta("PersistentVolumeClaim", number, f"{name}-data", namespace),
            "spec": {"storageClassName": "standard", "volumeName": f"pvc-{_uid('Volume', number)}"},
            "status": {"phase": "Bound", "capacity": {"storage": "20Gi"}},
        }


def _storageclasses() -> Iterator[dict[str, Any]]:
    for number, name in enumerate(("standard", "fast")):
        modes = {"provisioner": "csi.example.com", "volumeBindingMode": "WaitForFirstConsumer"}
        yield {"metadata": _meta("StorageClass", number, name)} | modes


def _quotas(size: Size) -> Iterator[dict[str, Any]]:
    for number in _spaces(size):
        status = {"hard": {"pods": "20k", "requests.cpu": "4k"}, "used": {"pods": "200", "requests.cpu": "40"}}
        yield {"metadata": _meta("ResourceQuota", number, "quota", f"team-{number:02d}"), "status": status}


def _webhooks(name: str, size: Size) -> Iterator[dict[str, Any]]:
    namespace, service = _place(1 % size.deployments)
    for number in range(3):
        target = {"namespace": namespace, "name": service, "port": 443, "path": "/"}
        client = {"service": target, "caBundle": "LS0t" * 300}
        webhook = {"name": f"{name}-{number}.example.com", "failurePolicy": "Fail", "clientConfig": client}
        yield {"metadata": _meta("Webhook", number, f"{name}-{number}"), "webhooks": [webhook]}


def _metrics(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.pods):
        deployment = number % size.deployments
        yield {
            "metadata": {
                "name": _pod_name(number, deployment),
                "namespace": _place(deployment)[0],
                "creationTimestamp": _CHANGED,
                "labels": _labels(deployment) | {"pod-template-hash": _hash(deployment)},
            },
            "timestamp": _CHANGED,
            "window": "15s",
            "containers": [
                {"name": "app", "usage": {"cpu": f"{number * 7919}n", "memory": f"{100_000 + number % 100_000}Ki"}},
                {"name": "proxy", "usage": {"cpu": f"{number * 5003}n", "memory": f"{40_000 + number % 50_000}Ki"}},
            ],
        }
