"""MemoryGrowth: a container's memory rises towards its limit: told before the kernel kills it. `k8s.detection` asks.

It rests on samples of metrics.k8s.io that earlier sweeps took (`k8s.memory_curves`): without a metrics server, a limit,
or two hours of samples it is silent.
"""

from collections.abc import Iterator
from datetime import timedelta

from k8s import history, memory_curves, model, objects, phrases, symptoms

MEMORY_GROWTH = symptoms.KindInfo(
    kind="MemoryGrowth",
    severity="P3",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#how-pods-with-resource-limits-are-run",
    condition="the memory of a container has risen for 2 h or more and will reach its limit",
    unless="P2 where less than an hour is left",
)
KINDS = (MEMORY_GROWTH,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "podmetrics", "past")

URGENT = timedelta(hours=1)


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    found = {
        place: growth
        for place, state in snapshot.past.memory.items()
        if (growth := memory_curves.growth(state, snapshot.taken_at)) is not None
    }
    if not found:
        return
    wanted = {snapshot.past.memory[place].pod_uid for place in found}
    pods = {pod.metadata.uid: pod for pod in snapshot.pods if pod.metadata.uid in wanted}
    for place, growth in found.items():
        state = snapshot.past.memory[place]
        pod = pods.get(state.pod_uid)
        if pod is not None and symptoms.living(pod):
            yield _finding(pod, place, state, growth, index)


def _finding(
    pod: objects.Pod,
    place: history.Place,
    state: history.Memory,
    growth: memory_curves.Growth,
    index: model.Index,
) -> model.Finding:
    used, hourly = phrases.size(_round(growth.share * state.limit)), phrases.size(_round(growth.slope * state.limit))
    limit, left = phrases.size(state.limit), _left(growth.left)
    urgent = growth.left < URGENT
    return model.Finding(
        kind=MEMORY_GROWTH.kind,
        severity="P2" if urgent else MEMORY_GROWTH.severity,
        resource=symptoms.reference("Pod", pod.metadata),
        owner=index.top_owner("Pod", pod.metadata),
        message=f"Container {place.container} of pod {pod.metadata.name} uses {used} of its memory limit of {limit} "
        f"and grows by about {hourly} an hour: {left} left before it is OOM-killed.",
        since=growth.since,
        cause=f"{place.container} grows towards its memory limit",
        grace=MEMORY_GROWTH.grace,
        container=place.container,
        facts={
            "class": "urgent" if urgent else "growth",
            "memory_limit": limit,
            "memory_used": used,
            "per_hour": hourly,
            "left": left,
            "measured": phrases.duration(growth.span),
        },
        node=pod.spec.node_name or "",
    )


def _round(size: float) -> float:
    """To a twentieth, by steps that hold still from one sweep to the next: no card changes for a few bytes."""
    step = 1024.0
    while step * 40 < size:
        step *= 2
    return max(step, round(size / step) * step)


def _left(span: timedelta) -> str:
    """How long it will last, no more exact than it can be known."""
    minutes = span / timedelta(minutes=1)
    if minutes < 15:
        return "less than 15 min are"
    if minutes < 120:
        return f"about {max(1, round(minutes / 15)) * 15} min are"
    return f"about {round(minutes / 60)} h are"
