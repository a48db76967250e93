"""Who is in a user group or channel: believed for a while, read again in time, and nobody where it cannot be read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

import demo.slack as stand_in
from bot.domain import approvals
from bot.slack import calling, membership
from demo.slack.model import UserGroup
from k8s import policy
from tests.bot.slack import desks

GROUP, CHANNEL = stand_in.ONCALL_SRE, stand_in.PAYMENTS
LIVES = timedelta(minutes=5)
METHODS = ("usergroups.users.list", "conversations.members")


@dataclass
class Office:
    slack: stand_in.SlackStandIn
    clock: desks.Clock
    directory: membership.Directory

    def asked(self) -> int:
        return len(self.slack.journal.calls(*METHODS))

    def group(self, *users: str) -> None:
        self.slack.workspace.groups[GROUP] = UserGroup(GROUP, "oncall-sre", "On-call SRE", users)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    clock = desks.Clock()
    async with stand_in.SlackStandIn() as slack:
        client = calling.client(None, slack.api_url)
        client.token = slack.bot_token
        directory = membership.Directory(
            calling.Calling(client, clock), (GROUP, CHANNEL), clock=clock, time_to_live=LIVES
        )
        yield Office(slack, clock, directory)
        await directory.close()


async def test_a_group_and_a_channel_are_read_once_however_many_ask(office: Office) -> None:
    answers = await asyncio.gather(*(office.directory.of((GROUP, CHANNEL)) for _ in range(50)))
    people = {stand_in.ANA, stand_in.BEN}
    for found in answers:
        assert found[GROUP] == people
        assert people < found[CHANNEL]
    assert office.asked() == 2
    assert office.directory.faults == {}


async def test_it_is_read_again_in_the_background_before_it_is_too_old(office: Office) -> None:
    await office.directory.refresh()
    office.group(stand_in.CHLOE)
    office.clock.advance(LIVES.total_seconds() / 2 - 1)
    await office.directory.refresh()
    assert office.asked() == 2
    office.clock.advance(1)
    await office.directory.refresh()
    assert office.asked() == 4
    assert (await office.directory.of((GROUP,)))[GROUP] == {stand_in.CHLOE}


async def test_whoever_left_is_out_after_the_time_to_live_at_the_latest(office: Office) -> None:
    assert stand_in.ANA in (await office.directory.of((GROUP,)))[GROUP]
    office.group(stand_in.BEN)
    office.clock.advance(LIVES.total_seconds() - 1)
    assert stand_in.ANA in (await office.directory.of((GROUP,)))[GROUP]
    office.clock.advance(1)
    assert (await office.directory.of((GROUP,)))[GROUP] == {stand_in.BEN}


async def test_while_slack_is_away_it_is_believed_until_it_is_too_old_and_then_nobody_is_let_in(
    office: Office,
) -> None:
    await office.directory.of((GROUP,))
    office.slack.faults.http_error("usergroups.users.list", status=503, times=100)
    office.clock.advance(LIVES.total_seconds() / 2)
    await office.directory.refresh()
    assert GROUP in await office.directory.of((GROUP,))
    assert "usergroups.users.list" in office.directory.fault(GROUP)
    office.clock.advance(LIVES.total_seconds() / 2)
    assert await office.directory.of((GROUP,)) == {}
    office.slack.faults.clear()
    office.clock.advance(membership.AGAIN.total_seconds())
    assert GROUP in await office.directory.of((GROUP,))
    assert office.directory.fault(GROUP) == ""


async def test_a_no_of_slack_ends_at_once_what_was_believed_and_is_told_in_words(office: Office) -> None:
    assert len(await office.directory.of((GROUP, CHANNEL))) == 2
    del office.slack.workspace.groups[GROUP]
    office.slack.service.scopes.discard("channels:read")
    office.clock.advance(LIVES.total_seconds() / 2)
    await office.directory.refresh()
    assert await office.directory.of((GROUP, CHANNEL)) == {}
    assert office.directory.fault(GROUP) == "there is no such user group"
    assert "lacks a scope" in office.directory.fault(CHANNEL)


async def test_what_just_failed_is_left_alone_for_a_while(office: Office) -> None:
    office.slack.service.scopes.discard("usergroups:read")
    for _ in range(20):
        assert await office.directory.of((GROUP,)) == {}
    assert office.asked() == 1
    office.clock.advance(membership.AGAIN.total_seconds())
    await office.directory.of((GROUP,))
    assert office.asked() == 2


async def test_a_press_does_not_wait_for_a_slow_answer(office: Office) -> None:
    office.slack.faults.delay("usergroups.users.list", seconds=3)
    async with asyncio.timeout(membership.PATIENCE + 1):
        assert await office.directory.of((GROUP,)) == {}


async def test_a_clock_that_is_set_back_makes_nothing_young_again(office: Office) -> None:
    await office.directory.of((GROUP,))
    office.group(stand_in.BEN)
    office.clock.advance(-3600)
    assert (await office.directory.of((GROUP,)))[GROUP] == {stand_in.BEN}


def test_all_groups_and_channels_of_a_policy_are_looked_up() -> None:
    one = policy.Tier(approvers=(policy.Approvers(users=("U1",), groups=(GROUP,)),))
    other = policy.Tier(approvers=(policy.Approvers(groups=(GROUP,), channels=(CHANNEL,)),))
    assert approvals.places(policy.Policy(tiers=policy.Tiers(low=one, high=other))) == (GROUP, CHANNEL)
    assert approvals.places(policy.Policy()) == ()
