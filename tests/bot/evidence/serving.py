"""A server at the HTTP level that answers as Prometheus, Loki or metrics.k8s.io would, by what a test puts into it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.evidence import asking

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """A server that answers every path by `answer`, and remembers what it was asked."""

    url: str = ""
    answer: Answer | None = None
    asked: list[web.Request] = field(default_factory=list)

    def address(self, token: str = "", seconds: float = 20.0, tenant: str = "") -> asking.Address:
        return asking.Address(self.url, token, seconds, tenant)

    def says(self, result: Any, status: int = 200) -> None:
        self.answers({"status": "success", "data": {"result": result}}, status)

    def answers(self, body: Any, status: int = 200) -> None:
        """This JSON, whatever is asked."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status)

        self.answer = answer

    def text(self, text: str, status: int) -> None:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(text=text, status=status)

        self.answer = answer


@contextlib.asynccontextmanager
async def server() -> AsyncIterator[Server]:
    """Listens until the body ends."""
    made = Server()

    async def handle(request: web.Request) -> web.StreamResponse:
        made.asked.append(request)
        assert made.answer is not None
        return await made.answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield made
    finally:
        await runner.cleanup()
