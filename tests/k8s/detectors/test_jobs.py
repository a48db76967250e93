"""JobFailed: a Job that has given up, and a CronJob whose last word was a failure."""

import pytest

from k8s import model, names
from tests.k8s.detectors import builders as b


def _cronjob(last_success: str | None) -> b.Json:
    return {
        "metadata": b.meta("report"),
        "spec": {"schedule": "0 3 * * *"},
        "status": {"lastSuccessfulTime": last_success},
    }


def test_the_finding_says_why_and_how_the_last_pod_ended() -> None:
    owner = b.controlled("Job", "report-1")
    earlier = b.running(ready=False, state=b.ended(1, finished=900))
    last = b.running(ready=False, state=b.ended(3, finished=400))
    pods = [
        b.pod("report-1-a", [earlier], owner=owner, phase="Failed"),
        b.pod("report-1-b", [last], owner=owner, phase="Failed"),
        b.pod("report-1-c", owner=owner),
    ]
    finding = b.only("JobFailed", jobs=[b.job(conditions=[b.job_failed()])], pods=pods)
    assert finding.message == (
        "Job report-1 failed: its pods failed more often than its backoff limit allows; "
        "its last pod ended with exit code 3."
    )
    assert (finding.cause, finding.since, finding.severity) == ("BackoffLimitExceeded", b.moment(300), "P2")
    assert finding.facts == {
        "reason": "BackoffLimitExceeded",
        "failed": "4",
        "exit_code": "3",
        "end_reason": "Error",
    }


@pytest.mark.parametrize("reason", ["DeadlineExceeded", "PodFailurePolicy", "FailedIndexes", "SomethingNew", None])
def test_every_reason_is_found_without_pods_too(reason: str | None) -> None:
    finding = b.only("JobFailed", jobs=[b.job(conditions=[b.job_failed() | {"reason": reason}])])
    assert finding.cause == (reason or "Failed")
    assert finding.message.startswith("Job report-1 failed: ")


@pytest.mark.parametrize(
    "job",
    [
        b.job(conditions=[b.job_failed() | {"status": "False"}]),
        b.job(conditions=[{"type": "Complete", "status": "True"}]),
        b.job(conditions=[b.job_failed()], deletionTimestamp=b.ago(1)),
    ],
    ids=["not failed", "complete", "being deleted"],
)
def test_a_job_that_has_not_given_up_is_silent(job: b.Json) -> None:
    assert b.findings("JobFailed", jobs=[job]) == []


@pytest.mark.parametrize(
    ("last_success", "found"), [(b.ago(299), False), (b.ago(300), False), (b.ago(301), True), (None, True)]
)
def test_a_later_success_of_the_cron_job_ends_it(last_success: str | None, found: bool) -> None:
    jobs = [b.job(conditions=[b.job_failed()], cronjob="report")]
    findings = b.findings("JobFailed", jobs=jobs, cronjobs=[_cronjob(last_success)])
    assert bool(findings) is found


def test_it_folds_into_the_cron_job_even_where_that_was_not_seen() -> None:
    finding = b.only("JobFailed", jobs=[b.job(conditions=[b.job_failed()], cronjob="report")])
    assert finding.owner == model.ResourceRef("CronJob", "shop", "report", "uid-report")


@pytest.mark.parametrize(
    ("made_from", "done", "found"),
    [("report-1", 100, 0), ("report-1", 900, 1), ("another", 100, 1)],
    ids=["after it failed", "before it failed", "of another Job"],
)
def test_a_job_that_was_run_again_with_success_is_over(made_from: str, done: int, found: int) -> None:
    failed = b.job(conditions=[b.job_failed()])
    complete = {"type": "Complete", "status": "True", "lastTransitionTime": b.ago(done)}
    uid = failed["metadata"]["uid"] if made_from == "report-1" else "another"
    again = b.job("report-1-again", conditions=[complete], labels={names.MADE_FROM: uid})
    assert len(b.findings("JobFailed", jobs=[failed, again])) == found
