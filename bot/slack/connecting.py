"""Socket Mode, kept up: connects, notices when it is not connected any more, and starts afresh.

slack_sdk's client reconnects by itself, but it tries one address over and over when that one no longer answers (each is
good for a single connection): after a Slack outage it may never come back. So somebody has to look after it. `bot.main`
runs it; where Slack is away, the rest of the bot goes on.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pydantic
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp

_LOG = structlog.get_logger(__name__)

CONNECT_SECONDS = 15.0
LOOK_SECONDS = 1.0
GONE_SECONDS = 10.0
"""Unconnected for this long, the client is given up and a new one is made."""
PING_SECONDS = 5.0
CLOSE_SECONDS = 2.0
"""For the closing handshake: a Slack that does not answer it must not hold up the end of the process."""


class Connecting:
    """One Socket Mode connection, as long as `run` runs."""

    def __init__(self, app: AsyncApp, token: pydantic.SecretStr | None) -> None:
        self._app = app
        self._token = token
        self._handler: AsyncSocketModeHandler | None = None

    async def connected(self) -> bool:
        return self._handler is not None and bool(await self._handler.client.is_connected())

    async def run(self) -> None:
        """Until cancelled; then closes the connection."""
        while True:
            handler = AsyncSocketModeHandler(
                self._app,
                "" if self._token is None else self._token.get_secret_value(),
                ping_interval=PING_SECONDS,
            )
            self._handler = handler
            try:
                await self._keep(handler)
            finally:
                self._handler = None
                await _closed(handler)

    async def _keep(self, handler: AsyncSocketModeHandler) -> None:
        """Returns when this client is beyond hope."""
        connect: Callable[[], Awaitable[None]] = handler.connect_async
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connect()
        except TimeoutError:
            _LOG.warning("slack.not_connected", seconds=CONNECT_SECONDS)
            return
        _LOG.info("slack.connected")
        gone = 0.0
        while gone < GONE_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            gone = 0.0 if await handler.client.is_connected() else gone + LOOK_SECONDS
        _LOG.warning("slack.connection_lost", seconds=GONE_SECONDS)


async def _closed(handler: AsyncSocketModeHandler) -> None:
    """Ends the client and the tasks that it started; one of them may be what failed."""
    close: Callable[[], Awaitable[None]] = handler.close_async
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await close()
    left = [handler.client.message_processor, handler.client.current_session_monitor, handler.client.message_receiver]
    for task in left:
        if task is not None:
            task.cancel()
    await asyncio.gather(*(task for task in left if task is not None), return_exceptions=True)
    await handler.client.aiohttp_client_session.close()  # a close that was cut short did not get to this
