"""Control endpoints under /_test/: what `SlackStandIn` offers in Python, for other processes and for the web page.

The web page uses /_test/interact/…; tests that run the stand-in in another process use all of them. JSON in, JSON out;
only from this machine and from the stand-in's own page (see `guard`).

- POST /_test/interact/{press,forge,command,say,home,press_home,press_view,submit,close,delete,react}: the arguments of
  the
  methods of `interactions.Interactions`, as JSON. `settle` (seconds) waits before what was seen is reported.
- GET /_test/journal[?method=…], DELETE /_test/journal
- GET /_test/faults, POST /_test/faults {"kind": …, "method": …, "times": …}, DELETE /_test/faults
- POST /_test/channel {"channel": …, "archived": true, "bot_member": false}
- POST /_test/sockets {"do": "drop" | "disconnect" | "redeliver" | "redeliver_to_all"}
- GET /_test/state?channel=…&user=…: messages, replies, ephemerals, modal, home
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from aiohttp import web

from demo.slack.errors import SlackError
from demo.slack.faults import Kind
from demo.slack.guard import guarded
from demo.slack.ids import BOT_USER
from demo.slack.interactions import Interactions, NotShown, Seen
from demo.slack.model import Json
from demo.slack.service import Service


class Control:
    """The routes under /_test/."""

    def __init__(self, service: Service, people: Interactions) -> None:
        self.service = service
        self.people = people
        self._actions: dict[str, Callable[..., Awaitable[Seen | None]]] = {
            "press": people.press,
            "forge": people.forge,
            "command": people.command,
            "say": people.say,
            "home": people.open_home,
            "press_home": people.press_home,
            "press_view": people.press_view,
            "submit": people.submit_view,
            "close": people.close_view,
            "delete": people.delete_message,
            "react": people.react,
        }

    def routes(self) -> list[web.RouteDef]:
        """What to mount."""
        return [
            web.post("/_test/interact/{action}", guarded(self.interact)),
            web.get("/_test/journal", guarded(self.journal)),
            web.delete("/_test/journal", guarded(self.clear_journal)),
            web.get("/_test/faults", guarded(self.faults)),
            web.post("/_test/faults", guarded(self.add_fault)),
            web.delete("/_test/faults", guarded(self.clear_faults)),
            web.post("/_test/channel", guarded(self.channel)),
            web.post("/_test/sockets", guarded(self.sockets)),
            web.get("/_test/state", guarded(self.state)),
        ]

    async def interact(self, request: web.Request) -> web.StreamResponse:
        """One thing that a person does."""
        name = request.match_info["action"]
        if name not in self._actions:
            return _problem(404, f"no such interaction: {name}")
        body = await _body(request)
        settle = float(body.pop("settle", 0))
        try:
            seen = await self._actions[name](**body)
        except NotShown as error:
            return _problem(409, str(error))
        except SlackError as error:
            return _problem(409, " ".join([error.code, *error.messages]))
        except TypeError as error:
            return _problem(400, str(error))
        await asyncio.sleep(settle)
        return web.json_response(seen.to_json() if seen else {"ok": True})

    async def journal(self, request: web.Request) -> web.StreamResponse:
        """What the app called."""
        methods = request.query.getall("method", [])
        return web.json_response([call.to_json() for call in self.service.journal.calls(*methods)])

    async def clear_journal(self, _: web.Request) -> web.StreamResponse:
        """Forget it."""
        self.service.journal.clear()
        return web.json_response({"ok": True})

    async def faults(self, _: web.Request) -> web.StreamResponse:
        """The open orders."""
        return web.json_response(self.service.faults.to_json())

    async def add_fault(self, request: web.Request) -> web.StreamResponse:
        """Order one."""
        body = await _body(request)
        if body.get("kind") not in get_args(Kind):
            return _problem(400, f"kind must be one of {', '.join(get_args(Kind))}")
        try:
            self.service.faults.add(**body)
        except TypeError as error:
            return _problem(400, str(error))
        return web.json_response({"ok": True})

    async def clear_faults(self, _: web.Request) -> web.StreamResponse:
        """Forget the orders."""
        self.service.faults.clear()
        return web.json_response({"ok": True})

    async def channel(self, request: web.Request) -> web.StreamResponse:
        """Archive a channel, invite or remove the bot."""
        body = await _body(request)
        channel = str(body.get("channel"))
        if channel not in self.service.workspace.channels:
            return _problem(404, f"no such channel: {channel}")
        if "archived" in body:
            self.service.workspace.archive(channel, archived=bool(body["archived"]))
        if "bot_member" in body:
            self.service.workspace.set_member(channel, BOT_USER, member=bool(body["bot_member"]))
        return web.json_response({"ok": True})

    async def sockets(self, request: web.Request) -> web.StreamResponse:
        """Break or refresh the app's connections, or send the last envelope again."""
        delivery, do = self.service.delivery, (await _body(request)).get("do")
        if do == "drop":
            await delivery.drop_connections()
        elif do == "disconnect":
            await delivery.request_disconnect()
        elif do in ("redeliver", "redeliver_to_all") and delivery.sent:
            acks = await delivery.redeliver(delivery.sent[-1], to_every_connection=do == "redeliver_to_all")
            return web.json_response({"ok": all(ack.ok for ack in acks), "acks": [ack.status for ack in acks]})
        else:
            return _problem(400, f"cannot do {do}")
        return web.json_response({"ok": True})

    async def state(self, request: web.Request) -> web.StreamResponse:
        """What stands in a channel, and what one person has before them."""
        workspace, user = self.service.workspace, request.query.get("user", "")
        try:
            channel = workspace.channel(request.query.get("channel", ""))
        except SlackError as error:
            return _problem(404, error.code)
        stack, home = self.service.views.stack(user), self.service.views.homes.get(user)
        ephemerals = [e for e in workspace.ephemerals if e.channel == channel.id and user in ("", e.user)]
        body: Json = {
            "messages": [workspace.message_json(m, full=True) for m in channel.messages.values()],
            "ephemerals": [e.to_json() for e in ephemerals],
            "view": stack[-1].to_json() if stack else None,
            "home": home.to_json() if home else None,
            "connections": len(self.service.delivery.usable()),
        }
        return web.json_response(body)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except ValueError:
        raise web.HTTPBadRequest(text="not JSON") from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="not a JSON object")
    return body


def _problem(status: int, text: str) -> web.Response:
    return web.json_response({"ok": False, "error": text}, status=status)
