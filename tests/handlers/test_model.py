"""`/watch why` with a model, and `/watch show WK-12 sent` in pages, as Slack takes them."""

import asyncio
import html
import json
from datetime import timedelta
from typing import Any

from bot import errors
from bot.domain import consultations, inquiries, ports
from bot.pipeline import Pipeline
from demo import slack
from handlers import mentions
from tests.bot.slack import building
from tests.bot.slack import test_opinions as opinions
from tests.bot.store import examples
from tests.handlers import holding
from tests.stories import world

FOUND = inquiries.Found(examples.problem(), examples.diagnosis(), examples.EVIDENCE)


class _Line(Pipeline):
    """Finds what the test says, and has a model that thinks until it is let."""

    def __init__(self, wired: ports.Ports, view: inquiries.View | Exception, *, found: bool = True) -> None:
        super().__init__(wired)
        self._view = view
        self._found = (FOUND,) if found else ()
        self.thinking, self.go_on = asyncio.Event(), asyncio.Event()

    @property
    def model(self) -> str:
        return "large+v1"

    async def why(self, words: str) -> inquiries.Inquiry:
        return inquiries.Inquiry("demo", examples.WORKLOAD, found=self._found, watch=building.watch())

    async def view(self, inquiry: inquiries.Inquiry) -> inquiries.View:
        self.thinking.set()
        await self.go_on.wait()
        if isinstance(self._view, Exception):
            raise self._view
        return self._view


async def _asked(room: holding.Room, line: _Line) -> list[str]:
    """What is told of `/watch why`: at once, and when the model has answered."""
    typing = asyncio.create_task(room.typed("why payments/api", held=room.with_pipeline(line)))
    async with asyncio.timeout(60):
        await line.thinking.wait()
    at_once = room.slack.ephemerals(slack.ANA, slack.ONCALL)
    line.go_on.set()
    shown = await typing
    assert shown[: len(at_once)] == at_once, "what the rules said stays"
    assert len(shown) == len(at_once) + 1
    return [world.text_of(one) for one in shown]


async def test_the_rules_answer_at_once_and_the_model_follows(room: holding.Room) -> None:
    line = _Line(room.replica.wired, inquiries.View(examples.problem(), opinions.AGREES))
    rules, view = await _asked(room, line)
    assert "exit 1: KeyError 'DB_URL'" in rules
    assert "The model is being asked" in rules
    assert "The model agrees with the rules" in view


async def test_why_a_model_has_no_view_is_one_line(room: holding.Room) -> None:
    why = "The model was not asked: the budget of $5.00 for this watch today is used up"
    rules, view = await _asked(room, _Line(room.replica.wired, inquiries.View(examples.problem(), None, why)))
    assert "exit 1" in rules
    assert view == f"{why}. What the rules say of deployment payments/api stands."


async def test_a_record_that_goes_away_meanwhile_is_said(room: holding.Room) -> None:
    _, view = await _asked(room, _Line(room.replica.wired, errors.StoreUnavailable("away")))
    assert "cannot be reached now" in view


async def test_of_what_is_well_no_model_is_asked(room: holding.Room) -> None:
    line = _Line(room.replica.wired, inquiries.View(examples.problem(), None), found=False)
    (told,) = await room.typed("why payments/api", held=room.with_pipeline(line))
    assert "Nothing is wrong with deployment payments/api now" in world.text_of(told)
    assert not line.thinking.is_set()


async def test_the_same_by_mention(room: holding.Room) -> None:
    line = _Line(room.replica.wired, inquiries.View(examples.problem(), opinions.AGREES))
    line.go_on.set()
    event = {"user": slack.ANA, "channel": slack.ONCALL, "ts": "5.1", "text": f"<@{slack.BOT_USER}> why payments/api?"}
    body = {"authorizations": [{"user_id": slack.BOT_USER}]}
    await mentions._Listener(room.with_pipeline(line)).heard(event, body)
    first, second = (world.text_of(one) for one in room.slack.ephemerals(slack.ANA, slack.ONCALL))
    assert "The model is being asked" in first
    assert "The model agrees with the rules" in second


# --- what was sent ----------------------------------------------------------------------------------------------------


async def _sent(room: holding.Room, *bodies: dict[str, Any]) -> str:
    """The name of an incident about which these requests were made."""
    store = room.replica.database
    incident = await examples.opened(store)
    for number, body in enumerate(bodies):
        new = consultations.NewCall(
            "diagnosis", "demo", "large", "3f9a1c", json.dumps(body), 1000, incident_id=incident.id
        )
        async with store.begin() as tx:
            now = room.clock() + timedelta(seconds=number)
            call = await tx.calls.reserve(new, consultations.Ceilings(10**9, 10**9, 10**9), now)
            assert isinstance(call, int)
            usage = consultations.Usage(1000, 200)
            await tx.calls.finish(call, usage, 500, now, stop="end_turn", received="[]", error="")
    return incident.name


def _code(shown: dict[str, Any]) -> str:
    """The letters of the code blocks of a page."""
    texts = [block["text"]["text"] for block in shown["blocks"] if block["type"] == "section"]
    parts = [one.removeprefix("```\n").removesuffix("\n```") for one in texts if one.startswith("```")]
    return html.unescape("".join(parts))


async def test_what_was_sent_is_read_page_by_page_to_its_last_letter(room: holding.Room) -> None:
    long = {"messages": [{"role": "user", "content": "<data> & `code` \u202e " * 1500}]}
    name = await _sent(room, {"model": "small"}, long)
    pages: list[str] = []
    number, told = 1, ""
    while True:
        (shown,) = await room.typed(f"show {name} sent" if number == 1 else f"show {name} sent {number}")
        told = world.text_of(shown)
        pages.append(_code(shown))
        if "The next page" not in told:
            break
        number += 1
        assert f"The next page: `/watch show {name} sent {number}`" in told
    assert f"Page {number} of {number}" in told
    assert number > 3
    assert json.loads(pages[0]) == {"model": "small"}
    assert json.loads("".join(pages[1:])) == long
    (beyond,) = await room.typed(f"show {name} sent 999")
    assert world.text_of(beyond) == told, "a page that is not there is the last one"
    (wrong,) = await room.typed(f"show {name} sent x")
    assert "That is no page of an incident" in world.text_of(wrong)
    async with room.replica.database.begin() as tx:
        page = await tx.trail.page(actor=slack.ANA)
    assert {entry.event.tag for entry in page.entries} == {"audit:viewed"}
