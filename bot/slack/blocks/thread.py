"""The replies in an incident's thread: the evidence, the progress (one message, edited), and how it ended.

Rendered by the publisher. The parent says what a decision needs; here stands all that it rests on.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from bot.domain import cards, diagnoses, proposals
from bot.slack.blocks import buttons, limits, messages, text, wording
from bot.slack.blocks import incident as incidents_

PRINTED = 30
"""Last lines of what a command printed."""
LINES = 12
"""Of one piece of evidence; a phone shows about as many."""
DIFF_LINES = 60
PIECES = 8
"""Pieces of evidence in full; of the others there is a line. A thread is read on a phone."""

_NAMED = 12
"""Titles of further pieces in one line."""

_LAPSED = frozenset({"expired", "superseded"})
_NOT_TAKEN = _LAPSED | {"proposed"}
"""An undo that nobody pressed."""

_FOUND = {"verified": "Verified", "worse": "Worse"}

_SOURCES: Mapping[diagnoses.Source, str] = {
    "status": "status",
    "events": "events",
    "log": "log",
    "previous-log": "log of the run before",
    "rollout": "rollout history",
    "changes": "what changed before",
    "node": "node",
    "scheduling": "scheduling",
    "sibling-log": "log of a healthy pod",
    "owner": "owners",
    "limits": "limits around it",
    "network": "Services and endpoints",
    "dependencies": "what it depends on",
    "usage": "usage now",
    "prometheus": "Prometheus",
    "loki": "Loki",
    "past": "earlier incidents",
    "runbook": "runbook",
    "tool": "looked up by the model",
}


# --- evidence ---------------------------------------------------------------------------------------------------------


def evidence(card: cards.IncidentCard) -> messages.Message:
    """The numbered evidence, long pieces by their telling lines; then what could not be read, and the next step."""
    name = card.incident.name
    if not card.evidence:
        doing = "is being collected" if card.diagnosis is None else "none could be read"
        return limits.message(f"{name}: evidence", [limits.section(f"*Evidence:* {doing}"), *_gaps(card)])
    shown = _shown(card)
    # Every piece gets its fair part of a message's characters; JSON and titles take the rest.
    room = min(2600, (limits.BLOCKS_CHARACTERS - 2500) // len(shown))
    blocks = [limits.section(_piece(piece, room)) for piece in shown]
    numbers = {piece.number for piece in shown}
    if rest := [piece for piece in card.evidence if piece.number not in numbers]:
        named = ", ".join(f"*{piece.label}* {text.prose(piece.title, 60)}" for piece in rest[:_NAMED])
        more = f", and {len(rest) - _NAMED} more" if len(rest) > _NAMED else ""
        blocks.append(limits.context(f"Also in the record: {named}{more}"))
    titles = ", ".join(text.one_line(piece.title) for piece in shown)
    return limits.message(f"{name}: evidence: {titles}", [*blocks, *_changes(card), *_gaps(card)])


def _shown(card: cards.IncidentCard) -> list[diagnoses.Evidence]:
    """What the cause cites, then what comes first, in the order of the numbers."""
    cited = () if card.diagnosis is None else card.diagnosis.cites
    first = sorted(card.evidence, key=lambda piece: (piece.number not in cited, piece.number))[:PIECES]
    return sorted(first, key=lambda piece: piece.number)


def _changes(card: cards.IncidentCard) -> list[messages.Block]:
    """All that the dry run showed, where the parent has no room for it."""
    if card.remedy is None or len(card.remedy.proposal.diff) <= incidents_.DIFF_LINES:
        return []
    whole = text.block(incidents_.brief(card.remedy.proposal.diff), most=40, width=160, limit=1500)
    return [limits.section(f"*All that the action would change*\n{whole}")]


def _piece(piece: diagnoses.Evidence, room: int) -> str:
    title = f"*{piece.label}* · {_SOURCES[piece.source]} · {text.prose(piece.title, 200)}"
    told, left = text.telling(piece.body, LINES)
    body = text.block(told, most=2 * LINES + 1, width=200, limit=room)
    marks = []
    if left:
        marks.append(f"{text.CUT}: {text.count(left, 'line')} left out; these tell most")
    if piece.cut:
        marks.append("it was longer than what is kept")
    return f"{title}\n{body}{_newline('; '.join(marks))}"


def _newline(words: str) -> str:
    return f"\n{words}" if words else ""


def _gaps(card: cards.IncidentCard) -> list[messages.Block]:
    found = card.diagnosis
    if found is None:
        return []
    missing = [f"Not seen: {text.prose(gap, 240)}" for gap in found.unseen[:5]]
    step = f"*Next step for a person:* {text.prose(found.next_step, 500)}" if found.next_step else ""
    body = text.lines((*missing, step))
    return [limits.section(body)] if body else []


# --- progress ---------------------------------------------------------------------------------------------------------


def progress(card: cards.IncidentCard) -> messages.Message:
    """What was done and found, each with its time, in one message that is edited; then the proposal in full."""
    steps = sorted(_steps(card), key=lambda step: step[0])
    body = text.lines(f"{text.seconds_of_day(at)}  {words}" for at, words in steps)
    blocks = [limits.section(body)]
    if card.remedy is not None and card.remedy.proposal.state in {"proposed", *proposals.RUNNING}:
        rest = _rest(card.remedy.proposal)
        blocks += [limits.section(rest)] if rest else []
    if printed := _printed(card):
        blocks.append(limits.section(printed))
    return limits.message(f"{card.incident.name}: {now(card)}", blocks)


def _printed(card: cards.IncidentCard) -> str:
    """The end of what the last command that was run in a container printed; empty where none was."""
    for one in (card.remedy, *reversed(card.history)):
        ended = None if one is None else wording.outcome(one)
        if one is not None and ended is not None and ended.output:
            lines = ended.output.splitlines()[-PRINTED:]
            title = text.prose(wording.what(one.proposal.action))
            return f"*What it printed* ({title}):\n{text.block(lines, most=PRINTED, width=200, limit=2600)}"
    return ""


def now(card: cards.IncidentCard) -> str:
    """Raw: where things stand, in a few words."""
    if not card.incident.live:
        return "resolved"
    if card.undo is not None and card.undo.proposal.state not in _NOT_TAKEN:
        return f"undo: {wording.ENDS[card.undo.proposal.state]}"
    if card.remedy is not None:
        return f"{wording.what(card.remedy.proposal.action)}: {wording.ENDS[card.remedy.proposal.state]}"
    return "investigating" if card.diagnosis is None or card.incident.diagnosis_wanted else "no action proposed"


def _steps(card: cards.IncidentCard) -> Iterator[tuple[datetime, str]]:
    incident = card.incident
    yield incident.opened_at, _opened(card)
    if incident.acknowledged_at is not None:
        yield incident.acknowledged_at, f"*Acknowledged* by {text.person(incident.acknowledged_by)}"
    for earlier in card.history[-5:]:
        if card.remedy is None or earlier.proposal.id != card.remedy.proposal.id:
            yield from _life(earlier)
    for one in (card.remedy, card.undo):
        if one is not None and not (one.proposal.kind == "undo" and one.proposal.state in _LAPSED):
            yield from _life(one)
    if incident.resolved_at is not None:
        yield incident.resolved_at, f"*Resolved*: {text.prose(incident.resolution, 300) or 'the problem is gone'}"


def _opened(card: cards.IncidentCard) -> str:
    if card.diagnosis is None:
        return "*Seen*, investigating" if card.incident.live else "*Seen*"
    if card.remedy is not None:
        return "*Seen* and investigated"
    reasons = wording.refusals(card.refused)
    return f"*Seen* and investigated; no action is proposed{f': {reasons}' if reasons else ''}"


def _life(card: cards.ProposalCard) -> Iterator[tuple[datetime, str]]:
    """A proposal's steps, each at the time that the rows have for it."""
    row, execution = card.proposal, card.execution
    name = f"undo, {wording.back(row.action)}" if row.kind == "undo" else wording.what(row.action)
    yield row.created_at, _proposed(row, text.prose(name))
    for number, one in enumerate(card.approvals, 1):
        of = f" ({number} of {row.approvals})" if row.approvals > 1 else ""
        reason = f": {text.prose(one.reason, 200)}" if one.reason else ""
        waiting = number == len(card.approvals) < row.approvals and row.state == "proposed"
        more = f"; {wording.waiting_for(card)}" if waiting else ""
        yield one.at, f"*Approved* by {text.person(one.user)}{of}{reason}{more}"
    yield from _alone(card, text.prose(name))
    if execution is not None and execution.started_at is not None:
        far = wording.under_way(card) if row.state == "executing" else ""
        yield execution.started_at, f"*{_begun(row.state)}*: {far or text.prose(name)}"
    if row.state not in {"proposed", "approved", "executing", "superseded", "undone"}:
        yield _end_of(card), wording.ending(card, who=False)
    if row.state in {"verified", "not-verified", "worse", "stopped"} and (none := wording.undo_refused(card)):
        yield _end_of(card), none
    if card.verification is not None and card.verification.came_back_at is not None:
        yield card.verification.came_back_at, _back(card.verification, text.prose(name))
    if row.state == "undone" and card.verification is not None:
        found = _FOUND.get(card.verification.status, "Not verified")
        yield _end_of(card), f"*{found}*: {wording.check(card)}; undone later"


