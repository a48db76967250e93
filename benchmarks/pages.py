"""Renders the lists of a large, realistic cluster as the pages that an API server would send: for `benchmarks.sweep`.

10,000 pods of 8 to 9 KB (owner references, probes, environment, volumes, managedFields), two in a hundred failing; 200
nodes, 500 Deployments of 20 replicas, 1,200 ReplicaSets and 2,000 warning events. The same numbers give the same bytes.
"""

import json
from collections.abc import Iterator
from typing import Any

PODS = 10_000
NODES = 200
DEPLOYMENTS = 500
REPLICASETS = 1_200
EVENTS = 2_000
FAILING_EVERY = 50

_STARTED = "2026-11-20T08:00:00Z"
_CHANGED = "2026-11-21T03:40:00Z"


def rendered(page: int) -> dict[str, list[bytes]]:
    """Path → its pages, each at most `page` objects. Every page but the last names the next by its index."""
    lists = {
        "/api/v1/pods": _pods(),
        "/api/v1/nodes": _nodes(),
        "/api/v1/namespaces": _namespaces(),
        "/api/v1/events": _events(),
        "/apis/apps/v1/deployments": _deployments(),
        "/apis/apps/v1/replicasets": _replicasets(),
        "/apis/apps/v1/statefulsets": iter(()),
        "/apis/apps/v1/daemonsets": iter(()),
        "/apis/batch/v1/jobs": iter(()),
        "/apis/batch/v1/cronjobs": iter(()),
    }
    return {path: list(_paged(items, page)) for path, items in lists.items()}


def _paged(items: Iterator[dict[str, Any]], page: int) -> Iterator[bytes]:
    texts = [json.dumps(item, separators=(",", ":")) for item in items]
    starts = range(0, len(texts), page) or range(1)
    for number, start in enumerate(starts):
        last = start + page >= len(texts)
        metadata = {"resourceVersion": "918273"} | ({} if last else {"continue": str(number + 1)})
        head = json.dumps({"kind": "List", "apiVersion": "v1", "metadata": metadata}, separators=(",", ":"))
        yield (head[:-1] + ',"items":[' + ",".join(texts[start : start + page]) + "]}").encode()


def _uid(kind: str, number: int) -> str:
    return f"{sum(kind.encode()):08x}-0000-4000-8000-{number:012x}"


def _place(deployment: int) -> tuple[str, str]:
    """(namespace, name) of a Deployment: 25 namespaces of 20."""
    return f"team-{deployment // 20:02d}", f"service-{deployment:03d}"


def _owner(kind: str, name: str, uid: str) -> list[dict[str, Any]]:
    api = "apps/v1"
    return [{"apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": True, "blockOwnerDeletion": True}]


def _pods() -> Iterator[dict[str, Any]]:
    for number in range(PODS):
        yield _pod(number)


def _pod(number: int) -> dict[str, Any]:
    deployment = number % DEPLOYMENTS
    namespace, service = _place(deployment)
    failing = number % FAILING_EVERY == 0
    hashed = f"{deployment * 7919 % 0xFFFFFFF:07x}ab"
    name = f"{service}-{hashed}-{number:05x}"
    labels = {
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/instance": f"{service}-production",
        "app.kubernetes.io/version": f"1.{deployment}.0",
        "app.kubernetes.io/part-of": f"platform-{namespace}",
        "pod-template-hash": hashed,
    }
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8080",
        "kubectl.kubernetes.io/restartedAt": _STARTED,
        "checksum/config": f"{number * 2654435761 % 2**32:08x}" * 8,
        "cni.projectcalico.org/podIP": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}/32",
    }
    return {
        "metadata": {
            "name": name,
            "generateName": f"{service}-{hashed}-",
            "namespace": namespace,
            "uid": _uid("Pod", number),
            "resourceVersion": str(800_000 + number),
            "creationTimestamp": _STARTED,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": _owner("ReplicaSet", f"{service}-{hashed}", _uid("ReplicaSet", deployment)),
            "managedFields": _managed_fields(labels, annotations),
        },
        "spec": _pod_spec(number, service, deployment),
        "status": _pod_status(number, service, deployment, failing=failing),
    }


