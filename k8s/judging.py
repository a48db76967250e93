"""Judges what a change has touched: the sweep's own detectors, over the touched part of a live picture.

Called by `bot.following`, between sweeps. Pure. It only ever says that something is broken: that a problem is not found
here means nothing, since the lists around workloads are not followed and the rest of the cluster is not looked at.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import detection, live, model, sharing

DETECTORS: tuple[model.Detector, ...] = tuple(
    detector
    for detector in detection.DETECTORS
    if set(detector.reads) <= set(live.KINDS) and not all(map(detection.report_only, detector.kinds))
)
"""Those that rest on nothing but what is followed."""

AFTERMATH = frozenset({"Evicted"})
"""Kinds that tell of a trouble only where it outlasts the moment: what was evicted is being replaced right then."""

UNREAD: Mapping[str, str] = {
    field.name: "it is left to the sweeps"
    for field in dataclasses.fields(model.Snapshot)
    if "Sequence[" in str(field.type) and field.name not in live.KINDS
}
"""Lists of a snapshot that are not followed, and why."""

SHARERS = 300
"""Other subjects that are looked at with one that has a cause which others may share."""
MOST = 5_000
"""Subjects remembered: which are younger than their grace, and which were told lately."""
SOON = timedelta(milliseconds=200)
HORIZON = timedelta(minutes=10)
"""What is mature later than this is left to the sweeps."""
ORPHANED = timedelta(seconds=10)
"""How long an object may wait for its owner to be heard of; a controller makes the owner first."""
REMIND = timedelta(seconds=30)
"""A problem that was told is told again after this long: it is still there, which the sweeps see as well."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked of the detectors. May be asked in another thread."""

    keys: frozenset[live.Key]
    """All that belongs to these is in the snapshot."""
    snapshot: model.Snapshot


class Judge:
    """Of one watch's scope. Remembers when what is too young is to be looked at again."""

    def __init__(self, picture: live.Picture, scope: model.Scope, options: detection.Options) -> None:
        self._picture = picture
        self.scope = scope
        """With the namespaces that match its labels, where it has any: set anew as they change."""
        self._options = options
        self._agenda: dict[live.Key, datetime] = {}
        self._orphans: dict[live.Key, datetime] = {}
        self._young: dict[live.Key, dict[tuple[str, str, str], datetime]] = {}
        """Key → finding → when it was first found without a gap."""
        self._told: dict[tuple[str, tuple[str, ...]], datetime] = {}

    @property
    def next_look(self) -> datetime | None:
        """When the first of those that are too young now is to be judged again."""
        return min(self._agenda.values(), default=None)

    def due(self, now: datetime) -> list[live.Key]:
        """Those whose time has come; they are not on the agenda any more."""
        found = [key for key, at in self._agenda.items() if at <= now]
        for key in found:
            del self._agenda[key]
        return found

    def question(self, keys: Iterable[live.Key], now: datetime, unread: Mapping[str, str]) -> Question:
        """`unread`: followed lists that may not be read, besides those that never are."""
        known: set[live.Key] = set()
        for key in keys:
            settled = self._picture.settled(key)
            if settled is not None:
                known.add(settled)
                self._orphans.pop(key, None)
            else:
                self._wait_for_owner(key, now)
        return self._asked(frozenset(known), now, unread)

    def ask(self, question: Question) -> detection.Detection:
        return detection.detect(question.snapshot, self._options, detectors=DETECTORS)

    def wider(self, question: Question, found: detection.Detection) -> Question | None:
        """The same with all who may share a cause with one of these, where one has such a cause; else None."""
        if not any(sharing.cause_of(finding) for finding in found.findings):
            return None
        keys = question.keys | set(self._picture.suspects(SHARERS))
        snapshot = question.snapshot
        return None if keys == question.keys else self._asked(keys, snapshot.taken_at, snapshot.unread)

    def conclude(self, asked: Question, judged: Question, found: detection.Detection) -> tuple[model.Problem, ...]:
        """The problems of what was `asked` for (`judged` may be wider) that are mature and were not told just now.

        The others go on the agenda, for the moment at which they will be.
        """
        now = judged.snapshot.taken_at
        mature: list[model.Problem] = []
        young: dict[live.Key, dict[tuple[str, str, str], datetime]] = {}
        for problem in found.problems:
            keys = {key_of(finding.owner) for finding in problem.findings} | {key_of(problem.subject)}
            mine = keys & asked.keys
            if not mine or not any(key in judged.keys for key in keys):
                continue
            first = {_name(problem, finding): self._since(mine, problem, finding, now) for finding in problem.findings}
            waits = [finding for finding in problem.findings if finding.kind not in AFTERMATH]
            ripe = [min(first[_name(problem, finding)], finding.since) + finding.grace for finding in waits]
            if any(at <= now for at in ripe):
                if not self._told_lately(problem, now):
                    mature.append(problem)
            elif ripe:
                self._later(mine, min(ripe), now)
                for key in mine:
                    young.setdefault(key, {}).update(first)
        for key in asked.keys:
            self._young.pop(key, None)
        if len(self._young) < MOST:
            self._young.update(young)
        return tuple(mature)

    def told(self, problems: Sequence[model.Problem], now: datetime) -> None:
        """These are on record now."""
        if len(self._told) > MOST:
            self._told.clear()
        self._told.update((_told_as(problem), now) for problem in problems)

    def _asked(self, keys: frozenset[live.Key], now: datetime, unread: Mapping[str, str]) -> Question:
        return Question(keys, self._picture.part(keys, now, self.scope, {**UNREAD, **unread}))

    def _wait_for_owner(self, key: live.Key, now: datetime) -> None:
        since = self._orphans.get(key, now)
        if now - since < ORPHANED and len(self._orphans) < MOST:
            self._orphans[key] = since
            self._agenda[key] = now + SOON
        else:
            self._orphans.pop(key, None)

    def _since(
        self, keys: Iterable[live.Key], problem: model.Problem, finding: model.Finding, now: datetime
    ) -> datetime:
        name = _name(problem, finding)
        return min((self._young[key][name] for key in keys if name in self._young.get(key, ())), default=now)

    def _later(self, keys: Iterable[live.Key], at: datetime, now: datetime) -> None:
        if at - now > HORIZON:
            return
        for key in keys:
            if key in self._agenda or len(self._agenda) < MOST:
                self._agenda[key] = max(at, now + SOON)

    def _told_lately(self, problem: model.Problem, now: datetime) -> bool:
        at = self._told.get(_told_as(problem))
        return at is not None and now - at < REMIND


def key_of(ref: model.ResourceRef) -> live.Key:
    """The key that a subject or an owner is judged under."""
    if ref.kind == "Node":
        return "node", ref.name
    return "owner", ref.uid or str(ref)


def _name(problem: model.Problem, finding: model.Finding) -> tuple[str, str, str]:
    return str(problem.subject), finding.kind, finding.cause


def _told_as(problem: model.Problem) -> tuple[str, tuple[str, ...]]:
    return str(problem.subject), tuple(sorted({f"{finding.kind}:{finding.cause}" for finding in problem.findings}))
