"""A failed Job once more: a copy that nothing ties to the first, which stays."""

from dataclasses import replace
from typing import Any

import pytest

from k8s import catalogue, model, names
from tests.k8s import raw
from tests.k8s.actions import examples

CRON, JOB = examples.CRON, examples.JOB
RERUN = model.RerunJob(JOB, JOB)
STAMP = f"{int(raw.NOW.timestamp()):08x}"


def created(action: model.Action, target: model.Target) -> model.Json:
    (operation,) = catalogue.plan(action, target, raw.NOW).operations
    assert operation.verb == "create"
    assert isinstance(operation.body, dict)
    return operation.body


def test_the_copy_of_a_failed_job_has_nothing_that_ties_it_to_the_first() -> None:
    body = created(RERUN, examples.EXAMPLES["rerun-job"].target)
    assert body["metadata"]["name"] == f"export-again-{STAMP}"
    assert body["metadata"]["labels"] == {"app": "export", names.MADE_FROM: JOB.uid}
    assert set(body["spec"]) == {"backoffLimit", "template"}
    assert body["spec"]["template"]["metadata"]["labels"] == {"app": "export"}


def test_the_copy_of_a_cronjobs_job_stays_the_cronjobs() -> None:
    target = raw.target(examples.job(owner=CRON), of=JOB, owner=examples.cronjob())
    body = created(model.RerunJob(JOB, CRON), target)
    assert [owner["uid"] for owner in body["metadata"]["ownerReferences"]] == [CRON.uid]


@pytest.mark.parametrize("kind", [model.RerunJob, model.DeleteJob])
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
def test_it_is_for_a_job_that_failed(
    kind: type[model.RerunJob | model.DeleteJob], job: model.Json | None, why: str
) -> None:
    (problem,) = catalogue.problems(kind(JOB, JOB), raw.target(job, of=JOB))
    assert why in problem


def test_a_job_with_a_selector_of_its_own_is_not_copied() -> None:
    job = examples.job()
    job["spec"]["manualSelector"] = True
    (problem,) = catalogue.problems(RERUN, raw.target(job, of=JOB))
    assert "a copy would take its pods" in problem


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"job": {"kind": "Pod", "namespace": "payments", "name": "x"}}, "job.kind"),
        ({"job": {"kind": "Job", "namespace": "other", "name": "x"}}, "job.namespace"),
        ({"workload": {"kind": "Job", "namespace": "payments", "name": "other"}}, "workload.name"),
        ({"workload": {"kind": "Deployment", "namespace": "payments", "name": "x"}}, "workload.kind"),
    ],
)
def test_what_it_names_fits_together(changed: dict[str, Any], field: str) -> None:
    ref = {"kind": "Job", "namespace": "payments", "name": "export"}
    for action in ("delete-job", "rerun-job"):
        with pytest.raises(catalogue.InvalidAction) as caught:
            catalogue.decode({"action": action, "job": ref, "workload": ref, **changed})
        assert caught.value.field == field


def test_it_waits_for_what_runs_and_is_not_taken_back() -> None:
    target = examples.EXAMPLES["rerun-job"].target
    again = examples.job(end="", labels={names.MADE_FROM: JOB.uid}, name="export-again-00000001")
    (problem,) = catalogue.problems(RERUN, replace(target, extras=(again,)))
    assert problem.startswith("Job export-again-00000001, made of payments/export before, runs now")
    owned = raw.target(examples.job(owner=CRON), of=JOB, owner=examples.cronjob(active=[{"name": "report-29"}]))
    (problem,) = catalogue.problems(model.RerunJob(JOB, CRON), owned)
    assert problem.startswith("A Job of payments/report runs now")
    plan = catalogue.plan(RERUN, target, raw.NOW)
    assert (plan.inverse, plan.risk) == (None, "medium")
