"""Whatever a server and a network do, and however slow the consumer is, it knows in the end what the server knows."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from k8s import objects
from k8s.client import connection, errors, watching
from tests.k8s.client import following, logged

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
FAILURES = st.sampled_from(
    [
        errors.Gone("watch pods", "too old"),
        errors.Unreachable("watch pods", "no answer in time"),
        errors.ServerFault("watch pods", "etcd"),
        errors.Throttled("list pods", "later", retry_after=3.0),
        errors.Forbidden("list pods", 'User "x" cannot list'),
        errors.Malformed("list pods", "not JSON"),
    ]
)
STEPS = st.one_of(
    st.tuples(st.sampled_from(["put", "put", "put", "delete", "spoil"]), NAMES),
    st.tuples(st.sampled_from(["end", "drop", "compact", "bookmark", "garbage", "pause", "go on"]), st.none()),
    st.tuples(st.just("fail"), FAILURES),
    st.tuples(st.just("wait"), st.just(40)),
)


async def rest(_: float) -> None:
    await asyncio.sleep(0)


def do(twin: logged.Twin, picture: following.Picture, step: str, what: Any) -> None:
    match step:
        case "put":
            twin.put(what)
        case "delete" if what in twin.objects:
            twin.delete(what)
        case "spoil":
            twin.put(what, sent=b'{"type": "MODIFIED", "object": spoilt}\n')
        case "end" | "drop":
            twin.tell(step)
        case "compact":
            twin.compact()
        case "bookmark":
            twin.bookmark()
        case "garbage":
            twin.tell(b"\n<html>" + b"x" * 5000 + b"\n")
        case "pause":
            picture.pause()
        case "go on":
            picture.go_on()
        case "fail":
            twin.wrong.append(what)


async def lived(steps: list[tuple[str, Any]], seed: int) -> None:
    twin, turns = logged.Twin(seed), random.Random(seed)  # noqa: S311 - a course of things, no secret
    limits = watching.Limits(page=2, line=4000, steady_s=3.0)
    stream = watching.Stream(twin, "pods", decode=objects.Pod, monotonic=following.ticking(), limits=limits, sleep=rest)
    async with following.followed(stream) as picture:
        for step, what in steps:
            do(twin, picture, step, what)
            for _ in range(what if step == "wait" else turns.randrange(12)):
                await asyncio.sleep(0)
        twin.wrong.clear()
        picture.go_on()
        twin.tell("end")  # what was spoilt is put right by the list after this
        truth = following.truth(twin)
        for _ in range(3000):
            if picture.versions == truth and stream.state.phase == "watching":
                break
            await asyncio.sleep(0)
        assert (picture.versions, str(stream.state)) == (truth, "watching")
        event(f"lists: {min(picture.relists, 5)}")
    assert twin.watched == 0


@settings(deadline=None, max_examples=150)
@given(st.lists(STEPS, min_size=5, max_size=60), st.integers(0, 1000))
def test_any_course_of_changes_drops_410s_and_lists_ends_in_the_servers_picture(
    steps: list[tuple[str, Any]], seed: int
) -> None:
    asyncio.run(lived(steps, seed))


class Pauses:
    """Keeps how long a stream waits, and waits not at all before the last."""

    def __init__(self, count: int = 1) -> None:
        self.seconds: list[float] = []
        self._count = count

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) == self._count:
            await asyncio.Event().wait()


class Failing:
    """A source whose every list, and then every watch, ends in an error where there is one, and else at once."""

    def __init__(
        self, *, list_error: errors.ClusterError | None, watch_error: errors.ClusterError | None, line: bytes = b""
    ) -> None:
        self._list_error, self._watch_error, self._line = list_error, watch_error, line
        self.lists = self.watches = 0
        self.good: set[int] = set()
        """Which watches, counted from 1, meet no error."""

    async def send(self, request: connection.Request) -> bytes:
        self.lists += 1
        if self._list_error is not None:
            raise self._list_error
        return b'{"metadata": {"resourceVersion": "5"}, "items": []}'

    @contextlib.asynccontextmanager
    async def stream(self, request: connection.Request, *, within_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        self.watches += 1
        if self._watch_error is not None and self.watches not in self.good:
            raise self._watch_error

        async def told() -> AsyncIterator[bytes]:
            if self._line:
                yield self._line

        yield told()


async def pauses(source: Failing, *, count: int, chance: float, clock: float = 0.0) -> list[float]:
    """The first pauses of a stream; `clock` is what passes between two looks at the time."""
    waited, seconds = Pauses(count), itertools.count(0.0, clock or 1e-6)
    stream = watching.Stream(
        source, "pods", decode=objects.Pod, monotonic=lambda: next(seconds), sleep=waited.sleep, chance=lambda: chance
    )
    async with stream:
        await following.until(lambda: len(waited.seconds) == count)
    return waited.seconds


REFUSED = errors.Forbidden("list pods", "no")
AWAY = errors.Unreachable("watch pods", "no answer")
OLD = errors.Gone("watch pods", "too old")


async def test_pauses_grow_up_to_a_bound_and_chance_spreads_them() -> None:
    latest = await pauses(Failing(list_error=None, watch_error=AWAY), count=8, chance=1.0)
    assert latest == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    earliest = await pauses(Failing(list_error=None, watch_error=AWAY), count=4, chance=0.0)
    assert earliest == [0.5, 1.0, 2.0, 4.0]


async def test_a_list_after_an_expired_version_begins_at_any_time_of_a_spread() -> None:
    source = Failing(list_error=None, watch_error=OLD)
    assert await pauses(source, count=5, chance=1.0) == [5.0, 5.0, 5.0, 8.0, 16.0]
    assert source.lists == 5
    assert await pauses(source, count=2, chance=0.0) == [0.0, 0.0]


async def test_where_we_may_not_look_we_ask_rarely() -> None:
    assert await pauses(Failing(list_error=REFUSED, watch_error=None), count=3, chance=0.5) == [60.0] * 3
    assert await pauses(Failing(list_error=REFUSED, watch_error=None), count=1, chance=1.0) == [75.0]
    assert await pauses(Failing(list_error=None, watch_error=REFUSED), count=1, chance=0.0) == [45.0]


async def test_a_server_that_asks_for_a_pause_gets_it_within_reason() -> None:
    busy = errors.Throttled("list pods", "later", retry_after=7.0)
    assert await pauses(Failing(list_error=None, watch_error=busy), count=1, chance=0.0) == [7.5]
    assert await pauses(Failing(list_error=busy, watch_error=None), count=1, chance=0.0) == [7.0]
    endless = errors.Throttled("list pods", "later", retry_after=1e9)
    assert await pauses(Failing(list_error=endless, watch_error=None), count=1, chance=0.0) == [60.0]


async def test_a_server_that_ends_every_watch_at_once_is_asked_ever_more_rarely() -> None:
    source = Failing(list_error=None, watch_error=None)
    assert await pauses(source, count=4, chance=1.0) == [1.0, 2.0, 4.0, 8.0]
    assert source.lists == 1, "what came until then stays true"


async def test_a_watch_that_stood_goes_on_at_once_and_makes_good_for_what_failed_before() -> None:
    source = Failing(list_error=None, watch_error=AWAY)
    source.good = {3, 4}
    assert await pauses(source, count=3, chance=1.0, clock=20.0) == [1.0, 2.0, 1.0]
    assert (source.lists, source.watches) == (1, 5)


@pytest.mark.parametrize("error", [errors.Malformed("watch pods", "?"), errors.Rejected("watch pods", "bad version")])
async def test_a_watch_that_is_refused_for_what_it_asks_leads_to_a_list(error: errors.ClusterError) -> None:
    source = Failing(list_error=None, watch_error=error)
    await pauses(source, count=3, chance=0.0)
    assert source.lists == 3


@pytest.mark.parametrize(("line", "lists"), [(b"", "often"), (logged.line("BOOKMARK", {"metadata": {}}), "once")])
async def test_a_long_silence_is_followed_by_a_list_since_the_server_may_have_been_set_back(
    line: bytes, lists: str
) -> None:
    source = Failing(list_error=None, watch_error=None, line=line)
    seconds = itertools.count(0.0, 200.0)
    stream = watching.Stream(source, "pods", decode=objects.Pod, monotonic=lambda: next(seconds))
    async with stream:
        await following.until(lambda: source.watches >= 50)
        assert source.lists == 1 if lists == "once" else source.lists >= source.watches


async def test_a_server_that_is_away_is_not_listed_anew() -> None:
    source = Failing(list_error=None, watch_error=errors.ServerFault("watch pods", "etcd"))
    await pauses(source, count=5, chance=0.0)
    assert source.lists == 1
