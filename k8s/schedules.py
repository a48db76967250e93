"""How often a CronJob was due: its schedule read as the CronJob controller reads it, and counted backwards.

Pure. Called by `k8s.detectors.cronjobs`, and by `k8s.policy_rules` for the times in which less may be done. The format
is https://en.wikipedia.org/wiki/Cron as the controller's library takes it
(https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax): five fields, names, ranges,
steps, `?` for `*`, and the @-names. A day matches by its day of the month AND of the week where one of the two is a
star, else by either.
"""

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

FARTHEST = timedelta(days=400)
"""How far back is counted: even a yearly schedule has had its day in it."""

_FIRST = datetime(1972, 1, 1, tzinfo=UTC)
"""No cluster is older; a time before this is an odd one."""

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_NO_NAMES: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule in its time zone."""

    minutes: tuple[int, ...]
    """Descending, as the hours."""
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Whether a day of the month or of the week suffices."""
    zone: zoneinfo.ZoneInfo

    def on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either else by_month and by_week


def parse(text: str, zone: str | None = None) -> Schedule | None:
    """The schedule; None for what is none, for `@every …` (it has no fixed times) and for an unknown zone.

    Where no zone is set, the controller's own counts, which is not known: UTC, as in nearly every cluster.
    """
    fields = _NAMED.get(text.strip().lower(), text).split()
    if len(fields) != 5 or any(len(each) > 200 for each in fields):
        return None
    try:
        read = [
            _numbers(fields[0], 0, 59, _NO_NAMES),
            _numbers(fields[1], 0, 23, _NO_NAMES),
            _numbers(fields[2], 1, 31, _NO_NAMES),
            _numbers(fields[3], 1, 12, _MONTHS),
            _numbers(fields[4], 0, 7, _DAYS),
        ]
        where = zoneinfo.ZoneInfo(zone or "UTC")
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None
    minutes, hours, days, months, weekdays = read
    return Schedule(
        minutes=tuple(sorted(minutes, reverse=True)),
        hours=tuple(sorted(hours, reverse=True)),
        days=days,
        months=months,
        weekdays=frozenset(number % 7 for number in weekdays),
        either=not _starred(fields[2]) and not _starred(fields[4]),
        zone=where,
    )


def due(schedule: Schedule, after: datetime, until: datetime, most: int) -> int:
    """How many times it was due later than `after` and not later than `until` (both aware); no more than `most`."""
    if until < _FIRST:
        return 0
    after = max(after, until - FARTHEST)
    count = 0
    day, first = until.astimezone(schedule.zone).date(), after.astimezone(schedule.zone).date()
    while day >= first and count < most:
        if schedule.on(day):
            count += _on_day(schedule, day, after, until, most - count)
        day -= timedelta(days=1)
    return count


def _on_day(schedule: Schedule, day: date, after: datetime, until: datetime, most: int) -> int:
    count = 0
    for hour in schedule.hours:
        for minute in schedule.minutes:
            moment = datetime.combine(day, time(hour, minute), schedule.zone).astimezone(UTC)
            if moment <= after:
                return count
            count += moment <= until
            if count >= most:
                return count
    return count


def latest(schedule: Schedule, after: datetime, until: datetime) -> datetime | None:
    """The last time it was due later than `after` and not later than `until` (both aware), in UTC; None: not at all."""
    day, first = until.astimezone(schedule.zone).date(), after.astimezone(schedule.zone).date()
    while day >= first:
        moments = [
            datetime.combine(day, time(hour, minute), schedule.zone).astimezone(UTC)
            for hour in schedule.hours
            for minute in schedule.minutes
        ]
        found = [moment for moment in moments if after < moment <= until] if schedule.on(day) else []
        if found:
            return max(found)
        day -= timedelta(days=1)
    return None


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this name; UTC where there is none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return zoneinfo.ZoneInfo("UTC")


def _starred(field: str) -> bool:
    """A star with a step is no star (the library's `getRange`)."""
    return any(part in ("*", "?", "*/1", "?/1") for part in field.split(","))


def _numbers(field: str, least: int, most: int, names: Mapping[str, int]) -> frozenset[int]:
    """`*/15`, `1-5`, `mon,wed`, `10/20` (from 10 on). Raises ValueError."""
    found: set[int] = set()
    for part in field.lower().split(","):
        span, slash, step = part.partition("/")
        width = int(step) if slash else 1
        if span in ("*", "?"):
            low, high = least, most
        else:
            start, dash, end = span.partition("-")
            low = _number(start, names)
            high = _number(end, names) if dash else most if slash else low
        if not (least <= low <= high <= most and width > 0):
            raise ValueError(field)
        found.update(range(low, high + 1, width))
    return frozenset(found)


def _number(text: str, names: Mapping[str, int]) -> int:
    return names[text] if text in names else int(text)
