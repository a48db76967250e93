"""One pod on its node: sandbox, init containers, pulls, starts, probes, crashes, back-off and the end.

Every step is a timer, so an idle pod costs nothing. `nodeagent` makes a worker when a pod is bound and stops it when
the pod is deleted. Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ (restart back-off 10 s,
doubled up to 5 min, reset after 10 min of running) and https://kubernetes.io/docs/concepts/containers/images/ .
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from demo.cluster.images import Image, Launch, PullError, Run
from demo.cluster.kubelet import config
from demo.cluster.kubelet.files import FileSystem
from demo.cluster.kubelet.probes import Probes
from demo.cluster.kubelet.resizing import Resizes
from demo.cluster.kubelet.status import CREATING, INITIALIZING, Container, conditions, phase
from demo.cluster.objects import (
    Object,
    clone,
    disrupted,
    is_deleting,
    name_of,
    namespace_of,
    quantity,
    rfc3339,
    uid_of,
)

if TYPE_CHECKING:
    from demo.cluster.kubelet.nodeagent import NodeAgent

FIRST_BACKOFF = 10.0
MAX_BACKOFF = 300.0
RESET_AFTER = 600.0
SANDBOX_SECONDS = 1.2
MOUNT_TIMEOUT = 123.0
SYNC_SECONDS = 12.0
"""How often a pod that waits is looked at again."""
RELIST_SECONDS = 1.0
"""How often a kubelet looks which containers run: one that ends sooner was never seen running, and so never ready."""
SIGKILLED = 137
FOREGROUND_EXIT = 12.0
"""An exit within so many seconds of a start belongs to the start: `settle` waits for it."""


class PodWorker:
    """The kubelet's worker of one pod."""

    def __init__(self, agent: "NodeAgent", pod: Object) -> None:
        self.agent = agent
        self.pod = pod
        self.uid = uid_of(pod)
        self.node: str = pod["spec"]["nodeName"]
        spec = pod["spec"]
        waiting = {"waiting": {"reason": INITIALIZING if spec.get("initContainers") else CREATING}}
        self.init = [Container(each, init=True, state=clone(waiting)) for each in spec.get("initContainers") or []]
        self.main = [Container(each, state=clone(waiting)) for each in spec["containers"]]
        self.probes = Probes(self)
        self.resizes = Resizes(self)
        self.sandbox = False
        self.stopping = False
        self.finished = False
        self.ip = ""
        self.started = rfc3339(agent.timeline.now())
        self._mount_delay = 0.5
        self._mounting_since = agent.timeline.seconds
        self.failure: tuple[str, str] | None = None
        """(reason, message) of an eviction."""

    @property
    def containers(self) -> list[Container]:
        return [*self.init, *self.main]

    def begin(self) -> None:
        self.publish()
        self.agent.later(SANDBOX_SECONDS, self._prepare)

    def _prepare(self) -> None:
        """Volumes, then the sandbox with its address; a missing ConfigMap holds the pod in ContainerCreating."""
        if self.stopping:
            return
        missing = config.missing_volume(self.agent.store, self.pod)
        if missing is not None:
            text = f'MountVolume.SetUp failed for volume "{missing[0]}" : {missing[1]}'
            self.event("FailedMount", text, warning=True)
            self._mount_delay = min(self._mount_delay * 2, 122.0)
            self._give_up_mounting(missing[0])
            self.agent.later(self._mount_delay, self._prepare, background=True)
            return
        self.sandbox = True
        self.ip = self.agent.new_ip(self.node)
        self._advance()

    def _give_up_mounting(self, volume: str) -> None:
        """A sync of the pod waits two minutes and three seconds for its volumes, says so, and begins anew."""
        now = self.agent.timeline.seconds
        if now - self._mounting_since < MOUNT_TIMEOUT:
            return
        self._mounting_since = now
        text = f"unmounted volumes=[{volume}], unattached volumes=[], failed to process volumes=[]"
        text = f"Unable to attach or mount volumes: {text}: context deadline exceeded"
        self.event("FailedMount", text, warning=True)

    def _advance(self) -> None:
        """Start what is next: the first init container that is not done, else all main containers."""
        if self.stopping or self.finished:
            return
        pending = next((each for each in self.init if not each.done), None)
        if pending is None:
            for container in self.main:
                if not container.busy and "waiting" in container.state and not container.attempts:
                    self._start(container)
        elif not pending.busy and not pending.running and not pending.attempts:
            self._start(pending)
        self.publish()

    def _start(self, container: Container) -> None:
        """Pull if need be, then create and start."""
        if self.stopping or self.finished:
            return
        container.busy = True
        image = str(container.spec.get("image", ""))
        present = self.agent.present(self.node, image)
        policy = container.spec.get("imagePullPolicy", "IfNotPresent")
        if present is not None and policy != "Always":
            text = f'Container image "{image}" already present on machine'
            self.event("Pulled", text, container)
            container.later(self.agent.later(0.2, lambda: self._create(container, present)))
        elif policy == "Never":
            text = f'Container image "{image}" is not present with pull policy of Never'
            self._wait(container, "ErrImageNeverPull", text)
            self.event("ErrImageNeverPull", text, container, warning=True)
            self.event("Failed", "Error: ErrImageNeverPull", container, warning=True)
            self._retry(container)
        else:
            self._pull(container, image)

    def _pull(self, container: Container, image: str) -> None:
        secrets = config.pull_secrets(self.agent.store, self.pod)
        if absent := config.missing_pull_secrets(self.agent.store, self.pod):
            text = f"Unable to retrieve some image pull secrets ({', '.join(absent)}); "
            text += "attempting to pull the image may not succeed."
            self.event("FailedToRetrieveImagePullSecret", text, warning=True)
        result = self.agent.images.pull(image, secrets)
        if isinstance(result, PullError):
            if result.invalid_name:
                self._wait(container, "InvalidImageName", result.message)
                self.event("InspectFailed", result.message, container, warning=True)
                self.event("Failed", "Error: InvalidImageName", container, warning=True)
                self._retry(container)
                return
            self.event("Pulling", f'Pulling image "{image}"', container)
            container.later(
                self.agent.later(result.seconds, lambda: self._pull_failed(container, image, result.message))
            )
            return
        self.event("Pulling", f'Pulling image "{image}"', container)
        seconds = result.pull_seconds if self.agent.present(self.node, image) is None else 0.3
        container.later(self.agent.later(seconds, lambda: self._pulled(container, image, result, seconds)))

    def _pulled(self, container: Container, image: str, pulled: Image, seconds: float) -> None:
        self.agent.keep_image(self.node, image, pulled)
        container.pull_backoff = 0.0
        took = f"{int(seconds * 1000)}ms" if seconds < 1 else f"{seconds:.3f}s"
        text = f'Successfully pulled image "{image}" in {took} ({took} including waiting).'
        text += f" Image size: {pulled.size} bytes."
        self.event("Pulled", text, container)
        self._create(container, pulled)

    def _pull_failed(self, container: Container, image: str, message: str) -> None:
        self.event("Failed", f'Failed to pull image "{image}": {message}', container, warning=True)
        self.event("Failed", "Error: ErrImagePull", container, warning=True)
        container.pull_error = message
        container.pull_backoff = min(max(container.pull_backoff * 2, FIRST_BACKOFF), MAX_BACKOFF)
        container.pulled_at = self.agent.timeline.seconds
        self._wait(container, "ErrImagePull", message)
        container.later(self.agent.later(1.5, lambda: self._pull_again(container, image)))

    def _pull_again(self, container: Container, image: str) -> None:
        left = container.pulled_at + container.pull_backoff - self.agent.timeline.seconds
        if left <= 0.01:
            self._start(container)
            return
        text = f'Back-off pulling image "{image}"'
        self.event("BackOff", text, container)
        self.event("Failed", "Error: ImagePullBackOff", container, warning=True)
        self._wait(container, "ImagePullBackOff", f"{text}: ErrImagePull: {container.pull_error}")
        delay = min(SYNC_SECONDS, left)
        container.later(self.agent.later(delay, lambda: self._pull_again(container, image), background=True))

    def _create(self, container: Container, image: Image) -> None:
        try:
            env = config.environment(self.agent.store, self.pod, container.spec)
        except config.ConfigMissingError as error:
            self._wait(container, "CreateContainerConfigError", str(error))
            self.event("Failed", f"Error: {error}", container, warning=True)
            self._retry(container)
            return
        self.event("Created", f"Created container: {container.name}", container)
        limit = ((container.spec.get("resources") or {}).get("limits") or {}).get("memory")
        launch = Launch(
            image=str(container.spec.get("image", "")),
            tag=image.reference.rpartition(":")[2],
            env=env,
            command=(*(container.spec.get("command") or ()), *(container.spec.get("args") or ())),
            memory_limit=None if limit is None else quantity(limit),
            pod=name_of(self.pod),
            namespace=namespace_of(self.pod),
            container=container.name,
            attempt=container.attempts,
        )
        container.run = image.program(launch)
        container.image_id = image.id
        container.container_id = self.agent.new_container_id()
        if container.attempts:
            container.restarts += 1
        container.attempts += 1
        container.started_at = self.agent.timeline.seconds
        if container.run.start_error:
            self._start_failed(container, container.run.start_error)
        else:
            self._running(container)

    def _start_failed(self, container: Container, text: str) -> None:
        self.event("Failed", f"Error: {text}", container, warning=True)
        self._ended(container, 128, "StartError", text, waiting="RunContainerError")

    def _running(self, container: Container) -> None:
        run = container.run
        if run is None:
            return
        self.event("Started", f"Started container {container.name}", container)
        self.agent.logs.begin(container.container_id, run)
        container.busy = False
        container.state = {"running": {"startedAt": rfc3339(self.agent.timeline.now())}}
        container.files = FileSystem()
        self._change_files(container, run)
        container.started = container.spec.get("startupProbe") is None
        seen = run.exit_after is None or run.exit_after >= RELIST_SECONDS
        container.ready = seen and container.started and container.spec.get("readinessProbe") is None
        if container.init and not container.sidecar:
            container.ready = False
        if run.exit_after is not None:
            background = run.exit_after > FOREGROUND_EXIT
            timer = self.agent.later(run.exit_after, lambda: self._exited(container), background=background)
            container.later(timer)
        self.probes.watch(container)
        self._advance()

    def _change_files(self, container: Container, run: Run) -> None:
        """Write and remove the files of the program when it does."""

        def change(path: str, content: str | None) -> Callable[[], None]:
            def do() -> None:
                container.files.files.pop(path, None)
                if content is not None:
                    container.files.files[path] = content

            return do

        for at, path, content in run.files:
            do = change(path, content)
            if at <= 0:
                do()
            else:
                container.later(self.agent.later(at, do, background=at > FOREGROUND_EXIT))

    def _exited(self, container: Container) -> None:
        run = container.run
        if run is None or not container.running:
            return
        reason = run.reason or ("Completed" if run.exit_code == 0 else "Error")
        if reason == "OOMKilled":
            self.agent.report_oom(self.node, container, run.used_memory)
        self._ended(container, run.exit_code, reason, run.message)

    def kill(self, container: Container) -> None:
        """After a startup or liveness probe failed often enough."""
        if container.running:
            container.probe_kills += 1
            code = self._stop_code(container)
            self._ended(container, code, "Completed" if code == 0 else "Error", "")

    def _stop_code(self, container: Container) -> int:
        """How a container ends that is told to, in the time that its pod is given."""
        grace = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        return SIGKILLED if container.run is None or container.run.stop_after > grace else container.run.stop_code

    def _ended(self, container: Container, code: int, reason: str, message: str, waiting: str = "") -> None:
        container.cancel()
        container.busy = False
        container.finished_at = self.agent.timeline.seconds
        self.agent.logs.end(container.container_id)
        started = (container.state.get("running") or {}).get("startedAt") or rfc3339(self.agent.timeline.now())
        ended: Object = {"exitCode": code, "reason": reason}
        if message:
            ended["message"] = message
        ended |= {"startedAt": "1970-01-01T00:00:00Z" if reason == "StartError" else started}
        ended |= {"finishedAt": rfc3339(self.agent.timeline.now()), "containerID": container.container_id}
        before = (container.last.get("terminated") or {}).get("containerID")
        if "terminated" in container.state:
            before = container.state["terminated"]["containerID"]
        if before:
            self.agent.logs.forget(before)
        container.ready = container.started = False
        if container.finished_at - container.started_at >= RESET_AFTER:
            container.backoff = 0.0
        if waiting:
            container.last = {"terminated": ended}
            container.state = {"waiting": {"reason": waiting, "message": message}}
        else:
            container.state = {"terminated": ended}
        self.publish()
        if self._restarts(container, code):
            container.later(self.agent.later(1.0, lambda: self._restart(container)))
        elif container.init:
            container.ready = code == 0
            self._advance()

    def _restarts(self, container: Container, code: int) -> bool:
        if self.finished or self.stopping:
            return False
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if container.init and not container.sidecar:
            return code != 0 and policy != "Never"
        return policy == "Always" or container.sidecar or (policy == "OnFailure" and code != 0)

    def _restart(self, container: Container) -> None:
        """Start again once the back-off is over; until then CrashLoopBackOff."""
        left = container.finished_at + container.backoff - self.agent.timeline.seconds
        if "terminated" in container.state:
            container.last = {"terminated": container.state["terminated"]}
        if left <= 0.01:
            if container.probe_kills != 1 or container.backoff:
                container.backoff = min(max(container.backoff * 2, FIRST_BACKOFF), MAX_BACKOFF)
            self._start(container)
            return
        where = f"{name_of(self.pod)}_{namespace_of(self.pod)}({self.uid})"
        text = f"back-off {_duration(container.backoff)} restarting failed container={container.name} pod={where}"
        message = f"Back-off restarting failed container {container.name} in pod {where}"
        self.event("BackOff", message, container, warning=True)
        self._wait(container, "CrashLoopBackOff", text)
        delay = min(SYNC_SECONDS, left)
        container.later(self.agent.later(delay, lambda: self._restart(container), background=True))

    def _wait(self, container: Container, reason: str, message: str) -> None:
        container.state = {"waiting": {"reason": reason, "message": message}}
        self.publish()

    def _retry(self, container: Container) -> None:
        container.later(self.agent.later(SYNC_SECONDS, lambda: self._start(container), background=True))

    def event(self, reason: str, message: str, container: Container | None = None, *, warning: bool = False) -> None:
        if self.node in self.agent.cut_off:
            return
        path = ""
        if container is not None:
            group = "initContainers" if container.init else "containers"
            path = f"spec.{group}{{{container.name}}}"
        source = ("kubelet", self.node)
        self.agent.recorder.event("pods", self.pod, reason, message, source, warning=warning, field_path=path)

    def publish(self) -> None:
        """Write the status, unless the node is cut off or the pod is gone."""
        current = self.agent.current(self)
        if current is None:
            return
        policy = current["spec"].get("restartPolicy", "Always")
        pod_phase = "Failed" if self.failure else phase("Never" if self.stopping else policy, self.init, self.main)
        if pod_phase in ("Succeeded", "Failed"):
            self.finished = True
        before = (current.get("status") or {}).get("conditions") or []
        now = rfc3339(self.agent.timeline.now())
        status: Object = clone(current.get("status") or {})
        status["phase"] = pod_phase
        status["conditions"] = conditions(
            now,
            before,
            pod_phase,
            self.init,
            self.main,
            sandbox=self.sandbox and not self.finished,
            generation=current["metadata"].get("generation", 1),
        )
        status["conditions"] = self.resizes.shown(status["conditions"])
        status["observedGeneration"] = current["metadata"].get("generation", 1)
        address = self.agent.host_ip(self.node)
        status |= {"hostIP": address, "hostIPs": [{"ip": address}], "startTime": self.started}
        if self.ip:
            status |= {"podIP": self.ip, "podIPs": [{"ip": self.ip}]}
        if self.init:
            status["initContainerStatuses"] = [each.as_status() for each in self.init]
        status["containerStatuses"] = [each.as_status() for each in self.main]
        if self.failure:
            status |= {"reason": self.failure[0], "message": self.failure[1]}
        self.pod = self.agent.write(current, status)

    def evict(self, reason: str, message: str) -> None:
        """Node pressure: everything is killed, and the pod stays as Failed."""
        self.failure = (reason, message)
        self.finished = True
        current = self.agent.current(self)
        if current is not None:
            now = rfc3339(self.agent.timeline.now())
            self.pod = self.agent.write(current, disrupted(current, now, "TerminationByKubelet", message))
        for container in self.containers:
            running = container.running
            container.cancel()
            if running:
                self._ended(container, 137, "Error", "")
        self.event(reason, message, warning=True)
        self.publish()

    def stop(self, grace: float) -> None:
        """The pod is deleted: end the containers within the grace period, then let the object go."""
        if self.stopping:
            return
        self.stopping = True
        slowest = 0.2
        for container in self.containers:
            container.cancel()
            if container.running and container.run is not None:
                slowest = max(slowest, container.run.stop_after)
            if container.running:
                self.event("Killing", f"Stopping container {container.name}", container)
        self.agent.later(min(slowest, max(grace, 0.0)), lambda: self._stopped(grace))

    def _stopped(self, grace: float) -> None:
        for container in self.containers:
            if container.running and container.run is not None:
                killed = container.run.stop_after > grace
                code = 137 if killed else container.run.stop_code
                self._ended(container, code, "Completed" if code == 0 else "Error", "")
        current = self.agent.current(self)
        if current is not None and is_deleting(current):
            self.agent.release(current)


def _duration(seconds: float) -> str:
    """As Go prints a time.Duration: 40s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
