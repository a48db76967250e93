"""The deletion of a Job that failed, with its pods."""

import pytest

from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

CRON, JOB = examples.CRON, examples.JOB


def test_it_deletes_the_very_job_that_failed() -> None:
    plan = catalogue.plan(model.DeleteJob(JOB, JOB), raw.target(examples.job(), of=JOB), raw.NOW)
    assert plan.operations == (model.Operation("delete", JOB),)
    assert plan.pins == {"uid": "job-1", "failed by": "BackoffLimitExceeded"}
    assert plan.kubectl == "kubectl -n payments delete job/export"
    assert plan.blast.note == "3 pods of it failed, and their logs go with it."
    assert (plan.inverse, plan.irreversible) == (None, "The Job, its pods and their logs are gone.")


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (examples.job(end=""), "has not ended"),
        (examples.job(end="Complete"), "is complete"),
        (examples.job(owner=CRON), "belongs to CronJob report"),
        (examples.job(uid="job-2"), "created anew"),
        (None, "is gone"),
    ],
)
def test_only_what_failed_and_is_nobody_elses_is_deleted(job: model.Json | None, why: str) -> None:
    (problem,) = catalogue.problems(model.DeleteJob(JOB, JOB), raw.target(job, of=JOB))
    assert why in problem


def test_a_job_of_another_cronjob_is_left_alone() -> None:
    other = examples.job(owner=model.ResourceRef("CronJob", "payments", "other", "cron-2"))
    target = raw.target(other, of=JOB, owner=examples.cronjob())
    (problem,) = catalogue.problems(model.DeleteJob(JOB, CRON), target)
    assert problem == "Job payments/export is not a Job of CronJob payments/report."
