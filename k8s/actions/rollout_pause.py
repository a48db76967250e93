"""Pausing a rollout: a Deployment that is replacing its pods halts where it is.

As `kubectl rollout pause` does it. While paused, no change of the template reaches a pod; what runs goes on running and
a pod that goes is replaced by one of its own revision.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pausing-and-resuming-a-deployment
In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets, workloads

_BODY: model.Json = {"spec": {"paused": True}}


class RolloutPause(model.Remedy):
    name = "rollout-pause"
    action = model.RolloutPause
    kinds = ("Deployment",)
    never = "A lasting state: a paused Deployment takes no fix either, until somebody resumes it."
    check = "field"

    def words(self, action: model.RolloutPause) -> tuple[str, ...]:
        return ("rollout", "pause", targets.slashed(action.workload))

    def shaped(self, operation: model.Operation, action: model.RolloutPause) -> bool:
        del action
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _BODY)

    def overridden(self, action: model.RolloutPause, target: model.Target) -> str:
        paused = fields.value(target.object, "spec", "paused") is True
        return "" if paused else f"{action.workload.short} was resumed since."

    def problems(self, action: model.RolloutPause, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "paused")
        if found or obj is None:
            return found
        if fields.value(obj, "spec", "paused") is True:
            return [f"{ref.kind} {ref.short} is paused already."]
        if not _rolling(obj):
            return [f"{ref.kind} {ref.short} is not rolling out: there is nothing to pause."]
        return []

    def plan(self, action: model.RolloutPause, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref = targets.workload_ref(action.workload, obj)
        updated, wanted = fields.count(obj, "status", "updatedReplicas"), workloads.desired(obj, ref.kind)
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _BODY),),
            pins={"uid": ref.uid, "template": workloads.template_hash(workloads.template(obj)), "paused": "false"},
            kubectl="",
            summary=f"Halts the rollout of {ref.kind} {ref.short} with {updated} of {wanted} pods updated.",
            blast=targets.blast(
                target, obj, ref.kind, pods=0, note="Until it is resumed, no change of its template reaches a pod."
            ),
            risk="low",
            inverse=model.RolloutResume(action.workload),
        )

    def applied(self, action: model.RolloutPause, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action
        same = {op.target.uid for op in operations} == {fields.uid(target.object)}
        return same and fields.value(target.object, "spec", "paused") is True


def _rolling(obj: model.Json) -> bool:
    """Whether pods of another template than the wanted one are still there. Where none is, nothing is left to halt."""
    status = fields.mapping(obj, "status")
    wanted = workloads.desired(obj, "Deployment")
    return (
        fields.count(status, "observedGeneration") < fields.count(obj, "metadata", "generation")
        or fields.count(status, "updatedReplicas") < wanted
        or fields.count(status, "replicas") > fields.count(status, "updatedReplicas")
    )
