"""Resizing the containers of a pod as they run: what its node has room for is given, and how far it is told.

Source: `handlePodResourcesResize` and `canResizePod` in pkg/kubelet/allocation/allocation_manager.go, and the
conditions in pkg/kubelet/status/status_manager.go of kubernetes/kubernetes, v1.34. Used by `worker`.
"""

from typing import TYPE_CHECKING

from demo.cluster.kubelet.status import Container
from demo.cluster.objects import Object, clone, quantity, rfc3339, uid_of
from demo.cluster.scheduler import pod_requests

if TYPE_CHECKING:
    from demo.cluster.kubelet.worker import PodWorker

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
_RETRY = 180.0
"""How often a resize is tried again for which there was no room."""
_TAKES = 1.0


class Resizes:
    """The resizes of one pod, one after another."""

    def __init__(self, worker: "PodWorker") -> None:
        self._worker = worker
        self._seen = int(worker.pod["metadata"].get("generation", 1))
        self._conditions: dict[str, Object] = {}

    def shown(self, others: list[Object]) -> list[Object]:
        """The conditions of a pod with those of its resizes."""
        return [each for each in others if each["type"] not in (PENDING, IN_PROGRESS)] + list(self._conditions.values())

    def look(self, pod: Object) -> None:
        """Asked whenever the pod has changed."""
        generation = int(pod["metadata"].get("generation", 1))
        if generation != self._seen and not self._worker.stopping:
            self._seen = generation
            self._worker.agent.later(0.2, self._allocate)

    def _allocate(self) -> None:
        """Desired and allocated differ: is there room?"""
        worker = self._worker
        pod = worker.agent.current(worker)
        if pod is None or worker.stopping or worker.finished:
            return
        self._conditions.pop(PENDING, None)
        changed = [(each, wanted) for each, wanted in self._wanted(pod) if _differ(each.spec.get("resources"), wanted)]
        reason, why = self._misfit(pod) if changed else ("", "")
        if reason:
            self._say(PENDING, pod, reason, why)
            if reason == "Deferred":
                worker.agent.later(_RETRY, self._allocate, background=True)
        elif changed:
            self._say(IN_PROGRESS, pod)
            for container, wanted in changed:
                container.allocated = clone(wanted)
            worker.agent.later(_TAKES, lambda: self._carry_out(changed))
        else:
            self._conditions.pop(IN_PROGRESS, None)
        worker.publish()

    def _wanted(self, pod: Object) -> list[tuple[Container, Object]]:
        by_name = {each["name"]: each.get("resources") or {} for each in pod["spec"]["containers"]}
        return [(each, by_name.get(each.name, {})) for each in self._worker.main]

    def _misfit(self, pod: Object) -> tuple[str, str]:
        """Reason and message; both empty where it fits."""
        store, node = self._worker.agent.store, self._worker.node
        found = store.find("nodes", "", node) or {}
        room = (found.get("status") or {}).get("allocatable") or {}
        others = [each for each in store.all("pods") if each["spec"].get("nodeName") == node]
        others = [each for each in others if uid_of(each) != self._worker.uid and _alive(each)]
        for name in ("memory", "cpu"):
            unit = 1000 if name == "cpu" else 1
            wanted = round(pod_requests(pod["spec"]).get(name, 0.0) * unit)
            capacity = round(quantity(room.get(name, "0")) * unit)
            if wanted > capacity:
                text = f"Node didn't have enough capacity: {name}, requested: {wanted}, capacity: {capacity}"
                return "Infeasible", text
            used = round(sum(pod_requests(each["spec"]).get(name, 0.0) for each in others) * unit)
            if used + wanted > capacity:
                text = f"Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, "
                return "Deferred", f"{text}capacity: {capacity}"
        return "", ""

    def _carry_out(self, changed: list[tuple[Container, Object]]) -> None:
        """The runtime is told; a container whose policy says so is restarted."""
        if self._worker.stopping or self._worker.finished:
            return
        for container, wanted in changed:
            if why := _too_little(container, wanted):
                pod = self._worker.agent.current(self._worker)
                if pod is not None:
                    self._say(IN_PROGRESS, pod, "Error", why)
                continue
            restarted = _restarted(container, wanted)
            container.spec = {**container.spec, "resources": clone(wanted)}
            if restarted:
                self._worker.kill(container)
        if (self._conditions.get(IN_PROGRESS) or {}).get("reason") != "Error":
            self._conditions.pop(IN_PROGRESS, None)
        self._worker.publish()

    def _say(self, kind: str, pod: Object, reason: str = "", message: str = "") -> None:
        before = self._conditions.get(kind) or {}
        found: Object = {"type": kind, "observedGeneration": pod["metadata"].get("generation", 1), "status": "True"}
        now = rfc3339(self._worker.agent.timeline.now())
        found |= {"lastProbeTime": now, "lastTransitionTime": before.get("lastTransitionTime", now)}
        told = {"reason": reason, "message": message}
        self._conditions[kind] = found | {name: text for name, text in told.items() if text}


def _alive(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _differ(one: Object | None, other: Object | None) -> bool:
    return (one or {}) != (other or {})


def _limit(resources: Object | None, name: str) -> float:
    return quantity(((resources or {}).get("limits") or {}).get(name, "0"))


def _too_little(container: Container, wanted: Object) -> str:
    """The kubelet asks how much is in use before it lowers a limit."""
    new, old = _limit(wanted, "memory"), _limit(container.spec.get("resources"), "memory")
    used = 0.0 if container.run is None else container.run.used_memory
    if not new < old or new >= used:
        return ""
    text = f'attempting to set container "{container.name}" memory limit ({new:.0f}) below current usage ({used:.0f})'
    return f"cannot decrease memory limits: {text}"


def _restarted(container: Container, wanted: Object) -> bool:
    asked = container.spec.get("resizePolicy") or []
    names = [each["resourceName"] for each in asked if each.get("restartPolicy") == "RestartContainer"]
    before = container.spec.get("resources") or {}
    return any(
        (before.get(bound) or {}).get(name) != (wanted.get(bound) or {}).get(name)
        for name in names
        for bound in ("limits", "requests")
    )
