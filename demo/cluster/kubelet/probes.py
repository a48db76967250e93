"""Startup, readiness and liveness probes of running containers, with the events of their failures.

Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ . A probe over the network
that succeeds is not simulated request by request: a timer is set for the moment when its answer changes. An exec probe
runs its command every period, on the files of the container.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from demo.cluster.kubelet.files import NoBinaryError
from demo.cluster.kubelet.status import Container
from demo.cluster.objects import Object

if TYPE_CHECKING:
    from demo.cluster.kubelet.worker import PodWorker

SOON = 12.0
"""Seconds after a start within which `settle` waits for a file that the program writes."""
Kind = Literal["Startup", "Readiness", "Liveness"]


@dataclass
class _Streak:
    """The last result of a probe, and how often it came in a row."""

    passed: bool = False
    count: int = 0

    def add(self, passed: bool) -> None:
        self.count = self.count + 1 if passed == self.passed else 1
        self.passed = passed


class Probes:
    """The probes of one pod."""

    def __init__(self, worker: "PodWorker") -> None:
        self._worker = worker

    def watch(self, container: Container) -> None:
        """Begin after a start. Timers die with the container."""
        startup = container.spec.get("startupProbe")
        if container.run is None:
            return
        if startup is None:
            self._watch_started(container)
        elif "exec" in startup:
            self._begin_exec(container, "Startup", startup)
        else:
            first = self._first(startup, container.run.ready_after)
            self._at(container, first, lambda: self._startup(container, startup, 1))

    def _watch_started(self, container: Container) -> None:
        """Readiness and liveness wait until the startup probe succeeded."""
        run, spec = container.run, container.spec
        if run is None:
            return
        readiness, liveness = spec.get("readinessProbe"), spec.get("livenessProbe")
        uptime = self._uptime(container)
        if readiness is not None and "exec" in readiness:
            self._begin_exec(container, "Readiness", readiness)
        elif readiness is not None:
            first = max(self._first(readiness, run.ready_after) - uptime, 0.3)
            self._at(container, first, lambda: self._readiness(container, readiness))
            if run.ready_until is not None and run.ready_after is not None:
                delay = run.ready_until + readiness.get("periodSeconds", 10) - uptime
                self._at(container, delay, lambda: self._lose(container, readiness, 1), background=True)
        if liveness is not None and "exec" in liveness:
            self._begin_exec(container, "Liveness", liveness)
        elif liveness is not None and run.live_until is not None:
            delay = max(run.live_until, float(liveness.get("initialDelaySeconds", 0))) - uptime
            self._at(container, delay, lambda: self._liveness(container, liveness, 1), background=True)

    def _started(self, container: Container) -> None:
        container.started = True
        container.ready = container.spec.get("readinessProbe") is None
        self._worker.publish()
        self._watch_started(container)

    def _startup(self, container: Container, probe: Object, failures: int) -> None:
        """A startup probe over the network succeeds once the program would be ready."""
        run = container.run
        if run is None or not container.running:
            return
        if run.ready_after is not None and self._uptime(container) >= run.ready_after - 0.05:
            self._started(container)
            return
        self._unhealthy(container, "Startup", self._said(container, probe))
        if failures >= probe.get("failureThreshold", 3):
            self._restart(container, "startup")
            return
        period, soon = float(probe.get("periodSeconds", 10)), run.ready_after is not None
        self._at(container, period, lambda: self._startup(container, probe, failures + 1), background=not soon)

    def _begin_exec(self, container: Container, kind: Kind, probe: Object) -> None:
        delay = max(float(probe.get("initialDelaySeconds", 0)) - self._uptime(container), 0.3)
        self._at(container, delay, lambda: self._exec(container, kind, probe, _Streak()))

    def _exec(self, container: Container, kind: Kind, probe: Object, streak: "_Streak") -> None:
        """One run of a command, and what its result changes; the next comes a period later."""
        if not container.running:
            return
        passed = self._run(container, kind, list((probe["exec"] or {}).get("command") or []))
        if passed is not None:
            streak.add(passed)
        if self._settles(container, kind, probe, streak):
            return
        period = float(probe.get("periodSeconds", 10))
        background = not self._files_move(container, period)
        self._at(container, period, lambda: self._exec(container, kind, probe, streak), background=background)

    def _run(self, container: Container, kind: Kind, command: list[str]) -> bool | None:
        """Whether the command succeeded; None when it could not be run, which counts for neither."""
        try:
            result = container.files.run(command)
        except NoBinaryError as error:
            text = f'failed to exec in container: failed to start exec "{container.id}": {error}'
            text = f"{kind} probe errored and resulted in unknown state: rpc error: code = Unknown desc = {text}"
            self._worker.event("Unhealthy", text, container, warning=True)
            return None
        if result.code:
            self._unhealthy(container, kind, result.stdout + result.stderr)
        return not result.code

    def _settles(self, container: Container, kind: Kind, probe: Object, streak: "_Streak") -> bool:
        """Act on a result that came often enough; whether this probe is over for this container."""
        passed, wanted = streak.passed, probe.get("successThreshold" if streak.passed else "failureThreshold", 3)
        if streak.count < wanted or (kind == "Liveness" and passed):
            return False
        if kind == "Readiness":
            if container.ready != passed:
                container.ready = passed
                self._worker.publish()
            return False
        if passed:
            self._started(container)
        else:
            self._restart(container, kind.lower())
        return True

    def _files_move(self, container: Container, period: float) -> bool:
        """Whether a change of the program's files soon after its start is still to be seen by a probe."""
        soon = [at for at, _, _ in container.run.files if at <= SOON] if container.run is not None else []
        return bool(soon) and self._uptime(container) <= max(soon) + period

    def _restart(self, container: Container, probe: str) -> None:
        text = f"Container {container.name} failed {probe} probe, will be restarted"
        self._worker.event("Killing", text, container)
        delay = container.run.stop_after if container.run is not None else 0.0
        self._at(container, delay, lambda: self._worker.kill(container))

    def _first(self, probe: Object, ready_after: float | None) -> float:
        """When the first probe that matters runs: the kubelet probes at once after the initial delay."""
        delay = float(probe.get("initialDelaySeconds", 0))
        period = float(probe.get("periodSeconds", 10))
        if ready_after is not None and delay < ready_after <= delay + period:
            return ready_after
        return max(delay, 0.3)

    def _readiness(self, container: Container, probe: Object) -> None:
        run, uptime = container.run, self._uptime(container)
        if run is None or not container.running:
            return
        if run.ready_after is not None and uptime >= run.ready_after - 0.05:
            container.ready = True
            self._worker.publish()
            return
        self._unhealthy(container, "Readiness", self._said(container, probe))
        soon = run.ready_after is not None
        period = float(probe.get("periodSeconds", 10))
        self._at(container, period, lambda: self._readiness(container, probe), background=not soon)

    def _lose(self, container: Container, probe: Object, failures: int) -> None:
        run = container.run
        if run is None or not container.running:
            return
        self._unhealthy(container, "Readiness", self._said(container, probe))
        if failures >= probe.get("failureThreshold", 3) and container.ready:
            container.ready = False
            self._worker.publish()
        period = float(probe.get("periodSeconds", 10))
        self._at(container, period, lambda: self._lose(container, probe, failures + 1), background=True)

    def _liveness(self, container: Container, probe: Object, failures: int) -> None:
        run = container.run
        if run is None or not container.running:
            return
        self._unhealthy(container, "Liveness", self._said(container, probe))
        if failures >= probe.get("failureThreshold", 3):
            self._restart(container, "liveness")
            return
        period = float(probe.get("periodSeconds", 10))
        self._at(container, period, lambda: self._liveness(container, probe, failures + 1), background=True)

    def _said(self, container: Container, probe: Object) -> str:
        """What a probe over the network comes back with when the program does not answer it well."""
        run = container.run
        if run is None or run.listens:
            return "" if run is None else run.probe_error
        asked = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc") or {}
        ports = {each.get("name"): each.get("containerPort") for each in container.spec.get("ports") or []}
        address = f"{self._worker.ip}:{ports.get(asked.get('port'), asked.get('port'))}"
        refused = f"dial tcp {address}: connect: connection refused"
        return f'Get "http://{address}{asked.get("path", "/")}": {refused}' if "httpGet" in probe else refused

    def _unhealthy(self, container: Container, probe: str, error: str) -> None:
        self._worker.event("Unhealthy", f"{probe} probe failed: {error}", container, warning=True)

    def _uptime(self, container: Container) -> float:
        return self._worker.agent.timeline.seconds - container.started_at

    def _at(self, container: Container, seconds: float, call: Callable[[], None], *, background: bool = False) -> None:
        container.later(self._worker.agent.later(seconds, call, background=background))
