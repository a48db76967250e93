"""How often a workload's containers log errors, read from time to time, and when that is more than usual.

Pure. `due` says whose log is to be read in this sweep, `heard` takes what was read, `excess` is asked by the detector.
One pod of a workload speaks for all of them; which one changes from read to read.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import history, log_templates, model, objects, phrases, redact, symptoms

BUDGET = 60
"""Logs read in one sweep: those that told of an excess last time, then new ones, then those not read for longest."""
PLACES = 5_000
"""Containers whose logs are followed at all."""
LONGEST = timedelta(minutes=15)
"""A read goes back no further, however long ago the last one was."""
SHORTEST = timedelta(minutes=4)
"""A log is not read again before."""
FRESH = timedelta(minutes=30)
"""An older read tells nothing of the present."""
HALF_LIFE = timedelta(hours=24)
LEARNING = 45.0
"""Minutes of log that must have been read before anything is above the usual."""
LEAST = 5
"""Alike lines in one read; fewer are single lines."""
TIMES = 3
"""So many times the usual, at least."""
TEMPLATES = 8
TEXT = 160
"""Characters of a template, and of its example."""
ALL = ""
"""Stands for all error lines together: errors that are never alike must not go unseen."""

_TASKS = frozenset({"Job", "CronJob"})
"""They run once: there is no usual."""


@dataclass(frozen=True, slots=True)
class Listening:
    """One log to be read."""

    place: history.Place
    pod: model.ResourceRef
    since: datetime


@dataclass(frozen=True, slots=True)
class Excess:
    lines: int
    """In the last read."""
    usual: float
    """Lines expected by the usual rate."""
    span: timedelta
    example: str
    """A line, redacted."""
    new: bool
    """Whether such lines were not there before."""


def due(
    snapshot: model.Snapshot, index: model.Index, known: Mapping[history.Place, history.Logs], *, budget: int = BUDGET
) -> list[Listening]:
    """Whose log to read now: running containers of workloads, one pod of each."""
    now = snapshot.taken_at
    if not snapshot.saw(("pods", "replicasets")):
        return []
    pods: dict[history.Place, list[objects.Pod]] = defaultdict(list)
    owners: dict[tuple[str, str], model.ResourceRef] = {}
    for pod in snapshot.pods:
        if pod.status.phase != "Running" or pod.metadata.deletion_timestamp:
            continue
        parent = next((each.uid for each in pod.metadata.owner_references or () if each.controller), "")
        key = (parent, "") if parent else ("", pod.metadata.uid)
        if key not in owners:
            owners[key] = index.top_owner("Pod", pod.metadata)
        owner = owners[key]
        if owner.kind in _TASKS:
            continue
        for status in pod.status.container_statuses or ():
            if status.state is not None and status.state.running is not None:
                pods[history.Place(owner.kind, owner.namespace, owner.name, owner.uid, status.name)].append(pod)
    followed = sorted(pods, key=lambda place: (place not in known, place))[:PLACES]
    ripe = [place for place in followed if place not in known or now - known[place].read_at >= SHORTEST]
    ripe.sort(key=lambda place: _turn(known.get(place), now))
    return [_listening(place, pods[place], known.get(place), now) for place in ripe[:budget]]


def heard(
    before: history.Logs | None, listening: Listening, text: str, now: datetime, *, noise: Sequence[str] = ()
) -> history.Logs:
    """The state after a read. `noise`: texts (lower case) of lines that are known and count for nothing."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for line in log_templates.error_lines(text):
        lowered = line.lower()
        if any(known in lowered for known in noise):
            continue
        plain = redact.redact(line)
        alike = phrases.clip(log_templates.template(plain), TEXT)
        counts[alike] += 1
        examples[alike] = phrases.clip(plain, TEXT)
    counts[ALL] = counts.total()
    passed = timedelta(0) if before is None else max(timedelta(0), now - before.read_at)
    weight = math.exp2(-(passed / HALF_LIFE))
    templates = _folded(before, weight)
    for alike, count in counts.items():
        usual = templates[alike].usual if alike in templates else 0.0
        templates[alike] = history.Template(usual, count, examples.get(alike, ""))
    return history.Logs(
        templates=_most(templates),
        minutes=0.0 if before is None else round((before.minutes + before.span) * weight, 4),
        span=max(0.1, round((now - listening.since) / timedelta(minutes=1), 4)),
        read_at=now,
        reads=1 if before is None else before.reads + 1,
        pod=listening.pod.name,
        pod_uid=listening.pod.uid,
    )


def excess(state: history.Logs, now: datetime) -> Excess | None:
    """What the last read has beyond the usual; None where nothing is, or where the usual is not known yet.

    Of several templates the one that is furthest above its usual is told; all lines together where none is.
    """
    if state.minutes < LEARNING or not timedelta(0) <= now - state.read_at <= FRESH:
        return None
    above = [
        (alike != ALL, one.recent - expected, alike)
        for alike, one in state.templates.items()
        if one.recent > _allowed(expected := _expected(one, state))
    ]
    if not above:
        return None
    _, _, alike = max(above)
    one = state.templates[alike]
    expected = _expected(one, state)
    example = one.line or next((each.line for each in state.templates.values() if each.recent and each.line), "")
    return Excess(one.recent, expected, timedelta(minutes=state.span), example, new=expected < 0.05)


def _turn(state: history.Logs | None, now: datetime) -> tuple[int, float]:
    if state is None:
        return 1, 0.0
    told = excess(state, now) is not None
    return (0 if told else 2), state.read_at.timestamp()


def _listening(
    place: history.Place, pods: Sequence[objects.Pod], before: history.Logs | None, now: datetime
) -> Listening:
    """A pod that told of an excess is asked again, as long as it is there; else the next one."""
    since = now - LONGEST if before is None else max(before.read_at, now - LONGEST)
    ordered = sorted(pods, key=lambda pod: pod.metadata.name)
    pod = ordered[(0 if before is None else before.reads) % len(ordered)]
    if before is not None and excess(before, now) is not None:
        pod = next((each for each in ordered if each.metadata.uid == before.pod_uid), pod)
    return Listening(place, symptoms.reference("Pod", pod.metadata), since)


def _expected(one: history.Template, state: history.Logs) -> float:
    return one.usual / max(state.minutes, LEARNING) * state.span


def _allowed(expected: float) -> float:
    """Lines that are not above the usual: counts vary by their square root."""
    return max(LEAST - 1.0, TIMES * expected, expected + 4 * math.sqrt(expected))


def _folded(before: history.Logs | None, weight: float) -> dict[str, history.Template]:
    """The templates with their last read made a part of the usual.

    Once the usual is known, what is above it counts as the most that is not: an outage of an hour must not become what
    is usual, a new habit does within some days.
    """
    if before is None:
        return {}
    folded: dict[str, history.Template] = {}
    for alike, one in before.templates.items():
        lines = float(one.recent)
        if before.minutes >= LEARNING:
            lines = min(lines, _allowed(_expected(one, before)))
        folded[alike] = history.Template(round((one.usual + lines) * weight, 4), 0, one.line)
    return folded


def _most(templates: Mapping[str, history.Template]) -> dict[str, history.Template]:
    """All lines together, and the templates that count most; those long unseen are forgotten."""
    kept = {alike: one for alike, one in templates.items() if alike != ALL and (one.recent or one.usual >= 0.05)}
    ranked = sorted(kept, key=lambda alike: (-kept[alike].recent, -kept[alike].usual, alike))[:TEMPLATES]
    return {ALL: templates[ALL]} | {alike: kept[alike] for alike in ranked}
