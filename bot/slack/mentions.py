"""Mentions of the bot, as Slack's events tell them (docs.slack.dev/reference/events/app_mention). Pure.

Used by `handlers.mentions`. Not asked by: bots (ourselves too), edited and deleted messages.
"""

import html
import re
from collections.abc import Mapping
from typing import Any

from bot.domain import inquiries

_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>", re.ASCII)
_LINK = re.compile(r"<(?:https?://|mailto:)[^|>]*\|([^>]*)>|<(https?://[^|>]*)>")
_ADDRESSED = re.compile(r"^\s*[,:](?=\s)")
"""What follows a name that somebody is called by; `:eyes:` is something else."""
_EMOJI = re.compile(r":[a-z0-9_+'-]{1,100}:")
_SUBTYPES = frozenset({"", "thread_broadcast", "file_share"})
"""Of messages that a person has written; edits, deletions, joins and the rest are others."""


def mention(event: Mapping[str, Any], body: Mapping[str, Any]) -> inquiries.Mention | None:
    """None where nobody has asked anything."""
    user, channel, ts = (str(event.get(name) or "") for name in ("user", "channel", "ts"))
    automatic = event.get("bot_id") or event.get("bot_profile") or event.get("edited") or event.get("hidden")
    if automatic or str(event.get("subtype") or "") not in _SUBTYPES or not (user and channel and ts):
        return None
    us = _us(body)
    if user in us:
        return None
    thread = str(event.get("thread_ts") or "")
    return inquiries.Mention(channel, thread, ts, user, _words(str(event.get("text") or ""), us))


def _us(body: Mapping[str, Any]) -> frozenset[str]:
    """The ids that the bot itself has in this workspace."""
    found = body.get("authorizations")
    listed = found if isinstance(found, list) else []
    return frozenset(str(one.get("user_id")) for one in listed if isinstance(one, Mapping) and one.get("user_id"))


def _words(text: str, us: frozenset[str]) -> str:
    """Without the mention of us (the first one, where it is not known who we are), and as it was typed."""
    if us:
        text = _PERSON.sub(lambda match: " " if match[1] in us else f"@{match[1]}", text)
    else:
        text = _PERSON.sub(r"@\1", _PERSON.sub(" ", text, count=1))
    text = _LINK.sub(lambda match: match[1] or match[2], text)
    return _ADDRESSED.sub("", html.unescape(text)).strip()


def has_words(text: str) -> bool:
    """Whether something is asked at all, and not by an emoji alone."""
    return any(character.isalnum() for character in _EMOJI.sub(" ", text))
