"""The incident message: one parent, edited in place through its whole life, that fits on a phone.

`parent` is rendered by the publisher and by `/watch show`. Line 1 says what is broken, line 2 since when and who has
it; beside a bar in the colour of the state: the cause with its evidence, the action with all that a decision rests on,
and the buttons. What is longer stands in the thread (`thread`).
"""

import re
from collections.abc import Sequence

from bot.domain import cards, incidents, linking, memory, proposals
from bot.slack.blocks import buttons, limits, messages, opinion, text, wording
from k8s import model

DIFF_LINES = 5
"""Of the dry run's changes in the parent; where there are more, the evidence in the thread has them all."""
_POD_PATH = re.compile(r"^([-+] )spec\.template\.spec\.(?:containers\.)?")
DIFF_WIDTH = 120
WARNINGS = 3
CAUSE = 500
ANYONE = "*"


def parent(card: cards.IncidentCard, *, pressable: bool = True) -> messages.Message:
    """The whole incident in one message. Not `pressable`: without buttons, for an answer that nobody will edit."""
    incident = card.incident
    attached = [_cause(card), _context(_confidence(card)), _action(card)]
    attached.append(_context(text.lines((_facts(card), _warnings(card), _memory(card)))))
    if pressable:
        attached += buttons.row(card)
    return limits.message(
        notification(card),
        [limits.section(headline(incident)), limits.context(_since(card))],
        attached=[block for block in attached if block],
        color=_color(card),
    )


def _color(card: cards.IncidentCard) -> str:
    """Of its state; what was made worse burns, whoever has it."""
    harmed = card.remedy is not None and card.remedy.proposal.state == "worse"
    return wording.FIRING if harmed and card.incident.live else wording.color(card.incident)


def _context(rendered: str) -> messages.Block:
    return limits.context(rendered) if rendered else {}


def notification(card: cards.IncidentCard) -> str:
    """Raw: what a phone shows on its lock screen."""
    incident = card.incident
    told = f"{wording.subject(incident)} {wording.trouble(incident)}"
    state = "" if incident.state == "open" else f" {incident.state}:"
    facts = ", ".join(fact for fact in (told, wording.readiness(incident), incident.cluster) if fact)
    asked = ""
    if incident.live and card.remedy is not None and card.remedy.proposal.state == "proposed":
        waits = "Will be done by itself" if buttons.announced(card.remedy) else f"Waits for {_approval(card.remedy)}"
        asked = f". {waits}: {wording.what(card.remedy.proposal.action)}"
    return f"{wording.emoji(incident)} {incident.severity}{state} {facts}{asked}"


def _approval(card: cards.ProposalCard) -> str:
    given, needed = len(card.approvals), card.proposal.approvals
    return f"approval ({given} of {needed})" if given else "approval"


def headline(incident: incidents.Incident) -> str:
    """Rendered: the one line that says what is broken and where."""
    return text.dotted(
        (
            f"{wording.emoji(incident)} {text.bold(wording.subject(incident))} {text.prose(wording.trouble(incident))}",
            wording.readiness(incident),
            text.prose(incident.cluster, 80),
        )
    )


def _since(card: cards.IncidentCard) -> str:
    incident = card.incident
    kinds = ", ".join(text.prose(kind, 40) for kind in incident.kinds[:3])
    return text.dotted(
        (
            wording.state(incident),
            incident.severity,
            kinds,
            f"since {text.day_and_time(incident.since)}",
            "flapping: it comes and goes" if incident.flapping and incident.live else "",
            incident.name,
        )
    )


def _cause(card: cards.IncidentCard) -> messages.Block:
    found = card.diagnosis
    if found is None:
        doing = "_The cause is being looked for._" if card.incident.live else "_It ended before its cause was found._"
        return limits.section(f"{text.prose(card.incident.headline, CAUSE)}\n{doing}", limit=1500)
    cause = text.prose(found.cause, CAUSE) or "not known"
    other = opinion.differing(card)
    if other is None:
        return limits.section(f"*Cause:* {cause}", limit=1800)
    return limits.section(
        f"*Cause, by the rules:* {cause}\n*By the model:* {text.prose(other.cause, CAUSE)}", limit=2400
    )


def _confidence(card: cards.IncidentCard) -> str:
    """How sure the cause is, and why; of no use any more once it is over."""
    found = card.diagnosis
    if found is None or not card.incident.live:
        return ""
    by = " (by the model)" if found.by == "model" else ""
    reason = text.prose(found.reason, 200)
    again = "_Being looked at again: what is seen has changed, or somebody asked._"
    return text.lines(
        (
            opinion.confidence(card) or f"Confidence {found.confidence}{by}{f': {reason}' if reason else ''}",
            opinion.standing(card),
            again if card.incident.diagnosis_wanted else "",
        )
    )


