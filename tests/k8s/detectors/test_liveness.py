"""LivenessRestarts: the probe that has a container killed, told from what ends by itself."""

from typing import Any

import pytest

from k8s import detection
from tests.k8s.detectors import builders as b

ANSWER = 'Get "http://10.0.0.1:8080/healthz": context deadline exceeded'


def _pod(status: b.Json, **probes: Any) -> b.Json:
    return b.pod(statuses=[status], spec={"containers": [{"name": "app", "image": "app:1"} | probes]})


def _told(pod: b.Json, message: str = f"Liveness probe failed: {ANSWER}", *, count: int = 6, **times: Any) -> b.Json:
    return b.event(pod, "Pod", "Unhealthy", message, container="app", **({"count": count} | times))


def _killed(exit_code: int = 137, *, restarts: int = 4, **end: Any) -> b.Json:
    return b.waiting("CrashLoopBackOff", restarts=restarts, lastState=b.ended(exit_code, **end))


def _found(status: b.Json, **told: Any) -> bool:
    pod = _pod(status)
    return bool(b.findings("LivenessRestarts", pods=[pod], events=[_told(pod, **told)]))


@pytest.mark.parametrize("probe", ["liveness", "startup"])
def test_the_probe_and_its_answer_are_told_and_it_is_the_cause_before_the_crash_loop(probe: str) -> None:
    pod = _pod(_killed())
    events = [_told(pod, f"{probe.title()} probe failed: {ANSWER}")]
    (problem,) = detection.detect(b.snapshot(pods=[pod], events=events)).problems
    assert problem.kinds == ("LivenessRestarts", "CrashLoopBackOff")
    finding = problem.primary
    assert finding.message == (
        "Container app of pod web-7d9f-abcde is killed by the kubelet again and again (4 restarts): "
        f'its {probe} probe fails with "{ANSWER}".'
    )
    assert (finding.cause, finding.since, finding.severity) == (f"app {probe} probe", b.moment(600), "P2")
    assert (finding.facts["probe"], finding.facts["answer"], finding.facts["failures"]) == (probe, ANSWER, "6")


@pytest.mark.parametrize("exit_code", [0, 137, 143])
def test_what_ends_as_the_killed_do_was_killed_even_where_the_events_lag(exit_code: int) -> None:
    assert _found(_killed(exit_code), lastTimestamp=b.ago(500))


@pytest.mark.parametrize(("last", "found"), [(59, False), (60, True), (150, True), (151, False)])
def test_what_ends_with_a_code_of_its_own_was_killed_only_just_after_the_probe_failed(last: float, found: bool) -> None:
    assert _found(_killed(1), lastTimestamp=b.ago(last)) is found


def test_what_ended_before_its_probe_ever_failed_was_not_killed_by_it() -> None:
    assert not _found(_killed(), firstTimestamp=b.ago(59), lastTimestamp=b.ago(10))
    assert _found(_killed(), firstTimestamp=b.ago(60), lastTimestamp=b.ago(10))


@pytest.mark.parametrize(("restarts", "failures", "found"), [(1, 2, False), (1, 3, True), (4, 5, False), (4, 6, True)])
def test_it_takes_as_many_failures_as_the_probe_kills_for(restarts: int, failures: int, found: bool) -> None:
    assert _found(_killed(restarts=restarts), count=failures) is found


def test_the_threshold_of_the_probe_that_fails_counts() -> None:
    pod = _pod(_killed(restarts=1), livenessProbe={"failureThreshold": 1}, startupProbe={"failureThreshold": 30})
    assert b.findings("LivenessRestarts", pods=[pod], events=[_told(pod, count=1)])
    told = _told(pod, "Startup probe failed: no", count=29)
    assert not b.findings("LivenessRestarts", pods=[pod], events=[told])


def test_failures_with_changing_answers_add_up_and_the_newest_speaks() -> None:
    pod = _pod(_killed())
    told = [
        _told(pod, "Liveness probe failed: new", count=3, lastTimestamp=b.ago(62)),
        _told(pod, "Liveness probe errored: old", count=3, lastTimestamp=b.ago(300), firstTimestamp=b.ago(900)),
        _told(pod, "Readiness probe failed: other", count=90, lastTimestamp=b.ago(1)),
    ]
    finding = b.only("LivenessRestarts", pods=[pod], events=told)
    assert (finding.facts["answer"], finding.facts["failures"], finding.since) == ("new", "6", b.moment(900))


@pytest.mark.parametrize(("started", "found"), [(3600, True), (3601, False)])
def test_one_that_runs_again_is_news_while_two_restarts_lie_within_the_hour(started: float, found: bool) -> None:
    status = b.running(restarts=2, lastState=b.ended(137, started=started, finished=60))
    assert _found(status) is found


def test_a_single_restart_that_helped_is_silent() -> None:
    assert not _found(b.running(restarts=1, lastState=b.ended(137)))


def test_the_memory_limit_kills_by_itself() -> None:
    assert not _found(_killed() | {"lastState": b.ended(137, "OOMKilled")})


@pytest.mark.parametrize(
    "odd", [{"count": None}, {"count": -3}, {"message": None}, {"series": {"count": 6}, "count": None}]
)
def test_odd_events_break_nothing(odd: b.Json) -> None:
    pod = _pod(_killed(restarts=1))
    found = detection.detect(b.snapshot(pods=[pod], events=[_told(pod) | odd]))
    assert not found.errors
    assert ("LivenessRestarts" in {finding.kind for finding in found.findings}) is ("series" in odd)


def test_an_end_without_a_time_is_judged_by_its_code() -> None:
    unknown = {"terminated": {"exitCode": 137, "startedAt": b.ago(63)}}
    assert _found(_killed() | {"lastState": unknown})
    assert not _found(_killed() | {"lastState": {"terminated": {"exitCode": 1}}})
    assert not _found(_killed() | {"lastState": {}})


def test_a_debugging_container_has_no_probes() -> None:
    pod = b.pod(ephemerals=[_killed() | {"name": "debug"}])
    told = b.event(pod, "Pod", "Unhealthy", "Liveness probe failed: no", container="debug", count=9)
    assert b.findings("LivenessRestarts", pods=[pod], events=[told]) == []
