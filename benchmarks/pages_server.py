"""Serves `benchmarks.pages` on loopback from a process of its own, so that serving and reading do not share a core.

Called by `benchmarks.sweep`. The bytes are rendered once, before the port is told: what is measured is the reader.
"""

import asyncio
import contextlib
import multiprocessing
from collections.abc import AsyncIterator
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


@contextlib.asynccontextmanager
async def serving(page: int) -> AsyncIterator[int]:
    """The port of a running server of pages of `page` objects."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_main, args=(theirs, page), daemon=True)
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


def _main(pipe: Connection, page: int) -> None:
    asyncio.run(_serve(pipe, page))


async def _serve(pipe: Connection, page: int) -> None:
    lists = pages.rendered(page)

    async def answer(request: web.Request) -> web.Response:
        number = int(request.query.get("continue", "0"))
        return web.Response(body=lists[request.path][number], content_type="application/json")

    app = web.Application()
    for path in lists:
        app.router.add_get(path, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()
