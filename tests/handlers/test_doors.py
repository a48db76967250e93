"""The boundary of every listener: what fails is told in a sentence and logged, and a press is never lost by an ack."""

import asyncio

import pytest
from structlog import testing

from bot import doors, errors
from bot.slack.blocks import answers
from demo import slack
from tests.bot.flow import worlds
from tests.handlers import holding


async def _fail(room: holding.Room, error: Exception) -> tuple[list[str], list[str]]:
    """(what the person is told, names of what was logged)."""
    tell = holding.Telling()
    with testing.capture_logs() as logged:
        async with doors.guarded(room.held, "approve", tell):
            await _raise(error)
    return tell.told, [f"{one['log_level']} {one['event']}" for one in logged]


async def _raise(error: Exception) -> None:
    raise error


async def test_a_database_that_is_away_is_told_without_its_own_words(room: holding.Room) -> None:
    told, logged = await _fail(room, errors.StoreUnavailable("connection to 10.0.0.7 refused"))
    assert told == [doors.AWAY]
    assert logged == ["warning door.store_away"]


@pytest.mark.parametrize("kind", [errors.NotPossible, errors.ClusterUnavailable])
async def test_an_error_of_ours_is_told_as_it_is(room: holding.Room, kind: type[errors.WatchkeeperError]) -> None:
    assert await _fail(room, kind("There is no watch `x`.")) == (["There is no watch `x`."], [])


async def test_a_bug_is_told_as_one_and_only_the_log_has_the_rest(room: holding.Room) -> None:
    told, logged = await _fail(room, KeyError("xoxb-secret"))
    assert told == ["Something went wrong here; it is in the log. Nothing more was done."]
    assert logged == ["error door.failed"]


async def test_the_end_of_the_process_is_no_failure_of_a_door(room: holding.Room) -> None:
    tell = holding.Telling()
    with pytest.raises(asyncio.CancelledError):
        async with doors.guarded(room.held, "approve", tell):
            raise asyncio.CancelledError
    assert tell.told == []
    assert room.held.running == set()


# --- before_ack -----------------------------------------------------------------------------------------------------


async def test_a_press_is_decided_before_it_is_acknowledged() -> None:
    order: list[str] = []

    async def decide() -> str:
        await asyncio.sleep(0.01)
        order.append("decided")
        return "counted"

    async def ack() -> None:
        order.append("acknowledged")

    assert await doors.before_ack(decide(), ack) == "counted"
    assert order == ["decided", "acknowledged"]


async def test_a_slow_decision_is_acknowledged_in_time_and_still_answered() -> None:
    slow, acks = asyncio.Event(), holding.Acks()

    async def decide() -> str:
        await slow.wait()
        return "counted"

    answering = asyncio.create_task(doors.before_ack(decide(), acks))
    begun = asyncio.get_running_loop().time()
    await acks.first.wait()
    assert asyncio.get_running_loop().time() - begun < 2.5, "Slack waits for three seconds"
    assert not answering.done()
    slow.set()
    assert await answering == "counted"
    assert acks.given == [{}]


async def test_what_cannot_be_decided_is_acknowledged_too_and_then_told() -> None:
    acks = holding.Acks()

    async def decide() -> str:
        raise errors.StoreUnavailable("away")

    with pytest.raises(errors.StoreUnavailable):
        await doors.before_ack(decide(), acks)
    assert acks.given == [{}]


async def test_a_decision_does_not_outlive_its_listener() -> None:
    ended = asyncio.Event()

    async def decide() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    listener = asyncio.create_task(doors.before_ack(decide(), holding.Acks()))
    await asyncio.sleep(0.01)
    listener.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listener
    assert ended.is_set()


# --- the end --------------------------------------------------------------------------------------------------------


async def test_at_the_end_an_answer_is_finished_and_what_hangs_is_ended(room: holding.Room) -> None:
    tell, ends = holding.Telling(), asyncio.Event()

    async def answer(moment: asyncio.Event | None) -> None:
        async with doors.guarded(room.held, "/watch", tell):
            await (moment or asyncio.Event()).wait()
            await tell("answered")

    tasks = [asyncio.create_task(answer(ends)), asyncio.create_task(answer(None))]
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.05, ends.set)
    async with asyncio.timeout(doors.LEAVING_SECONDS + 1):
        await room.held.hang_up()
    assert tell.told == ["answered"]
    assert [task.cancelled() for task in tasks] == [False, True]
    assert room.held.running == set()
    await room.held.hang_up()


# --- where an answer is seen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "thread"),
    [
        ({"ts": "1.0", "thread_ts": "1.0"}, None),
        ({"ts": "1.0"}, None),
        ({}, None),
    ],
    ids=["a parent with replies", "a parent without", "a message that is gone"],
)
async def test_an_answer_is_shown_where_the_press_was_made(
    room: holding.Room, message: dict[str, str], thread: str | None
) -> None:
    body = {"user": {"id": slack.ANA}, "channel": {"id": slack.ONCALL}, "message": message}
    await doors.whisperer(room.held, body)(answers.said("Not now."))
    (shown,) = room.slack.ephemerals(slack.ANA, slack.ONCALL)
    assert shown.get("thread_ts") == thread


async def test_an_answer_to_a_press_in_a_thread_is_shown_in_that_thread(room: holding.Room) -> None:
    parent = (await room.slack.say(slack.BEN, slack.ONCALL, "hello")).ts
    reply = (await room.slack.say(slack.BEN, slack.ONCALL, "there", parent)).ts
    message = {"ts": reply, "thread_ts": parent}
    body = {"user": {"id": slack.ANA}, "channel": {"id": slack.ONCALL}, "message": message}
    await doors.whisperer(room.held, body)(answers.said("Not now."))
    (shown,) = room.slack.ephemerals(slack.ANA, slack.ONCALL)
    assert shown["thread_ts"] == parent


async def test_status_tells_the_next_sweep_and_what_is_wrong_with_the_bot(room: holding.Room) -> None:
    await room.replica.pipeline.add_default_watch(worlds.new_watch())
    room.wrong["slack"] = "Socket Mode is not connected"
    found = await doors.status(room.held)
    assert found.watches[0].next_tick is not None
    assert found.watches[0].next_tick > room.clock()
    assert found.health == room.wrong
