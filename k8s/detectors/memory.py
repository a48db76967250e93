"""OOMKilled: a container was killed for the memory that it took. Called by `k8s.detection`."""

from collections.abc import Iterator
from datetime import timedelta

from k8s import containers, model, objects, phrases, symptoms

OOM_KILLED = symptoms.KindInfo(
    kind="OOMKilled",
    severity="P2",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
    condition="a container was killed for the memory that it took",
    unless="P3 for a debugging container",
)
KINDS = (OOM_KILLED,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods",)


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """The reason decides, never the exit code alone: 137 is what every SIGKILL leaves."""
    now = snapshot.taken_at
    for pod in index.troubled:
        for container in containers.of(pod):
            kills = [
                ended
                for ended in (container.ended, container.ended_before)
                if ended is not None and ended.reason == "OOMKilled" and containers.recently(ended.finished_at, now)
            ]
            if kills:
                yield symptoms.pod_finding(
                    OOM_KILLED,
                    pod,
                    index,
                    since=symptoms.earliest(now, *(containers.moment_of(kill) for kill in kills)),
                    last=containers.moment_of(kills[0]),
                    message=_message(pod, container),
                    cause=f"{container.name} out of memory",
                    container=container,
                    facts=_facts(container, kills[0]),
                    severity=symptoms.container_severity(OOM_KILLED, container),
                )


def _message(pod: objects.Pod, container: containers.Container) -> str:
    limit = _memory(container, "limits")
    reached = f"when it reached its memory limit of {limit}" if limit else "while its node or pod was out of memory"
    times = phrases.counted(container.restarts, "restart")
    return f"{container.title} of pod {pod.metadata.name} was OOM-killed {reached} ({times} so far)."


def _facts(container: containers.Container, kill: objects.Terminated) -> dict[str, str]:
    return {
        "reason": "OOMKilled",
        "exit_code": "" if kill.exit_code is None else str(kill.exit_code),
        "restarts": str(container.restarts),
        "memory_limit": _memory(container, "limits"),
        "memory_request": _memory(container, "requests"),
    }


def _memory(container: containers.Container, which: str) -> str:
    resources = container.spec.resources if container.spec is not None else None
    if resources is None:
        return ""
    amounts = resources.limits if which == "limits" else resources.requests
    value = phrases.quantity((amounts or {}).get("memory"))
    return "" if value is None else phrases.size(value)
