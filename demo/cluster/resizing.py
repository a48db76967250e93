"""What the API server takes of a write to `pods/resize`, and what it refuses.

Source: `podResizeStrategy` in pkg/registry/core/pod/strategy.go and `ValidatePodResize` in
pkg/apis/core/validation/validation.go of kubernetes/kubernetes, v1.34. Called by `registry`; the node's part is in
`kubelet.resizing`.
"""

from collections.abc import Iterator
from typing import Any

from demo.cluster.admission import qos_class
from demo.cluster.errors import Cause
from demo.cluster.objects import Object, clone

_MIRROR = "kubernetes.io/config.mirror"
_CHANGED = "Forbidden: containers may not be added or removed on resize"
_ONLY = "Forbidden: only cpu and memory resources are mutable"


def kept(obj: Object, old: Object) -> Object:
    """The old pod with the new one's resources and resize policies: all else is dropped without a word."""
    changed: Object = clone(old)
    for group in ("containers", "initContainers"):
        new, before = obj["spec"].get(group) or [], changed["spec"].get(group) or []
        if len(new) != len(before):
            return obj  # for the validation to refuse
        by_name = {each.get("name"): each for each in new}
        for container in before:
            for field in ("resources", "resizePolicy"):
                wanted = by_name.get(container["name"], {}).get(field)
                if wanted is not None:
                    container[field] = clone(wanted)
    changed["metadata"] = obj["metadata"]
    return changed


def causes(obj: Object, old: Object) -> list[Cause]:
    """Everything wrong with a resize, beside what is wrong with the pod that comes of it."""
    if _MIRROR in (old["metadata"].get("annotations") or {}):
        return [Cause("FieldValueForbidden", "Forbidden: static pods cannot be resized")]
    found = []
    before = (old.get("status") or {}).get("qosClass") or qos_class(old["spec"])
    if before != qos_class(obj["spec"]):
        text = f'Invalid value: "{before}": Pod QOS Class may not change as a result of resizing'
        found.append(Cause("FieldValueInvalid", text, "spec"))
    if not _supported(old):
        text = "Forbidden: Pod running on node without support for resize"
        found.append(Cause("FieldValueForbidden", text, "spec"))
    if len(obj["spec"]["containers"]) != len(old["spec"]["containers"]):
        return [*found, Cause("FieldValueForbidden", _CHANGED, "spec.containers")]
    for index, (now, was) in enumerate(_pairs(obj, old)):
        found += _removed(now, was, f"spec.containers[{index}].resources")
        if _others(now) != _others(was):
            found.append(Cause("FieldValueForbidden", _ONLY, "spec"))
    return found


def _supported(pod: Object) -> bool:
    """By the first container that runs: its node tells of its resources or does not know the feature."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    running = next((each for each in statuses if "running" in (each.get("state") or {})), None)
    return running is None or "resources" in running


def _pairs(obj: Object, old: Object) -> Iterator[tuple[Object, Object]]:
    for now, was in zip(obj["spec"]["containers"], old["spec"]["containers"], strict=True):
        yield now.get("resources") or {}, was.get("resources") or {}


def _removed(now: Object, was: Object, at: str) -> Iterator[Cause]:
    for bound in ("requests", "limits"):
        if set(was.get(bound) or {}) - set(now.get(bound) or {}):
            yield Cause("FieldValueForbidden", f"Forbidden: resource {bound} cannot be removed", f"{at}.{bound}")


def _others(resources: Object) -> list[dict[str, Any]]:
    bounds = (resources.get(bound) or {} for bound in ("requests", "limits"))
    return [{name: amount for name, amount in each.items() if name not in ("cpu", "memory")} for each in bounds]
