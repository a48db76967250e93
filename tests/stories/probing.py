"""What a bot's own HTTP door answers, and where that door is. Used by the stories of doors and outages."""

import ast
import asyncio
import re
from typing import Any

import aiohttp

from tests.stories import world as worlds

_LISTENING = re.compile(r"http\.listening .*addresses=(\[.*?\])")
START = 20.0


async def addresses(bot: worlds.Bot) -> list[tuple[str, int]]:
    """All that it listens on, as soon as it does."""
    async with asyncio.timeout(START):
        while (found := _LISTENING.search(bot.log.read_text())) is None:
            assert bot.process.returncode is None, bot.log.read_text()
            await asyncio.sleep(0.05)
    return [(host, port) for host, port in map(ast.literal_eval, ast.literal_eval(found[1]))]


async def url(bot: worlds.Bot) -> str:
    host, port = (await addresses(bot))[0]
    return f"http://{host}:{port}"


async def get(bot: worlds.Bot, path: str) -> tuple[int, str]:
    """(status, body)."""
    async with aiohttp.ClientSession() as session, session.get(await url(bot) + path) as answer:
        return answer.status, await answer.text()


async def wrong(bot: worlds.Bot) -> dict[str, str]:
    """What /readyz says is wrong; empty where it is ready."""
    async with aiohttp.ClientSession() as session, session.get(f"{await url(bot)}/readyz") as answer:
        told: dict[str, Any] = await answer.json()
    assert answer.status == (503 if told["wrong"] else 200)
    assert told["status"] == ("not ready" if told["wrong"] else "ready")
    return dict(told["wrong"])


async def says(bot: worlds.Bot, *parts: str, within: float = worlds.READY) -> dict[str, str]:
    """Waits until /readyz names all of these parts (with none: until it is ready)."""
    told: dict[str, str] = {}
    try:
        async with asyncio.timeout(within):
            while True:
                told = await wrong(bot)
                if all(part in told for part in parts) and (parts or not told):
                    return told
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"/readyz does not name {parts}: {told}\n{bot.log.read_text()[-4000:]}") from None


async def ended(bot: worlds.Bot, within: float = 6.0) -> int:
    """Its exit code after SIGTERM, in time."""
    bot.process.terminate()
    async with asyncio.timeout(within):
        return await bot.process.wait()
