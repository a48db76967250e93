"""What Slack accepts as an element inside a block: buttons, menus, inputs, images, with their options and dialogs.

Pure. Called by `limits_blocks`. Figures from docs.slack.dev/reference/block-kit/block-elements and
…/composition-objects. External selects, file inputs and rich text inputs are refused as unknown: the page has none.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from demo.slack.limits_report import Report

BUTTON_TEXT = 75
VALUE = 2_000
URL = 3_000
ACTION_ID = 255
OPTIONS = 100
OPTION_GROUPS = 100
OVERFLOW_OPTIONS = 5
CHOICES = 10
OPTION_TEXT = 75
OPTION_VALUE = 150
PLACEHOLDER = 150
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
ALT_TEXT = 2_000
INPUT_TEXT = 3_000

_FOCUS = ("placeholder", "focus_on_load")
_KEYS: dict[str, tuple[str, ...]] = {
    "button": ("text", "url", "value", "style", "confirm", "accessibility_label"),
    "image": ("image_url", "slack_file", "alt_text"),
    "overflow": ("options", "confirm"),
    "static_select": ("options", "option_groups", "initial_option", "confirm", *_FOCUS),
    "multi_static_select": ("options", "option_groups", "initial_options", "confirm", "max_selected_items", *_FOCUS),
    "users_select": ("initial_user", "confirm", *_FOCUS),
    "multi_users_select": ("initial_users", "confirm", "max_selected_items", *_FOCUS),
    "conversations_select": (
        *("initial_conversation", "default_to_current_conversation", "confirm", "response_url_enabled", "filter"),
        *_FOCUS,
    ),
    "multi_conversations_select": (
        *("initial_conversations", "default_to_current_conversation", "confirm", "max_selected_items", "filter"),
        *_FOCUS,
    ),
    "channels_select": ("initial_channel", "confirm", "response_url_enabled", *_FOCUS),
    "multi_channels_select": ("initial_channels", "confirm", "max_selected_items", *_FOCUS),
    "radio_buttons": ("options", "initial_option", "confirm", "focus_on_load"),
    "checkboxes": ("options", "initial_options", "confirm", "focus_on_load"),
    "plain_text_input": (
        *("initial_value", "multiline", "min_length", "max_length", "dispatch_action_config"),
        *_FOCUS,
    ),
    "number_input": (
        *("is_decimal_allowed", "initial_value", "min_value", "max_value", "dispatch_action_config"),
        *_FOCUS,
    ),
    "email_text_input": ("initial_value", "dispatch_action_config", *_FOCUS),
    "url_text_input": ("initial_value", "dispatch_action_config", *_FOCUS),
    "datepicker": ("initial_date", "confirm", *_FOCUS),
    "timepicker": ("initial_time", "confirm", "timezone", *_FOCUS),
    "datetimepicker": ("initial_date_time", "confirm", "focus_on_load"),
}
_TYPED = frozenset(["plain_text_input", "number_input", "email_text_input", "url_text_input"])
_MENUS = frozenset(_KEYS) - _TYPED - {"image"}

ACTIONS = _MENUS
ACCESSORIES = _MENUS | {"image"}
INPUTS = (_MENUS | _TYPED) - {"button", "overflow"}

_NUMBER = re.compile(r"-?\d+(\.\d{1,4})?")


def check_element(element: Any, pointer: str, allowed: Collection[str], report: Report) -> None:
    """Check one element; `allowed` are the element types that its place in a block admits."""
    if not isinstance(element, Mapping):
        report.add("must provide an object", pointer)
        return
    kind = element.get("type")
    if not isinstance(kind, str) or kind not in allowed:
        report.add(f"unsupported type: {kind}" if kind else "missing required field: type", f"{pointer}/type")
        return
    report.only_keys(element, {"type", *(() if kind == "image" else ("action_id",)), *_KEYS[kind]}, pointer)
    if element.get("action_id") is not None:
        report.string(element["action_id"], f"{pointer}/action_id", ACTION_ID)
    if element.get("placeholder") is not None:
        report.text(element["placeholder"], f"{pointer}/placeholder", PLACEHOLDER, plain_only=True)
    if element.get("confirm") is not None:
        _check_confirm(element["confirm"], f"{pointer}/confirm", report)
    _check_kind(kind, element, pointer, report)


def _check_kind(kind: str, element: Mapping[str, Any], pointer: str, report: Report) -> None:
    if kind == "button":
        _check_button(element, pointer, report)
    elif kind == "image":
        check_image_source(element, pointer, report)
        report.string(element.get("alt_text"), f"{pointer}/alt_text", ALT_TEXT)
    elif kind == "overflow":
        _check_options(element.get("options"), f"{pointer}/options", OVERFLOW_OPTIONS, report)
    elif kind in ("radio_buttons", "checkboxes"):
        _check_options(element.get("options"), f"{pointer}/options", CHOICES, report, plain_only=False)
    elif kind in ("static_select", "multi_static_select"):
        _check_static_select(element, pointer, report)
    elif kind == "plain_text_input":
        _check_plain_text_input(element, pointer, report)
    elif kind == "number_input":
        _check_number_input(element, pointer, report)
    _check_initial_options(element, pointer, report)


def check_image_source(value: Mapping[str, Any], pointer: str, report: Report) -> None:
    """An image has exactly one source: a public URL or a file in Slack."""
    has_url, has_file = value.get("image_url") is not None, value.get("slack_file") is not None
    if has_url == has_file:
        report.add("missing required field: image_url" if not has_url else "only one image source allowed", pointer)
    elif has_url:
        report.string(value["image_url"], f"{pointer}/image_url", URL)
    elif not isinstance(value["slack_file"], Mapping) or not {"id", "url"} & set(value["slack_file"]):
        report.add("failed to match all allowed schemas", f"{pointer}/slack_file")


def _check_button(element: Mapping[str, Any], pointer: str, report: Report) -> None:
    if "text" not in element:
        report.add("missing required field: text", pointer)
    else:
        report.text(element["text"], f"{pointer}/text", BUTTON_TEXT, plain_only=True)
    if element.get("value") is not None:
        report.string(element["value"], f"{pointer}/value", VALUE, at_least=0)
    if element.get("url") is not None:
        report.string(element["url"], f"{pointer}/url", URL)
    if element.get("accessibility_label") is not None:
        report.string(element["accessibility_label"], f"{pointer}/accessibility_label", BUTTON_TEXT)
    _check_style(element, pointer, report)


def _check_style(value: Mapping[str, Any], pointer: str, report: Report) -> None:
    if value.get("style") not in (None, "primary", "danger"):
        report.add("must be one of: primary, danger", f"{pointer}/style")


def _check_confirm(confirm: Any, pointer: str, report: Report) -> None:
    if not isinstance(confirm, Mapping):
        report.add("must provide an object", pointer)
        return
    report.only_keys(confirm, ("title", "text", "confirm", "deny", "style"), pointer)
    longest_by_key = {"title": CONFIRM_TITLE, "text": CONFIRM_TEXT, "confirm": CONFIRM_BUTTON, "deny": CONFIRM_BUTTON}
    for key, longest in longest_by_key.items():
        if confirm.get(key) is not None:
            report.text(confirm[key], f"{pointer}/{key}", longest, plain_only=key != "text")
    if confirm.get("text") is None:
        report.add("missing required field: text", pointer)
    _check_style(confirm, pointer, report)


def _check_static_select(element: Mapping[str, Any], pointer: str, report: Report) -> None:
    if (element.get("options") is None) == (element.get("option_groups") is None):
        report.add("missing required field: options", pointer)
    elif element.get("options") is not None:
        _check_options(element["options"], f"{pointer}/options", OPTIONS, report)
    else:
        groups = report.items(element["option_groups"], f"{pointer}/option_groups", OPTION_GROUPS)
        for index, group in enumerate(groups):
            here = f"{pointer}/option_groups/{index}"
            if not isinstance(group, Mapping):
                report.add("must provide an object", here)
                continue
            report.text(group.get("label"), f"{here}/label", OPTION_TEXT, plain_only=True)
            _check_options(group.get("options"), f"{here}/options", OPTIONS, report)


def _check_options(options: Any, pointer: str, most: int, report: Report, *, plain_only: bool = True) -> None:
    for index, option in enumerate(report.items(options, pointer, most)):
        _check_option(option, f"{pointer}/{index}", report, plain_only=plain_only)


def _check_option(option: Any, pointer: str, report: Report, *, plain_only: bool) -> None:
    if not isinstance(option, Mapping):
        report.add("must provide an object", pointer)
        return
    report.only_keys(option, ("text", "value", "description", "url"), pointer)
    report.text(option.get("text"), f"{pointer}/text", OPTION_TEXT, plain_only=plain_only)
    report.string(option.get("value"), f"{pointer}/value", OPTION_VALUE)
    if option.get("description") is not None:
        report.text(option["description"], f"{pointer}/description", OPTION_TEXT, plain_only=plain_only)


def _check_initial_options(element: Mapping[str, Any], pointer: str, report: Report) -> None:
    """What is chosen at first must be among the choices, exactly."""
    groups = [group for group in _listed(element, "option_groups") if isinstance(group, Mapping)]
    choices = [*_listed(element, "options"), *(option for group in groups for option in _listed(group, "options"))]
    if element.get("initial_option") is not None and element["initial_option"] not in choices:
        report.add("`initial_option` must match one of the options", f"{pointer}/initial_option")
    for index, option in enumerate(_listed(element, "initial_options")):
        if option not in choices:
            report.add("`initial_options` must match the options", f"{pointer}/initial_options/{index}")


def _listed(value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key)
    return found if isinstance(found, list) else []


def _check_plain_text_input(element: Mapping[str, Any], pointer: str, report: Report) -> None:
    if element.get("initial_value") is not None:
        report.string(element["initial_value"], f"{pointer}/initial_value", INPUT_TEXT, at_least=0)
    for key, lowest in (("min_length", 0), ("max_length", 1)):
        value = element.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= INPUT_TEXT:
            report.add(f"must be between {lowest} and {INPUT_TEXT}", f"{pointer}/{key}")


def _check_number_input(element: Mapping[str, Any], pointer: str, report: Report) -> None:
    if not isinstance(element.get("is_decimal_allowed"), bool):
        report.add("missing required field: is_decimal_allowed", pointer)
    for key in ("initial_value", "min_value", "max_value"):
        value = element.get(key)
        if value is not None and (not isinstance(value, str) or not _NUMBER.fullmatch(value)):
            report.add("must be a number written as a string", f"{pointer}/{key}")
