"""Cordoning a node: no new pod is scheduled to it; those that run on it go on.

https://kubernetes.io/docs/concepts/nodes/node/#manual-node-administration. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets

_BODY: model.Json = {"spec": {"unschedulable": True}}


class Cordon(model.Remedy):
    name = "cordon"
    action = model.Cordon
    kinds = ("Node",)
    never = "A lack of room: pods that fit nowhere else stay pending, and those of the node are not moved."
    check = "field"

    def words(self, action: model.Cordon) -> tuple[str, ...]:
        return ("cordon", action.workload.name)

    def shaped(self, operation: model.Operation, action: model.Cordon) -> bool:
        del action
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _BODY)

    def needs(self, action: model.Cordon) -> model.Needs:
        return model.Needs(action.workload, members=False)

    def overridden(self, action: model.Cordon, target: model.Target) -> str:
        return "" if _is(target.object) else f"{action.workload.name} was uncordoned since."

    def problems(self, action: model.Cordon, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "cordoned")
        if found or obj is None:
            return found
        return [f"Node {ref.name} is cordoned already."] if _is(obj) else []

    def plan(self, action: model.Cordon, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        ref = targets.workload_ref(action.workload, target.object or {})
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _BODY),),
            pins={"uid": ref.uid, "cordoned": "false"},
            kubectl="",
            summary=f"Cordons node {ref.name}: no new pod is scheduled to it, and those on it go on.",
            blast=targets.nothing_touched("Until it is uncordoned, the cluster has one node less for new pods."),
            risk="medium",
            inverse=model.Uncordon(action.workload),
        )

    def applied(self, action: model.Cordon, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action
        return targets.same_object(operations, target) and _is(target.object)


def _is(obj: model.Json | None) -> bool:
    return fields.value(obj, "spec", "unschedulable") is True
