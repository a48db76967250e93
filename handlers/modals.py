"""Submitted modals: the reason of a rejection or an approval, and the parameters of a changed action."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors
from bot.domain import approvals
from bot.slack import ids
from bot.slack.blocks import modals

Ack = Callable[..., Awaitable[object]]

SHORTEST = 3
"""Characters of a reason: less says nothing. The modal asks for as many."""
DONE = {"Reject": "It is rejected.", "Approve": "Your approval counts.", "Edit": "It is proposed."}
TOO_SHORT = {"Reject": "Say in a few words why not.", "Approve": "Say in a few words why."}
SLOW = "This takes longer than usual. It will say here whether it counted."
FAULT = 300
"""Characters of what is said below a field."""


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to all modals that are submitted."""
    listener = _Listener(held)
    app.view(ids.REJECT_REASON)(listener.reject)
    app.view(ids.APPROVE_REASON)(listener.approve)
    app.view(ids.EDIT_FORM)(listener.edit)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def reject(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        await self._reasoned("Reject", self._held.pipeline.reject, ack, body, view)

    async def approve(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        await self._reasoned("Approve", self._held.pipeline.approve, ack, body, view)

    async def _reasoned(
        self,
        title: str,
        decide: Callable[[approvals.Press], Awaitable[approvals.Answer]],
        ack: Ack,
        body: dict[str, Any],
        view: dict[str, Any],
    ) -> None:
        """Closes where it counted; else the modal itself says what happened instead."""
        reason = _reason(view)
        if len(reason) < SHORTEST:
            await ack(response_action="errors", errors={ids.REASON_BLOCK: TOO_SHORT[title]})
            return

        async def deciding(press: approvals.Press) -> approvals.Edited:
            return approvals.Edited(await decide(press))

        await self._submitted(title, deciding, ack, body, view, reason)

    async def edit(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """What is wrong with what was entered is said below it, as long as Slack waits for that."""
        values = _values(view)

        async def deciding(press: approvals.Press) -> approvals.Edited:
            return await self._held.pipeline.edit(press, values)

        await self._submitted("Edit", deciding, ack, body, view)

    async def _submitted(
        self,
        title: str,
        deciding: Callable[[approvals.Press], Awaitable[approvals.Edited]],
        ack: Ack,
        body: dict[str, Any],
        view: dict[str, Any],
        reason: str = "",
    ) -> None:
        user, metadata = str(body["user"]["id"]), str(view.get("private_metadata") or "")
        with doors.present(self._held):
            decided = self._decided(title, deciding, user, metadata, reason)
            answer = await self._answered(title, decided, ack, str(view["id"]), frozenset(_values(view)))
        self._held.metrics.pressed(title.lower(), answer.ending)
        if answer.counted and _from_home(metadata):
            async with doors.guarded(self._held, title.lower(), _nobody):
                await doors.draw_home(self._held, user)

    async def _answered(
        self, title: str, deciding: Awaitable[approvals.Edited], ack: Ack, view: str, asked: frozenset[str]
    ) -> approvals.Answer:
        """The acknowledgement carries the answer, where that is known before Slack gives up waiting for it."""
        async with doors.in_time(deciding) as decided:
            if not decided.done():
                await ack(response_action="update", view=modals.notice(title, SLOW))
                edited = await decided
                told = " ".join(edited.faults.values()) or edited.answer.text or DONE[title]
                await self._held.publisher.update_modal(view, modals.notice(title, told))
            elif (edited := decided.result()).faults.keys() & asked:
                await ack(response_action="errors", errors=_errors(edited.faults))
            elif edited.answer.counted:
                await ack()
            else:
                told = " ".join(edited.faults.values()) or edited.answer.text
                await ack(response_action="update", view=modals.notice(title, told))
        return edited.answer

    async def _decided(
        self,
        title: str,
        deciding: Callable[[approvals.Press], Awaitable[approvals.Edited]],
        user: str,
        metadata: str,
        reason: str,
    ) -> approvals.Edited:
        """Never raises: what went wrong is the answer."""
        edited = approvals.Edited(approvals.Answer("unavailable"))

        async def tell(text: str) -> None:
            nonlocal edited
            edited = approvals.Edited(approvals.Answer("unavailable", text))

        async with doors.guarded(self._held, title.lower(), tell):
            try:
                context = ids.pressed(metadata)
            except ids.Malformed:
                told = "This window belongs to no proposal that is known here."
                return approvals.Edited(approvals.Answer("unknown-button", told))
            edited = await deciding(approvals.Press(user, context.proposal_id, context.digest, reason))
        return edited


def _errors(faults: Mapping[str, str]) -> dict[str, str]:
    return {ids.edit_block(name): told[:FAULT] for name, told in faults.items()}


def _values(view: dict[str, Any]) -> dict[str, str]:
    """What was entered, by the parameter's name."""
    found: dict[str, str] = {}
    for block_id, actions in view["state"]["values"].items():
        if name := ids.edit_field(block_id):
            entered = actions.get(ids.EDIT_INPUT) or {}
            chosen = entered.get("selected_option") or {}
            found[name] = str(entered.get("value") or chosen.get("value") or "")
    return found


def _reason(view: dict[str, Any]) -> str:
    return str(view["state"]["values"][ids.REASON_BLOCK][ids.REASON_INPUT].get("value") or "").strip()


def _from_home(metadata: str) -> bool:
    return not ids.pressed(metadata).channel


async def _nobody(_text: str) -> None:
    """It counted and was told; that App Home was not drawn anew is in the log."""
