"""Nodes: heartbeats, the node controller that gives up on a silent one, taints, and evictions from it.

`SimulatedCluster.nodes` is for tests and the demo: `lose`, `recover`, `press`, `relieve`. Sources:
https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller and
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-based-evictions/
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from demo.cluster.controllers.pods import PODS
from demo.cluster.kubelet.nodeagent import NodeAgent
from demo.cluster.manager import Key, Manager
from demo.cluster.objects import (
    Object,
    clone,
    disrupted,
    fnv32a,
    is_deleting,
    name_of,
    namespace_of,
    pod_phase,
    rfc3339,
    rfc3339_nano,
    uid_of,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

NODES = BY_PLURAL["nodes"]
GRACE_SECONDS = 50.0
"""After which a silent node is Unknown (node-monitor-grace-period since 1.32)."""
HEARTBEAT_SECONDS = 10.0
STATUS_EVERY = 30
"""Heartbeats between two reports of the whole status: five minutes."""
UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_PRESSURES = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available", "memory"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure", "disk"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available", "pid"),
}
_FINE = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_PRESSURE_EVENTS = {
    "MemoryPressure": "NodeHasInsufficientMemory",
    "DiskPressure": "NodeHasDiskPressure",
    "PIDPressure": "NodeHasInsufficientPID",
}
_SILENT = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
_READY = ("KubeletReady", "kubelet is posting ready status")


def node(
    name: str, address: str, *, cpu: str = "4", memory: str = "8Gi", labels: dict[str, str] | None = None
) -> Object:
    """A healthy node's manifest."""
    capacity = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "100Gi"}
    known = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": "eu-west-1a",
    }
    serial = f"{fnv32a(name.encode()):08x}"
    info = {
        "machineID": serial * 4,
        "systemUUID": f"{serial}-7c1e-4b52-9a3f-{serial}0b1c",
        "bootID": f"{serial}-52d1-4f7e-8c80-{serial}9d2e",
        "kubeProxyVersion": "",
        "kubeletVersion": "v1.34.4",
        "containerRuntimeVersion": "containerd://2.1.3",
        "osImage": "Debian GNU/Linux 12 (bookworm)",
        "kernelVersion": "6.1.0-37-amd64",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
    addresses = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": known | (labels or {})},
        "spec": {"podCIDR": "10.244.0.0/24", "providerID": f"kind://docker/demo/{name}"},
        "status": {
            "capacity": capacity,
            "allocatable": dict(capacity),
            "conditions": [],
            "addresses": addresses,
            "nodeInfo": info,
        },
    }


