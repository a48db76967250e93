"""One pod of several that is not well while the others, of the same template, are: then the template is not at fault.

Called by the families for pods. A pod is deleted only where it is not ready: what still serves is evicted, so that the
API server asks its PodDisruptionBudget.
"""

from bot.causes import cases
from bot.domain import diagnoses
from k8s import fields, model, workloads

_REPLACED = frozenset({"Deployment", "ReplicaSet"})
"""A new pod of these may come to another node, with volumes of its own."""


def elsewhere(case: cases.Case) -> diagnoses.Candidate | None:
    """The deletion of the one pod that fails, where all others of its controller are ready, on other nodes.

    So the node, or what the pod holds on it, is what differs. None where that is not shown.
    """
    pod, target = _failing(case), case.target
    if pod is None or target is None or case.problem.subject.kind not in _REPLACED:
        return None
    controller, node = fields.controller(pod), fields.text(pod, "spec", "nodeName")
    others = [each for each in target.pods if fields.uid(each) != fields.uid(pod) and not fields.deleting(each)]
    if controller is None or not node or not others or workloads.pod_ready(pod) or fields.deleting(pod):
        return None
    for other in others:
        above = fields.controller(other)
        same = above is not None and above.uid == controller.uid
        if not (same and workloads.pod_ready(other) and fields.text(other, "spec", "nodeName") not in ("", node)):
            return None
    why = f"on other nodes {_pods(len(others))} ready with the same template; this one alone fails, on node {node}"
    return diagnoses.Candidate(model.DeletePod(case.finding.resource, case.problem.subject), why)


def eased(case: cases.Case) -> tuple[diagnoses.Candidate, ...]:
    """A fresh start of one pod that still serves, at the least cost: an eviction where others are ready, else a restart
    that has a new pod ready before the old one goes. None where neither is possible."""
    subject, target, pod = case.problem.subject, case.target, _failing(case)
    if target is None or pod is None or not workloads.pod_ready(pod) or fields.deleting(pod):
        return ()
    others = sum(workloads.pod_ready(each) for each in target.pods if fields.uid(each) != fields.uid(pod))
    if others and subject.kind in {"Deployment", "StatefulSet", "ReplicaSet"}:
        why = f"it ends in order before the kernel kills it, while {_pods(others)} ready; it buys time"
        return (diagnoses.Candidate(model.EvictPod(case.finding.resource, subject), why),)
    if subject.kind == "Deployment" and not workloads.unavailable_at_once(target.object or {}, subject.kind):
        why = "a new pod is ready before the old one goes, and before the kernel kills it; it buys time"
        return (diagnoses.Candidate(model.RolloutRestart(subject), why),)
    return ()


def on_its_node(case: cases.Case) -> tuple[diagnoses.Candidate, ...]:
    """A fresh start of the one pod of a DaemonSet that fails, on its node."""
    pod, subject = _failing(case), case.problem.subject
    node = fields.text(pod, "spec", "nodeName") if pod else case.finding.node
    if subject.kind != "DaemonSet" or not node or case.finding.resource.kind != "Pod":
        return ()
    why = f"on all other nodes the daemon is ready; this pod alone is not, on node {node}"
    return (diagnoses.Candidate(model.RestartOnNode(subject, case.finding.resource, node), why),)


def _failing(case: cases.Case) -> model.Json | None:
    """The pod of the finding as it was read, where the problem is about this one alone."""
    target, shown = case.target, case.finding.resource
    names = {finding.resource.name for finding in case.problem.findings if finding.resource.kind == "Pod"}
    if target is None or shown.kind != "Pod" or names != {shown.name}:
        return None
    return next((pod for pod in target.pods if fields.uid(pod) == shown.uid != ""), None)


def _pods(number: int) -> str:
    return "another pod is" if number == 1 else f"{number} other pods are"