def _alone(card: cards.ProposalCard, name: str) -> Iterator[tuple[datetime, str]]:
    """What was announced, and what became of that."""
    one = card.alone
    if one is None:
        return
    still = f"; {wording.announcement(card)}" if one.open and card.proposal.state == "proposed" else ""
    yield one.announced_at, f"*Announced*: {name}, {text.prose(one.rule, 200)}{still}"
    if one.moved_at is None:
        return
    if one.state == "started":
        yield one.moved_at, f"*Done by itself* under this rule: {text.prose(one.rule, 200)}"
    elif one.state == "stopped":
        yield one.moved_at, f"*Stopped* by {text.person(one.by)}: it is not done by itself any more"
    else:
        yield one.moved_at, f"*Not done by itself*: {text.prose(one.why, 300)}"


def _back(found: proposals.Verification, name: str) -> str:
    at, ended = found.came_back_at, found.finished_at
    held = "" if at is None or ended is None else f" {text.duration(at - ended)} after: {name}"
    return f"*Came back*{held}; it goes on in this thread"


def _begun(state: proposals.State) -> str:
    """What became of an execution, in a word: one that wrote nothing has not executed anything."""
    if state == "executing":
        return "Executing"
    return "Begun" if state in {"stale", "already-fixed", "refused", "failed", "stopped"} else "Executed"


