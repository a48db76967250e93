"""Modals: opened at once as `loading` (a trigger id lives 3 s), then updated to what they are about.

Rendered for `handlers.buttons` and `handlers.modals`.
"""

from bot.domain import proposals
from bot.slack import ids
from bot.slack.blocks import limits, messages, text, wording

REASON = 500
"""Longest reason in characters: it is stored, shown on the card and used in the next diagnosis."""


def loading(title: str = "Reject") -> messages.View:
    return limits.modal(title, [limits.section("One moment.")], callback_id=ids.NOTICE)


def notice(title: str, own: str) -> messages.View:
    """Says why there is nothing to submit. `own` is a sentence of our own code."""
    return limits.modal(title, [limits.section(text.sentence(own))], callback_id=ids.NOTICE)


def reject_reason(proposal: proposals.Proposal, context: ids.Rejection) -> messages.View:
    """Asks why, since the reason is what the next diagnosis and the next person need."""
    asked: messages.Block = {
        "type": "input",
        "block_id": ids.REASON_BLOCK,
        "label": {"type": "plain_text", "text": "Why not?", "emoji": False},
        "hint": {"type": "plain_text", "text": "Stored, shown on the incident, and used in the next diagnosis."},
        "element": {
            "type": "plain_text_input",
            "action_id": ids.REASON_INPUT,
            "multiline": True,
            "min_length": 3,
            "max_length": REASON,
            "focus_on_load": True,
        },
    }
    what = wording.what(proposal.action) if proposal.kind == "remedy" else wording.back(proposal.action)
    shown = f"{text.prose(what[:1].upper() + what[1:])}\n{text.block([proposal.kubectl], most=1, width=400)}"
    return limits.modal(
        "Reject",
        [limits.section(shown), asked],
        callback_id=ids.REJECT_REASON,
        private_metadata=ids.private_metadata(context),
        submit="Reject",
        close="Go back",
    )
