"""Workloads whose controller does not get on: rollouts, missing pods and StatefulSets.

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
            case.undo("the earlier revision was healthy") or _halt(case),
        )
    if refusal:
        return cases.Verdict(cause, "high", _REFUSED, _MEND)
    return cases.Verdict(
        cause,
        "low",
        "the rollout does not go on, and nothing that it changed is known",
        "Look at the pods of the new revision.",
    )


def _halt(case: cases.Case) -> tuple[diagnoses.Candidate, ...]:
    """A pause, where nothing healthy can be put back and the rollout does harm: new pods become ready and fail again,
    and each time that one is ready an old one goes."""
    ready, desired, facts = case.problem.ready or 0, case.problem.desired or 0, case.finding.facts
    coming = facts.get("updated_ready", "0") not in ("", "0")
    if case.problem.subject.kind != "Deployment" or not coming or not 0 < ready < desired:
        return ()
    why = f"{ready} of {desired} are ready, and the old pods among them stay as long as the rollout is halted"
    return (diagnoses.Candidate(model.RolloutPause(case.problem.subject), why),)


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
    """Only a pod that the controller is known never to replace is for us to delete; an update that began the trouble is
    undone."""
    plain, facts, subject = told.around(case), case.finding.facts, case.problem.subject
    if facts.get("class") == "update" and case.suspected:
        cause = f"{plain.cause} {case.began_with()}"
        return replace(plain, cause=cause, confidence="medium", candidates=case.undo("it was whole before this update"))
    if facts.get("class") != "outdated-pod" or subject.kind != "StatefulSet" or not facts.get("pod"):
        return plain
    pod = model.ResourceRef("Pod", subject.namespace, facts["pod"], facts.get("pod_uid", ""))
    why = "the controller does not replace it by itself, and a new one is made of the present template"
    return replace(plain, candidates=(diagnoses.Candidate(model.DeletePod(pod, subject), why),))
