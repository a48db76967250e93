"""Restarting a DaemonSet on one node: the agent of that node is stuck, and those of all other nodes are well.

What is written is what `delete-pod` writes, an ordinary delete of that pod. It differs in what it is about: the node is
a parameter and is pinned, the workload is a DaemonSet and no other kind, and it is refused where that node could not
run the new pod: `delete-pod` looks at no node, since the new pod of a ReplicaSet may go anywhere.
https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, members, model, names, targets, workloads


class RestartOnNode(model.Remedy):
    name = "restart-on-node"
    action = model.RestartOnNode
    kinds = ("DaemonSet",)
    never = "A node that is itself the cause (not ready, out of disk): the new pod starts on the very same one."
    check = "replaced"
    writes = "delete"

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Pod",)

    def fault(self, action: model.RestartOnNode) -> tuple[str, str] | None:
        if not names.is_subdomain(action.node):
            return "node", f"{action.node!r} is no node's name"
        return members.fault(action)

    def words(self, action: model.RestartOnNode) -> tuple[str, ...]:
        return ("delete", targets.slashed(action.pod))

    def shaped(self, operation: model.Operation, action: model.RestartOnNode) -> bool:
        return operation.verb == "delete" and operation.body is None and operation.target.kind == action.pod.kind

    def needs(self, action: model.RestartOnNode) -> model.Needs:
        return model.Needs(action.pod, owner=action.workload, extras=(model.ResourceRef("Node", "", action.node),))

    def problems(self, action: model.RestartOnNode, target: model.Target) -> Sequence[str]:
        pod = target.object
        found = targets.faults(action.pod, pod, ("Pod",), "restarted on its node")
        if found or pod is None:
            return found
        found = members.ownership_faults(action, pod, target)
        controller = fields.controller(pod)
        if not found and (controller is None or controller.uid != fields.uid(target.owner)):
            found.append(f"The controller of pod {action.pod.short} is not DaemonSet {action.workload.short}.")
        if (where := fields.text(pod, "spec", "nodeName")) != action.node:
            found.append(f"Pod {action.pod.short} is on {where or 'no node'}, and not on {action.node}.")
        if workloads.pod_ready(pod):
            found += [
                f"Pod {action.pod.short} is ready, and PodDisruptionBudget {name} allows no disruption now."
                for name in workloads.tight_budgets(target)
            ]
        return [*found, *_node_faults(action, target)]

    def plan(self, action: model.RestartOnNode, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        pod = target.object or {}
        ref = targets.workload_ref(action.pod, pod)
        state = "ready" if workloads.pod_ready(pod) else "not ready"
        return model.Plan(
            action=action,
            operations=(model.Operation("delete", ref),),
            pins={**members.pins(ref, pod), "node": action.node, "uid of the node": fields.uid(_node(action, target))},
            kubectl="",
            summary=f"Restarts DaemonSet {action.workload.short} on node {action.node}: pod {ref.name}, which is "
            f"{state} now, is deleted, and a new one starts on the same node.",
            blast=targets.blast(
                target,
                target.owner or {},
                action.workload.kind,
                pods=1,
                note=f"Until the new pod is ready, node {action.node} is without it; no other node is touched.",
            ),
            risk=members.risk(action, pod),
            inverse=None,
            irreversible=members.LOST,
        )

    def applied(self, action: model.RestartOnNode, operations: Sequence[model.Operation], target: model.Target) -> bool:
        """Gone, replaced, or on its way out."""
        return members.replaced(action, operations, target) or fields.deleting(target.object)


def _node(action: model.RestartOnNode, target: model.Target) -> model.Json | None:
    here = (each for each in target.extras if each.get("kind") == "Node")
    return next((each for each in here if fields.text(each, "metadata", "name") == action.node), None)


def _node_faults(action: model.RestartOnNode, target: model.Target) -> list[str]:
    """Why no new pod would come up there."""
    node = _node(action, target)
    if node is None:
        return [f"Node {action.node} is gone: no new pod could start on it."]
    if fields.deleting(node):
        return [f"Node {action.node} is being deleted: no new pod would start on it."]
    if fields.text(fields.condition(node, "Ready"), "status") != "True":
        return [f"Node {action.node} is not ready: no new pod could start on it."]
    return []
