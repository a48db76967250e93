"""Approve, Edit, Reject, Undo, Acknowledge and Propose again: in a message or in App Home.

A press carries a row's id and the head of the digest that was on the card; the row decides what it means.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors
from bot.domain import approvals
from bot.slack import ids
from bot.slack.blocks import answers, messages, modals

Ack = Callable[[], Awaitable[object]]

TOO_SLOW = "Slack did not open the window in time, so nothing was done. Press *{button}* again."
Fill = Callable[[approvals.Press, ids.Pressed], Awaitable[messages.View]]
"""What a window asks, once it may ask. Raises WatchkeeperError."""


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to every button that a card or App Home shows."""
    listener = _Listener(held)
    app.action(ids.APPROVE)(listener.approve)
    app.action(ids.UNDO)(listener.undo)
    app.action(ids.APPROVE_WITH_REASON)(listener.approve_with_reason)
    app.action(ids.EDIT)(listener.edit)
    app.action(ids.REJECT)(listener.reject)
    app.action(ids.STOP_ALONE)(listener.stop_alone)
    app.action(ids.CLOSE_BREAKER)(listener.close_breaker)
    app.action(ids.ACKNOWLEDGE)(listener.acknowledge)
    app.action(ids.STOP)(listener.stop)
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

    async def stop_alone(self, ack: Ack, body: dict[str, Any]) -> None:
        async with doors.guarded(self._held, "stop", self._teller(body)):
            answer = await doors.before_ack(self._held.pipeline.stop_alone(_press(body)), ack)
            await self._tell("stop", answer, body)

    async def close_breaker(self, ack: Ack, body: dict[str, Any]) -> None:
        """Its value names a watch, where others name a proposal or an incident."""
        async with doors.guarded(self._held, "close breaker", self._teller(body)):
            pressed = _press(body)
            closing = self._held.pipeline.close_breaker(pressed.proposal_id, pressed.user)
            await self._tell("close breaker", await doors.before_ack(closing, ack), body)

    async def approve_with_reason(self, ack: Ack, body: dict[str, Any]) -> None:
        async def fill(press: approvals.Press, context: ids.Pressed) -> messages.View:
            return modals.approve_reason(await self._held.pipeline.proposal(press), context)

        await self._ask("Approve", self._held.pipeline.may_approve, fill, ack, body)

    async def reject(self, ack: Ack, body: dict[str, Any]) -> None:
        async def fill(press: approvals.Press, context: ids.Pressed) -> messages.View:
            return modals.reject_reason(await self._held.pipeline.proposal(press), context)

        await self._ask("Reject", self._held.pipeline.may_decide, fill, ack, body)

    async def edit(self, ack: Ack, body: dict[str, Any]) -> None:
        async def fill(press: approvals.Press, context: ids.Pressed) -> messages.View:
            begun = await self._held.pipeline.begin_edit(press)
            return modals.edit(begun.proposal, begun.fields, context)

        await self._ask("Edit", self._held.pipeline.may_decide, fill, ack, body)

    async def _ask(
        self,
        button: str,
        may: Callable[[approvals.Press], Awaitable[approvals.Answer]],
        fill: Fill,
        ack: Ack,
        body: dict[str, Any],
    ) -> None:
        """The modal is opened first: its trigger dies after three seconds. Then it asks, or says why not."""
        await ack()
        view = await self._held.publisher.open_modal(str(body["trigger_id"]), modals.loading(button))
        if view is None:
            await self._tell(button.lower(), approvals.Answer("late", TOO_SLOW.format(button=button)), body)
            return
        async with doors.guarded(self._held, button.lower(), functools.partial(self._notice, button, view)):
            press = _press(body)
            answer = await may(press)
            if not answer.counted:
                self._held.metrics.pressed(button.lower(), answer.ending)
                await self._notice(button, view, answer.text)
                return
            await self._held.publisher.update_modal(view, await fill(press, _context(press, body)))

    async def _notice(self, title: str, view: str, text: str) -> None:
        await self._held.publisher.update_modal(view, modals.notice(title, text))

    async def acknowledge(self, ack: Ack, body: dict[str, Any]) -> None:
        async with doors.guarded(self._held, "acknowledge", self._teller(body)):
            pressed = _press(body)
            deciding = self._held.pipeline.acknowledge(pressed.proposal_id, pressed.user)
            await self._tell("acknowledge", await doors.before_ack(deciding, ack), body)

    async def stop(self, ack: Ack, body: dict[str, Any]) -> None:
        async with doors.guarded(self._held, "stop", self._teller(body)):
            answer = await doors.before_ack(self._held.pipeline.stop_execution(_press(body)), ack)
            await self._tell("stop", answer, body)

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


def _context(press: approvals.Press, body: dict[str, Any]) -> ids.Pressed:
    channel = str((body.get("channel") or {}).get("id") or "")
    return ids.Pressed(press.proposal_id, press.digest, channel, str((body.get("message") or {}).get("ts") or ""))
