"""What Slack would refuse or make live, checked independently of the code that renders.

`demo.slack.limits` knows Slack's limits, `slack_sdk.models` knows Slack's shapes, and `live` finds mentions, links and
markup that would be interpreted.
"""

import re
from collections.abc import Iterator
from typing import Any

from slack_sdk.models.blocks import Block

from bot.slack.blocks import messages
from demo.slack import limits

_OURS = re.compile(
    r"<@[UW][A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>|<#[CG][A-Z0-9]+>|<!date\^-?[0-9]+\^[^|<>^]*\|[^<>|]*>"
    r"|<https?://[^|<>\s]+\|[^<>]+>",
    re.ASCII,
)


def texts(value: Any) -> Iterator[dict[str, Any]]:
    """All text objects in a payload."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        if value.get("type") in {"mrkdwn", "plain_text"} and isinstance(value.get("text"), str):
            yield value
        for item in value.values():
            yield from texts(item)


def tokens(value: Any) -> set[str]:
    """All `<…>` in a payload that Slack would interpret."""
    return {match[0] for part in texts(value) for match in re.finditer(r"<[^<>]*>?", part["text"])}


def faults_of_texts(value: Any) -> list[str]:
    """Anything in any text that could be interpreted and that we do not make, or that cannot be shown."""
    found = []
    for part in texts(value):
        words = part["text"]
        words.encode()
        found += [f"control {character!r}" for character in words if character < " " and character != "\n"]
        found += [
            f"invisible {character!r}" for character in "\u200b\u200f\u202e\u2066\ufeff\x00" if character in words
        ]
        if part["type"] == "plain_text":
            found += ["angle bracket in plain text"] * ("<" in words or ">" in words)
            continue
        found += [] if part.get("verbatim") is True else ["words may become links: not verbatim"]
        rest = _OURS.sub("", words)
        found += [f"bare angle bracket in {words!r}"] * ("<" in rest or ">" in rest)
        found += [f"bare ampersand in {words!r}"] * bool(re.search(r"&(?!(?:amp|lt|gt);)", words))
        found += [f"odd code fences in {words!r}"] * (words.count("```") % 2)
        outside = re.sub(r"```.*?```", "", words, flags=re.DOTALL)
        found += [f"odd code marks in {line!r}" for line in outside.split("\n") if line.count("`") % 2]
        prose = re.sub(r"`[^`]*`", "", _OURS.sub("", outside))
        found += [f"link in {prose!r}"] * ("://" in prose)
    return found


def check_message(message: messages.Message) -> None:
    """Raises where Slack would refuse the message or show something live that is not ours."""
    content = message.arguments()
    assert message.text.strip(), "a message without text says nothing on a phone"
    assert not re.search(r"[<>`\n]", _OURS.sub("", message.text))
    assert limits.check_message(content["text"], content["blocks"], content["attachments"], longest_text=4000) == []
    _check_shapes(content["blocks"])
    for attachment in content["attachments"]:
        assert len(attachment["blocks"]) <= 5, "clients fold longer attachments, and the buttons with them"
        _check_shapes(attachment["blocks"])
    assert faults_of_texts(content) == []


def check_view(view: messages.View) -> None:
    limits.check_view(view)
    _check_shapes(view["blocks"])
    assert faults_of_texts(view) == []


def _check_shapes(blocks: list[dict[str, Any]]) -> None:
    for block in blocks:
        parsed = Block.parse(block)
        assert parsed is not None
        assert type(parsed) is not Block, f"not known to the SDK: {block['type']}"
        parsed.to_dict()
        parsed.validate_json()


def buttons(message: messages.Message) -> list[str]:
    """The labels of the buttons, in order."""
    return [element["text"]["text"] for element in elements(message)]


def elements(value: messages.Message | messages.View) -> list[dict[str, Any]]:
    blocks = value["blocks"] if isinstance(value, dict) else _all_blocks(value)
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def _all_blocks(message: messages.Message) -> list[dict[str, Any]]:
    return [*message.blocks, *(block for attachment in message.attachments for block in attachment["blocks"])]


def shown(message: messages.Message) -> str:
    """All words of a message, as one text."""
    return "\n".join(part["text"] for part in texts([*message.blocks, *message.attachments]))