@dataclass
class Nodes:
    registry: Registry
    recorder: Recorder
    manager: Manager
    kubelets: NodeAgent
    _beats: int = field(default=0)

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "nodes" and change.kind != "DELETED":
            yield ("", name_of(change.after))
        elif change.storage == "pods" and change.kind == "ADDED":
            node_name = change.after["spec"].get("nodeName")
            if node_name:
                yield ("", node_name)

    def sync(self, key: Key) -> None:
        """Give a new node its conditions, and keep the taint of a cordoned one."""
        found = self.registry.store.find("nodes", *key)
        if found is None:
            return
        name, cordoned = name_of(found), bool(found["spec"].get("unschedulable"))
        if not found["status"].get("conditions"):
            self._report(found, "True", _READY)
            text = f"Node {name} event: Registered Node {name} in Controller"
            self._event(found, "RegisteredNode", text, ("node-controller", ""))
        elif cordoned != any(t["key"] == _UNSCHEDULABLE for t in _taints(found)):
            self._taint(name, _UNSCHEDULABLE, "NoSchedule", on=cordoned)
            if name not in self.kubelets.cut_off:
                self._tell(found, "NodeNotSchedulable" if cordoned else "NodeSchedulable")

    def begin_heartbeats(self) -> None:
        """Leases every ten seconds of real time, whole statuses every five minutes."""
        self._beat()

    def _beat(self) -> None:
        for each in self.registry.store.all("nodes"):
            if name_of(each) in self.kubelets.cut_off:
                continue
            self._renew_lease(name_of(each))
            if self._beats % STATUS_EVERY == 0:
                self._refresh(each)
        if self._beats % 6 == 5:
            self.recorder.expire()
        self._beats += 1
        timeline = self.registry.timeline
        timeline.later(HEARTBEAT_SECONDS * timeline.speed, self._beat, background=True)

    def _renew_lease(self, name: str) -> None:
        store, now = self.registry.store, rfc3339_nano(self.registry.timeline.now())[:-4] + "Z"
        lease = store.find("leases", "kube-node-lease", name)
        if lease is not None:
            changed = clone(lease)
            changed["spec"]["renewTime"] = now
            store.replace("leases", changed)
        elif store.find("namespaces", "", "kube-node-lease") is not None:
            spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now}
            self.registry.create(
                BY_PLURAL["leases"], {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": spec}
            )

    def _refresh(self, found: Object) -> None:
        status = clone(found["status"])
        for each in status["conditions"]:
            each["lastHeartbeatTime"] = rfc3339(self.registry.timeline.now())
        self.registry.update_status(NODES, found, status)

    def lose(self, name: str) -> None:
        """Cut a node off: after the grace period it is Unknown, its pods are not ready, later they are evicted."""
        self.kubelets.cut_off.add(name)
        self.registry.timeline.later(GRACE_SECONDS, lambda: self._give_up(name))

    def recover(self, name: str) -> None:
        """The node reports again."""
        found = self.registry.store.find("nodes", "", name)
        if found is None:
            return
        self._report(found, "True", _READY)
        for key in (UNREACHABLE, NOT_READY):
            for effect in ("NoSchedule", "NoExecute"):
                self._taint(name, key, effect, on=False)
        found = self.registry.store.find("nodes", "", name) or found
        self._tell(found, "NodeReady")
        self.kubelets.reconnect(name)

    def fail(self, name: str, reason: str = "KubeletNotReady", message: str = "container runtime is down") -> None:
        """The kubelet itself says that the node is not ready (Ready=False)."""
        found = self.registry.store.find("nodes", "", name)
        if found is None:
            return
        self._report(found, "False", (reason, message))
        self._tell(found, "NodeNotReady")
        self._taint(name, NOT_READY, "NoSchedule", on=True)
        self._taint(name, NOT_READY, "NoExecute", on=True)
        self._pods_not_ready(name)
        self._evict_later(name, NOT_READY)

    def press(self, name: str, kind: str = "MemoryPressure", evict: Iterable[str] = ()) -> None:
        """Put a node under pressure; pods whose names begin with one of `evict` are evicted by its kubelet."""
        reason, message, word = _PRESSURES[kind]
        self._set(name, kind, "True", reason, message)
        found = self.registry.get(NODES, "", name)
        self._tell(found, _PRESSURE_EVENTS[kind])
        self._taint(name, f"node.kubernetes.io/{word}-pressure", "NoSchedule", on=True)
        self._event(
            found, "EvictionThresholdMet", f"Attempting to reclaim {_reclaimed(word)}", ("kubelet", name), warning=True
        )
        prefixes = tuple(evict)
        for worker in list(self.kubelets.workers.values()):
            if prefixes and worker.node == name and name_of(worker.pod).startswith(prefixes):
                worker.evict("Evicted", _eviction_text(word, worker.main[0].name))

    def relieve(self, name: str, kind: str = "MemoryPressure") -> None:
        reason, message = _FINE[kind]
        self._set(name, kind, "False", reason, message)
        self._tell(self.registry.get(NODES, "", name), reason.replace("Kubelet", "Node", 1))
        self._taint(name, f"node.kubernetes.io/{_PRESSURES[kind][2]}-pressure", "NoSchedule", on=False)

    def _set(self, name: str, kind: str, status: str, reason: str, message: str) -> None:
        found = self.registry.get(NODES, "", name)
        now, changed = rfc3339(self.registry.timeline.now()), clone(found["status"])
        for each in changed["conditions"]:
            if each["type"] == kind and each["status"] != status:
                each |= {"status": status, "reason": reason, "message": message}
                each |= {"lastHeartbeatTime": now, "lastTransitionTime": now}
        self.registry.update_status(NODES, found, changed)

    def _give_up(self, name: str) -> None:
        found = self.registry.store.find("nodes", "", name)
        if found is None or name not in self.kubelets.cut_off:
            return
        self._report(found, "Unknown", _SILENT)
        self._event(found, "NodeNotReady", f"Node {name} status is now: NodeNotReady", ("node-controller", ""))
        self._taint(name, UNREACHABLE, "NoSchedule", on=True)
        self._taint(name, UNREACHABLE, "NoExecute", on=True)
        self._pods_not_ready(name)
        self._evict_later(name, UNREACHABLE)

    def _report(self, found: Object, ready: str, why: tuple[str, str]) -> None:
        """Write all conditions; Unknown is what the node controller writes for a silent node."""
        now, status = rfc3339(self.registry.timeline.now()), clone(found["status"])
        before = {each["type"]: each for each in status.get("conditions") or []}
        wanted = [(kind, "Unknown" if ready == "Unknown" else "False", *_FINE[kind]) for kind in _FINE]
        wanted.append(("Ready", ready, *why))
        conditions = []
        for kind, value, reason, message in wanted:
            old = before.get(kind)
            if old is not None and kind != "Ready" and old["status"] == "True" and ready != "Unknown":
                conditions.append(old)
                continue
            if ready == "Unknown":
                reason, message = _SILENT
            moved = now if old is None or old["status"] != value else old["lastTransitionTime"]
            beat = old["lastHeartbeatTime"] if old is not None and ready == "Unknown" else now
            times = {"lastHeartbeatTime": beat, "lastTransitionTime": moved}
            conditions.append({"type": kind, "status": value, **times, "reason": reason, "message": message})
        status["conditions"] = conditions
        self.registry.update_status(NODES, found, status)

    def _taint(self, name: str, key: str, effect: str, *, on: bool) -> None:
        found = self.registry.get(NODES, "", name)
        changed = clone(found)
        kept = [each for each in _taints(changed) if (each["key"], each["effect"]) != (key, effect)]
        if on:
            kept.append({"key": key, "effect": effect, "timeAdded": rfc3339(self.registry.timeline.now())})
        changed["spec"]["taints"] = kept
        if not kept:
            del changed["spec"]["taints"]
        if changed != found and len(kept) != len(_taints(found)):
            self.registry.store.replace("nodes", changed)

    def _pods_not_ready(self, name: str) -> None:
        now = rfc3339(self.registry.timeline.now())
        for pod in self._pods_on(name):
            status = clone(pod["status"])
            for each in status.get("conditions") or []:
                if each["type"] == "Ready" and each["status"] == "True":
                    each |= {"status": "False", "lastTransitionTime": now}
                    self.registry.update_status(PODS, pod, status)
                    text = "Node is not ready"
                    self.recorder.event("pods", pod, "NodeNotReady", text, ("node-controller", ""), warning=True)

    def _pods_on(self, name: str) -> list[Object]:
        return [
            each
            for each in self.registry.store.all("pods")
            if each["spec"].get("nodeName") == name and pod_phase(each) not in ("Succeeded", "Failed")
        ]

    def _evict_later(self, name: str, taint: str) -> None:
        for pod in self._pods_on(name):
            tolerations = [
                each
                for each in pod["spec"].get("tolerations") or []
                if each.get("key") in (None, "", taint) and each.get("effect") in (None, "", "NoExecute")
            ]
            seconds = [each.get("tolerationSeconds") for each in tolerations]
            if tolerations and None in seconds:
                continue
            delay = float(min((value for value in seconds if value is not None), default=0))
            self.registry.timeline.later(delay, self._evictor(name, taint, uid_of(pod), pod), background=True)

    def _evictor(self, name: str, taint: str, uid: str, pod: Object) -> Callable[[], None]:
        def evict() -> None:
            found = self.registry.store.find("nodes", "", name)
            current = self.registry.store.find("pods", namespace_of(pod), name_of(pod))
            if found is None or current is None or uid_of(current) != uid or is_deleting(current):
                return
            if not any(each["key"] == taint for each in _taints(found)):
                return
            where = f"{namespace_of(pod)}/{name_of(pod)}"
            text = f"Marking for deletion Pod {where}"
            self.recorder.event("pods", current, "TaintManagerEviction", text, ("taint-eviction-controller", ""))
            now, why = rfc3339(self.registry.timeline.now()), "Taint manager: deleting due to NoExecute taint"
            self.registry.update_status(PODS, current, disrupted(current, now, "DeletionByTaintManager", why))
            self.registry.delete(PODS, namespace_of(pod), name_of(pod), DeleteOptions())

        return evict

    def _tell(self, found: Object, state: str) -> None:
        """A change of a node's status, as its kubelet records it."""
        name = name_of(found)
        self._event(found, state, f"Node {name} status is now: {state}", ("kubelet", name))

    def _event(self, found: Object, reason: str, text: str, source: tuple[str, str], *, warning: bool = False) -> None:
        self.recorder.event("nodes", found, reason, text, source, warning=warning)


def _taints(found: Object) -> list[Object]:
    taints: list[Object] = (found.get("spec") or {}).get("taints") or []
    return taints


def _reclaimed(word: str) -> str:
    return {"memory": "memory", "disk": "ephemeral-storage", "pid": "pids"}[word]


def _eviction_text(word: str, container: str) -> str:
    if word == "memory":
        return (
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 71240Ki. "
            f"Container {container} was using 612484Ki, request is 64Mi, has larger consumption of memory. "
        )
    return (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 8412Mi. "
        f"Container {container} was using 5242Mi, request is 0, has larger consumption of ephemeral-storage. "
    )
