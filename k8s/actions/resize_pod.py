"""Resizing one container of one pod as it runs: other requests and limits without a new pod, until the pod is replaced.

By the subresource `pods/resize`, where the server says that it has it (Kubernetes 1.33 and later). The workload's
template stays as it is, and with it every other and every later pod: `set-resources` is what changes that.
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/; what is refused before the server
does so is from `ValidatePodResize` in pkg/apis/core/validation/validation.go of kubernetes/kubernetes.
In the catalogue.
"""

import copy
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from k8s import amounts, editing, fields, members, model, qos, quantities, targets

SUBRESOURCE = "pods/resize"
_RESTARTS = "RestartContainer"
_POD = ""
"""The root of a pod's own paths."""


class ResizePod(model.Remedy):
    name = "resize-pod"
    action = model.ResizePod
    kinds = members.WORKLOADS
    never = "A lasting setting: the next pod has what the template says, so what helped belongs there."
    check = "resized"
    writes = "resize"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Pod",)

    def fault(self, action: model.ResizePod) -> tuple[str, str] | None:
        return members.fault(action) or amounts.fault(action) or editing.fault(action.container)

    def words(self, action: model.ResizePod) -> tuple[str, ...]:
        resources: dict[str, dict[str, str]] = {}
        for each, text in amounts.wanted(action).items():
            resources.setdefault(each.bound, {})[each.resource] = text
        body = {"spec": {"containers": [{"name": action.container, "resources": resources}]}}
        return ("patch", targets.slashed(action.pod), "--subresource=resize", "-p", msgspec.json.encode(body).decode())

    def shaped(self, operation: model.Operation, action: model.ResizePod) -> bool:
        steps = editing.steps(operation, action.container, verb="resize", root=_POD)
        return steps is not None and _serving(operation.body) and amounts.shaped(steps, action)

    def needs(self, action: model.ResizePod) -> model.Needs:
        return model.Needs(action.pod, owner=action.workload, served=(SUBRESOURCE,))

    def overridden(self, action: model.ResizePod, target: model.Target) -> str:
        if target.object is None or amounts.shown(action, _container(action, target.object)):
            return ""
        return f"The resources of container {action.container} of pod {action.pod.short} were changed since."

    def problems(self, action: model.ResizePod, target: model.Target) -> Sequence[str]:
        pod = target.object
        found = targets.faults(action.pod, pod, ("Pod",), "resized")
        if found or pod is None:
            return found
        if SUBRESOURCE in target.unserved:
            return [f"The API server does not say that it has {SUBRESOURCE} (Kubernetes 1.33 and later have)."]
        found = [*members.ownership_faults(action, pod, target), *_pod_faults(action, pod)]
        container = _container(action, pod)
        if container is None:
            return [*found, f"Pod {action.pod.short} has no container {action.container} that serves."]
        found += [*_state_faults(action, pod), *amounts.step_faults(action, container)]
        found += [] if found else _lowered(action, container)
        if not found and amounts.shown(action, container):
            found.append(f"Container {action.container} of pod {action.pod.short} has these resources already.")
        return [*found, *([] if found else _class_faults(action, pod))]

    def plan(self, action: model.ResizePod, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the container is missing: `problems` says so before."""
        del now  # nothing that is written carries the time
        pod = target.object or {}
        where = editing.place(pod, action.container, root=_POD)
        if where is None or _container(action, pod) is None:
            raise LookupError(f"no container {action.container}")
        ref, container = targets.workload_ref(action.pod, pod), where.container
        restarts = _restarts(action, container)
        inverse = _inverse(action, container)
        body = editing.patch(where, amounts.steps(action, container))
        resources = msgspec.json.encode(fields.mapping(container, "resources"), order="sorted").decode()
        return model.Plan(
            action=action,
            operations=(model.Operation("resize", ref, "json", body),),
            pins={**members.pins(ref, pod), "resources": resources, "resize policy": ", ".join(sorted(restarts))},
            kubectl="",
            summary=f"Sets of container {action.container} of pod {ref.name} the "
            f"{', the '.join(amounts.told(action, container))}, as it runs and until the pod is replaced: the template "
            f"of {action.workload.kind} {action.workload.short} stays as it is.",
            blast=targets.blast(
                target,
                target.owner or {},
                action.workload.kind,
                pods=1 if restarts else 0,
                note=_note(action, target, restarts),
            ),
            risk="medium",
            inverse=inverse,
            irreversible="" if inverse else _no_way_back(action, container),
        )

    def applied(self, action: model.ResizePod, operations: Sequence[model.Operation], target: model.Target) -> bool:
        """Whether it is what the pod should have; whether its node gives it is for the verification to see."""
        return targets.same_object(operations, target) and amounts.shown(
            action, _container(action, target.object or {})
        )


def _serving(body: object) -> bool:
    """Whether all of a patch is about what is listed among the containers that serve."""
    return isinstance(body, list) and all(fields.text(each, "path").startswith("/spec/containers/") for each in body)


def _container(action: model.ResizePod, pod: model.Json) -> model.Json | None:
    """One that serves: those that initialise have ended, and sidecars among them are left alone."""
    listed = (each for each in fields.items(pod, "spec", "containers") if fields.text(each, "name") == action.container)
    return next(listed, None)


def _pod_faults(action: model.ResizePod, pod: model.Json) -> Iterator[str]:
    """What no pod of its kind can be given."""
    if fields.text(pod, "spec", "os", "name") == "windows":
        yield f"Pod {action.pod.short} is of Windows, whose pods are not resized."
    if fields.mapping(pod, "spec", "resources"):
        yield f"Pod {action.pod.short} has resources of its own as a whole: such pods are not resized."


def _state_faults(action: model.ResizePod, pod: model.Json) -> Iterator[str]:
    """What a node does only for what runs."""
    if fields.text(pod, "status", "phase") != "Running":
        yield f"Pod {action.pod.short} does not run."
        return
    listed = fields.items(pod, "status", "containerStatuses")
    status = next((each for each in listed if fields.text(each, "name") == action.container), {})
    if fields.value(status, "state", "running") is None:
        yield f"Container {action.container} of pod {action.pod.short} does not run."
    elif fields.value(status, "resources") is None:
        yield f"The node of pod {action.pod.short} does not say what the container has: it cannot resize pods in place."


def _lowered(action: model.ResizePod, container: model.Json) -> list[str]:
    """What holds more than it may have then is killed, and how much it will hold in that moment nobody knows."""
    if not _lowers_memory(amounts.written(container, amounts.AMOUNTS["memory_limit"]), action.memory_limit):
        return []
    if "memory" in _restarts(action, container):
        return []
    return ["A memory limit is not lowered in a container that runs on: what it holds already may be more."]


def _lowers_memory(before: str, after: str) -> bool:
    old, new = quantities.parse(before, "memory"), quantities.parse(after, "memory")
    return old is not None and new is not None and new < old


def _class_faults(action: model.ResizePod, pod: model.Json) -> Iterator[str]:
    """https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/#limitations"""
    resized = copy.deepcopy(pod)
    for each, text in amounts.wanted(action).items():
        container = _container(action, resized) or {}
        container.setdefault("resources", {}).setdefault(each.bound, {})[each.resource] = text
    before = fields.text(pod, "status", "qosClass") or qos.of(_all_of(pod))
    after = qos.of(_all_of(resized))
    if before != after:
        yield f"The pod's class would change from {before} to {after}, and that cannot be while it runs."


def _all_of(pod: model.Json) -> list[model.Json]:
    return [*fields.items(pod, "spec", "containers"), *fields.items(pod, "spec", "initContainers")]


def _restarts(action: model.ResizePod, container: model.Json) -> frozenset[str]:
    """Of the resources that are named, those for which the container is restarted (its resizePolicy)."""
    named = {each.resource for each in amounts.wanted(action)}
    listed = fields.items(container, "resizePolicy")
    asked = {fields.text(each, "resourceName") for each in listed if fields.text(each, "restartPolicy") == _RESTARTS}
    return frozenset(named & asked)


def _inverse(action: model.ResizePod, container: model.Json) -> model.ResizePod | None:
    before = amounts.before(action, container)
    if before is None or (
        _lowers_memory(action.memory_limit, before.get("memory_limit", ""))
        and "memory" not in _restarts(action, container)
    ):
        return None
    return model.ResizePod(action.pod, action.workload, action.container, **before)


def _no_way_back(action: model.ResizePod, container: model.Json) -> str:
    if amounts.before(action, container) is None:
        return "What it has now is no whole number of bytes or thousandths of a core."
    return "A memory limit is not lowered in a container that runs on; a new pod has what the template says."


def _note(action: model.ResizePod, target: model.Target, restarts: frozenset[str]) -> str:
    how = (
        f"The container is restarted for it: its resizePolicy says so for {' and '.join(sorted(restarts))}."
        if restarts
        else "Nothing is restarted."
    )
    scaled = target.autoscalers and (action.cpu_request or action.memory_request)
    told = "A HorizontalPodAutoscaler measures by the requests, and may set other replicas now." if scaled else ""
    return f"{how} Whether its node has room is seen when it is done. {told}".rstrip()
