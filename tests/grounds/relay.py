"""A relay before a ground's API server: passes every request on, and holds those back that a story names.

With it a story stops the API server at one exact moment of what the bot does, on every cluster alike. The bot speaks
plain HTTP to it, and it speaks to the API server as the ground's kubeconfig says.
"""

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import aiohttp
import yaml
import yarl
from aiohttp import web

from tests.grounds import admin, ground

Moment = Literal["asked", "answered"]
"""asked: the API server has not heard of it. answered: it has done it, and the bot has not heard of that."""
_QUIET = 0.5
"""Seconds without any other request: what is held back is then all that the bot waits for."""
_ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=5)
_OWN_WAY = frozenset({"host", "connection", "transfer-encoding", "content-length", "keep-alive"})
"""Headers of one connection, or that the other side writes itself."""


@dataclass(slots=True)
class Held:
    """Requests that are held back. `lose` or the end of the block lets go of them."""

    user: ground.Identity
    method: str
    part: str
    moment: Moment
    dry_run: bool
    met: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as there is one."""
    lost: bool = False
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    def fits(self, user: str, request: web.BaseRequest) -> bool:
        return (
            (user, request.method) == (self.user, self.method)
            and self.part in request.path
            and ("dryRun" in request.query) == self.dry_run
        )

    def lose(self) -> None:
        """Their connections break off without an answer."""
        self.lost = True
        self._freed.set()

    def release(self) -> None:
        """They go on as if nothing had been."""
        self._freed.set()

    async def hold(self) -> None:
        self.met.set()
        await self._freed.wait()


class Relay:
    """Opened by `open`. `settings` are the ground's, with kubeconfigs that lead here."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._held: list[Held] = []
        self._last = 0.0
        """When a request was passed on or answered."""
        self._users: dict[str, str] = {}
        self.settings: dict[str, str] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, where: ground.Ground, folder: Path) -> AsyncIterator[Self]:
        given = where.settings()
        kubeconfig = Path(given["KUBECONFIG"])
        server, tls = admin.way(kubeconfig, given["CONTEXTS"])
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        async with aiohttp.ClientSession(
            server, connector=connector, timeout=_ENDLESS, auto_decompress=False
        ) as session:
            found = cls(session)
            runner = web.ServerRunner(web.Server(found._pass_on), shutdown_timeout=0.1)
            await runner.setup()
            try:
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                found._lead_here(given, folder, f"http://127.0.0.1:{runner.addresses[0][1]}")
                yield found
            finally:
                for each in found._held:
                    each.lose()
                await runner.cleanup()

    @contextlib.contextmanager
    def hold(
        self, user: ground.Identity, method: str, part: str, *, when: Moment, dry_run: bool = False
    ) -> Iterator[Held]:
        """Requests of this identity whose path contains `part`, from now until the end of the block."""
        held = Held(user, method, part, when, dry_run)
        self._held.append(held)
        try:
            yield held
        finally:
            self._held.remove(held)
            held.release()

    async def quiet(self) -> None:
        """Waits until nothing but what is held back is under way."""
        self._last = time.monotonic()
        while time.monotonic() < self._last + _QUIET:  # noqa: ASYNC110 - the time that nothing happens is waited for
            await asyncio.sleep(0.05)

    def _lead_here(self, given: dict[str, str], folder: Path, url: str) -> None:
        """Copies of the kubeconfigs, whose users keep their tokens: these tell the identities apart here."""
        self.settings = dict(given)
        for name in ("KUBECONFIG", "WRITER_KUBECONFIG"):
            if name in given:
                config = yaml.safe_load(Path(given[name]).read_text())
                self._users |= {each["user"]["token"]: each["name"] for each in config["users"]}
                led = copy.deepcopy(config)
                for cluster in led["clusters"]:
                    cluster["cluster"] = {"server": url}
                path = folder / f"relayed-{name.lower()}"
                path.write_text(yaml.safe_dump(led))
                self.settings[name] = str(path)

    async def _pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        held = next((each for each in self._held if each.fits(self._users.get(token, ""), request)), None)
        body = await request.read()
        if held is not None and held.moment == "asked":
            await held.hold()
            if held.lost:
                return _broken_off(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN_WAY}
        self._last = time.monotonic()
        try:
            async with self._session.request(
                request.method, yarl.URL(request.raw_path.lstrip("/"), encoded=True), data=body or None, headers=headers
            ) as answer:
                if held is not None and held.moment == "answered":
                    await held.hold()
                    if held.lost:
                        return _broken_off(request)
                self._last = time.monotonic()
                return await _passed_back(request, answer)
        except (aiohttp.ClientError, OSError):
            return _broken_off(request)


async def _passed_back(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _OWN_WAY}
    passed = web.StreamResponse(status=answer.status, headers=headers)
    await passed.prepare(request)
    async for piece in answer.content.iter_any():
        await passed.write(piece)
    await passed.write_eof()
    return passed


def _broken_off(request: web.BaseRequest) -> web.StreamResponse:
    """As where the server at the other end has died."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
