"""Pods that run and are not ready: the probe tells that it fails, never why.

So everything hangs on how many fail: one of several may be replaced, all of them at once point to a dependency.
"""

from dataclasses import replace

from bot.causes import cases, elsewhere, members, probing, reading, told
from bot.domain import diagnoses
from k8s import model


def unready(case: cases.Case) -> cases.Verdict:
    """A workload some or all of whose pods do not become ready."""
    if taken := _evicted(case):
        return taken
    proof = probing.prove(case, case.finding.facts.get("probe", "") or "readiness")
    cause = case.found("events", "status")
    if line := proof.found.line if proof.found else case.fact("error_line"):
        cause += f" Its log says: {line}{case.cite('log', 'previous-log')}."
    cause += proof.told
    if proof.found is not None and proof.kind in reading.ELSEWHERE:
        return elsewhere.away(case, proof.found, cause)
    if case.suspected:
        return cases.Verdict(
            f"{cause} {case.began_with()}",
            "medium",
            "it began with the last rollout; the probe tells that it fails, not why",
            f"Undo the rollout, or correct what it changed.{case.no_undo}",
            case.undo("it was ready before this rollout"),
            "bad-rollout" if proof.kind == "application" else proof.kind,
        )
    if proof.step:
        reason = "the answer of the probe, and what the process says of itself, fit together in no other way"
        return cases.Verdict(cause, "medium", reason, f"{proof.step} A restart does not help.", kind=proof.kind)
    return _one_of_them(case, cause, proof.kind) or _all_of_them(case, cause, proof.kind)


def _evicted(case: cases.Case) -> cases.Verdict | None:
    """Where the kubelet took the pod before this one away, that is why none is ready: the new one only starts."""
    first = next((finding for finding in case.problem.findings if finding.kind == "Evicted"), None)
    if first is None:
        return None
    rest = tuple(finding for finding in case.problem.findings if finding is not first)
    plain = told.around(replace(case, problem=replace(case.problem, findings=(first, *rest))))
    after = f"{case.finding.message.rstrip('.')}{case.cite('status')}."
    return replace(plain, cause=f"{plain.cause} {after}")


def _one_of_them(case: cases.Case, cause: str, kind: diagnoses.CauseKind) -> cases.Verdict | None:
    pods = int(case.finding.facts.get("pods", "1") or 1)
    subject = case.problem.subject
    lone = pods == 1 and (case.problem.ready or 0) > 0 and case.finding.resource.kind == "Pod"
    if lone and subject.kind in {"Deployment", "StatefulSet", "ReplicaSet"}:
        why = "the other replicas of the same template are ready, so this one pod is at fault"
        return cases.Verdict(
            cause,
            "medium",
            "only one of the replicas fails, so the template is not at fault",
            "Delete the pod to have it replaced; if the new one fails too, look at its dependencies.",
            (diagnoses.Candidate(model.DeletePod(case.finding.resource, subject), why),),
            kind,
        )
    if lone and (restart := members.on_its_node(case)):
        return cases.Verdict(
            cause,
            "medium",
            "only one of the daemon's pods fails, so the template is not at fault; its node may be",
            "Restart it on its node; if the new pod fails too, look at that node.",
            restart,
            kind,
        )
    return None


def _all_of_them(case: cases.Case, cause: str, kind: diagnoses.CauseKind) -> cases.Verdict:
    subject = case.problem.subject
    if subject.kind in {"Deployment", "StatefulSet", "DaemonSet"} and not case.problem.ready and kind == "application":
        why = "all replicas run and none is ready, with no rollout before it: a fresh start is safe and may clear it"
        return cases.Verdict(
            cause,
            "low",
            "all replicas fail alike and nothing was rolled out, so a dependency is likely",
            "Look at what the probe depends on (database, other services) first; a restart may clear a stuck process.",
            (diagnoses.Candidate(model.RolloutRestart(subject), why),),
            kind,
        )
    return cases.Verdict(
        cause,
        "low",
        "the probe tells that it fails, not why",
        "Look at what the probe depends on (database, other services), and at the log in the thread.",
        kind=kind,
    )