def _action(card: cards.IncidentCard) -> messages.Block:
    if card.remedy is None:
        return _no_action(card)
    row = card.remedy.proposal
    if row.state == "proposed" and card.incident.live:
        told = f"*Proposed:* {text.prose(row.summary, 300)}", wording.announcement(card.remedy)
        return limits.section(text.lines((*told, kubectl(row), _changes(row))))
    stands = wording.ending(card.remedy) if row.state != "proposed" else "not needed any more, nothing was done"
    parts = [
        f"{_capital(wording.what(row.action))}: {stands}",
        kubectl(row) if row.state in proposals.RUNNING or row.state == "unknown" else "",
        _undo(card.undo) or wording.undo_refused(card.remedy),
        _came_back(card),
        _resolution(card),
        _next_step(card) if card.incident.live and row.state in _NEEDS_A_PERSON else "",
        _nothing_new(card),
    ]
    return limits.section(text.lines(parts))


_NEEDS_A_PERSON = frozenset({"not-verified", "worse", "failed", "refused", "stopped", "unknown", "rejected"})


def _no_action(card: cards.IncidentCard) -> messages.Block:
    """Where no action is right: what a person can do, and why nothing is proposed. {} where there is nothing to say."""
    why = wording.refusals(card.refused)
    if not card.incident.live:
        told = [_resolution(card)]
    else:
        told = [_next_step(card), f"No action is proposed: {why}." if why else ""]
    body = text.lines(told)
    return limits.section(body, limit=2000) if body else {}


def _nothing_new(card: cards.IncidentCard) -> str:
    """Why a fresh look after the end of a proposal brought no other one: whoever asked for it must not hear nothing."""
    if not card.incident.live or card.incident.diagnosis_wanted or not card.refused:
        return ""
    return f"No action is proposed now: {wording.refusals(card.refused)}."


def _came_back(card: cards.IncidentCard) -> str:
    """Of an incident that goes on in its thread: how long the fix had held."""
    if card.remedy is None or card.remedy.verification is None or not card.incident.live:
        return ""
    found = card.remedy.verification
    if found.came_back_at is None or found.finished_at is None:
        return ""
    what = text.prose(wording.what(card.remedy.proposal.action))
    return f"*Came back* {text.duration(found.came_back_at - found.finished_at)} after: {what}"


def _next_step(card: cards.IncidentCard) -> str:
    if card.diagnosis is None or not card.diagnosis.next_step:
        return ""
    return f"*Next step:* {text.prose(card.diagnosis.next_step, 400)}"


def _resolution(card: cards.IncidentCard) -> str:
    if card.incident.live or not card.incident.resolution:
        return ""
    return f"*Resolved:* {text.prose(card.incident.resolution, 400)}"


def _undo(undo: cards.ProposalCard | None) -> str:
    """How the way back stands."""
    if undo is None:
        return ""
    what = text.prose(wording.back(undo.proposal.action))
    if undo.proposal.state == "proposed":
        offered = f"Undo ({what}) is on offer until {text.day_and_time(undo.proposal.expires_at)}"
        return text.dotted((offered, wording.quorum(undo)))
    if undo.proposal.state in {"expired", "superseded"}:
        return "Undo is no longer on offer"
    return f"Undo, {what}: {wording.ending(undo)}"


def kubectl(row: proposals.Proposal) -> str:
    """Rendered: the line that a person would type, in code font."""
    return text.block([row.kubectl], most=1, width=400)


def _changes(row: proposals.Proposal) -> str:
    if not row.diff:
        return "The dry run shows no changed field."
    return text.block(brief(row.diff), most=DIFF_LINES, width=DIFF_WIDTH, limit=900, rest=" in the thread")


def brief(diff: Sequence[str]) -> list[str]:
    """The lines of a dry run's diff as a phone has room for them: what the pods run first, without the path to it that
    all of them share, then the rest, notes (annotations) last."""
    shown = [_POD_PATH.sub(r"\1", line) for line in diff]
    return sorted(shown, key=lambda line: ("annotations" in line, "metadata" in line))


