"""*Other action…* where Slack or the record is slow, and where what comes back is not what was sent."""

import asyncio
from typing import Any

import pytest

from bot import errors, pipeline
from bot.domain import approvals, choices, edits, ports
from bot.slack import ids
from bot.slack.blocks import asking as windows
from demo import slack
from handlers import asking
from k8s import model
from tests.handlers import holding

API = model.ResourceRef("Deployment", "payments", "api", "uid-api")
SCALE = choices.Menu(
    API,
    (choices.Option("scale", "Scale", "low"),),
    "scale",
    (edits.Field("replicas", "Replicas", "number", "3"),),
    "Stopping a service.",
)
COUNTED = approvals.Edited(approvals.Answer("counted"))
BLOCK = ids.ask_block("scale", "replicas")


class _Line(pipeline.Pipeline):
    """What may be asked for, and what comes of it, is what the test likes, and takes as long."""

    def __init__(self, wired: ports.Ports, end: approvals.Edited | Exception = COUNTED, *, free: bool = True) -> None:
        super().__init__(wired)
        self.free = asyncio.Event()
        if free:
            self.free.set()
        self._end = end
        self.asked: list[tuple[int, str, dict[str, str], str]] = []

    async def fields_of(self, incident_id: int, name: str, user: str) -> choices.Menu:
        del incident_id, name, user
        return SCALE

    async def ask_with(self, incident_id: int, name: str, values: Any, user: str) -> approvals.Edited:
        self.asked.append((incident_id, name, dict(values), user))
        await self.free.wait()
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


def _body(value: str = "12:-", **more: Any) -> dict[str, Any]:
    action = {"action_id": ids.OTHER, "value": value}
    return {"user": {"id": slack.ANA}, "channel": {"id": slack.ONCALL}, "actions": [action], **more}


def _sent(view: dict[str, Any], *, chosen: str = "scale", drawn: str = "scale", replicas: str = "4") -> dict[str, Any]:
    option = {"selected_option": {"value": chosen} if chosen else None}
    values = {ids.ASK_ACTION: {ids.ASK_ACTION: option}, BLOCK: {ids.ASK_INPUT: {"value": replicas}}}
    return {**view, "private_metadata": ids.asked_metadata(ids.Asked(12, drawn)), "state": {"values": values}}


async def test_the_window_of_an_incident_that_is_not_known_says_so(room: holding.Room) -> None:
    listener = asking._Listener(room.held)
    for value in ("12:-", "forged"):
        trigger = room.slack.service.views.new_trigger(slack.ANA).id
        await listener.opened(holding.Acks(), _body(value, trigger_id=trigger))
        assert "belongs to no incident that is known here" in str(room.slack.view(slack.ANA))


async def test_a_window_that_slack_did_not_open_is_told(room: holding.Room) -> None:
    await asking._Listener(room.held).opened(holding.Acks(), _body(trigger_id="1.2.dead"))
    assert "Press Other action… again" in room.told(slack.ANA)


async def test_what_is_chosen_brings_its_fields(room: holding.Room) -> None:
    view = await room.modal(slack.ANA)
    listener = asking._Listener(room.with_pipeline(_Line(room.replica.wired)))
    chosen = {"action_id": ids.ASK_ACTION, "selected_option": {"value": "scale"}}
    body = _body(view={**view, "private_metadata": ids.asked_metadata(ids.Asked(12))})
    await listener.chosen(holding.Acks(), {**body, "actions": [chosen]})
    shown = room.slack.view(slack.ANA)
    assert shown is not None
    assert ids.asked(shown["private_metadata"]) == ids.Asked(12, "scale")
    assert BLOCK in [one["block_id"] for one in shown["blocks"]]


async def test_what_was_entered_is_asked_for_and_the_window_closes(room: holding.Room) -> None:
    acks, view, line = holding.Acks(), await room.modal(slack.ANA), _Line(room.replica.wired)
    await asking._Listener(room.with_pipeline(line)).proposed(acks, _body(), _sent(view))
    assert acks.given == [{}]
    assert line.asked == [(12, "scale", {"replicas": "4"}, slack.ANA)]


@pytest.mark.parametrize(("chosen", "told"), [("", asking.CHOOSE), ("cordon", asking.NOT_YET)])
async def test_fields_of_another_action_are_never_taken_for_those_of_the_chosen_one(
    room: holding.Room, chosen: str, told: str
) -> None:
    acks, view, line = holding.Acks(), await room.modal(slack.ANA), _Line(room.replica.wired)
    await asking._Listener(room.with_pipeline(line)).proposed(acks, _body(), _sent(view, chosen=chosen))
    assert acks.given == [{"response_action": "errors", "errors": {ids.ASK_ACTION: told}}]
    assert line.asked == []


async def test_what_is_wrong_stands_below_the_field_and_what_is_about_the_whole_below_the_action(
    room: holding.Room,
) -> None:
    faults = {"replicas": "Give a whole number.", "": "Frozen.", "other": "x" * 400}
    line = _Line(room.replica.wired, approvals.Edited(approvals.Answer("unavailable"), faults))
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    await asking._Listener(room.with_pipeline(line)).proposed(acks, _body(), _sent(view))
    told = acks.given[0]["errors"]
    assert (told[BLOCK], told[ids.ASK_ACTION][:8]) == ("Give a whole number.", "Frozen. ")
    assert len(told[ids.ASK_ACTION]) == asking.FAULT


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (COUNTED, asking.DONE),
        (approvals.Edited(approvals.Answer("late", "It is under way.")), "It is under way."),
        (approvals.Edited(approvals.Answer("unavailable"), {"": "No pausing."}), "No pausing."),
        (errors.ClusterUnavailable("it is away"), "it is away"),
        (KeyError("a bug"), "Something went wrong"),
    ],
)
async def test_what_takes_long_is_acknowledged_in_time_and_the_window_says_what_came_of_it(
    room: holding.Room, end: approvals.Edited | Exception, told: str
) -> None:
    acks, view, line = holding.Acks(), await room.modal(slack.ANA), _Line(room.replica.wired, end, free=False)
    sending = asyncio.create_task(asking._Listener(room.with_pipeline(line)).proposed(acks, _body(), _sent(view)))
    async with asyncio.timeout(2.8):
        await acks.first.wait()
    assert asking.SLOW in str(acks.given[0]["view"])
    line.free.set()
    await sending
    assert told in str(room.slack.view(slack.ANA))
    assert len(acks.given) == 1


async def test_an_end_that_is_no_fault_is_said_in_the_window(room: holding.Room) -> None:
    line = _Line(room.replica.wired, approvals.Edited(approvals.Answer("late", "It is resolved.")))
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    await asking._Listener(room.with_pipeline(line)).proposed(acks, _body(), _sent(view))
    assert (acks.given[0]["response_action"], "It is resolved." in str(acks.given[0]["view"])) == ("update", True)
    assert windows.TITLE in str(acks.given[0]["view"])
