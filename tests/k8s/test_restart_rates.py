"""Restarts are counted from sweep to sweep: what is old is no news, and what is usual is learnt."""

import dataclasses
from datetime import timedelta
from typing import Any

from k8s import history, indexing, model, restart_rates
from tests.k8s.detectors import builders as b

START = b.NOW
PLACE = history.Place("ReplicaSet", "shop", "web-7d9f", "uid-web-7d9f", "app")
Known = dict[history.Place, history.Restarts]


def pod(name: str, restarts: int, *, age: float = 86_400, **more: Any) -> b.Json:
    return b.pod(name, [b.running(restarts=restarts, lastState=b.ended())], age=age, **more)


def swept(known: Known, minutes: float, *pods: b.Json, **changes: Any) -> Known:
    """What is known after a sweep so many minutes after the first."""
    seen = dataclasses.replace(b.snapshot(pods=pods), taken_at=START + timedelta(minutes=minutes), **changes)
    return known | restart_rates.observed(seen, indexing.Index(seen), known)


def news(known: Known, minutes: float) -> restart_rates.Growth | None:
    return restart_rates.growth(known[PLACE], START + timedelta(minutes=minutes))


def test_what_happened_before_the_first_sweep_is_no_news_and_makes_the_usual_rate() -> None:
    known = swept({}, 0, pod("a", 48))
    assert news(known, 0) is None
    assert known[PLACE].usual / known[PLACE].hours == 2.0


def test_restarts_between_sweeps_are_news_for_an_hour() -> None:
    known = swept({}, 0, pod("a", 1))
    for minutes in (5, 10, 15):
        known = swept(known, minutes, pod("a", 1 + minutes // 5))
    growth = news(known, 15)
    assert growth is not None
    assert (growth.times, growth.pod, growth.since) == (3, "uid-a", START + timedelta(minutes=5))
    assert news(known, 70) is None


def test_a_new_pod_counts_from_nothing_and_one_that_is_gone_takes_nothing_away() -> None:
    known = swept({}, 0, pod("a", 1))
    known = swept(known, 5, pod("a", 1), pod("b", 3, age=60))
    assert [(one.pod, one.times) for one in known[PLACE].recent] == [("uid-b", 3)]
    known = swept(known, 10, pod("b", 3, age=360))
    assert known[PLACE].counts == {"uid-b": 3}
    assert len(known[PLACE].recent) == 1


def test_after_a_long_pause_restarts_are_not_news_but_count_as_usual() -> None:
    known = swept({}, 0, pod("a", 1))
    before = known[PLACE].usual
    known = swept(known, 600, pod("a", 41))
    assert news(known, 600) is None
    assert known[PLACE].usual > before + 30


def test_what_goes_on_for_days_becomes_usual() -> None:
    known = swept({}, 0, pod("a", 1))
    found = []
    for minutes in range(20, 3 * 24 * 60, 20):
        known = swept(known, minutes, pod("a", 1 + minutes // 20))
        found.append(news(known, minutes) is not None)
    assert any(found[:10])
    assert not found[-1]


def test_nothing_is_stored_where_nothing_happened_until_the_hours_must_count() -> None:
    known = swept({}, 0, pod("a", 1))
    assert swept({}, 0, b.pod("healthy")) == {}
    for minutes, written in ((5, False), (25, False), (31, True)):
        assert (swept(known, minutes, pod("a", 1))[PLACE] is not known[PLACE]) is written


def test_tasks_and_debugging_containers_are_left_out() -> None:
    job = pod("j", 5, owner=b.controlled("Job", "report"))
    assert swept({}, 0, job) == {}
    debugged = b.pod("d", ephemerals=[b.running("debugger", restarts=5)])
    assert swept({}, 0, debugged) == {}


def test_a_sweep_that_did_not_see_all_pods_teaches_nothing() -> None:
    known = swept({}, 0, pod("a", 1))
    assert swept(known, 40, pod("a", 9), degraded={"pods": "cut short"}) == known


def test_a_replica_whose_clock_is_behind_changes_nothing() -> None:
    known = swept({}, 10, pod("a", 5))
    assert swept(known, 5, pod("a", 1)) == known


def test_states_are_bounded_in_pods_and_recent_restarts() -> None:
    many = [pod(f"p{number}", 2) for number in range(150)]
    known = swept({}, 0, *many)
    assert len(known[PLACE].counts) == restart_rates.PODS
    for minutes in range(1, 6):
        known = swept(known, minutes, *[pod(f"p{number}", 2 + minutes) for number in range(150)])
    assert len(known[PLACE].counts) == restart_rates.PODS
    assert len(known[PLACE].recent) == restart_rates.RECENT


def test_of_too_many_workloads_those_known_are_kept() -> None:
    owners = [b.controlled("ReplicaSet", f"r{number}") for number in range(restart_rates.PLACES + 5)]
    pods = [pod(f"p{number}", 1, owner=owner) for number, owner in enumerate(owners)]
    first = swept({}, 0, *pods[-5:])
    both = swept(first, 40, *pods)
    assert len(both) == restart_rates.PLACES
    assert set(first) <= set(both)
    assert isinstance(model.Snapshot("c", b.NOW).past, history.History)
