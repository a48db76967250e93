"""InitFailing: an init container fails, so the pod never starts."""

import pytest

from tests.k8s.detectors import builders as b


def _pod(init: b.Json, **more: object) -> b.Json:
    options: b.Json = {"phase": "Pending", "statuses": [b.waiting("PodInitializing")], "inits": [init]} | more
    return b.pod(**options)


def test_the_finding_says_how_it_ends() -> None:
    finding = b.only("InitFailing", pods=[_pod(b.crashed("migrate", exit_code=2))])
    assert finding.message == (
        "Init container migrate of pod web-7d9f-abcde fails, so the pod does not start: "
        "exit code 2 (Error) after 3 s, 12 restarts."
    )
    assert (finding.cause, finding.container, finding.facts["role"]) == ("migrate exit 2", "migrate", "init")
    assert (finding.severity, finding.since) == ("P2", b.moment(63))


def test_an_init_container_that_crashes_is_not_also_a_crash_loop() -> None:
    assert b.findings("CrashLoopBackOff", pods=[_pod(b.crashed("migrate"))]) == []


@pytest.mark.parametrize(("restarts", "found"), [(0, 0), (1, 1)])
def test_the_second_failing_end_counts_at_once_and_the_first_is_only_tried_again(restarts: int, found: int) -> None:
    init = b.running("migrate", ready=False, restarts=restarts, state=b.ended(1))
    assert len(b.findings("InitFailing", pods=[_pod(init)])) == found


def test_one_that_runs_again_after_two_failures_is_still_failing() -> None:
    init = b.running("migrate", ready=False, started=10, restarts=2, lastState=b.ended(1, started=200, finished=60))
    assert len(b.findings("InitFailing", pods=[_pod(init)])) == 1


def test_one_that_has_ended_well_is_done() -> None:
    assert b.findings("InitFailing", pods=[_pod(b.running("migrate", state=b.ended(0, "Completed")))]) == []


@pytest.mark.parametrize(
    ("end", "found"),
    [(b.ended(1, finished=3600), True), (b.ended(1, finished=3601), False), (b.ended(0), False), ({}, False)],
)
def test_a_pod_that_failed_for_good_is_news_for_an_hour(end: b.Json, found: bool) -> None:
    init = b.running("migrate", ready=False, state=end)
    assert bool(b.findings("InitFailing", pods=[_pod(init, phase="Failed")])) is found
