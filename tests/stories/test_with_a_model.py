"""A model beside the rules, from Slack to the stand-in of its API: agreeing, differing, away, too dear, and in time.

The bots are real processes with ordinary settings. Whatever the model does, the rules' card is there first, and stays.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from demo import model, slack
from demo.cluster import scenarios
from tests.stories import probing
from tests.stories import world as worlds

pytestmark = pytest.mark.story

QUOTE = "KeyError: 'DB_URL'"
CALLS = "SELECT count(*) FROM model_call"
DONE = "SELECT count(*) FROM advice WHERE state = 'done'"
NONE = "SELECT count(*) FROM advice WHERE state = 'none'"


def opening_of(body: Mapping[str, Any]) -> str:
    return str(body["messages"][0]["content"][0]["text"])


def label_of(body: Mapping[str, Any]) -> str:
    """Of the piece of evidence that has the line."""
    pieces = [fenced for fenced in opening_of(body).split("<data-") if QUOTE in fenced]
    return next(found[1] for one in pieces if (found := re.match(r"\w+ (E\d+) source=", one)))


def report(body: Mapping[str, Any], **changes: Any) -> model.Answer:
    """What a good model makes of the crash loop: it quotes the log by the label that it has in the request."""
    label, opening = label_of(body), opening_of(body)
    kind = re.findall(r"kind: ([a-z-]+)", opening)[0]
    values: dict[str, Any] = {
        "cause": f"DB_URL is not set, so the process ends at once [{label}].",
        "kind": kind,
        "claims": [{"text": f"The log names the variable [{label}].", "quote": QUOTE, "cites": [label]}],
        "view": "agrees",
        "sure": True,
        "unknown": [],
        "settle": [],
        "next_step": f"Put DB_URL back [{label}].",
        "actions": [],
    }
    return model.says(values | changes)


def differs(body: Mapping[str, Any]) -> model.Answer:
    label = label_of(body)
    return report(
        body,
        kind="dependency-down",
        view="differs",
        cause=f"<!channel> it is the database [{label}].",
        claims=[
            {"text": f"The log names the variable [{label}].", "quote": QUOTE, "cites": [label]},
            {"text": f"The database is away [{label}].", "quote": "nobody ever wrote this line", "cites": [label]},
        ],
    )


@contextlib.asynccontextmanager
async def standing_in(script: Any) -> AsyncIterator[tuple[model.StandIn, dict[str, Any]]]:
    """The API, and the settings that lead to it."""
    async with model.StandIn(script) as api:
        yield api, {"ANTHROPIC_API_KEY": model.KEY, "ANTHROPIC_BASE_URL": api.url, "MODEL_SMALL": "off"}


async def told(world: worlds.World, words: str) -> str:
    seen = await world.slack.command(slack.CHLOE, slack.ONCALL, "/watch", words)
    return worlds.text_of(await seen.ephemeral(30))


async def test_a_model_that_agrees_is_heard_once_and_shown_by_edit(begin: worlds.Start) -> None:
    async with standing_in(report) as (api, settings):
        world = await begin([scenarios.crash_loop()])
        await world.start_bot(**settings)
        parent = await world.proposed("payments/api")
        await world.eventually_row(DONE)
        await world.eventually(lambda: "rules and model agree" in world.now(parent), what="the model is heard")
        await world.eventually(lambda: "The model agrees with the rules" in world.thread(parent), what="its reply")
        assert "wk:approve" in worlds.buttons(world.shown(parent))
        assert QUOTE in world.thread(parent)
        assert len(world.parents("payments/api")) == 1
        assert api.faults == []
        assert len(api.requests) == 1
        assert await world.value(CALLS) == 1

        cost = await told(world, "cost")
        assert "claude-sonnet-5-5" in cost
        assert "1 request" in cost
        sent = await told(world, "show 1 sent")
        assert "Request 1 of 1" in sent
        assert "Page 1 of" in sent
        assert model.KEY not in sent
        assert not world.slack.ephemerals(slack.ANA), "for the asker alone"


async def test_a_model_that_differs_is_shown_beside_the_rules_and_nothing_it_made_up(begin: worlds.Start) -> None:
    async with standing_in(differs) as (api, settings):
        world = await begin([scenarios.crash_loop()])
        await world.start_bot(READ_ONLY="true", **settings)
        parent = await world.parent("payments/api")
        await world.eventually(lambda: "by the rules" in world.now(parent), what="both causes")
        await world.eventually(lambda: "The model sees it otherwise" in world.thread(parent), what="its reply")
        shown = world.now(parent) + world.thread(parent)
        assert "nobody ever wrote this line" not in shown
        assert "removed" in world.thread(parent), "the drop is told"
        assert "<!channel>" not in shown
        assert "wk:approve" not in worlds.buttons(world.shown(parent))
        assert world.cluster.journal.attempts == []
        assert api.faults == []


@pytest.mark.parametrize(
    ("script", "settings", "says", "calls"),
    [
        (lambda _: model.overloaded(), {}, "overloaded", 1),
        (lambda _: model.cut_off(), {}, "its answer was cut off", 1),
        (report, {"BUDGET_DAY": "0"}, "the budget of $0.00 for today is used up", 0),
    ],
    ids=["overloaded", "cut off", "over budget"],
)
async def test_without_the_model_the_rules_card_stands_and_says_why(
    begin: worlds.Start, script: Any, settings: dict[str, Any], says: str, calls: int
) -> None:
    async with standing_in(script) as (api, reached):
        world = await begin([scenarios.crash_loop()])
        bot = await world.start_bot(**reached, **settings)
        parent = await world.proposed("payments/api")
        await world.eventually_row(NONE)
        await world.eventually(lambda: says in world.now(parent), what=says)
        assert "wk:approve" in worlds.buttons(world.shown(parent))
        assert "The model agrees" not in world.thread(parent)
        assert await world.value(CALLS) == calls
        assert bool(api.requests) == bool(calls)
        await probing.says(bot)
        await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
        await world.eventually(lambda: len(world.cluster.journal.writes) == 1, what="the rules' fix")


async def test_a_replica_that_dies_while_the_model_thinks_is_followed_by_another(begin: worlds.Start) -> None:
    answers = iter([model.hangs()])
    async with standing_in(lambda body: next(answers, None) or report(body)) as (api, settings):
        world = await begin([scenarios.crash_loop()])
        first = await world.start_bot(**settings)
        parent = await world.proposed("payments/api")
        await world.eventually(api.waiting.is_set, what="the model thinks")
        first.kill()
        await first.process.wait()
        await world.start_bot(**settings)
        await world.eventually_row(DONE)
        await world.eventually(lambda: "rules and model agree" in world.now(parent), what="the other one was told")
        assert len(api.requests) == 2
        assert await world.value("SELECT count(*) FROM model_call WHERE finished_at IS NULL") == 1
        assert await world.value("SELECT attempts FROM advice") == 2
        assert len(world.parents("payments/api")) == 1
