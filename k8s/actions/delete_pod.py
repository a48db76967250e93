"""Deleting one pod that its controller will replace: for a single pod that is stuck while its siblings are well.

An ordinary delete with the pod's grace period, never forced: a forced one may leave two members of a StatefulSet
running (https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/). A delete does not ask
PodDisruptionBudgets, as an eviction would, so a budget without headroom is a problem here. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, objects, targets, workloads

CONTROLLERS = ("ReplicaSet", "StatefulSet", "DaemonSet")
"""A Job's pod is work in progress that counts against its retries, so it is left alone."""
WORKLOADS = ("Deployment", *CONTROLLERS)


class DeletePod:
    name = "delete-pod"

    def problems(self, action: model.DeletePod, target: model.Target) -> Sequence[str]:
        pod = target.object
        found = targets.faults(action.pod, pod, ("Pod",), "deleted to be replaced")
        if found or pod is None:
            return found
        found = _ownership_faults(action, pod, target)
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
        controller = fields.controller(pod)
        ready = workloads.pod_ready(pod)
        owner = f"{action.workload.kind} {action.workload.short}"
        state = "ready" if ready else "not ready"
        return model.Plan(
            action=action,
            operations=(model.Operation("delete", ref),),
            pins={"uid": ref.uid, "owner": controller.uid if controller else ""},
            kubectl="",
            summary=f"Deletes pod {ref.name}, which is {state} now; {owner} puts a new one in its place.",
            blast=targets.blast(target, target.owner or {}, action.workload.kind, pods=1, note=_note(action, pod)),
            risk="medium" if ready or action.workload.kind == "StatefulSet" else "low",
            inverse=None,
            irreversible="The pod and what it holds in memory and in emptyDir volumes are gone.",
        )

    def applied(self, action: model.DeletePod, operations: Sequence[model.Operation], target: model.Target) -> bool:
        """Gone, replaced by a namesake (a StatefulSet's pod keeps its name), or on its way out."""
        pod = target.object
        return (
            pod is None
            or fields.deleting(pod)
            or fields.uid(pod) not in {action.pod.uid, *(op.target.uid for op in operations)}
        )


def _ownership_faults(action: model.DeletePod, pod: model.Json, target: model.Target) -> list[str]:
    controller = fields.controller(pod)
    if objects.MIRROR in fields.annotations(pod) or (controller is not None and controller.kind == "Node"):
        return [f"Pod {action.pod.short} is a static pod of its node: deleting it does not restart it."]
    if controller is None:
        return [f"Pod {action.pod.short} has no controller: nothing would put a new one in its place."]
    if controller.kind not in CONTROLLERS:
        return [f"Pod {action.pod.short} belongs to a {controller.kind}, whose pods are not deleted from here."]
    owner = target.owner
    if owner is None or action.workload.kind not in WORKLOADS:
        return [f"The workload of pod {action.pod.short} is gone: nothing would put a new one in its place."]
    if action.workload.uid and action.workload.uid != fields.uid(owner):
        return [f"{action.workload.kind} {action.workload.short} was created anew since this was worked out."]
    if not workloads.belongs(pod, owner, action.workload.kind, target.replicasets):
        return [f"Pod {action.pod.short} is not a pod of {action.workload.kind} {action.workload.short}."]
    if fields.deleting(owner) or workloads.desired(owner, action.workload.kind) == 0:
        return [f"{action.workload.kind} {action.workload.short} is going away, so no new pod would come."]
    return []


def _note(action: model.DeletePod, pod: model.Json) -> str:
    node = fields.text(pod, "spec", "nodeName")
    if action.workload.kind == "DaemonSet" and node:
        return f"The new pod will run on the same node, {node}: this does not help where the node is the cause."
    if action.workload.kind == "StatefulSet":
        return "The new pod has the same name and volumes, and comes only when the old one has wholly ended."
    return ""
