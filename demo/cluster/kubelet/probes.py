"""Readiness and liveness probes of running containers, with the events of their failures.

Source: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/ . A probe that succeeds is
not simulated request by request: a timer is set for the moment when its answer changes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from demo.cluster.kubelet.status import Container
from demo.cluster.objects import Object

if TYPE_CHECKING:
    from demo.cluster.kubelet.worker import PodWorker

SIGKILLED = 137


class Probes:
    """The probes of one pod."""

    def __init__(self, worker: "PodWorker") -> None:
        self._worker = worker

    def watch(self, container: Container) -> None:
        """Begin after a start. Timers die with the container."""
        run, spec = container.run, container.spec
        if run is None:
            return
        readiness, liveness = spec.get("readinessProbe"), spec.get("livenessProbe")
        if readiness is not None:
            self._at(container, self._first(readiness, run.ready_after), lambda: self._readiness(container, readiness))
            if run.ready_until is not None and run.ready_after is not None:
                delay = run.ready_until + readiness.get("periodSeconds", 10)
                self._at(container, delay, lambda: self._lose(container, readiness, 1), background=True)
        if liveness is not None and run.live_until is not None:
            delay = max(run.live_until, float(liveness.get("initialDelaySeconds", 0)))
            self._at(container, delay, lambda: self._liveness(container, liveness, 1), background=True)

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
        self._unhealthy(container, "Readiness", run.probe_error)
        soon = run.ready_after is not None
        period = float(probe.get("periodSeconds", 10))
        self._at(container, period, lambda: self._readiness(container, probe), background=not soon)

    def _lose(self, container: Container, probe: Object, failures: int) -> None:
        run = container.run
        if run is None or not container.running:
            return
        self._unhealthy(container, "Readiness", run.probe_error)
        if failures >= probe.get("failureThreshold", 3) and container.ready:
            container.ready = False
            self._worker.publish()
        period = float(probe.get("periodSeconds", 10))
        self._at(container, period, lambda: self._lose(container, probe, failures + 1), background=True)

    def _liveness(self, container: Container, probe: Object, failures: int) -> None:
        run = container.run
        if run is None or not container.running:
            return
        self._unhealthy(container, "Liveness", run.probe_error)
        if failures >= probe.get("failureThreshold", 3):
            text = f"Container {container.name} failed liveness probe, will be restarted"
            self._worker.event("Killing", text, container)
            self._at(container, run.stop_after, lambda: self._worker.kill(container, SIGKILLED))
            return
        period = float(probe.get("periodSeconds", 10))
        self._at(container, period, lambda: self._liveness(container, probe, failures + 1), background=True)

    def _unhealthy(self, container: Container, probe: str, error: str) -> None:
        self._worker.event("Unhealthy", f"{probe} probe failed: {error}", container, warning=True)

    def _uptime(self, container: Container) -> float:
        return self._worker.agent.timeline.seconds - container.started_at

    def _at(self, container: Container, seconds: float, call: Callable[[], None], *, background: bool = False) -> None:
        container.later(self._worker.agent.later(seconds, call, background=background))
