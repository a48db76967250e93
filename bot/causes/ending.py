"""Pods that were to be gone and are still there.

The record of a pod is dropped only where its node is gone, or silent while replicas are missing for it. A finalizer is
never taken away by a rule: that whoever gave it is gone for good cannot be seen in a cluster.
"""

from dataclasses import replace

from bot.causes import cases, told
from bot.domain import diagnoses
from k8s import model, workloads

_WORKLOADS = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"})


def stuck(case: cases.Case) -> cases.Verdict:
    """A pod or a namespace that does not go."""
    plain = told.around(case)
    if writer := case.fact("finalizers_by"):
        said = f"Its finalizers were last set by {writer}"
        plain = replace(plain, cause=f"{plain.cause} {said}{case.cite('status')}.")
    node, shown, subject = case.finding.facts.get("node", ""), case.finding.resource, case.problem.subject
    if shown.kind != "Pod" or subject.kind not in _WORKLOADS or not node or not _dead(case):
        return plain
    gone = case.finding.facts.get("class") == "node-gone"
    why = f"node {node} is gone, so nothing of the pod still runs" if gone else _silent(case, node)
    step = "Drop the pod's record if the control plane does not." if gone else "Be sure that the machine is off first."
    candidate = diagnoses.Candidate(model.ForceDeletePod(shown, subject, node), why)
    return replace(plain, next_step=f"{step} {plain.next_step}", candidates=(candidate,))


def _dead(case: cases.Case) -> bool:
    """Whether the pod's end will never be confirmed and something waits for it."""
    if case.finding.facts.get("finalizers"):
        return False
    if case.finding.facts.get("class") == "node-gone":
        return True
    return case.finding.facts.get("class") == "node-lost" and _missed(case)


def _missed(case: cases.Case) -> bool:
    """Whether replicas are missing of a Deployment that may run two of a kind: one that recreates its pods, or a
    StatefulSet, must not have a second while the first may still run."""
    ready, desired, target = case.problem.ready, case.problem.desired, case.target
    if case.problem.subject.kind != "Deployment" or target is None or ready is None or desired is None:
        return False
    return ready < desired and workloads.strategy(target.object or {}, "Deployment") == "RollingUpdate"


def _silent(case: cases.Case, node: str) -> str:
    return f"node {node} does not report, and {case.problem.ready} of {case.problem.desired} replicas are ready"
