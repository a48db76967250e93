"""Mentions as Slack's events tell them: who asks, where, and what."""

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from bot.slack import mentions

BODY = {"authorizations": [{"user_id": "U0BOT", "is_bot": True}]}


def _event(text: str = "<@U0BOT> why not restart?", **changes: Any) -> dict[str, Any]:
    told = {"type": "app_mention", "user": "U0ANA", "text": text, "ts": "5.1", "channel": "C1", "thread_ts": "1.0"}
    return {**told, **changes}


def _words(text: str, body: dict[str, Any] | None = None) -> str:
    found = mentions.mention(_event(text), BODY if body is None else body)
    assert found is not None
    return found.text


def test_a_mention_is_a_question_without_the_bots_own_name() -> None:
    found = mentions.mention(_event(), BODY)
    assert found is not None
    assert (found.channel, found.thread_ts, found.ts, found.user) == ("C1", "1.0", "5.1", "U0ANA")
    assert found.text == "why not restart?"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<@U0BOT>: what changed?", "what changed?"),
        ("what did <@U0BEN> do, <@U0BOT|watchkeeper>?", "what did @U0BEN do,  ?"),
        ("<@U0BOT> is a &lt; b &amp;&amp; c?", "is a < b && c?"),
        ("<@U0BOT> see <https://x.example/a|the wiki> and <https://y.example>", "see the wiki and https://y.example"),
        ("<@U0BOT>", ""),
        ("<@U0BOT> 왜?", "왜?"),
    ],
)
def test_what_was_typed_is_what_is_asked(text: str, words: str) -> None:
    assert _words(text) == words


def test_where_slack_does_not_say_who_the_bot_is_the_first_mention_is_taken_for_it() -> None:
    assert _words("<@U0BOT> what did <@U0BEN> do?", {}) == "what did @U0BEN do?"


@pytest.mark.parametrize(
    "changes",
    [
        {"bot_id": "B1"},
        {"bot_profile": {"id": "B1"}},
        {"subtype": "message_changed"},
        {"subtype": "message_deleted"},
        {"subtype": "bot_message"},
        {"edited": {"user": "U0ANA", "ts": "6.0"}},
        {"hidden": True},
        {"user": None},
        {"user": "U0BOT"},
        {"channel": ""},
        {"ts": None},
    ],
)
def test_bots_edits_and_deletions_ask_nothing(changes: dict[str, Any]) -> None:
    assert mentions.mention(_event(**changes), BODY) is None


@pytest.mark.parametrize(
    ("text", "has"), [("", False), (" :eyes: :+1:", False), ("?!", False), ("🙏", False), ("왜", True), ("why", True)]
)
def test_an_emoji_alone_is_no_question(text: str, has: bool) -> None:
    assert mentions.has_words(text) is has


@hypothesis.given(strategies.text(max_size=200))
@hypothesis.settings(deadline=None, max_examples=100)
def test_any_text_is_taken(text: str) -> None:
    assert "<@U0BOT>" not in _words(f"<@U0BOT> {text}")
