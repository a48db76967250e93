"""A consumer of a watch that believes what it is told: its picture has to be the server's."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from k8s import objects
from k8s.client import changes, connection, watching
from tests.k8s.client import logged

WITHIN = 10.0
"""Seconds that a test waits for what it expects."""
QUICK = watching.Limits(
    page=2,
    watch_s=(30.0, 30.0),
    margin_s=1.0,
    steady_s=0.0,
    first_pause_s=0.02,
    longest_pause_s=0.1,
    spread_s=0.05,
    refused_pause_s=0.1,
)
"""Waits that a test can wait for."""

CALLS = connection.CallLimits(connect_s=1.0, read_s=5.0, retries=0)


def of(source: watching.Source, kind: str = "pods", **more: Any) -> watching.Stream[Any]:
    """A quick stream of the pods in `payments`; `more` are other settings."""
    settings: dict[str, Any] = {"decode": objects.Pod, "monotonic": time.monotonic, "limits": QUICK}
    settings["chance"] = lambda: 1.0  # so that no wait is too short to be seen
    return watching.Stream(source, kind, "payments", **(settings | more))


def truth(log: logged.Log) -> dict[str, str]:
    """What a picture's `versions` have to be."""
    return {name: found["metadata"]["resourceVersion"] for name, found in log.objects.items()}


class Picture:
    """What is known: the resource version of each object by its name."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.told: list[changes.Change[Any]] = []
        self._gate = asyncio.Event()
        self._gate.set()

    @property
    def names(self) -> list[str]:
        return sorted(each.metadata.name for each in self.objects.values())

    @property
    def versions(self) -> dict[str, str]:
        return {each.metadata.name: each.metadata.resource_version for each in self.objects.values()}

    @property
    def relists(self) -> int:
        return sum(isinstance(each, changes.Relisted) for each in self.told)

    def pause(self) -> None:
        """Takes nothing, after at most one more, until `go_on`."""
        self._gate.clear()

    def go_on(self) -> None:
        self._gate.set()

    def take(self, change: changes.Change[Any]) -> None:
        self.told.append(change)
        match change:
            case changes.Relisted():
                self.objects = {changes.identity(each.metadata): each for each in change.objects}
            case changes.Changed():
                self.objects[changes.identity(change.object.metadata)] = change.object
            case changes.Removed():
                del self.objects[changes.identity(change.object.metadata)]  # nobody is told of one that he never had

    async def follow(self, stream: watching.Stream[Any]) -> None:
        while True:
            await self._gate.wait()
            self.take(await anext(stream))


def ticking() -> Callable[[], float]:
    """A clock that goes on by a second with every look at it."""
    seconds = itertools.count()
    return lambda: float(next(seconds))


@contextlib.asynccontextmanager
async def followed(stream: watching.Stream[Any]) -> AsyncIterator[Picture]:
    """Runs the stream with a picture of it."""
    picture = Picture()
    async with stream:
        task = asyncio.create_task(picture.follow(stream))
        try:
            yield picture
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], object], within: float = WITHIN) -> None:
    """Waits until it is true; TimeoutError where it never is."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - the condition is any function, there is no event
            await asyncio.sleep(0.005)
