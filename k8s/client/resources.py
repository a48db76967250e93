"""The few resources that Watchkeeper reads, and their REST paths: for the reader and the writer.

A resource goes by its Kind ("Deployment") or by its list's name ("deployments"). Paths: the API reference,
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from k8s import model


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API. `group` is empty for core."""

    kind: str
    plural: str
    group: str
    version: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The path of the collection, or of one object, or of its subresource. Every part is percent-encoded."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{_segment(namespace)}" if self.namespaced and namespace else ""
        tail = "".join(f"/{_segment(part)}" for part in (name, subresource) if part)
        return f"{root}{place}/{self.plural}{tail}"


_ADMISSION = "admissionregistration.k8s.io"
_ALL = (
    Resource("Namespace", "namespaces", "", "v1", namespaced=False),
    Resource("Node", "nodes", "", "v1", namespaced=False),
    Resource("Pod", "pods", "", "v1"),
    Resource("Event", "events", "", "v1"),
    Resource("Deployment", "deployments", "apps", "v1"),
    Resource("ReplicaSet", "replicasets", "apps", "v1"),
    Resource("StatefulSet", "statefulsets", "apps", "v1"),
    Resource("DaemonSet", "daemonsets", "apps", "v1"),
    Resource("Job", "jobs", "batch", "v1"),
    Resource("CronJob", "cronjobs", "batch", "v1"),
    Resource("PodDisruptionBudget", "poddisruptionbudgets", "policy", "v1"),
    Resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", "v2"),
    Resource("Service", "services", "", "v1"),
    Resource("EndpointSlice", "endpointslices", "discovery.k8s.io", "v1"),
    Resource("Ingress", "ingresses", "networking.k8s.io", "v1"),
    Resource("IngressClass", "ingressclasses", "networking.k8s.io", "v1", namespaced=False),
    Resource("PersistentVolumeClaim", "persistentvolumeclaims", "", "v1"),
    Resource("StorageClass", "storageclasses", "storage.k8s.io", "v1", namespaced=False),
    Resource("ResourceQuota", "resourcequotas", "", "v1"),
    Resource("LimitRange", "limitranges", "", "v1"),
    Resource("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", _ADMISSION, "v1", namespaced=False),
    Resource("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", _ADMISSION, "v1", namespaced=False),
    Resource("Secret", "secrets", "", "v1"),
    Resource("ConfigMap", "configmaps", "", "v1"),
    Resource("ControllerRevision", "controllerrevisions", "apps", "v1"),
)

_POD_METRICS = Resource("PodMetrics", "pods", "metrics.k8s.io", "v1beta1")
"""Its list is called as that of the pods, so that here it goes by a name of its own."""

RESOURCES: Mapping[str, Resource] = {key: each for each in _ALL for key in (each.kind, each.plural)} | dict.fromkeys(
    ("PodMetrics", "podmetrics"), _POD_METRICS
)


def named(kind: str) -> Resource:
    """The resource with this Kind or list name. Raises LookupError: a kind outside of the table is our own mistake."""
    try:
        return RESOURCES[kind]
    except KeyError:
        raise LookupError(f"no resource {kind!r} in the table") from None


def path_of(ref: model.ResourceRef, subresource: str = "") -> str:
    """The path of one object. Raises ValueError where the reference lacks the name (or namespace) that it needs."""
    resource = named(ref.kind)
    if not ref.name or (resource.namespaced and not ref.namespace):
        raise ValueError(f"incomplete reference {str(ref)!r}")
    return resource.path(ref.namespace, ref.name, subresource)


def _segment(text: str | None) -> str:
    # "." and ".." survive percent-encoding and would be resolved as path steps by the URL library.
    if text in (".", ".."):
        raise ValueError(f"not a name: {text!r}")
    return quote(text or "", safe="")
