"""`SlackStandIn`: one Slack workspace on a local port, with one installed app.

Made by `make demo` and by the tests. The bot talks to it as it would to Slack (`api_url`, Socket Mode or signed HTTP);
tests act as people through the methods below, people act through the web page at `url`.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from aiohttp import web

from demo.slack import ids
from demo.slack.control import Control
from demo.slack.delivery import ACK_SECONDS, Ack, Delivered
from demo.slack.faults import Faults, Journal
from demo.slack.interactions import SUBSCRIPTIONS, Interactions, Seen, wait_until
from demo.slack.model import Json
from demo.slack.page import Page
from demo.slack.service import Service
from demo.slack.web_api import WebApi

UPLOAD_BYTES = 60_000_000


class SlackStandIn:
    """A running stand-in. `async with SlackStandIn() as slack:`, or `start()` and `stop()`.

    `clock` gives seconds since the epoch for every `ts`, trigger and response_url. `ack_seconds` is how long the app
    may take to acknowledge. `subscriptions` are the app's events: app_home_opened, app_mention, message.im,
    message.channels.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        ack_seconds: float = ACK_SECONDS,
        subscriptions: Iterable[str] = SUBSCRIPTIONS,
    ) -> None:
        self.service = Service(clock=clock, ack_seconds=ack_seconds)
        self.workspace = self.service.workspace
        self.people = Interactions(self.service, frozenset(subscriptions))
        self.page = Page(self.service)
        self._runner: web.AppRunner | None = None

    # Life

    async def start(self, host: str = "127.0.0.1", port: int = 0, root: str | None = None) -> Self:
        """Listen; port 0 takes a free one. `url` and `api_url` are known afterwards.

        `root` is the address under which the app reaches the stand-in, where that is not `http://host:port/`.
        """
        app = web.Application(client_max_size=UPLOAD_BYTES)
        app.add_routes(WebApi(self.service).routes())
        app.add_routes([web.get("/link/", self.service.delivery.accept)])
        app.add_routes(Control(self.service, self.people).routes())
        app.add_routes(self.page.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        taken = self._runner.addresses[0][1]
        self.workspace.root = root or f"http://{host}:{taken}/"
        return self

    async def stop(self) -> None:
        """Close everything. The workspace can still be read."""
        await self.people.stop()
        await self.page.stop()
        await self.service.delivery.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # How the app reaches it

    @property
    def url(self) -> str:
        """The web page, with a slash at its end."""
        return self.workspace.root

    @property
    def api_url(self) -> str:
        """For WATCHKEEPER_SLACK_API_URL, and for `AsyncWebClient(base_url=…)`."""
        return f"{self.workspace.root}api/"

    @property
    def bot_token(self) -> str:
        """xoxb-…"""
        return ids.BOT_TOKEN

    @property
    def app_token(self) -> str:
        """xapp-…, for Socket Mode."""
        return ids.APP_TOKEN

    @property
    def signing_secret(self) -> str:
        """For signed HTTP."""
        return ids.SIGNING_SECRET

    async def wait_connected(self, count: int = 1, within: float = 10) -> None:
        """Wait for the app's Socket Mode connections."""
        await self.service.delivery.wait_connected(count, within)

    async def use_http(self, url: str) -> None:
        """Deliver by signed HTTP to this request URL from now on. Raises RuntimeError if it fails url_verification."""
        await self.service.delivery.use_http(url)

    # What people do (see `interactions.Interactions`)

    async def press(
        self, user: str, channel: str, ts: str, action_id: str, *, block_id: str | None = None, value: Any = None
    ) -> Seen:
        """Press a shown button, or choose `value` in a shown menu. Raises `NotShown` (a LookupError)."""
        return await self.people.press(user, channel, ts, action_id, block_id=block_id, value=value)

    async def press_concurrently(self, presses: Iterable[tuple[str, str, str, str]]) -> list[Seen]:
        """Many presses at once: (user, channel, ts, action_id) each."""
        return list(await asyncio.gather(*(self.people.press(*press) for press in presses)))

    async def forge(
        self, user: str, channel: str, ts: str, action_id: str, *, value: str | None = None, **action: Any
    ) -> Seen:
        """Press what is not shown: any action_id, value and further fields of the action."""
        return await self.people.forge(user, channel, ts, action_id, value=value, **action)

    async def command(self, user: str, channel: str, command: str, text: str = "") -> Seen:
        """Type a slash command."""
        return await self.people.command(user, channel, command, text)

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Seen:
        """Write a message; `.ts` is its timestamp."""
        return await self.people.say(user, channel, text, thread_ts)

    async def open_home(self, user: str) -> Seen:
        """Open the app's home tab."""
        return await self.people.open_home(user)

    async def press_home(self, user: str, action_id: str, *, block_id: str | None = None, value: Any = None) -> Seen:
        """Press or choose on the home tab."""
        return await self.people.press_home(user, action_id, block_id=block_id, value=value)

    async def press_view(
        self, user: str, view_id: str, action_id: str, *, value: Any = None, values: Mapping[str, Any] | None = None
    ) -> Seen:
        """Press or choose inside an open modal."""
        return await self.people.press_view(user, view_id, action_id, value=value, values=values)

    async def submit_view(self, user: str, view_id: str, values: Mapping[str, Any] | None = None) -> Seen:
        """Fill in and submit an open modal; `.errors` are the inline errors by block_id."""
        return await self.people.submit_view(user, view_id, values)

    async def close_view(self, user: str, view_id: str, *, clear: bool = False) -> Seen:
        """Close an open modal, or with `clear` the whole stack."""
        return await self.people.close_view(user, view_id, clear=clear)

    async def delete_message(self, channel: str, ts: str) -> None:
        """Delete any message, as an administrator."""
        await self.people.delete_message(channel, ts)

    # What is there

    def messages(self, channel: str) -> list[Json]:
        """The messages of a channel, oldest first, without replies."""
        return [self._json(channel, m.ts) for m in self.workspace.channel(channel).messages.values() if not m.is_reply]

    def replies(self, channel: str, ts: str) -> list[Json]:
        """The replies in a thread, oldest first, without the parent."""
        return [self._json(channel, reply) for reply in self.workspace.message(channel, ts).replies]

    def message(self, channel: str, ts: str) -> Json:
        """One message as it is now, with its metadata. Raises `SlackError` (message_not_found)."""
        return self._json(channel, ts)

    def _json(self, channel: str, ts: str) -> Json:
        return self.workspace.message_json(self.workspace.message(channel, ts), full=True)

    def ephemerals(self, user: str, channel: str | None = None) -> list[Json]:
        """What only this person sees now, oldest first."""
        shown = [e for e in self.workspace.ephemerals if e.user == user and channel in (None, e.channel)]
        return [e.to_json() for e in shown]

    def view(self, user: str) -> Json | None:
        """The modal that this person has before them."""
        stack = self.service.views.stack(user)
        return stack[-1].to_json() if stack else None

    def home(self, user: str) -> Json | None:
        """This person's home tab."""
        home = self.service.views.homes.get(user)
        return home.to_json() if home else None

    def file_content(self, file_id: str) -> bytes:
        """What was uploaded. Raises KeyError."""
        return self.workspace.files[file_id].content or b""

    async def wait_for(self, condition: Callable[[], Any], within: float = 5) -> Any:
        """Wait until `condition` is true after some change of the workspace; returns its value. Raises TimeoutError."""
        return await wait_until(self.workspace, condition, within)

    async def wait_message(self, channel: str, containing: str = "", within: float = 5) -> Json:
        """Wait for a message of the channel (not a reply) whose JSON contains this text; the newest such."""

        def found() -> Json | None:
            return next((m for m in reversed(self.messages(channel)) if containing in str(m)), None)

        message: Json = await self.wait_for(found, within)
        return message

    # What goes wrong

    @property
    def journal(self) -> Journal:
        """Every call that the app made: `.calls("chat.postMessage")`, iteration, `len`."""
        return self.service.journal

    @property
    def faults(self) -> Faults:
        """Orders for the next calls: `.ratelimit`, `.http_error`, `.delay`, `.drop_response` … (see
        `faults.Faults`)."""
        return self.service.faults

    @property
    def deliveries(self) -> list[Delivered]:
        """What was sent to the app, oldest first, with envelope ids."""
        return list(self.service.delivery.sent)

    async def redeliver(self, delivered: Delivered | None = None, *, to_every_connection: bool = False) -> list[Ack]:
        """Send an envelope (the last one, if none is given) once more, to one connection or to all."""
        return await self.service.delivery.redeliver(
            delivered or self.service.delivery.sent[-1], to_every_connection=to_every_connection
        )

    async def drop_sockets(self) -> None:
        """Break the app's websockets."""
        await self.service.delivery.drop_connections()

    async def request_disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to reconnect, as Slack does from time to time."""
        await self.service.delivery.request_disconnect(reason)

    def archive(self, channel: str, *, archived: bool = True) -> None:
        """Archive (or unarchive) a channel."""
        self.workspace.archive(channel, archived=archived)

    def set_bot_member(self, channel: str, *, member: bool) -> None:
        """Invite the bot to a channel, or remove it."""
        self.workspace.set_member(channel, ids.BOT_USER, member=member)
