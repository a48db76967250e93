"""What stands around workloads: Services, Ingresses, claims, webhooks, what does not go away."""

from collections.abc import Sequence

from demo.cluster import SimulatedCluster
from demo.cluster.objects import Object
from evals import stories as s
from evals.values import Case


def _ingress(service: str, port: int = 80) -> Object:
    backend = {"service": {"name": service, "port": {"number": port}}}
    rule = {"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: Object = {"rules": [rule]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop", "namespace": s.SPACE},
        "spec": spec,
    }


def _webhook(service: str) -> Object:
    hook = {
        "name": "check.policy.example",
        "clientConfig": {"service": {"name": service, "namespace": s.SPACE, "path": "/validate"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "policy"},
        "webhooks": [hook],
    }


def _relabelled(cluster: SimulatedCluster) -> None:
    cluster.patch("services", "basket", s.SPACE, {"spec": {"selector": {"app": "bascket"}}})


def _held(cluster: SimulatedCluster) -> None:
    pod = cluster.pods(s.SPACE, "queue")[0]["metadata"]["name"]
    cluster.patch("pods", pod, s.SPACE, {"metadata": {"finalizers": ["backup.example.com/snapshot"]}})
    cluster.delete("pods", pod, s.SPACE)


CASES: Sequence[Case] = (
    Case(
        "service-selector-typo",
        "The selector of a Service was mistyped.",
        (s.well("basket"), s.scenarios.piece("relabel", (20 * s.MINUTE, _relabelled))),
        "basket",
        "ServiceNoEndpoints",
        "selector",
        cites=("bascket",),
        least="high",
    ),
    Case(
        "ingress-without-service",
        "An Ingress leads to a Service that nobody made.",
        (s.put(_ingress("shopfront")),),
        "shop",
        "IngressBroken",
        "missing-object",
        cites=("shopfront",),
        least="high",
    ),
    Case(
        "ingress-wrong-port",
        "An Ingress leads to a port that its Service does not have.",
        (s.well("shopfront"), s.put(_ingress("shopfront", 8443), ago=s.HOUR)),
        "shop",
        "IngressBroken",
        "wrong-port",
        cites=("8443",),
        least="high",
    ),
    Case(
        "storage-class-missing",
        "A claim names a StorageClass that is not there.",
        (s.put(s.claim("data", "fast-ssd")),),
        "data",
        "PVCPending",
        "missing-object",
        also=frozenset({"storage"}),
        cites=("fast-ssd",),
        least="high",
    ),
    Case(
        "webhook-without-service",
        "What a webhook belonged to was removed, and the webhook was left.",
        (s.put(_webhook("policy")),),
        "policy",
        "WebhookBroken",
        "webhook",
        cites=("policy",),
        least="high",
    ),
    Case(
        "pod-held-by-finalizer",
        "A pod does not go: the owner of its finalizer is gone.",
        (s.well("queue"), s.scenarios.piece("hold", (40 * s.MINUTE, _held))),
        "queue",
        "StuckTerminating",
        "finalizer",
        cites=("backup.example.com/snapshot",),
        least="high",
    ),
)
