"""Uncordoning a node: pods may be scheduled to it again.

https://kubernetes.io/docs/concepts/nodes/node/#manual-node-administration. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets

_BODY: model.Json = {"spec": {"unschedulable": False}}


class Uncordon(model.Remedy):
    name = "uncordon"
    action = model.Uncordon
    kinds = ("Node",)
    never = "A node that somebody took out on purpose and is still working on."
    check = "field"

    def words(self, action: model.Uncordon) -> tuple[str, ...]:
        return ("uncordon", action.workload.name)

    def shaped(self, operation: model.Operation, action: model.Uncordon) -> bool:
        del action
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _BODY)

    def needs(self, action: model.Uncordon) -> model.Needs:
        return model.Needs(action.workload, members=False)

    def overridden(self, action: model.Uncordon, target: model.Target) -> str:
        return "" if _is(target.object) else f"{action.workload.name} was cordoned since."

    def problems(self, action: model.Uncordon, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "uncordoned")
        if found or obj is None:
            return found
        return [f"Node {ref.name} is not cordoned."] if _is(obj) else []

    def plan(self, action: model.Uncordon, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref, ready = targets.workload_ref(action.workload, obj), _ready(obj)
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _BODY),),
            pins={"uid": ref.uid, "cordoned": "true"},
            kubectl="",
            summary=f"Uncordons node {ref.name}: pods are scheduled to it again.",
            blast=targets.nothing_touched("" if ready else "The node is not ready now."),
            risk="medium",
            inverse=model.Cordon(action.workload),
        )

    def applied(self, action: model.Uncordon, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action
        return targets.same_object(operations, target) and _is(target.object)


def _is(obj: model.Json | None) -> bool:
    return obj is not None and fields.value(obj, "spec", "unschedulable") is not True


def _ready(obj: model.Json) -> bool:
    return fields.text(fields.condition(obj, "Ready"), "status") == "True"
