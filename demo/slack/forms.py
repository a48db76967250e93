"""What people enter: from a plain value to the payload that Slack sends for each kind of element.

Pure. Called by the interactions (presses, menus, submissions) and by `views` when a modal is updated. It also holds the
checks that Slack's own clients make before they submit a modal (required, length, number), with the client's words.
Source: docs.slack.dev/reference/block-kit/block-elements, …/reference/interaction-payloads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from demo.slack.errors import SlackError
from demo.slack.model import Json

REQUIRED = "Please complete this required field."

_VALUE_KEYS = {
    "plain_text_input": "value",
    "number_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "static_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "multi_static_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_INITIAL_KEYS = {
    "value": "initial_value",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
    "selected_user": "initial_user",
    "selected_users": "initial_users",
    "selected_conversation": "initial_conversation",
    "selected_conversations": "initial_conversations",
    "selected_channel": "initial_channel",
    "selected_channels": "initial_channels",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
    "selected_date_time": "initial_date_time",
}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def elements(block: Mapping[str, Any]) -> Iterator[Json]:
    """The interactive elements of one block."""
    inner = (block.get("elements") or []) if block.get("type") == "actions" else []
    for element in (*inner, block.get("accessory"), block.get("element")):
        if isinstance(element, dict) and "action_id" in element:
            yield element


def find(blocks: Iterable[Json], action_id: str, block_id: str | None = None) -> tuple[Json, Json] | None:
    """The block and the element with this action_id."""
    for block in blocks:
        for element in elements(block):
            if element["action_id"] == action_id and block_id in (None, block.get("block_id")):
                return block, element
    return None


def all_blocks(content: Mapping[str, Any]) -> list[Json]:
    """The blocks of a message, in its attachments too."""
    inner = [block for attachment in content.get("attachments") or [] for block in attachment.get("blocks") or []]
    return [*(content.get("blocks") or []), *inner]


def entered(element: Json, value: Any) -> Json:
    """The value of an element as payloads carry it: `{"selected_option": {...}}`, `{"value": "3"}` …

    `value` is what a person would name: a text, an option's value, an id, or a list of those. Raises
    `invalid_arguments` for an option that is not offered.
    """
    kind = element["type"]
    if kind == "button":
        return {"value": element["value"]} if "value" in element else {}
    key = _VALUE_KEYS[kind]
    if isinstance(value, Mapping) and key in value:
        value = value[key]
    if key == "selected_option":
        return {key: None if value in (None, "") else _option(element, value)}
    if key == "selected_options":
        return {key: [_option(element, one) for one in value or []]}
    if key == "value":
        return {key: None if value in (None, "") else str(value)}
    return {key: value}


def _option(element: Json, wanted: Any) -> Json:
    wanted = wanted["value"] if isinstance(wanted, Mapping) else str(wanted)
    groups = element.get("option_groups") or [{"options": element.get("options") or []}]
    for group in groups:
        for option in group["options"]:
            if option["value"] == wanted:
                found: Json = option
                return found
    raise SlackError("invalid_arguments", [f"[ERROR] no such option: {wanted}"])


def initial(element: Json) -> Json | None:
    """What the element holds before anyone touched it; None for a button and an overflow menu."""
    kind = element["type"]
    if kind in ("button", "overflow"):
        return None
    key = _VALUE_KEYS[kind]
    empty: list[Any] | None = [] if key.endswith("s") else None
    return {"type": kind, key: element.get(_INITIAL_KEYS[key], empty)}


def state(blocks: Iterable[Json], values: Mapping[str, Any], held: Mapping[str, Any] | None = None) -> Json:
    """`state.values` of a view or a message: what is held, or the initial values, overlaid by `values`.

    `values` may be keyed by block_id and action_id (`{"block": {"action": v}}`) or by action_id or block_id alone.
    Raises `invalid_arguments` for a key that names nothing: a test that fills a field which is not there is wrong.
    """
    result: Json = {}
    used: set[str] = set()
    for block in blocks:
        for element in elements(block):
            start = initial(element)
            if start is None:
                continue
            block_id, action_id = block["block_id"], element["action_id"]
            current = (held or {}).get(block_id, {}).get(action_id, start)
            found, value = _value_for(block_id, action_id, values, used)
            if found:
                current = {"type": element["type"], **entered(element, value)}
            result.setdefault(block_id, {})[action_id] = current
    unknown = set(values) - used
    if unknown:
        raise SlackError("invalid_arguments", [f"[ERROR] no such field: {', '.join(sorted(unknown))}"])
    return result


def _value_for(block_id: str, action_id: str, values: Mapping[str, Any], used: set[str]) -> tuple[bool, Any]:
    if block_id in values:
        used.add(block_id)
        value = values[block_id]
        if isinstance(value, Mapping) and action_id in value:
            return True, value[action_id]
        if not isinstance(value, Mapping) or not value or "value" in value:
            return True, value
    if action_id in values:
        used.add(action_id)
        return True, values[action_id]
    return False, None


def complaints(blocks: Iterable[Json], values: Mapping[str, Any]) -> dict[str, str]:
    """What Slack's client objects to before it submits, by block_id. Empty when the form may go to the app."""
    found = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        held = values.get(block["block_id"], {}).get(element["action_id"], {})
        value = held.get(_VALUE_KEYS[element["type"]])
        if value in (None, "", []):
            if not block.get("optional"):
                found[block["block_id"]] = REQUIRED
        elif problem := _objection(element, value):
            found[block["block_id"]] = problem
    return found


def _objection(element: Json, value: Any) -> str | None:
    kind = element["type"]
    if kind == "plain_text_input":
        return _wrong_length(element, value)
    if kind == "number_input":
        return _wrong_number(element, value)
    if kind == "email_text_input" and not _EMAIL.fullmatch(value):
        return "Please enter a valid email address."
    if kind == "url_text_input" and not re.match(r"https?://", value):
        return "Please enter a valid URL."
    return None


def _wrong_length(element: Json, value: str) -> str | None:
    if len(value) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if len(value) > element.get("max_length", 3_000):
        return f"Please enter no more than {element.get('max_length', 3_000)} characters."
    return None


def _wrong_number(element: Json, value: str) -> str | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return "Please enter a valid number."
    if not number.is_finite():
        return "Please enter a valid number."
    if not element["is_decimal_allowed"] and number != number.to_integral_value():
        return "Please enter a whole number."
    if "min_value" in element and number < Decimal(element["min_value"]):
        return f"Please enter a number of at least {element['min_value']}."
    if "max_value" in element and number > Decimal(element["max_value"]):
        return f"Please enter a number of at most {element['max_value']}."
    return None
