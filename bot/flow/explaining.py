"""Explaining: a person's question about an incident, answered by rules from what the record holds. Pure.

Recognised by words, in English and Korean; several things may be asked in one breath. What is said is what rows say,
with its evidence as `[E2]`; nothing is guessed. A question that is not understood is answered with what can be
answered, the cause and the titles of the evidence. Called by `bot.pipeline` for the stage `questioning`.

People stand in an answer as `@U0123`: the renderer makes that a mention, and whatever is quoted cannot hold one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import cards, choices, consultations, diagnoses, intents, memory
from k8s import catalogue, model

LONGEST = 2_400
"""Characters of an answer: a phone's screen or two."""
LINES = 12
"""Of a piece of evidence that somebody wants to see."""
QUOTED = 400
_LABEL = re.compile(r"\[E(\d{1,4})\]")
_LIVE = re.compile(r"@(?=[UWS][A-Z0-9])")
CAN = (
    "I can tell: the cause, why not another action (`why not restart?`), what changed, since when, how it stands, who "
    "did what, who may approve, what happens on Approve, what was tried before, what is not known, which runbook fits, "
    "and any piece of evidence (`show E2`)."
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question with all that it is answered from."""

    card: cards.IncidentCard
    text: str
    now: datetime
    why_not: Mapping[str, str]
    """Action → why it is not possible now; empty where it is. Only of those that could be looked at."""
    unseen: str = ""

    @property
    def ready(self) -> str:
        """`1 of 3 ready`; empty where there is no such notion."""
        one = self.card.incident
        return "" if one.ready is None or one.desired is None else f"{one.ready} of {one.desired} ready"

    @property
    def cause(self) -> str:
        found = self.card.diagnosis
        if found is None:
            return f"The cause is not known yet. What was seen: {quoted(self.card.incident.headline)}"
        return quoted(found.cause, 700) or "The cause is not known."

    def cited(self, *sources: diagnoses.Source) -> str:
        """` [E2]` of the first piece from these sources; empty where there is none."""
        found = self.pieces(*sources)
        return f" [{found[0].label}]" if found else ""

    def pieces(self, *sources: diagnoses.Source) -> Sequence[diagnoses.Evidence]:
        return [piece for source in sources for piece in self.card.evidence if piece.source == source]


def quoted(text: str, most: int = QUOTED) -> str:
    """Text of rows on one line: no mention of anybody, and cut."""
    line = " ".join(_LIVE.sub("@ ", text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def answer(
    card: cards.IncidentCard, text: str, now: datetime, why_not: Mapping[str, str], unseen: str = ""
) -> consultations.Answer:
    """`why_not`: of the actions that `intents.about` finds, by a fresh read; `unseen`: why that could not be made."""
    case = Case(card, text, now, why_not, unseen)
    wanted = intents.topics(text)
    suggested = () if "approving" in wanted else intents.suggested(text)
    parts = [_suggestion(case, suggested)] if suggested else []
    parts += [_TOPICS[topic](case) for topic in wanted]
    lines = [line for part in parts for line in part] or list(_fallback(case))
    return _made(card, "\n".join(lines))


def _made(card: cards.IncidentCard, text: str) -> consultations.Answer:
    """Labels of evidence that is not there are taken out; the rest is cited."""
    known = {piece.number: piece for piece in card.evidence}
    told = _LABEL.sub(lambda match: match[0] if int(match[1]) in known else "", text)
    if len(told) > LONGEST:
        told = f"{told[:LONGEST].rpartition(' ')[0]}…"
    cites = tuple(dict.fromkeys(int(number) for number in _LABEL.findall(told)))
    return consultations.Answer(told, "rules", cites, evidence=tuple(known[number] for number in cites))


# --- actions ----------------------------------------------------------------------------------------------------------

_OF_THE_TEMPLATE: Mapping[diagnoses.CauseKind, str] = {
    "missing-variable": "the missing variable",
    "missing-object": "the missing object",
    "missing-file": "the missing file",
    "bad-configuration": "the same configuration",
    "bad-command": "the same command",
    "bad-image": "the same image",
    "pull-secret": "the same pull secret",
    "wrong-port": "the same port",
    "bad-probe": "the same probe",
    "limit-too-low": "the same limit",
    "selector": "the same selector",
    "bad-rollout": "what the rollout changed",
}
"""Causes that every new pod would meet again, since they are in what pods are made of."""
_SAME_PODS = memory.RESTARTS | {"scale"}
"""Actions that only make pods of the same template anew, or more of them."""


def _suggestion(case: Case, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield from _one_action(case, name)
    remedy, found = case.card.remedy, case.card.diagnosis
    if remedy is not None and remedy.proposal.state == "proposed":
        yield f"Proposed instead: `{quoted(remedy.proposal.kubectl)}` ({quoted(remedy.proposal.why, 200)})"
    elif found is not None and found.next_step:
        yield f"Next step for a person: {quoted(found.next_step)}"


def _one_action(case: Case, name: str) -> Iterator[str]:
    card, found = case.card, case.card.diagnosis
    way = choices.way(name)
    title = f"*{way.label if way is not None else name.replace('-', ' ')}*"
    if name not in choices.names(card.incident.subject.kind):
        yield f"{title}: nothing in the catalogue does that for a {card.incident.subject.kind}."
        return
    remedy = card.remedy
    if remedy is not None and model.name_of(remedy.proposal.action) == name and remedy.proposal.state != "superseded":
        yield f"{title} is what was proposed here: {_stands(remedy)}."
    shared = None if found is None else _OF_THE_TEMPLATE.get(found.kind)
    if shared and name in _SAME_PODS:
        yield f"{title} would not help by itself: every new pod meets {shared} again. {case.cause}"
    else:
        yield f"{title}, seen against the cause: {case.cause}"
    candidate = (
        None if found is None else next((one for one in found.candidates if model.name_of(one.action) == name), None)
    )
    if candidate is not None:
        yield f"The diagnosis speaks for it: {quoted(candidate.why, 300)}"
    refused = [reason for reason in card.refused if reason.startswith(name)]
    yield from (f"It was turned down: {quoted(reason)}" for reason in refused[:2])
    yield from _tried(case, name)
    if name in case.why_not:
        against = case.why_not[name]
        yield f"Not possible now: {quoted(against)}" if against else _possible(case, name)
    elif case.unseen:
        yield f"Whether it is possible now could not be looked up: {quoted(case.unseen, 200)}"


def _possible(case: Case, name: str) -> str:
    if case.card.read_only:
        return "The catalogue would allow it, but nothing may be changed from here: the policy is read-only."
    if case.card.mode == "observe":
        return "The catalogue would allow it, but this watch only observes."
    remedy = catalogue.REMEDIES.get(name)
    never = f" It is never for this: {remedy.never}" if remedy is not None and remedy.never else ""
    return (
        f"The catalogue allows it now: *Other action…* on the card proposes it, and it is judged like any other.{never}"
    )


def _tried(case: Case, name: str) -> Iterator[str]:
    record = memory.record(case.card.tries, name)
    if record is None:
        return
    held = "" if record.held is None else f", and held {span(record.held)} the last time"
    yield f"It was done here {times(record.tried)} in 30 days and helped {times(record.helped)}{held}."
    if memory.useless(case.card.tries, name):
        yield "So it is not proposed again: it takes the symptom away and leaves the cause."


# --- the other topics -----------------------------------------------------------------------------------------------


def _why(case: Case) -> Iterator[str]:
    yield case.cause
    found = case.card.diagnosis
    if found is not None:
        yield f"Confidence {found.confidence}: {quoted(found.reason, 300)}"


def _next(case: Case) -> Iterator[str]:
    found, remedy = case.card.diagnosis, case.card.remedy
    if remedy is not None:
        yield f"Proposed: `{quoted(remedy.proposal.kubectl)}`: {_stands(remedy)}."
    if found is not None and found.next_step:
        yield f"Next step for a person: {quoted(found.next_step)}"
    if remedy is None and case.card.refused:
        yield f"No action is proposed: {quoted('; '.join(case.card.refused[:3]), 600)}"


def _changed(case: Case) -> Iterator[str]:
    pieces = case.pieces("changes", "rollout")
    if not pieces:
        yield "No change was found before it began" + (
            "." if case.card.diagnosis is not None else ": the evidence is still being collected."
        )
    for piece in pieces:
        yield f"{quoted(piece.title, 160)} [{piece.label}]:"
        yield from _body(piece)


def _since(case: Case) -> Iterator[str]:
    incident = case.card.incident
    ago = span(case.now - incident.since)
    yield f"It began {moment(incident.since)}, {ago} ago, and was seen {moment(incident.opened_at)}."
    if incident.resolved_at is not None:
        yield f"It ended {moment(incident.resolved_at)}, after {span(incident.resolved_at - incident.since)}."
    if case.card.recurrences > 1:
        yield f"It is episode {case.card.recurrences} of the same problem in 30 days."


def _state(case: Case) -> Iterator[str]:
    incident = case.card.incident
    if incident.resolved_at is not None:
        yield f"It is over since {moment(incident.resolved_at)}: {quoted(incident.resolution) or 'why is not known'}"
        return
    ready = (
        "" if incident.ready is None or incident.desired is None else f", {incident.ready} of {incident.desired} ready"
    )
    yield f"It is not fixed: {incident.state}{ready}, last seen {span(case.now - incident.last_seen_at)} ago."
    if incident.clear_sweeps:
        yield "The last sweep did not see it any more. One more without it, and it counts as gone."
    if case.card.remedy is not None:
        yield f"`{quoted(case.card.remedy.proposal.kubectl)}`: {_stands(case.card.remedy)}."


def _who(case: Case) -> Iterator[str]:
    card = case.card
    if card.incident.acknowledged_at is not None:
        yield f"@{card.incident.acknowledged_by} acknowledged it {moment(card.incident.acknowledged_at)}."
    told = False
    for one in (*card.history, card.remedy, card.undo):
        if one is None:
            continue
        for decision in (*one.earlier, one.decision):
            if decision is not None:
                told = True
                why = f": {quoted(decision.reason, 200)}" if decision.reason else ""
                did = "approved" if decision.verdict == "approve" else "rejected"
                yield f"@{decision.user} {did} `{quoted(one.proposal.kubectl)}` {moment(decision.at)}{why}."
        if one.alone is not None and one.alone.state == "started":
            told = True
            by_rule = quoted(one.alone.rule, 200)
            yield f"Nobody approved `{quoted(one.proposal.kubectl)}`: it was done by itself, {by_rule}."
    if not told:
        yield "Nobody has approved or rejected anything here, and nothing was changed from here."


def _approvers(case: Case) -> Iterator[str]:
    card = case.card
    if card.read_only:
        yield "Nobody: the policy is read-only, nothing is changed in any cluster from here."
        return
    if card.mode == "observe":
        yield "Nobody: this watch only observes."
        return
    people = ["anybody in the channel" if one == "*" else f"@{one}" for one in card.approvers]
    risk = "low" if card.remedy is None else card.remedy.proposal.risk
    yield f"For an action of {risk} risk: {', '.join(people) or 'nobody is named in the policy'}."
    if card.remedy is not None and card.remedy.proposal.approvals > 1:
        yield f"{card.remedy.proposal.approvals} different people must approve it."
    if not card.self_approval:
        yield "Who asked for it or changed it may not approve it."


def _approving(case: Case) -> Iterator[str]:
    remedy = case.card.remedy
    if remedy is None or remedy.proposal.state != "proposed":
        stands = "nothing is proposed" if remedy is None else f"`{quoted(remedy.proposal.kubectl)}`: {_stands(remedy)}"
        yield f"There is nothing to approve now: {stands}."
        return
    row = remedy.proposal
    yield f"Exactly this is done, once: `{quoted(row.kubectl)}`. {quoted(row.summary)}"
    pods = row.blast
    note = f"; {quoted(pods.note, 200)}" if pods.note else ""
    yield f"It touches {counted(pods.pods, 'pod')}, {pods.ready} of {pods.desired} ready now{note}. Risk: {row.risk}."
    if row.inverse is not None:
        yield "It is looked at afterwards, and *Undo* is on offer."
    else:
        yield f"It cannot be undone from here: {quoted(row.irreversible, 300) or 'there is no way back'}"
    yield from (f"Warning: {quoted(warning, 240)}" for warning in row.warnings[:3])


def _unknown(case: Case) -> Iterator[str]:
    found = case.card.diagnosis
    if found is None:
        yield "Nothing is known for certain yet: the evidence is being collected."
        return
    yield from (f"Not seen: {quoted(gap, 240)}" for gap in found.unseen[:6])
    if not found.unseen:
        yield "All sources that were asked have answered."
    if found.confidence != "high":
        yield f"Confidence is {found.confidence}: {quoted(found.reason, 300)}"


def _runbook(case: Case) -> Iterator[str]:
    pieces = case.pieces("runbook")
    if not pieces:
        yield "No runbook fits this by kind, labels or words. `/watch runbook add` adds one."
    for piece in pieces[:2]:
        yield f"{quoted(piece.title, 160)} [{piece.label}]:"
        yield from _body(piece)


def _before(case: Case) -> Iterator[str]:
    card = case.card
    often = f"The same problem came {times(card.recurrences)} in 30 days" if card.recurrences > 1 else ""
    link = f", the last time as {card.previous_name}" if card.previous_name else ""
    yield f"{often}{link}." if often else "It is the first time in 30 days that this problem is seen here."
    records = memory.records(card.tries)
    for record in records:
        held = "" if record.held is None else f", held {span(record.held)}"
        yield f"`{record.action}` was done {times(record.tried)}, helped {times(record.helped)}{held}."
    if not records:
        yield "Nothing was tried here in that time."
    for piece in case.pieces("past")[:1]:
        yield f"{quoted(piece.title, 160)} [{piece.label}]:"
        yield from _body(piece, 6)


def _impact(case: Case) -> Iterator[str]:
    incident = case.card.incident
    meaning = {"P1": "users are probably hurt now", "P2": "it is degraded", "P3": "it will hurt later, or is untidy"}
    ready = (
        "" if incident.ready is None or incident.desired is None else f" {incident.ready} of {incident.desired} ready."
    )
    yield f"{incident.severity}: {meaning[incident.severity]}.{ready}{case.cited('network', 'dependencies')}"
    also = ", ".join(f"{one.name} in {one.cluster}" for one in case.card.also)
    if also:
        yield f"At the same time, for the same reason: {also}."


def _piece(case: Case) -> Iterator[str]:
    wanted = [int(one or other) for one, other in intents.PIECE.findall(case.text)]
    known = {piece.number: piece for piece in case.card.evidence}
    for number in dict.fromkeys(wanted[:2]):
        if number in known:
            piece = known[number]
            yield f"{quoted(piece.title, 160)} [{piece.label}]:"
            yield from _body(piece, 2 * LINES)
        else:
            yield f"There is no E{number}. {_titles(case)}"


def _logs(case: Case) -> Iterator[str]:
    pieces = case.pieces("previous-log", "log", "loki")
    if not pieces:
        yield f"No log could be read. {_titles(case)}"
    for piece in pieces[:1]:
        yield f"{quoted(piece.title, 160)} [{piece.label}]:"
        yield from _body(piece, 2 * LINES)


def _fallback(case: Case) -> Iterator[str]:
    yield f"I do not understand this question well enough to answer it from the record. {CAN}"
    yield f"What is known: {case.cause}"
    yield _titles(case)


_TOPICS: Mapping[intents.Topic, Callable[[Case], Iterator[str]]] = {
    "evidence": _piece,
    "approving": _approving,
    "approvers": _approvers,
    "who": _who,
    "changed": _changed,
    "since": _since,
    "runbook": _runbook,
    "before": _before,
    "unknown": _unknown,
    "logs": _logs,
    "impact": _impact,
    "next": _next,
    "state": _state,
    "why": _why,
}


# --- words ------------------------------------------------------------------------------------------------------------


def _stands(one: cards.ProposalCard) -> str:
    said = one.proposal.state.replace("-", " ")
    check = one.verification
    told = "" if check is None else quoted(check.reason or check.progress, 300)
    outcome = None if one.execution is None else one.execution.outcome
    detail = told or ("" if outcome is None else quoted(outcome.detail, 300))
    waits = "it waits for an approval" if one.proposal.state == "proposed" else said
    return f"{waits}: {detail.rstrip('.')}" if detail else waits


def _titles(case: Case) -> str:
    titles = "; ".join(f"{quoted(piece.title, 80)} [{piece.label}]" for piece in case.card.evidence[:12])
    return f"The evidence: {titles}." if titles else "No evidence is in the record yet."


def _body(piece: diagnoses.Evidence, most: int = LINES) -> Iterator[str]:
    """The first lines, each as code."""
    lines = [line for line in piece.body.splitlines() if line.strip()]
    yield from (f"> {quoted(line, 200)}" for line in lines[:most])
    if len(lines) > most:
        yield f"… and {counted(len(lines) - most, 'line')} more"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """`40 s`, `6 min`, `3 h`, `5 d`."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
