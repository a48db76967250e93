"""Histories of workloads, for the kinds that speak of change, and their examples and look-alikes."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from k8s import history, model
from tests.k8s.detectors import builders as b

PLACE = history.Place("ReplicaSet", "shop", "web-7d9f", "uid-web-7d9f", "app")
POD = "web-7d9f-trend"
"""A name of its own: examples are joined, and a pod is there once."""
MIB = 1024.0 * 1024.0
LIMIT = 512 * MIB


def remembered(seen: model.Snapshot, *states: history.State, place: history.Place = PLACE) -> model.Snapshot:
    """The snapshot with these states of the usual pod's workload."""
    past = history.History(kept=True)
    for state in states:
        match state:
            case history.Restarts():
                past = past.with_changes(history.History(restarts={place: state}))
            case history.Memory():
                past = past.with_changes(history.History(memory={place: state}))
            case history.Logs():
                past = past.with_changes(history.History(logs={place: state}))
    return dataclasses.replace(seen, past=past)


# --- restarts


def restarted(times: int = 9, **more: Any) -> b.Json:
    """The usual pod, which runs and was restarted before."""
    status = b.running(restarts=times, started=1500, lastState=b.ended(started=4000, finished=1501))
    return b.pod(POD, [status], **more)


def restarts(*minutes: float, usual: float = 1.0, hours: float = 100.0, pods: Sequence[str] = ()) -> history.Restarts:
    """One restart so many minutes ago each: of the usual pod, or of these in turn."""
    uids = [f"uid-{name}" for name in pods] or [f"uid-{POD}"]
    recent = tuple(
        history.Restart(b.moment(60 * ago), uids[number % len(uids)], 1) for number, ago in enumerate(minutes)
    )
    return history.Restarts(dict.fromkeys(uids, 9), usual, hours, recent, b.NOW)


# --- memory


def limited(**more: Any) -> b.Json:
    """The usual pod with a memory limit."""
    resources = {"limits": {"memory": "512Mi"}}
    return b.pod(POD, spec={"containers": [{"name": "app", "image": "app:1", "resources": resources}]}, **more)


def curve(
    share: Callable[[float], float], *, hours: float = 4.0, every: float = 5.0, until: float = 1.0
) -> history.Memory:
    """Samples of `share` (of the limit, by hours before now) every so many minutes, the last `until` minutes ago."""
    count = int(hours * 60 / every) + 1
    minutes = [until + every * number for number in reversed(range(count))]
    samples = tuple(history.Sample(int(b.moment(60 * ago).timestamp()), share(ago / 60)) for ago in minutes)
    return history.Memory(LIMIT, POD, f"uid-{POD}", samples)


def leak(now: float = 0.8, per_hour: float = 0.05) -> Callable[[float], float]:
    return lambda ago: now - per_hour * ago


# --- logs


def logs(
    recent: int = 30, usual: float = 0.0, *, minutes: float = 600.0, ago: float = 0.0, **more: int
) -> history.Logs:
    """The last read of 5 minutes held so many alike error lines; `more` are other templates and their lines."""
    line = 'ERROR could not reserve stock for order 4711: "timeout"'
    templates = {
        "": history.Template(usual, recent + sum(more.values()), ""),
        "ERROR could not reserve stock for order #": history.Template(usual, recent, line),
    } | {text: history.Template(0.0, count, text) for text, count in more.items()}
    return history.Logs(templates, minutes, 5.0, b.moment(60 * ago), 12, POD, f"uid-{POD}")


def _restarting(state: history.Restarts, pod: b.Json | None = None) -> model.Snapshot:
    return remembered(b.snapshot(pods=[pod or restarted()]), state)


def _filling(state: history.Memory, pod: b.Json | None = None) -> model.Snapshot:
    return remembered(b.snapshot(pods=[pod or limited()]), state)


def _logging(state: history.Logs, pod: b.Json | None = None) -> model.Snapshot:
    return remembered(b.snapshot(pods=[pod or b.pod(POD)]), state)


def _sawtooth(ago: float) -> float:
    return 0.9 if ago > 1 else 0.55 - 0.1 * ago


EXAMPLES: Mapping[str, tuple[model.Snapshot, Mapping[str, model.Snapshot]]] = {
    "RestartGrowth": (
        _restarting(restarts(50, 30, 10)),
        {
            "a long-lived pod with old restarts": b.snapshot(pods=[restarted(400)]),
            "as often as ever": _restarting(restarts(50, 40, 30, 20, 10, usual=400, hours=100)),
            "two restarts": _restarting(restarts(30, 10)),
            "restarts of hours ago": _restarting(restarts(200, 180, 160)),
            "nodes restarted in turn": _restarting(restarts(50, 40, 30, 20, 10, pods=[POD, "b", "c", "d", "e"])),
            "a crash loop, which tells more itself": _restarting(restarts(50, 30, 10), b.pod(POD, [b.crashed()])),
            "a pod that is gone": remembered(b.snapshot(pods=[b.pod("another")]), restarts(50, 30, 10)),
        },
    ),
    "MemoryGrowth": (
        _filling(curve(leak())),
        {
            "less than two hours of samples": _filling(curve(leak(0.9, 0.2), hours=1.8)),
            "a warm-up that levelled off": _filling(curve(lambda ago: 0.85 - 0.6 * math.exp(ago - 5) * (ago > 2))),
            "up and down with the traffic": _filling(curve(lambda ago: 0.7 + 0.2 * math.sin(ago * 4), hours=8)),
            "far from its limit": _filling(curve(leak(0.45, 0.05))),
            "full and flat": _filling(curve(leak(0.97, 0.0))),
            "weeks away": _filling(curve(leak(0.6, 0.002), hours=26)),
            "restarted an hour ago": _filling(curve(_sawtooth)),
            "samples that have ended": _filling(curve(leak(), until=45)),
            "a pod that is going away": _filling(curve(leak()), limited(deletionTimestamp=b.ago(5))),
        },
    ),
    "LogErrors": (
        _logging(logs()),
        {
            "single lines": _logging(logs(4)),
            "as many as ever": _logging(logs(30, usual=3600)),
            "nothing known of it yet": _logging(logs(30, minutes=30)),
            "a read of an hour ago": _logging(logs(ago=60)),
            "a pod that is gone": _logging(logs(), b.pod("another")),
        },
    ),
}
