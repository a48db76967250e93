"""Who takes from a watch may be slow, may give up and may be cancelled; and all others have their turns beside it."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from k8s.client import changes, connection, watching
from tests.k8s.client import logged, servers
from tests.k8s.client.following import CALLS, followed, of, truth, until


@pytest.fixture
def api() -> logged.Api:
    made = logged.Api()
    made.put("a")
    return made


@pytest.fixture
async def server(api: logged.Api) -> AsyncIterator[servers.Server]:
    async with servers.serving(api) as running:
        yield running


@pytest.fixture
async def over(server: servers.Server, tmp_path: Path) -> AsyncIterator[connection.Connection]:
    async with servers.connected(server, tmp_path, CALLS) as opened:
        yield opened


async def test_a_slow_consumer_gets_the_newest_of_each_and_memory_stays_small(
    over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched and picture.told)
        picture.pause()
        api.put("first")
        await until(lambda: len(picture.told) == 2)
        for number in range(500):
            api.put("a", status={"message": str(number)})
            api.put(f"job-{number}")
            api.delete(f"job-{number}")
        api.put("last")
        await until(lambda: stream._version == str(api.revision))
        assert len(stream._waiting) == 2
        picture.go_on()
        await until(lambda: picture.versions == truth(api))
    assert len(picture.told) == 4


async def test_a_list_takes_the_place_of_what_waits(over: connection.Connection, api: logged.Api) -> None:
    stream = of(over)
    async with stream:
        await until(lambda: api.watched)
        for number in range(20):
            api.put(f"p{number}")
        await until(lambda: stream._version == str(api.revision))
        assert len(stream._waiting) == 21
        api.compact()
        api.tell("end")
        await until(lambda: api.lists == 2 and stream.state.phase == "watching")
        assert len(stream._waiting) == 1
        found = await anext(stream)
    assert isinstance(found, changes.Relisted)
    assert len(found.objects) == 21


async def test_waiting_for_a_change_may_be_given_up_without_a_loss(
    over: connection.Connection, api: logged.Api
) -> None:
    async with of(over) as stream:
        assert isinstance(await anext(stream), changes.Relisted)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(stream)
        api.put("b")
        found = await anext(stream)
    assert isinstance(found, changes.Changed)
    assert found.object.metadata.name == "b"


async def test_leaving_closes_the_connection_at_once_and_leaves_nothing_behind(
    over: connection.Connection, api: logged.Api
) -> None:
    before = asyncio.all_tasks()
    async with followed(of(over)):
        await until(lambda: api.requests)
    mine = {task for task in asyncio.all_tasks() - before if "watch" in task.get_name()}
    assert mine == set()
    await until(lambda: api.requests[0].transport is None, within=1.0)


@pytest.mark.parametrize("when", ["listing", "watching", "waiting"])
async def test_a_consumer_that_is_cancelled_takes_its_watch_with_it(
    server: servers.Server, over: connection.Connection, api: logged.Api, when: str
) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    wrong: dict[str, list[servers.Answer]] = {"listing": [never], "waiting": [servers.status(403, "no")]}
    api.wrong = wrong.get(when, [])
    stream = of(over, limits=watching.Limits())

    async def consume() -> None:
        async with stream:
            async for _ in stream:
                pass

    task = asyncio.create_task(consume())
    await until(lambda: server.seen and stream.state.phase == when)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1.0)
    assert [each for each in asyncio.all_tasks() if "watch" in each.get_name()] == []
    if when == "watching":
        await until(lambda: api.requests[0].transport is None, within=1.0)


async def test_after_its_block_a_stream_has_ended_and_before_it_there_is_none(
    over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    with pytest.raises(RuntimeError, match="inside of its"):
        await anext(stream)
    async with stream:
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_a_mistake_of_ours_is_not_kept_silent(over: connection.Connection) -> None:
    def broken() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with of(over, monotonic=broken) as stream:
            await anext(stream)
    with pytest.raises(ZeroDivisionError):
        async with of(over, monotonic=broken) as stream:
            await asyncio.sleep(0.2)


async def test_a_kind_that_nobody_knows_is_our_own_mistake(over: connection.Connection) -> None:
    with pytest.raises(LookupError):
        of(over, "dreams")


async def test_its_age_is_told_by_the_given_clock(over: connection.Connection, api: logged.Api) -> None:
    seconds = [100.0]
    stream = of(over, monotonic=lambda: seconds[0])
    async with followed(stream):
        await until(lambda: api.watched and stream.state.phase == "watching")
        assert (stream.last_listed, stream.last_heard) == (100.0, 100.0)
        seconds[0] = 160.0
        api.bookmark()
        await until(lambda: stream.last_heard == 160.0)
        assert stream.last_listed == 100.0


# --- and everybody else -----------------------------------------------------------------------------------------------


class Burst:
    """A source that has everything at once and never waits: pages of 50 objects, then pieces of a line each."""

    def __init__(self, pages: int, pieces: int) -> None:
        self.left, self.pieces = pages, pieces

    async def send(self, request: connection.Request) -> bytes:
        self.left -= 1
        items = [{"metadata": {"name": f"p{self.left}-{number}"}} for number in range(50)]
        more = {"continue": "more"} if self.left else {}
        return json.dumps({"metadata": {"resourceVersion": "5"} | more, "items": items}).encode()

    @contextlib.asynccontextmanager
    async def stream(self, request: connection.Request, *, within_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(self.pieces):
                yield logged.line("ADDED", {"metadata": {"name": f"x{number}"}})
            await asyncio.Event().wait()

        yield pieces()


async def test_others_have_their_turn_between_pages_between_pieces_and_between_many_changes() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    stream = of(Burst(pages=40, pieces=2000))
    async with stream:
        first = await anext(stream)
        assert isinstance(first, changes.Relisted)
        assert len(first.objects) == 2000
        listed = turns
        assert listed >= 40
        await until(lambda: len(stream._waiting) == 2000)
        assert turns - listed >= 2000
        before = turns
        for _ in range(2000):
            await anext(stream)
        assert turns - before >= 3
    counting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await counting


async def test_pages_of_streams_that_share_their_turns_are_not_decoded_in_one_go() -> None:
    turns = asyncio.Lock()
    async with turns:
        stream = of(Burst(pages=1, pieces=0), turns=turns)
        async with stream:
            for _ in range(20):
                await asyncio.sleep(0)
            assert str(stream.state) == "listing"
            turns.release()
            assert isinstance(await anext(stream), changes.Relisted)
            await turns.acquire()


async def test_open_watches_take_no_turn_from_calls(server: servers.Server, api: logged.Api, tmp_path: Path) -> None:
    limits = connection.CallLimits(read_s=5.0, concurrency=2)
    async with servers.connected(server, tmp_path, limits) as over, contextlib.AsyncExitStack() as stack:
        for _ in range(6):
            await stack.enter_async_context(followed(of(over)))
        await until(lambda: api.watched == 6)
        api.wrong = [servers.always({"gitVersion": "v1.34.4"})] * 4
        assert await asyncio.gather(*(over.version() for _ in range(4))) == ["v1.34.4"] * 4


async def test_a_watch_takes_fresh_credentials_where_its_old_ones_are_refused(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    async with followed(stream) as picture:
        await until(lambda: api.watched)
        api.wrong = [servers.status(401, "Unauthorized")]
        api.tell("end")
        api.put("b")
        await until(lambda: picture.versions == truth(api))
    assert len([seen for seen in server.seen if "watch" in seen.query]) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_system_asks_a_silent_server_for_signs_of_life(
    server: servers.Server, over: connection.Connection, api: logged.Api
) -> None:
    stream = of(over)
    async with followed(stream):
        await until(lambda: api.requests and stream.state.phase == "watching")
        peer = api.requests[0].transport
        assert peer is not None
        mine, other = peer.get_extra_info("peername")[1], server.port
        table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]  # noqa: ASYNC240 - memory
        timers = [row[5] for row in table if (row[1][-4:], row[2][-4:]) == (f"{mine:04X}", f"{other:04X}")]
    assert [timer[:2] for timer in timers] == ["02"], "a keep-alive timer runs (proc(5), tr)"
    left = int(timers[0][3:], 16) / 100
    assert 0 < left <= 30
