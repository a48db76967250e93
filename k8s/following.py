"""Follows a cluster for the fast path: a watch of each list, all feeding one live picture.

    async with following.Follower(connection, "prod", (None,), monotonic=time.monotonic) as follower:
        await follower.news()
        keys = follower.picture.take(500)

`bot.following` runs one for each cluster, on one replica. No trouble of the cluster ends it: `blind` says why what the
picture shows may not be how things are. Memory is bounded by the cluster, not by what happens in it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from k8s import live
from k8s.client import changes, watching

SIDE = frozenset({"namespaces", "nodes"})
"""Lists that an identity with namespaced Roles may not read: it is watched without them, as it is swept."""

LIMITS = watching.Limits()
HEARD_S = 150.0
"""A watch that nothing was heard of for so long, not even a bookmark, is not trusted: servers send one each minute."""


@dataclass(slots=True)
class _Line:
    """One stream and what is known of it."""

    name: str
    place: str | None
    stream: watching.Stream[Any]
    taken: bool = False
    """Whether a whole list was taken and all that came with it; False while one is being taken."""


class Follower:
    """Follows one cluster inside its `async with` block.

    `places`: namespaces to be followed one by one; (None,) for all of them at once.
    """

    def __init__(
        self,
        source: watching.Source,
        cluster: str,
        places: Sequence[str | None],
        *,
        monotonic: Callable[[], float],
        limits: watching.Limits = LIMITS,
    ) -> None:
        self.picture = live.Picture(cluster)
        self._monotonic = monotonic
        self._news = asyncio.Event()
        self._turns = asyncio.Lock()
        slimming = live.Slimming()
        keeps: Mapping[str, Callable[[Any], Any]] = {"pods": slimming.pod, "replicasets": slimming.workload}
        self._lines = [
            _Line(
                kind.name,
                place,
                watching.Stream(
                    source,
                    kind.name,
                    place,
                    decode=kind.type,
                    monotonic=monotonic,
                    field_selector=kind.field_selector,
                    limits=limits,
                    turns=self._turns,
                    keep=keeps.get(kind.name, _as_it_is),
                ),
            )
            for kind in live.KINDS.values()
            for place in (places if kind.namespaced else (None,))
        ]
        self._stack = AsyncExitStack()
        self._pumps: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            for line in self._lines:
                await opening.enter_async_context(line.stream)
            self._stack = opening.pop_all()
        self._pumps = [asyncio.create_task(self._pump(line), name=f"picture {line.name}") for line in self._lines]
        for pump in self._pumps:
            pump.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await self._stack.aclose()

    async def news(self, within_s: float | None = None) -> None:
        """Until a change has touched something, at most so long. Raises what ended the follower: a mistake of ours."""
        try:
            async with asyncio.timeout(within_s):
                while not self.picture.touched:
                    self._news.clear()
                    for pump in self._pumps:
                        if pump.done():
                            pump.result()
                    await self._news.wait()
        except TimeoutError:
            pass

    @property
    def blind(self) -> str:
        """Why the picture may not be how things are, in one sentence; empty where it is."""
        return next((why for line in self._lines if (why := self._trouble(line))), "")

    @property
    def refused(self) -> str:
        """The sentence of `blind`, where only a person can change it: a right that is missing."""
        return next(
            (why for line in self._lines if line.stream.refusal and (why := self._trouble(line))),
            "",
        )

    @property
    def unread(self) -> Mapping[str, str]:
        """Lists that it does without, and why."""
        return {line.name: line.stream.refusal for line in self._lines if _done_without(line)}

    def _trouble(self, line: _Line) -> str:
        if _done_without(line):
            return ""
        where = line.name + (f" in {line.place}" if line.place else "")
        state = line.stream.state
        if line.stream.refusal:
            return f"{where}: waiting: {line.stream.refusal}"
        if state.phase != "watching":
            return f"{where}: {state}"
        if not line.taken:
            return f"{where}: the list is being taken"
        heard = line.stream.last_heard
        if heard is None or self._monotonic() - heard > HEARD_S:
            return f"{where}: nothing was heard for a while"
        return ""

    async def _pump(self, line: _Line) -> None:
        async for change in line.stream:
            match change:
                case changes.Relisted():
                    line.taken = False
                    for _ in self.picture.listed(line.name, line.place, change.objects):
                        await asyncio.sleep(0)
                    line.taken = True
                case changes.Changed():
                    self.picture.changed(line.name, change.object)
                case changes.Removed():
                    self.picture.removed(line.name, change.object)
            if self.picture.touched:
                self._news.set()


def _done_without(line: _Line) -> bool:
    return line.name in SIDE and bool(line.stream.refusal) and line.stream.last_listed is None


def _as_it_is(found: Any) -> Any:
    return found
