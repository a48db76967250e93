"""Socket Mode, kept up: against a Slack that takes the connection and then says nothing at all."""

import asyncio
from collections.abc import AsyncIterator

import pydantic
import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bot.slack import calling, connecting


@pytest.fixture
async def mute() -> AsyncIterator[str]:
    """The API address of a Slack whose websocket never reads, and so never answers a ping or a close."""
    parted = asyncio.Event()

    async def opened(request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "url": f"ws://{request.host}/link"})

    async def link(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoclose=False, autoping=False)
        await socket.prepare(request)
        await parted.wait()
        return socket

    app = web.Application()
    app.add_routes([web.post("/api/apps.connections.open", opened), web.get("/link", link)])
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    parted.set()
    await runner.cleanup()


async def _authorized() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id=None)


async def test_a_slack_that_does_not_answer_does_not_hold_up_the_end(mute: str) -> None:
    app = AsyncApp(client=calling.client(None, mute), authorize=_authorized, signing_secret="")
    kept = connecting.Connecting(app, pydantic.SecretStr("xapp-1"))
    running = asyncio.create_task(kept.run())
    async with asyncio.timeout(5):
        while not await kept.connected():  # noqa: ASYNC110 - it tells nobody when it is connected
            await asyncio.sleep(0.02)
    running.cancel()
    async with asyncio.timeout(connecting.CLOSE_SECONDS + 1):
        await asyncio.wait([running])
    assert running.cancelled()
    assert not await kept.connected()
