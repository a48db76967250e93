"""CrashLoopBackOff: a container that starts and ends again and again. Called by `k8s.detection`.

Init containers that fail are another family (`initialising`), as is the memory limit (`memory`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from k8s import containers, model, objects, symptoms

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
reads: tuple[str, ...] = ("pods",)


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """P1 where the owner has no ready replica left, else P2."""
    for pod in index.troubled:
        if not symptoms.living(pod):
            continue
        for container in containers.of(pod):
            if container.role in ("container", "sidecar") and containers.crashing(container, snapshot.taken_at):
                yield _finding(pod, container, index, snapshot.taken_at)


def _finding(pod: objects.Pod, container: containers.Container, index: model.Index, now: datetime) -> model.Finding:
    owner = index.top_owner("Pod", pod.metadata)
    return symptoms.pod_finding(
        CRASH_LOOP,
        pod,
        index,
        since=symptoms.crashing_since(pod, container, index, now),
        message=f"{container.title} of pod {pod.metadata.name} keeps crashing: {containers.end_words(container)}.",
        cause=containers.end_cause(container),
        container=container,
        facts=containers.end_facts(container),
        severity="P1" if symptoms.unserved(index, owner) else "P2",
    )
