"""Workloads whose controller does not get on: rollouts, missing pods, StatefulSets and Jobs.

What the pods themselves tell is for the other families; here it is the controller's words, and what the API server
answered it.
"""

from dataclasses import replace

from bot.causes import cases, told
from bot.domain import diagnoses
from k8s import model

_REFUSED = "the controller tells why it cannot create pods"
_MEND = "Mend what the controller names (quota, admission, service account); it tries again by itself."


def rollout(case: cases.Case) -> cases.Verdict:
    """A rollout that does not go on."""
    refusal = _refusal(case)
    cause = f"{case.finding.message.rstrip('.')}{refusal}{case.cite('status', 'events')}."
    if case.changes:
        return cases.Verdict(
            f"{cause} The rollout of {case.rollout_told} changed: {case.some_changes}{case.cite('rollout')}.",
            "medium",
            "the new revision does not become available; what of the change is at fault is not proven",
            f"Undo the rollout, then correct the change.{case.no_undo}",
            case.undo("the earlier revision was healthy"),
        )
    if refusal:
        return cases.Verdict(cause, "high", _REFUSED, _MEND)
    return cases.Verdict(
        cause,
        "low",
        "the rollout does not go on, and nothing that it changed is known",
        "Look at the pods of the new revision.",
    )


def replicas(case: cases.Case) -> cases.Verdict:
    """Fewer pods than asked for."""
    refusal = _refusal(case)
    cause = f"{case.finding.message.rstrip('.')}{refusal}{case.cite('events', 'status')}."
    if refusal:
        return cases.Verdict(cause, "high", _REFUSED, _MEND)
    return cases.Verdict(
        cause,
        "medium",
        "pods are missing, and no event tells why",
        "Look at the pods that are there and at the events of the workload.",
    )


def _refusal(case: cases.Case) -> str:
    """What the API server said when pods were to be created, as the rest of a sentence; empty where it took them."""
    said = (finding.facts.get("said", "") for finding in case.problem.findings if finding.kind == "ReplicasMissing")
    words = next(filter(None, said), "")
    return f'. The API server refuses its pods: "{words.rstrip(".")}"' if words else ""


def statefulset(case: cases.Case) -> cases.Verdict:
    """Only a pod that the controller is known never to replace is for us to delete."""
    plain, facts, subject = told.around(case), case.finding.facts, case.problem.subject
    if facts.get("class") != "outdated-pod" or subject.kind != "StatefulSet" or not facts.get("pod"):
        return plain
    pod = model.ResourceRef("Pod", subject.namespace, facts["pod"], facts.get("pod_uid", ""))
    why = "the controller does not replace it by itself, and a new one is made of the present template"
    return replace(plain, candidates=(diagnoses.Candidate(model.DeletePod(pod, subject), why),))


def job(case: cases.Case) -> cases.Verdict:
    """A Job that has used up its tries."""
    line = case.fact("error_line")
    cause = case.found("status", "events")
    if line:
        cause += f" Its log ends with: {line}{case.cite('previous-log', 'log')}."
    return cases.Verdict(
        cause,
        "medium" if line else "low",
        "the log tells how the last try ended" if line else "the log of the last try is gone",
        "Mend what the log names, then run the Job again; a failed Job does not start itself anew.",
    )
