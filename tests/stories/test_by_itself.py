"""Done by itself, as people see it in Slack: announced, done, verified, undone by a person; stopped; and broken off.

The stages and the publisher run in this process, with a clock that can be moved on: nobody waits two minutes for a
delay. What is shown is what Slack's stand-in was told, and presses carry what its buttons carry.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain import approvals, cards, incidents
from bot.slack import calling, ids, publisher
from demo import slack
from demo.cluster import scenarios
from tests.bot.flow import test_announcing as announcing
from tests.bot.flow import worlds
from tests.stories import world as telling

pytestmark = pytest.mark.story


class Room:
    """One bot on a broken cluster, and its channel."""

    def __init__(self, world: worlds.World, bot: worlds.Replica, workspace: slack.SlackStandIn) -> None:
        self.world = world
        self.bot = bot
        self.slack = workspace
        client = calling.client(None, workspace.api_url)
        client.token = workspace.bot_token
        self.publisher = publisher.Publisher(client, bot.database, rules=bot.wired.rules, clock=world.clock, owner="a")

    async def shown(self) -> None:
        """Slack shows all that is to be shown by now."""
        self.world.clock.advance(seconds=11)  # edits in the background are ten seconds apart
        while await self.publisher.turn():
            pass

    async def announced(self) -> tuple[incidents.Incident, telling.Message]:
        incident = await self.world.diagnosed(self.bot, mode="autonomous", channel=slack.ONCALL)
        await self.shown()
        (parent,) = [one for one in self.slack.messages(slack.ONCALL) if "payments/api" in telling.text_of(one)][:1]
        return incident, parent

    async def counted(self) -> None:
        """The delay has begun, and the card says until when."""
        assert await self.bot.pipeline.announce_next()
        await self.shown()

    async def done(self) -> None:
        """Nobody has stopped it."""
        self.world.clock.advance(seconds=121)
        assert await self.bot.pipeline.announce_next()
        await self.shown()
        assert await self.bot.pipeline.announce_next()
        assert await self.bot.pipeline.execute_next()
        await self.shown()

    def now(self, parent: telling.Message) -> telling.Message:
        found: telling.Message = self.slack.message(slack.ONCALL, parent["ts"])
        return found

    def text(self, parent: telling.Message) -> str:
        return telling.text_of(self.now(parent))

    def thread(self, parent: telling.Message) -> str:
        return "\n".join(telling.text_of(one) for one in self.slack.replies(slack.ONCALL, parent["ts"]))

    def press(self, message: telling.Message, action: str, user: str) -> approvals.Press:
        """What Slack would send for a press of the button that the message shows."""
        target = ids.parse(telling.value(message, action))
        return approvals.Press(user, target.id, target.digest)

    async def card(self, incident: incidents.Incident) -> cards.IncidentCard:
        return await self.bot.card(incident.id)


@contextlib.asynccontextmanager
async def begun(url: str, folder: Path, *, failing: bool = False) -> AsyncIterator[Room]:
    async with contextlib.AsyncExitStack() as stack:
        workspace = await stack.enter_async_context(slack.SlackStandIn())
        world = await stack.enter_async_context(worlds.World.made(url, folder, [scenarios.crash_loop()]))
        hand = announcing.Failing(world.hand) if failing else world.hand
        bot = await announcing.replica(world, hands=lambda _: hand)
        yield Room(world, bot, workspace)


async def test_it_is_announced_done_verified_and_undone_by_a_person(postgres_url: str, tmp_path: Path) -> None:
    async with begun(postgres_url, tmp_path) as room:
        incident, parent = await room.announced()
        assert "*Will be done by itself* 2 min after this is shown, unless somebody stops it" in room.text(parent)
        await room.counted()
        assert "*Will be done by itself* at <!date^" in room.text(parent)
        assert list(telling.buttons(room.now(parent)))[:3] == [ids.STOP_ALONE, ids.APPROVE, ids.REJECT]
        assert "Approve now: scale to 4" in room.text(parent)
        assert "*Announced*: scale to 4, scale is listed under autonomous in the policy" in room.thread(parent)

        await room.done()
        assert ids.STOP_ALONE not in telling.buttons(room.now(parent))
        assert len(room.world.writes) == 1
        healed = {"containers": [{"name": "api", "env": [{"name": "DB_URL", "value": "postgres://db"}]}]}
        room.world.cluster.patch("deployments", "api", "payments", {"spec": {"template": {"spec": healed}}})
        card = await room.world.verified(room.bot, incident.id)
        assert card.remedy is not None
        assert card.remedy.proposal.state == "verified"
        assert await room.bot.pipeline.announce_next()  # a good end is counted
        await room.shown()
        thread = room.thread(parent)
        assert "*Done by itself* under this rule: scale is listed under autonomous in the policy" in thread
        assert "Fixed by: scale to 4, done by itself: scale is listed under" in thread

        undo = room.press(room.now(parent), ids.UNDO, worlds.BEN)
        assert (await room.bot.pipeline.approve(undo)).counted
        assert await room.bot.pipeline.execute_next()
        assert (await room.bot.remedy(incident.id)).state == "undone"
        assert room.world.cluster.get("deployments", "api", "payments")["spec"]["replicas"] == 3


async def test_it_is_stopped_in_time_and_approved_later(postgres_url: str, tmp_path: Path) -> None:
    async with begun(postgres_url, tmp_path) as room:
        incident, parent = await room.announced()
        await room.counted()
        stop = room.press(room.now(parent), ids.STOP_ALONE, worlds.BEN)
        assert (await room.bot.pipeline.stop_alone(stop)).counted
        await room.shown()
        assert f"*Stopped* by <@{worlds.BEN}>: it waits for an approval" in room.text(parent)
        assert f"*Stopped* by <@{worlds.BEN}>: it is not done by itself any more" in room.thread(parent)
        room.world.clock.advance(minutes=5)
        assert not await room.bot.pipeline.announce_next()
        assert not await room.bot.pipeline.execute_next()
        assert ids.STOP_ALONE not in telling.buttons(room.now(parent))
        assert (await room.bot.pipeline.approve(room.press(room.now(parent), ids.APPROVE, worlds.ANA))).counted
        assert await room.bot.pipeline.execute_next()
        assert len(room.world.writes) == 1
        tags = await room.bot.trail(incident.id)
        assert tags.index("autonomous:stopped") < tags.index("proposal:approved")


async def test_the_breaker_says_so_in_the_channel_and_is_closed_there(postgres_url: str, tmp_path: Path) -> None:
    async with begun(postgres_url, tmp_path, failing=True) as room:
        incident, _ = await room.announced()
        async with room.bot.database.begin() as tx:  # one bad end was before
            breaker = await tx.alone.breaker(incident.watch_id, lock=True)
            await tx.alone.set_breaker(dataclasses.replace(breaker, bad=1))
        await room.counted()
        await room.done()
        assert await room.bot.pipeline.announce_next()
        await room.shown()
        shown = [one for one in room.slack.messages(slack.ONCALL) if telling.button(one, ids.CLOSE_BREAKER)]
        assert len(shown) == 1
        assert "*is open:* nothing is done by itself any more" in telling.text_of(shown[0])
        assert f"2 bad ends in a row, the last one: {incident.name} ended as failed" in telling.text_of(shown[0])
        press = room.press(shown[0], ids.CLOSE_BREAKER, worlds.ANA)
        assert (await room.bot.pipeline.close_breaker(press.proposal_id, press.user)).counted
        await room.shown()
        closed = telling.text_of(room.slack.message(slack.ONCALL, shown[0]["ts"]))
        assert f"was closed by <@{worlds.ANA}>" in closed
        assert telling.button(room.slack.message(slack.ONCALL, shown[0]["ts"]), ids.CLOSE_BREAKER) is None
