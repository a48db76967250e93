"""An incident: one episode of one problem on one subject, and the rules by which sweeps open, keep and resolve it.

Pure: the triage stage feeds in what a sweep saw and what is stored, and writes what comes out.
"""

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from bot import errors
from k8s import detection, model

State = Literal["open", "acknowledged", "snoozed", "resolved"]

SIDE_LISTS = frozenset({"namespaces", "nodes"})
"""Lists that refine a finding on a workload and never make it: an identity with namespaced Roles may not read them, and
its incidents must be able to resolve all the same."""
CLEAR_SWEEPS = 2
"""Good sweeps in a row without the problem before it counts as gone."""
CLEAR_TIME = timedelta(minutes=2)
"""… or this long since the first such sweep, whichever comes first."""
ORPHANED = timedelta(hours=1)
"""Longer than replicas of two versions, or with two files of rules, run beside each other."""
FLAPPING_CYCLES = 3
"""Open/close cycles within FLAPPING_WINDOW that make a problem flapping: it stays in one thread from then on."""
FLAPPING_WINDOW = timedelta(hours=1)
FLAPPING_CLEAR = timedelta(minutes=30)
"""A flapping incident must be quiet for this long before it resolves."""
QUIET_AFTER_RESOLVED = timedelta(minutes=10)
"""For this long after a resolution, signals of before it (an old OOM kill, say) open nothing; after a verified action
as long as the setting says."""


@dataclass(frozen=True, slots=True)
class Incident:
    id: int
    fingerprint: str
    """Hash of cluster, subject uid, primary failure kind and normalised cause: equal for every episode of a problem."""
    episode: int
    """1 for the first time this fingerprint was seen, and so on."""
    cluster: str
    subject: model.ResourceRef
    kinds: tuple[str, ...]
    causes: tuple[str, ...]
    """`kind:cause` of every finding, sorted: when it changes, the diagnosis is out of date."""
    severity: model.Severity
    state: State
    headline: str
    """The primary finding's sentence, redacted."""
    watch_id: int
    channel: str
    since: datetime
    opened_at: datetime
    last_seen_at: datetime
    ready: int | None = None
    desired: int | None = None
    clear_sweeps: int = 0
    clear_since: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolution: str = ""
    """How it ended, in one sentence; empty while it lives."""
    previous_id: int | None = None
    """The episode before this one, whose thread the new message links."""
    flapping: bool = False
    diagnosis_wanted: bool = False
    asked_by: str = ""
    """Who wants the next diagnosis: a Slack user id; empty where nobody but Watchkeeper itself does."""

    @property
    def live(self) -> bool:
        return self.state != "resolved"

    @property
    def name(self) -> str:
        """What people call it: `WK-12`."""
        return f"WK-{self.id}"


def fingerprint(cluster: str, problem: model.Problem) -> str:
    """Equal for every episode of the same problem: cluster, subject uid, primary kind, normalised cause."""
    subject = problem.subject.uid or str(problem.subject)
    text = "\x1f".join((cluster, subject, problem.primary.kind, problem.primary.cause))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def causes(problem: model.Problem) -> tuple[str, ...]:
    """`kind:cause` of every finding, sorted and unique."""
    return tuple(sorted({f"{finding.kind}:{finding.cause}" for finding in problem.findings}))


_OF_CONTAINERS = frozenset(
    {
        "CrashLoopBackOff",
        "InitFailing",
        "OOMKilled",
        "NotReady",
        "LivenessRestarts",
        "RestartGrowth",
        "MemoryGrowth",
        "LogErrors",
    }
)
"""Kinds whose causes begin with the name of a container, which another workload need not have."""


def is_alike(incident: Incident, kind: str, cause: str) -> bool:
    """Whether its primary kind is this one, for this cause, whatever the container is called."""
    mine = (each.removeprefix(f"{kind}:") for each in incident.causes if each.startswith(f"{kind}:"))
    return incident.kinds[:1] == (kind,) and any(unnamed(kind, each) == unnamed(kind, cause) for each in mine)


def unnamed(kind: str, cause: str) -> str:
    """A cause without the name of its container: `exit 1`, `out of memory`."""
    return cause.partition(" ")[2] if kind in _OF_CONTAINERS else cause


def covers(incident: Incident, snapshot: model.Snapshot) -> bool:
    """Whether this snapshot would have shown the incident's findings, so that their absence is a fact.

    Never for a kind that this replica does not know: another one, of another version or with other rules, may find it.
    """
    namespace = incident.subject.namespace
    if namespace and not snapshot.scope.includes(namespace):
        return False
    known = all(kind in detection.KINDS or kind in snapshot.rests for kind in incident.kinds)
    return known and not gaps(incident, snapshot)


def orphaned(incident: Incident, kinds: Container[str], now: datetime) -> bool:
    """Whether nobody looks for any of its kinds any more: this replica knows none of them, and for an hour no other
    one has seen it either. Its rule was removed, or its detector uninstalled."""
    return now - incident.last_seen_at >= ORPHANED and not any(kind in kinds for kind in incident.kinds)


def left(incident: Incident, watched: model.Scope, looked: model.Scope) -> bool:
    """Whether a look at all that is watched shows that its namespace has left: it lacks the labels now, or is gone."""
    namespace = incident.subject.namespace
    chosen = bool(watched.labels) and looked == watched and looked.selected is not None
    return chosen and bool(namespace) and not looked.includes(namespace)


