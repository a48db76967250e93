"""Schedules of CronJobs: read as the controller reads them, counted backwards."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import schedules

NOW = datetime(2026, 3, 14, 3, 0, tzinfo=UTC)
"""A Saturday."""


def _due(text: str, back: timedelta, most: int = 1000, zone: str | None = None) -> int:
    schedule = schedules.parse(text, zone)
    assert schedule is not None
    return schedules.due(schedule, NOW - back, NOW, most)


@pytest.mark.parametrize(
    ("text", "back", "count"),
    [
        ("* * * * *", timedelta(minutes=5), 5),
        ("*/15 * * * *", timedelta(hours=1), 4),
        ("0 3 * * *", timedelta(days=3), 3),
        ("@daily", timedelta(days=3), 3),
        ("@hourly", timedelta(hours=2), 2),
        ("@weekly", timedelta(days=14), 2),
        ("@monthly", timedelta(days=60), 2),
        ("@yearly", timedelta(days=365), 1),
        ("0 9 * * 1-5", timedelta(days=7), 5),
        ("0 9 * * mon-fri", timedelta(days=7), 5),
        ("0 9 * * MON,WED", timedelta(days=7), 2),
        ("0 0 * * 7", timedelta(days=7), 1),
        ("0 0 1 jan *", timedelta(days=365), 1),
        ("10/20 3 * * *", timedelta(days=1), 3),
        ("0 0-6/2 ? * ?", timedelta(days=1), 4),
        ("0 0 13 * 5", timedelta(days=15), 2),
        ("0 0 13 * *", timedelta(days=8), 1),
        ("0 0 */2 * 6", timedelta(days=7), 4),
        ("0 0 30 2 *", timedelta(days=400), 0),
    ],
)
def test_how_often_it_was_due(text: str, back: timedelta, count: int) -> None:
    assert _due(text, back) == count


def test_the_ends_are_later_than_the_first_and_not_later_than_the_second() -> None:
    schedule = schedules.parse("0 * * * *")
    assert schedule is not None
    assert schedules.due(schedule, NOW - timedelta(hours=1), NOW, 9) == 1
    assert schedules.due(schedule, NOW, NOW + timedelta(minutes=59), 9) == 0
    assert schedules.due(schedule, NOW, NOW - timedelta(hours=1), 9) == 0


def test_no_more_is_counted_than_asked_for_however_long_ago_it_begins() -> None:
    assert _due("* * * * *", timedelta(days=30_000), most=3) == 3
    assert _due("0 0 1 1 *", timedelta(days=20_000), most=9) == 1


def test_a_time_before_there_were_clusters_is_an_odd_one() -> None:
    schedule = schedules.parse("* * * * *")
    assert schedule is not None
    begin = datetime.min.replace(tzinfo=UTC)
    assert schedules.due(schedule, begin, begin, 3) == 0
    assert schedules.due(schedule, begin, NOW, 3) == 3


def test_the_time_zone_counts() -> None:
    assert _due("30 2 * * *", timedelta(hours=1), zone="UTC") == 1
    assert _due("30 3 * * *", timedelta(hours=1), zone="Europe/Berlin") == 1
    assert _due("30 2 * * *", timedelta(hours=1), zone="Europe/Berlin") == 0


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("", None),
        ("* * * *", None),
        ("* * * * * *", None),
        ("60 * * * *", None),
        ("* 24 * * *", None),
        ("* * 0 * *", None),
        ("* * * 13 *", None),
        ("* * * * 8", None),
        ("5-1 * * * *", None),
        ("*/0 * * * *", None),
        ("a * * * *", None),
        ("@every 1h", None),
        ("CRON_TZ=UTC 0 3 * * *", None),
        ("0 3 * * *", "Mars/Olympus"),
        ("0 3 * * *", "../../etc/passwd"),
        ("0 3 * * *", "Europe"),
    ],
)
def test_what_is_no_schedule_is_none(text: str, zone: str | None) -> None:
    assert schedules.parse(text, zone) is None


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="0123456789*/-,? @monjaevry", max_size=40), st.none() | st.text(max_size=12))
def test_nothing_that_is_written_raises(text: str, zone: str | None) -> None:
    schedule = schedules.parse(text, zone)
    assert schedule is None or 0 <= schedules.due(schedule, NOW - timedelta(days=3), NOW, 5) <= 5


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 59), st.integers(0, 23), st.integers(0, 5000), st.integers(0, 5000))
def test_two_spans_that_meet_count_as_one(minute: int, hour: int, first: int, second: int) -> None:
    schedule = schedules.parse(f"{minute} {hour} * * *")
    assert schedule is not None
    middle, begin = NOW - timedelta(minutes=first), NOW - timedelta(minutes=first + second)
    both = schedules.due(schedule, begin, middle, 99) + schedules.due(schedule, middle, NOW, 99)
    assert schedules.due(schedule, begin, NOW, 99) == both


@pytest.mark.parametrize(
    ("text", "back", "latest"),
    [
        ("0 3 * * *", timedelta(days=1), NOW),
        ("30 2 * * *", timedelta(hours=1), NOW - timedelta(minutes=30)),
        ("30 2 * * *", timedelta(minutes=30), None),
        ("0 16 * * fri", timedelta(days=2), NOW - timedelta(hours=11)),
        ("0 0 29 2 *", timedelta(days=400), None),
    ],
)
def test_the_latest_time_it_was_due_is_found_within_its_bounds(
    text: str, back: timedelta, latest: datetime | None
) -> None:
    schedule = schedules.parse(text)
    assert schedule is not None
    assert schedules.latest(schedule, NOW - back, NOW) == latest


def test_a_zone_that_is_not_known_is_utc() -> None:
    assert schedules.zone_of("Europe/Berlin").key == "Europe/Berlin"
    assert schedules.zone_of("Mars/Olympus").key == "UTC"
