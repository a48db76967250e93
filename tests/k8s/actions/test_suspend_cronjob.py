"""Suspending a CronJob: one field, and back."""

from k8s import catalogue, model
from tests.k8s import raw
from tests.k8s.actions import examples

ACTION = model.SuspendCronJob(examples.CRON)


def test_it_is_a_patch_of_one_field_and_there_is_a_way_back() -> None:
    target = raw.target(examples.cronjob(suspend=False), of=examples.CRON)
    plan = catalogue.plan(ACTION, target, raw.NOW)
    assert plan.operations == (model.Operation("patch", examples.CRON, "merge", {"spec": {"suspend": True}}),)
    assert (plan.inverse, plan.risk) == (model.ResumeCronJob(examples.CRON), "medium")
    assert plan.kubectl == ("""kubectl -n payments patch cronjob/report --type=merge -p '{"spec":{"suspend":true}}'""")
    assert catalogue.remedy_for(ACTION).overridden(ACTION, target) == "payments/report was resumed since."


def test_what_is_so_already_is_not_done() -> None:
    there = raw.target(examples.cronjob(suspend=True), of=examples.CRON)
    assert catalogue.problems(ACTION, there) == ("CronJob payments/report is suspended already.",)
    assert catalogue.remedy_for(ACTION).overridden(ACTION, there) == ""
    assert catalogue.problems(ACTION, raw.target(None, of=examples.CRON)) == ("CronJob payments/report is gone.",)
