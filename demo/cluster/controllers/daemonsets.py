"""The DaemonSet controller: one pod on every node that the pod tolerates.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.controllers.history import HASH, History, hash_of, template_of
from demo.cluster.controllers.pods import PodControl, is_available
from demo.cluster.errors import ApiError
from demo.cluster.manager import Key, Manager
from demo.cluster.objects import (
    Object,
    annotations_of,
    clone,
    controller_of,
    int_or_percent,
    is_deleting,
    name_of,
    namespace_of,
    omit_empty,
    pod_is_ready,
    pod_phase,
    uid_of,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import TEMPLATE_GENERATION, Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.scheduler import selects_node, tolerated
from demo.cluster.store import Change

DAEMON_SETS = BY_PLURAL["daemonsets"]
RETRY_SECONDS = 5.0
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
"""What every daemon pod tolerates."""


@dataclass
class DaemonSets:
    registry: Registry
    recorder: Recorder
    manager: Manager

    def __post_init__(self) -> None:
        self._control = PodControl(self.registry, self.recorder, "daemonset-controller")
        self._history = History(self.registry, DAEMON_SETS)

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "daemonsets":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods":
            owner = controller_of(change.after)
            if owner is not None and owner["kind"] == "DaemonSet":
                yield (namespace_of(change.after), owner["name"])
        elif change.storage == "nodes" and (change.before or {}).get("spec") != change.after.get("spec"):
            for each in self.registry.store.all("daemonsets"):
                yield (namespace_of(each), name_of(each))

    def sync(self, key: Key) -> None:
        found = self.registry.store.find("daemonsets", *key)
        if found is None:
            return
        revision = self._history.current(found)
        if not is_deleting(found):
            try:
                self._place(found, revision)
                self._roll(found, revision)
            except ApiError:
                self.manager.enqueue_after(self, key, RETRY_SECONDS, background=True)
        self._write_status(found, revision)

    def _eligible(self, found: Object, node: Object) -> bool:
        spec = found["spec"]["template"]["spec"]
        tolerations = [*(spec.get("tolerations") or []), *_tolerations()]
        taints = (node.get("spec") or {}).get("taints") or []
        if any(each["effect"] != "PreferNoSchedule" and not tolerated(each, tolerations) for each in taints):
            return False
        return selects_node(spec, node)

    def _by_node(self, found: Object) -> dict[str, Object]:
        return {_node_of(each): each for each in self.registry.store.owned("pods", uid_of(found))}

    def _place(self, found: Object, revision: Object) -> None:
        pods = self._by_node(found)
        nodes = {name_of(each): each for each in self.registry.store.all("nodes")}
        for name, node in nodes.items():
            pod = pods.get(name)
            if pod is None and self._eligible(found, node):
                self._create(found, revision, name)
            elif pod is not None and pod_phase(pod) == "Failed" and not is_deleting(pod):
                text = f"Found failed daemon pod {namespace_of(pod)}/{name_of(pod)} on node {name}, will try to kill it"
                self._control.event(DAEMON_SETS, found, "FailedDaemonPod", text, warning=True)
                self._control.delete(found, DAEMON_SETS, pod)
        for name, pod in pods.items():
            gone = name not in nodes
            if gone and not is_deleting(pod):
                self._control.delete(found, DAEMON_SETS, pod)

    def _create(self, found: Object, revision: Object, node: str) -> None:
        template = clone(template_of(revision))
        generation = annotations_of(found).get(TEMPLATE_GENERATION, "1")
        labels = {HASH: hash_of(revision), "pod-template-generation": generation}
        template["metadata"].setdefault("labels", {}).update(labels)
        tolerations = [*(template["spec"].get("tolerations") or []), *_tolerations()]
        field = {"key": "metadata.name", "operator": "In", "values": [node]}
        terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        self._control.create(found, DAEMON_SETS, template, tolerations=tolerations, affinity=affinity)

    def _roll(self, found: Object, revision: Object) -> None:
        """Replace old pods within maxUnavailable; broken ones first."""
        strategy = found["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        pods = self._by_node(found)
        old = [each for each in pods.values() if hash_of(each) != hash_of(revision) and not is_deleting(each)]
        if not old:
            return
        limit = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
        allowed = max(1, int_or_percent(limit, len(pods), round_up=True))
        broken = [each for each in old if not self._available(found, each)]
        for pod in broken:
            self._control.delete(found, DAEMON_SETS, pod)
        down = sum(not self._available(found, each) for each in pods.values())
        healthy = [each for each in old if self._available(found, each)]
        for pod in healthy[: max(0, allowed - down)]:
            self._control.delete(found, DAEMON_SETS, pod)

    def _available(self, found: Object, pod: Object) -> bool:
        return not is_deleting(pod) and is_available(
            pod, found["spec"].get("minReadySeconds", 0), self.registry.timeline
        )

    def _write_status(self, found: Object, revision: Object) -> None:
        pods = self._by_node(found)
        wanted = {name_of(each) for each in self.registry.store.all("nodes") if self._eligible(found, each)}
        placed = {name: pod for name, pod in pods.items() if name in wanted}
        available = [each for each in placed.values() if self._available(found, each)]
        updated = [each for each in placed.values() if hash_of(each) == hash_of(revision)]
        extra = {
            "numberAvailable": len(available),
            "numberUnavailable": len(wanted) - len(available),
            "observedGeneration": found["metadata"]["generation"],
            "updatedNumberScheduled": len(updated),
        }
        status = {
            "currentNumberScheduled": len(placed),
            "desiredNumberScheduled": len(wanted),
            "numberMisscheduled": len(pods) - len(placed),
            "numberReady": sum(pod_is_ready(each) for each in placed.values()),
        }
        self.registry.update_status(DAEMON_SETS, found, status | omit_empty(extra))


def _tolerations() -> list[Object]:
    return [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]


def _node_of(pod: Object) -> str:
    """The node that a daemon pod is meant for, bound or not."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(affinity["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])
