"""The modal that adds a runbook, when it is submitted. `/watch runbook` itself is one of `handlers.commands`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors, runbooks
from bot.slack import ids
from bot.slack.blocks import modals, shelving

Ack = Callable[..., Awaitable[object]]

FAULT = 300
"""Characters of what is said below a field."""
_BLOCKS: Mapping[runbooks.Field, str] = {
    "name": ids.RUNBOOK_NAME,
    "title": ids.RUNBOOK_TITLE,
    "kinds": ids.RUNBOOK_KINDS,
    "labels": ids.RUNBOOK_LABELS,
    "body": ids.RUNBOOK_BODY,
}


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to the modal."""
    app.view(ids.RUNBOOK_FORM)(_Listener(held).submitted)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def submitted(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """The window is closed by what came of it, or says below the field what is wrong."""
        try:
            new = runbooks.made(_entered(view), str(body["user"]["id"]), self._held.pipeline.own_kinds)
        except runbooks.Wrong as fault:
            await ack(response_action="errors", errors={_BLOCKS[fault.field]: str(fault)[:FAULT]})
            return
        told = ""

        async def tell(text: str) -> None:
            nonlocal told
            told = text

        async with doors.guarded(self._held, "runbook", tell):
            changed = await self._held.pipeline.add_runbook(new)
            told = f"Runbook `{new.name}` is kept." if changed else f"Runbook `{new.name}` was there just like this."
        await ack(response_action="update", view=modals.notice(shelving.TITLE, told))


def _entered(view: dict[str, Any]) -> runbooks.Entry:
    held = view["state"]["values"]
    said = {name: str((held[block].get(ids.RUNBOOK_INPUT) or {}).get("value") or "") for name, block in _BLOCKS.items()}
    return runbooks.Entry(**said)
