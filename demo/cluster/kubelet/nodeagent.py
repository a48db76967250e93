"""The kubelets of all nodes as one controller: a worker for every bound pod, and what a node knows (images, addresses).

A node that is cut off keeps its pods running but reports nothing and hears nothing, as with a lost network.
"""

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from demo.cluster.images import Image, Images
from demo.cluster.kubelet.logs import LogBook
from demo.cluster.kubelet.status import Container
from demo.cluster.kubelet.worker import PodWorker
from demo.cluster.manager import Key
from demo.cluster.objects import (
    Object,
    clone,
    is_deleting,
    name_of,
    namespace_of,
    pod_phase,
    uid_of,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change
from demo.cluster.timeline import Timer

KERNEL = "kernel-monitor"


@dataclass
class NodeAgent:
    """All kubelets."""

    registry: Registry
    recorder: Recorder
    images: Images
    rng: random.Random
    workers: dict[str, PodWorker] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    """Nodes whose kubelet cannot reach the API server."""
    _cached: dict[str, dict[str, Image]] = field(default_factory=dict)
    _addresses: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = self.registry.store
        self.timeline = self.registry.timeline
        self.logs = LogBook(self.timeline)

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "pods":
            yield (namespace_of(change.after), name_of(change.after))
            if change.kind == "DELETED":
                self._drop(uid_of(change.after))

    def sync(self, key: Key) -> None:
        pod = self.store.find("pods", *key)
        if pod is None or not pod["spec"].get("nodeName"):
            return
        if pod["spec"]["nodeName"] in self.cut_off:
            return
        worker = self.workers.get(uid_of(pod))
        if worker is None:
            if pod_phase(pod) in ("Succeeded", "Failed"):
                return
            worker = self.workers[uid_of(pod)] = PodWorker(self, pod)
            worker.begin()
        worker.resizes.look(pod)
        if is_deleting(pod):
            worker.stop(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))

    def reconnect(self, node: str) -> None:
        """The node is back: its pods are reported, and the deletions that it missed are carried out."""
        self.cut_off.discard(node)
        for worker in list(self.workers.values()):
            if worker.node == node:
                worker.publish()
        for pod in self.store.all("pods"):
            if pod["spec"].get("nodeName") == node:
                self.sync((namespace_of(pod), name_of(pod)))

    def later(self, seconds: float, callback: Callable[[], None], *, background: bool = False) -> Timer:
        return self.timeline.later(seconds, callback, background=background)

    def current(self, worker: PodWorker) -> Object | None:
        """The pod as the server has it now, if this worker may still write it."""
        if worker.node in self.cut_off:
            return None
        pod = self.store.find("pods", namespace_of(worker.pod), name_of(worker.pod))
        return pod if pod is not None and uid_of(pod) == worker.uid else None

    def write(self, pod: Object, status: Object) -> Object:
        return self.registry.update_status(BY_PLURAL["pods"], pod, status)

    def release(self, pod: Object) -> None:
        """A deleted pod has ended: remove it, or hand it to whoever holds a finalizer."""
        self._drop(uid_of(pod))
        if pod["metadata"].get("finalizers"):
            changed = clone(pod)
            changed["metadata"]["deletionGracePeriodSeconds"] = 0
            if pod_phase(changed) not in ("Succeeded", "Failed"):
                changed["status"]["phase"] = "Failed"
            self.store.replace("pods", changed)
        else:
            self.store.remove("pods", namespace_of(pod), name_of(pod))

    def _drop(self, uid: str) -> None:
        worker = self.workers.pop(uid, None)
        if worker is not None:
            worker.stopping = True
            for container in worker.containers:
                container.cancel()

    def present(self, node: str, image: str) -> Image | None:
        return self._cached.get(node, {}).get(image)

    def keep_image(self, node: str, reference: str, image: Image) -> None:
        self._cached.setdefault(node, {})[reference] = image

    def new_ip(self, node: str) -> str:
        nodes = [name_of(each) for each in self.store.all("nodes")]
        count = self._addresses[node] = self._addresses.get(node, 1) + 1
        third = nodes.index(node) if node in nodes else 9
        return f"10.244.{third}.{count % 250 + 2}"

    def host_ip(self, node: str) -> str:
        found = self.store.find("nodes", "", node)
        addresses = ((found or {}).get("status") or {}).get("addresses") or []
        return next((str(each["address"]) for each in addresses if each["type"] == "InternalIP"), "172.18.0.9")

    def new_container_id(self) -> str:
        return "containerd://" + hashlib.sha256(self.rng.randbytes(16)).hexdigest()

    def report_oom(self, node: str, container: Container, used: float) -> None:
        """The kernel's line, as node-problem-detector records it on the node."""
        found = self.store.find("nodes", "", node)
        if found is None or node in self.cut_off:
            return
        process = container.name[:15]
        number = 20000 + self.rng.randrange(9000)
        kilobytes = int(used / 1024)
        text = (
            f"Memory cgroup out of memory: Killed process {number} ({process}) total-vm:{kilobytes * 2}kB, "
            f"anon-rss:{kilobytes}kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:{kilobytes // 400}kB "
            "oom_score_adj:985"
        )
        self.recorder.event("nodes", found, "OOMKilling", text, (KERNEL, node), warning=True)
