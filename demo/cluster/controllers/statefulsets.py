"""The StatefulSet controller: pods with ordinals, one after the other, and updates from the last to the first.

As in a real cluster a broken pod blocks the ones after it, and a repaired template does not replace a pod that was
never ready: somebody has to delete it. Source:
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/ and
https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/statefulset/stateful_set_control.go
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.controllers.history import HASH, History, hash_of, template_of
from demo.cluster.controllers.pods import PodControl, is_available
from demo.cluster.errors import ApiError
from demo.cluster.manager import Key, Manager
from demo.cluster.objects import (
    Object,
    clone,
    controller_of,
    is_deleting,
    name_of,
    namespace_of,
    omit_empty,
    pod_is_ready,
    pod_phase,
    uid_of,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

STATEFUL_SETS = BY_PLURAL["statefulsets"]
CLAIMS = BY_PLURAL["persistentvolumeclaims"]
RETRY_SECONDS = 5.0


def ordinal(pod: Object) -> int:
    return int(name_of(pod).rpartition("-")[2])


@dataclass
class StatefulSets:
    registry: Registry
    recorder: Recorder
    manager: Manager

    def __post_init__(self) -> None:
        self._control = PodControl(self.registry, self.recorder, "statefulset-controller")
        self._history = History(self.registry, STATEFUL_SETS)

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "statefulsets":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods":
            owner = controller_of(change.after)
            if owner is not None and owner["kind"] == "StatefulSet":
                yield (namespace_of(change.after), owner["name"])

    def sync(self, key: Key) -> None:
        found = self.registry.store.find("statefulsets", *key)
        if found is None:
            return
        update = self._history.current(found)
        if not is_deleting(found):
            try:
                self._step(found, update)
            except ApiError:
                self.manager.enqueue_after(self, key, RETRY_SECONDS, background=True)
        self._write_status(found, update)

    def _pods(self, found: Object) -> dict[int, Object]:
        return {ordinal(each): each for each in self.registry.store.owned("pods", uid_of(found))}

    def _step(self, found: Object, update: Object) -> None:
        """One step towards the wanted pods; the next follows when a pod changes."""
        ordered = found["spec"]["podManagementPolicy"] == "OrderedReady"
        wanted, pods = found["spec"].get("replicas", 1), self._pods(found)
        for number in range(wanted):
            pod = pods.get(number)
            if pod is not None and pod_phase(pod) in ("Failed", "Succeeded") and not is_deleting(pod):
                self._delete(found, pod)
                return
            if pod is None:
                self._create(found, number, update)
                if ordered:
                    return
            elif ordered and (is_deleting(pod) or not self._healthy(found, pod)):
                return
        extra = sorted((number for number in pods if number >= wanted), reverse=True)
        for number in extra:
            if is_deleting(pods[number]):
                if ordered:
                    return
                continue
            self._delete(found, pods[number])
            if ordered:
                return
        self._update(found, update, {number: pod for number, pod in pods.items() if number < wanted})

    def _update(self, found: Object, update: Object, pods: dict[int, Object]) -> None:
        strategy = found["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        for number in sorted(pods, reverse=True):
            if number < partition:
                return
            if hash_of(pods[number]) != hash_of(update) and not is_deleting(pods[number]):
                self._delete(found, pods[number])
                return
            if not self._healthy(found, pods[number]):
                return

    def _healthy(self, found: Object, pod: Object) -> bool:
        if pod_phase(pod) != "Running" or is_deleting(pod):
            return False
        return is_available(pod, found["spec"].get("minReadySeconds", 0), self.registry.timeline)

    def _create(self, found: Object, number: int, update: Object) -> None:
        name = f"{name_of(found)}-{number}"
        revision = self._revision_for(found, number, update)
        template = clone(template_of(revision))
        labels = template["metadata"].setdefault("labels", {})
        labels |= {HASH: hash_of(revision), "statefulset.kubernetes.io/pod-name": name}
        labels["apps.kubernetes.io/pod-index"] = str(number)
        volumes = list(template["spec"].get("volumes") or [])
        for claim in found["spec"].get("volumeClaimTemplates") or []:
            self._claim(found, claim, name)
            source = {"claimName": f"{claim['metadata']['name']}-{name}"}
            volumes.append({"name": claim["metadata"]["name"], "persistentVolumeClaim": source})
        more: Object = {"hostname": name, "subdomain": found["spec"].get("serviceName", "")}
        if volumes:
            more["volumes"] = volumes
        try:
            self.registry.create(BY_PLURAL["pods"], self._pod(found, template, name, more))
        except ApiError as error:
            text = f"create Pod {name} in StatefulSet {name_of(found)} failed error: {error.message}"
            self._control.event(STATEFUL_SETS, found, "FailedCreate", text, warning=True)
            raise
        text = f"create Pod {name} in StatefulSet {name_of(found)} successful"
        self._control.event(STATEFUL_SETS, found, "SuccessfulCreate", text)

    def _pod(self, found: Object, template: Object, name: str, more: Object) -> Object:
        owner: Object = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name_of(found), "uid": uid_of(found)}
        owner |= {"controller": True, "blockOwnerDeletion": True}
        metadata = {**template["metadata"], "name": name, "namespace": namespace_of(found), "ownerReferences": [owner]}
        metadata["generateName"] = f"{name_of(found)}-"
        return {"metadata": metadata, "spec": {**template["spec"], **more}}

    def _revision_for(self, found: Object, number: int, update: Object) -> Object:
        """Ordinals below the partition keep the old revision."""
        strategy = found["spec"]["updateStrategy"]
        if number >= (strategy.get("rollingUpdate") or {}).get("partition", 0):
            return update
        current = (found.get("status") or {}).get("currentRevision", "")
        return next((each for each in self._history.list(found) if name_of(each) == current), update)

    def _claim(self, found: Object, claim: Object, pod: str) -> None:
        name = f"{claim['metadata']['name']}-{pod}"
        if self.registry.store.find("persistentvolumeclaims", namespace_of(found), name) is not None:
            return
        metadata: Object = {"name": name, "namespace": namespace_of(found)}
        metadata |= {"labels": dict(found["spec"]["selector"].get("matchLabels") or {})}
        spec = {**claim["spec"], "volumeName": f"pvc-{self.registry.store.new_uid()}"}
        created = self.registry.create(CLAIMS, {"metadata": metadata, "spec": spec})
        text = f"create Claim {name} Pod {pod} in StatefulSet {name_of(found)} success"
        self._control.event(STATEFUL_SETS, found, "SuccessfulCreate", text)
        status = {"phase": "Bound", "accessModes": spec.get("accessModes", [])}
        status["capacity"] = dict((spec.get("resources") or {}).get("requests") or {})
        self.registry.update_status(CLAIMS, created, status)

    def _delete(self, found: Object, pod: Object) -> None:
        self.registry.delete(BY_PLURAL["pods"], namespace_of(pod), name_of(pod), DeleteOptions())
        text = f"delete Pod {name_of(pod)} in StatefulSet {name_of(found)} successful"
        self._control.event(STATEFUL_SETS, found, "SuccessfulDelete", text)

    def _write_status(self, found: Object, update: Object) -> None:
        pods = [each for each in self._pods(found).values() if pod_phase(each) not in ("Failed", "Succeeded")]
        before = found.get("status") or {}
        wanted = found["spec"].get("replicas", 1)
        living = [each for each in pods if not is_deleting(each)]
        updated = [each for each in living if hash_of(each) == hash_of(update)]
        ready = [each for each in pods if pod_is_ready(each)]
        available = [each for each in ready if self._healthy(found, each)]
        current = before.get("currentRevision") or name_of(update)
        if len(updated) == len(pods) == len(ready) == wanted:
            current = name_of(update)
        of_current = [each for each in living if hash_of(each) == current]
        counts = {
            "observedGeneration": found["metadata"]["generation"],
            "readyReplicas": len(ready),
            "currentReplicas": len(of_current),
            "updatedReplicas": len(updated),
            "currentRevision": current,
            "updateRevision": name_of(update),
        }
        status = omit_empty(counts) | {"replicas": len(pods), "availableReplicas": len(available), "collisionCount": 0}
        self.registry.update_status(STATEFUL_SETS, found, status)
        self._history.trim(found, {hash_of(each) for each in pods} | {current, hash_of(update)})
