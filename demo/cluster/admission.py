"""What happens to a write besides its validation: pods are completed; policies, webhooks and quotas may refuse.

`registry` calls it for users and for controllers alike, at a dry run too, as a real server does. Sources:
https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/ and
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from collections.abc import Callable
from dataclasses import dataclass

from demo.cluster import policies
from demo.cluster.errors import ApiError, forbidden
from demo.cluster.objects import Object, containers_of, format_amount, name_of, namespace_of, pod_phase, quantity
from demo.cluster.resources import Resource
from demo.cluster.store import Store

Predicate = Callable[[str, Resource, Object], bool]
"""(operation, resource, object) -> refuse it? The operation is CREATE, UPDATE or DELETE."""

_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_REASONS = {400: "BadRequest", 403: "Forbidden", 422: "Invalid", 500: "InternalError"}


@dataclass
class Denial:
    """A webhook of a test that refuses what its predicate matches."""

    predicate: Predicate
    message: str
    webhook: str
    code: int

    def error(self) -> ApiError:
        message = f'admission webhook "{self.webhook}" denied the request: {self.message}'
        return ApiError(self.code, _REASONS.get(self.code, ""), message)


class Admission:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.denials: list[Denial] = []

    def complete(self, operation: str, resource: Resource, obj: Object) -> None:
        """What mutating admission does, before the object has its name and is validated; in place."""
        if operation == "CREATE" and resource.storage == "pods":
            self._complete(obj)
            self._check_account(resource, obj)

    def admit(self, operation: str, resource: Resource, obj: Object, subresource: str = "") -> None:
        """What validating admission does, on the object as it would be stored: refuse it, or nothing."""
        refused = policies.refusal(self._store, policies.Attributes(operation, resource, obj, subresource))
        if refused is not None:
            raise refused
        seen = "DELETE" if subresource == "eviction" else operation
        for denial in self.denials:
            if denial.predicate(seen, resource, obj):
                raise denial.error()
        if operation == "CREATE" and resource.storage == "pods" and not subresource:
            self._check_quota(resource, obj)

    def _complete(self, pod: Object) -> None:
        spec = pod["spec"]
        spec.setdefault("serviceAccountName", "default")
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
        spec.setdefault("enableServiceLinks", True)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        if spec.get("priorityClassName", "").startswith("system-"):
            spec.setdefault("priority", 2000001000 if "node" in spec["priorityClassName"] else 2000000000)
        spec.setdefault("priority", 0)
        tolerations = spec.setdefault("tolerations", [])
        for key in _TOLERATED:
            if not any(each.get("key") == key and each.get("effect") in (None, "NoExecute") for each in tolerations):
                tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
        if spec.get("automountServiceAccountToken", True):
            self._mount_token(spec)
        pod["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}

    def _check_account(self, resource: Resource, pod: Object) -> None:
        """Every namespace has the account `default`, or will have it in a moment."""
        name, namespace = pod["spec"]["serviceAccountName"], namespace_of(pod)
        if name != "default" and self._store.find("serviceaccounts", namespace, name) is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise forbidden(resource, name_of(pod) or pod["metadata"].get("generateName", ""), why)

    def _mount_token(self, spec: Object) -> None:
        name = f"kube-api-access-{self._store.new_suffix()}"
        ca = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
        field = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
        sources = [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": ca},
            {"downwardAPI": {"items": [field]}},
        ]
        spec.setdefault("volumes", []).append({"name": name, "projected": {"sources": sources, "defaultMode": 420}})
        for container in containers_of(spec):
            mount = {"name": name, "readOnly": True, "mountPath": _TOKEN_PATH}
            container.setdefault("volumeMounts", []).append(mount)

    def _check_quota(self, resource: Resource, pod: Object) -> None:
        """The sentence of the ResourceQuota plugin: requested, used and limited amounts, in the order of names."""
        name = name_of(pod) or pod["metadata"].get("generateName", "")
        usage = pod_usage(pod["spec"])
        for quota in self._store.all("resourcequotas", namespace_of(pod)):
            hard = (quota.get("spec") or {}).get("hard") or {}
            missing = [key for key in sorted(hard) if key in _MUST_SPECIFY and key not in usage]
            if missing:
                lacking = ",".join(
                    f"{key} for: {','.join(_without(pod['spec'], key))}" if "." in key else key for key in missing
                )
                raise forbidden(resource, name, f"failed quota: {name_of(quota)}: must specify {lacking}")
            used = quota_used(quota, self._store.all("pods", namespace_of(pod)))
            over = [key for key in sorted(hard) if key in usage and used[key] + usage[key] > quantity(hard[key]) + 1e-9]
            if over:
                requested = ",".join(f"{key}={format_amount(key, usage[key])}" for key in over)
                taken = ",".join(f"{key}={format_amount(key, used[key])}" for key in over)
                limited = ",".join(f"{key}={hard[key]}" for key in over)
                why = f"exceeded quota: {name_of(quota)}, requested: {requested}, used: {taken}, limited: {limited}"
                raise forbidden(resource, name, why)


_MUST_SPECIFY = ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory", "cpu", "memory")


def _without(spec: Object, key: str) -> list[str]:
    group, _, name = key.partition(".")
    return [
        c["name"] for c in spec.get("containers") or [] if name not in ((c.get("resources") or {}).get(group) or {})
    ]


def pod_usage(spec: Object) -> dict[str, float]:
    """What a pod counts for in a quota, by the quota's resource names."""
    usage: dict[str, float] = {"pods": 1.0, "count/pods": 1.0}
    containers = spec.get("containers") or []
    for group in ("requests", "limits"):
        for name in ("cpu", "memory"):
            amounts = [((c.get("resources") or {}).get(group) or {}).get(name) for c in containers]
            if all(amount is not None for amount in amounts):
                usage[f"{group}.{name}"] = sum(quantity(amount) for amount in amounts)
                if group == "requests":
                    usage[name] = usage[f"{group}.{name}"]
    return usage


def quota_used(quota: Object, pods: list[Object]) -> dict[str, float]:
    hard = (quota.get("spec") or {}).get("hard") or {}
    used = dict.fromkeys(hard, 0.0)
    for pod in pods:
        if pod_phase(pod) in ("Succeeded", "Failed"):
            continue
        usage = pod_usage(pod["spec"])
        for key in used:
            used[key] += usage.get(key, 0.0)
    return used


def qos_class(spec: Object) -> str:
    """https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"""
    resources = [container.get("resources") or {} for container in containers_of(spec)]
    amounts = [each.get(group) or {} for each in resources for group in ("limits", "requests")]
    if not any("cpu" in each or "memory" in each for each in amounts):
        return "BestEffort"
    for each in resources:
        limits, requests = each.get("limits") or {}, each.get("requests") or {}
        for name in ("cpu", "memory"):
            if name not in limits or quantity(limits[name]) != quantity(requests.get(name, limits[name])):
                return "Burstable"
    return "Guaranteed"
