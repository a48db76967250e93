"""Cases: what every rule asks of a problem and its dossier, and the verdict that it gives.

Kept in one place, so that all rules mean the same by "the last rollout is suspected" and say it in the same words.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import diagnoses
from k8s import model, objects, templates, workloads

_LABEL = re.compile(r"\[(E\d{1,9})\]")
RECENT = timedelta(minutes=30)
"""A rollout that began this shortly before the failure (or after which nothing was well) is suspected of it."""
REVISED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""Workloads that keep earlier revisions."""


@dataclass(frozen=True, slots=True)
class Case:
    """One problem with its dossier, and the questions that the rules ask of them."""

    problem: model.Problem
    dossier: diagnoses.Dossier
    now: datetime

    @property
    def finding(self) -> model.Finding:
        return self.problem.primary

    @property
    def target(self) -> model.Target | None:
        """The workload as it was read for the dossier; None where it could not be, or is gone."""
        target = self.dossier.target
        return None if target is None or target.object is None else target

    @property
    def restarts(self) -> int:
        told = self.finding.facts.get("restarts", "")
        return int(told) if told.isascii() and told.isdigit() else 0

    def seconds(self, name: str) -> timedelta | None:
        """A fact that is a number of seconds; None where it is not known."""
        told = self.fact(name)
        return timedelta(seconds=int(told)) if told.isascii() and told.isdigit() and len(told) < 9 else None

    def count(self, name: str) -> int | None:
        """A fact that is a number; None where it is not known, which is not the same as 0."""
        told = self.fact(name)
        return int(told) if told.isascii() and told.isdigit() and len(told) < 9 else None

    def fact(self, name: str) -> str:
        return self.dossier.facts.get(name, "")

    def cite(self, *sources: diagnoses.Source) -> str:
        """` [E2]` for the first of these sources that there is evidence from; empty where there is none."""
        for source in sources:
            piece = self.dossier.of(source)
            if piece is not None:
                return f" [{piece.label}]"
        return ""

    def found(self, *sources: diagnoses.Source) -> str:
        """The finding's own words as a sentence that cites the first of these sources that there is evidence from."""
        return f"{self.finding.message.rstrip('.')}{self.cite(*sources)}."

    @property
    def changes(self) -> list[str]:
        return [line for line in self.fact("rollout_diff").splitlines() if line]

    @property
    def some_changes(self) -> str:
        """What the last rollout changed, as much of it as fits in a sentence."""
        return "; ".join(self.changes[:3])

    def more_than(self, line: str) -> bool:
        """Whether the last rollout changed something besides this, other than the mark of a restart."""
        return any(each != line and templates.RESTARTED_AT not in each for each in self.changes)

    @property
    def healthy(self) -> workloads.Revision | None:
        """The newest earlier revision that was healthy, with its template."""
        number, target = self.fact("healthy_revision"), self.target
        if target is None or not number:
            return None
        return next((each for each in workloads.revisions(target) if str(each.number) == number), None)

    @property
    def template(self) -> model.Json:
        """The pod template as it is now; empty where it could not be read."""
        return workloads.template((self.target.object if self.target else None) or {})

    def changed(self, *words: str) -> str:
        """The first change of the last rollout that mentions one of these words; empty where none does."""
        lowered = [word.lower() for word in words if word]
        return next((line for line in self.changes if any(word in line.lower() for word in lowered)), "")

    @property
    def rolled_out(self) -> datetime | None:
        return objects.moment(self.fact("rollout_at"))

    @property
    def suspected(self) -> bool:
        """Whether the last rollout changed something and began shortly before the failure did, which the revision
        before it did not have as well."""
        began = self.rolled_out
        if not self.changes or began is None or self.fact("failed_before"):
            return False
        return -timedelta(minutes=2) <= self.problem.since - began <= RECENT

    @property
    def rollout_told(self) -> str:
        """`revision 7, rolled out 6 min before the first failure`, as far as it is known."""
        began = self.rolled_out
        revision = self.fact("rollout_revision")
        if began is None:
            return f"revision {revision}"
        before = self.problem.since - began
        if before < timedelta(minutes=1):
            return f"revision {revision}, rolled out just before the first failure"
        return f"revision {revision}, rolled out {span(before)} before the first failure"

    def began_with(self, changes: str = "") -> str:
        """A sentence that suspects the last rollout by its time, naming these changes of it (else its first ones)."""
        changed = changes or self.some_changes
        return f"It began with {self.rollout_told}, which changed: {changed}{self.cite('rollout')}."

    def last_rollout(self, did: str, change: str) -> str:
        """A sentence that blames one change of the last rollout: it `did` this."""
        return f"The last rollout {did}: {change} ({self.rollout_told}){self.cite('rollout')}."

    def undo(self, why: str) -> tuple[diagnoses.Candidate, ...]:
        """An undo to the newest revision that was healthy, where there is one."""
        healthy = self.fact("healthy_revision")
        if self.problem.subject.kind not in REVISED or not healthy:
            return ()
        return (diagnoses.Candidate(model.RolloutUndo(self.problem.subject, int(healthy)), why),)

    @property
    def no_undo(self) -> str:
        """Said where a rollout is to blame and nothing healthy can be put back. Only of a workload with revisions, and
        not of one that is known to have failed before: that is told for all rules alike."""
        if self.problem.subject.kind not in REVISED:
            return ""
        known = self.fact("healthy_revision") or self.fact("refuted")
        return "" if known else " No earlier revision is known to have been healthy."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of a case. `cause` carries its evidence as `[E2]`; it is redacted by whoever asked the rule."""

    cause: str
    confidence: diagnoses.Confidence
    reason: str
    next_step: str
    candidates: tuple[diagnoses.Candidate, ...] = ()
    kind: diagnoses.CauseKind = "unknown"
    """What sort of thing is at fault."""


Rule = Callable[[Case], Verdict]


def unlabelled(text: str) -> str:
    """Text of a cluster, in which nothing looks like a citation any more: `[E2]` is ours alone to write."""
    return _LABEL.sub(r"(\1)", text)


def span(length: timedelta) -> str:
    """`40 s`, `6 min`, `3 h`, `5 d`."""
    minutes = int(length.total_seconds() // 60)
    if not minutes:
        return f"{max(0, int(length.total_seconds()))} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} d"
