"""*Other action…*: a person picks an action of the catalogue for an incident, and proposes it.

The button opens the modal, the menu in it brings the fields of what is chosen, and *Propose* sends them.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors
from bot.domain import approvals, choices
from bot.slack import ids
from bot.slack.blocks import answers, asking, modals

Ack = Callable[..., Awaitable[object]]

BUTTON = "other"
TOO_SLOW = "Slack did not open the window in time, so nothing was done. Press *Other action…* again."
SLOW = "This takes longer than usual. It will say here what came of it."
CHOOSE = "Choose an action first."
NOT_YET = "What this one needs is being looked up: propose it when it is shown below."
DONE = "It is proposed: the card shows it, and who may approve it."
FAULT = 300
"""Characters of what is said below a field."""


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to the button, to the menu in the modal, and to the modal."""
    listener = _Listener(held)
    app.action(ids.OTHER)(listener.opened)
    app.action(ids.ASK_ACTION)(listener.chosen)
    app.view(ids.ASK_FORM)(listener.proposed)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def opened(self, ack: Ack, body: dict[str, Any]) -> None:
        """The modal is opened first: its trigger dies after three seconds."""
        await ack()
        view = await self._held.publisher.open_modal(str(body["trigger_id"]), modals.loading(asking.TITLE))
        if view is None:
            await doors.whisperer(self._held, body)(answers.said(TOO_SLOW))
            return
        incident, user = _incident(body), str(body["user"]["id"])
        await self._shown(view, incident, self._held.pipeline.options(incident, user))

    async def chosen(self, ack: Ack, body: dict[str, Any]) -> None:
        await ack()
        view, user = body["view"], str(body["user"]["id"])
        name = str((body["actions"][0].get("selected_option") or {}).get("value") or "")
        incident = _asked(view).incident_id
        await self._shown(str(view["id"]), incident, self._held.pipeline.fields_of(incident, name, user))

    async def _shown(self, view: str, incident: int, looking: Awaitable[choices.Menu]) -> None:
        """What may be asked for, or why nothing may."""
        async with doors.guarded(self._held, BUTTON, functools.partial(self._notice, view)):
            await self._held.publisher.update_modal(view, asking.form(await looking, incident))

    async def _notice(self, view: str, text: str) -> None:
        await self._held.publisher.update_modal(view, modals.notice(asking.TITLE, text))

    async def proposed(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        """What is wrong with what was entered is said below it, as long as Slack waits for that."""
        asked, wanted = _asked(view), _wanted(view)
        if not wanted or wanted != asked.action:
            await ack(response_action="errors", errors={ids.ASK_ACTION: NOT_YET if wanted else CHOOSE})
            return
        with doors.present(self._held):
            values = _values(view, wanted)
            deciding = self._decided(asked, values, str(body["user"]["id"]))
            edited = await self._answered(deciding, ack, str(view["id"]), asked.action, values)
        self._held.metrics.pressed(BUTTON, edited.answer.ending)

    async def _answered(
        self, deciding: Awaitable[approvals.Edited], ack: Ack, view: str, action: str, values: Mapping[str, str]
    ) -> approvals.Edited:
        async with doors.in_time(deciding) as decided:
            if not decided.done():
                await ack(response_action="update", view=modals.notice(asking.TITLE, SLOW))
                edited = await decided
                await self._notice(view, _told(edited))
            elif (edited := decided.result()).faults:
                await ack(response_action="errors", errors=_errors(edited.faults, action, values))
            elif edited.answer.counted:
                await ack()
            else:
                await ack(response_action="update", view=modals.notice(asking.TITLE, _told(edited)))
        return edited

    async def _decided(self, asked: ids.Asked, values: Mapping[str, str], user: str) -> approvals.Edited:
        """Never raises: what went wrong is the answer."""
        edited = approvals.Edited(approvals.Answer("unavailable"))

        async def tell(text: str) -> None:
            nonlocal edited
            edited = approvals.Edited(approvals.Answer("unavailable", text))

        async with doors.guarded(self._held, BUTTON, tell):
            edited = await self._held.pipeline.ask_with(asked.incident_id, asked.action, values, user)
        return edited


def _told(edited: approvals.Edited) -> str:
    return " ".join(edited.faults.values()) or edited.answer.text or DONE


def _errors(faults: Mapping[str, str], action: str, values: Mapping[str, str]) -> dict[str, str]:
    """What is about the whole stands below the action itself."""
    found: dict[str, str] = {}
    for name, told in faults.items():
        block = ids.ask_block(action, name) if name in values else ids.ASK_ACTION
        found[block] = f"{found.get(block, '')} {told}".strip()[:FAULT]
    return found


def _incident(body: dict[str, Any]) -> int:
    """Zero, which is none, for a value that is not ours."""
    try:
        return ids.parse(str(body["actions"][0].get("value") or "")).id
    except ids.Malformed:
        return 0


def _asked(view: dict[str, Any]) -> ids.Asked:
    try:
        return ids.asked(str(view.get("private_metadata") or ""))
    except ids.Malformed:
        return ids.Asked(0)


def _wanted(view: dict[str, Any]) -> str:
    return _entered((view["state"]["values"].get(ids.ASK_ACTION) or {}).get(ids.ASK_ACTION) or {})


def _values(view: dict[str, Any], action: str) -> dict[str, str]:
    """What was entered, by the field's name."""
    found = view["state"]["values"].items()
    named = ((ids.ask_field(block, action), held) for block, held in found)
    return {name: _entered(held.get(ids.ASK_INPUT) or {}) for name, held in named if name}


def _entered(held: dict[str, Any]) -> str:
    return str(held.get("value") or (held.get("selected_option") or {}).get("value") or "")
