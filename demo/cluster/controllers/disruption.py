"""The disruption controller: how many pods a PodDisruptionBudget lets go now.

Source: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.manager import Key
from demo.cluster.objects import (
    Object,
    controller_of,
    int_or_percent,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    pod_is_ready,
    pod_phase,
    rfc3339,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.selectors import matches
from demo.cluster.store import Change

BUDGETS = BY_PLURAL["poddisruptionbudgets"]
SOURCE = ("controllermanager", "")
_SCALED = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}


@dataclass
class Disruption:
    registry: Registry
    recorder: Recorder

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "poddisruptionbudgets":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods":
            for each in self.registry.store.all("poddisruptionbudgets", namespace_of(change.after)):
                if matches(each["spec"].get("selector"), labels_of(change.after)):
                    yield (namespace_of(each), name_of(each))

    def sync(self, key: Key) -> None:
        budget = self.registry.store.find("poddisruptionbudgets", *key)
        if budget is None or is_deleting(budget):
            return
        selector = budget["spec"].get("selector")
        pods = [
            each
            for each in self.registry.store.all("pods", key[0])
            if matches(selector, labels_of(each)) and pod_phase(each) not in ("Succeeded", "Failed")
        ]
        if not pods:
            self.recorder.event("poddisruptionbudgets", budget, "NoPods", "No matching pods found", SOURCE)
        expected = self._expected(pods) if self._needs_scale(budget) else len(pods)
        desired = self._desired(budget, expected)
        healthy = sum(pod_is_ready(each) and not is_deleting(each) for each in pods)
        allowed = max(0, healthy - desired) if expected else 0
        status: Object = {
            "observedGeneration": budget["metadata"]["generation"],
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        status["conditions"] = [self._condition(budget, allowed)]
        self.registry.update_status(BUDGETS, budget, status)

    def _needs_scale(self, budget: Object) -> bool:
        spec = budget["spec"]
        return "maxUnavailable" in spec or str(spec.get("minAvailable", "")).endswith("%")

    def _expected(self, pods: list[Object]) -> int:
        """The sizes of the workloads behind the pods."""
        owners: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod)
            storage = _SCALED.get((owner or {}).get("kind", ""))
            if owner is None or storage is None:
                continue
            found = self.registry.store.find(storage, namespace_of(pod), owner["name"])
            above = controller_of(found) if found else None
            if above is not None and above["kind"] == "Deployment":
                found = self.registry.store.find("deployments", namespace_of(pod), above["name"]) or found
            if found is not None:
                owners[found["metadata"]["uid"]] = int(found["spec"].get("replicas", 1))
        return sum(owners.values())

    def _desired(self, budget: Object, expected: int) -> int:
        spec = budget["spec"]
        if "maxUnavailable" in spec:
            return max(0, expected - int_or_percent(spec["maxUnavailable"], expected, round_up=True))
        return int_or_percent(spec.get("minAvailable", 1), expected, round_up=True)

    def _condition(self, budget: Object, allowed: int) -> Object:
        status, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
        before = next(iter((budget.get("status") or {}).get("conditions") or []), None)
        now = rfc3339(self.registry.timeline.now())
        moved = before["lastTransitionTime"] if before is not None and before["status"] == status else now
        generation = budget["metadata"]["generation"]
        return {
            "type": "DisruptionAllowed",
            "status": status,
            "reason": reason,
            "message": "",
            "lastTransitionTime": moved,
            "observedGeneration": generation,
        }
