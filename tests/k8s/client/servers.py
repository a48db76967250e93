"""A small API server whose every answer a test writes itself: for what the simulated cluster does not do wrong.

Used by the tests of `k8s.client` and `k8s.snapshot`. It records each request as it came over the wire.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from k8s.client import connection

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

QUICK = connection.CallLimits(connect_s=1.0, read_s=0.3, longest_pause_s=0.2)
"""Timeouts that a test can wait for."""


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """A running server. `answer` may be replaced at any time."""

    answer: Answer
    port: int = 0
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw) if raw else None
        self.seen.append(Seen(request.method, request.path, dict(request.query), dict(request.headers), body))
        return await self.answer(request)


async def empty(request: web.Request) -> web.StreamResponse:
    """An empty list of whatever was asked for."""
    return web.json_response({"kind": "List", "metadata": {}, "items": []})


def always(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """The same JSON for every request."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return answer


def status(code: int, message: str, **more: Any) -> Answer:
    """The same Status for every request, as an API server sends it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message} | more
    return always(body, code)


def in_turn(*answers: Answer) -> Answer:
    """One answer after another; the last one for ever."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer


@contextlib.asynccontextmanager
async def serving(answer: Answer = empty) -> AsyncIterator[Server]:
    server = Server(answer)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


def kubeconfig(folder: Path, server: str, user: dict[str, Any] | None = None, authority: str = "") -> Path:
    """Writes a kubeconfig with the contexts `prod-eu` (the current one) and `staging`, and the user `writer`."""
    cluster = {"server": server} | ({"certificate-authority": authority} if authority else {})
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod-eu",
        "contexts": [
            {"name": "prod-eu", "context": {"cluster": "here", "user": "reader"}},
            {"name": "staging", "context": {"cluster": "here", "user": "reader"}},
        ],
        "clusters": [{"name": "here", "cluster": cluster}],
        "users": [
            {"name": "reader", "user": {"token": "reading-token"} if user is None else user},
            {"name": "writer", "user": {"token": "writing-token"}},
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@contextlib.asynccontextmanager
async def connected(
    server: Server, folder: Path, limits: connection.CallLimits = QUICK
) -> AsyncIterator[connection.Connection]:
    """An open connection to the server."""
    access = connection.ClusterAccess("prod-eu", kubeconfig(folder, server.url))
    over = await connection.Connection.open(access, limits)
    try:
        yield over
    finally:
        await over.close()
