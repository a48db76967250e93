"""Resuming a suspended CronJob: it starts Jobs by its schedule again.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-suspension. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets

_BODY: model.Json = {"spec": {"suspend": False}}


class ResumeCronJob(model.Remedy):
    name = "resume-cronjob"
    action = model.ResumeCronJob
    kinds = ("CronJob",)
    never = "A CronJob that somebody suspended on purpose and is still working on."
    check = "field"

    def words(self, action: model.ResumeCronJob) -> tuple[str, ...]:
        return targets.patched(action.workload, _BODY)

    def shaped(self, operation: model.Operation, action: model.ResumeCronJob) -> bool:
        del action
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _BODY)

    def needs(self, action: model.ResumeCronJob) -> model.Needs:
        return model.Needs(action.workload, members=False)

    def overridden(self, action: model.ResumeCronJob, target: model.Target) -> str:
        return "" if _is(target.object) else f"{action.workload.short} was suspended since."

    def problems(self, action: model.ResumeCronJob, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "resumed")
        if found or obj is None:
            return found
        return [f"{ref.kind} {ref.short} is not suspended."] if _is(obj) else []

    def plan(self, action: model.ResumeCronJob, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref = targets.workload_ref(action.workload, obj)
        schedule = fields.text(obj, "spec", "schedule") or "(none)"
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _BODY),),
            pins={"uid": ref.uid, "suspended": "true", "schedule": fields.text(obj, "spec", "schedule")},
            kubectl="",
            summary=f"Lets CronJob {ref.short} start Jobs again, by its schedule {schedule}.",
            blast=targets.nothing_touched(
                "Where a run was missed within its startingDeadlineSeconds, one Job starts at once."
            ),
            risk="medium",
            inverse=model.SuspendCronJob(action.workload),
        )

    def applied(self, action: model.ResumeCronJob, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action
        return targets.same_object(operations, target) and _is(target.object)


def _is(obj: model.Json | None) -> bool:
    return fields.value(obj, "spec", "suspend") is not True
