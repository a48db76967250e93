"""Mentions at the door: who is answered where, and what is said where something is away."""

from typing import Any

import pytest

from bot import errors, pipeline
from bot.domain import inquiries, ports
from demo import slack
from handlers import mentions
from tests.handlers import holding

THREAD = "a thread"
BODY = {"authorizations": [{"user_id": slack.BOT_USER}]}


class _Line(pipeline.Pipeline):
    """Hears what the test likes."""

    def __init__(self, wired: ports.Ports, heard: bool | Exception = True) -> None:
        super().__init__(wired)
        self._heard = heard
        self.mentions: list[inquiries.Mention] = []

    async def hear(self, mention: inquiries.Mention) -> bool:
        self.mentions.append(mention)
        if isinstance(self._heard, Exception):
            raise self._heard
        return self._heard


def _event(text: str, **changes: Any) -> dict[str, Any]:
    told = {"user": slack.ANA, "channel": slack.ONCALL, "ts": "5.1", "thread_ts": THREAD}
    return {**told, "text": f"<@{slack.BOT_USER}> {text}", **changes}


async def _heard(room: holding.Room, line: _Line, event: dict[str, Any]) -> str:
    """What is told to who asked alone; the thread is one that is there."""
    if event["thread_ts"] is THREAD:
        event["thread_ts"] = (await room.slack.say(slack.BEN, slack.ONCALL, "look at this")).ts
    await mentions._Listener(room.with_pipeline(line)).heard(event, BODY)
    return room.told(slack.ANA)


async def test_a_question_in_an_incidents_thread_is_heard_and_nothing_is_whispered(room: holding.Room) -> None:
    line = _Line(room.replica.wired)
    assert await _heard(room, line, _event("why not restart?")) == ""
    assert [one.text for one in line.mentions] == ["why not restart?"]
    assert line.mentions[0].thread_ts == room.slack.messages(slack.ONCALL)[0]["ts"]


async def test_outside_of_any_incidents_thread_it_says_what_can_be_asked(room: holding.Room) -> None:
    line = _Line(room.replica.wired, heard=False)
    assert "Mention me in the thread of an incident" in await _heard(room, line, _event("how are you?"))
    assert "Mention me" in await _heard(room, line, _event("how are you?", thread_ts=None))
    assert len(line.mentions) == 1


async def test_why_outside_of_a_thread_is_as_the_command(room: holding.Room) -> None:
    line = _Line(room.replica.wired, heard=False)
    told = await _heard(room, line, _event("why payments/api?", thread_ts=""))
    assert "No active watch looks at namespace payments" in told


@pytest.mark.parametrize("text", ["", " :eyes:", "🙏"])
async def test_a_mention_without_words_asks_nothing(room: holding.Room, text: str) -> None:
    line = _Line(room.replica.wired)
    assert "Mention me" in await _heard(room, line, _event(text))
    assert line.mentions == []


@pytest.mark.parametrize("changes", [{"bot_id": "B1"}, {"edited": {"ts": "6.0"}}, {"user": slack.BOT_USER}])
async def test_bots_and_edits_are_not_listened_to(room: holding.Room, changes: dict[str, Any]) -> None:
    line = _Line(room.replica.wired)
    assert await _heard(room, line, _event("why?", **changes)) == ""
    assert line.mentions == []


async def test_a_database_that_is_away_is_said_to_who_asked(room: holding.Room) -> None:
    line = _Line(room.replica.wired, errors.StoreUnavailable("connection refused"))
    assert "The record (its database) cannot be reached now" in await _heard(room, line, _event("why?"))
