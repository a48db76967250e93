"""What is told already: kinds whose finding names its cause itself, and findings that no rule looks into further.

The families come here too, for the plain verdict of a kind of which they know more in some cases only.
"""

from bot.causes import cases, reading, refusals
from bot.domain import advice, diagnoses


def around(case: cases.Case) -> cases.Verdict:
    """A kind whose finding tells its cause itself."""
    found = advice.of(case.finding.kind, case.finding.facts)
    if found is None:
        return plain(case)
    said = case.finding.facts.get("said", "")
    told = f' The cluster says: "{said.rstrip(".")}".' if said and said not in case.finding.message else ""
    cause = f"{case.found('status', 'events')}{told}"
    return cases.Verdict(cause, found.confidence, found.reason, found.next_step, kind=_kind(case, found.cause))


def _kind(case: cases.Case, plain: diagnoses.CauseKind) -> diagnoses.CauseKind:
    """Where the finding itself does not tell what sort of cause it is: by a refusal, else by the log."""
    if plain not in ("unknown", "application"):
        return plain
    if (refused := refusals.kind(case.finding.facts.get("said", ""))) != "unknown":
        return refused
    found = reading.of(case)
    return plain if found is None else found.kind


def shared(case: cases.Case) -> cases.Verdict:
    """Several workloads fail for one reason: nothing that is done to one of them mends it."""
    owners = case.finding.facts.get("owners", "several")
    alone = "the cluster itself says what it refuses, and why"
    reason = alone if owners == "1" else f"{owners} workloads fail for this very reason at the same time"
    return cases.Verdict(
        case.found("status", "events"),
        "high",
        reason,
        advice.SHARED[case.problem.subject.kind],
        kind=advice.SHARED_CAUSES[case.problem.subject.kind],
    )


def own(case: cases.Case) -> cases.Verdict:
    """A kind of somebody's own: what it says is what is known, and its author alone knows what helps."""
    facts = case.finding.facts
    place = f"at {facts['doc']}" if facts.get("doc") else f"at the state and the events of {case.finding.resource}"
    step = facts.get("next_step", "")
    return cases.Verdict(
        case.found("status", "events"),
        "medium" if step else "low",
        f"it is what your own detector says ({facts['rule']}); it was not looked into further",
        step or f"Look {place}.",
    )


def plain(case: cases.Case) -> cases.Verdict:
    """What was found, for a kind without a rule."""
    return cases.Verdict(
        case.found("status", "events"),
        "low",
        "there is no rule for this kind: it is what was found, not why",
        "Look at the evidence in the thread.",
        kind="risk" if case.finding.kind == "Risk" else "unknown",
    )
