"""Dropping the record of a pod that is being deleted and whose node will not say that it has ended.

A forced deletion does not wait for the kubelet: the containers may go on running. That is why it is for a pod whose
node is gone, or has not reported for long; and why a StatefulSet's pod must have a node that is gone, else two members
of one name may run: https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from k8s import fields, members, model, names, targets

LONG = timedelta(minutes=5)
"""So long must the pod be overdue, and its node have been silent."""


class ForceDeletePod(model.Remedy):
    name = "force-delete-pod"
    action = model.ForceDeletePod
    kinds = members.WORKLOADS
    never = "A pod whose node still reports, and a StatefulSet's pod as long as the object of its node is there."
    check = "replaced"
    writes = "force-delete"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Pod",)

    def fault(self, action: model.ForceDeletePod) -> tuple[str, str] | None:
        if not names.is_subdomain(action.node):
            return "node", f"{action.node!r} is not a node's name"
        return members.fault(action)

    def words(self, action: model.ForceDeletePod) -> tuple[str, ...]:
        return ("delete", targets.slashed(action.pod), "--grace-period=0", "--force")

    def shaped(self, operation: model.Operation, action: model.ForceDeletePod) -> bool:
        return (operation.verb, operation.body, operation.target.kind) == ("force-delete", None, action.pod.kind)

    def needs(self, action: model.ForceDeletePod) -> model.Needs:
        return model.Needs(action.pod, owner=action.workload, extras=(model.ResourceRef("Node", "", action.node),))

    def problems(self, action: model.ForceDeletePod, target: model.Target) -> Sequence[str]:
        ref, pod = action.pod, target.object
        found = targets.ending_faults(ref, pod, LONG, target.read_at)
        if found or pod is None:
            return found
        if fields.text(pod, "spec", "nodeName") != action.node:
            return [f"Pod {ref.short} is not on node {action.node}."]
        if finalizers := fields.value(pod, "metadata", "finalizers"):
            return [f"Pod {ref.short} waits for {targets.listed(finalizers)}, which no force takes away."]
        return [*members.ownership_faults(action, pod, target), *_node_faults(action, target)]

    def plan(self, action: model.ForceDeletePod, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        pod = target.object or {}
        ref = targets.workload_ref(action.pod, pod)
        node = _node(action, target)
        why = "is gone" if node is None else "does not report"
        return model.Plan(
            action=action,
            operations=(model.Operation("force-delete", ref),),
            pins={**members.pins(ref, pod), "node": action.node, "uid of the node": fields.uid(node)},
            kubectl="",
            summary=f"Drops the record of pod {ref.name}, which is being deleted and whose node {action.node} {why}.",
            blast=targets.blast(
                target,
                target.owner or {},
                action.workload.kind,
                pods=1,
                note=""
                if node is None
                else f"Its containers may still run on node {action.node}, and go on until that node is back.",
            ),
            risk="high",
            inverse=None,
            irreversible="A record that is dropped does not come back.",
        )

    def applied(
        self, action: model.ForceDeletePod, operations: Sequence[model.Operation], target: model.Target
    ) -> bool:
        return members.replaced(action, operations, target)


def _node(action: model.ForceDeletePod, target: model.Target) -> model.Json | None:
    """The node; None where its object is gone."""
    here = (each for each in target.extras if each.get("kind") == "Node")
    return next((each for each in here if fields.text(each, "metadata", "name") == action.node), None)


def _node_faults(action: model.ForceDeletePod, target: model.Target) -> list[str]:
    node = _node(action, target)
    if node is None:
        return []
    if action.workload.kind == "StatefulSet":
        known = f"Node {action.node} is still known to the cluster and may run pod {action.pod.short}"
        return [f"{known}: another one of its name must not be started."]
    ready = fields.condition(node, "Ready")
    since = fields.moment(ready, "lastTransitionTime")
    if fields.text(ready, "status") in ("True", "") or since is None:
        return [f"Node {action.node} reports: it will say itself when pod {action.pod.short} has ended."]
    if target.read_at - since < LONG:
        return [f"Node {action.node} has not reported for less than {int(LONG.total_seconds()) // 60} min: wait."]
    return []
