"""The buttons of an incident as a function of its state: never one that can do nothing.

Used by the incident message and App Home.
"""

from bot.domain import cards, choices, edits, proposals
from bot.slack import ids
from bot.slack.blocks import limits, messages, text, wording


def row(card: cards.IncidentCard) -> list[messages.Block]:
    """The block with this incident's buttons; none where nothing can be pressed now."""
    return limits.actions(_buttons(card))


def _buttons(card: cards.IncidentCard) -> list[messages.Block]:
    if card.mode == "observe":
        return _acknowledge(card)
    if _running(card):
        return _stop(card)
    undo = [undo_it(card.undo)] if _undo_offered(card) and card.undo is not None else []
    if not card.incident.live:
        return undo
    if _waits(card.remedy) and card.remedy is not None and announced(card.remedy):
        return [stop_alone(card.remedy), approve(card.remedy), reject(card.remedy), *_acknowledge(card)]
    if _waits(card.remedy) and card.remedy is not None:
        return [approve(card.remedy), *_edit(card.remedy), *_other(card), reject(card.remedy), *_acknowledge(card)]
    return [*undo, *_again(card), *_other(card), *_acknowledge(card)]


def _running(card: cards.IncidentCard) -> bool:
    return any(one is not None and one.proposal.state in proposals.RUNNING for one in (card.remedy, card.undo))


def _stop(card: cards.IncidentCard) -> list[messages.Block]:
    """Of what runs in steps, until somebody has pressed it."""
    for one in (card.remedy, card.undo):
        execution = None if one is None else one.execution
        if one is None or execution is None or one.proposal.state != "executing":
            continue
        if execution.progress is not None and not execution.stop_by:
            return [limits.button("Stop", ids.STOP, _target(one), style="danger")]
    return []


def _waits(one: cards.ProposalCard | None) -> bool:
    return one is not None and one.proposal.state == "proposed"


def _undo_offered(card: cards.IncidentCard) -> bool:
    done = card.remedy is not None and card.remedy.proposal.state in {
        "verified",
        "not-verified",
        "worse",
        "stopped",
        "unknown",
    }
    return done and _waits(card.undo)


def _acknowledge(card: cards.IncidentCard) -> list[messages.Block]:
    if card.incident.state != "open":
        return []
    return [limits.button("Acknowledge", ids.ACKNOWLEDGE, ids.value(card.incident.id))]


def _again(card: cards.IncidentCard) -> list[messages.Block]:
    """Not while a diagnosis is under way: there is nothing to ask for then."""
    if card.incident.diagnosis_wanted or card.diagnosis is None:
        return []
    label = "Propose again" if card.remedy is not None else "Look again"
    return [limits.button(label, ids.PROPOSE, ids.value(card.incident.id))]


def _other(card: cards.IncidentCard) -> list[messages.Block]:
    """Not where nothing of the catalogue fits, nor before there is a diagnosis to disagree with: it would take the
    place of what was asked for meanwhile."""
    if card.read_only or card.diagnosis is None or not choices.names(card.incident.subject.kind):
        return []
    if card.incident.diagnosis_wanted and not _waits(card.remedy):
        return []
    return [limits.button("Other action…", ids.OTHER, ids.value(card.incident.id))]


def _target(card: cards.ProposalCard) -> str:
    return ids.value(card.proposal.id, card.proposal.digest)


def approve(card: cards.ProposalCard) -> messages.Block:
    """Names what it does. Asks back, in danger style, only where there is no way back or the risk is high."""
    row_ = card.proposal
    what = wording.what(row_.action)
    label = f"Approve now: {what}" if announced(card) else f"Approve: {what}"
    final = row_.inverse is None
    if row_.reason_required:  # the window that asks for the reason asks back, too
        grave: limits.Style = "danger" if _grave(card) else "primary"
        return limits.button(f"{label}…", ids.APPROVE_WITH_REASON, _target(card), style=grave)
    if not final and row_.risk != "high":
        return limits.button(label, ids.APPROVE, _target(card), style="" if announced(card) else "primary")
    why = text.prose(row_.irreversible or "This cannot be undone.", 130) if final else "The risk is high."
    asking = limits.confirm(
        f"{what[:1].upper()}{what[1:]}?",
        f"{text.prose(row_.summary, 150)}\n{why}",
        "Approve",
        style="danger",
    )
    return limits.button(label, ids.APPROVE, _target(card), style="danger", confirm=asking)


def announced(card: cards.ProposalCard) -> bool:
    """Whether it will be done by itself, as things stand."""
    return card.proposal.state == "proposed" and card.alone is not None and card.alone.open


def stop_alone(card: cards.ProposalCard) -> messages.Block:
    """No question: stopping changes nothing, and there may be little time."""
    return limits.button("Stop", ids.STOP_ALONE, _target(card), style="danger")


def close_breaker(watch_id: int, name: str) -> messages.Block:
    asking = limits.confirm(
        "Close the breaker?",
        f"Watch {text.prose(name, 80)} then does things by itself again, without anybody's approval.",
        "Close it",
    )
    return limits.button("Close the breaker", ids.CLOSE_BREAKER, ids.value(watch_id), confirm=asking)


def _edit(card: cards.ProposalCard) -> list[messages.Block]:
    return [limits.button("Edit…", ids.EDIT, _target(card))] if edits.editable(card.proposal.action) else []


def reject(card: cards.ProposalCard) -> messages.Block:
    return limits.button("Reject", ids.REJECT, _target(card))


def undo_it(card: cards.ProposalCard) -> messages.Block:
    """Always asks back: after a fix, a thumb on the wrong place would break it again."""
    what = wording.back(card.proposal.action)
    if card.proposal.reason_required:
        return limits.button(f"Undo: {what}…", ids.APPROVE_WITH_REASON, _target(card))
    asking = limits.confirm(
        f"Undo: {what}?", text.prose(card.proposal.summary, 290), "Undo", style="danger" if _grave(card) else ""
    )
    return limits.button(f"Undo: {what}", ids.UNDO, _target(card), confirm=asking)


def _grave(card: cards.ProposalCard) -> bool:
    return card.proposal.risk == "high" or card.proposal.inverse is None
