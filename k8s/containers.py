"""The containers of a pod, whatever their role, and how they end.

Pure. Called by `k8s.symptoms` and `k8s.detectors`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from k8s import objects, phrases

Role = Literal["container", "init", "sidecar", "ephemeral"]

RECENT_RESTARTS = timedelta(minutes=10)
"""Two restarts inside this window are a crash loop; the kubelet forgets its back-off after ten quiet minutes too."""

STABLE = timedelta(minutes=1)
"""A container that has run for this long, and three times as long as the run that failed, has left its crash loop."""

RECENT_END = timedelta(hours=1)
"""How long a container's end remains news where nothing else shows that it goes on."""


class Container(msgspec.Struct, frozen=True, gc=False):
    """One container of a pod, whatever its role, with its status and (where it is known) its specification."""

    name: str
    role: Role
    status: objects.ContainerStatus
    spec: objects.Container | None

    @property
    def title(self) -> str:
        """How a sentence begins: `Container app`, `Init container migrate`."""
        prefix = {"container": "Container", "init": "Init container", "sidecar": "Sidecar container"}
        return f"{prefix.get(self.role, 'Ephemeral container')} {self.name}"

    @property
    def image(self) -> str:
        """The image as it was asked for; the status may show what it resolved to."""
        return (self.spec.image if self.spec is not None else "") or self.status.image

    @property
    def waiting(self) -> objects.Waiting | None:
        return self.status.state.waiting if self.status.state is not None else None

    @property
    def waiting_reason(self) -> str:
        return (self.waiting.reason or "") if self.waiting is not None else ""

    @property
    def running(self) -> objects.Running | None:
        return self.status.state.running if self.status.state is not None else None

    @property
    def ended(self) -> objects.Terminated | None:
        """How the present run ended, where it has."""
        return self.status.state.terminated if self.status.state is not None else None

    @property
    def ended_before(self) -> objects.Terminated | None:
        """How the run before the present state ended."""
        return self.status.last_state.terminated if self.status.last_state is not None else None

    @property
    def restarts(self) -> int:
        return self.status.restart_count or 0


def of(pod: objects.Pod) -> Iterator[Container]:
    """All containers that have a status: init and sidecar containers first, as they start.

    An init container with `restartPolicy: Always` is a sidecar
    (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/).
    """
    for status in pod.status.init_container_statuses or ():
        spec = _specification(pod.spec.init_containers, status.name)
        sidecar = spec is not None and spec.restart_policy == "Always"
        yield Container(status.name, "sidecar" if sidecar else "init", status, spec)
    for status in pod.status.container_statuses or ():
        yield Container(status.name, "container", status, _specification(pod.spec.containers, status.name))
    for status in pod.status.ephemeral_container_statuses or ():
        yield Container(status.name, "ephemeral", status, None)


def _specification(specs: list[objects.Container] | None, name: str) -> objects.Container | None:
    for spec in specs or ():
        if spec.name == name:
            return spec
    return None


def requested(pod: objects.Pod) -> dict[str, float]:
    """What the scheduler must find free for a pod, in base units: cores, bytes, pieces.

    The sum over containers and sidecars, or one init container with the sidecars started before it where that is more
    (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers).
    """
    total: dict[str, float] = {}
    peak: dict[str, float] = {}
    for container in pod.spec.init_containers or ():
        for name, value in _requests(container):
            if container.restart_policy == "Always":
                total[name] = total.get(name, 0.0) + value
            else:
                peak[name] = max(peak.get(name, 0.0), value + total.get(name, 0.0))
    for container in pod.spec.containers or ():
        for name, value in _requests(container):
            total[name] = total.get(name, 0.0) + value
    return {name: max(total.get(name, 0.0), peak.get(name, 0.0)) for name in total | peak}


def _requests(container: objects.Container) -> Iterator[tuple[str, float]]:
    requests = container.resources.requests if container.resources is not None else None
    for name, text in (requests or {}).items():
        value = phrases.quantity(text)
        if value is not None:
            yield name, value


def crashing(container: Container, now: datetime, *, killed: bool = False) -> bool:
    """Whether a container is in a crash loop: it backs off, or failed and was restarted twice within ten minutes.

    Of a container with n >= 2 restarts both the run before and the present one began by a restart; so where both began
    within the window, two restarts happened in it. A last run that ended well is no crash unless the kubelet backs off,
    and neither is one that the present run has outlived by far.

    `killed`: the kubelet ends it for a failing probe, so that it may well end with code 0.
    """
    if container.waiting_reason == "CrashLoopBackOff":
        return True
    before, present = container.ended_before, container.ended or container.running
    if before is None or container.restarts < 2 or _stable(container, before, now):
        return False
    if not before.exit_code and not killed:
        return False
    began = moment_of(before) if before.reason == "StartError" else objects.moment(before.started_at)
    within = began is not None and now - began <= RECENT_RESTARTS
    return within and (killed or not (isinstance(present, objects.Terminated) and present.exit_code == 0))


def _stable(container: Container, before: objects.Terminated, now: datetime) -> bool:
    """Whether the present run has outlived the one that failed by far: what made it crash has passed."""
    began, ended = objects.moment(before.started_at), objects.moment(before.finished_at)
    runs = objects.moment(container.running.started_at) if container.running is not None else None
    if runs is None or began is None or ended is None or not container.status.ready:
        return False
    return now - runs >= max(STABLE, 3 * (ended - began))


def recently(text: str | None, now: datetime) -> bool:
    """Whether a timestamp lies within the last hour; one that cannot be read does not."""
    moment = objects.moment(text)
    return moment is not None and now - moment <= RECENT_END


def moment_of(ended: objects.Terminated) -> datetime | None:
    return objects.moment(ended.finished_at) or objects.moment(ended.started_at)


def last_end(container: Container) -> objects.Terminated | None:
    """The newest end: of the present run where it has ended, else of the one before."""
    return container.ended or container.ended_before


def end_words(container: Container) -> str:
    """How a container ends, for a sentence: `exit code 1 (Error) after 3 s, 12 restarts`."""
    ended = last_end(container)
    restarts = phrases.counted(container.restarts, "restart")
    if ended is None:
        return f"how it ended is not known, {restarts}"
    words = "no exit code" if ended.exit_code is None else f"exit code {ended.exit_code}"
    if ended.reason:
        words += f" ({ended.reason})"
    started, finished = objects.moment(ended.started_at), objects.moment(ended.finished_at)
    if started is not None and finished is not None and finished >= started:
        words += f" after {phrases.duration(finished - started)}"
    return f"{words}, {restarts}"


def end_cause(container: Container) -> str:
    """The normalised cause of a container that ends: its name and exit code."""
    ended = last_end(container)
    return container.name if ended is None or ended.exit_code is None else f"{container.name} exit {ended.exit_code}"


def end_facts(container: Container) -> dict[str, str]:
    ended = last_end(container) or objects.Terminated()
    return {
        "reason": ended.reason or "",
        "exit_code": "" if ended.exit_code is None else str(ended.exit_code),
        "signal": str(ended.signal) if ended.signal else "",
        "said": phrases.clip(ended.message),
        "restarts": str(container.restarts),
    }
