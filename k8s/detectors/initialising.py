"""InitFailing: an init container fails, so the pod never starts. Called by `k8s.detection`.

An init container whose image or configuration is the trouble is found by those families; a sidecar (an init container
that is restarted always) crashes like any other container. One failure that is tried again at once is no finding: many
an init container waits in this way for what it needs.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from k8s import containers, model, objects, symptoms

INIT_FAILING = symptoms.KindInfo(
    kind="InitFailing",
    severity="P2",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/tasks/debug/debug-application/debug-init-containers/",
    condition="an init container fails again and again, so its pod never starts",
)
KINDS = (INIT_FAILING,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods",)


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    now = snapshot.taken_at
    for pod in index.troubled:
        for container in containers.of(pod):
            if container.role == "init" and _failing(pod, container, now):
                yield symptoms.pod_finding(
                    INIT_FAILING,
                    pod,
                    index,
                    since=symptoms.crashing_since(pod, container, index, now),
                    message=f"{container.title} of pod {pod.metadata.name} fails, so the pod does not start: "
                    f"{containers.end_words(container)}.",
                    cause=containers.end_cause(container),
                    container=container,
                    facts=containers.end_facts(container),
                )


def _failing(pod: objects.Pod, container: containers.Container, now: datetime) -> bool:
    """A pod that has failed for good (it is not restarted) is news for an hour."""
    ended = container.ended
    if not symptoms.living(pod):
        return ended is not None and bool(ended.exit_code) and containers.recently(ended.finished_at, now)
    again = container.restarts > 0 and ended is not None and bool(ended.exit_code)
    return again or containers.crashing(container, now)
