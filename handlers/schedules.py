"""The clock's door: each watch's cron and each channel's report, by APScheduler's in-memory scheduler.

The schedule itself lives in the watch rows; the jobs are made from them and made again when they change. Every replica
fires every tick; the tick's unique row decides who sweeps.
"""

import contextlib
from collections.abc import Mapping
from datetime import UTC

import structlog
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import doors, errors, ticks
from bot.domain import watches

_LOG = structlog.get_logger(__name__)

MISFIRE_SECONDS = 30
"""A tick that comes later than this (a suspended process) is left to the next one."""


class Schedules:
    """Fires ticks until stopped."""

    def __init__(self, held: doors.Doors, *, report_cron: str, timezone: str) -> None:
        self._held = held
        self._report_cron = report_cron
        self._timezone = timezone
        self._scheduler = AsyncIOScheduler(timezone=UTC)  # each trigger has its own; this machine's is no matter
        self._known: Mapping[int, watches.Watch] = {}

    def start(self) -> None:
        self._scheduler.start()
        if self._report_cron != "off":
            self._add("report", self._report_cron, self._timezone, self._report)

    def stop(self) -> None:
        with contextlib.suppress(Exception):
            self._scheduler.shutdown(wait=False)

    async def refresh(self) -> None:
        """Makes the jobs those of the active watches. Called at the start and every few seconds."""
        active = {watch.id: watch for watch in await self._held.pipeline.list_watches() if watch.state == "active"}
        for watch_id in self._known.keys() - active.keys():
            self._drop(f"watch:{watch_id}")
        for watch_id, watch in active.items():
            if self._known.get(watch_id) != watch:
                self._add(f"watch:{watch_id}", watch.cron, watch.timezone, self._tick, watch)
        self._known = active

    async def at_start(self) -> None:
        """One sweep of every watch at once, so that a fresh start does not look for minutes as if all were well."""
        for watch in self._known.values():
            await self._swept(watch, "start")

    def _drop(self, job: str) -> None:
        """One that was never made, because its schedule is invalid, is gone already."""
        with contextlib.suppress(JobLookupError):
            self._scheduler.remove_job(job)

    def _add(self, job: str, cron: str, timezone: str, call: object, *args: object) -> None:
        """In the place of one of this name; a schedule that cannot be read makes none."""
        self._drop(job)
        try:
            trigger = ticks.trigger(cron, timezone)
        except ValueError as error:
            _LOG.error("schedule.invalid", job=job, cron=cron, timezone=timezone, error=str(error))
            return
        self._scheduler.add_job(
            call,
            trigger,
            args=args,
            id=job,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=MISFIRE_SECONDS,
        )

    async def _tick(self, watch: watches.Watch) -> None:
        await self._swept(watch, "schedule")

    async def _swept(self, watch: watches.Watch, trigger: watches.Trigger) -> None:
        try:
            with doors.present(self._held):
                await self._held.pipeline.tick(watch, ticks.slot(self._held.clock()), trigger)
        except errors.StoreUnavailable as error:
            _LOG.warning("tick.store_away", watch=watch.name, error=str(error))
        except Exception:  # noqa: BLE001 - a job's boundary: the next tick must come whatever this one met
            _LOG.exception("tick.failed", watch=watch.name)

    async def _report(self) -> None:
        slot = ticks.slot(self._held.clock())
        try:
            with doors.present(self._held):
                for channel in await self._held.pipeline.report_channels():
                    await self._held.pipeline.report(channel, slot)
        except errors.StoreUnavailable as error:
            _LOG.warning("report.store_away", error=str(error))
        except Exception:  # noqa: BLE001 - a job's boundary: tomorrow's report must come whatever this one met
            _LOG.exception("report.failed")
