"""What stands around workloads, as a cluster sends it, and the examples of its failure kinds for `examples`."""

import base64
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from k8s import model
from tests.k8s.detectors import builders as b

WEB = {"app": "web"}


def service(name: str = "web", selector: Mapping[str, str] | None = None, **spec: object) -> b.Json:
    """A ClusterIP Service of the pods with app=web, on port 80 (http)."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    plain = {"type": "ClusterIP", "clusterIP": "10.0.0.7", "selector": dict(WEB if selector is None else selector)}
    return {"metadata": b.meta(name), "spec": plain | {"ports": ports} | spec}


def endpoints(*ready: bool | None, of: str = "web", namespace: str = "shop", **conditions: object) -> b.Json:
    """The EndpointSlice of a Service, with one endpoint for each."""
    return {
        "metadata": b.meta(f"{of}-x7", namespace, labels={"kubernetes.io/service-name": of}),
        "endpoints": [{"conditions": {"ready": each} | conditions} for each in ready],
    }


def web(*, ready: bool, name: str = "web-7d9f-abcde", labels: Mapping[str, str] = WEB, since: float = 600) -> b.Json:
    return b.pod(name, [b.running(ready=ready)], labels=dict(labels), since=since)


def templated(item: b.Json, labels: Mapping[str, str] = WEB) -> b.Json:
    """A workload with these labels on its pod template."""
    return item | {"spec": item["spec"] | {"template": {"metadata": {"labels": dict(labels)}}}}


def ingress(
    name: str = "web", *, to: str = "web", port: b.Json | None = None, tls: Sequence[str] = (), **spec: object
) -> b.Json:
    backend = {"service": {"name": to, "port": {"number": 80} if port is None else port}}
    rule = {"host": "shop.example", "http": {"paths": [{"path": "/", "backend": backend}]}}
    shown = [{"hosts": ["shop.example"], "secretName": secret} for secret in tls]
    return {"metadata": b.meta(name), "spec": {"rules": [rule], "tls": shown} | spec}


def claim(name: str = "data", *, phase: str = "Pending", storage_class: str | None = "fast", **more: Any) -> b.Json:
    return {
        "metadata": b.meta(name, **({"age": 600.0} | more)),
        "spec": {"storageClassName": storage_class},
        "status": {"phase": phase},
    }


def storage_class(name: str = "fast", mode: str = "Immediate") -> b.Json:
    return {"metadata": {"name": name}, "provisioner": "disk.example", "volumeBindingMode": mode}


def mounting(*claims: str, name: str = "db-0", owner: Sequence[b.Json] = ()) -> b.Json:
    """A pod that waits for the scheduler, which waits for these claims."""
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": b.ago(500)}
    told["message"] = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": each}} for each in claims]
    spec = {"nodeName": "", "containers": [{"name": "app", "image": "app:1"}], "volumes": volumes}
    return b.pod(name, [], owner=owner, phase="Pending", ready=False, spec=spec, conditions=[told])


def provisioning_failed(of: b.Json, said: str = 'storageclass.storage.k8s.io "fast" not found', **times: str) -> b.Json:
    return b.event(of, "PersistentVolumeClaim", "ProvisioningFailed", said, **times)


def quota(name: str = "compute", *, hard: Mapping[str, str], used: Mapping[str, str]) -> b.Json:
    return {"metadata": b.meta(name), "spec": {"hard": dict(hard)}, "status": {"hard": dict(hard), "used": dict(used)}}


def refused(of: b.Json, quota: str = "compute", kind: str = "ReplicaSet", **times: str) -> b.Json:
    """The event of a controller whose pod a quota has refused."""
    said = f"exceeded quota: {quota}, requested: pods=1, used: pods=2, limited: pods=2"
    return b.event(of, kind, "FailedCreate", f'Error creating: pods "web-x" is forbidden: {said}', **times)


def short(name: str = "web", *, replicas: int = 3, made: int = 2) -> dict[str, list[b.Json]]:
    """A Deployment that lacks pods, with its ReplicaSet."""
    replicaset = b.replicaset(f"{name}-7d9f", deployment=name, replicas=replicas, ready=made)
    replicaset["status"]["replicas"] = made
    return {
        "deployments": [b.deployment(name, replicas=replicas, ready=made, status={"replicas": made})],
        "replicasets": [replicaset],
    }


def webhook(
    service: str | None = "hook", *, namespace: str = "shop", policy: str | None = "Fail", name: str = "guard"
) -> b.Json:
    """A configuration with one webhook, called through a Service, or by its address."""
    target = {"service": {"namespace": namespace, "name": service}} if service else {"url": "https://hook.example"}
    called = {"name": f"{name}.example.com", "failurePolicy": policy, "clientConfig": target}
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "webhooks": [called]}


@functools.cache
def certificate(left: timedelta, life: timedelta = timedelta(days=365), name: str = "shop.example") -> str:
    """A self-signed certificate that ends so long after NOW, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(b.NOW + left - life).not_valid_after(b.NOW + left)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def secret(pem: str | None, name: str = "web-tls") -> b.Json:
    data = None if pem is None else {"tls.crt": base64.b64encode(pem.encode()).decode(), "tls.key": "aGlkZGVu"}
    return {"metadata": b.meta(name), "type": "kubernetes.io/tls", "data": data}


