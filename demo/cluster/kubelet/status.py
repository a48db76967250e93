"""The status of a pod from the states of its containers: phase, conditions, container statuses.

Pure. Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go (getPhase) and
pkg/kubelet/status/generate.go (conditions).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from demo.cluster.images import Run
from demo.cluster.kubelet.files import FileSystem
from demo.cluster.objects import Object, clone
from demo.cluster.timeline import Timer

CREATING = "ContainerCreating"
INITIALIZING = "PodInitializing"


@dataclass
class Container:
    """One container of a pod as its kubelet sees it."""

    spec: Object
    init: bool = False
    state: Object = field(default_factory=dict)
    last: Object = field(default_factory=dict)
    restarts: int = 0
    attempts: int = 0
    ready: bool = False
    started: bool = False
    run: Run | None = None
    container_id: str = ""
    image_id: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0
    backoff: float = 0.0
    """Of restarts, in seconds; 0 before the first."""
    probe_kills: int = 0
    """How often a probe has ended it. The first time costs no back-off: it is started anew in the same step, before the
    kubelet has seen that it ended."""
    pull_backoff: float = 0.0
    pulled_at: float = 0.0
    pull_error: str = ""
    allocated: Object | None = None
    """The resources that its node has set aside for it, where it was resized since it was made."""
    busy: bool = False
    """A start or a pull is under way."""
    files: FileSystem = field(default_factory=FileSystem)
    """As the program and people left it; fresh at every start."""
    timers: list[Timer] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def id(self) -> str:
        """The container's id without the name of the runtime."""
        return self.container_id.rpartition("/")[2]

    @property
    def done(self) -> bool:
        """An init container that need not run again, or a sidecar that is up."""
        if self.sidecar:
            return self.started and self.running
        return (self.state.get("terminated") or {}).get("exitCode") == 0

    def later(self, timer: Timer) -> None:
        self.timers = [each for each in self.timers if not each.cancelled]
        self.timers.append(timer)

    def cancel(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()

    def as_status(self) -> Object:
        status: Object = {
            "name": self.name,
            "state": clone(self.state),
            "lastState": clone(self.last),
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.spec.get("image", ""),
            "imageID": self.image_id,
            "started": self.started,
        }
        if self.container_id:
            status["containerID"] = self.container_id
        resources = self.spec.get("resources") or {}
        if self.container_id and resources:
            status["resources"] = clone(resources)
            allocated = resources if self.allocated is None else self.allocated
            if allocated.get("requests"):
                status["allocatedResources"] = clone(allocated["requests"])
        if mounts := self.spec.get("volumeMounts"):
            status["volumeMounts"] = [_mounted(each) for each in mounts]
        return status


def _mounted(mount: Object) -> Object:
    found = {name: mount[name] for name in ("name", "mountPath") if name in mount}
    return found | ({"readOnly": True, "recursiveReadOnly": "Disabled"} if mount.get("readOnly") else {})


def phase(restart_policy: str, init: Sequence[Container], main: Sequence[Container]) -> str:
    """https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase"""
    for each in init:
        exit_code = (each.state.get("terminated") or {}).get("exitCode")
        if exit_code not in (None, 0) and restart_policy == "Never" and not each.sidecar:
            return "Failed"
    if any(not each.done for each in init) and not any(each.attempts for each in main):
        return "Pending"
    waiting = [each for each in main if "waiting" in each.state and "terminated" not in each.last]
    if waiting:
        return "Pending"
    if any(each.running for each in main) or restart_policy == "Always":
        return "Running"
    ended = [(each.state.get("terminated") or each.last.get("terminated") or {}) for each in main]
    if all(each.get("exitCode") == 0 for each in ended):
        return "Succeeded"
    if restart_policy == "OnFailure" or any("waiting" in each.state for each in main):
        return "Running"
    return "Failed"


def conditions(
    now: str,
    before: Sequence[Object],
    pod_phase: str,
    init: Sequence[Container],
    main: Sequence[Container],
    *,
    sandbox: bool,
    generation: int = 1,
) -> list[Object]:
    """What others keep, then the five conditions of a kubelet; transition times move only when the status does."""
    pending = [each.name for each in init if not each.done]
    initialized = ("True", "", "")
    if pending and not any(each.attempts for each in main):
        initialized = ("False", "ContainersNotInitialized", f"containers with incomplete status: [{' '.join(pending)}]")
    unready = [each.name for each in (*init, *main) if not each.ready and (each.sidecar or not each.init)]
    ready = ("True", "", "")
    if pod_phase == "Succeeded":
        ready = ("False", "PodCompleted", "")
        initialized = ("True", "PodCompleted", "")
    elif pod_phase == "Failed":
        ready = ("False", "PodFailed", "")
    elif unready:
        ready = ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    wanted = [
        ("PodReadyToStartContainers", ("True" if sandbox else "False", "", "")),
        ("Initialized", initialized),
        ("Ready", ready),
        ("ContainersReady", ready),
        ("PodScheduled", ("True", "", "")),
    ]
    old = {each["type"]: each for each in before}
    known = {kind for kind, _ in wanted}
    kept = [clone(each) for each in before if each["type"] not in known]
    return kept + [_condition(kind, generation, *values, now, old.get(kind)) for kind, values in wanted]


def _condition(
    kind: str, generation: int, status: str, reason: str, message: str, now: str, before: Object | None
) -> Object:
    changed = before is None or before["status"] != status
    moment = now if before is None or changed else before["lastTransitionTime"]
    result: Object = {"type": kind, "observedGeneration": generation, "status": status}
    result |= {"lastProbeTime": None, "lastTransitionTime": moment}
    if reason:
        result["reason"] = reason
    if message:
        result["message"] = message
    return result