def _managed_fields(labels: dict[str, str], annotations: dict[str, str]) -> list[dict[str, Any]]:
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


def _pod_spec(number: int, service: str, deployment: int) -> dict[str, Any]:
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
        "nodeName": f"node-{number % NODES:03d}",
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


def _pod_status(number: int, service: str, deployment: int, *, failing: bool) -> dict[str, Any]:
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
        "hostIP": f"192.168.{number % NODES // 250}.{number % NODES % 250}",
        "podIP": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}",
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


def _nodes() -> Iterator[dict[str, Any]]:
    for number in range(NODES):
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


def _namespaces() -> Iterator[dict[str, Any]]:
    for number in range(DEPLOYMENTS // 20):
        name = f"team-{number:02d}"
        yield {"metadata": {"name": name, "uid": _uid("Namespace", number)}, "status": {"phase": "Active"}}


def _deployments() -> Iterator[dict[str, Any]]:
    replicas = PODS // DEPLOYMENTS
    for number in range(DEPLOYMENTS):
        namespace, name = _place(number)
        ready = replicas if number % FAILING_EVERY else 0
        available = {"type": "Available", "status": "True" if ready else "False", "lastTransitionTime": _CHANGED}
        progressing = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
        yield {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": _uid("Deployment", number),
                "generation": 3,
                "creationTimestamp": _STARTED,
                "annotations": {
                    "deployment.kubernetes.io/revision": "3",
                    "kubectl.kubernetes.io/last-applied-configuration": json.dumps(_pod_spec(number, name, number)),
                },
            },
            "spec": {"replicas": replicas, "template": {"spec": _pod_spec(number, name, number)}},
            "status": {
                "observedGeneration": 3,
                "replicas": replicas,
                "updatedReplicas": replicas,
                "readyReplicas": ready,
                "availableReplicas": ready,
                "conditions": [available, progressing],
            },
        }


def _replicasets() -> Iterator[dict[str, Any]]:
    for number in range(REPLICASETS):
        deployment, current = number % DEPLOYMENTS, number < DEPLOYMENTS
        namespace, name = _place(deployment)
        replicas = PODS // DEPLOYMENTS if current else 0
        hashed = f"{deployment * 7919 % 0xFFFFFFF:07x}ab" if current else f"{number:09x}"
        yield {
            "metadata": {
                "name": f"{name}-{hashed}",
                "namespace": namespace,
                "uid": _uid("ReplicaSet", number),
                "creationTimestamp": _STARTED,
                "annotations": {"deployment.kubernetes.io/revision": "3" if current else "2"},
                "ownerReferences": _owner("Deployment", name, _uid("Deployment", deployment)),
            },
            "spec": {"replicas": replicas, "template": {"spec": _pod_spec(deployment, name, deployment)}},
            "status": {"replicas": replicas, "readyReplicas": replicas, "observedGeneration": 1},
        }


def _events() -> Iterator[dict[str, Any]]:
    for number in range(EVENTS):
        pod = _pod(number * FAILING_EVERY % PODS)["metadata"]
        yield {
            "metadata": {
                "name": f"{pod['name']}.{number:016x}",
                "namespace": pod["namespace"],
                "uid": _uid("Event", number),
            },
            "involvedObject": {"kind": "Pod", "namespace": pod["namespace"], "name": pod["name"], "uid": pod["uid"]},
            "type": "Warning",
            "reason": "BackOff",
            "message": "Back-off restarting failed container app in pod",
            "count": 40,
            "firstTimestamp": _CHANGED,
            "lastTimestamp": f"2026-11-21T04:{number % 60:02d}:00Z",
            "source": {"component": "kubelet", "host": f"node-{number % NODES:03d}"},
        }
