"""Slack's rules for messages and views: what Slack would refuse, the stand-in refuses.

Pure. Called by the method handlers before anything is stored, by the response_url endpoint and for the views that come
back in an acknowledgement. Blocks are checked in `limits_blocks`, interactive elements in `limits_elements`.

Sources: docs.slack.dev/reference/block-kit (blocks, elements, composition objects, views),
docs.slack.dev/reference/methods/chat.postMessage and chat.update (text, metadata), and for the undocumented sum of all
blocks the measurements in slackapi/bolt-js issues 2509 and 2867 (about 13,200 characters of blocks, markup included).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from demo.slack.errors import SlackError
from demo.slack.limits_blocks import Surface, check_blocks
from demo.slack.limits_report import Report

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
BLOCKS_CHARACTERS = 13_000
"""The sum of all blocks of a message, as compact JSON. Slack's real figure is a little higher and not documented."""
POST_TEXT = 40_000
UPDATE_TEXT = 4_000
"""chat.update refuses what chat.postMessage only warns about (slackapi/bolt-python and others: `msg_too_long`)."""
ATTACHMENTS = 100
METADATA_BYTES = 8_000
VIEW_TITLE = 24
VIEW_BUTTON = 24
PRIVATE_METADATA = 3_000
CALLBACK_ID = 255
EXTERNAL_ID = 255
VIEW_BYTES = 250_000

_ATTACHMENT_CONTENT = ("text", "fallback", "blocks", "title", "pretext", "image_url", "fields")
_ATTACHMENT_KEYS = frozenset(
    [
        *("actions", "author_icon", "author_id", "author_link", "author_name", "author_subname", "callback_id"),
        *(
            "color",
            "footer",
            "footer_icon",
            "id",
            "markdown_in",
            "mrkdwn_in",
            "preview",
            "thumb_url",
            "title_link",
            "ts",
        ),
        *_ATTACHMENT_CONTENT,
    ]
)
_VIEW_KEYS = frozenset(
    [
        *("type", "title", "blocks", "close", "submit", "private_metadata", "callback_id", "clear_on_close"),
        *("notify_on_close", "external_id", "submit_disabled"),
    ]
)
_HOME_KEYS = frozenset(["type", "blocks", "private_metadata", "callback_id", "external_id"])


def check_message(
    text: str,
    blocks: Sequence[Any] | None,
    attachments: Sequence[Any] | None,
    metadata: Mapping[str, Any] | None = None,
    *,
    longest_text: int = POST_TEXT,
) -> list[str]:
    """Refuse what Slack refuses in a message; return Slack's warnings for what it lets through.

    Raises `SlackError`: no_text, msg_too_long, invalid_blocks, invalid_attachments, too_many_attachments,
    msg_blocks_too_long, invalid_metadata_format, metadata_too_large.
    """
    if not text and not blocks and not attachments:
        raise SlackError("no_text")
    if len(text) > longest_text:
        raise SlackError("msg_too_long")
    report = Report()
    if blocks is not None:
        check_blocks(blocks, "/blocks", Surface.MESSAGE, MESSAGE_BLOCKS, report)
        report.raise_if_any("invalid_blocks")
    if attachments is not None:
        _check_attachments(attachments)
    if blocks_size(blocks, attachments) > BLOCKS_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    if metadata is not None:
        check_metadata(metadata)
    warnings = []
    if len(text) > UPDATE_TEXT:
        warnings.append("message_truncated")
    if not text and not _has_fallback(attachments):
        warnings.append("missing_text_in_message")
    return warnings


def blocks_size(blocks: Sequence[Any] | None, attachments: Sequence[Any] | None) -> int:
    """Characters of all blocks of a message, at the top and in attachments, written as compact JSON."""
    lists = [blocks or [], *(a.get("blocks") or [] for a in attachments or [] if isinstance(a, Mapping))]
    return sum(len(json.dumps(entry, ensure_ascii=False, separators=(",", ":"))) for entry in lists if entry)


def _has_fallback(attachments: Sequence[Any] | None) -> bool:
    return any(isinstance(a, Mapping) and a.get("fallback") for a in attachments or [])


def _check_attachments(attachments: Sequence[Any]) -> None:
    if len(attachments) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    for index, attachment in enumerate(attachments):
        pointer = f"/attachments/{index}"
        report = Report()
        if not isinstance(attachment, Mapping):
            report.add("must provide an object", pointer)
            report.raise_if_any("invalid_attachments")
            continue
        report.only_keys(attachment, _ATTACHMENT_KEYS, pointer)
        for key in ("text", "fallback", "color", "title", "pretext", "footer"):
            if attachment.get(key) is not None:
                report.string(attachment[key], f"{pointer}/{key}", POST_TEXT, at_least=0)
        report.raise_if_any("invalid_attachments")
        if not any(
            attachment.get(key) for key in ("text", "fallback", "blocks", "title", "pretext", "image_url", "fields")
        ):
            raise SlackError("no_text")
        if attachment.get("blocks") is not None:
            check_blocks(attachment["blocks"], f"{pointer}/blocks", Surface.MESSAGE, MESSAGE_BLOCKS, report)
            report.raise_if_any("invalid_blocks")


def check_metadata(metadata: Any) -> None:
    """Message metadata: an event type and an object (docs.slack.dev/messaging/message-metadata)."""
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("event_payload"), Mapping):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not metadata["event_type"]:
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA_BYTES:
        raise SlackError("metadata_too_large")


def check_view(view: Any) -> None:
    """Refuse a modal or a home tab that Slack would refuse: `invalid_arguments`, or `view_too_large`."""
    report = Report()
    if not isinstance(view, Mapping):
        report.add("must provide an object", "/view")
        report.raise_if_any("invalid_arguments")
        return
    kind = view.get("type")
    if kind not in ("modal", "home"):
        report.add(f"unsupported type: {kind}" if kind else "missing required field: type", "/view/type")
        report.raise_if_any("invalid_arguments")
    report.only_keys(view, _VIEW_KEYS if kind == "modal" else _HOME_KEYS, "/view")
    _check_view_strings(view, report)
    if kind == "modal":
        _check_modal_titles(view, report)
    surface = Surface.MODAL if kind == "modal" else Surface.HOME
    check_blocks(view.get("blocks"), "/view/blocks", surface, VIEW_BLOCKS, report, at_least=0 if kind == "home" else 1)
    report.raise_if_any("invalid_arguments")
    if len(json.dumps(view)) > VIEW_BYTES:
        raise SlackError("view_too_large")


def _check_view_strings(view: Mapping[str, Any], report: Report) -> None:
    longest_by_key = {"private_metadata": PRIVATE_METADATA, "callback_id": CALLBACK_ID, "external_id": EXTERNAL_ID}
    for key, longest in longest_by_key.items():
        if view.get(key) is not None:
            report.string(view[key], f"/view/{key}", longest, at_least=0)


def _check_modal_titles(view: Mapping[str, Any], report: Report) -> None:
    if "title" not in view:
        report.add("missing required field: title", "/view")
    else:
        report.text(view["title"], "/view/title", VIEW_TITLE, plain_only=True)
    for key in ("submit", "close"):
        if view.get(key) is not None:
            report.text(view[key], f"/view/{key}", VIEW_BUTTON, plain_only=True)
    blocks = view.get("blocks")
    has_input = isinstance(blocks, list) and any(isinstance(b, Mapping) and b.get("type") == "input" for b in blocks)
    if has_input and not view.get("submit"):
        report.add("`submit` is required when the view contains an `input` block", "/view/submit")