def gaps(incident: Incident, snapshot: model.Snapshot) -> dict[str, str]:
    """List → why it was not seen whole: of those without which the absence of the incident's findings says nothing."""
    unseen = {**snapshot.unread, **snapshot.degraded}
    if not snapshot.past.kept:
        unseen["past"] = "what earlier sweeps learnt was not at hand"
    return {name: unseen[name] for name in _rests_on(incident, snapshot) if name in unseen}


def _rests_on(incident: Incident, snapshot: model.Snapshot) -> list[str]:
    """Of its kinds, each with its causes. In a namespace, or outside of all."""
    found = {name for kind in incident.kinds for name in snapshot.rests.get(kind, ())}
    for kind in incident.kinds:
        if kind in detection.KINDS:
            causes = [cause.removeprefix(f"{kind}:") for cause in incident.causes if cause.startswith(f"{kind}:")]
            found.update(name for cause in causes or [""] for name in detection.reads(kind, cause))
    return sorted(found - SIDE_LISTS if incident.subject.namespace else found)


def seen_again(incident: Incident, problem: model.Problem, headline: str, now: datetime) -> Incident:
    """The incident after a sweep that saw its problem; it wants a diagnosis where its causes changed."""
    found = causes(problem)
    return replace(
        incident,
        kinds=problem.kinds,
        causes=found,
        severity=problem.severity,
        headline=headline,
        ready=problem.ready,
        desired=problem.desired,
        last_seen_at=now,
        clear_sweeps=0,
        clear_since=None,
        diagnosis_wanted=incident.diagnosis_wanted or found != incident.causes,
    )


UNKNOWN = "what became of the problem is not known."
"""How the resolution ends of an incident that nobody looks at any more: its problem may well be there."""
UNTOUCHED = "The problem is gone; nothing was changed from here."
FIXED = "Fixed by"
"""How the resolution begins of an incident that a verified action ended."""
MERGED = "Merged into"
"""How the resolution begins of an incident that another one goes on with: its problem is not gone."""


def seen_clear(incident: Incident, now: datetime, resolution: str = UNTOUCHED) -> Incident:
    """The incident after a good sweep that covered it and did not find it: one step nearer to resolved, or resolved.

    `resolution` is what is told of how it ended, where it ends.
    """
    cleared = replace(incident, clear_sweeps=incident.clear_sweeps + 1, clear_since=incident.clear_since or now)
    quiet = now - (cleared.clear_since or now)
    if cleared.flapping:
        gone = quiet >= FLAPPING_CLEAR
    else:
        gone = cleared.clear_sweeps >= CLEAR_SWEEPS or quiet >= CLEAR_TIME
    if not gone:
        return cleared
    return resolve(cleared, resolution, now)


def resolve(incident: Incident, resolution: str, now: datetime) -> Incident:
    ended = replace(incident, state="resolved", resolved_at=now, resolution=resolution)
    return replace(ended, diagnosis_wanted=False, asked_by="")


def acknowledge(incident: Incident, user: str, now: datetime) -> Incident:
    """Takes it on. Refused (`errors.NotPossible`) where it is resolved or somebody has it already."""
    if incident.state == "resolved":
        raise errors.NotPossible(f"{incident.name} is already resolved: {incident.resolution}")
    if incident.state == "acknowledged":
        raise errors.NotPossible(f"{incident.name} is already acknowledged by <@{incident.acknowledged_by}>.")
    return replace(incident, state="acknowledged", acknowledged_at=now, acknowledged_by=user)


def reopened_flapping(past: Sequence[Incident], now: datetime) -> Incident | None:
    """The latest of these past episodes of one fingerprint, where a new one would make it flapping; else None."""
    recent = [one for one in past if one.resolved_at is not None and now - one.opened_at <= FLAPPING_WINDOW]
    already = next((one for one in past if one.flapping and one.resolved_at is not None), None)
    if already is not None and now - (already.resolved_at or now) <= FLAPPING_WINDOW:
        return already
    if len(recent) + 1 < FLAPPING_CYCLES:
        return None
    return max(recent, key=lambda one: one.opened_at)


def fixed(incident: Incident) -> bool:
    """Whether a verified action ended it."""
    return incident.state == "resolved" and incident.resolution.startswith(FIXED)


def is_old_signal(
    problem: model.Problem, last: Incident | None, now: datetime, quiet: timedelta = QUIET_AFTER_RESOLVED
) -> bool:
    """Whether all that is found was there before the last episode on this subject was resolved, a short while ago, and
    has not happened again since. `quiet`: how long that holds after a verified action."""
    if last is None or last.resolved_at is None:
        return False
    if now - last.resolved_at > (quiet if fixed(last) else QUIET_AFTER_RESOLVED):
        return False
    if last.resolution.startswith(MERGED) or last.resolution.endswith(UNKNOWN):
        return False
    resolved_at = last.resolved_at
    return all(finding.latest <= resolved_at for finding in problem.findings)


def came_back(last: Incident | None, now: datetime, quiet: timedelta) -> bool:
    """Whether what is found now goes on in the thread of the last episode: an action was verified there, within
    `quiet`. Only after `is_old_signal` said no."""
    return last is not None and last.resolved_at is not None and fixed(last) and now - last.resolved_at <= quiet


def reopened(last: Incident, problem: model.Problem, headline: str, now: datetime) -> Incident:
    """The same episode goes on: its problem is new to whoever has to find its cause, and nobody has it yet."""
    again = seen_again(last, problem, headline, now)
    return replace(
        again,
        state="open",
        resolved_at=None,
        resolution="",
        acknowledged_at=None,
        acknowledged_by="",
        diagnosis_wanted=True,
    )
