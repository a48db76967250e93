"""What the API server refuses: required fields, immutable fields, selectors that do not match.

Not the whole of Kubernetes' validation: the rules that a remediation can run into. Source:
https://github.com/kubernetes/kubernetes/tree/master/pkg/apis (the validation folders). Called by `registry`.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from demo.cluster import policies
from demo.cluster.errors import Cause
from demo.cluster.objects import Object, labels_of, name_of, quantity
from demo.cluster.resources import Resource
from demo.cluster.selectors import matches

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_POD_UPDATE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_WITH_TEMPLATE = ("deployments", "replicasets", "statefulsets", "daemonsets", "jobs")
_STATEFUL_SET_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
)
_STATEFUL_SET_UPDATE = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
    "are forbidden"
)


_OTHER_LABELS = "`selector` does not match template `labels`"


def required(field: str, text: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {text}" if text else "Required value", field)


def invalid_value(field: str, value: Any, text: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {_shown(value)}: {text}", field)


def _shown(value: Any) -> str:
    """As JSON, keys in order."""
    return msgspec.json.encode(value, order="deterministic").decode()


def validate(resource: Resource, obj: Object, old: Object | None) -> list[Cause]:
    """Everything wrong with a new object (`old` is None) or with an update."""
    causes = list(_metadata(obj))
    spec = obj.get("spec") or {}
    storage = resource.storage
    if storage == "pods":
        causes += _pod_spec(spec, "spec")
        if old is not None:
            causes += _pod_update(spec, old["spec"])
    elif storage in (policies.POLICIES, policies.BINDINGS):
        causes += policies.check(storage, spec)
    elif storage in _WITH_TEMPLATE:
        causes += _workload(storage, spec, old)
    elif storage == "cronjobs" and len(str(spec.get("schedule", "")).split()) not in (5, 1):
        text = "expected exactly 5 fields, found " + str(len(str(spec.get("schedule", "")).split()))
        causes.append(invalid_value("spec.schedule", spec.get("schedule", ""), text))
    elif storage == "services" and old is not None:
        before = (old.get("spec") or {}).get("clusterIP")
        if before and spec.get("clusterIP") != before:
            causes.append(invalid_value("spec.clusterIPs[0]", spec.get("clusterIP"), "may not change once set"))
    return causes


def _metadata(obj: Object) -> list[Cause]:
    name = name_of(obj)
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    if len(name) > 253:
        return [invalid_value("metadata.name", name, "must be no more than 253 characters")]
    if not _SUBDOMAIN.match(name):
        return [invalid_value("metadata.name", name, _SUBDOMAIN_TEXT)]
    return []


def _workload(storage: str, spec: Object, old: Object | None) -> list[Cause]:
    causes: list[Cause] = []
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        causes.append(invalid_value("spec.replicas", replicas, "must be greater than or equal to 0"))
    template = spec.get("template") or {}
    if storage != "jobs":
        causes += _selector(spec, template)
        if old is not None and (old.get("spec") or {}).get("selector") != spec.get("selector"):
            causes.append(invalid_value("spec.selector", spec.get("selector"), "field is immutable"))
    if storage == "statefulsets" and old is not None:
        before = {k: v for k, v in old["spec"].items() if k not in _STATEFUL_SET_MUTABLE}
        if before != {k: v for k, v in spec.items() if k not in _STATEFUL_SET_MUTABLE}:
            causes.append(Cause("FieldValueForbidden", _STATEFUL_SET_UPDATE, "spec"))
    if storage == "jobs":
        causes += _job(spec, template, old)
    elif (template.get("spec") or {}).get("restartPolicy", "Always") != "Always":
        value = template["spec"]["restartPolicy"]
        text = f'Unsupported value: "{value}": supported values: "Always"'
        causes.append(Cause("FieldValueNotSupported", text, "spec.template.spec.restartPolicy"))
    claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates") or []}
    return causes + _pod_spec(template.get("spec") or {}, "spec.template.spec", claims)


def _selector(spec: Object, template: Object) -> list[Cause]:
    selector = spec.get("selector")
    if not selector:
        labels = (template.get("metadata") or {}).get("labels") or None
        return [required("spec.selector"), invalid_value("spec.template.metadata.labels", labels, _OTHER_LABELS)]
    labels = labels_of(template)
    if not matches(selector, labels):
        return [invalid_value("spec.template.metadata.labels", labels, _OTHER_LABELS)]
    return []


def _job(spec: Object, template: Object, old: Object | None) -> list[Cause]:
    causes = []
    policy = (template.get("spec") or {}).get("restartPolicy", "Always")
    if policy == "Always":
        text = 'Required value: valid values: "OnFailure", "Never"'
        causes.append(Cause("FieldValueRequired", text, "spec.template.spec.restartPolicy"))
    if old is not None and old["spec"].get("template") != spec.get("template"):
        causes.append(invalid_value("spec.template", "core.PodTemplateSpec{…}", "field is immutable"))
    return causes


def _pod_spec(spec: Object, path: str, claims: AbstractSet[str] = frozenset()) -> list[Cause]:
    if not spec.get("containers"):
        return [required(f"{path}.containers")]
    causes: list[Cause] = []
    volumes = {volume.get("name") for volume in spec.get("volumes") or []} | claims
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or []):
            at = f"{path}.{group}[{index}]"
            name = container.get("name")
            if not name:
                causes.append(required(f"{at}.name"))
            elif name in seen:
                causes.append(Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{at}.name"))
            seen.add(name or "")
            if not container.get("image"):
                causes.append(required(f"{at}.image"))
            causes += _mounts(container, volumes, at)
            causes += _amounts(container.get("resources") or {}, f"{at}.resources")
    return causes


def _mounts(container: Object, volumes: AbstractSet[Any], at: str) -> list[Cause]:
    return [
        Cause("FieldValueNotFound", f'Not found: "{mount.get("name")}"', f"{at}.volumeMounts[{index}].name")
        for index, mount in enumerate(container.get("volumeMounts") or [])
        if mount.get("name") not in volumes
    ]


def _amounts(resources: Object, at: str) -> list[Cause]:
    causes = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, amount in requests.items():
        if name in limits and quantity(amount) > quantity(limits[name]):
            text = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(invalid_value(f"{at}.requests", str(amount), text))
    return causes


def _pod_update(spec: Object, old: Object) -> list[Cause]:
    def frozen(each: Object) -> Object:
        kept = {
            k: v
            for k, v in each.items()
            if k not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "ephemeralContainers")
        }
        for group in ("containers", "initContainers"):
            kept[group] = [{k: v for k, v in c.items() if k != "image"} for c in each.get(group) or []]
        return kept

    if frozen(spec) != frozen(old):
        return [Cause("FieldValueForbidden", _POD_UPDATE, "spec")]
    return []
