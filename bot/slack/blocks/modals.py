"""Modals: opened at once as `loading` (a trigger id lives 3 s), then updated to what they are about.

Rendered for `handlers.buttons` and `handlers.modals`.
"""

from collections.abc import Sequence

from bot.domain import edits, proposals
from bot.slack import ids
from bot.slack.blocks import incident, limits, messages, text, wording

DIFF_LINES = 12
OPTIONS = 100
"""Of a menu, by Slack."""
REASON = 500
"""Longest reason in characters: it is stored, shown on the card and used in the next diagnosis."""


def loading(title: str = "Reject") -> messages.View:
    return limits.modal(title, [limits.section("One moment.")], callback_id=ids.NOTICE)


def notice(title: str, own: str) -> messages.View:
    """Says why there is nothing to submit. `own` is a sentence of our own code."""
    return limits.modal(title, [limits.section(text.sentence(own))], callback_id=ids.NOTICE)


def reject_reason(proposal: proposals.Proposal, context: ids.Pressed) -> messages.View:
    """Asks why, since the reason is what the next diagnosis and the next person need."""
    shown = f"{_named(proposal)}\n{text.block([proposal.kubectl], most=1, width=400)}"
    return limits.modal(
        "Reject",
        [limits.section(shown), _why("Why not?", "Stored, shown on the incident, and used in the next diagnosis.")],
        callback_id=ids.REJECT_REASON,
        private_metadata=ids.private_metadata(context),
        submit="Reject",
        close="Go back",
    )


def approve_reason(proposal: proposals.Proposal, context: ids.Pressed) -> messages.View:
    """Asks why where the policy wants to know, with all that the decision rests on shown once more."""
    facts = text.dotted((f"*{proposal.risk.capitalize()} risk*", incident.radius(proposal)))
    warnings = [f"*Warning:* {text.prose(warning, 240)}" for warning in proposal.warnings[: incident.WARNINGS]]
    changes = "The dry run shows no changed field."
    if proposal.diff:
        changes = text.block(incident.brief(proposal.diff), most=DIFF_LINES, width=160, rest=" in the thread")
    blocks = [
        limits.section(f"{_named(proposal)}\n{text.block([proposal.kubectl], most=1, width=400)}"),
        limits.section(text.lines((text.prose(proposal.summary, 300), changes))),
        limits.section(text.lines((facts, *_final(proposal), *warnings))),
        _why("Why is this right?", "Stored, shown on the incident, and part of the audit trail."),
    ]
    return limits.modal(
        "Approve",
        blocks,
        callback_id=ids.APPROVE_REASON,
        private_metadata=ids.private_metadata(context),
        submit="Approve",
        close="Go back",
    )


def _final(proposal: proposals.Proposal) -> Sequence[str]:
    """Why it cannot be taken back, where that is known: the same that a plain Approve asks to confirm."""
    if proposal.kind != "remedy" or proposal.inverse is not None or not proposal.irreversible:
        return ()
    return (f"*Why there is no Undo:* {text.prose(proposal.irreversible, 200)}",)


def edit(proposal: proposals.Proposal, fields: Sequence[edits.Field], context: ids.Pressed) -> messages.View:
    """The parameters of a proposed action, filled in. What is submitted is a new proposal."""
    told = (
        "What you submit is checked like any proposal and takes the place of this one. It needs approvals of its own."
    )
    shown = f"{_named(proposal)}\n{text.block([proposal.kubectl], most=1, width=400)}\n{told}"
    return limits.modal(
        "Edit",
        [limits.section(shown), *(_field(one, first=number == 0) for number, one in enumerate(fields))],
        callback_id=ids.EDIT_FORM,
        private_metadata=ids.private_metadata(context),
        submit="Propose",
        close="Go back",
    )


def _named(proposal: proposals.Proposal) -> str:
    what = wording.what(proposal.action) if proposal.kind == "remedy" else wording.back(proposal.action)
    return text.prose(what[:1].upper() + what[1:])


def _why(label: str, hint: str) -> messages.Block:
    element: messages.Block = {
        "type": "plain_text_input",
        "action_id": ids.REASON_INPUT,
        "multiline": True,
        "min_length": 3,
        "max_length": REASON,
        "focus_on_load": True,
    }
    return labelled(ids.REASON_BLOCK, label, element, hint)


def _field(field: edits.Field, *, first: bool) -> messages.Block:
    return entry(field, ids.edit_block(field.name), ids.EDIT_INPUT, first=first)


def entry(field: edits.Field, block_id: str, action_id: str, *, first: bool = False) -> messages.Block:
    """The input of one parameter, with what is proposed in it."""
    element: messages.Block = {"action_id": action_id, "focus_on_load": first}
    match field.kind:
        case "number":
            element |= {"type": "number_input", "is_decimal_allowed": False, "min_value": "0"}
        case "text":
            element |= {"type": "plain_text_input", "max_length": 40}
        case _:
            options = [option(choice) for choice in field.choices[:OPTIONS]]
            element |= {"type": "static_select", "options": options}
            chosen = next((option for option in options if option["value"] == field.value), None)
            element |= {} if chosen is None else {"initial_option": chosen}
    if field.kind != "choice" and field.value:
        element["initial_value"] = field.value
    return labelled(block_id, field.label, element, field.hint, optional=field.optional)


def option(choice: edits.Choice) -> messages.Block:
    """One of a menu; `value` has at most 75 characters."""
    return {"text": {"type": "plain_text", "text": text.plain(choice.label, 75), "emoji": False}, "value": choice.value}


def labelled(
    block_id: str, label: str, element: messages.Block, hint: str = "", *, optional: bool = False
) -> messages.Block:
    """An input block. `label` and `hint` are raw."""
    made: messages.Block = {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": text.plain(label, 200), "emoji": False},
    }
    if hint:
        made["hint"] = {"type": "plain_text", "text": text.plain(hint, 200), "emoji": False}
    made["element"] = element
    return made | ({"optional": True} if optional else {})
