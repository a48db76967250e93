"""Running a CronJob now: one Job of its template, beside its schedule.

As `kubectl create job --from=cronjob/x` does it, with the CronJob as its owner, so that it is cleaned up with the
others. The name comes from the time of the proposal: a second try finds that it is there already. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, jobs, model, names, targets

_WORD = "manual"
_MANUAL = "cronjob.kubernetes.io/instantiate"
"""Annotation that kubectl sets, with the value `manual`."""


class RunCronJob(model.Remedy):
    name = "run-cronjob"
    action = model.RunCronJob
    kinds = ("CronJob",)
    never = "Work that must not run twice, or not at this hour: only who knows the job can tell."
    check = "job"
    writes = "create"
    makes = "Job"

    def words(self, action: model.RunCronJob) -> tuple[str, ...]:
        return ("create", "job", names.NEW, f"--from={targets.slashed(action.workload)}")

    def shaped(self, operation: model.Operation, action: model.RunCronJob) -> bool:
        return jobs.shaped(operation, action.workload, _WORD)

    def needs(self, action: model.RunCronJob) -> model.Needs:
        return model.Needs(action.workload, members=False, made=True)

    def problems(self, action: model.RunCronJob, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "run")
        if found or obj is None:
            return found
        if not fields.mapping(_spec(obj), "template"):
            found.append(f"{ref.kind} {ref.short} has no template of a Job.")
        if active := fields.items(obj, "status", "active"):
            found.append(f"Job {fields.text(active[0], 'name')} of {ref.short} runs now: wait until it has ended.")
        elif running := jobs.running(target):
            found.append(f"Job {running[0]}, made of {ref.short} before, runs now: wait until it has ended.")
        return found

    def plan(self, action: model.RunCronJob, target: model.Target, now: datetime) -> model.Plan:
        obj = target.object or {}
        ref = targets.workload_ref(action.workload, obj)
        name, spec = names.made(ref.name, _WORD, now), _spec(obj)
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": ref.name, "uid": ref.uid, "controller": True}
        metadata = {
            "annotations": {_MANUAL: "manual", **fields.texts(obj, "spec", "jobTemplate", "metadata", "annotations")},
            "labels": fields.texts(obj, "spec", "jobTemplate", "metadata", "labels"),
            "ownerReferences": [owner],
        }
        suspended = fields.value(obj, "spec", "suspend") is True
        return model.Plan(
            action=action,
            operations=(model.Operation("create", ref, None, jobs.new(ref, name, spec, metadata)),),
            pins={"uid": ref.uid, "job template": jobs.template_hash(fields.mapping(obj, "spec", "jobTemplate"))},
            kubectl="",
            summary=f"Starts Job {name} of CronJob {ref.short} now.",
            blast=targets.nothing_touched("It is suspended, and stays so." if suspended else ""),
            risk="medium",
            inverse=None,
            irreversible="What a Job has done by the time that it is stopped is done.",
        )

    def applied(self, action: model.RunCronJob, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action
        return targets.same_object(operations, target) and jobs.created(operations, target)


def _spec(obj: model.Json) -> model.Json:
    return fields.mapping(obj, "spec", "jobTemplate", "spec")
