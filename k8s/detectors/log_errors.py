"""LogErrors: a running container logs more errors than it usually does. Called by `k8s.detection`, where it is on.

It rests on what was read of the logs in sweeps (`k8s.log_rates`), one pod of a workload at a time. Single lines and
what was always there are silent.
"""

from collections.abc import Iterator
from datetime import timedelta

from k8s import history, log_rates, model, objects, phrases, symptoms

LOG_ERRORS = symptoms.KindInfo(
    kind="LogErrors",
    severity="P3",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/cluster-administration/logging/",
    condition="a running container logs errors at a rate above its usual one",
    on=False,
)
KINDS = (LOG_ERRORS,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "past")


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    found = {
        place: told
        for place, state in snapshot.past.logs.items()
        if (told := log_rates.excess(state, snapshot.taken_at)) is not None
    }
    if not found:
        return
    wanted = {snapshot.past.logs[place].pod_uid for place in found}
    pods = {pod.metadata.uid: pod for pod in snapshot.pods if pod.metadata.uid in wanted}
    for place, told in found.items():
        state = snapshot.past.logs[place]
        pod = pods.get(state.pod_uid)
        if pod is not None and pod.status.phase == "Running" and symptoms.living(pod):
            yield _finding(pod, place, state, told, index)


def _finding(
    pod: objects.Pod, place: history.Place, state: history.Logs, told: log_rates.Excess, index: model.Index
) -> model.Finding:
    usual = "such lines are new" if told.new else f"about {max(1, round(told.usual))} are usual"
    example = f', such as "{told.example.rstrip(".")}"' if told.example else ""
    return model.Finding(
        kind=LOG_ERRORS.kind,
        severity=LOG_ERRORS.severity,
        resource=symptoms.reference("Pod", pod.metadata),
        owner=index.top_owner("Pod", pod.metadata),
        message=f"Container {place.container} of pod {pod.metadata.name} logged {phrases.counted(told.lines, 'error')} "
        f"in {phrases.duration(told.span)}{example}; {usual}.",
        since=state.read_at - told.span,
        cause=f"{place.container} logs more errors than usual",
        grace=LOG_ERRORS.grace,
        container=place.container,
        facts={
            "class": "new" if told.new else "more",
            "lines": str(told.lines),
            "usual": f"{told.usual:.1f}",
            "example": told.example,
        },
        node=pod.spec.node_name or "",
    )
