"""When a cron expression fires, on the days on which clocks are put forward and back too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import ticks

BERLIN = "Europe/Berlin"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def _fires(expression: str, zone: str, start: datetime, times: int) -> Sequence[str]:
    """Day and time in UTC of so many ticks in a row."""
    found = []
    for _ in range(times):
        tick = ticks.following(expression, zone, start)
        assert tick is not None
        start = tick.astimezone(UTC)
        found.append(f"{start:%d %H:%M}")
    return found


def test_a_watch_of_every_half_hour_misses_none_when_clocks_are_put_back() -> None:
    start = datetime(2026, 10, 24, 23, 40, tzinfo=UTC)
    assert _fires("*/30 * * * *", BERLIN, start, 6) == [
        "25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00", "25 02:30",
    ]  # fmt: skip


def test_a_watch_of_every_half_hour_misses_none_when_clocks_are_put_forward() -> None:
    start = datetime(2026, 3, 29, 0, 10, tzinfo=UTC)
    assert _fires("*/30 * * * *", BERLIN, start, 4) == ["29 00:30", "29 01:00", "29 01:30", "29 02:00"]


def test_a_report_at_nine_is_at_nine_before_and_after() -> None:
    assert _fires("0 9 * * *", BERLIN, datetime(2026, 10, 24, tzinfo=UTC), 3) == ["24 07:00", "25 08:00", "26 08:00"]
    assert _fires("0 9 * * *", BERLIN, datetime(2026, 3, 28, tzinfo=UTC), 3) == ["28 08:00", "29 07:00", "30 07:00"]


def test_a_time_that_the_day_leaves_out_still_fires_once() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert _fires("30 2 * * *", BERLIN, start, 3) == ["29 01:30", "30 00:30", "31 00:30"]


@given(
    st.integers(0, 2 * 365 * 24 * 60 * 60).map(lambda second: NEW_YEAR + timedelta(seconds=second)),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.sampled_from(["* * * * *", "*/2 * * * *", "*/15 * * * *", "0 * * * *"]),
)
@settings(max_examples=60, deadline=None)
def test_the_next_tick_is_later_never_far_and_on_a_whole_minute(now: datetime, zone: str, expression: str) -> None:
    tick = ticks.following(expression, zone, now)
    assert tick is not None
    at = tick.astimezone(UTC)
    assert now < at <= now + timedelta(hours=1, minutes=31)
    assert ticks.slot(at) == at


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("61 * * * *", "UTC"),
        ("* * *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("* * * * *", "Mars/Olympus"),
        ("* * * * *", "America"),
    ],
)
def test_what_never_fires_has_no_next_time(expression: str, zone: str) -> None:
    """A zone that is a folder of the zone database, too: that is not what a bad name raises."""
    assert ticks.following(expression, zone, datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "../etc/passwd", ""])
def test_a_zone_that_is_not_there_is_a_bad_value(zone: str) -> None:
    with pytest.raises(ValueError):
        ticks.trigger("* * * * *", zone)


def test_a_slot_is_the_minute_of_a_moment() -> None:
    assert ticks.slot(datetime(2026, 1, 1, 3, 4, 59, 999, UTC)) == datetime(2026, 1, 1, 3, 4, tzinfo=UTC)
