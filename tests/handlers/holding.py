"""What a door holds, in a test: a real store and publisher, the Slack stand-in, and presses as Bolt hands them over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pydantic
from slack_bolt.context.respond import async_respond

from bot import doors, pipeline, telemetry
from bot.slack import calling, publisher
from bot.slack.blocks import modals
from demo import slack
from handlers import commands
from tests.bot.flow import worlds


@dataclass
class Room:
    """A replica without clusters, its doors, and Slack."""

    replica: worlds.Replica
    clock: worlds.Clock
    slack: slack.SlackStandIn
    held: doors.Doors
    wrong: dict[str, str] = field(default_factory=dict)
    """What /readyz would say."""

    def with_pipeline(self, other: pipeline.Pipeline) -> doors.Doors:
        return replace(self.held, pipeline=other, running=set())

    async def modal(self, user: str) -> dict[str, Any]:
        """A modal that this person has open."""
        trigger = self.slack.service.views.new_trigger(user).id
        assert await self.held.publisher.open_modal(trigger, modals.loading()) is not None
        view = self.slack.view(user)
        assert view is not None
        return view

    async def typed(
        self, text: str, *, held: doors.Doors | None = None, trigger: str = "1.2.dead"
    ) -> list[dict[str, Any]]:
        """What Ana alone is told in #oncall after `/watch` with this text, by the command's own response_url."""
        before = len(self.slack.ephemerals(slack.ANA, slack.ONCALL))
        url = self.slack.service.response_urls.new(slack.ANA, slack.ONCALL, "typed")
        command = {"text": text, "user_id": slack.ANA, "channel_id": slack.ONCALL, "trigger_id": trigger}
        answering = async_respond.AsyncRespond(response_url=url)
        await commands._Listener(held or self.held).listen(Acks(), command, answering)
        return self.slack.ephemerals(slack.ANA, slack.ONCALL)[before:]

    def told(self, user: str) -> str:
        """All that the bot told this person alone in #oncall."""
        return "\n".join(one["text"] for one in self.slack.ephemerals(user, slack.ONCALL))


@contextlib.asynccontextmanager
async def room(url: str) -> AsyncIterator[Room]:
    async with worlds.recorded(url) as (replica, clock), slack.SlackStandIn() as workspace:
        client = calling.client(pydantic.SecretStr(workspace.bot_token), workspace.api_url)
        publishing = publisher.Publisher(
            client, replica.database, rules=worlds.RULES, clock=clock, owner=replica.wired.owner
        )
        wrong: dict[str, str] = {}

        async def check() -> Mapping[str, str]:
            return dict(wrong)

        held = doors.Doors(replica.pipeline, publishing, telemetry.Metrics(), clock, "UTC", check)
        yield Room(replica, clock, workspace, held, wrong)


class Acks:
    """Bolt's `ack`: notes what was acknowledged."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.first = asyncio.Event()

    async def __call__(self, **answer: Any) -> None:
        self.given.append(answer)
        self.first.set()


class Telling:
    """Notes the sentences that a person is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def __call__(self, text: str) -> None:
        self.told.append(text)
