"""What travels through Slack and comes back: action ids, callback ids, button values, modal and message metadata.

A button carries a row's id and the head of the digest of what the person saw, nothing else: the row decides what a
press means, so that an old button cannot do an old thing. Rendered by `bot.slack.blocks`, parsed by `handlers`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from bot.domain import approvals

APPROVE = "wk:approve"
APPROVE_WITH_REASON = "wk:approve-why"
"""Approve or Undo where a reason is required: opens a modal at once, before anything is looked up."""
EDIT = "wk:edit"
REJECT = "wk:reject"
ACKNOWLEDGE = "wk:ack"
UNDO = "wk:undo"
STOP = "wk:stop"
"""End what runs in steps before its next one."""
STOP_ALONE = "wk:stop-alone"
"""Keeps what was announced from being done by itself; it can still be approved."""
CLOSE_BREAKER = "wk:close-breaker"
"""Its value names a watch."""
PROPOSE = "wk:propose"
"""Look again, and propose what fits now."""

REJECT_REASON = "wk:reject-reason"
"""Callback id of the modal that asks why a proposal is rejected."""
APPROVE_REASON = "wk:approve-reason"
"""Callback id of the modal that asks why an action is approved."""
EDIT_FORM = "wk:edit-form"
"""Callback id of the modal with the parameters of a proposed action."""
EDIT_INPUT = "wk:edit-value"
_EDIT_BLOCK = "wk:edit:"
REASON_BLOCK = "wk:reason"
REASON_INPUT = "wk:reason-text"
OTHER = "wk:other"
"""Ask for an action of the catalogue: opens a modal at once, before anything is looked up."""
ASK_FORM = "wk:ask-form"
"""Callback id of the modal that asks which action, and then with what."""
ASK_ACTION = "wk:ask-action"
"""The menu of actions in it, and its block: choosing one brings its fields."""
ASK_INPUT = "wk:ask-value"
_ASK_BLOCK = "wk:ask:"
RUNBOOK_FORM = "wk:runbook-form"
"""Callback id of the modal that adds a runbook; below, its blocks, and the input in each."""
RUNBOOK_NAME = "wk:runbook-name"
RUNBOOK_TITLE = "wk:runbook-title"
RUNBOOK_KINDS = "wk:runbook-kinds"
RUNBOOK_LABELS = "wk:runbook-labels"
RUNBOOK_BODY = "wk:runbook-body"
RUNBOOK_INPUT = "wk:runbook-value"
NOTICE = "wk:notice"
"""Callback id of modals that only tell something: loading, or why there is nothing to submit."""

VIEW_EVENT = "watchkeeper_view"
"""Event type of the metadata of every message that is a view of rows."""

_NO_DIGEST = "-"
_VALUE = re.compile(rf"([1-9][0-9]{{0,17}}):([0-9a-f]{{{approvals.DIGEST_SHOWN}}}|{_NO_DIGEST})", re.ASCII)
_USER = re.compile(r"[UW][A-Z0-9]+", re.ASCII)
_GROUP = re.compile(r"S[A-Z0-9]{2,30}", re.ASCII)


class Malformed(ValueError):
    """What came back is not what was sent: an old version's button, or a forged one."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which row a press is about. `digest` is empty where the row has none (an incident)."""

    id: int
    digest: str = ""


_RowId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""What fits the database; 0 is the row of a button that was none of ours."""


class Pressed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a modal must still know of the button that opened it when it is submitted."""

    proposal_id: _RowId
    digest: str
    channel: str = ""
    """Where the button was pressed; empty in App Home."""
    message_ts: str = ""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the modal of `OTHER` must still know."""

    incident_id: _RowId
    action: str = ""
    """Whose fields it shows; empty where none was chosen."""


def value(row_id: int, digest: str = "") -> str:
    """A button's value, e.g. `12:0f3a…` (16 hex digits) or `12:-`; far below Slack's 2,000 characters."""
    return f"{row_id}:{digest[: approvals.DIGEST_SHOWN] or _NO_DIGEST}"


def parse(text: str) -> Target:
    """The row that a button names. Raises `Malformed`."""
    match = _VALUE.fullmatch(text)
    if match is None:
        raise Malformed("not a button value of this version")
    return Target(int(match[1]), "" if match[2] == _NO_DIGEST else match[2])


def pressed(text: str) -> Pressed:
    """The `private_metadata` of a modal, decoded. Raises `Malformed`."""
    try:
        return msgspec.json.decode(text, type=Pressed)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Malformed("not the metadata of a modal of this version") from error


def private_metadata(context: Pressed) -> str:
    """The other way round; Slack takes 3,000 characters, this is below 200."""
    return msgspec.json.encode(context).decode()


def asked(text: str) -> Asked:
    """The same of the modal of `OTHER`. Raises `Malformed`."""
    try:
        return msgspec.json.decode(text, type=Asked)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Malformed("not the metadata of a modal of this version") from error


def asked_metadata(context: Asked) -> str:
    """The other way round."""
    return msgspec.json.encode(context).decode()


def ask_block(action: str, name: str) -> str:
    """The block of one field of this action: what was entered for another one is never taken for it."""
    return f"{_ASK_BLOCK}{action}:{name}"


def ask_field(block_id: str, action: str) -> str:
    """The other way round; empty for any other block."""
    return block_id.removeprefix(found) if block_id.startswith(found := ask_block(action, "")) else ""


def edit_block(name: str) -> str:
    """The block of one parameter in the edit modal."""
    return f"{_EDIT_BLOCK}{name}"


def edit_field(block_id: str) -> str:
    """The other way round; empty for any other block."""
    return block_id.removeprefix(_EDIT_BLOCK) if block_id.startswith(_EDIT_BLOCK) else ""


def is_user(text: str) -> bool:
    """Whether this is a Slack user id, and so may be shown as a mention."""
    return _USER.fullmatch(text) is not None


def is_group(text: str) -> bool:
    """Whether this is the id of a user group (docs.slack.dev/reference/objects/usergroup-object)."""
    return _GROUP.fullmatch(text) is not None


def metadata(key: str) -> dict[str, Any]:
    """The message metadata by which a post is found again (docs.slack.dev/messaging/message-metadata)."""
    return {"event_type": VIEW_EVENT, "event_payload": {"key": key}}


def key_of(message: Mapping[str, Any]) -> str:
    """The view's key that a message from Slack carries; empty where it is none of ours."""
    found = message.get("metadata")
    if not isinstance(found, Mapping) or found.get("event_type") != VIEW_EVENT:
        return ""
    payload = found.get("event_payload")
    key = payload.get("key") if isinstance(payload, Mapping) else None
    return key if isinstance(key, str) else ""