def gap(seen: model.Snapshot, how: str, name: str) -> model.Snapshot:
    """The same look, with one of its lists `degraded` or `unread`."""
    why = {name: "no right"}
    return dataclasses.replace(seen, degraded=why) if how == "degraded" else dataclasses.replace(seen, unread=why)


# --- examples -------------------------------------------------------------------------------------------------------


def _certified(left: timedelta, life: timedelta = timedelta(days=365), *, used: bool = True) -> model.Snapshot:
    shown = ingress(tls=["web-tls"] if used else [])
    return b.snapshot(ingresses=[shown], services=[service(selector={})], secrets=[secret(certificate(left, life))])


def _hooked(hook: b.Json, *services: b.Json, slices: Sequence[b.Json] = ()) -> model.Snapshot:
    return b.snapshot(validatingwebhookconfigurations=[hook], services=list(services), endpointslices=list(slices))


_CLAIM = claim()
_ROOMY = quota(hard={"pods": "10"}, used={"pods": "2"})
_NOT_READY = web(ready=False)

EXAMPLES: Mapping[str, tuple[model.Snapshot, Mapping[str, model.Snapshot]]] = {
    "ServiceNoEndpoints": (
        b.snapshot(services=[service()], endpointslices=[endpoints(False)], **b.whole(_NOT_READY, ready=0)),
        {
            "headless": b.snapshot(services=[service(clusterIP="None")]),
            "ExternalName": b.snapshot(services=[service(type="ExternalName", externalName="db.example")]),
            "without a selector": b.snapshot(services=[service(selector={})]),
            "publishes pods that are not ready": b.snapshot(services=[service(publishNotReadyAddresses=True)]),
            "a workload at zero on purpose": b.snapshot(
                services=[service()], deployments=[templated(b.deployment(replicas=0, ready=0))]
            ),
            "a StatefulSet at zero on purpose": b.snapshot(
                services=[service()], statefulsets=[templated(b.statefulset("web", replicas=0, ready=0))]
            ),
            "a Job that is done": b.snapshot(
                services=[service()],
                pods=[b.pod("r", [], owner=b.controlled("Job", "r"), phase="Succeeded", ready=False, labels=WEB)],
            ),
            "one endpoint is ready": b.snapshot(services=[service()], endpointslices=[endpoints(False, True)]),
            "an endpoint that does not say": b.snapshot(services=[service()], endpointslices=[endpoints(None)]),
            "its last pod goes away and still serves": b.snapshot(
                services=[service()], endpointslices=[endpoints(False, serving=True, terminating=True)]
            ),
            "a Service that is being deleted": b.snapshot(
                services=[service() | {"metadata": b.meta("web", deletionTimestamp=b.ago(5))}]
            ),
        },
    ),
    "IngressBroken": (
        b.snapshot(ingresses=[ingress(to="wbe")], services=[service()]),
        {
            "all is there": b.snapshot(
                ingresses=[ingress(tls=["web-tls"], ingressClassName="nginx")],
                services=[service()],
                ingressclasses=[{"metadata": {"name": "nginx"}}],
                secrets=[secret(None)],
            ),
            "a port by its name": b.snapshot(ingresses=[ingress(port={"name": "http"})], services=[service()]),
            "an ExternalName without ports": b.snapshot(
                ingresses=[ingress()], services=[service(type="ExternalName", ports=None)]
            ),
            "an action of the AWS controller": b.snapshot(
                ingresses=[ingress(to="ssl-redirect", port={"name": "use-annotation"})]
            ),
            "a class by the annotation": b.snapshot(
                ingresses=[ingress() | {"metadata": b.meta("web", annotations={"kubernetes.io/ingress.class": "gce"})}],
                services=[service()],
            ),
            "a certificate that is being issued": b.snapshot(
                ingresses=[
                    ingress(tls=["web-tls"])
                    | {"metadata": b.meta("web", age=599, annotations={"cert-manager.io/cluster-issuer": "le"})}
                ],
                services=[service()],
            ),
            "an Ingress that is being deleted": b.snapshot(
                ingresses=[ingress(to="wbe") | {"metadata": b.meta("web", deletionTimestamp=b.ago(5))}]
            ),
        },
    ),
    "PVCPending": (
        b.snapshot(persistentvolumeclaims=[_CLAIM], events=[provisioning_failed(_CLAIM)]),
        {
            "bound": b.snapshot(persistentvolumeclaims=[claim(phase="Bound")], events=[provisioning_failed(_CLAIM)]),
            "it waits for its first consumer": b.snapshot(
                persistentvolumeclaims=[_CLAIM], storageclasses=[storage_class(mode="WaitForFirstConsumer")]
            ),
            "it lost its consumer and waits for the next": b.snapshot(
                persistentvolumeclaims=[_CLAIM],
                storageclasses=[storage_class(mode="WaitForFirstConsumer")],
                events=[provisioning_failed(_CLAIM, "no node has room")],
            ),
            "its volume is being made": b.snapshot(persistentvolumeclaims=[_CLAIM], storageclasses=[storage_class()]),
            "being deleted": b.snapshot(
                persistentvolumeclaims=[claim(phase="Lost", deletionTimestamp=b.ago(5))],
            ),
        },
    ),
    "QuotaExhausted": (
        b.snapshot(
            **short(),
            events=[refused(short()["replicasets"][0])],
            resourcequotas=[quota(hard={"pods": "2"}, used={"pods": "2"})],
        ),
        {
            "room is left": b.snapshot(resourcequotas=[_ROOMY]),
            "a bound of zero forbids and is never used up": b.snapshot(
                resourcequotas=[quota(hard={"services.loadbalancers": "0"}, used={"services.loadbalancers": "0"})]
            ),
            "what was refused has all its pods again": b.snapshot(
                **b.whole(b.pod(), ready=2),
                events=[refused(b.replicaset())],
                resourcequotas=[_ROOMY],
            ),
            "a quota that nothing is counted for yet": b.snapshot(resourcequotas=[quota(hard={"pods": "2"}, used={})]),
        },
    ),
    "WebhookBroken": (
        _hooked(webhook()),
        {
            "by an address": _hooked(webhook(None)),
            "its Service answers": _hooked(webhook(), service("hook"), slices=[endpoints(True, of="hook")]),
            "endpoints that a person keeps": _hooked(webhook(), service("hook", {})),
            "a configuration that is being deleted": _hooked(
                webhook() | {"metadata": {"name": "guard", "deletionTimestamp": b.ago(5)}}
            ),
        },
    ),
    "CertificateExpiring": (
        _certified(timedelta(days=20)),
        {
            "it holds for long": _certified(timedelta(days=31)),
            "no Ingress uses it": _certified(timedelta(days=2), used=False),
            "made for a week and renewed in time": _certified(timedelta(days=3), timedelta(days=7)),
        },
    ),
    "Risk": (
        b.snapshot(**b.whole(b.pod())),
        {
            "scaled to zero": b.snapshot(deployments=[b.deployment(replicas=0, ready=0)]),
            "the cluster's own machinery": b.snapshot(
                deployments=[b.deployment(replicas=1, ready=1) | {"metadata": b.meta("dns", "kube-system")}]
            ),
        },
    ),
}
"""Failure kind → (a cluster that shows it, clusters that look alike by what they are)."""
