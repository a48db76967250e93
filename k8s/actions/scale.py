"""Scaling a workload to a number of replicas, through its scale subresource. In the catalogue.

https://kubernetes.io/docs/tasks/run-application/scale-stateful-set/ and
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#scaling-a-deployment.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets, workloads

KINDS = ("Deployment", "StatefulSet")
_MOST = 2**31 - 1
"""The API's int32."""


class Scale(model.Remedy):
    name = "scale"
    action = model.Scale
    kinds = KINDS
    never = "Stopping a service (0 replicas), or a workload whose replicas a HorizontalPodAutoscaler sets."
    check = "replicas"
    writes = "scale"

    def fault(self, action: model.Scale) -> tuple[str, str] | None:
        if not 0 <= action.replicas <= _MOST:
            return "replicas", f"{action.replicas} is no number of replicas"
        return None

    def words(self, action: model.Scale) -> tuple[str, ...]:
        return ("scale", targets.slashed(action.workload), f"--replicas={action.replicas}")

    def shaped(self, operation: model.Operation, action: model.Scale) -> bool:
        return operation.verb == "scale" and operation.body == {"spec": {"replicas": action.replicas}}

    def overridden(self, action: model.Scale, target: model.Target) -> str:
        replicas = workloads.desired(target.object or {}, action.workload.kind)
        if replicas == action.replicas:
            return ""
        return f"{action.workload.short} was set to {targets.counted(replicas, 'replica')} since."

    def problems(self, action: model.Scale, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, KINDS, "scaled")
        if found or obj is None:
            return found
        current = workloads.desired(obj, ref.kind)
        if action.replicas == current:
            found.append(f"{ref.kind} {ref.short} has {targets.counted(current, 'replica')} already.")
        if action.replicas < 1:
            found.append("Scaling to 0 would stop the service wholly: that is not done from here.")
        for autoscaler in target.autoscalers:
            name = fields.text(autoscaler, "metadata", "name")
            found.append(f"HorizontalPodAutoscaler {name} sets the replicas of {ref.short} and would undo this.")
        if action.replicas < current and _deletes_volumes(obj):
            found.append(f"{ref.kind} {ref.short} deletes the volumes of the replicas that a scale-down removes.")
        return found

    def plan(self, action: model.Scale, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref = targets.workload_ref(action.workload, obj)
        current = workloads.desired(obj, ref.kind)
        inverse = model.Scale(action.workload, current) if current >= 1 else None
        pods = abs(action.replicas - current)
        verb, change = ("up", "adds") if action.replicas > current else ("down", "removes")
        return model.Plan(
            action=action,
            operations=(model.Operation("scale", ref, None, {"spec": {"replicas": action.replicas}}),),
            pins={"uid": ref.uid, "replicas": str(current)},
            kubectl="",
            summary=f"Scales {ref.kind} {ref.short} {verb} from {current} to {action.replicas}: "
            f"{change} {targets.counted(pods)}.",
            blast=targets.blast(target, obj, ref.kind, pods=pods, note=_note(action, current)),
            risk="low" if action.replicas > current else "medium",
            inverse=inverse,
            irreversible="" if inverse else "It has 0 replicas now, and nothing is scaled to 0 from here.",
        )

    def applied(self, action: model.Scale, operations: Sequence[model.Operation], target: model.Target) -> bool:
        same = {op.target.uid for op in operations} == {fields.uid(target.object)}
        return same and fields.number(target.object, "spec", "replicas") == action.replicas


def _deletes_volumes(obj: model.Json) -> bool:
    """https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention"""
    return fields.text(obj, "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled") == "Delete"


def _note(action: model.Scale, current: int) -> str:
    if action.workload.kind == "StatefulSet":
        order = "the highest ordinals go first" if action.replicas < current else "new ordinals start one after another"
        return f"Of a StatefulSet, {order}."
    return ""
