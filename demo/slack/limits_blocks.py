"""What Slack accepts as a list of blocks, one check a block type.

Pure. Called by `limits`. Figures from docs.slack.dev/reference/block-kit/blocks; the wording of the problems is
Slack's. Block types that Watchkeeper has no use for (call, file, card, plan …) are refused as unknown, which is
stricter than Slack.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from demo.slack.limits_elements import ACCESSORIES, ACTIONS, INPUTS, check_element, check_image_source
from demo.slack.limits_report import Report

SECTION_TEXT = 3_000
FIELDS = 10
FIELD_TEXT = 2_000
ACTION_ELEMENTS = 25
CONTEXT_ELEMENTS = 10
HEADER_TEXT = 150
MARKDOWN_TEXT = 12_000
IMAGE_TEXT = 2_000
INPUT_LABEL = 2_000
BLOCK_ID = 255
TABLE_ROWS = 100
TABLE_COLUMNS = 20


class Surface(Enum):
    """Where the blocks will be shown."""

    MESSAGE = "message"
    MODAL = "modal"
    HOME = "home"


def check_blocks(blocks: Any, pointer: str, surface: Surface, most: int, report: Report, *, at_least: int = 0) -> None:
    """Check a list of blocks, their identifiers included (unique block_id; unique action_id within a block)."""
    seen: set[str] = set()
    for index, block in enumerate(report.items(blocks, pointer, most, at_least=at_least)):
        here = f"{pointer}/{index}"
        if not isinstance(block, Mapping):
            report.add("must provide an object", here)
            continue
        _check_block_id(block, here, seen, report)
        kind = block.get("type")
        if not isinstance(kind, str):
            report.add("missing required field: type", here)
        elif kind not in _CHECKS:
            report.add(f"unsupported type: {kind}", f"{here}/type")
        elif surface not in _SURFACES.get(kind, frozenset(Surface)):
            report.add(f"unsupported block type for this surface: {kind}", f"{here}/type")
        else:
            keys, required, check = _CHECKS[kind]
            report.only_keys(block, {"type", "block_id", *keys}, here)
            missing = [key for key in required if block.get(key) is None]
            for key in missing:
                report.add(f"missing required field: {key}", here)
            if not missing:
                check(block, here, report)


def _check_block_id(block: Mapping[str, Any], pointer: str, seen: set[str], report: Report) -> None:
    block_id = block.get("block_id")
    if block_id is None:
        return
    report.string(block_id, f"{pointer}/block_id", BLOCK_ID)
    if isinstance(block_id, str):
        if block_id in seen:
            report.add("`block_id` already exists for another block", f"{pointer}/block_id")
        seen.add(block_id)


def _check_section(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    if block.get("text") is None and block.get("fields") is None:
        report.add("missing required field: text or fields", pointer)
    if block.get("text") is not None:
        report.text(block["text"], f"{pointer}/text", SECTION_TEXT)
    if block.get("fields") is not None:
        for index, field in enumerate(report.items(block["fields"], f"{pointer}/fields", FIELDS)):
            report.text(field, f"{pointer}/fields/{index}", FIELD_TEXT)
    if block.get("accessory") is not None:
        check_element(block["accessory"], f"{pointer}/accessory", ACCESSORIES, report)


def _check_actions(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    seen: set[str] = set()
    for index, element in enumerate(report.items(block["elements"], f"{pointer}/elements", ACTION_ELEMENTS)):
        here = f"{pointer}/elements/{index}"
        check_element(element, here, ACTIONS, report)
        action_id = element.get("action_id") if isinstance(element, Mapping) else None
        if isinstance(action_id, str):
            if action_id in seen:
                report.add("`action_id` already exists for another element in this block", f"{here}/action_id")
            seen.add(action_id)


def _check_context(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    for index, element in enumerate(report.items(block["elements"], f"{pointer}/elements", CONTEXT_ELEMENTS)):
        here = f"{pointer}/elements/{index}"
        if isinstance(element, Mapping) and element.get("type") == "image":
            check_element(element, here, frozenset(["image"]), report)
        else:
            report.text(element, here, SECTION_TEXT)


def _check_header(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    report.text(block["text"], f"{pointer}/text", HEADER_TEXT, plain_only=True)


def _check_image(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    check_image_source(block, pointer, report)
    report.string(block["alt_text"], f"{pointer}/alt_text", IMAGE_TEXT)
    if block.get("title") is not None:
        report.text(block["title"], f"{pointer}/title", IMAGE_TEXT, plain_only=True)


def _check_input(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    report.text(block["label"], f"{pointer}/label", INPUT_LABEL, plain_only=True)
    if block.get("hint") is not None:
        report.text(block["hint"], f"{pointer}/hint", INPUT_LABEL, plain_only=True)
    check_element(block["element"], f"{pointer}/element", INPUTS, report)


def _check_markdown(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    report.string(block["text"], f"{pointer}/text", MARKDOWN_TEXT)


def _check_rich_text(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    kinds = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
    for index, element in enumerate(report.items(block["elements"], f"{pointer}/elements", 1_000, at_least=0)):
        here = f"{pointer}/elements/{index}"
        if not isinstance(element, Mapping) or element.get("type") not in kinds:
            report.add("failed to match all allowed schemas", here)
        elif not isinstance(element.get("elements"), list):
            report.add("missing required field: elements", here)


def _check_table(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    for index, row in enumerate(report.items(block["rows"], f"{pointer}/rows", TABLE_ROWS)):
        here = f"{pointer}/rows/{index}"
        for column, cell in enumerate(report.items(row, here, TABLE_COLUMNS)):
            if not isinstance(cell, Mapping) or cell.get("type") not in ("raw_text", "raw_number", "rich_text"):
                report.add("failed to match all allowed schemas", f"{here}/{column}")


def _check_nothing(block: Mapping[str, Any], pointer: str, report: Report) -> None:
    """A divider has nothing to check."""


_Check = Callable[[Mapping[str, Any], str, Report], None]

_CHECKS: dict[str, tuple[tuple[str, ...], tuple[str, ...], _Check]] = {
    "section": (("text", "fields", "accessory", "expand"), (), _check_section),
    "divider": ((), (), _check_nothing),
    "image": (("image_url", "slack_file", "alt_text", "title"), ("alt_text",), _check_image),
    "actions": (("elements",), ("elements",), _check_actions),
    "context": (("elements",), ("elements",), _check_context),
    "header": (("text", "level"), ("text",), _check_header),
    "input": (("label", "element", "dispatch_action", "hint", "optional"), ("label", "element"), _check_input),
    "markdown": (("text",), ("text",), _check_markdown),
    "rich_text": (("elements",), ("elements",), _check_rich_text),
    "table": (("rows", "column_settings"), ("rows",), _check_table),
}

_SURFACES = {"markdown": frozenset([Surface.MESSAGE]), "table": frozenset([Surface.MESSAGE])}
