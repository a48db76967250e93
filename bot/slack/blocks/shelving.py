"""The modal behind `/watch runbook add`: what a runbook is for, and its text. Rendered for `handlers.commands`."""

from bot.slack import ids
from bot.slack.blocks import limits, messages, modals

TITLE = "Add a runbook"
LONGEST = 3_000
"""Characters of a field that Slack lets a person type into a modal."""
TOLD = (
    "Shown with the evidence of incidents that it fits, by failure kind, by labels of the workload, or by its words. "
    "It is kept without secrets, and is read as text: it gives nobody orders."
)


def form(name: str) -> messages.View:
    """`name` is what was typed after `add`; empty where nothing was."""
    kinds = "Failure kinds that it is for, with commas: CrashLoopBackOff, OOMKilled. Empty: any."
    labels = "Labels that the workload must have, with commas: app=api, team=payments. Empty: any."
    fields = [
        _field(ids.RUNBOOK_NAME, "Name", "Lower-case letters, digits, . - _", most=63, value=name, focus=not name),
        _field(ids.RUNBOOK_TITLE, "Title", most=150, focus=bool(name)),
        _field(ids.RUNBOOK_KINDS, "Kinds", kinds, most=500, optional=True),
        _field(ids.RUNBOOK_LABELS, "Labels", labels, most=500, optional=True),
        _field(ids.RUNBOOK_BODY, "Text", "Markdown", most=LONGEST, multiline=True),
    ]
    return limits.modal(
        TITLE, [*fields, limits.context(TOLD)], callback_id=ids.RUNBOOK_FORM, submit="Add", close="Go back"
    )


def _field(
    block_id: str,
    label: str,
    hint: str = "",
    *,
    most: int,
    value: str = "",
    focus: bool = False,
    multiline: bool = False,
    optional: bool = False,
) -> messages.Block:
    element: messages.Block = {
        "type": "plain_text_input",
        "action_id": ids.RUNBOOK_INPUT,
        "multiline": multiline,
        "max_length": most,
        "focus_on_load": focus,
    }
    if value:
        element["initial_value"] = value[:most]
    return modals.labelled(block_id, label, element, hint, optional=optional)
