"""Nodes that are not well by their own conditions.

No action mends a node. One that still gets new pods is cordoned, if others can take them; a node that does not report,
or lacks disk or process ids, is tainted by the cluster itself, and gets none.
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-nodes-by-condition
"""

from collections.abc import Mapping

from bot.causes import cases
from bot.domain import diagnoses
from k8s import model, phrases

_STEPS: Mapping[str, str] = {
    "NodeNotReady": "Look at the node (kubelet, machine, network). "
    "Its pods move by themselves once it is tainted for long enough.",
    "NodePressure": "Free what the node lacks, or cordon it until then: the kubelet evicts pods as long as it lasts.",
}


def condition(case: cases.Case) -> cases.Verdict:
    """A node that does not report, or lacks memory, disk or process ids."""
    cause = f"{case.finding.message.rstrip('.')}{case.cite('status')}{case.cite('scheduling')}."
    step, placed = _STEPS[case.finding.kind], case.count("placed_since")
    if case.finding.kind == "NodePressure" and placed:
        cause += f" {phrases.counted(placed, 'pod')} {'was' if placed == 1 else 'were'} placed on it since then"
        cause += f"{case.cite('scheduling')}."
    kind: diagnoses.CauseKind = "node-pressure" if case.finding.kind == "NodePressure" else "node"
    return cases.Verdict(cause, "high", "these are the node's own conditions", step, _cordon(case, placed), kind)


def _cordon(case: cases.Case, placed: int | None) -> tuple[diagnoses.Candidate, ...]:
    """Only where it is seen that pods still come, and that they could go elsewhere."""
    node, others = case.problem.subject, case.count("other_nodes")
    fits = case.finding.kind == "NodePressure" and node.kind == "Node" and not case.finding.facts.get("cordoned")
    if not (fits and placed and others):
        return ()
    why = f"pods are still placed on it, and {phrases.counted(others, 'other node')} can take them"
    return (diagnoses.Candidate(model.Cordon(node), why),)
