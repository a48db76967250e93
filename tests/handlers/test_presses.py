"""Buttons, modals and commands where Slack or the record is slow, late or unwell: what stories cannot time."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from bot import doors, errors, pipeline
from bot.domain import approvals, ports
from bot.slack import ids
from demo import slack
from handlers import buttons, commands, modals
from tests.bot.flow import worlds
from tests.handlers import holding

METADATA = ids.private_metadata(ids.Pressed(1, "0" * 16, slack.ONCALL, "1.0"))


class _Deciding(pipeline.Pipeline):
    """Its decisions take as long as the test likes, and come to what the test likes."""

    def __init__(self, wired: ports.Ports, end: approvals.Answer | Exception) -> None:
        super().__init__(wired)
        self.free = asyncio.Event()
        self._end = end

    async def reject(self, press: approvals.Press) -> approvals.Answer:
        await self.free.wait()
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    async def may_decide(self, press: approvals.Press) -> approvals.Answer:
        return await self.reject(press)


def _submitted(view: dict[str, Any], reason: str, metadata: str = METADATA) -> dict[str, Any]:
    values = {ids.REASON_BLOCK: {ids.REASON_INPUT: {"value": reason}}}
    return {**view, "private_metadata": metadata, "state": {"values": values}}


BODY: dict[str, Any] = {"user": {"id": slack.ANA}, "channel": {"id": slack.ONCALL}, "trigger_id": "1.2.3"}


def _deciding(room: holding.Room, end: approvals.Answer | Exception) -> _Deciding:
    return _Deciding(room.replica.wired, end)


COUNTED = approvals.Answer("counted")
LATE = approvals.Answer("late", "This was approved by <@U0BEN>. Your press changed nothing.")


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (COUNTED, "It is rejected."),
        (LATE, "approved by <@U0BEN>"),
        (errors.StoreUnavailable("away"), "cannot be reached"),
        (KeyError("a bug"), "Something went wrong"),
    ],
)
async def test_a_slow_rejection_is_acknowledged_in_time_and_its_window_says_what_came_of_it(
    room: holding.Room, end: approvals.Answer | Exception, told: str
) -> None:
    acks, deciding, view = holding.Acks(), _deciding(room, end), await room.modal(slack.ANA)
    listener = modals._Listener(room.with_pipeline(deciding))
    submitting = asyncio.create_task(listener.reject(acks, BODY, _submitted(view, "not now")))
    async with asyncio.timeout(2.8):
        await acks.first.wait()
    assert modals.SLOW in str(acks.given[0]["view"])
    deciding.free.set()
    await submitting
    assert told in str(room.slack.view(slack.ANA))
    assert len(acks.given) == 1


@pytest.mark.parametrize(
    ("end", "told"),
    [(LATE, "approved by <@U0BEN>"), (errors.StoreUnavailable("away"), "cannot be reached"), (KeyError("x"), "wrong")],
)
async def test_a_rejection_that_does_not_count_is_answered_in_its_window(
    room: holding.Room, end: approvals.Answer | Exception, told: str
) -> None:
    acks, deciding, view = holding.Acks(), _deciding(room, end), await room.modal(slack.ANA)
    deciding.free.set()
    await modals._Listener(room.with_pipeline(deciding)).reject(acks, BODY, _submitted(view, "not now"))
    assert acks.given[0]["response_action"] == "update"
    assert told in str(acks.given[0]["view"])


async def test_a_rejection_that_counts_closes_its_window(room: holding.Room) -> None:
    acks, deciding, view = holding.Acks(), _deciding(room, COUNTED), await room.modal(slack.ANA)
    deciding.free.set()
    await modals._Listener(room.with_pipeline(deciding)).reject(acks, BODY, _submitted(view, "not now"))
    assert acks.given == [{}]


@pytest.mark.parametrize("reason", ["", "  ", "no", None])
async def test_a_reason_that_says_nothing_is_asked_for_again(room: holding.Room, reason: str) -> None:
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    await modals._Listener(room.held).reject(acks, BODY, _submitted(view, reason))
    assert acks.given == [
        {"response_action": "errors", "errors": {ids.REASON_BLOCK: "Say in a few words why not."}},
    ]


@pytest.mark.parametrize("metadata", ["", "{}", "x", '{"proposal_id": "1; drop"}'])
async def test_a_window_of_nothing_says_so(room: holding.Room, metadata: str) -> None:
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    await modals._Listener(room.held).reject(acks, BODY, _submitted(view, "not now", metadata))
    assert "belongs to no proposal" in str(acks.given[0]["view"])


async def test_a_window_that_slack_did_not_open_in_time_is_told(room: holding.Room) -> None:
    acks = holding.Acks()
    body = {**BODY, "actions": [{"action_id": ids.REJECT, "value": "1:" + "0" * 16}]}
    await buttons._Listener(room.held).reject(acks, body)
    assert acks.given == [{}]
    assert "did not open the window in time" in room.told(slack.ANA)


@pytest.mark.parametrize("end", [errors.StoreUnavailable("away"), KeyError("a bug"), LATE])
async def test_a_window_does_not_wait_for_ever(room: holding.Room, end: approvals.Answer | Exception) -> None:
    deciding = _deciding(room, end)
    deciding.free.set()
    trigger = room.slack.service.views.new_trigger(slack.ANA).id
    body = {**BODY, "trigger_id": trigger, "actions": [{"action_id": ids.REJECT, "value": "1:" + "0" * 16}]}
    await buttons._Listener(room.with_pipeline(deciding)).reject(holding.Acks(), body)
    assert "One moment" not in str(room.slack.view(slack.ANA))


# --- approve with a reason, edit ------------------------------------------------------------------------------------


class _Editing(pipeline.Pipeline):
    """Its edits come to what the test likes, when the test likes."""

    def __init__(self, wired: ports.Ports, end: approvals.Edited | Exception, *, at_once: bool = True) -> None:
        super().__init__(wired)
        self.free = asyncio.Event()
        self.entered: dict[str, str] = {}
        self._end = end
        if at_once:
            self.free.set()

    async def edit(self, press: approvals.Press, values: Mapping[str, str]) -> approvals.Edited:
        self.entered = dict(values)
        await self.free.wait()
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


def _entered(view: dict[str, Any], metadata: str = METADATA) -> dict[str, Any]:
    values = {
        "wk:edit:replicas": {ids.EDIT_INPUT: {"type": "number_input", "value": "5"}},
        "wk:edit:revision": {ids.EDIT_INPUT: {"type": "static_select", "selected_option": {"value": "2"}}},
        "wk:edit:cpu_limit": {ids.EDIT_INPUT: {"type": "plain_text_input", "value": None}},
    }
    return {**view, "private_metadata": metadata, "state": {"values": values}}


WRONG = approvals.Edited(approvals.Answer("unavailable"), {"replicas": "Too many." + "x" * 500})


async def test_what_is_wrong_with_an_edit_is_said_at_its_field(room: holding.Room) -> None:
    acks, editing, view = holding.Acks(), _Editing(room.replica.wired, WRONG), await room.modal(slack.ANA)
    await modals._Listener(room.with_pipeline(editing)).edit(acks, BODY, _entered(view))
    assert editing.entered == {"replicas": "5", "revision": "2", "cpu_limit": ""}
    (given,) = acks.given
    assert given["response_action"] == "errors"
    assert given["errors"]["wk:edit:replicas"].startswith("Too many.")
    assert len(given["errors"]["wk:edit:replicas"]) <= modals.FAULT


@pytest.mark.parametrize(
    ("end", "told"),
    [(WRONG, "Too many."), (approvals.Edited(COUNTED), "It is proposed."), (KeyError("a bug"), "Something went wrong")],
)
async def test_a_slow_edit_is_acknowledged_in_time_and_its_window_says_what_came_of_it(
    room: holding.Room, end: approvals.Edited | Exception, told: str
) -> None:
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    editing = _Editing(room.replica.wired, end, at_once=False)
    submitting = asyncio.create_task(modals._Listener(room.with_pipeline(editing)).edit(acks, BODY, _entered(view)))
    async with asyncio.timeout(2.8):
        await acks.first.wait()
    editing.free.set()
    await submitting
    assert told in str(room.slack.view(slack.ANA))


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (approvals.Edited(LATE), "approved by <@U0BEN>"),
        (errors.ClusterUnavailable("prod does not answer"), "prod does not answer"),
        (approvals.Edited(COUNTED, {"other": "No such thing."}), "No such thing."),
    ],
)
async def test_an_edit_that_does_not_count_is_answered_in_its_window(
    room: holding.Room, end: approvals.Edited | Exception, told: str
) -> None:
    if isinstance(end, approvals.Edited) and end.faults:
        end = approvals.Edited(approvals.Answer("unavailable"), end.faults)
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    await modals._Listener(room.with_pipeline(_Editing(room.replica.wired, end))).edit(acks, BODY, _entered(view))
    assert acks.given[0]["response_action"] == "update"
    assert told in str(acks.given[0]["view"])


async def test_an_edit_that_counts_closes_its_window(room: holding.Room) -> None:
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    editing = _Editing(room.replica.wired, approvals.Edited(COUNTED))
    await modals._Listener(room.with_pipeline(editing)).edit(acks, BODY, _entered(view))
    assert acks.given == [{}]


async def test_a_reason_for_an_approval_that_says_nothing_is_asked_for_again(room: holding.Room) -> None:
    acks, view = holding.Acks(), await room.modal(slack.ANA)
    await modals._Listener(room.held).approve(acks, BODY, _submitted(view, " "))
    assert acks.given == [{"response_action": "errors", "errors": {ids.REASON_BLOCK: "Say in a few words why."}}]


@pytest.mark.parametrize("button", ["approve_with_reason", "edit", "reject"])
async def test_every_window_is_opened_before_anything_is_looked_up(room: holding.Room, button: str) -> None:
    """Of a button that means nothing: the window is there, and says so."""
    trigger = room.slack.service.views.new_trigger(slack.ANA).id
    body = {**BODY, "trigger_id": trigger, "actions": [{"action_id": "x", "value": "1:" + "0" * 16}]}
    acks = holding.Acks()
    await getattr(buttons._Listener(room.held), button)(acks, body)
    assert acks.given == [{}]
    assert "belongs to no proposal" in str(room.slack.view(slack.ANA))


# --- commands -------------------------------------------------------------------------------------------------------


class _Answered:
    """What Slack says to an answer by response_url."""

    def __init__(self, status: int) -> None:
        self.status_code = status


@pytest.mark.parametrize("fault", [_Answered(500), _Answered(404), aiohttp.ServerDisconnectedError(), TimeoutError()])
async def test_an_answer_that_its_response_url_does_not_take_is_whispered(room: holding.Room, fault: Any) -> None:
    async def respond(**_content: Any) -> _Answered:
        if isinstance(fault, Exception):
            raise fault
        answered: _Answered = fault
        return answered

    acks = holding.Acks()
    command = {"text": "staus", "user_id": slack.ANA, "channel_id": slack.ONCALL}
    await commands._Listener(room.held).listen(acks, command, respond)
    assert acks.given == [{}]
    assert "staus" in room.told(slack.ANA)


async def test_a_command_is_acknowledged_before_anything_else(room: holding.Room) -> None:
    ends = asyncio.Event()

    async def respond(**_content: Any) -> _Answered:
        await ends.wait()
        return _Answered(200)

    acks = holding.Acks()
    command = {"text": "status", "user_id": slack.ANA, "channel_id": slack.ONCALL}
    asking = asyncio.create_task(commands._Listener(room.held).listen(acks, command, respond))
    async with asyncio.timeout(1):
        await acks.first.wait()
    assert not asking.done()
    ends.set()
    await asking
    assert room.told(slack.ANA) == ""
    assert room.held.running == set()
    assert doors.ANSWER_SECONDS < 3


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("policy", "Policy"),
        ("policy scale", "Policy for scale"),
        ("policy scael", "`scael` is neither a cluster nor an action here. Did you mean `scale`?"),
    ],
)
async def test_the_policy_is_told_to_whoever_asks(room: holding.Room, typed: str, told: str) -> None:
    said: list[dict[str, Any]] = []

    async def respond(**content: Any) -> _Answered:
        said.append(content)
        return _Answered(200)

    command = {"text": typed, "user_id": slack.ANA, "channel_id": slack.ONCALL}
    await commands._Listener(room.held).listen(holding.Acks(), command, respond)
    (answer,) = said
    assert answer["response_type"] == "ephemeral"
    shown = str(answer["blocks"])
    assert told in shown
    assert (worlds.RULES.policy.hash[:16] in shown) == ("scael" not in typed)
