"""Evicting one pod that its controller will replace: as a deletion, but the API server asks disruption budgets first.

https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/: where a PodDisruptionBudget allows no disruption
now, the server refuses, already in the dry run, and its own words are told. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, members, model, targets, workloads


class EvictPod(model.Remedy):
    name = "evict-pod"
    action = model.EvictPod
    kinds = members.WORKLOADS
    never = "Getting round a PodDisruptionBudget: where it says no, the answer is to wait or to make the others ready."
    check = "replaced"
    writes = "evict"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Pod",)

    def fault(self, action: model.EvictPod) -> tuple[str, str] | None:
        return members.fault(action)

    def words(self, action: model.EvictPod) -> tuple[str, ...]:
        """kubectl has no command of its own for one eviction; the body is read from its standard input."""
        path = f"/api/v1/namespaces/{action.pod.namespace}/pods/{action.pod.name}/eviction"
        return ("create", "--raw", path, "-f", "-")

    def shaped(self, operation: model.Operation, action: model.EvictPod) -> bool:
        return operation.verb == "evict" and operation.body is None and operation.target.kind == action.pod.kind

    def needs(self, action: model.EvictPod) -> model.Needs:
        return model.Needs(action.pod, owner=action.workload)

    def problems(self, action: model.EvictPod, target: model.Target) -> Sequence[str]:
        pod = target.object
        found = targets.faults(action.pod, pod, ("Pod",), "evicted")
        if found or pod is None:
            return found
        found = members.ownership_faults(action, pod, target)
        if len(target.budgets) > 1:
            names = ", ".join(fields.text(budget, "metadata", "name") for budget in target.budgets)
            found.append(f"Pod {action.pod.short} has more than one PodDisruptionBudget ({names}): none is evicted so.")
        return found

    def plan(self, action: model.EvictPod, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        pod = target.object or {}
        ref = targets.workload_ref(action.pod, pod)
        state = "ready" if workloads.pod_ready(pod) else "not ready"
        return model.Plan(
            action=action,
            operations=(model.Operation("evict", ref),),
            pins=members.pins(ref, pod),
            kubectl="",
            summary=f"Evicts pod {ref.name}, which is {state} now, as far as its disruption budget allows; "
            f"{action.workload.kind} {action.workload.short} puts a new one in its place.",
            blast=targets.blast(
                target, target.owner or {}, action.workload.kind, pods=1, note=members.note(action, pod)
            ),
            risk=members.risk(action, pod),
            inverse=None,
            irreversible=members.LOST,
        )

    def applied(self, action: model.EvictPod, operations: Sequence[model.Operation], target: model.Target) -> bool:
        """Gone, replaced, or on its way out."""
        return members.replaced(action, operations, target) or fields.deleting(target.object)
