"""Deleting one pod that its controller will replace: for a single pod that is stuck while its siblings are well.

An ordinary delete with the pod's grace period, never forced: a forced one may leave two members of a StatefulSet
running (https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/). A delete does not ask
PodDisruptionBudgets, as an eviction would, so a budget without headroom is a problem here. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, members, model, targets, workloads


class DeletePod(model.Remedy):
    name = "delete-pod"
    action = model.DeletePod
    kinds = members.WORKLOADS
    never = "A pod that nothing would put back (static, bare, of a Job), or one whose new copy meets the same cause."
    check = "replaced"
    writes = "delete"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Pod",)

    def fault(self, action: model.DeletePod) -> tuple[str, str] | None:
        return members.fault(action)

    def words(self, action: model.DeletePod) -> tuple[str, ...]:
        return ("delete", targets.slashed(action.pod))

    def shaped(self, operation: model.Operation, action: model.DeletePod) -> bool:
        return operation.verb == "delete" and operation.body is None and operation.target.kind == action.pod.kind

    def needs(self, action: model.DeletePod) -> model.Needs:
        return model.Needs(action.pod, owner=action.workload)

    def problems(self, action: model.DeletePod, target: model.Target) -> Sequence[str]:
        pod = target.object
        found = targets.faults(action.pod, pod, ("Pod",), "deleted to be replaced")
        if found or pod is None:
            return found
        found = members.ownership_faults(action, pod, target)
        if workloads.pod_ready(pod):
            found += [
                f"Pod {action.pod.short} is ready, and PodDisruptionBudget {name} allows no disruption now."
                for name in workloads.tight_budgets(target)
            ]
        return found

    def plan(self, action: model.DeletePod, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        pod = target.object or {}
        ref = targets.workload_ref(action.pod, pod)
        owner = f"{action.workload.kind} {action.workload.short}"
        state = "ready" if workloads.pod_ready(pod) else "not ready"
        return model.Plan(
            action=action,
            operations=(model.Operation("delete", ref),),
            pins=members.pins(ref, pod),
            kubectl="",
            summary=f"Deletes pod {ref.name}, which is {state} now; {owner} puts a new one in its place.",
            blast=targets.blast(
                target, target.owner or {}, action.workload.kind, pods=1, note=members.note(action, pod)
            ),
            risk=members.risk(action, pod),
            inverse=None,
            irreversible=members.LOST,
        )

    def applied(self, action: model.DeletePod, operations: Sequence[model.Operation], target: model.Target) -> bool:
        """Gone, replaced, or on its way out."""
        return members.replaced(action, operations, target) or fields.deleting(target.object)
