"""The makers of blocks: nothing that leaves them can exceed Slack's limits. All other block modules build with these.

Figures: docs.slack.dev/reference/block-kit/blocks (50 blocks a message, 100 a view, section 3,000, header 150, context
10 elements, actions 25), …/block-elements (button text 75, value 2,000), …/composition-objects (confirm), …/views
(title and buttons 24). The sum of all blocks of a message is not documented; Slack refuses from about 13,200 characters
of JSON on (slackapi/bolt-js issues 2509 and 2867). Lengths are UTF-16 units, the largest way to count.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from bot.slack.blocks import messages, text

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
ATTACHMENT_BLOCKS = 5
"""Clients may fold an attachment of more blocks behind "Show more", and buttons must never be folded away."""
BLOCKS_CHARACTERS = 12_500
TEXT = 600
"""Before escaping, which makes five of one at most: chat.update takes 4,000, and a notification shows far less."""
SECTION = 3_000
CONTEXT = 2_000
CONTEXT_ELEMENTS = 10
HEADER = 150
ACTIONS = 25
BUTTON = 75
VALUE = 2_000
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
VIEW_TITLE = 24
VIEW_BUTTON = 24

Style = Literal["", "primary", "danger"]


def _mrkdwn(rendered: str, limit: int) -> messages.Block:
    # verbatim: Slack makes no links, channels or mentions out of plain words.
    return {"type": "mrkdwn", "text": text.cut(rendered, limit) or "-", "verbatim": True}


def _plain(raw: str, limit: int) -> messages.Block:
    return {"type": "plain_text", "text": text.plain(raw, limit), "emoji": False}


def section(rendered: str, *, limit: int = SECTION) -> messages.Block:
    """Rendered text. `expand` keeps clients from folding it behind "See more"."""
    return {"type": "section", "text": _mrkdwn(rendered, min(limit, SECTION)), "expand": True}


def context(*rendered: str) -> messages.Block:
    shown = [part for part in rendered if part][:CONTEXT_ELEMENTS]
    return {"type": "context", "elements": [_mrkdwn(part, CONTEXT) for part in shown or ["-"]]}


def header(raw: str) -> messages.Block:
    return {"type": "header", "text": _plain(raw, HEADER)}


def divider() -> messages.Block:
    return {"type": "divider"}


def actions(buttons: Sequence[messages.Block]) -> list[messages.Block]:
    """A row of buttons; no block at all where there is none, since Slack refuses an empty row."""
    return [{"type": "actions", "elements": list(buttons[:ACTIONS])}] if buttons else []


def button(
    label: str, action_id: str, value: str, *, style: Style = "", confirm: messages.Block | None = None
) -> messages.Block:
    """`label` is raw text; `value` comes from `ids.value` and is short by nature."""
    made: messages.Block = {
        "type": "button",
        "text": _plain(label, BUTTON),
        "action_id": action_id,
        "value": value[:VALUE],
    }
    if style:
        made["style"] = style
    if confirm is not None:
        made["confirm"] = confirm
    return made


def confirm(title: str, rendered: str, yes: str, no: str = "Go back", *, style: Style = "") -> messages.Block:
    made: messages.Block = {
        "title": _plain(title, CONFIRM_TITLE),
        "text": _mrkdwn(rendered, CONFIRM_TEXT),
        "confirm": _plain(yes, CONFIRM_BUTTON),
        "deny": _plain(no, CONFIRM_BUTTON),
    }
    if style:
        made["style"] = style
    return made


def message(
    notification: str,
    blocks: Sequence[messages.Block] = (),
    *,
    attached: Sequence[messages.Block] = (),
    color: str = "",
) -> messages.Message:
    """A message within all limits. `attached` blocks stand beside a bar of `color`. `notification` is raw text.

    Where the whole is too large, the longest texts are halved (at a line, marked) until it fits; buttons stay.
    """
    top = _few(blocks, MESSAGE_BLOCKS)
    beside = _few(attached, ATTACHMENT_BLOCKS)
    _shrink((top, beside), BLOCKS_CHARACTERS)
    attachments: tuple[messages.Block, ...] = ({"color": color, "blocks": beside},) if beside else ()
    return messages.Message(text.notification(notification, TEXT), tuple(top), attachments)


def home(blocks: Sequence[messages.Block]) -> messages.View:
    return {"type": "home", "blocks": _few(blocks, VIEW_BLOCKS)}


def modal(
    title: str,
    blocks: Sequence[messages.Block],
    *,
    callback_id: str,
    private_metadata: str = "",
    submit: str = "",
    close: str = "Close",
) -> messages.View:
    """Titles and button labels are cut to 24 characters: write them short."""
    view: messages.View = {
        "type": "modal",
        "callback_id": callback_id,
        "title": _plain(title, VIEW_TITLE),
        "close": _plain(close, VIEW_BUTTON),
        "blocks": _few(blocks, VIEW_BLOCKS) or [section("-")],
    }
    if private_metadata:
        view["private_metadata"] = private_metadata
    if submit:
        view["submit"] = _plain(submit, VIEW_BUTTON)
    return view


def _few(blocks: Sequence[messages.Block], most: int) -> list[messages.Block]:
    """At most that many: of too many, the last that is no row of buttons go, and a line says how many."""
    kept = list(blocks)
    if len(kept) <= most:
        return kept
    rows = [block for block in kept if block["type"] == "actions"][: most - 1]
    rest = [block for block in kept if block["type"] != "actions"]
    room = most - len(rows) - 1
    kept_ids = {id(block) for block in (*rows, *rest[:room])}
    shown = [block for block in kept if id(block) in kept_ids]
    gone = context(f"{text.CUT}: {len(rest) - room} more parts are not shown")
    at = next((i for i in range(len(shown), 0, -1) if shown[i - 1]["type"] != "actions"), 0)
    return [*shown[:at], gone, *shown[at:]]


def size(blocks: Iterable[messages.Block]) -> int:
    """UTF-16 units of these blocks as compact JSON."""
    return text.length(msgspec.json.encode(list(blocks)).decode())


def _texts(value: Any) -> list[messages.Block]:
    """All mrkdwn text objects inside, the very objects."""
    if isinstance(value, list):
        return [found for item in value for found in _texts(item)]
    if not isinstance(value, dict):
        return []
    if value.get("type") == "mrkdwn":
        return [value]
    return [found for key, item in value.items() if key != "confirm" for found in _texts(item)]


_SHORTEST = 60
"""Texts are not shortened below this; all others gone, the blocks themselves are what is left to drop."""


def _shrink(lists: Sequence[list[messages.Block]], most: int) -> None:
    """Shortens the longest texts in place until all lists together fit."""
    while sum(size(blocks) for blocks in lists) > most:
        parts = [part for blocks in lists for part in _texts(blocks)]
        longest = max(parts, key=lambda part: text.length(part["text"]), default={"text": ""})
        was = text.length(longest["text"])
        if was <= _SHORTEST:
            fullest = max(lists, key=size)
            del fullest[_expendable(fullest)]
            continue
        longest["text"] = text.cut(longest["text"], max(was // 2, _SHORTEST))


def _expendable(blocks: Sequence[messages.Block]) -> int:
    """The last block that is no row of buttons; the last one where there are only such."""
    return next((i for i in range(len(blocks) - 1, -1, -1) if blocks[i]["type"] != "actions"), len(blocks) - 1)
