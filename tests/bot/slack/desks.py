"""A publisher on a real store and a whole Slack stand-in, with a clock that the test moves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import demo.slack as stand_in
from bot.domain import incidents, ports
from bot.domain import rules as rules_
from bot.slack import calling, publisher
from bot.store import engine
from tests.bot.store import examples

SECOND = timedelta(seconds=1)
START = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
REPLIES: tuple[ports.ViewKind, ...] = ("evidence", "progress")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Desk:
    slack: stand_in.SlackStandIn
    store: engine.Database
    clock: Clock
    rules: rules_.Rules = field(default_factory=rules_.Rules)
    counted: list[tuple[str, str]] = field(default_factory=list)

    def publishing(self, owner: str = "one", store: ports.Store | None = None) -> publisher.Publisher:
        """A new one knows nothing of what an earlier one did, as after a crash."""
        client = calling.client(None, self.slack.api_url)
        client.token = self.slack.bot_token
        return publisher.Publisher(
            client,
            store or self.store,
            rules=self.rules,
            clock=self.clock,
            owner=owner,
            called=lambda method, answer: self.counted.append((method, answer)),
        )

    async def incident(
        self, channel: str = stand_in.ONCALL, *, told: bool = True, **changes: Any
    ) -> incidents.Incident:
        """A stored incident, and (if told) its parent and first replies wanted."""
        made = await examples.opened(self.store, channel=channel, **changes)
        if told:
            for kind in ("parent", *REPLIES):
                await self.want(made, kind)
        return made

    async def want(self, about: incidents.Incident, kind: ports.ViewKind = "parent", *, paced: bool = False) -> None:
        async with self.store.begin() as tx:
            await tx.views.want(kind, channel=about.channel, incident_id=about.id, due=self.clock(), paced=paced)

    async def run(self, one: publisher.Publisher | None = None) -> int:
        """Turns until nothing is due; how many."""
        turning = one or self.publishing()
        turns = 0
        while await turning.turn():
            turns += 1
            assert turns < 50, "the publisher never comes to rest"
        return turns

    async def later(self, one: publisher.Publisher, seconds: float, step: float = 1) -> None:
        """Time goes by, the publisher at work."""
        passed = 0.0
        while passed < seconds:
            self.clock.advance(step)
            passed += step
            await self.run(one)

    def posts(self, channel: str = stand_in.ONCALL) -> list[dict[str, Any]]:
        """What stands in a channel, the bot's messages only."""
        return [
            one for one in self.slack.messages(channel) if one.get("user") == stand_in.BOT_USER and "metadata" in one
        ]

    def thread(self, channel: str = stand_in.ONCALL, which: int = -1) -> list[dict[str, Any]]:
        return self.slack.replies(channel, self.posts(channel)[which]["ts"])

    def calls(self, *methods: str) -> list[str]:
        return [call.method for call in self.slack.service.journal.calls(*methods)]


@contextlib.asynccontextmanager
async def desk(store: engine.Database) -> AsyncIterator[Desk]:
    clock = Clock()
    async with stand_in.SlackStandIn(clock=lambda: clock.at.timestamp()) as slack:
        yield Desk(slack, store, clock)
        await asyncio.sleep(0)
