"""Brings interactions and events to the app, by Socket Mode or by signed HTTP, and waits for its acknowledgement.

Called by `interactions`; `page` routes the app's websocket here. An envelope goes to one open connection at random, as
Slack does, so several replicas of the app must not matter.
Sources: docs.slack.dev/apis/events-api/using-socket-mode (hello, envelopes, disconnect, at most ten connections),
docs.slack.dev/authentication/verifying-requests-from-slack (v0 signatures), docs.slack.dev/interactivity/handling-user-
interaction (three seconds), docs.slack.dev/apis/events-api (retries: at once, after a minute, after five).
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import logging
import random
import time
import urllib.parse
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
from aiohttp import web

from demo.slack.ids import APP_ID, SIGNING_SECRET
from demo.slack.model import Json

log = logging.getLogger(__name__)

ACK_SECONDS = 3.0
MOST_CONNECTIONS = 10
Status = Literal["acked", "timeout", "no_connection", "http_error", "not_sent"]
EnvelopeType = Literal["slash_commands", "interactive", "events_api"]


@dataclass(frozen=True)
class Ack:
    """How the app answered one delivery. `payload` is what it sent along, `connection` which replica got it.

    not_sent: there was nothing to tell the app (a form that Slack refused itself, an event without a subscription).
    """

    status: Status
    payload: Json = field(default_factory=dict)
    connection: int | None = None
    http_status: int | None = None

    @property
    def ok(self) -> bool:
        """True when the app acknowledged in time."""
        return self.status == "acked"


@dataclass(frozen=True)
class Delivered:
    """One delivery, kept so that tests can look at it and send it again."""

    type: EnvelopeType
    envelope_id: str
    payload: Json
    at: float
    connection: int | None = None


class Connection:
    """One websocket of the app."""

    def __init__(self, number: int, socket: web.WebSocketResponse) -> None:
        self.number = number
        self.socket = socket
        self.waiting: dict[str, asyncio.Future[Json]] = {}
        self.disconnecting = False


class Delivery:
    """The app's connections (or its request URL) and what was sent over them."""

    def __init__(self, clock: Callable[[], float], ack_seconds: float, on_change: Callable[[], None]) -> None:
        self.clock = clock
        self.ack_seconds = ack_seconds
        self._on_change = on_change
        self.connections: list[Connection] = []
        self.tickets: set[str] = set()
        self.request_url: str | None = None
        self.sent: deque[Delivered] = deque(maxlen=5_000)
        self._numbers = itertools.count(1)
        self._http: aiohttp.ClientSession | None = None
        self._changed = asyncio.Condition()

    # Life

    async def stop(self) -> None:
        """Close every connection."""
        for connection in tuple(self.connections):
            await connection.socket.close(code=1001, message=b"going away")
        if self._http is not None:
            await self._http.close()
            self._http = None

    def new_ticket(self) -> str:
        """A ticket for one websocket."""
        ticket = str(uuid.uuid4())
        self.tickets.add(ticket)
        return ticket

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """The websocket endpoint /link/?ticket=…: hello, then acknowledgements until it closes."""
        ticket = request.query.get("ticket", "")
        if ticket not in self.tickets:
            return web.Response(status=403, text="ticket is not valid")
        self.tickets.discard(ticket)
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        if len(self.connections) >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        connection = Connection(next(self._numbers), socket)
        self.connections.append(connection)
        await socket.send_json(self._hello())
        await self._announce()
        try:
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._on_ack(connection, frame.data)
        finally:
            self.connections.remove(connection)
            for future in connection.waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError("the socket closed before the acknowledgement"))
            await self._announce()
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "debug_info": {"host": "applink-demo", "build_number": 1, "approximate_connection_time": 18_060},
            "connection_info": {"app_id": APP_ID},
        }

    async def _announce(self) -> None:
        self._on_change()
        async with self._changed:
            self._changed.notify_all()

    async def wait_connected(self, count: int = 1, within: float = 10) -> None:
        """Wait until the app has at least `count` connections; raises TimeoutError."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: len(self.usable()) >= count), within)

    def usable(self) -> list[Connection]:
        """The connections that get envelopes."""
        return [c for c in self.connections if not c.disconnecting and not c.socket.closed]

    @property
    def is_connected(self) -> bool:
        """True when an interaction can reach the app."""
        return self.request_url is not None or bool(self.usable())

    async def request_disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every connection to come again, as Slack does about every hour; close them soon after."""
        for connection in tuple(self.connections):
            connection.disconnecting = True
            await connection.socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "demo"}})

    async def drop_connections(self) -> None:
        """Break every websocket without a word."""
        for connection in tuple(self.connections):
            connection.disconnecting = True
            await connection.socket.close(code=aiohttp.WSCloseCode.ABNORMAL_CLOSURE)

    # Sending

    async def send(
        self,
        type_: EnvelopeType,
        payload: Json,
        *,
        retry: tuple[int, str] | None = None,
        envelope_id: str | None = None,
        connection: Connection | None = None,
    ) -> Ack:
        """Deliver once and wait for the acknowledgement, three seconds at most. Never raises."""
        envelope_id = envelope_id or str(uuid.uuid4())
        if self.request_url is not None and connection is None:
            self.sent.append(Delivered(type_, envelope_id, payload, self.clock()))
            return await self._post(type_, payload, retry)
        usable = self.usable()
        if connection is None and not usable:
            return Ack("no_connection")
        chosen = connection or random.choice(usable)  # noqa: S311  # Slack's choice is random too
        self.sent.append(Delivered(type_, envelope_id, payload, self.clock(), chosen.number))
        return await self._over_socket(chosen, type_, envelope_id, payload, retry)

    async def redeliver(self, delivered: Delivered, *, to_every_connection: bool = False) -> list[Ack]:
        """Send an envelope once more, to one connection or to all, under the same envelope_id."""
        if self.request_url is not None or not to_every_connection:
            return [await self.send(delivered.type, delivered.payload, envelope_id=delivered.envelope_id)]
        sends = [
            self.send(delivered.type, delivered.payload, envelope_id=delivered.envelope_id, connection=connection)
            for connection in self.usable()
        ]
        return list(await asyncio.gather(*sends))

    async def _over_socket(
        self,
        connection: Connection,
        type_: EnvelopeType,
        envelope_id: str,
        payload: Json,
        retry: tuple[int, str] | None,
    ) -> Ack:
        envelope: Json = {"envelope_id": envelope_id, "type": type_, "accepts_response_payload": type_ != "events_api"}
        envelope["payload"] = payload
        if type_ == "events_api":
            envelope |= {"retry_attempt": retry[0] if retry else 0, "retry_reason": retry[1] if retry else ""}
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = future
        try:
            await connection.socket.send_json(envelope)
            answer = await asyncio.wait_for(future, self.ack_seconds)
        except (TimeoutError, ConnectionError):
            return Ack("timeout", connection=connection.number)
        finally:
            connection.waiting.pop(envelope_id, None)
        return Ack("acked", answer, connection.number)

    def _on_ack(self, connection: Connection, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            log.warning("the app sent something that is not JSON: %.100s", text)
            return
        future = connection.waiting.get(message.get("envelope_id", ""))
        if future is not None and not future.done():
            payload = message.get("payload")
            future.set_result(payload if isinstance(payload, dict) else {})

    # Signed HTTP

    async def use_http(self, url: str) -> None:
        """Deliver to this request URL from now on. Raises RuntimeError when it fails Slack's url_verification."""
        challenge = uuid.uuid4().hex
        payload: Json = {"type": "url_verification", "token": "", "challenge": challenge}
        self.request_url = url
        ack = await self._post("events_api", payload, None)
        if not ack.ok or challenge not in (ack.payload.get("challenge"), ack.payload.get("text")):
            self.request_url = None
            raise RuntimeError(f"{url} did not answer the challenge: {ack}")

    async def _post(self, type_: EnvelopeType, payload: Json, retry: tuple[int, str] | None) -> Ack:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        body, content_type = _http_body(type_, payload)
        headers = {"Content-Type": content_type, **signature_headers(body, time.time())}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
        timeout = aiohttp.ClientTimeout(total=self.ack_seconds)
        try:
            async with self._http.post(self.request_url or "", data=body, headers=headers, timeout=timeout) as answer:
                text = await answer.text()
        except TimeoutError:
            return Ack("timeout")
        except aiohttp.ClientError:
            return Ack("no_connection")
        if answer.status != 200:
            return Ack("http_error", http_status=answer.status)
        return Ack("acked", _http_answer(text), http_status=200)


def signature_headers(body: str, now: float, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """Slack's v0 signature of a request body; `now` is real time, because the app compares it with its own clock."""
    stamp = str(int(now))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def _http_body(type_: EnvelopeType, payload: Json) -> tuple[str, str]:
    if type_ == "events_api":
        return json.dumps(payload), "application/json"
    form = payload if type_ == "slash_commands" else {"payload": json.dumps(payload)}
    return urllib.parse.urlencode(form), "application/x-www-form-urlencoded"


def _http_answer(text: str) -> Json:
    try:
        answer = json.loads(text) if text else {}
    except ValueError:
        return {"text": text}
    return answer if isinstance(answer, dict) else {}
