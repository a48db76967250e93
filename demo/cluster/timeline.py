"""Simulated time: one heap of timers that first runs through the past at once, then follows the clock at a speed.

The cluster's history (a rollout six minutes ago, four restarts since) is made by the same controllers that run later:
`run_history` jumps from timer to timer, and every timestamp written meanwhile lies in the past. After `go_live`
timestamps are those of the clock and only durations are divided by `speed`.
"""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(order=True)
class Timer:
    """A callback due at a virtual second. `background` timers do not keep `settle` waiting."""

    due: float
    order: int
    callback: Callable[[], None] = field(compare=False)
    background: bool = field(compare=False, default=False)
    cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        self.cancelled = True


class Timeline:
    """Virtual seconds since the beginning of the scenario, and the timestamps that belong to them."""

    def __init__(self, speed: float, clock: Clock) -> None:
        if speed <= 0:
            raise ValueError("speed must be positive")
        self.speed = speed
        self._clock = clock
        self._heap: list[Timer] = []
        self._order = 0
        self._virtual = 0.0
        self._present = 0.0
        self._present_at = clock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._origin = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self.after_callback: Callable[[], None] = lambda: None

    @property
    def live(self) -> bool:
        return self._loop is not None

    @property
    def seconds(self) -> float:
        """Virtual seconds now."""
        if self._loop is None:
            return self._virtual
        return self._present + (self._loop.time() - self._origin) * self.speed

    def now(self) -> datetime:
        """The timestamp to write now."""
        if self._loop is None:
            return self._present_at - timedelta(seconds=self._present - self._virtual)
        return self._clock()

    def at(self, seconds: float) -> datetime:
        """The timestamp of a virtual second: exact in the past, scaled by the speed after the scenario began."""
        if seconds <= self._present:
            return self._present_at - timedelta(seconds=self._present - seconds)
        return self._present_at + timedelta(seconds=(seconds - self._present) / self.speed)

    def since(self, moment: datetime) -> float:
        """Simulated seconds since a timestamp: those of the past count once, those since the start `speed` times."""
        past = max(0.0, (min(self.now(), self._present_at) - moment).total_seconds())
        live = (self.now() - max(moment, self._present_at)).total_seconds() if self.live else 0.0
        return past + max(0.0, live) * self.speed

    def later(self, seconds: float, callback: Callable[[], None], *, background: bool = False) -> Timer:
        """Run `callback` after that many simulated seconds."""
        self._order += 1
        timer = Timer(self.seconds + max(seconds, 0.0), self._order, callback, background)
        heapq.heappush(self._heap, timer)
        if self._heap[0] is timer:
            self._arm()
        return timer

    def begin_history(self, seconds: float) -> None:
        """The scenario begins that many seconds before now."""
        self._present = seconds
        self._present_at = self._clock()

    def run_history(self, until: float) -> None:
        """Fire everything due up to that virtual second, in order, at once."""
        while self._heap and self._heap[0].due <= until:
            timer = heapq.heappop(self._heap)
            if timer.cancelled:
                continue
            self._virtual = max(self._virtual, timer.due)
            timer.callback()
            self.after_callback()
        self._virtual = max(self._virtual, until)

    def go_live(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._origin = loop.time()
        self._arm()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        self._heap.clear()

    def pending(self, within: float) -> bool:
        """Whether a timer that is not background is due within so many simulated seconds."""
        limit = self.seconds + within
        return any(not timer.cancelled and not timer.background and timer.due <= limit for timer in self._heap)

    def _arm(self) -> None:
        if self._loop is None:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        while self._heap and self._heap[0].cancelled:
            heapq.heappop(self._heap)
        if self._heap:
            delay = max(0.0, (self._heap[0].due - self.seconds) / self.speed)
            self._handle = self._loop.call_later(delay, self._fire)

    def _fire(self) -> None:
        self._handle = None
        try:
            while self._heap and self._heap[0].due <= self.seconds + 1e-9:
                timer = heapq.heappop(self._heap)
                if not timer.cancelled:
                    timer.callback()
        finally:
            self.after_callback()
            self._arm()
