"""The clock's door: jobs are what the watches say, a tick is one sweep, and one bad schedule stops no other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog import testing

from bot import errors, pipeline, ticks
from bot.domain import ports, watches
from handlers import schedules
from tests.bot.flow import worlds
from tests.handlers import holding

Jobs = dict[str, datetime]


@pytest.fixture
async def timing(room: holding.Room) -> AsyncIterator[schedules.Schedules]:
    made = schedules.Schedules(room.held, report_cron="0 9 * * *", timezone="Europe/Berlin")
    made.start()
    yield made
    made.stop()
    await room.held.hang_up()


def jobs(timing: schedules.Schedules) -> Jobs:
    """Job → when it runs next."""
    return {job.id: job.next_run_time for job in timing._scheduler.get_jobs()}


def fire(timing: schedules.Schedules, job: str, late: float = 0.0) -> None:
    """Its time has come, and was so many seconds ago."""
    timing._scheduler.modify_job(job, next_run_time=datetime.now(UTC) - timedelta(seconds=late))


async def added(room: holding.Room, name: str = "demo", **changes: object) -> watches.Watch:
    """One that fires at new year only, unless told otherwise: not by chance while the test runs."""
    return await room.replica.pipeline.add_default_watch(worlds.new_watch(name, **{"cron": "0 0 1 1 *", **changes}))


async def sweeps(room: holding.Room) -> int:
    """How many of the first watch; its cluster is not there, so each fails."""
    status = await room.replica.pipeline.status()
    assert all(one.last_sweep is None or one.last_sweep.status == "failed" for one in status.watches)
    return sum(one.last_sweep is not None for one in status.watches)


async def swept(room: holding.Room, count: int = 1) -> None:
    async with asyncio.timeout(5):
        while await sweeps(room) < count:  # noqa: ASYNC110 - the record is polled
            await asyncio.sleep(0.02)


async def test_jobs_follow_the_watches(room: holding.Room, timing: schedules.Schedules) -> None:
    assert set(jobs(timing)) == {"report"}
    first = await added(room)
    second = await added(room, "nightly", cron="0 3 * * *", timezone="Asia/Seoul")
    await timing.refresh()
    assert set(jobs(timing)) == {"report", f"watch:{first.id}", f"watch:{second.id}"}
    assert jobs(timing)[f"watch:{second.id}"].astimezone(UTC).hour == 18
    before = jobs(timing)
    await timing.refresh()
    assert jobs(timing) == before

    await room.replica.pipeline.pause_watch("nightly", worlds.ANA)
    await timing.refresh()
    assert set(jobs(timing)) == {"report", f"watch:{first.id}"}
    await room.replica.pipeline.resume_watch("nightly", worlds.ANA)
    await room.replica.pipeline.remove_watch("demo", worlds.ANA)
    again = await added(room, cron="*/7 * * * *")
    await timing.refresh()
    assert set(jobs(timing)) == {"report", f"watch:{again.id}", f"watch:{second.id}"}


async def test_a_schedule_that_cannot_be_read_is_logged_and_stops_no_other(
    room: holding.Room, timing: schedules.Schedules
) -> None:
    """Written by another version, or for zones that this machine does not have."""
    bad = [await added(room, "a", cron="61 * * * *"), await added(room, "b", timezone="Mars/Olympus")]
    good = await added(room, "c")
    with testing.capture_logs() as logged:
        await timing.refresh()
    assert [one["event"] for one in logged] == ["schedule.invalid"] * 2
    assert set(jobs(timing)) == {"report", f"watch:{good.id}"}
    for watch in bad:
        await room.replica.pipeline.remove_watch(watch.name, worlds.ANA)
    await timing.refresh()
    later = await added(room, "d")
    await timing.refresh()
    assert set(jobs(timing)) == {"report", f"watch:{good.id}", f"watch:{later.id}"}


async def test_a_tick_is_one_sweep_however_often_it_fires(room: holding.Room, timing: schedules.Schedules) -> None:
    await added(room)
    await timing.refresh()
    made = []
    for _ in range(3):
        await timing.at_start()
        last = (await room.replica.pipeline.status()).watches[0].last_sweep
        assert last is not None
        made.append((last.slot, last.id))
    assert len(set(made)) == len({slot for slot, _id in made}), "one sweep for each minute that this took"


async def test_a_job_fires_a_tick_of_its_own_minute(room: holding.Room, timing: schedules.Schedules) -> None:
    watch = await added(room)
    await timing.refresh()
    fire(timing, f"watch:{watch.id}")
    await swept(room)
    last = (await room.replica.pipeline.status()).watches[0].last_sweep
    assert last is not None
    assert last.trigger == "schedule"
    assert last.slot is not None
    assert last.slot.second == 0
    assert timedelta() <= last.started_at - last.slot < timedelta(seconds=65)


async def test_a_tick_that_comes_too_late_is_left_to_the_next(room: holding.Room, timing: schedules.Schedules) -> None:
    """As after the process was suspended: a sweep in the name of a minute that is over helps nobody."""
    watch, prompt = await added(room), await added(room, "prompt")
    await timing.refresh()
    fire(timing, f"watch:{watch.id}", late=schedules.MISFIRE_SECONDS + 5)
    fire(timing, f"watch:{prompt.id}", late=schedules.MISFIRE_SECONDS - 10)
    await swept(room)
    told = {one.watch.name: one.last_sweep for one in (await room.replica.pipeline.status()).watches}
    assert told["demo"] is None
    assert told["prompt"] is not None
    assert jobs(timing)[f"watch:{watch.id}"] > datetime.now(UTC)


async def test_a_report_is_made_once_for_each_channel_by_however_many_replicas(
    room: holding.Room,
) -> None:
    moment = room.clock()
    held = replace(room.held, clock=lambda: moment)
    replicas = [schedules.Schedules(held, report_cron="0 9 * * *", timezone="UTC") for _ in range(3)]
    for name, channel in (("a", "C0ONCALL01"), ("b", "C0ONCALL01"), ("c", "C0PAYMENT1")):
        await added(room, name, channel=channel)
    await asyncio.gather(*(replica._report() for replica in replicas))
    slot = ticks.slot(moment)
    assert await room.replica.pipeline.report("C0ONCALL01", slot) is None
    assert await room.replica.pipeline.report("C0PAYMENT1", slot) is None
    assert await room.replica.pipeline.report("C0ELSEWHER", slot) is not None


async def test_reports_can_be_off(room: holding.Room) -> None:
    silent = schedules.Schedules(room.held, report_cron="off", timezone="UTC")
    silent.start()
    assert jobs(silent) == {}
    silent.stop()


class _Broken(pipeline.Pipeline):
    """Every tick of it fails."""

    def __init__(self, wired: ports.Ports, error: Exception) -> None:
        super().__init__(wired)
        self._error = error

    async def tick(self, watch: watches.Watch, slot: datetime, trigger: watches.Trigger = "schedule") -> bool:
        raise self._error

    async def report_channels(self) -> Sequence[str]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "logged"), [(errors.StoreUnavailable("away"), "store_away"), (LookupError("a bug"), "failed")]
)
async def test_whatever_a_tick_meets_the_next_one_comes(room: holding.Room, error: Exception, logged: str) -> None:
    watch = await added(room)
    held = room.with_pipeline(_Broken(room.replica.wired, error))
    timing = schedules.Schedules(held, report_cron="0 9 * * *", timezone="UTC")
    timing.start()
    await timing.refresh()
    with testing.capture_logs() as seen:
        for job in (f"watch:{watch.id}", "report"):
            fire(timing, job)
        async with asyncio.timeout(5):
            while len(seen) < 2:  # noqa: ASYNC110 - the log is polled
                await asyncio.sleep(0.02)
    assert {one["event"] for one in seen} == {f"tick.{logged}", f"report.{logged}"}
    assert all(at > datetime.now(UTC) for at in jobs(timing).values())
    assert held.running == set()
    timing.stop()


async def test_stopping_is_harmless_before_the_start_and_twice(room: holding.Room) -> None:
    never = schedules.Schedules(room.held, report_cron="off", timezone="UTC")
    never.stop()
    never.start()
    never.stop()
    never.stop()
