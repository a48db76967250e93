"""LivenessRestarts: the kubelet kills a container for its liveness or startup probe. Called by `k8s.detection`.

The crash loop that comes of it is found as well; this is its cause. `Killing` is a Normal event and not in a snapshot:
what is read is the warning about the probe, and how the container ended.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import containers, model, objects, phrases, symptoms

LIVENESS_RESTARTS = symptoms.KindInfo(
    kind="LivenessRestarts",
    severity="P2",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
    condition="the kubelet restarts a container again and again, as its liveness or startup probe fails",
)
KINDS = (LIVENESS_RESTARTS,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "events")

_PROBE = re.compile(
    r"\s*(liveness|startup) probe (?:failed|errored)[^:]{0,200}(?::\s*(.*))?", re.IGNORECASE | re.DOTALL
)

_THRESHOLD = 3
"""failureThreshold where it is not set, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe."""

_KILLED = frozenset({0, 137, 143})
"""How a container ends that is asked to end: in good order, by SIGKILL, by SIGTERM."""

_DYING = timedelta(seconds=90)
"""How long after the probe's last failure a killed container may take to end with a code of its own: the usual grace
of 30 s, and some more."""


@dataclass(frozen=True, slots=True)
class _Failing:
    """The probe that fails, by its warnings."""

    probe: str
    answer: str
    failures: int
    first: datetime | None
    last: datetime | None


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    now = snapshot.taken_at
    for pod in index.troubled:
        if not symptoms.living(pod):
            continue
        for container in containers.of(pod):
            if container.role == "ephemeral" or not _growing(container, now):
                continue
            failing = _failing(symptoms.container_events(pod, container, index, ("Unhealthy", "ProbeError")))
            # A kill takes as many failures as the threshold: those of the last two restarts were told.
            if failing is not None and failing.failures >= _threshold(container, failing.probe) * min(
                container.restarts, 2
            ):
                ended = containers.last_end(container)
                if ended is not None and _killed(ended, failing):
                    yield _finding(pod, container, failing, index, now)


def _growing(container: containers.Container, now: datetime) -> bool:
    """Whether it was restarted and backs off, or was restarted twice within the hour and ended within it.

    Of a container with n >= 2 restarts the run before the present one began by a restart, too.
    """
    if container.waiting_reason == "CrashLoopBackOff":
        return container.restarts >= 1
    ended = container.ended or container.ended_before
    return container.restarts >= 2 and ended is not None and containers.recently(ended.started_at, now)


def _failing(events: Sequence[objects.Event]) -> _Failing | None:
    """Of the probe that failed last: its newest answer, and how often and since when it is known to have failed."""
    told = [(event, match) for event in events if (match := _PROBE.match(event.message or "")) is not None]
    if not told:
        return None
    probe = told[0][1][1].lower()
    of_it = [event for event, match in told if match[1].lower() == probe]
    firsts = [moment for event in of_it if (moment := symptoms.first_seen(event)) is not None]
    return _Failing(
        probe=probe,
        answer=phrases.clip(told[0][1][2]),
        failures=sum(_count(event) for event in of_it),
        first=min(firsts, default=None),
        last=objects.last_seen(of_it[0]),
    )


def _count(event: objects.Event) -> int:
    in_series = event.series.count if event.series is not None else None
    return max(event.count or in_series or 1, 1)


def _threshold(container: containers.Container, probe: str) -> int:
    spec = container.spec
    found = None if spec is None else spec.startup_probe if probe == "startup" else spec.liveness_probe
    threshold = found.failure_threshold if found is not None else None
    return threshold if threshold is not None and threshold > 0 else _THRESHOLD


def _killed(ended: objects.Terminated, failing: _Failing) -> bool:
    """Whether it was the probe that ended it: it ended as what is asked to end does, or just after the probe failed.

    What ends by itself, or for the memory that it took, may fail a probe on its way down as well.
    """
    if ended.reason == "OOMKilled":
        return False
    finished = objects.moment(ended.finished_at)
    if ended.exit_code in _KILLED:
        return finished is None or failing.first is None or failing.first <= finished
    if finished is None or failing.last is None:
        return False
    return failing.last <= finished <= failing.last + _DYING


def _finding(
    pod: objects.Pod, container: containers.Container, failing: _Failing, index: model.Index, now: datetime
) -> model.Finding:
    times = phrases.counted(container.restarts, "restart")
    answered = f' with "{failing.answer.rstrip(".")}"' if failing.answer else ""
    return symptoms.pod_finding(
        LIVENESS_RESTARTS,
        pod,
        index,
        since=symptoms.earliest(now, failing.first),
        message=f"{container.title} of pod {pod.metadata.name} is killed by the kubelet again and again ({times}): "
        f"its {failing.probe} probe fails{answered}.",
        cause=f"{container.name} {failing.probe} probe",
        container=container,
        facts=containers.end_facts(container)
        | {"probe": failing.probe, "answer": failing.answer, "failures": str(failing.failures)},
    )