def _facts(card: cards.IncidentCard) -> str:
    """Blast radius, way back, risk, who may approve, until when: only while there is something to decide."""
    if card.remedy is None or card.remedy.proposal.state != "proposed" or not card.incident.live:
        return ""
    row = card.remedy.proposal
    told = (row.blast.ready, row.blast.desired) == (card.incident.ready, card.incident.desired)
    return text.lines(
        (radius(row, with_ready=not told), _decision(card, row), _asked(card, row), wording.tally(card.remedy))
    )


def radius(row: proposals.Proposal, *, with_ready: bool = True) -> str:
    """Rendered: `Touches 3 pods · 0 of 3 ready now · disruption budget allows 1 · can be undone`.

    Without the ready count where the first line of the message says the same. Why something cannot be undone is said
    by the dialog that asks back.
    """
    blast = row.blast
    budget = "no disruption budget" if blast.headroom is None else f"disruption budget allows {blast.headroom}"
    return text.dotted(
        (
            "" if blast.removed and not blast.pods else f"Touches {text.count(blast.pods, 'pod')}",
            _removal(blast.removed, first=not blast.pods),
            f"{blast.ready} of {blast.desired} ready now" if with_ready and blast.desired else "",
            budget if blast.desired or blast.headroom is not None else "",
            text.prose(blast.note, 160).rstrip("."),
            "can be undone" if row.inverse is not None else "*cannot be undone*",
        )
    )


def _removal(pods: int, *, first: bool) -> str:
    return f"{'Removes' if first else 'removes'} {text.count(pods, 'pod')} of the stuck rollout" if pods else ""


def _decision(card: cards.IncidentCard, row: proposals.Proposal) -> str:
    several = row.approvals > 1
    if ANYONE in card.approvers:
        who = f"{row.approvals} people must approve, anyone here may" if several else "anyone here may approve"
    elif card.approvers:
        people = text.people(card.approvers)
        who = f"{row.approvals} of {people} must approve" if several else f"{people} may approve"
    else:
        who = "*nobody may approve*: no approvers are set"
    if row.reason_required and card.approvers:
        who = f"{who}, {'each ' if several else ''}with a reason"
    return text.dotted((f"{_capital(row.risk)} risk", who, f"expires {text.time_of_day(row.expires_at)}"))


def _asked(card: cards.IncidentCard, row: proposals.Proposal) -> str:
    """Who asked for it or changed it, and whether they are left out for that."""
    if not row.proposer:
        return ""
    return f"Asked for by {text.person(row.proposer)}{'' if card.self_approval else ', who may not approve'}"


def _warnings(card: cards.IncidentCard) -> str:
    if card.remedy is None or card.remedy.proposal.state not in {"proposed", *proposals.RUNNING}:
        return ""
    return text.lines(f"*Warning:* {text.prose(warning, 240)}" for warning in card.remedy.proposal.warnings[:WARNINGS])


def _memory(card: cards.IncidentCard) -> str:
    """What happened before: episodes of this problem, and what was tried in this one."""
    times = f"{text.ordinal(card.recurrences)} time in 30 days" if card.recurrences > 1 else ""
    before = text.link(card.previous_link, card.previous_name) if card.previous_link else ""
    if not before and card.previous_name:
        before = text.prose(card.previous_name, 40)
    tried = ", ".join(
        f"{text.prose(wording.what(one.proposal.action))} ({wording.ENDS[one.proposal.state]})"
        for one in card.history[-3:]
    )
    told = text.dotted((times, f"last time: {before}" if before else "", f"tried before: {tried}" if tried else ""))
    return text.lines((_capital(told), _remedies(card), _also(card)))


def _remedies(card: cards.IncidentCard) -> str:
    """How often what is proposed helped here; where nothing is, all that was tried. Only while there is to decide."""
    if not card.incident.live:
        return ""
    if card.remedy is not None and card.remedy.proposal.state == "proposed":
        mine = memory.record(card.tries, model.name_of(card.remedy.proposal.action))
        known = [] if mine is None else [mine]
    else:
        known = [*memory.records(card.tries)]
    return _capital("; ".join(text.prose(wording.remembered(one), 120) for one in known[:3]))


def _also(card: cards.IncidentCard) -> str:
    """`Also in cluster b: WK-12`: the same cause elsewhere, at the same time."""
    shown = "; ".join(
        f"in cluster {text.prose(one.cluster, 60)}: {one.name}{'' if one.live else ' (resolved)'}"
        for one in card.also[: linking.MOST]
    )
    more = len(card.also) - linking.MOST
    return f"Also {shown}{f'; and {more} more' if more > 0 else ''}" if shown else ""


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
