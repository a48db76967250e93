"""Whose log is read when, and what a read makes of the usual rate."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from k8s import history, indexing, log_rates, model
from tests.k8s.detectors import builders as b
from tests.k8s.detectors import trends

POD = model.ResourceRef("Pod", "shop", trends.POD, f"uid-{trends.POD}")
NOISE = ("context canceled",)


def at(minutes: float) -> datetime:
    return b.NOW + timedelta(minutes=minutes)


def errors(count: int, text: str = "ERROR no stock for order") -> str:
    return "\n".join(f"{text} {number}" for number in range(count)) + "\nINFO all is well\n"


def read(state: history.Logs | None, minutes: float, text: str) -> history.Logs:
    """The state after a read at that minute, since the one before (or five minutes)."""
    since = at(minutes - 5) if state is None else state.read_at
    listening = log_rates.Listening(trends.PLACE, POD, since)
    return log_rates.heard(state, listening, text, at(minutes), noise=NOISE)


def learnt(count: int = 0) -> history.Logs:
    """Two hours in which each five minutes had so many error lines."""
    state = read(None, -120, errors(count))
    for minutes in range(-115, 0, 5):
        state = read(state, minutes, errors(count))
    return state


def due(known: dict[history.Place, history.Logs], *pods: b.Json, minutes: float = 0, budget: int = 60) -> list[str]:
    seen = dataclasses.replace(b.snapshot(pods=pods), taken_at=at(minutes))
    return [one.pod.name for one in log_rates.due(seen, indexing.Index(seen), known, budget=budget)]


@pytest.mark.parametrize(
    ("usual", "now", "found"), [(0, 4, False), (0, 5, True), (5, 14, False), (5, 20, True), (40, 100, False)]
)
def test_a_rise_is_measured_by_what_is_usual(usual: int, now: int, found: bool) -> None:
    assert (log_rates.excess(read(learnt(usual), 0, errors(now)), at(0)) is not None) is found


def test_an_excess_names_the_lines_that_are_new_and_not_those_that_always_were() -> None:
    text = errors(40) + errors(12, "ERROR payment 17 refused by bank")
    excess = log_rates.excess(read(learnt(40), 0, text), at(0))
    assert excess is not None
    assert (excess.lines, excess.new, excess.example) == (12, True, "ERROR payment 17 refused by bank 11")


def test_nothing_is_above_the_usual_before_it_is_known() -> None:
    state = read(None, 0, errors(100))
    for minutes in range(5, 45, 5):
        assert log_rates.excess(state, at(minutes - 5)) is None
        state = read(state, minutes, errors(100))


def test_known_noise_and_lines_of_lower_levels_count_for_nothing() -> None:
    state = read(learnt(), 0, errors(50, "ERROR Context canceled by peer") + errors(50, "WARN no stock"))
    assert log_rates.excess(state, at(0)) is None
    assert state.templates[log_rates.ALL].recent == 0


def test_an_outage_does_not_become_usual_within_hours_and_a_new_habit_does_within_days() -> None:
    state = learnt()
    found: list[bool] = []
    for minutes in range(0, 4 * 24 * 60, 10):
        state = read(state, minutes, errors(60))
        found.append(log_rates.excess(state, at(minutes)) is not None)
    assert all(found[: 6 * 6])
    assert not found[-1]


def test_a_line_is_redacted_before_it_is_kept() -> None:
    state = read(learnt(), 0, errors(9, "ERROR login with password=hunter2secret failed"))
    kept = " ".join([*state.templates, *(one.line for one in state.templates.values())])
    assert "hunter2secret" not in kept
    assert "password=" in kept


def test_states_are_bounded_whatever_is_logged() -> None:
    state = None
    for minutes in range(0, 100, 5):
        words = [f"ERROR {chr(97 + number % 20) * (7 + minutes)} {'long ' * 100}" for number in range(300)]
        state = read(state, minutes, "\n".join(words))
    assert state is not None
    assert len(state.templates) <= log_rates.TEMPLATES + 1
    assert all(len(text) <= log_rates.TEXT + 2 for text in state.templates)


def test_one_pod_of_a_workload_is_read_and_another_one_the_next_time() -> None:
    pods = [b.pod("web-1"), b.pod("web-2")]
    assert due({}, *pods) == ["web-1"]
    state = dataclasses_reads(1)
    assert due({trends.PLACE: state}, *pods, minutes=5) == ["web-2"]
    assert due({trends.PLACE: state}, *pods, minutes=1) == []


def dataclasses_reads(reads: int) -> history.Logs:
    return history.Logs({}, 0, 5, b.NOW, reads, "web-1", "uid-web-1")


def test_a_pod_that_told_of_an_excess_is_read_again_and_first() -> None:
    told = read(learnt(), 0, errors(50))
    others = [b.pod(f"api-{number}", owner=b.controlled("ReplicaSet", f"api-{number}")) for number in range(3)]
    pods = [*others, b.pod("web-7d9f-aaaaa"), b.pod(trends.POD)]
    assert due({trends.PLACE: told}, *pods, minutes=5, budget=2) == [trends.POD, "api-0"]


def test_pods_that_do_not_run_and_tasks_are_not_read() -> None:
    pods = [
        b.pod("job", owner=b.controlled("Job", "report")),
        b.pod("pending", phase="Pending"),
        b.pod("leaving", deletionTimestamp=b.ago(5)),
        b.pod("crashed", [b.crashed()]),
    ]
    assert due({}, *pods) == []


def test_a_read_goes_back_no_further_than_a_quarter_of_an_hour() -> None:
    seen = dataclasses.replace(b.snapshot(pods=[b.pod("web-1")]), taken_at=at(600))
    for known in ({}, {trends.PLACE: dataclasses_reads(1)}):
        (listening,) = log_rates.due(seen, indexing.Index(seen), known)
        assert listening.since == at(585)


def test_a_sweep_that_did_not_see_all_pods_reads_nothing() -> None:
    seen = dataclasses.replace(b.snapshot(pods=[b.pod("web-1")]), degraded={"pods": "cut short"})
    assert log_rates.due(seen, indexing.Index(seen), {}) == []
