"""One Job of a CronJob now: exactly what its template says, once, and beside nothing that runs."""

import copy
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from k8s import catalogue, guardrails, model, names, policy, scopes
from tests.k8s import raw
from tests.k8s.actions import examples

CRON, JOB = examples.CRON, examples.JOB
RUN, RERUN = model.RunCronJob(CRON), model.RerunJob(JOB, JOB)
STAMP = f"{int(raw.NOW.timestamp()):08x}"


def created(action: model.Action, target: model.Target) -> model.Json:
    (operation,) = catalogue.plan(action, target, raw.NOW).operations
    assert operation.verb == "create"
    assert isinstance(operation.body, dict)
    return operation.body


def test_a_job_is_made_of_the_cronjobs_template_as_kubectl_makes_it() -> None:
    target = examples.EXAMPLES["run-cronjob"].target
    body = created(RUN, target)
    assert target.object is not None
    assert body["spec"] == target.object["spec"]["jobTemplate"]["spec"]
    assert body["metadata"] == {
        "name": f"report-manual-{STAMP}",
        "namespace": "payments",
        "labels": {"app": "report", names.MADE_FROM: CRON.uid},
        "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
        "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": CRON.uid, "controller": True}
        ],
    }
    assert catalogue.plan(RUN, target, raw.NOW).kubectl == (
        f"kubectl -n payments create job report-manual-{STAMP} --from=cronjob/report"
    )


def test_the_same_moment_makes_the_same_job_and_another_one_another() -> None:
    target = examples.EXAMPLES["run-cronjob"].target
    one, other, later = (catalogue.plan(RUN, target, at) for at in (raw.NOW, raw.NOW, raw.NOW + timedelta(seconds=1)))
    assert one == other
    assert one.operations != later.operations


@pytest.mark.parametrize("action", [RUN, RERUN])
def test_a_change_of_what_would_run_moves_a_pin(action: model.Action) -> None:
    target = examples.EXAMPLES[model.name_of(action)].target
    changed = copy.deepcopy(target.object) or {}
    spec = changed["spec"].get("jobTemplate", changed)["spec"]
    spec["template"]["spec"]["containers"][0]["image"] = "other:1"
    before, after = (catalogue.plan(action, each, raw.NOW) for each in (target, replace(target, object=changed)))
    assert before.pins != after.pins


@pytest.mark.parametrize(
    "spoil",
    [
        {"kind": "Pod"},
        {"apiVersion": "v1"},
        {"status": {}},
        {"metadata": {"namespace": "kube-system"}},
        {"metadata": {"name": "other-manual-00000000"}},
        {"metadata": {"name": "report-manual-1"}},
        {"metadata": {"labels": {names.MADE_FROM: "another"}}},
        {"metadata": {"generateName": "x"}},
        {"metadata": {"ownerReferences": [{"kind": "Deployment", "name": "api", "uid": "x"}]}},
        {"spec": {}},
    ],
)
def test_nothing_else_is_created(spoil: model.Json) -> None:
    example = examples.EXAMPLES["run-cronjob"]
    (operation,) = catalogue.plan(RUN, example.target, raw.NOW).operations
    assert isinstance(operation.body, dict)
    metadata = {**operation.body["metadata"], **spoil.get("metadata", {})}
    forged = msgspec.structs.replace(operation, body={**operation.body, **spoil, "metadata": metadata})
    assert scopes.faults(RUN, (operation,), example.target, CRON) == []
    assert scopes.faults(RUN, (forged,), example.target, CRON)


def made(end: str, uid: str = CRON.uid) -> model.Json:
    job = examples.job(end=end, labels={names.MADE_FROM: uid})
    return {**job, "metadata": {**job["metadata"], "name": "report-manual-00000001"}}


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (
            raw.target(examples.cronjob(active=[{"name": "report-29"}]), of=CRON),
            "Job report-29 of payments/report runs",
        ),
        (replace(raw.target(examples.cronjob(), of=CRON), extras=(made(""),)), "Job report-manual-00000001, made of"),
        (raw.target({**examples.cronjob(), "spec": {}}, of=CRON), "has no template"),
        (raw.target(None, of=CRON), "is gone"),
    ],
)
def test_nothing_is_started_beside_what_runs(target: model.Target, why: str) -> None:
    (problem,) = catalogue.problems(RUN, target)
    assert why in problem


@pytest.mark.parametrize("extra", [made("Complete"), made("Failed"), made("", uid="another")])
def test_what_has_ended_or_is_not_ours_does_not_stop_it(extra: model.Json) -> None:
    assert catalogue.problems(RUN, replace(raw.target(examples.cronjob(), of=CRON), extras=(extra,))) == ()


def test_what_it_has_done_is_not_taken_back() -> None:
    plan = catalogue.plan(RUN, examples.EXAMPLES["run-cronjob"].target, raw.NOW)
    assert plan.inverse is None
    assert plan.irreversible == "What a Job has done by the time that it is stopped is done."


def test_one_that_is_suspended_may_be_run_and_stays_so() -> None:
    target = raw.target(examples.cronjob(suspend=True), of=CRON)
    assert catalogue.problems(RUN, target) == ()
    assert catalogue.plan(RUN, target, raw.NOW).blast.note == "It is suspended, and stays so."


@pytest.mark.parametrize("kind", ["CronJob", "Job"])
def test_who_denies_jobs_denies_making_one(kind: str) -> None:
    target = examples.EXAMPLES["run-cronjob"].target
    rule = policy.Rule(effect="deny", name="no jobs", kinds=(kind,))
    verdict = guardrails.judge(
        RUN,
        catalogue.plan(RUN, target, raw.NOW),
        target,
        subject=CRON,
        policy=guardrails.Policy(approvers=("U1",), rulesets=(policy.Ruleset(rules=(rule,)),)),
        history=guardrails.History(),
        mode="approve",
        now=raw.NOW,
    )
    assert verdict.reasons == ("The policy denies this: deny rule no jobs.",)
