"""How often a workload's containers restart, from one sweep to the next, and when that is more than usual.

Pure. `observed` is called once a sweep by `k8s.learning`, `growth` by the detector. A restart is news for an hour
(`WINDOW`); what is older makes the usual rate, with a half-life of three days. Restarts that happened before the first
sweep saw the workload are never news: spread over the pods' lives, they are what the usual rate begins with.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import containers, history, model, objects

WINDOW = timedelta(hours=1)
HALF_LIFE = timedelta(days=3)
FIRST_HOURS = 48.0
"""Most hours that the life of pods before the first sweep counts for."""
REFRESH = timedelta(minutes=30)
"""A state that nothing happened to is stored anew this often, so that the hours without restarts count."""
GAP = timedelta(hours=2)
"""Restarts seen after a longer pause cannot be dated well enough to be news."""
LEAST = 3
"""Restarts in the window; fewer are a passing moment."""
OF_ONE_POD = 2
"""Restarts of one pod among them: when nodes are restarted in turn, each pod restarts once."""

PLACES = 2_000
"""States kept up to date in one sweep: those known already, then those with most restarts."""
PODS = 60
RECENT = 60

_TASKS = frozenset({"Job", "CronJob"})
"""Their restarts are retries."""


@dataclass(frozen=True, slots=True)
class Growth:
    times: int
    """Restarts within the window."""
    usual: float
    """Of them expected by the usual rate."""
    since: datetime
    pod: str
    """The uid of the pod that restarted most."""


@dataclass(frozen=True, slots=True)
class _Seen:
    uid: str
    restarts: int
    hours: float
    """Age of the pod."""


def observed(
    snapshot: model.Snapshot, index: model.Index, known: Mapping[history.Place, history.Restarts]
) -> dict[history.Place, history.Restarts]:
    """The states that changed (or are due to be stored anew). Nothing where the pods were not seen whole."""
    if not snapshot.saw(("pods", "replicasets")):
        return {}
    now = snapshot.taken_at
    seen: dict[history.Place, list[_Seen]] = defaultdict(list)
    for pod in index.troubled:
        for container in containers.of(pod):
            if container.restarts <= 0 or container.role not in ("container", "sidecar") or not pod.metadata.uid:
                continue
            owner = index.top_owner("Pod", pod.metadata)
            if owner.kind in _TASKS:
                continue
            place = history.Place(owner.kind, owner.namespace, owner.name, owner.uid, container.name)
            seen[place].append(_Seen(pod.metadata.uid, container.restarts, _hours_old(pod, now)))
    changed: dict[history.Place, history.Restarts] = {}
    for place in _kept(seen, known):
        state = _next(known.get(place), seen[place], now)
        if state is not None:
            changed[place] = state
    return changed


def growth(state: history.Restarts, now: datetime) -> Growth | None:
    """What is beyond the usual; None where nothing is. Counts vary by their square root, so three of those are asked
    for besides twice the usual number."""
    recent = [restart for restart in state.recent if timedelta(0) <= now - restart.at <= WINDOW]
    times = sum(restart.times for restart in recent)
    hours = max(state.hours, 1.0)
    usual = state.usual / hours * (WINDOW / timedelta(hours=1))
    if times < LEAST or times < 2 * usual or times <= usual + 3 * math.sqrt(usual):
        return None
    by_pod: dict[str, int] = defaultdict(int)
    for restart in recent:
        by_pod[restart.pod] += restart.times
    pod, most = max(by_pod.items(), key=lambda item: (item[1], item[0]))
    if most < OF_ONE_POD:
        return None
    return Growth(times, usual, min(restart.at for restart in recent), pod)


def _kept(
    seen: Mapping[history.Place, Sequence[_Seen]], known: Mapping[history.Place, history.Restarts]
) -> list[history.Place]:
    if len(seen) <= PLACES:
        return list(seen)

    def rank(place: history.Place) -> tuple[bool, int]:
        return place not in known, -sum(pod.restarts for pod in seen[place])

    return sorted(seen, key=rank)[:PLACES]


def _next(before: history.Restarts | None, seen: Sequence[_Seen], now: datetime) -> history.Restarts | None:
    """The state after this sweep; None where it need not be stored."""
    most = sorted(seen, key=lambda pod: -pod.restarts)[:PODS]
    counts = {pod.uid: pod.restarts for pod in most}
    if before is None:
        hours = min(FIRST_HOURS, max(pod.hours for pod in seen))
        rate = sum(pod.restarts / max(pod.hours, hours) for pod in seen)
        return history.Restarts(counts, usual=rate * hours, hours=hours, recent=(), at=now)
    passed = now - before.at
    if passed <= timedelta(0):
        return None  # another replica, whose clock is ahead, was here already
    full = len(before.counts) >= PODS
    grown = [
        history.Restart(now, uid, count - was)
        for uid, count in counts.items()
        if count > (was := before.counts.get(uid, count if full else 0))
    ]
    if not grown and counts == before.counts and passed < REFRESH:
        return None
    every = [*before.recent, *grown]
    news = [restart for restart in every if now - restart.at <= WINDOW][-RECENT:] if passed <= GAP else []
    old = every[: len(every) - len(news)]
    weight = math.exp2(-(passed / HALF_LIFE))
    return history.Restarts(
        counts,
        usual=round(before.usual * weight + sum(restart.times for restart in old), 4),
        hours=round(before.hours * weight + passed / timedelta(hours=1), 4),
        recent=tuple(news),
        at=now,
    )


def _hours_old(pod: objects.Pod, now: datetime) -> float:
    made = objects.moment(pod.metadata.creation_timestamp)
    return 0.1 if made is None else max(0.1, (now - made) / timedelta(hours=1))
