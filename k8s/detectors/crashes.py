"""CrashLoopBackOff: a container that starts and ends again and again. Called by `k8s.detection`.

Init containers that fail are another family (`initialising`), as is the memory limit (`memory`).
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from k8s import containers, model, objects, phrases, symptoms

CRASH_LOOP = symptoms.KindInfo(
    kind="CrashLoopBackOff",
    severity="P2",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts",
    condition="a container starts and ends again and again",
    unless="P1 where no replica is ready",
)
KINDS = (CRASH_LOOP,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "events")

_PROBE = re.compile(
    r"\s*(liveness|startup) probe (?:failed|errored)[^:]{0,200}(?::\s*(.*))?", re.IGNORECASE | re.DOTALL
)
"""As the kubelet's events say it: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/"""


_TOLD_TO_END = frozenset({0, 137, 143})
"""How a process ends that was told to: well, by SIGTERM (128 + 15), or by the SIGKILL that follows (128 + 9)."""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """P1 where the owner has no ready replica left, else P2."""
    now = snapshot.taken_at
    for pod in index.troubled:
        if not symptoms.living(pod):
            continue
        for container in containers.of(pod):
            if container.role not in ("container", "sidecar"):
                continue
            probe = _probe(pod, container, index)
            if containers.crashing(container, now, killed=probe is not None):
                yield _finding(pod, container, index, now, probe)


def _finding(
    pod: objects.Pod,
    container: containers.Container,
    index: model.Index,
    now: datetime,
    failing: tuple[str, str] | None,
) -> model.Finding:
    owner = index.top_owner("Pod", pod.metadata)
    probe, answer = failing or ("", "")
    words = containers.end_words(container)
    answered = f' ("{answer.rstrip(".")}")' if answer else ""
    why = f"its {probe} probe fails{answered}, so the kubelet ends it; {words}" if probe else words
    return symptoms.pod_finding(
        CRASH_LOOP,
        pod,
        index,
        since=symptoms.crashing_since(pod, container, index, now),
        last=symptoms.last_end(container),
        message=f"{container.title} of pod {pod.metadata.name} keeps {'restarting' if probe else 'crashing'}: {why}.",
        cause=f"{container.name} {probe} probe" if probe else containers.end_cause(container),
        container=container,
        facts=containers.end_facts(container) | {"probe": probe, "answer": answer},
        severity="P1" if symptoms.unserved(index, owner) else "P2",
    )


def _probe(pod: objects.Pod, container: containers.Container, index: model.Index) -> tuple[str, str] | None:
    """(liveness or startup, its answer) where such a probe made the kubelet end the last run; None where none did.

    The kubelet soon stops telling what it tells again and again, so an older event counts where the process ended as
    one that was told to.
    """
    ended = containers.last_end(container)
    began = objects.moment(ended.started_at) if ended is not None else None
    if ended is None or began is None or ended.reason == "OOMKilled":
        return None
    for event in symptoms.container_events(pod, container, index, ("Unhealthy", "ProbeError")):
        match, seen = _PROBE.match(event.message or ""), objects.last_seen(event)
        if match is None or seen is None:
            continue
        if seen >= began or ended.exit_code in _TOLD_TO_END:
            return match[1].lower(), phrases.clip(match[2])
    return None
