"""The success tests of what is no rollout: gone means gone, and a Job is believed when it says that it is complete."""

from dataclasses import replace
from datetime import timedelta

import pytest

from k8s import checks, model, names
from tests.k8s import raw
from tests.k8s.actions import examples

TIMEOUT = timedelta(minutes=10)


def with_jobs(*jobs: model.Json) -> model.Target:
    return replace(raw.target(examples.cronjob(), of=examples.CRON), extras=jobs)


def made(end: str, *, minutes: float = 0, name: str = "report-manual-1") -> model.Json:
    labels = {names.MADE_FROM: examples.CRON.uid}
    return examples.job(end=end, labels=labels, creationTimestamp=raw.at(minutes), name=name)


@pytest.mark.parametrize(
    ("job", "status", "reason"),
    [
        (made("Complete"), "verified", "Job report-manual-1 is complete."),
        (made("Failed"), "not-verified", "Job report-manual-1 failed: BackoffLimitExceeded."),
        (made(""), "pending", ""),
        (made("Complete", minutes=60), "not-verified", "The Job that was started is gone."),
    ],
)
def test_a_job_says_itself_how_it_ended(job: model.Json, status: str, reason: str) -> None:
    found = checks.job(with_jobs(job), raw.NOW, raw.NOW, TIMEOUT)
    assert (found.status, found.reason) == (status, reason)


def test_the_newest_of_them_is_meant() -> None:
    older = made("Failed", minutes=0.5, name="report-manual-0")
    found = checks.job(with_jobs(made("Complete"), older), raw.NOW, raw.NOW, TIMEOUT)
    assert found.reason == "Job report-manual-1 is complete."


def test_a_job_that_runs_on_is_not_verified_in_the_end() -> None:
    found = checks.job(with_jobs(made("")), raw.NOW, raw.NOW + TIMEOUT, TIMEOUT)
    assert (found.status, found.progress) == ("not-verified", "Job report-manual-1 runs, 3 of its pods failed")
    assert checks.job(with_jobs(), raw.NOW, raw.NOW, TIMEOUT).status == "not-verified"


@pytest.mark.parametrize(
    ("obj", "passed", "status"),
    [
        (None, 0, "verified"),
        (examples.job(uid="job-2"), 0, "verified"),
        (examples.job(), 0, "pending"),
        (examples.job(finalizers=["a.example/x"]), 600, "not-verified"),
    ],
)
def test_gone_is_not_there_or_another_one_of_its_name(obj: model.Json | None, passed: int, status: str) -> None:
    found = checks.gone(examples.JOB, raw.target(obj, of=examples.JOB), timedelta(seconds=passed), TIMEOUT)
    assert found.status == status
    assert ("waiting for a.example/x" in found.reason) == (passed == 600)
