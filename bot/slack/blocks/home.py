"""App Home: the viewer's own dashboard. Rendered for `handlers.home`, on opening it and after each press in it."""

from collections.abc import Sequence

from bot.domain import cards, incidents
from bot.slack.blocks import answers, buttons, limits, messages, text, wording
from bot.slack.blocks import incident as incidents_

WAITING = 8
"""Proposals with buttons; a view has 100 blocks."""


def page(found: cards.Status, viewer: str) -> messages.View:
    """What is open (the viewer's first), what waits for an approval with working buttons, watches, health."""
    mine = [one for one in found.open if one.acknowledged_by == viewer and one.state == "acknowledged"]
    others = [one for one in found.open if one not in mine]
    blocks = [limits.header(_title(found)), *answers.health(found)]
    blocks += _waiting(found)
    if mine:
        blocks.append(_listed("Acknowledged by you", mine))
    blocks.append(_listed("Open incidents" if not mine else "Other open incidents", others))
    rows = [answers.watch_line(one) for one in found.watches[: answers.ROWS]]
    blocks.append(limits.section(text.lines(("*Watches*", *(rows or ["None. Nothing is being watched."])))))
    resolved = f"{text.count(found.resolved_24h, 'incident')} resolved in the last 24 h"
    well = "Watchkeeper itself is well" if not found.health else ""
    blocks.append(limits.context(text.dotted((resolved, well))))
    return limits.home(blocks)


def _title(found: cards.Status) -> str:
    if not found.open:
        return "Nothing is broken that is watched" if found.watches else "Nothing is watched yet"
    worst = min(one.severity for one in found.open)
    return f"{wording.SEVERITY[worst]} {text.count(len(found.open), 'open incident')}"


def _listed(title: str, found: Sequence[incidents.Incident]) -> messages.Block:
    return limits.section(text.lines((f"*{title}*", *answers.incident_lines(found))))


def _waiting(found: cards.Status) -> list[messages.Block]:
    if not found.waiting:
        return []
    blocks = [limits.section("*Waits for approval*")]
    for card in found.waiting[:WAITING]:
        blocks += _one(card, found.open)
    left = len(found.waiting) - WAITING
    return [*blocks, *([limits.context(f"{text.CUT}: {left} more")] if left > 0 else []), limits.divider()]


def _one(card: cards.ProposalCard, open_: Sequence[incidents.Incident]) -> list[messages.Block]:
    """The same facts as on the incident message, since the same is decided here."""
    row = card.proposal
    told = text.lines((answers.waiting_line(card, open_), text.prose(row.summary, 300), incidents_.kubectl(row)))
    if row.kind == "undo":
        pressable = [buttons.undo_it(card)]
    else:
        stop = [buttons.stop_alone(card)] if buttons.announced(card) else []
        pressable = [*stop, buttons.approve(card), buttons.reject(card)]
    facts = limits.context(text.dotted((incidents_.radius(row), f"{row.risk} risk")))
    return [limits.section(told), facts, *limits.actions(pressable)]
