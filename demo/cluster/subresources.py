"""Scale and eviction: the subresources that are not a part of their object.

Sources: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ and
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/ (scale). Called by `api`.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

from demo.cluster import errors
from demo.cluster.objects import (
    Object,
    clone,
    disrupted,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    pod_is_ready,
    pod_phase,
    rfc3339,
    uid_of,
)
from demo.cluster.patches import apply_patch
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL, Resource
from demo.cluster.selectors import format_selector, matches

if TYPE_CHECKING:
    from demo.cluster.api import Request

_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL_BUDGETS = {
    "status": "Failure",
    "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    "code": 500,
}
"""The body of an answer whose HTTP status is 201 all the same."""
_SCALE = Resource("autoscaling", "v1", "scales", "Scale")


def scale(registry: Registry, request: "Request") -> tuple[int, Object]:
    """get, update and patch of autoscaling/v1 Scale."""
    target = request.target
    obj = registry.store.find(target.resource.storage, target.namespace, target.name)
    if obj is None:
        raise errors.not_found(target.resource, target.name)
    current = _scale_of(obj)
    if request.verb == "get":
        return 200, current
    if request.verb == "update":
        wanted: Any = request.body
        if not isinstance(wanted, dict) or wanted.get("kind", "Scale") != "Scale":
            raise errors.bad_request("the body of the request is not a Scale")
    elif request.verb == "patch":
        wanted = apply_patch(current, request.body, request.content_type)
    else:
        raise errors.method_not_allowed()
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise errors.bad_request(
            "json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if replicas < 0:
        cause = errors.Cause(
            "FieldValueInvalid", f"Invalid value: {replicas}: must be greater than or equal to 0", "spec.replicas"
        )
        raise errors.invalid(_SCALE, target.name, [cause])
    changed = clone(obj)
    changed["spec"]["replicas"] = replicas
    metadata = wanted.get("metadata") or {}
    if metadata.get("resourceVersion"):
        changed["metadata"]["resourceVersion"] = metadata["resourceVersion"]
    if metadata.get("uid", uid_of(obj)) != uid_of(obj):
        meant = dataclasses.replace(target.resource, plural=f"{target.resource.plural}/scale")
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {uid_of(obj)}"
        raise errors.conflict(meant, target.name, why)
    updated = registry.update(
        target.resource, changed, dry_run=request.dry_run, subresource="scale", manager=request.manager
    )
    return 200, _scale_of(updated)


def _scale_of(obj: Object) -> Object:
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    replicas = obj["spec"].get("replicas", 1)
    status: Object = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    selector = format_selector(obj["spec"].get("selector"))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {**status, "selector": selector} if selector else status,
    }


def evict(registry: Registry, request: "Request") -> tuple[int, Object]:
    """Delete a pod unless a PodDisruptionBudget forbids it for now: then 429."""
    target, body = request.target, request.body if isinstance(request.body, dict) else {}
    pod = registry.get(target.resource, target.namespace, target.name)
    options = body.get("deleteOptions") or {}
    preconditions = options.get("preconditions") or {}
    dry_run = request.dry_run or options.get("dryRun") == ["All"]
    if not _ignores_budgets(pod) and not _claim(registry, pod, dry_run=dry_run):
        return 201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, **_SEVERAL_BUDGETS}
    delete = DeleteOptions(
        grace=options.get("gracePeriodSeconds"),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run=dry_run,
        eviction=True,
    )
    if not dry_run and not is_deleting(pod) and not delete.resource_version:
        _mark_disrupted(registry, pod)
    registry.delete(target.resource, target.namespace, target.name, delete)
    return 201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _ignores_budgets(pod: Object) -> bool:
    return pod_phase(pod) in ("Pending", "Succeeded", "Failed") or is_deleting(pod)


def _claim(registry: Registry, pod: Object, *, dry_run: bool) -> bool:
    """Take one disruption from the pod's budget; False when there are several, 429 when there is none left."""
    budgets = [
        each
        for each in registry.store.all("poddisruptionbudgets", namespace_of(pod))
        if matches(each["spec"].get("selector"), labels_of(pod))
    ]
    if len(budgets) > 1:
        return False
    if not budgets:
        return True
    budget = clone(budgets[0])
    status = budget.get("status") or {}
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if not pod_is_ready(pod):
        policy = budget["spec"].get("unhealthyPodEvictionPolicy", "IfHealthyBudget")
        if policy == "AlwaysAllow" or (healthy >= desired > 0):
            return True
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
        text = f"The disruption budget {name_of(budget)} is still being processed by the server."
        raise errors.too_many_requests(_VIOLATES, 10, [errors.Cause("DisruptionBudget", text)])
    if status.get("disruptionsAllowed", 0) <= 0:
        text = f"The disruption budget {name_of(budget)} needs {desired} healthy pods and has {healthy} currently"
        raise errors.too_many_requests(_VIOLATES, 0, [errors.Cause("DisruptionBudget", text)])
    if dry_run:
        return True
    status["disruptionsAllowed"] -= 1
    status.setdefault("disruptedPods", {})[name_of(pod)] = rfc3339(registry.timeline.now())
    registry.update_status(BY_PLURAL["poddisruptionbudgets"], budget, status)
    return True


def _mark_disrupted(registry: Registry, pod: Object) -> None:
    now = rfc3339(registry.timeline.now())
    status = disrupted(pod, now, "EvictionByEvictionAPI", "Eviction API: evicting")
    registry.update_status(BY_PLURAL["pods"], pod, status)
