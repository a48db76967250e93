"""Nodes that are not well by their own conditions: no action of the catalogue mends a node, so a person is told what to
do.
"""

from collections.abc import Mapping

from bot.causes import cases

_STEPS: Mapping[str, str] = {
    "NodeNotReady": "Look at the node (kubelet, machine, network). "
    "Its pods move by themselves once it is tainted for long enough.",
    "NodePressure": "Free what the node lacks, or cordon it until then: the kubelet evicts pods as long as it lasts.",
}


def condition(case: cases.Case) -> cases.Verdict:
    """A node that does not report, or lacks memory, disk or process ids."""
    cause = case.found("scheduling", "status")
    return cases.Verdict(cause, "high", "these are the node's own conditions", _STEPS[case.finding.kind])
