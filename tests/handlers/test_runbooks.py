"""`/watch runbook` and its modal: kept, listed, shown and removed; what is wrong is said where it was entered."""

from typing import Any

import pytest

from bot.domain import consultations
from bot.slack import ids
from bot.slack.blocks import shelving
from demo import slack
from handlers import runbooks
from tests.handlers import holding
from tests.stories import world

BLOCKS = {
    "name": ids.RUNBOOK_NAME,
    "title": ids.RUNBOOK_TITLE,
    "kinds": ids.RUNBOOK_KINDS,
    "labels": ids.RUNBOOK_LABELS,
}


async def _typed(room: holding.Room, text: str, trigger: str = "1.2.dead") -> str:
    (answer,) = await room.typed(f"runbook {text}", trigger=trigger)
    return world.text_of(answer)


async def _submitted(room: holding.Room, body: str = "1. Look.", **said: str) -> dict[str, Any]:
    entered = {"name": "ledger", "title": "The ledger", "kinds": "", "labels": "", **said}
    values = {block: {ids.RUNBOOK_INPUT: {"value": entered[name] or None}} for name, block in BLOCKS.items()}
    values[ids.RUNBOOK_BODY] = {ids.RUNBOOK_INPUT: {"value": body}}
    ack = holding.Acks()
    await runbooks._Listener(room.held).submitted(ack, {"user": {"id": slack.BEN}}, {"state": {"values": values}})
    (given,) = ack.given
    return given


async def _kept(room: holding.Room) -> list[consultations.Runbook]:
    return list(await room.replica.pipeline.runbooks())


async def test_a_runbook_is_added_listed_shown_and_removed(room: holding.Room) -> None:
    assert "None." in await _typed(room, "")
    line = 'add ledger title "When the ledger is away" kinds CrashLoopBackOff,NotReady labels app=api 1. Look\n2. Mend'
    assert "Runbook `ledger` is kept." in await _typed(room, line)
    assert "was there just like this" in await _typed(room, line)
    (book,) = await _kept(room)
    assert (book.title, book.kinds, dict(book.labels), book.body, book.added_by) == (
        "When the ledger is away", ("CrashLoopBackOff", "NotReady"), {"app": "api"}, "1. Look\n2. Mend", slack.ANA,
    )  # fmt: skip
    listed = await _typed(room, "list")
    assert "`ledger`" in listed
    assert "When the ledger is away" in listed
    assert "2. Mend" in await _typed(room, "show ledger")
    assert "is removed" in await _typed(room, "remove ledger")
    assert await _kept(room) == []
    async with room.replica.database.begin() as tx:
        page = await tx.trail.page(actor=slack.ANA)
    assert [entry.event.tag for entry in page.entries] == ["runbook:removed", "runbook:added"]


async def test_what_is_not_there_is_said_with_what_is_near(room: holding.Room) -> None:
    await _typed(room, "add ledger Look.")
    for text in ("show ledgre", "remove ledgre"):
        assert "Did you mean `ledger`" in await _typed(room, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("add Ledger! Look.", "a name may hold lower-case letters"),
        ("add ledger kinds Nonsense Look.", "names no failure kind"),
        ("add ledger labels app Look.", "labels are written key=value"),
        ('add ledger title "open Look.', "a quote is not closed"),
        ("burn ledger", "/watch runbook"),
        ("show", "/watch runbook"),
    ],
)
async def test_what_cannot_be_understood_says_what_to_type(room: holding.Room, text: str, told: str) -> None:
    assert told in await _typed(room, text)
    assert await _kept(room) == []


async def test_one_of_a_folder_is_not_removed_from_slack(room: holding.Room) -> None:
    async with room.replica.database.begin() as tx:
        await tx.runbooks.put(consultations.Runbook("ledger", "L", "Look.", "folder"), room.clock())
    assert "it is in the folder" in await _typed(room, "remove ledger")


async def test_secrets_in_a_runbook_are_not_kept(room: holding.Room) -> None:
    secret = "hunter" + "2hunter2"
    await _typed(room, f"add ledger log in with DB_PASSWORD={secret}")
    assert secret not in str(await _kept(room))


async def test_with_no_text_a_window_is_opened(room: holding.Room) -> None:
    trigger = room.slack.service.views.new_trigger(slack.ANA).id
    assert "Write it in the window" in await _typed(room, "add ledger", trigger)
    view = room.slack.view(slack.ANA)
    assert view is not None
    assert view["callback_id"] == ids.RUNBOOK_FORM
    assert "ledger" in str(view["blocks"])
    assert "Type it again" in await _typed(room, "add ledger")


async def test_what_is_submitted_is_kept_and_what_is_wrong_is_said_below_its_field(room: holding.Room) -> None:
    done = await _submitted(room, kinds="OOMKilled", labels="app=api")
    assert done["response_action"] == "update"
    assert "is kept" in str(done["view"])
    (book,) = await _kept(room)
    assert (book.kinds, book.added_by, book.title) == (("OOMKilled",), slack.BEN, "The ledger")
    for said, block in (
        ({"name": "No Name"}, ids.RUNBOOK_NAME),
        ({"kinds": "Nonsense"}, ids.RUNBOOK_KINDS),
        ({"labels": "app"}, ids.RUNBOOK_LABELS),
        ({"body": "  "}, ids.RUNBOOK_BODY),
    ):
        assert list((await _submitted(room, **said))["errors"]) == [block]
    assert len(await _kept(room)) == 1


def test_the_window_keeps_slacks_limits() -> None:
    view = shelving.form("x" * 200)
    assert len(view["title"]["text"]) <= 24
    assert all(len(block.get("hint", {}).get("text", "")) <= 150 for block in view["blocks"])
    inputs = [block["element"] for block in view["blocks"] if block["type"] == "input"]
    assert all(one["max_length"] <= 3_000 for one in inputs)
    assert sum(one["focus_on_load"] for one in inputs) == 1
