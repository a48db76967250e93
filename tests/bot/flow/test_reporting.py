"""The daily report: one for each channel and slot, counted from rows, silent where nothing happened."""

import asyncio
from datetime import timedelta

from demo.cluster import scenarios
from tests.bot.flow import worlds

Recorded = tuple[worlds.Replica, worlds.Clock]


async def test_a_report_is_made_once_for_a_channel_and_a_slot(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    a, b = await world.replica("a"), await world.replica("b")
    await world.proposed(a)
    await a.wanted()
    slot = world.clock.advance(minutes=1)
    made = await asyncio.gather(*(replica.pipeline.report(worlds.CHANNEL, slot) for replica in (a, b, a, b)))
    (report,) = [one for one in made if one is not None]
    assert (report.opened, report.resolved, len(report.still_open), report.sweeps) == (2, 0, 2, 1)
    assert (report.since, report.until) == (slot - timedelta(days=1), slot)
    assert await a.wanted() == {"report": 1}
    assert await b.pipeline.report("C0OTHER", slot) is not None


async def test_a_silent_report_is_not_posted_unless_somebody_asked(record: Recorded) -> None:
    bot, clock = record
    await bot.pipeline.add_default_watch(worlds.new_watch())
    quiet = await bot.pipeline.report(worlds.CHANNEL, clock())
    assert quiet is not None
    assert quiet.silent
    assert await bot.wanted() == {}
    asked = await bot.pipeline.report(worlds.CHANNEL, clock.advance(minutes=1), worlds.CHLOE)
    assert asked is not None
    assert asked.asked_by == worlds.CHLOE
    assert await bot.wanted() == {"report": 1}
    page = await bot.pipeline.audit_page(f"<@{worlds.CHLOE}>", worlds.ANA)
    assert [entry.event.tag for entry in page.entries] == ["report:made"]


async def test_reports_go_to_the_channels_that_watches_name(record: Recorded) -> None:
    bot, _ = record
    for name, channel in (("one", "C1"), ("two", "C2"), ("three", "C1"), ("nowhere", "")):
        await bot.pipeline.add_default_watch(worlds.new_watch(name, channel=channel))
    await bot.pipeline.remove_watch("two", worlds.ANA)
    assert await bot.pipeline.report_channels() == ["C1"]