def _proposed(row: proposals.Proposal, name: str) -> str:
    if row.kind == "undo":
        return f"*Offered*: undo ({name.removeprefix('undo, ')})"
    why = text.prose(row.why, 200).rstrip(".")
    gone = "; superseded, since things changed before it was answered" if row.state == "superseded" else ""
    by = f" by {text.person(row.proposer)}" if row.proposer else ""
    return f"*Proposed*{by}: {name}{f', {why}' if why else ''}{gone}"


def _end_of(card: cards.ProposalCard) -> datetime:
    """When a proposal came to the state that it is in, by the best time that the rows hold."""
    row, decision, execution, found = card.proposal, card.decision, card.execution, card.verification
    if row.state == "expired":
        return row.expires_at
    times = []
    if found is not None and row.state in {"succeeded", "verified", "not-verified", "worse", "undone"}:
        times += [found.finished_at, found.started_at]
    if execution is not None:
        times += [execution.finished_at, execution.started_at]
    times.append(decision.at if decision is not None else None)
    return next((at for at in times if at is not None), row.created_at)


def _rest(row: proposals.Proposal) -> str:
    """What of the proposal had no room in the parent: all of its changes, and further warnings."""
    cut = len(row.diff) > incidents_.DIFF_LINES or any(text.length(line) > incidents_.DIFF_WIDTH for line in row.diff)
    changes = f"*All changes:*\n{text.block(row.diff, most=DIFF_LINES, width=300, limit=2600)}" if cut else ""
    warnings = [f"*Warning:* {text.prose(warning, 300)}" for warning in row.warnings[incidents_.WARNINGS :]]
    return text.lines((changes, *warnings))


# --- worse ------------------------------------------------------------------------------------------------------------


