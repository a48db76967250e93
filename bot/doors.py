"""What every door holds: the pipeline, the publisher and the metrics; and the boundary at which a door's errors end.

`bot.main` makes one `Doors`; the modules of `handlers` use it, and know nothing of each other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import structlog

from bot import errors, pipeline, telemetry, ticks
from bot.domain import cards, ports
from bot.slack import publisher
from bot.slack.blocks import answering, home, messages

_LOG = structlog.get_logger(__name__)
T = TypeVar("T")

Tell = Callable[[messages.Message], Awaitable[None]]
"""Says something to the person who asked, and only to them."""

ANSWER_SECONDS = 2.0
"""A press is decided before it is acknowledged, so that no acknowledged press is ever lost; Slack waits for 3 s."""

LEAVING_SECONDS = 2.0
"""At the end of the process, for what is being answered at that moment."""

AWAY = "The record (its database) cannot be reached now, and without it nothing is done. Look again in a minute."
"""True of a lost commit too: whether that took place is known when the rows can be read again."""


@dataclass(frozen=True, slots=True)
class Doors:
    pipeline: pipeline.Pipeline
    publisher: publisher.Publisher
    metrics: telemetry.Metrics
    clock: ports.Clock
    timezone: str
    """Zone of new watches that name none."""
    check: Callable[[], Awaitable[Mapping[str, str]]]
    """Part of the bot → what is wrong with it now: what /readyz tells."""
    running: set["asyncio.Task[Any]"] = field(default_factory=set)
    """What is being answered or swept at this moment, in tasks that Bolt and the scheduler started."""

    async def hang_up(self) -> None:
        """Lets what is being answered come to its end, for a moment, and ends the rest: before anything is closed."""
        if self.running:
            await asyncio.wait(self.running, timeout=LEAVING_SECONDS)
        left = tuple(self.running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@contextlib.contextmanager
def present(doors: Doors) -> Iterator[None]:
    """Notes this task among those that `hang_up` waits for."""
    task = asyncio.current_task()
    if task is None or task in doors.running:
        yield
        return
    doors.running.add(task)
    try:
        yield
    finally:
        doors.running.discard(task)


@contextlib.asynccontextmanager
async def guarded(doors: Doors, door: str, tell: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """A listener's boundary: whatever fails inside is told to the person in a sentence, and logged; nothing is lost."""
    try:
        with present(doors):
            yield
    except errors.StoreUnavailable as error:
        _LOG.warning("door.store_away", door=door, error=str(error))
        await tell(AWAY)
    except errors.WatchkeeperError as error:
        await tell(str(error))
    except Exception:  # noqa: BLE001 - a listener's boundary: the person is told, the log has the rest
        _LOG.exception("door.failed", door=door)
        await tell("Something went wrong here; it is in the log. Nothing more was done.")


async def before_ack(deciding: Awaitable[T], ack: Callable[[], Awaitable[object]]) -> T:
    """Decides, then acknowledges; acknowledges first only where deciding takes longer than Slack would wait."""
    async with in_time(deciding) as decided:
        await ack()
        return await decided


@contextlib.asynccontextmanager
async def in_time(deciding: Awaitable[T]) -> AsyncIterator["asyncio.Future[T]"]:
    """The decision when it is made, or as it stands when it is time to acknowledge. Left behind, it is cancelled."""
    task = asyncio.ensure_future(deciding)
    try:
        await asyncio.wait([task], timeout=ANSWER_SECONDS)
        yield task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


async def status(doors: Doors, cluster: str = "") -> cards.Status:
    """What `/watch status` and App Home show, with when each watch sweeps next and what is wrong with the bot itself.

    Raises NotPossible for a cluster that is not known.
    """
    found = await doors.pipeline.status(cluster)
    now = doors.clock()
    timed = tuple(
        replace(one, next_tick=ticks.following(one.watch.cron, one.watch.timezone, now)) for one in found.watches
    )
    return replace(found, watches=timed, health=await doors.check())


async def why(doors: Doors, words: str, tell: Tell) -> messages.Message:
    """What a look at a workload shows. Where a model is asked besides, that is told at once, and what is returned is
    what the model says.

    Raises what `Pipeline.why` raises.
    """
    found = await doors.pipeline.why(words)
    if not doors.pipeline.may_view(found):
        return answering.why(found)
    await tell(answering.why(found, asked=True))
    return answering.view(await doors.pipeline.view(found))


async def draw_home(doors: Doors, user: str) -> None:
    """App Home of this person as it is now: when it is opened, and after a press in it."""
    await doors.publisher.home(user, home.page(await status(doors), user))


def in_home(body: dict[str, Any]) -> bool:
    """Whether this was pressed in App Home, which nobody but its presser's own door draws anew."""
    return (body.get("view") or {}).get("type") == "home"


def whisperer(doors: Doors, body: dict[str, Any]) -> Tell:
    """How to say something to the person who pressed, and only to them: where they pressed, else by direct message.

    A parent that has replies carries its own `ts` as its thread: an answer in there would be seen by nobody who looks
    at the channel (docs.slack.dev/messaging/retrieving-messages: `thread_ts` of a parent equals its `ts`).
    """
    channel = str((body.get("channel") or {}).get("id") or "")
    message_ = body.get("message") or {}
    thread = "" if message_.get("thread_ts") == message_.get("ts") else str(message_.get("thread_ts") or "")
    user = str(body["user"]["id"])

    async def whisper(message: messages.Message) -> None:
        await doors.publisher.whisper(channel or user, user, message, thread)

    return whisper
