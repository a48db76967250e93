"""Carries an action in steps through: one write after another, each asked for anew, until done, stopped or out of time.

Called by `k8s.executor` alone, which gives it its hands: this module holds no writer and decides about no permit. It
evicts no pod but those it is given, each at most once with success, and only where it saw it on the node in this very
round. An eviction that a disruption budget forbids is asked for again, as the API asks clients to do:
https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/#troubleshooting-stuck-evictions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from k8s import drains, fields, model, standing, targets

ROUND_S = 3.0
"""Between two looks at the node: an eviction that was refused is asked for again after this long."""
LIMIT = timedelta(minutes=15)


async def _unwatched(_progress: model.Progress) -> None:
    return


async def _nobody() -> str:
    return ""


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Oversight:
    """Who watches an execution in steps, and what ends it before its last one."""

    progress: Callable[[model.Progress], Awaitable[None]] = _unwatched
    """Told after each change. May raise nothing."""
    stop: Callable[[], Awaitable[str]] = _nobody
    """Why it is to be stopped, as one sentence; empty where it is not. Asked before every write and every wait."""
    limit: timedelta = LIMIT
    """Counted from its first step."""
    pause: Callable[[float], Awaitable[None]] = _pause


ALONE = Oversight()


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one eviction."""

    end: Literal["done", "held", "later", "gone", "refused", "lost"]
    """held: a disruption budget forbids it for now. later: the server has no time, or the pod changed just then.
    refused: the server's own no. lost: sent, and its answer never came."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Hands:
    """What the executor lends."""

    pods: Callable[[], Awaitable[Sequence[model.Json] | str]]
    """All pods of the node, freshly; a sentence where they could not be read."""
    evict: Callable[[model.ResourceRef], Awaitable[Sent]]
    """Tries it, and then does it."""
    shut: Callable[[], Awaitable[str]]
    """Why nothing may be written any more; empty where it may."""
    now: Callable[[], datetime]


@dataclass
class _Round:
    """What is known of the pods by now."""

    action: model.Drain
    begun: bool
    evicted: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    left: list[model.Json] = field(default_factory=list)
    newcomers: int = 0

    @property
    def gone(self) -> int:
        return len(self.action.pods) - len(self.left)

    @property
    def progress(self) -> model.Progress:
        return model.Progress(self.gone, len(self.action.pods), self._waiting())

    def _waiting(self) -> str:
        if self.held:
            return next(iter(self.held.values()))
        ending = [pod for pod in self.left if fields.deleting(pod) or fields.uid(pod) in self.evicted]
        return f"{drains.named(ending)} to end" if ending else ""

    def see(self, pods: Sequence[model.Json]) -> None:
        self.left = drains.remaining(self.action, pods)
        self.newcomers = len(drains.newcomers(self.action, pods))
        there = {fields.uid(pod) for pod in self.left}
        self.held = {uid: why for uid, why in self.held.items() if uid in there}

    def told(self) -> str:
        total = targets.counted(len(self.action.pods))
        words = f"The node is cordoned, and {self.gone} of {total} are gone."
        if self.left:
            words += f" Still there: {drains.named(self.left)}."
        if self.newcomers:
            words += f" Left alone, as it came later: {targets.counted(self.newcomers)}."
        return words

    def stopped(self, why: str) -> model.Outcome:
        return model.Outcome("stopped", f"{why} {self.told()}", written=self.begun or bool(self.evicted))


async def drain(action: model.Drain, hands: Hands, oversight: Oversight, *, begun: bool) -> model.Outcome:
    """Evicts these pods of a cordoned node and waits until they are gone. `begun`: it was cordoned for this.

    Never raises a ClusterError.
    """
    state, until = _Round(action, begun), hands.now() + oversight.limit
    state.left = [{"metadata": {"name": p.name, "namespace": p.namespace, "uid": p.uid}} for p in action.pods]
    told: model.Progress | None = None
    while True:
        seen = await hands.pods()
        if not isinstance(seen, str):
            state.see(seen)
            if not state.left:
                await oversight.progress(state.progress)
                return model.Outcome("succeeded", state.told())
            if end := await _evict(state, hands, oversight):
                return end
        if told != (told := _after(state, seen)):
            await oversight.progress(told)
        if why := await _over(hands, oversight, until, told):
            return state.stopped(why)
        await oversight.pause(ROUND_S)


def _after(state: _Round, seen: Sequence[model.Json] | str) -> model.Progress:
    if not isinstance(seen, str):
        return state.progress
    return model.Progress(state.gone, len(state.action.pods), f"the cluster: {seen}")


async def _evict(state: _Round, hands: Hands, oversight: Oversight) -> model.Outcome | None:
    """One round: each pod that is still to be evicted is asked for once. None: it goes on."""
    by_uid = {pod.uid: pod for pod in state.action.pods}
    for pod in state.left:
        ref = by_uid[fields.uid(pod)]
        if ref.uid in state.evicted or fields.deleting(pod):
            continue
        if why := await oversight.stop() or await hands.shut():
            return state.stopped(why)
        if standing.marked(pod):
            return state.stopped(f"Pod {ref.short} is marked {standing.PROTECTED}.")
        sent = await hands.evict(ref)
        state.held.pop(ref.uid, None)
        match sent.end:
            case "done":
                state.evicted.add(ref.uid)
            case "held":
                state.held[ref.uid] = sent.why
            case "refused":
                return state.stopped(f"Pod {ref.short} cannot be evicted: {sent.why.rstrip('.')}.")
            case "lost":
                detail = f"The eviction of pod {ref.short} was sent and its answer never came: {sent.why}."
                return model.Outcome("unknown", f"{detail} {state.told()}")
            case "later" | "gone":
                pass  # the next look at the node tells
    return None


async def _over(hands: Hands, oversight: Oversight, until: datetime, told: model.Progress) -> str:
    if why := await oversight.stop() or await hands.shut():
        return why
    if hands.now() < until:
        return ""
    minutes = round(oversight.limit / timedelta(minutes=1))
    waited = f", waiting for {told.waiting}" if told.waiting else ""
    return f"It was not done within {minutes} min{waited}."
