"""Suspending a CronJob: it starts no more Jobs until it is resumed; those that run go on.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-suspension. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets

_BODY: model.Json = {"spec": {"suspend": True}}


class SuspendCronJob(model.Remedy):
    name = "suspend-cronjob"
    action = model.SuspendCronJob
    kinds = ("CronJob",)
    never = "A lasting state: the work that it is for is then not done, and nothing says so."
    check = "field"

    def words(self, action: model.SuspendCronJob) -> tuple[str, ...]:
        return targets.patched(action.workload, _BODY)

    def shaped(self, operation: model.Operation, action: model.SuspendCronJob) -> bool:
        del action
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _BODY)

    def needs(self, action: model.SuspendCronJob) -> model.Needs:
        return model.Needs(action.workload, members=False)

    def overridden(self, action: model.SuspendCronJob, target: model.Target) -> str:
        return "" if _is(target.object) else f"{action.workload.short} was resumed since."

    def problems(self, action: model.SuspendCronJob, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "suspended")
        if found or obj is None:
            return found
        return [f"{ref.kind} {ref.short} is suspended already."] if _is(obj) else []

    def plan(self, action: model.SuspendCronJob, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref = targets.workload_ref(action.workload, obj)
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _BODY),),
            pins={"uid": ref.uid, "suspended": "false", "schedule": fields.text(obj, "spec", "schedule")},
            kubectl="",
            summary=f"Lets CronJob {ref.short} start no more Jobs; those that run go on.",
            blast=targets.nothing_touched("What is due meanwhile is not done."),
            risk="medium",
            inverse=model.ResumeCronJob(action.workload),
        )

    def applied(
        self, action: model.SuspendCronJob, operations: Sequence[model.Operation], target: model.Target
    ) -> bool:
        del action
        return targets.same_object(operations, target) and _is(target.object)


def _is(obj: model.Json | None) -> bool:
    return fields.value(obj, "spec", "suspend") is True
