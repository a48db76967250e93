"""Reporting: the daily report of a channel, claimed by its slot, counted from rows, silent when nothing happened."""

from datetime import datetime, timedelta

from bot.domain import audit, cards, ports

PERIOD = timedelta(days=1)


async def report(wired: ports.Ports, channel: str, slot: datetime, asked_by: str = "") -> cards.Report | None:
    """The report of the day before `slot`; None where another replica has this one.

    Posted through its view, unless it is silent and nobody asked for it.
    """
    now = wired.clock()
    async with wired.store.begin() as tx:
        report_id = await tx.reports.claim(channel, slot, slot - PERIOD, slot, asked_by)
        if report_id is None:
            return None
        counted = await tx.reports.load(report_id)
        if counted is None:
            return None
        if asked_by or not counted.silent:
            await tx.views.want("report", channel=channel, report_id=report_id, due=now)
            data = {"channel": channel, "opened": counted.opened, "resolved": counted.resolved}
            await tx.trail.append(audit.Event("report:made", "-", asked_by or "schedule", now, data=data))
    wired.bell.ring()
    return counted
