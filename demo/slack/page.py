"""The web page that looks like Slack: its files, and the websocket that keeps each browser up to date.

Mounted by `standin`. The page acts through `control`. A browser's websocket is for one person (`?user=U…`): it gets a
snapshot of what that person may see, then changes.
"""

import asyncio
from pathlib import Path

from aiohttp import web

from demo.slack.guard import guarded
from demo.slack.ids import APP_NAME, BOT_USER, TEAM_NAME
from demo.slack.model import Channel, Json
from demo.slack.service import Service
from demo.slack.state import PEOPLE, Change, im_id

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_BACKLOG = 2_000


class Page:
    """The browser's side of the stand-in."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._sockets: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        """What to mount."""
        return [
            web.get("/", guarded(self.index)),
            web.get("/archives/{channel}/{message}", guarded(self.index)),
            web.get("/static/{name}", guarded(self.static)),
            web.get("/_page/socket", guarded(self.socket)),
        ]

    async def stop(self) -> None:
        """Close every browser's websocket."""
        for socket in tuple(self._sockets):
            await socket.close(code=1001, message=b"going away")

    async def index(self, _: web.Request) -> web.StreamResponse:
        """The page itself."""
        return _file("index.html")

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Styles and scripts."""
        return _file(request.match_info["name"])

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """Changes for one person, for as long as the browser is there."""
        user = request.query.get("user", "")
        if user not in {person.id for person in PEOPLE}:
            return web.Response(status=404, text="no such person")
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        changes: asyncio.Queue[Change] = asyncio.Queue(_BACKLOG)

        def note(change: Change) -> None:
            if self._may_see(user, change) and not changes.full():
                changes.put_nowait(change)

        unlisten = self.service.workspace.listen(note)
        self._sockets.add(socket)
        sender = asyncio.create_task(self._send(socket, user, changes))
        try:
            async for _ in socket:
                pass
        finally:
            unlisten()
            self._sockets.discard(socket)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        return socket

    async def _send(self, socket: web.WebSocketResponse, user: str, changes: asyncio.Queue[Change]) -> None:
        await socket.send_json(self.snapshot(user))
        while True:
            change = await changes.get()
            await socket.send_json({"type": change.kind, "data": change.data})

    def _may_see(self, user: str, change: Change) -> bool:
        if change.user is not None:
            return change.user == user
        channel = self.service.workspace.channels.get(change.channel or "")
        return channel is None or user in channel.members

    def snapshot(self, user: str) -> Json:
        """Everything that one person may see, at once."""
        workspace = self.service.workspace
        channels = [channel for channel in workspace.channels.values() if user in channel.members]
        home = self.service.views.homes.get(user)
        return {
            "type": "snapshot",
            "me": user,
            "team": TEAM_NAME,
            "app": {"name": APP_NAME, "user": BOT_USER, "channel": im_id(user)},
            "people": [{"id": p.id, "name": p.real_name, "role": p.role} for p in PEOPLE],
            "users": {u.id: {"name": u.real_name, "handle": u.name, "bot": u.is_bot} for u in workspace.users.values()},
            "groups": {group.id: {"handle": group.handle} for group in workspace.groups.values()},
            "channels": [self._channel(channel) for channel in channels],
            "ephemerals": [e.to_json() for e in workspace.ephemerals if e.user == user],
            "views": {
                "stack": [view.to_json() for view in self.service.views.stack(user)],
                "home": home.to_json() if home else None,
            },
            "connected": self.service.delivery.is_connected,
        }

    def _channel(self, channel: Channel) -> Json:
        workspace = self.service.workspace
        messages = [workspace.message_json(message, full=True) for message in channel.messages.values()]
        return workspace.channel_json(channel) | {"messages": messages}


def _file(name: str) -> web.Response:
    path = STATIC / name
    if path.parent != STATIC or path.suffix not in _TYPES or not path.is_file():
        return web.Response(status=404, text="not found")
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    headers |= {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
    return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8", headers=headers)
