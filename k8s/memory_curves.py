"""How much of its memory limit a workload uses over time, and when that curve leads to the limit.

Pure. `observed` is called once a sweep by `k8s.learning`, `growth` by the detector. A curve is the share of the limit
that the fullest pod of the workload uses, from samples at sweeps. Its slope is the median over all pairs of samples
(Theil-Sen: up to three samples in ten may be far off without moving it).
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import history, model, objects, phrases

KEPT = timedelta(hours=26)
DENSE = timedelta(hours=2)
"""Samples younger than this are all kept, of older ones one in twenty minutes."""
COARSE = timedelta(minutes=20)
APART = timedelta(seconds=280)
"""Sweeps that follow each other faster add no sample: five minutes, less what a sweep may come early."""
SAMPLES = 110
"""26 in the dense part and 72 in the coarse one, and some room."""
NEAR = 0.35
"""Share of the limit from which a curve is begun: well below where one is told of, so that it is known by then."""
PLACES = 1_000
"""Curves kept in one sweep: the fullest."""

LEAST_SPAN = timedelta(hours=2)
LEAST_POINTS = 8
POINTS = 40
"""Samples that a slope is computed from at most: 780 pairs."""
FULL = 0.5
"""Share of the limit below which nothing is told: there is time."""
RISEN = 0.05
"""Of the limit, at least, between the first and the last quarter of the curve."""
STEADY = 0.75
"""Share of all pairs of samples whose later one is higher."""
FALL = 0.75
"""Two samples in a row below this part of the one before: the process was restarted, or let go of its memory."""
FRESH = timedelta(minutes=30)
HORIZON = timedelta(hours=12)
"""A limit that is reached later is not told of yet …"""
AHEAD = 3
"""… nor one that is further away than so many times the length of the curve."""


@dataclass(frozen=True, slots=True)
class Growth:
    share: float
    """Of the limit, now."""
    slope: float
    """Shares of the limit an hour."""
    left: timedelta
    since: datetime
    span: timedelta


@dataclass(frozen=True, slots=True)
class _Used:
    share: float
    limit: float
    pod: objects.Pod


def observed(
    snapshot: model.Snapshot, index: model.Index, known: Mapping[history.Place, history.Memory]
) -> dict[history.Place, history.Memory]:
    """The curves that this sweep adds a sample to. None where there are no metrics, or the pods were not all seen."""
    if not snapshot.podmetrics or not snapshot.saw(("pods", "replicasets")):
        return {}
    of_controllers: dict[tuple[str, str], _Used] = {}
    for pod, name, share, limit in _shares(snapshot):
        if share >= NEAR or known:
            key = (_controller(pod), name)
            if key not in of_controllers or share > of_controllers[key].share:
                of_controllers[key] = _Used(share, limit, pod)
    fullest: dict[history.Place, _Used] = {}
    for (_, name), used in of_controllers.items():  # owners are looked up for controllers, not for all their pods
        owner = index.top_owner("Pod", used.pod.metadata)
        place = history.Place(owner.kind, owner.namespace, owner.name, owner.uid, name)
        if used.share < NEAR and not _was_near(known.get(place)):
            continue
        if place not in fullest or used.share > fullest[place].share:
            fullest[place] = used
    kept = sorted(fullest.items(), key=lambda item: -item[1].share)[:PLACES]
    changed: dict[history.Place, history.Memory] = {}
    for place, used in kept:
        state = _next(known.get(place), used, snapshot.taken_at)
        if state is not None:
            changed[place] = state
    return changed


def growth(state: history.Memory, now: datetime) -> Growth | None:
    """Whether the curve leads to the limit, and when; None where it does not, or not enough of it is known.

    Silent look-alikes: a warm-up that has levelled off, a curve that goes up and down, one that is far from its limit,
    one that fell lately, and one whose last sample is old.
    """
    curve = _since_the_fall(state.samples)
    if len(curve) < LEAST_POINTS:
        return None
    span = timedelta(seconds=curve[-1].at - curve[0].at)
    share = statistics.median(sample.share for sample in curve[-3:])
    age = now.timestamp() - curve[-1].at
    if span < LEAST_SPAN or share < FULL or age > FRESH.total_seconds():
        return None
    quarter = max(2, len(curve) // 4)
    ends = [statistics.median(sample.share for sample in part) for part in (curve[:quarter], curve[-quarter:])]
    if ends[1] - ends[0] < RISEN:
        return None
    points = _spread(curve)
    slopes = list(_slopes(points))
    slope = statistics.median(slopes)
    rising = sum(each > 0 for each in slopes) / len(slopes)
    late = statistics.median(_slopes(points[len(points) // 2 :]))
    if slope <= 0 or rising < STEADY or late < slope / 2:
        return None
    since_then = (now.timestamp() - curve[-2].at) / 3600  # the middle one of those whose median was taken
    hours = max(0.0, (1 - share) / slope - since_then)
    if hours * 3600 > min(HORIZON, AHEAD * span).total_seconds():
        return None
    since = datetime.fromtimestamp(curve[0].at, tz=now.tzinfo)
    return Growth(share, slope, timedelta(hours=hours), since, span)


def _shares(snapshot: model.Snapshot) -> Iterator[tuple[objects.Pod, str, float, float]]:
    """(pod, container, share of its limit, the limit) of every container that has a memory limit."""
    usages = {(item.metadata.namespace, item.metadata.name): item.containers for item in snapshot.podmetrics}
    limits: dict[object, float | None] = {}
    for pod in snapshot.pods:
        used = usages.get((pod.metadata.namespace, pod.metadata.name))
        if not used or pod.metadata.deletion_timestamp:
            continue
        amounts = {item.name: item.usage.memory for item in used if item.usage is not None}
        for spec in (*(pod.spec.containers or ()), *(pod.spec.init_containers or ())):
            text = (spec.resources.limits or {}).get("memory") if spec.resources is not None else None
            if text is None or spec.name not in amounts:
                continue
            key = text if isinstance(text, str | int) else None
            if key not in limits:
                limits[key] = phrases.quantity(key)
            limit, value = limits[key], _bytes(amounts[spec.name])
            if limit and value is not None:
                yield pod, spec.name, value / limit, limit


def _controller(pod: objects.Pod) -> str:
    """The uid of whoever made the pod, its own where that is nobody."""
    return next((each.uid for each in pod.metadata.owner_references or () if each.controller), pod.metadata.uid)


def _bytes(text: object) -> float | None:
    """A quantity; nearly all are whole numbers of Ki, and there is one for every container of a cluster."""
    if isinstance(text, str) and text.endswith("Ki") and len(text) < 18 and text[:-2].isascii() and text[:-2].isdigit():
        return int(text[:-2]) * 1024.0
    return phrases.quantity(text)


def _was_near(state: history.Memory | None) -> bool:
    """So that the first two low samples after a fall, which show it, are kept, and not those that follow."""
    return state is not None and any(sample.share >= NEAR for sample in state.samples[-2:])


def _next(before: history.Memory | None, used: _Used, now: datetime) -> history.Memory | None:
    """The curve with this sample; None where the last one is too young."""
    at = int(now.timestamp())
    earlier: Sequence[history.Sample] = ()
    if before is not None and before.limit == used.limit:
        earlier = before.samples
        if earlier and at - earlier[-1].at < APART.total_seconds():
            return None
    sample = history.Sample(at, round(used.share, 4))
    meta = used.pod.metadata
    return history.Memory(used.limit, meta.name, meta.uid, (*_thinned(earlier, at), sample))


def _thinned(samples: Sequence[history.Sample], at: int) -> list[history.Sample]:
    kept: list[history.Sample] = []
    bucket = None
    for sample in samples:
        age = at - sample.at
        if age > KEPT.total_seconds():
            continue
        if age > DENSE.total_seconds():
            this = sample.at // int(COARSE.total_seconds())
            if this == bucket:
                continue
            bucket = this
        kept.append(sample)
    return kept[-(SAMPLES - 1) :]


def _since_the_fall(samples: Sequence[history.Sample]) -> Sequence[history.Sample]:
    """The samples since the last time that memory was let go of."""
    for number in range(len(samples) - 2, 0, -1):
        bound = FALL * samples[number - 1].share
        if samples[number].share < bound and samples[number + 1].share < bound:
            return samples[number:]
    return samples


def _spread(curve: Sequence[history.Sample]) -> Sequence[history.Sample]:
    """At most POINTS of them, spread evenly, the first and the last among them."""
    if len(curve) <= POINTS:
        return curve
    step = (len(curve) - 1) / (POINTS - 1)
    return [curve[round(number * step)] for number in range(POINTS)]


def _slopes(points: Sequence[history.Sample]) -> Iterator[float]:
    """Of all pairs, in shares an hour."""
    for number, early in enumerate(points):
        for late in points[number + 1 :]:
            if late.at > early.at:
                yield (late.share - early.share) * 3600 / (late.at - early.at)
