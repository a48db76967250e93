"""Resuming a paused Deployment: what was changed in its template meanwhile rolls out at once.

As `kubectl rollout resume` does it.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pausing-and-resuming-a-deployment
In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets, workloads

_BODY: model.Json = {"spec": {"paused": False}}
_SHOWN = 3
"""Changes of the template that a summary names; the rest is counted."""


class RolloutResume(model.Remedy):
    name = "rollout-resume"
    action = model.RolloutResume
    kinds = ("Deployment",)
    never = "A Deployment that somebody paused on purpose and is still working on."
    check = "rollout"

    def words(self, action: model.RolloutResume) -> tuple[str, ...]:
        return ("rollout", "resume", targets.slashed(action.workload))

    def shaped(self, operation: model.Operation, action: model.RolloutResume) -> bool:
        del action
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _BODY)

    def problems(self, action: model.RolloutResume, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "resumed")
        if found or obj is None:
            return found
        if fields.value(obj, "spec", "paused") is not True:
            return [f"{ref.kind} {ref.short} is not paused."]
        return []

    def plan(self, action: model.RolloutResume, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref = targets.workload_ref(action.workload, obj)
        waiting = max(0, workloads.desired(obj, ref.kind) - _updated(target))
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _BODY),),
            pins={"uid": ref.uid, "template": workloads.template_hash(workloads.template(obj)), "paused": "true"},
            kubectl="",
            summary=_summary(ref, target, waiting),
            blast=targets.blast(
                target, obj, ref.kind, pods=waiting, note=targets.outage(obj, ref.kind) if waiting else ""
            ),
            risk="medium" if waiting else "low",
            inverse=model.RolloutPause(action.workload) if waiting else None,
            irreversible="" if waiting else "Nothing rolls out by it, so that there is nothing to halt again.",
        )

    def applied(self, action: model.RolloutResume, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action
        if target.object is None or {op.target.uid for op in operations} != {fields.uid(target.object)}:
            return False
        return fields.value(target.object, "spec", "paused") is not True


def _updated(target: model.Target) -> int:
    """Pods of the wanted template. The status of a paused Deployment counts those of the template that it had seen."""
    wanted = workloads.template_hash(workloads.template(target.object or {}))
    return sum(
        each.replicas for each in workloads.revisions(target) if workloads.template_hash(each.template) == wanted
    )


def _summary(ref: model.ResourceRef, target: model.Target, waiting: int) -> str:
    start = f"Resumes the rollouts of {ref.kind} {ref.short}"
    if not waiting:
        return f"{start}: all its pods are of the wanted template already, so none is replaced."
    obj, known = target.object or {}, workloads.revisions(target)
    changes = workloads.template_diff(known[-1].template, workloads.template(obj)) if known else ()
    more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    told = f" ({'; '.join(changes[:_SHOWN])}{more})" if changes else ""
    return f"{start}: restarts {targets.counted(waiting)}{told}, {workloads.pace(obj, ref.kind)}."
