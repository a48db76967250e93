"""Serves `benchmarks.pages` on loopback from a process of its own, so that serving and reading do not share a core.

Called by the benchmarks. The bytes are rendered once, before the port is told: what is measured is the reader. It knows
as much of discovery as `kubectl get pods` asks for.
"""

import asyncio
import contextlib
import json
import multiprocessing
import time
from collections.abc import AsyncIterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

from benchmarks import pages

_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: bench
contexts: [{{name: bench, context: {{cluster: bench, user: bench}}}}]
clusters: [{{name: bench, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: bench, user: {{token: bench}}}}]
"""

_PODS = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}
_DISCOVERY: dict[str, object] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_PODS | {"shortNames": ["po"]}]},
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
}


@contextlib.asynccontextmanager
async def serving(page: int, changes: float = 0.0, size: pages.Size = pages.LARGE) -> AsyncIterator[int]:
    """The port of a running server of pages of `page` objects. With `changes`, it also serves watches, and so many pods
    change a second."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_main, args=(theirs, page, changes, size), daemon=True)
    process.start()
    theirs.close()
    try:
        yield int(await asyncio.to_thread(ours.recv))
    finally:
        process.terminate()
        await asyncio.to_thread(process.join, 10)
        ours.close()


def kubeconfig(folder: Path, port: int) -> Path:
    """Writes a kubeconfig for the server."""
    path = folder / "kubeconfig"
    path.write_text(_KUBECONFIG.format(port=port), encoding="utf-8")
    return path


def _main(pipe: Connection, page: int, changes: float, size: pages.Size) -> None:
    asyncio.run(_serve(pipe, page, changes, size))


_RENDERED = 4_000
"""Changes rendered beforehand, and sent again and again."""
_TICK = 0.02


async def _watch(request: web.Request, lines: Sequence[bytes], changes: float) -> web.StreamResponse:
    """Pods change at a steady rate; of all else nothing is heard."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    begun, sent = time.monotonic(), 0
    with contextlib.suppress(ConnectionError):
        while True:
            await asyncio.sleep(_TICK)
            due = int((time.monotonic() - begun) * changes) if request.path.endswith("/pods") else 0
            if due > sent:
                await response.write(b"".join(lines[number % len(lines)] for number in range(sent, due)))
                sent = due
    return response


def application(page: int, changes: float = 0.0, size: pages.Size = pages.LARGE) -> web.Application:
    """The server: renders all that it will send. A limit that it has no pages of is refused, and not overlooked."""
    lists = pages.rendered(size, page)
    turns = range(_RENDERED if changes else 0)
    objects = (pages.changed_pod(turn * 7, turn, size) for turn in turns)
    lines = [json.dumps({"type": "MODIFIED", "object": found}).encode() + b"\n" for found in objects]

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query and changes:
            return await _watch(request, lines, changes)
        if request.query.get("limit", str(page)) != str(page):
            raise web.HTTPBadRequest(text=f"there are pages of {page} objects only")
        number = int(request.query.get("continue", "0"))
        return web.Response(body=lists[request.path][number], content_type="application/json")

    async def discover(request: web.Request) -> web.Response:
        return web.json_response(_DISCOVERY[request.path])

    app = web.Application()
    for path in lists:
        app.router.add_get(path, answer)
    for path in _DISCOVERY:
        app.router.add_get(path, discover)
    return app


async def _serve(pipe: Connection, page: int, changes: float, size: pages.Size) -> None:
    runner = web.AppRunner(application(page, changes, size), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()
