"""The ReplicaSet controller: as many pods as wanted, and a status that counts them.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/replicaset/replica_set.go
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.controllers.pods import PodControl, deletion_order, is_available
from demo.cluster.errors import ApiError
from demo.cluster.manager import Key, Manager
from demo.cluster.objects import (
    Object,
    clone,
    condition,
    controller_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    omit_empty,
    pod_is_active,
    pod_is_ready,
    rfc3339,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

REPLICA_SETS = BY_PLURAL["replicasets"]
FIRST_RETRY = 0.5
MAX_RETRY = 300.0


@dataclass
class ReplicaSets:
    registry: Registry
    recorder: Recorder
    manager: Manager

    def __post_init__(self) -> None:
        self._control = PodControl(self.registry, self.recorder, "replicaset-controller")
        self._retry: dict[Key, float] = {}

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "replicasets":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods":
            owner = controller_of(change.after)
            if owner is not None and owner["kind"] == "ReplicaSet":
                yield (namespace_of(change.after), owner["name"])

    def sync(self, key: Key) -> None:
        replica_set = self.registry.store.find("replicasets", *key)
        if replica_set is None:
            return
        owned = self.registry.store.owned("pods", replica_set["metadata"]["uid"])
        pods = [each for each in owned if pod_is_active(each)]
        error = None
        if not is_deleting(replica_set):
            error = self._scale(replica_set, pods)
            owned = self.registry.store.owned("pods", replica_set["metadata"]["uid"])
            pods = [each for each in owned if pod_is_active(each)]
        self._write_status(replica_set, pods, error)
        if error is None:
            self._retry.pop(key, None)
        else:
            self._retry[key] = min(self._retry.get(key, FIRST_RETRY / 2) * 2, MAX_RETRY)
            self.manager.enqueue_after(self, key, self._retry[key], background=True)

    def _scale(self, replica_set: Object, pods: list[Object]) -> str | None:
        """Create or delete the difference; the first refusal ends a round."""
        wanted = replica_set["spec"].get("replicas", 1)
        for _ in range(wanted - len(pods)):
            try:
                self._control.create(replica_set, REPLICA_SETS, replica_set["spec"]["template"])
            except ApiError as error:
                return error.message
        if len(pods) > wanted:
            for pod in sorted(pods, key=deletion_order)[: len(pods) - wanted]:
                self._control.delete(replica_set, REPLICA_SETS, pod)
        return None

    def _write_status(self, replica_set: Object, pods: list[Object], error: str | None) -> None:
        spec, timeline = replica_set["spec"], self.registry.timeline
        min_ready = spec.get("minReadySeconds", 0)
        ready = [each for each in pods if pod_is_ready(each)]
        available = [each for each in ready if is_available(each, min_ready, timeline)]
        template = (spec["template"].get("metadata") or {}).get("labels") or {}
        full = [each for each in pods if template.items() <= labels_of(each).items()]
        status: Object = {"replicas": len(pods)}
        status |= omit_empty(
            {
                "fullyLabeledReplicas": len(full),
                "readyReplicas": len(ready),
                "availableReplicas": len(available),
                "observedGeneration": replica_set["metadata"]["generation"],
            }
        )
        conditions = self._conditions(replica_set, error)
        if conditions:
            status["conditions"] = conditions
        self.registry.update_status(REPLICA_SETS, replica_set, status)
        if len(available) < len(ready):
            self.manager.enqueue_after(self, (namespace_of(replica_set), name_of(replica_set)), float(min_ready))

    def _conditions(self, replica_set: Object, error: str | None) -> list[Object]:
        if error is None:
            return []
        before = condition(replica_set, "ReplicaFailure")
        if before is not None:
            return [clone(before)]
        moment = rfc3339(self.registry.timeline.now())
        failure = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": moment}
        return [failure | {"reason": "FailedCreate", "message": error}]
