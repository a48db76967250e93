"""RestartGrowth: a workload restarts more often than it usually does. Called by `k8s.detection`.

It rests on what earlier sweeps counted (`k8s.restart_rates`): pods that restarted long ago, or as often as ever, are
silent, and so is everything at the first sweep.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from k8s import containers, history, model, objects, phrases, restart_rates, symptoms

RESTART_GROWTH = symptoms.KindInfo(
    kind="RestartGrowth",
    severity="P3",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",
    condition="a workload restarts more often than usual, by what earlier sweeps counted",
)
KINDS = (RESTART_GROWTH,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods", "past")


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """A container that crash-loops or was OOM-killed has a finding of its own, which tells more."""
    now = snapshot.taken_at
    found = {
        place: growth
        for place, state in snapshot.past.restarts.items()
        if (growth := restart_rates.growth(state, now)) is not None
    }
    if not found:
        return
    pods: Mapping[str, objects.Pod] = {pod.metadata.uid: pod for pod in index.troubled}
    for place, growth in found.items():
        pod = pods.get(growth.pod)
        container = None if pod is None else _named(pod, place.container)
        if pod is not None and container is not None and not _explained(container, snapshot):
            yield _finding(pod, container, place, growth, index)


def _named(pod: objects.Pod, name: str) -> containers.Container | None:
    return next((each for each in containers.of(pod) if each.name == name), None)


def _explained(container: containers.Container, snapshot: model.Snapshot) -> bool:
    ended = containers.last_end(container)
    killed = ended is not None and ended.reason == "OOMKilled"
    return killed or containers.crashing(container, snapshot.taken_at)


def _finding(
    pod: objects.Pod,
    container: containers.Container,
    place: history.Place,
    growth: restart_rates.Growth,
    index: model.Index,
) -> model.Finding:
    daily = growth.usual * (timedelta(days=1) / restart_rates.WINDOW)
    usual = f"about {daily:.0f} a day is usual" if daily >= 1 else "less than one a day is usual"
    return symptoms.pod_finding(
        RESTART_GROWTH,
        pod,
        index,
        since=growth.since,
        message=f"{container.title} of {place.kind} {place.name} restarted {phrases.counted(growth.times, 'time')} "
        f"within the last hour, most often in pod {pod.metadata.name}; {usual}.",
        cause=f"{container.name} restarts more than usual",
        container=container,
        facts=containers.end_facts(container)
        | {"class": "growth", "recent": str(growth.times), "usual_per_day": f"{daily:.1f}"},
    )
