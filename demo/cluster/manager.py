"""The loop that runs the controllers: changes in the store become keys in their queues, and keys become syncs.

Everything runs in one thread, in the order of arrival, so a seed and a clock decide everything that happens.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from demo.cluster.store import Change
from demo.cluster.timeline import Timeline

Key = tuple[str, str]
"""(namespace, name)."""

_log = logging.getLogger(__name__)
_MAX_SYNCS = 100_000


class Controller(Protocol):
    """A controller: which objects of its kind a change touches, and what to do about one of them."""

    def keys(self, change: Change) -> Iterable[Key]: ...

    def sync(self, key: Key) -> None: ...


class Manager:
    """The queues of all controllers."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._controllers: list[Controller] = []
        self._queue: deque[tuple[Controller, Key]] = deque()
        self._queued: set[tuple[int, Key]] = set()
        self._delayed: dict[tuple[int, Key], float] = {}
        self._scheduled = False
        self.failures: list[Exception] = []
        """Errors of controllers; there should never be any, and tests look here."""

    @property
    def idle(self) -> bool:
        return not self._queue

    def add(self, controller: Controller) -> None:
        self._controllers.append(controller)

    def on_change(self, change: Change) -> None:
        for controller in self._controllers:
            for key in controller.keys(change):
                self.enqueue(controller, key)

    def enqueue(self, controller: Controller, key: Key) -> None:
        entry = (id(controller), key)
        if entry in self._queued:
            return
        self._queued.add(entry)
        self._queue.append((controller, key))
        if self._timeline.live and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.drain)

    def enqueue_after(self, controller: Controller, key: Key, seconds: float, *, background: bool = False) -> None:
        """Once more after that many simulated seconds; of several wishes the earliest counts."""
        entry, due = (id(controller), key), self._timeline.seconds + seconds
        if self._timeline.seconds < self._delayed.get(entry, 0.0) <= due:
            return
        self._delayed[entry] = due
        self._timeline.later(seconds, self._wake(controller, key), background=background)

    def _wake(self, controller: Controller, key: Key) -> Callable[[], None]:
        return lambda: self.enqueue(controller, key)

    def drain(self) -> None:
        """Sync until every queue is empty."""
        self._scheduled = False
        for _ in range(_MAX_SYNCS):
            if not self._queue:
                return
            controller, key = self._queue.popleft()
            self._queued.discard((id(controller), key))
            try:
                controller.sync(key)
            except Exception as error:  # noqa: BLE001 - one broken object must not stop the cluster
                _log.error("%s failed for %s", type(controller).__name__, key, exc_info=error)
                self.failures.append(error)
        raise RuntimeError("the controllers do not come to rest")
