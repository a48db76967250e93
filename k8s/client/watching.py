"""Follows all objects of one kind: lists them, then watches for changes, for as long as somebody wants to know.

Detection within seconds is its caller: it is told the whole truth first (`changes.Relisted`), then what changes.

    async with watching.Stream(connection, "pods", decode=objects.Pod, monotonic=time.monotonic) as stream:
        async for change in stream:
            match change: ...

No trouble of the cluster ends a stream. It tries again, `state` says why it does not watch, and the consumer keeps what
it was told until there is news: how old that may be is told by `last_heard`. What is promised: once the stream is
`watching` and all was taken, the consumer's objects are the server's, but for those that could not be read (`odd`).

List, watch, bookmarks and 410: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from k8s.client import changes, connection, decoding, errors, lines, resources


class Source(Protocol):
    """What a stream needs of `connection.Connection`."""

    async def send(self, request: connection.Request) -> bytes: ...

    def stream(
        self, request: connection.Request, *, within_s: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stream may cost, and how long it waits for what. Every wait is spread by chance, so that many replicas do
    not come back at once."""

    page: int = 250
    """Objects a request: some 10 ms of decoding."""
    line: int = 4 << 20
    """Bytes of one change. An object of more than 1.5 MB does not fit into etcd."""
    watch_s: tuple[float, float] = (300.0, 540.0)
    """Seconds after which the server is asked to end a watch, which then goes on where it was: somewhere between."""
    margin_s: float = 30.0
    """Seconds more before a watch that the server did not end is given up: nobody is at its other end."""
    steady_s: float = 10.0
    """A watch that stood for so long was a good one; one that ended earlier is a failure."""
    silent_s: float = 150.0
    """A watch that stood for so long without so much as a bookmark is followed by a list: a server that was set back to
    a backup keeps silent about a version that it has not reached yet."""
    first_pause_s: float = 1.0
    """After a failure, doubled with each further one …"""
    longest_pause_s: float = 30.0
    """… up to this."""
    spread_s: float = 5.0
    """A new list after an expired version begins within so many seconds: all who watch need one at the same time."""
    refused_pause_s: float = 60.0
    """Where we have no right to look, or the kind is not there: only a person can change that."""


Phase = Literal["listing", "watching", "waiting"]


@dataclass(frozen=True, slots=True)
class State:
    """What a stream is doing; `why` completes "waiting: …" and is empty otherwise."""

    phase: Phase
    why: str = ""

    def __str__(self) -> str:
        return f"{self.phase}: {self.why}" if self.why else self.phase


T = TypeVar("T", bound=changes.Listed)


def _whole(found: T) -> T:
    return found


_TURN = 500
"""Objects taken, or freed, without a pause for the event loop."""
_REFUSED = (errors.Forbidden, errors.Unauthorized, errors.NotFound, errors.ConfigurationError)
_PASSING = (errors.Unreachable, errors.Throttled, errors.ServerFault, *_REFUSED)
"""What says nothing about the version that was asked for: the next watch begins there."""


