"""Draining a node: it takes no new pods, and the pods that are named are evicted, as far as their budgets allow.

https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/. In steps (`k8s.stepping`). In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType

from k8s import drains, fields, model, targets

_BODY: model.Json = {"spec": {"unschedulable": True}}
_STAYS = "The node was cordoned before and stays so; pods that were moved do not move back by themselves."


class Drain(model.Remedy):
    name = "drain"
    action = model.Drain
    kinds = ("Node",)
    never = "A node whose pods have nowhere else to go, or one that is only slow: everything on it is started anew."
    check = "drained"
    steps = True
    also = (("evict", "Pod"),)
    lists = MappingProxyType({"pods": ("Pod",), "owners": drains.OWNERS})

    def fault(self, action: model.Drain) -> tuple[str, str] | None:
        return drains.fault(action)

    def words(self, action: model.Drain) -> tuple[str, ...]:
        """What a person would type; it evicts all that is there by then, and ours the named pods alone."""
        return ("drain", action.workload.name, "--ignore-daemonsets", "--delete-emptydir-data")

    def shaped(self, operation: model.Operation, action: model.Drain) -> bool:
        if operation.target.kind == "Node":
            return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _BODY)
        return operation == model.Operation("evict", operation.target) and operation.target in action.pods

    def needs(self, action: model.Drain) -> model.Needs:
        spaces = tuple(sorted({pod.namespace for pod in action.pods}))
        return model.Needs(action.workload, members=False, extras=action.owners, on_node=spaces)

    def overridden(self, action: model.Drain, target: model.Target) -> str:
        return "" if drains.cordoned(target.object) else f"{action.workload.name} was uncordoned since."

    def problems(self, action: model.Drain, target: model.Target) -> Sequence[str]:
        node = target.object
        found = targets.faults(action.workload, node, self.kinds, "drained")
        return found if found or node is None else drains.problems(action, node, target)

    def plan(self, action: model.Drain, target: model.Target, now: datetime) -> model.Plan:
        """All pods that are named are in it, those that ended meanwhile too: what was approved stays what it was."""
        del now  # nothing that is written carries the time
        ref = targets.workload_ref(action.workload, target.object or {})
        before = drains.cordoned(target.object)
        cordon = () if before else (model.Operation("patch", ref, "merge", _BODY),)
        first = "" if before else "Cordons it, then "
        evicts = f"{first}evicts {targets.counted(len(action.pods))}"
        return model.Plan(
            action=action,
            operations=(*cordon, *(model.Operation("evict", pod) for pod in action.pods)),
            pins={"uid": ref.uid, "cordoned": "true" if before else "false"},
            kubectl="",
            summary=f"Drains node {ref.name}. {evicts[:1].upper()}{evicts[1:]} one by one, as their disruption budgets "
            "allow; pods that come later are left alone.",
            blast=drains.blast(action, target),
            risk="high",
            inverse=None if before else model.Uncordon(action.workload),
            irreversible=_STAYS if before else "",
        )

    def applied(self, action: model.Drain, operations: Sequence[model.Operation], target: model.Target) -> bool:
        node = target.object
        same = fields.uid(node) in {action.workload.uid, *(op.target.uid for op in operations)} - {""}
        return same and drains.cordoned(node) and not drains.remaining(action, target.pods)

    def halfway(
        self, action: model.Drain, operations: Sequence[model.Operation], target: model.Target
    ) -> model.Halfway | None:
        return drains.halfway(action, operations, target)
