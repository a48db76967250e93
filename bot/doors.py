"""What every door holds: the pipeline, the publisher and the metrics; and the boundary at which a door's errors end.

`bot.main` makes one `Doors`; the modules of `handlers` use it, and know nothing of each other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from bot import errors, pipeline, telemetry, ticks
from bot.domain import cards, ports
from bot.slack import publisher
from bot.slack.blocks import home, messages

_LOG = structlog.get_logger(__name__)
T = TypeVar("T")

ANSWER_SECONDS = 2.0
"""A press is decided before it is acknowledged, so that no acknowledged press is ever lost; Slack waits for 3 s."""

AWAY = "The record (its database) cannot be reached now, so nothing was done. Try again in a minute."


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


@contextlib.asynccontextmanager
async def guarded(door: str, tell: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """A listener's boundary: whatever fails inside is told to the person in a sentence, and logged; nothing is lost."""
    try:
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
    task = asyncio.ensure_future(deciding)
    await asyncio.wait([task], timeout=ANSWER_SECONDS)
    await ack()
    return await task


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


async def draw_home(doors: Doors, user: str) -> None:
    """App Home of this person as it is now: when it is opened, and after a press in it."""
    await doors.publisher.home(user, home.page(await status(doors), user))


def in_home(body: dict[str, Any]) -> bool:
    """Whether this was pressed in App Home, which nobody but its presser's own door draws anew."""
    return (body.get("view") or {}).get("type") == "home"


def whisperer(doors: Doors, body: dict[str, Any]) -> Callable[[messages.Message], Awaitable[None]]:
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
