"""Submitted modals: the reason of a rejection."""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors
from bot.domain import approvals
from bot.slack import ids
from bot.slack.blocks import modals

Ack = Callable[..., Awaitable[object]]

SHORTEST = 3
"""Characters of a reason: less says nothing. The modal asks for as many."""
DONE = "It is rejected."
SLOW = "This takes longer than usual. It will say here whether it counted."


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to the reject modal."""
    app.view(ids.REJECT_REASON)(_Listener(held).reject)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def reject(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Closes where it counted; else the modal itself says what happened instead."""
        reason = _reason(view)
        if len(reason) < SHORTEST:
            await ack(response_action="errors", errors={ids.REASON_BLOCK: "Say in a few words why not."})
            return
        user, metadata = str(body["user"]["id"]), str(view.get("private_metadata") or "")
        with doors.present(self._held):
            answer = await self._answered(self._rejected(user, metadata, reason), ack, str(view["id"]))
        self._held.metrics.pressed("reject", answer.ending)
        if answer.counted and _from_home(metadata):
            async with doors.guarded(self._held, "reject", _nobody):
                await doors.draw_home(self._held, user)

    async def _answered(self, deciding: Awaitable[approvals.Answer], ack: Ack, view: str) -> approvals.Answer:
        """The acknowledgement carries the answer, where that is known before Slack gives up waiting for it."""
        async with doors.in_time(deciding) as decided:
            if not decided.done():
                await ack(response_action="update", view=modals.notice("Reject", SLOW))
                answer = await decided
                await self._held.publisher.update_modal(view, modals.notice("Reject", answer.text or DONE))
            elif (answer := decided.result()).counted:
                await ack()
            else:
                await ack(response_action="update", view=modals.notice("Reject", answer.text))
        return answer

    async def _rejected(self, user: str, metadata: str, reason: str) -> approvals.Answer:
        """Never raises: what went wrong is the answer."""
        answer = approvals.Answer("unavailable")

        async def tell(text: str) -> None:
            nonlocal answer
            answer = approvals.Answer("unavailable", text)

        async with doors.guarded(self._held, "reject", tell):
            try:
                context = ids.rejection(metadata)
            except ids.Malformed:
                return approvals.Answer("unknown-button", "This window belongs to no proposal that is known here.")
            press = approvals.Press(user, context.proposal_id, context.digest, reason)
            answer = await self._held.pipeline.reject(press)
        return answer


def _reason(view: dict[str, Any]) -> str:
    return str(view["state"]["values"][ids.REASON_BLOCK][ids.REASON_INPUT].get("value") or "").strip()


def _from_home(metadata: str) -> bool:
    return not ids.rejection(metadata).channel


async def _nobody(_text: str) -> None:
    """The rejection counted and was told; that App Home was not drawn anew is in the log."""
