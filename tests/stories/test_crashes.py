"""`kill -9` at each step between a press and verified: never twice, never lost, and the thread says what was found."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import pytest

from demo import slack
from demo.cluster import scenarios
from demo.cluster.faults import Fault
from tests.stories import world as worlds

pytestmark = pytest.mark.story

DEPLOYMENT = "/apis/apps/v1/namespaces/payments/deployments/api"
Step = Callable[[worlds.World], AbstractAsyncContextManager[Callable[[], Awaitable[None]]]]
"""Arranges the moment; what it yields waits until that moment has come."""


def _hit(world: worlds.World, fault: Fault) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await world.eventually(lambda: fault.hits > 0, what=f"the bot meets {fault}")

    return wait


@asynccontextmanager
async def in_the_transaction_of_the_press(world: worlds.World) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The proposal's row is held, so the press can neither count nor be told that it did not."""
    holder = await asyncpg.connect(world.database_url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("SELECT 1 FROM proposal FOR UPDATE")

    async def wait() -> None:
        await world.eventually_row("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    try:
        yield wait
    finally:
        await transaction.rollback()
        await holder.close()


@asynccontextmanager
async def right_after_the_press_was_acknowledged(world: worlds.World) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    async def wait() -> None:
        await world.eventually_row("SELECT count(*) FROM execution")

    yield wait


@asynccontextmanager
async def while_it_reads_the_target(world: worlds.World) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    async with world.fault(path=DEPLOYMENT, method="GET", user="writer", hang=True) as fault:
        yield _hit(world, fault)


@asynccontextmanager
async def while_it_tries_the_change(world: worlds.World) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The first PATCH is the dry run."""
    async with world.fault(path=DEPLOYMENT, method="PATCH", hang=True) as fault:
        yield _hit(world, fault)


@asynccontextmanager
async def when_the_change_is_made_and_not_yet_answered(
    world: worlds.World,
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Whether the process hears of it is left to chance: it is killed as soon as the cluster has made the change."""

    async def wait() -> None:
        await world.eventually(lambda: world.cluster.journal.writes, what="the write")

    yield wait


@asynccontextmanager
async def while_it_verifies(world: worlds.World) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    async def wait() -> None:
        await world.eventually_row("SELECT count(*) FROM verification WHERE looked_at IS NOT NULL")

    yield wait


STEPS: tuple[Step, ...] = (
    in_the_transaction_of_the_press,
    right_after_the_press_was_acknowledged,
    while_it_reads_the_target,
    while_it_tries_the_change,
    when_the_change_is_made_and_not_yet_answered,
    while_it_verifies,
)


@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
async def test_a_killed_process_never_executes_twice_and_loses_nothing(begin: worlds.Start, step: Step) -> None:
    world = await begin([scenarios.crash_loop()])
    first = await world.start_bot()
    parent = await world.proposed("payments/api")
    async with step(world) as moment:
        pressing = asyncio.create_task(world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve"))
        await moment()
        first.kill()
        await first.process.wait()
    await pressing
    await world.start_bot()

    ended = await _ended(world, parent)
    assert len(world.cluster.journal.writes) == 1
    assert ended == "verified"
    told = world.thread(parent) + world.now(parent)
    assert f"<@{slack.ANA}>" in told
    await world.eventually_row("SELECT count(*) = 0 FROM message_view WHERE wanted > shown")
    assert len(world.parents("payments/api")) == 1


async def _ended(world: worlds.World, parent: worlds.Message) -> str:
    """Goes on as a person would: where the press was lost or its end unknown, and it is offered anew, presses again."""

    async def state() -> str:
        return str(await world.value("SELECT state FROM proposal WHERE kind = 'remedy' ORDER BY id DESC LIMIT 1"))

    async with asyncio.timeout(60):
        while (now := await state()) != "verified":
            shown = world.slack.message(slack.ONCALL, parent["ts"])
            if now == "proposed" and worlds.button(shown, "wk:approve"):
                await world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve")
            await asyncio.sleep(0.3)
    return now


async def test_a_replica_that_was_frozen_does_not_act_when_it_wakes(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    first = await world.start_bot()
    parent = await world.proposed("payments/api")
    async with world.fault(path=DEPLOYMENT, method="PATCH", delay=1.5) as fault:
        pressing = asyncio.create_task(world.slack.press(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve"))
        await world.eventually(lambda: fault.hits, what="the dry run")
        first.freeze()
    await pressing
    await world.start_bot(wait=False)
    await world.eventually_row("SELECT state = 'unknown' FROM proposal WHERE kind = 'remedy' ORDER BY id LIMIT 1")
    assert world.cluster.journal.writes == []
    first.thaw()
    await asyncio.sleep(3)
    assert world.cluster.journal.writes == []


async def test_another_replica_goes_on_where_one_was_killed(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    first = await world.start_bot()
    await world.start_bot()
    parent = await world.proposed("payments/api")
    await world.slack.press(slack.BEN, slack.ONCALL, parent["ts"], "wk:approve")
    first.kill()
    assert await _ended(world, parent) == "verified"
    assert len(world.cluster.journal.writes) == 1
