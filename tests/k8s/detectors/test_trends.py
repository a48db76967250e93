"""RestartGrowth, MemoryGrowth and LogErrors: what they say, and where they begin to say it."""

from datetime import timedelta

import pytest

from k8s import detection, history, model
from tests.k8s.detectors import builders as b
from tests.k8s.detectors import trends

EVERYTHING = detection.Options(enabled=frozenset(detection.KINDS))


def only(kind: str, seen: model.Snapshot) -> model.Finding:
    found = detection.detect(seen, EVERYTHING)
    assert not found.errors
    (finding,) = [finding for finding in found.findings if finding.kind == kind]
    return finding


def test_a_restart_growth_tells_how_many_and_what_is_usual() -> None:
    finding = only("RestartGrowth", trends.EXAMPLES["RestartGrowth"][0])
    assert finding.message == (
        "Container app of ReplicaSet web-7d9f restarted 3 times within the last hour, most often in pod "
        "web-7d9f-trend; less than one a day is usual."
    )
    assert finding.owner.name == "web-7d9f"
    assert finding.since == b.moment(50 * 60)
    assert finding.facts["recent"] == "3"
    assert finding.facts["exit_code"] == "1"


@pytest.mark.parametrize(("usual", "found"), [(0, True), (40, True), (100, True), (150, False), (300, False)])
def test_growth_is_measured_by_what_is_usual(usual: float, found: bool) -> None:
    state = trends.restarts(55, 45, 35, 25, 15, usual=usual, hours=100)
    seen = trends.remembered(b.snapshot(pods=[trends.restarted()]), state)
    assert ("RestartGrowth" in {one.kind for one in detection.detect(seen).findings}) is found


def test_a_memory_growth_tells_what_is_used_how_fast_it_grows_and_what_is_left() -> None:
    finding = only("MemoryGrowth", trends.EXAMPLES["MemoryGrowth"][0])
    assert finding.message == (
        "Container app of pod web-7d9f-trend uses 400Mi of its memory limit of 512Mi and grows by about 26Mi an hour: "
        "about 4 h are left before it is OOM-killed."
    )
    assert finding.severity == "P3"
    assert finding.facts["measured"] == "4 h"


@pytest.mark.parametrize(
    ("left_hours", "severity", "told"),
    [(3, "P3", "about 3 h are"), (1.1, "P3", "about 60 min are"), (0.7, "P2", "about 45 min are"), (0.1, "P2", "less")],
)
def test_less_than_an_hour_is_a_p2(left_hours: float, severity: str, told: str) -> None:
    per_hour = 0.1
    state = trends.curve(trends.leak(1 - per_hour * left_hours, per_hour), hours=3, until=0)
    finding = only("MemoryGrowth", trends.remembered(b.snapshot(pods=[trends.limited()]), state))
    assert finding.severity == severity
    assert f": {told}" in finding.message


def test_the_words_of_a_growth_hold_still_while_little_changes() -> None:
    messages = {
        only(
            "MemoryGrowth",
            trends.remembered(b.snapshot(pods=[trends.limited()]), trends.curve(trends.leak(0.8 + step / 5000))),
        ).message
        for step in range(5)
    }
    assert len(messages) <= 2


def test_a_log_error_shows_a_line_and_its_cause_does_not_change_with_it() -> None:
    finding = only("LogErrors", trends.EXAMPLES["LogErrors"][0])
    assert finding.message == (
        "Container app of pod web-7d9f-trend logged 30 errors in 5 min, such as "
        '"ERROR could not reserve stock for order 4711: "timeout""; such lines are new.'
    )
    other = trends.logs(2, more_of_another=40)
    assert only("LogErrors", trends.remembered(b.snapshot(pods=[b.pod(trends.POD)]), other)).cause == finding.cause


def test_errors_that_are_never_alike_are_seen_all_together() -> None:
    different = {f"ERROR {letter * 7}": 1 for letter in "ghijklmnopqrstuv"}
    state = trends.logs(1, **different)
    finding = only("LogErrors", trends.remembered(b.snapshot(pods=[b.pod(trends.POD)]), state))
    assert finding.facts["lines"] == "17"


def test_without_a_history_all_three_are_silent_and_their_silence_says_nothing() -> None:
    seen = b.snapshot(pods=[trends.limited(), trends.restarted()])
    assert detection.detect(seen, EVERYTHING).findings == ()
    assert not seen.past.kept
    for kind in trends.EXAMPLES:
        assert "past" in detection.reads(kind)


def test_clocks_that_disagree_harm_nobody() -> None:
    ahead = b.NOW + timedelta(hours=3)
    states: list[history.State] = [
        history.Restarts({}, 0, 0, (history.Restart(ahead, f"uid-{trends.POD}", 9),), ahead),
        history.Memory(0, trends.POD, f"uid-{trends.POD}", (history.Sample(int(ahead.timestamp()), 9.0),) * 30),
        history.Logs({}, 600, 0, ahead, 0, trends.POD, f"uid-{trends.POD}"),
    ]
    found = detection.detect(trends.remembered(b.snapshot(pods=[trends.limited()]), *states), EVERYTHING)
    assert (found.findings, found.errors) == ((), {})
