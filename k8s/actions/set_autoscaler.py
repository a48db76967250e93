"""Setting the bounds of a HorizontalPodAutoscaler: how few and how many replicas it may choose.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/. One step goes at most half of what a bound
is up or down (and one replica at least): an autoscaler that needs more than that needs a person who looks at why. In
the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets, workloads

_MOST = 2**31 - 1
"""The API's int32."""


class SetAutoscaler(model.Remedy):
    name = "set-autoscaler"
    action = model.SetAutoscaler
    kinds = ("Deployment", "StatefulSet")
    never = "Stopping a service, or an autoscaler that sees no metrics: it would not move within the new bounds either."
    check = "field"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("HorizontalPodAutoscaler",)

    def fault(self, action: model.SetAutoscaler) -> tuple[str, str] | None:
        if action.autoscaler.kind != "HorizontalPodAutoscaler":
            return "autoscaler.kind", f"{action.autoscaler.kind!r} is not HorizontalPodAutoscaler"
        if action.autoscaler.namespace != action.workload.namespace:
            return "autoscaler.namespace", "is not the workload's namespace"
        if not 1 <= action.least <= _MOST:
            return "least", f"{action.least} is no least number of replicas"
        if not action.least <= action.most <= _MOST:
            return "most", f"{action.most} is no greatest number of replicas beside {action.least}"
        return None

    def words(self, action: model.SetAutoscaler) -> tuple[str, ...]:
        return targets.patched(action.autoscaler, _body(action))

    def shaped(self, operation: model.Operation, action: model.SetAutoscaler) -> bool:
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _body(action))

    def needs(self, action: model.SetAutoscaler) -> model.Needs:
        return model.Needs(action.autoscaler, owner=action.workload, members=False)

    def overridden(self, action: model.SetAutoscaler, target: model.Target) -> str:
        least, most = _bounds(target.object or {})
        if (least, most) == (action.least, action.most):
            return ""
        return f"{action.autoscaler.short} was set to {least} to {most} replicas since."

    def problems(self, action: model.SetAutoscaler, target: model.Target) -> Sequence[str]:
        ref, obj = action.autoscaler, target.object
        found = targets.faults(ref, obj, ("HorizontalPodAutoscaler",), "given other bounds")
        if found or obj is None:
            return found
        if target.owner is None or not workloads.scales(obj, action.workload):
            return [f"{ref.kind} {ref.short} does not scale {action.workload.kind} {action.workload.short}."]
        if action.workload.uid and action.workload.uid != fields.uid(target.owner):
            return [f"{action.workload.kind} {action.workload.short} was created anew since this was worked out."]
        least, most = _bounds(obj)
        if (least, most) == (action.least, action.most):
            return [f"{ref.kind} {ref.short} has {least} to {most} replicas already."]
        for name, old, new in (("least", least, action.least), ("greatest", most, action.most)):
            low, high = min(old - 1, -(-old // 2)), max(old + 1, old * 3 // 2)
            if not max(low, 1) <= new <= high:
                found.append(
                    f"From {old} to {new} the {name} number of replicas changes by more than half in one step."
                )
        return found

    def plan(self, action: model.SetAutoscaler, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj, owner, kind = target.object or {}, target.owner or {}, action.workload.kind
        ref = targets.workload_ref(action.autoscaler, obj)
        (least, most), current = _bounds(obj), workloads.desired(owner, kind)
        pods = abs(min(max(current, action.least), action.most) - current)
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _body(action)),),
            pins={"uid": ref.uid, "least": str(least), "most": str(most)},
            kubectl="",
            summary=f"Lets the autoscaler of {kind} {action.workload.short} choose {action.least} to {action.most} "
            f"replicas instead of {least} to {most}.",
            blast=targets.blast(target, owner, kind, pods=pods, note=_note(action, current)),
            risk="low" if action.least >= least and action.most >= most else "medium",
            inverse=model.SetAutoscaler(action.autoscaler, action.workload, least, most)
            if 1 <= least <= most
            else None,
            irreversible="" if 1 <= least <= most else "Its bounds now are none that are set from here.",
        )

    def applied(self, action: model.SetAutoscaler, operations: Sequence[model.Operation], target: model.Target) -> bool:
        return targets.same_object(operations, target) and _bounds(target.object or {}) == (action.least, action.most)


def _body(action: model.SetAutoscaler) -> model.Json:
    return {"spec": {"minReplicas": action.least, "maxReplicas": action.most}}


def _bounds(obj: model.Json) -> tuple[int, int]:
    """A least number that is left out is 1."""
    least = fields.number(obj, "spec", "minReplicas")
    return 1 if least is None else least, fields.count(obj, "spec", "maxReplicas")


def _note(action: model.SetAutoscaler, current: int) -> str:
    if current < action.least:
        return f"It has {current} now, and goes up to {action.least} at once."
    if current > action.most:
        return f"It has {current} now, and goes down to {action.most} at once."
    return ""
