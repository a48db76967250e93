"""Approve, Reject, Undo, Acknowledge and Propose again: in a message or in App Home.

A press carries a row's id and the head of the digest that was on the card; the row decides what it means.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors
from bot.domain import approvals
from bot.slack import ids
from bot.slack.blocks import answers, modals

Ack = Callable[[], Awaitable[object]]

TOO_SLOW = "Slack did not open the window in time, so nothing was done. Press *Reject* again."


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to every button that a card or App Home shows."""
    listener = _Listener(held)
    app.action(ids.APPROVE)(listener.approve)
    app.action(ids.UNDO)(listener.undo)
    app.action(ids.REJECT)(listener.reject)
    app.action(ids.ACKNOWLEDGE)(listener.acknowledge)
    app.action(ids.PROPOSE)(listener.propose)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def approve(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._decide("approve", ack, body)

    async def undo(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._decide("undo", ack, body)

    async def _decide(self, button: str, ack: Ack, body: dict[str, Any]) -> None:
        """An undo is a proposal like any other, already worked out: pressing it approves it."""
        async with doors.guarded(self._held, button, self._teller(body)):
            answer = await doors.before_ack(self._held.pipeline.approve(_press(body)), ack)
            await self._tell(button, answer, body)

    async def reject(self, ack: Ack, body: dict[str, Any]) -> None:
        """The modal is opened first: its trigger dies after three seconds. Then it asks, or says why not."""
        await ack()
        view = await self._held.publisher.open_modal(str(body["trigger_id"]), modals.loading())
        if view is None:
            await self._tell("reject", approvals.Answer("late", TOO_SLOW), body)
            return
        async with doors.guarded(self._held, "reject", functools.partial(self._notice, view)):
            await self._ask_why(view, _press(body), body)

    async def _ask_why(self, view: str, press: approvals.Press, body: dict[str, Any]) -> None:
        answer = await self._held.pipeline.may_decide(press)
        if not answer.counted:
            self._held.metrics.pressed("reject", answer.ending)
            await self._notice(view, answer.text)
            return
        proposal = await self._held.pipeline.proposal(press)
        await self._held.publisher.update_modal(view, modals.reject_reason(proposal, _context(press, body)))

    async def _notice(self, view: str, text: str) -> None:
        await self._held.publisher.update_modal(view, modals.notice("Reject", text))

    async def acknowledge(self, ack: Ack, body: dict[str, Any]) -> None:
        async with doors.guarded(self._held, "acknowledge", self._teller(body)):
            pressed = _press(body)
            deciding = self._held.pipeline.acknowledge(pressed.proposal_id, pressed.user)
            await self._tell("acknowledge", await doors.before_ack(deciding, ack), body)

    async def propose(self, ack: Ack, body: dict[str, Any]) -> None:
        async with doors.guarded(self._held, "propose", self._teller(body)):
            pressed = _press(body)
            deciding = self._held.pipeline.propose_again(pressed.proposal_id, pressed.user)
            await self._tell("propose", await doors.before_ack(deciding, ack), body)

    async def _tell(self, button: str, answer: approvals.Answer, body: dict[str, Any]) -> None:
        self._held.metrics.pressed(button, answer.ending)
        message = answers.pressed(answer)
        if message is not None:
            await doors.whisperer(self._held, body)(message)
        if doors.in_home(body):
            await doors.draw_home(self._held, str(body["user"]["id"]))

    def _teller(self, body: dict[str, Any]) -> Callable[[str], Awaitable[None]]:
        async def tell(text: str) -> None:
            await doors.whisperer(self._held, body)(answers.said(text))

        return tell


def _press(body: dict[str, Any]) -> approvals.Press:
    """What was pressed. An old or forged value becomes a press on nothing, which is answered as such."""
    action = body["actions"][0]
    user = str(body["user"]["id"])
    try:
        target = ids.parse(str(action.get("value") or ""))
    except ids.Malformed:
        return approvals.Press(user, 0, "")
    return approvals.Press(user, target.id, target.digest)


def _context(press: approvals.Press, body: dict[str, Any]) -> ids.Rejection:
    channel = str((body.get("channel") or {}).get("id") or "")
    return ids.Rejection(press.proposal_id, press.digest, channel, str((body.get("message") or {}).get("ts") or ""))
