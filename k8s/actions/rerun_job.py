"""Running a failed Job once more: a new Job that is like it, under a name of its own. The failed one stays.

A Job that has ended cannot be started again, and most of it cannot be changed
(https://kubernetes.io/docs/concepts/workloads/controllers/job/), so what people do is to create it anew without the
selector and the labels that the server gave it. The name comes from the time of the proposal: a second try finds that
it is there already. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, jobs, members, model, names, targets

_WORD = "again"


class RerunJob(model.Remedy):
    name = "rerun-job"
    action = model.RerunJob
    kinds = ("CronJob", "Job")
    never = "Work that must not be done twice, or a failure whose cause is still there."
    check = "job"
    writes = "create"
    makes = "Job"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Job",)

    def fault(self, action: model.RerunJob) -> tuple[str, str] | None:
        return members.job_fault(action)

    def words(self, action: model.RerunJob) -> tuple[str, ...]:
        """kubectl has no command for it: what is created is the manifest of the failed Job under another name."""
        del action
        return ("create", "-f", f"{names.NEW}.json")

    def shaped(self, operation: model.Operation, action: model.RerunJob) -> bool:
        return jobs.shaped(operation, action.job, _WORD)

    def needs(self, action: model.RerunJob) -> model.Needs:
        owner = None if action.job == action.workload else action.workload
        return model.Needs(action.job, owner=owner, members=False, made=True)

    def problems(self, action: model.RerunJob, target: model.Target) -> Sequence[str]:
        ref, obj = action.job, target.object
        found = targets.faults(ref, obj, ("Job",), "run again")
        if found or obj is None:
            return found
        found = members.job_faults(action, obj, target)
        if fields.value(obj, "spec", "manualSelector") is True:
            found.append(f"Job {ref.short} has a selector of its own: a copy would take its pods.")
        if running := jobs.running(target):
            found.append(f"Job {running[0]}, made of {ref.short} before, runs now: wait until it has ended.")
        elif fields.items(target.owner, "status", "active"):
            found.append(f"A Job of {action.workload.short} runs now: wait until it has ended.")
        return found

    def plan(self, action: model.RerunJob, target: model.Target, now: datetime) -> model.Plan:
        obj = target.object or {}
        ref = targets.workload_ref(action.job, obj)
        name, spec = names.made(ref.name, _WORD, now), _spec(obj)
        metadata = {
            "labels": fields.labels(obj),
            "ownerReferences": [
                owner for owner in fields.items(obj, "metadata", "ownerReferences") if owner.get("kind") == "CronJob"
            ],
        }
        return model.Plan(
            action=action,
            operations=(model.Operation("create", ref, None, jobs.new(ref, name, spec, metadata)),),
            pins={"uid": ref.uid, "failed by": jobs.why(obj), "job": jobs.template_hash(spec)},
            kubectl="",
            summary=f"Starts Job {name}, which is like Job {ref.short} that failed.",
            blast=targets.nothing_touched("The failed Job stays, with what it says."),
            risk="medium",
            inverse=None,
            irreversible="What a Job has done by the time that it is stopped is done.",
        )

    def applied(self, action: model.RerunJob, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action
        return targets.same_object(operations, target) and jobs.created(operations, target)


def _spec(obj: model.Json) -> model.Json:
    """Without the selector and the labels that the server gave this one, and not suspended."""
    kept = {key: value for key, value in fields.mapping(obj, "spec").items() if key not in ("selector", "suspend")}
    return {**kept, "template": jobs.bare(fields.mapping(obj, "spec", "template"))}
