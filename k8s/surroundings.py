"""What stands around workloads, as API objects cut down to the fields that a detector reads: network, storage, policy.

Decoded like `objects`, and as tolerant: every field optional, lists may be null. `reader` pages go straight into these;
`snapshot` keeps them. Field meanings: https://kubernetes.io/docs/reference/kubernetes-api/.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from k8s.objects import Condition, Meta, Object


class ServicePort(Object):
    name: str | None = None
    port: int | None = None
    target_port: int | str | None = None


class ServiceSpec(Object):
    type: str | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    selector: dict[str, str] | None = None
    ports: list[ServicePort] | None = None
    publish_not_ready_addresses: bool | None = None


class Service(Object):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)


class EndpointConditions(Object):
    ready: bool | None = None
    """Null means ready: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions"""
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Object):
    conditions: EndpointConditions | None = None


class EndpointSlice(Object):
    """Its Service is named by the label kubernetes.io/service-name."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    endpoints: list[Endpoint] | None = None


class ServiceBackendPort(Object):
    name: str | None = None
    number: int | None = None


class ServiceBackend(Object):
    name: str = ""
    port: ServiceBackendPort | None = None


class IngressBackend(Object):
    service: ServiceBackend | None = None


class IngressPath(Object):
    path: str | None = None
    backend: IngressBackend | None = None


class IngressPaths(Object):
    paths: list[IngressPath] | None = None


class IngressRule(Object):
    host: str | None = None
    http: IngressPaths | None = None


class IngressTls(Object):
    hosts: list[str] | None = None
    secret_name: str | None = None


class IngressSpec(Object):
    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    rules: list[IngressRule] | None = None
    tls: list[IngressTls] | None = None


class Ingress(Object):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: IngressSpec = msgspec.field(default_factory=IngressSpec)


def backends(ingress: Ingress) -> Iterator[ServiceBackend]:
    """The Services that an Ingress leads to, by its default and its paths; one may come several times."""
    paths = [path for rule in ingress.spec.rules or () if rule.http is not None for path in rule.http.paths or ()]
    for backend in (ingress.spec.default_backend, *(path.backend for path in paths)):
        if backend is not None and backend.service is not None and backend.service.name:
            yield backend.service


class IngressClass(Object):
    metadata: Meta = msgspec.field(default_factory=Meta)


class ClaimSpec(Object):
    storage_class_name: str | None = None
    volume_name: str | None = None


class ClaimStatus(Object):
    phase: str | None = None


class Claim(Object):
    """A PersistentVolumeClaim."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: ClaimSpec = msgspec.field(default_factory=ClaimSpec)
    status: ClaimStatus = msgspec.field(default_factory=ClaimStatus)


class StorageClass(Object):
    metadata: Meta = msgspec.field(default_factory=Meta)
    provisioner: str = ""
    volume_binding_mode: str | None = None


class QuotaStatus(Object):
    hard: dict[str, Any] | None = None
    used: dict[str, Any] | None = None


class Quota(Object):
    """A ResourceQuota."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    status: QuotaStatus = msgspec.field(default_factory=QuotaStatus)


class ScaleTarget(Object):
    kind: str = ""
    name: str = ""
    api_version: str | None = None


class AutoscalerSpec(Object):
    scale_target_ref: ScaleTarget = msgspec.field(default_factory=ScaleTarget)
    min_replicas: int | None = None
    max_replicas: int | None = None
    metrics: list[dict[str, Any]] | None = None


class AutoscalerStatus(Object):
    current_replicas: int | None = None
    desired_replicas: int | None = None
    last_scale_time: str | None = None
    current_metrics: list[dict[str, Any]] | None = None
    conditions: list[Condition] | None = None


class Autoscaler(Object):
    """A HorizontalPodAutoscaler, autoscaling/v2."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: AutoscalerSpec = msgspec.field(default_factory=AutoscalerSpec)
    status: AutoscalerStatus = msgspec.field(default_factory=AutoscalerStatus)


class LabelExpression(Object):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(Object):
    match_labels: dict[str, str] | None = None
    match_expressions: list[LabelExpression] | None = None


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/ ; null selects nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.match_labels or {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.match_expressions or ())


def _holds(expression: LabelExpression, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression.key), expression.values or ()
    match expression.operator:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False


class BudgetSpec(Object):
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str | None = None


class BudgetStatus(Object):
    observed_generation: int | None = None
    disruptions_allowed: int | None = None
    current_healthy: int | None = None
    desired_healthy: int | None = None
    expected_pods: int | None = None
    conditions: list[Condition] | None = None


class Budget(Object):
    """A PodDisruptionBudget."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: BudgetSpec = msgspec.field(default_factory=BudgetSpec)
    status: BudgetStatus = msgspec.field(default_factory=BudgetStatus)


class WebhookService(Object):
    namespace: str = ""
    name: str = ""
    port: int | None = None


class WebhookClient(Object):
    service: WebhookService | None = None
    url: str | None = None


class Webhook(Object):
    name: str = ""
    failure_policy: str | None = None
    """The default is Fail."""
    client_config: WebhookClient = msgspec.field(default_factory=WebhookClient)


class WebhookConfiguration(Object):
    """A Validating- or MutatingWebhookConfiguration; which one is told by the list that holds it."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    webhooks: list[Webhook] | None = None


class CertificateData(Object, rename=None):
    certificate: str | None = msgspec.field(default=None, name="tls.crt")
    """Base64 of the PEM chain. The key beside it has no field here, so it is never decoded."""


class TlsSecret(Object):
    """A Secret of type kubernetes.io/tls: its certificate, and nothing else of it."""

    metadata: Meta = msgspec.field(default_factory=Meta)
    data: CertificateData | None = None
