"""When a cron expression fires: for the schedules, and for the answers that tell the next sweep. Pure but for zones.

Slots are whole minutes, cron's own grain, so that every replica gives a tick the same name.
"""

import zoneinfo
from datetime import datetime, timedelta

from apscheduler.triggers import cron


def trigger(expression: str, timezone: str) -> cron.CronTrigger:
    """APScheduler's trigger of a five-part cron expression in a named zone. Raises ValueError where either is bad."""
    try:
        zone = zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:  # not on this machine, or a folder such as `America`
        raise ValueError(f"there is no time zone {timezone}") from error
    return cron.CronTrigger.from_crontab(expression, timezone=zone)


def following(expression: str, timezone: str, now: datetime) -> datetime | None:
    """The next time after `now` (in UTC); None where there is none, or where the expression or the zone is bad."""
    try:
        found = trigger(expression, timezone).get_next_fire_time(None, now + timedelta(microseconds=1))
    except ValueError:
        return None
    return found if isinstance(found, datetime) else None


def slot(now: datetime) -> datetime:
    """The name of the tick that fires at this moment."""
    return now.replace(second=0, microsecond=0)