class Stream(Generic[T]):
    """One kind, in one namespace or (None) in all. Runs inside its `async with` block, and is its own iterator there.

    `kind` is a Kind or a list name; `decode` is the type that its objects are decoded to. `monotonic` is a clock in
    seconds, `chance` gives numbers from 0 up to 1, `turns` may be shared by the streams of one event loop, so that
    pages that come together are not decoded in one go. `keep` makes of each object what the consumer wants of it, page
    by page, so that a long list is never held whole; it keeps names and uid. The connection must stay open until the
    block is left. Raises LookupError for a kind that nobody knows, and nothing of the cluster or the network.
    """

    def __init__(
        self,
        source: Source,
        kind: str,
        namespace: str | None = None,
        *,
        decode: type[T],
        monotonic: Callable[[], float],
        field_selector: str = "",
        limits: Limits = Limits(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        turns: asyncio.Lock | None = None,
        keep: Callable[[T], T] = _whole,
    ) -> None:
        resource = resources.named(kind)
        self._source = source
        self._path = resource.path(namespace)
        self._where = resource.plural + (f" in {namespace}" if namespace else "")
        self._selection = [("fieldSelector", field_selector)] if field_selector else []
        self._limits, self._monotonic, self._sleep, self._chance = limits, monotonic, sleep, chance
        self._turns = turns or asyncio.Lock()
        self._keep = keep
        self._decoder = decoding.Decoder(decode)
        self._waiting: changes.Waiting[T] = changes.Waiting()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._version = ""
        self._failures = 0
        self._doubtful = False
        """Nobody knows what some lines said, so there will be a list when this watch has come to its end: not at once,
        since whoever sends such lines may do so for ever."""
        self._silent = True
        self._taken = 0
        self.state = State("listing")
        self.last_heard: float | None = None
        """When the server last sent anything, by `monotonic`. A quiet watch is heard from about every minute."""
        self.last_listed: float | None = None
        """When a list was last complete."""
        self.refusal = ""
        """Why it may not look, as long as it may not: we have no right, or the kind is not there. Kept while it tries
        again."""
        self.odd = 0
        """Changes and listed objects that could not be read and were left out, and lines that were too long."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"watch {self._where}")
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        mistake = None if self._task.cancelled() else self._task.exception()
        if mistake is not None and error is None:
            raise mistake

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> changes.Change[T]:
        """The next change. May be cancelled without a loss."""
        if self._task is None:
            raise RuntimeError("a stream runs inside of its `async with` block")
        self._taken += 1
        if self._taken % _TURN == 0:
            await asyncio.sleep(0)
        while (change := self._waiting.take()) is None:
            if self._task.done():
                if not self._task.cancelled():
                    self._task.result()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return change

    # --- the loop

    async def _run(self) -> None:
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except errors.ClusterError as error:
                if not isinstance(error, _PASSING):
                    self._version = ""
                self._failures += 1
                self.state = State("waiting", f"could not {error}")
                self.refusal = self.state.why if isinstance(error, _REFUSED) else ""
                await self._sleep(self._pause(error))
            if self._doubtful:
                self._version = ""
            await asyncio.sleep(0)  # whatever the server does, others have their turn

    def _pause(self, error: errors.ClusterError) -> float:
        """Seconds until the next attempt."""
        limits = self._limits
        if isinstance(error, _REFUSED):
            return limits.refused_pause_s * (0.75 + self._chance() / 2)
        step = min(limits.first_pause_s * 2.0 ** min(self._failures - 1, 32), limits.longest_pause_s)
        asked = min(error.retry_after, limits.refused_pause_s) if isinstance(error, errors.Throttled) else 0.0
        if not self._version:
            return asked + max(step, limits.spread_s) * self._chance()
        return asked + step * (1 + self._chance()) / 2

    def _heard(self) -> None:
        self.last_heard = self._monotonic()

    # --- listing

    async def _list(self) -> None:
        """Hands the whole list over, or nothing of it where it breaks. An expired page token begins it anew: going on
        from a newer version, as the server offers, would not be one truth."""
        self.state = State("listing")
        what = f"list {self._where}"
        found: list[T] = []
        held: set[str] = set()
        odd, version, token = 0, "", ""
        try:
            while True:
                body = await self._ask(what, token)
                async with self._turns:
                    page = self._decoded(what, body)
                    found += map(self._keep, page.objects)
                    held.update(changes.identity(each.metadata) for each in page.objects)
                    await asyncio.sleep(0)
                odd, version, token = odd + page.odd, version or page.resource_version, page.token
                if not token:
                    break
            if not version:
                raise errors.Malformed(what, "the list has no resource version")
        except errors.ClusterError:
            await _let_go(found)
            raise
        self.odd += odd
        self._version, self._doubtful = version, False
        self.last_listed = self._monotonic()
        replaced = self._waiting.relist(changes.Relisted(found, version, odd), held)
        self._news.set()
        await _let_go(replaced)

    async def _ask(self, what: str, token: str) -> bytes:
        query = [("limit", str(self._limits.page)), *self._selection]
        query += [("continue", token)] if token else []
        body = await self._source.send(connection.Request(what, "GET", self._path, query))
        self._heard()
        return body

    def _decoded(self, what: str, body: bytes) -> decoding.Page[T]:
        try:
            return self._decoder.page(body)
        except ValueError as error:
            raise errors.Malformed(what, str(error)) from None

    # --- watching

    async def _watch(self) -> None:
        """Follows one watch to its end, which is nothing special. Raises ClusterError where it broke."""
        limits, what = self._limits, f"watch {self._where}"
        low, high = limits.watch_s
        seconds = max(1, round(low + (high - low) * self._chance()))
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", self._version)]
        query += [("timeoutSeconds", str(seconds)), *self._selection]
        request = connection.Request(what, "GET", self._path, query)
        async with self._source.stream(request, within_s=seconds + limits.margin_s) as pieces:
            self.state, self.refusal = State("watching"), ""
            self._heard()
            begun = self._monotonic()
            self._silent = True
            try:
                await self._follow(pieces)
            finally:
                stood = self._monotonic() - begun
                if stood >= limits.steady_s:
                    self._failures = 0
        if self._silent and stood >= limits.silent_s:
            self._version = ""
        if stood < limits.steady_s:
            raise errors.Unreachable(what, "the server ended the watch at once")

    async def _follow(self, pieces: AsyncIterator[bytes]) -> None:
        """Takes line by line. What is left of a line when the stream breaks comes again with the next watch."""
        split = lines.Lines(self._limits.line)
        async for piece in pieces:
            self._heard()
            before = split.dropped
            for line in split.split(piece):
                if line and not line.isspace():
                    self._take(line)
            if split.dropped > before:
                self.odd += split.dropped - before
                self._doubtful = True
            await asyncio.sleep(0)

    def _take(self, line: bytes) -> None:
        """One line. Raises the error that an ERROR stands for: from where this watch was, none can go on."""
        self._silent = False
        event = self._decoder.event(line)
        self.odd += event.odd
        match event.kind:
            case "error":
                self._version = ""
                raise decoding.failure(f"watch {self._where}", event.status)
            case "changed" if event.object is not None:
                self._waiting.change(self._keep(event.object))
            case "removed" if event.object is not None:
                self._waiting.remove(event.object)
            case "unreadable":
                self._doubtful = True
            case _:
                pass
        self._version = event.resource_version or self._version
        self._news.set()


async def _let_go(found: list[Any]) -> None:
    """Frees objects slice by slice: thousands in one go would hold the event loop."""
    while found:
        del found[-_TURN:]
        await asyncio.sleep(0)
