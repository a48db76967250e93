"""Submitted modals: the reason of a rejection."""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors, errors
from bot.domain import approvals
from bot.slack import ids
from bot.slack.blocks import modals

Ack = Callable[..., Awaitable[object]]

SHORTEST = 3
"""Characters of a reason: less says nothing. The modal asks for as many."""


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to the reject modal."""
    app.view(ids.REJECT_REASON)(_Listener(held).reject)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def reject(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Closes where it counted; else the modal itself says what happened instead."""
        reason = str(view["state"]["values"][ids.REASON_BLOCK][ids.REASON_INPUT].get("value") or "").strip()
        if len(reason) < SHORTEST:
            await ack(response_action="errors", errors={ids.REASON_BLOCK: "Say in a few words why not."})
            return
        answer = await self._rejected(str(body["user"]["id"]), str(view.get("private_metadata") or ""), reason)
        self._held.metrics.pressed("reject", answer.ending)
        if answer.counted:
            await ack()
        else:
            await ack(response_action="update", view=modals.notice("Reject", answer.text))

    async def _rejected(self, user: str, metadata: str, reason: str) -> approvals.Answer:
        try:
            context = ids.rejection(metadata)
            press = approvals.Press(user, context.proposal_id, context.digest, reason)
            return await self._held.pipeline.reject(press)
        except ids.Malformed:
            return approvals.Answer("unknown-button", "This window belongs to no proposal that is known here.")
        except errors.StoreUnavailable:
            return approvals.Answer("unavailable", doors.AWAY)