def worse(card: cards.IncidentCard) -> messages.Message:
    """One reply that calls those who approved what made it worse: an edit of another message would not reach them."""
    done = next((one for one in (card.remedy, *reversed(card.history)) if _harmful(one)), None)
    if done is None:
        words = "What was done made it worse; it was taken back since."
        return limits.message(f"{card.incident.name}: it was worse for a while", [limits.section(words)])
    people = " ".join(dict.fromkeys(text.person(one.user) for one in done.approvals))
    if not people and wording.by_itself(done):  # nobody approved it: then those are called who may decide on Undo
        people = text.people([one for one in card.approvers if one != incidents_.ANYONE])
    what = text.prose(wording.what(done.proposal.action))
    offered = done is card.remedy and card.undo is not None and card.undo.proposal.state == "proposed"
    way = "*Undo* is on offer in the message above" if offered else wording.undo_refused(done)
    told = f"{people} It is worse after this: {what}. {wording.check(done)}".strip()
    return limits.message(
        f"{card.incident.name}: {wording.what(done.proposal.action)} made it worse",
        [limits.section(text.lines((told, way)))],
    )


def _harmful(one: cards.ProposalCard | None) -> bool:
    return one is not None and one.verification is not None and one.verification.status == "worse"


# --- breaker ----------------------------------------------------------------------------------------------------------


def breaker(card: cards.IncidentCard) -> messages.Message:
    """A message of its own in the channel: nothing is done by itself any more, why, and how that ends."""
    found, name = card.breaker, text.bold(card.watch_name, 80)
    if found is None or not found.open or found.incident_id != card.incident.id or found.opened_at is None:
        by = "" if found is None or not found.closed_by else f" by {text.person(found.closed_by)}"
        at = "" if found is None or found.closed_at is None else f" {text.time_of_day(found.closed_at)}"
        words = f"The breaker of watch {name}, which {card.incident.name} opened, was closed{by}{at}"
        return limits.message(f"The breaker of watch {card.watch_name} was closed", [limits.section(words)])
    told = (
        f"*The breaker of watch* {name} *is open:* nothing is done by itself any more\n"
        f"{text.count(found.bad, 'bad end')} in a row, the last one: {text.prose(found.why, 200)}. Since "
        f"{text.day_and_time(found.opened_at)}. Everything waits for people until an approver closes it"
    )
    pressable = limits.actions([buttons.close_breaker(found.watch_id, card.watch_name)])
    return limits.message(
        f"The breaker of watch {card.watch_name} is open: nothing is done by itself any more",
        [limits.section(told), *pressable],
    )


# --- recovery ---------------------------------------------------------------------------------------------------------


def recovery(card: cards.IncidentCard) -> messages.Message:
    """One reply on recovery: what fixed it, and how long it took."""
    incident = card.incident
    name = text.bold(wording.subject(incident))
    if incident.live or incident.resolved_at is None:
        # It came back within the same thread (flapping): the reply must not go on saying that all is well.
        words = f"{wording.emoji(incident)} {name} is broken again; see the message above"
        return limits.message(f"{incident.name}: {wording.subject(incident)} is broken again", [limits.section(words)])
    by = _fixed_by(card)
    facts = [f"lasted {text.duration(incident.resolved_at - incident.since)}"]
    if incident.acknowledged_at is not None:
        facts.append(f"acknowledged after {text.duration(incident.acknowledged_at - incident.opened_at)}")
    facts.append(f"resolved {text.duration(incident.resolved_at - incident.opened_at)} after it was seen")
    blocks = [limits.section(f"{wording.RECOVERED} {name} has recovered\n{by}"), limits.context(text.dotted(facts))]
    return limits.message(f"{wording.RECOVERED} {incident.name}: {wording.subject(incident)} has recovered", blocks)


def _fixed_by(card: cards.IncidentCard) -> str:
    resolution = text.prose(card.incident.resolution, 400)
    if card.remedy is None or card.remedy.proposal.state != "verified":
        return resolution or "What fixed it is not known."
    what = text.prose(wording.what(card.remedy.proposal.action))
    return text.lines((f"Fixed by: {what}, {wording.approved_by(card.remedy)}", wording.check(card.remedy)))
