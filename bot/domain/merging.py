"""Which incident a problem goes on with, where a sweep folds it otherwise than the one before.

Workloads that share a cause become one problem (`k8s.sharing`), and a lost node takes its pods: the incidents that were
open by then are one thread from there on. Pure; called by `bot.flow.triage` and `bot.flow.examining`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain import incidents, proposals
from k8s import model, sharing

DONE: frozenset[proposals.State] = frozenset(("unknown", "stopped", "verified", "not-verified", "worse", "undone"))
"""States of a proposal that something was, or may have been, written for."""


@dataclass(frozen=True, slots=True)
class Match:
    """One problem of a sweep, with what is known of it."""

    problem: model.Problem
    known: incidents.Incident | None = None
    """The live incident that it goes on with."""
    folded: tuple[incidents.Incident, ...] = ()
    """Live incidents of workloads whose findings are in this problem now, and in none of their own; oldest first."""


def about(incident: incidents.Incident, problem: model.Problem) -> bool:
    """Whether a problem is the incident's: of its subject, or of the last workload with the cause that it is about."""
    if incident.subject.same(problem.subject):
        return True
    if incident.subject.kind not in sharing.KINDS:
        return False
    causes = (sharing.cause_of(finding) for finding in problem.findings)
    return any(cause is not None and cause.same(incident.subject) for cause in causes)


def matched(live: Sequence[incidents.Incident], problems: Sequence[model.Problem]) -> tuple[Match, ...]:
    """Each problem with its incident; every incident is in one match at most. The very subject comes first."""
    left = list(live)
    known = [_taken(left, [one for one in left if one.subject.same(problem.subject)]) for problem in problems]
    known = [
        one or _taken(left, [other for other in left if about(other, problem)])
        for one, problem in zip(known, problems, strict=True)
    ]
    folded: list[list[incidents.Incident]] = [[] for _ in problems]
    for one in left:
        holding = next((place for place, problem in enumerate(problems) if _holds(problem, one)), None)
        if holding is not None:
            folded[holding].append(one)
    return tuple(Match(*each) for each in zip(problems, known, map(tuple, folded), strict=True))


def of(incident: incidents.Incident, problems: Sequence[model.Problem]) -> model.Problem | None:
    """The incident's problem among these, told of the incident's subject; None where it is not there."""
    for match in matched([incident], problems):
        if match.known is not None:
            same = match.problem.subject.same(incident.subject)
            return match.problem if same else replace(match.problem, subject=incident.subject)
    return None


def _taken(left: list[incidents.Incident], those: Sequence[incidents.Incident]) -> incidents.Incident | None:
    if not those:
        return None
    left.remove(those[0])
    return those[0]


def _holds(problem: model.Problem, incident: incidents.Incident) -> bool:
    return about(incident, problem) or any(finding.owner.same(incident.subject) for finding in problem.findings)


def widened(incident: incidents.Incident, problem: model.Problem, episode: int = 1) -> incidents.Incident:
    """The incident of one workload, about the cause that it shares with others from now on: the same thread goes on.

    Its fingerprint becomes the wider problem's, so that this is known again when it comes back.
    """
    key = incidents.fingerprint(incident.cluster, problem)
    return replace(
        incident, subject=problem.subject, fingerprint=key, episode=episode, previous_id=None, diagnosis_wanted=True
    )


def may_widen(problem: model.Problem, rows: Sequence[proposals.Proposal]) -> bool:
    """Whether an incident with these proposals may go on with a wider subject.

    Not once anything was done for it: what was done, and the way back, belong to the workload that it was about.
    """
    return problem.subject.kind in sharing.KINDS and not any(row.state in DONE | proposals.RUNNING for row in rows)


def merged(into: incidents.Incident) -> str:
    """How an incident ended that another one goes on with: its `resolution`."""
    return f"{incidents.MERGED} {into.name}: {into.subject} is behind both."
