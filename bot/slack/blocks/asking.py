"""The modal behind *Other action…*: which action of the catalogue, and what to enter for it.

Opened as `modals.loading`, since a trigger lives three seconds; rendered for `handlers.asking`.
"""

from collections.abc import Sequence

from bot.domain import choices, edits
from bot.slack import ids
from bot.slack.blocks import limits, messages, modals, text
from k8s import model

TITLE = "Other action"
CHECKED = "It is worked out and checked like any proposal, takes the place of what is open, and needs approvals."
_GROUPS: dict[model.RiskTier, str] = {"low": "Low risk", "medium": "Medium risk", "high": "High risk"}


def form(menu: choices.Menu, incident_id: int) -> messages.View:
    """The menu of actions; below it the fields of the one that was chosen, and *Propose*."""
    if not menu.options:
        return modals.notice(TITLE, "Nothing in the catalogue fits what this is now.")
    ready = bool(menu.chosen) and not menu.why_not
    blocks = [limits.section(f"*{text.prose(menu.subject.short, 150)}*"), _actions(menu), *_chosen(menu)]
    return limits.modal(
        TITLE,
        blocks,
        callback_id=ids.ASK_FORM,
        private_metadata=ids.asked_metadata(ids.Asked(incident_id, menu.chosen if ready else "")),
        submit="Propose",
        close="Go back",
    )


def _actions(menu: choices.Menu) -> messages.Block:
    """Slack filters a menu by what is typed into it."""
    element: messages.Block = {
        "type": "static_select",
        "action_id": ids.ASK_ACTION,
        "placeholder": {"type": "plain_text", "text": "Choose or type", "emoji": False},
        "option_groups": _groups(menu.options),
    }
    shown = [option for group in element["option_groups"] for option in group["options"]]
    chosen = next((option for option in shown if option["value"] == menu.chosen), None)
    element |= {} if chosen is None else {"initial_option": chosen}
    return modals.labelled(ids.ASK_ACTION, "Action", element) | {"dispatch_action": True}


def _groups(options: Sequence[choices.Option]) -> list[messages.Block]:
    found = []
    for risk, label in _GROUPS.items():
        here = [modals.option(edits.Choice(one.name, one.label)) for one in options if one.risk == risk]
        if here:
            found.append({"label": {"type": "plain_text", "text": label, "emoji": False}, "options": here})
    return found


def _chosen(menu: choices.Menu) -> list[messages.Block]:
    if not menu.chosen:
        return []
    if menu.why_not:
        return [limits.section(f"*Not possible now:* {text.prose(menu.why_not, 600)}")]
    entries = [
        modals.entry(field, ids.ask_block(menu.chosen, field.name), ids.ASK_INPUT, first=number == 0)
        for number, field in enumerate(menu.fields)
    ]
    return [*entries, limits.context(f"*Never for:* {text.prose(menu.never, 300)}", CHECKED)]
