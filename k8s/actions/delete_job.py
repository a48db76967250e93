"""Deleting a Job that failed, with its pods: so that what it blocks, or what counts it, goes on.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#clean-up-finished-jobs-automatically. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, jobs, members, model, targets


class DeleteJob(model.Remedy):
    name = "delete-job"
    action = model.DeleteJob
    kinds = ("CronJob", "Job")
    never = "A Job that still runs, or one whose logs nobody has read: they go with it."
    check = "gone"
    writes = "delete"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Job",)

    def fault(self, action: model.DeleteJob) -> tuple[str, str] | None:
        return members.job_fault(action)

    def words(self, action: model.DeleteJob) -> tuple[str, ...]:
        return ("delete", targets.slashed(action.job))

    def shaped(self, operation: model.Operation, action: model.DeleteJob) -> bool:
        return operation.verb == "delete" and operation.body is None and operation.target.kind == action.job.kind

    def needs(self, action: model.DeleteJob) -> model.Needs:
        owner = None if action.job == action.workload else action.workload
        return model.Needs(action.job, owner=owner, members=False)

    def problems(self, action: model.DeleteJob, target: model.Target) -> Sequence[str]:
        obj = target.object
        found = targets.faults(action.job, obj, ("Job",), "deleted")
        return found if found or obj is None else members.job_faults(action, obj, target)

    def plan(self, action: model.DeleteJob, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref = targets.workload_ref(action.job, obj)
        failed = fields.count(obj, "status", "failed")
        return model.Plan(
            action=action,
            operations=(model.Operation("delete", ref),),
            pins={"uid": ref.uid, "failed by": jobs.why(obj)},
            kubectl="",
            summary=f"Deletes Job {ref.short}, which failed ({jobs.why(obj)}), with its pods.",
            blast=targets.nothing_touched(f"{targets.counted(failed)} of it failed, and their logs go with it."),
            risk="low",
            inverse=None,
            irreversible="The Job, its pods and their logs are gone.",
        )

    def applied(self, action: model.DeleteJob, operations: Sequence[model.Operation], target: model.Target) -> bool:
        """Gone, on its way out, or another one of its name."""
        obj = target.object
        known = {action.job.uid, *(op.target.uid for op in operations)}
        return obj is None or fields.deleting(obj) or fields.uid(obj) not in known
