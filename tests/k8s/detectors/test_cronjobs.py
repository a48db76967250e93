"""CronJobBroken: runs that do not start, and runs that do not succeed any more."""

from typing import Any

import pytest

from tests.k8s.detectors import builders as b

DAY = 86_400


def _run(number: int, ago: float, *, well: bool = False, **more: Any) -> b.Json:
    condition = {"type": "Complete" if well else "Failed", "status": "True", "lastTransitionTime": b.ago(ago)}
    return b.job(f"report-{number}", conditions=[condition], cronjob="report", age=ago + 60, **more)


def _status(*, due: float = 0, success: float | None = None, **more: Any) -> b.Json:
    succeeded = {} if success is None else {"lastSuccessfulTime": b.ago(success)}
    return {"lastScheduleTime": b.ago(due)} | succeeded | more


def _class(cronjob: b.Json, *runs: b.Json, events: list[b.Json] | None = None) -> str:
    found = b.findings("CronJobBroken", cronjobs=[cronjob], jobs=list(runs), events=events or [])
    return found[0].facts["class"] if found else ""


def _told(cronjob: b.Json, reason: str, message: str, **times: Any) -> b.Json:
    return b.event(cronjob, "CronJob", reason, message, **times)


@pytest.mark.parametrize(("success", "found"), [(2 * DAY + 60, ""), (3 * DAY + 60, "failing")])
def test_no_success_for_three_times_that_it_was_due_is_found_by_the_last_run_that_is_kept(
    success: float, found: str
) -> None:
    """The history keeps one failed Job by default. Due at 03:00 every day, and it is 03:00."""
    assert _class(b.cronjob(status=_status(success=success - 120)), _run(1, 0)) == ("" if not found else "failing")


def test_the_sentence_tells_since_when() -> None:
    status = _status(success=4 * DAY)
    finding = b.only("CronJobBroken", cronjobs=[b.cronjob(status=status)], jobs=[_run(1, 30)])
    assert finding.message == ("CronJob report has not succeeded since 2026-03-10 03:00 UTC, and its last run failed.")
    assert (finding.cause, finding.severity, finding.since) == ("failing", "P3", b.moment(30))
    assert finding.owner == finding.resource
    assert (finding.facts["schedule"], finding.facts["failed_kept"]) == ("0 3 * * *", "1")


def test_three_failed_runs_that_are_kept_need_no_schedule() -> None:
    runs = [_run(number, number * 100) for number in (1, 2, 3)]
    odd = b.cronjob(status=_status(), spec={"schedule": "@every 1h"})
    assert _class(odd, *runs) == "never-succeeded"
    assert _class(odd, *runs[:2]) == ""
    assert b.only("CronJobBroken", cronjobs=[odd], jobs=runs).since == b.moment(300)


def test_one_that_never_succeeded_is_told_as_that_with_and_without_kept_runs() -> None:
    cronjob = b.cronjob(status=_status())
    found = b.only("CronJobBroken", cronjobs=[cronjob], jobs=[_run(1, 30)])
    assert found.message == "CronJob report has never succeeded, and its last run failed."
    assert b.only("CronJobBroken", cronjobs=[cronjob]).message == "CronJob report has never succeeded."
    assert _class(b.cronjob(status=_status(), age=2 * DAY)) == ""


@pytest.mark.parametrize(
    ("cronjob", "runs"),
    [
        (b.cronjob(status=_status(), spec={"suspend": True}), [_run(1, 30)]),
        (b.cronjob(status=_status(), deletionTimestamp=b.ago(1)), [_run(1, 30)]),
        (b.cronjob(status=_status(success=20)), [_run(1, 30)]),
        (b.cronjob(status=_status(success=5 * DAY)), [_run(1, 300), _run(2, 30, well=True)]),
        (b.cronjob(status=_status(success=5 * DAY)), []),
        (b.cronjob(status=_status(active=[{"name": "report-9"}])), []),
        (b.cronjob(status=_status()), [b.job("report-1", cronjob="report")]),
        (b.cronjob(status=_status(success=2 * DAY + 60, active=[{"name": "x"}])), [_run(1, 30)]),
        (b.cronjob(status={}), []),
    ],
    ids=[
        "suspended",
        "being deleted",
        "succeeded since",
        "the last run succeeded",
        "no run is kept",
        "its first run goes on",
        "its only run goes on",
        "two failed and one goes on",
        "never due",
    ],
)
def test_what_is_no_failure_is_silent(cronjob: b.Json, runs: list[b.Json]) -> None:
    assert _class(cronjob, *runs) == ""


@pytest.mark.parametrize(
    ("reason", "message", "spec", "kind"),
    [
        ("UnknownTimeZone", 'invalid timeZone: "Mars/Olympus": unknown', {"timeZone": "Mars/Olympus"}, "zone"),
        ("UnparseableSchedule", 'unparseable schedule: "0 3 * *" : expected 5', {"schedule": "0 3 * *"}, "schedule"),
        ("InvalidSchedule", "invalid schedule: 0 0 30 2 * : too far", {"schedule": "0 0 30 2 *"}, "schedule"),
        ("TooManyMissedTimes", "too many missed start times", {}, "missed"),
        ("FailedCreate", "Error creating job: exceeded quota: few", {}, "refused"),
    ],
)
def test_the_controllers_word_is_taken(reason: str, message: str, spec: b.Json, kind: str) -> None:
    cronjob = b.cronjob(spec=spec)
    finding = b.only("CronJobBroken", cronjobs=[cronjob], events=[_told(cronjob, reason, message)])
    assert finding.message.startswith("CronJob report does not start its runs: ")
    assert (finding.cause, finding.facts["class"], finding.facts["said"]) == (kind, kind, message)
    assert finding.facts.get("quota", "") == ("few" if kind == "refused" else "")


def test_a_schedule_or_zone_that_was_corrected_since_is_not_held_against_it() -> None:
    cronjob = b.cronjob(spec={"timeZone": "Europe/Berlin"})
    told = [
        _told(cronjob, "UnknownTimeZone", 'invalid timeZone: "Mars/Olympus": unknown'),
        _told(cronjob, "UnparseableSchedule", 'unparseable schedule: "0 3 * *"'),
    ]
    assert _class(cronjob, events=told) == ""


@pytest.mark.parametrize(("count", "found"), [(2, ""), (3, "missed"), (None, "")])
def test_a_start_may_be_missed_twice(count: int | None, found: str) -> None:
    cronjob = b.cronjob()
    assert _class(cronjob, events=[_told(cronjob, "MissSchedule", "Missed scheduled time", count=count)]) == found


def test_a_run_that_was_made_after_the_warning_ends_it() -> None:
    cronjob = b.cronjob(status=_status(success=100, due=500))
    told = _told(cronjob, "FailedCreate", "Error creating job", lastTimestamp=b.ago(90))
    assert _class(cronjob, events=[told]) == "refused"
    assert _class(cronjob, b.job("report-2", cronjob="report", age=90), events=[told]) == ""
    assert _class(b.cronjob(status=_status(due=90, success=1)), events=[told]) == ""


def test_jobs_of_others_say_nothing() -> None:
    other = _run(1, 30)
    other["metadata"]["namespace"] = "elsewhere"
    assert _class(b.cronjob(status=_status(success=5 * DAY)), other, b.job(conditions=[b.job_failed()])) == ""


def test_a_run_whose_end_has_no_time_is_not_judged() -> None:
    run = _run(1, 30)
    run["status"]["conditions"][0]["lastTransitionTime"] = "soon"
    assert _class(b.cronjob(status=_status(success=5 * DAY)), run) == ""
