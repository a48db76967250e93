"""Workloads whose controller does not get on: rollouts, missing pods and StatefulSets.

What the pods themselves tell is for the other families; here it is the controller's words, and what the API server
answered it.
"""

from dataclasses import replace

from bot.causes import cases, reading, refusals, told
from bot.domain import diagnoses
from k8s import model

_NOT_OF_THE_TEMPLATE: frozenset[diagnoses.CauseKind] = frozenset({"quota", "webhook"})
"""Refusals that the pods of an earlier revision meet as well: an undo does not address them."""
_REFUSED = "the controller tells why it cannot create pods"
_MEND = "Mend what the controller names (quota, admission, service account); it tries again by itself."


def rollout(case: cases.Case) -> cases.Verdict:
    """A rollout that does not go on."""
    refusal = _refusal(case)
    cause = f"{case.finding.message.rstrip('.')}{refusal}{case.cite('status', 'events')}."
    kind = refusals.kind(refusal)
    if case.changes and kind not in _NOT_OF_THE_TEMPLATE:
        return cases.Verdict(
            f"{cause} The rollout of {case.rollout_told} changed: {case.some_changes}{case.cite('rollout')}.",
            "medium",
            "the new revision does not become available; what of the change is at fault is not proven",
            f"Undo the rollout, then correct the change.{case.no_undo}",
            case.undo("the earlier revision was healthy") or _halt(case),
            "bad-rollout" if kind == "unknown" else kind,
        )
    if refusal:
        return cases.Verdict(cause, "high", _REFUSED, _MEND, kind=kind)
    return cases.Verdict(
        cause,
        "low",
        "the rollout does not go on, and nothing that it changed is known",
        "Look at the pods of the new revision.",
        kind=_by_log(case),
    )


def _by_log(case: cases.Case) -> diagnoses.CauseKind:
    found = reading.of(case)
    return "unknown" if found is None else found.kind


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
        return cases.Verdict(cause, "high", _REFUSED, _MEND, kind=refusals.kind(refusal))
    lost = case.finding.facts.get("node", "")
    return cases.Verdict(
        cause,
        "medium",
        "pods are missing, and no event tells why",
        "Look at the pods that are there and at the events of the workload.",
        kind="node" if lost else _by_log(case),
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
        undo = case.undo("it was whole before this update")
        return replace(plain, cause=cause, confidence="medium", candidates=undo, kind=_updated(plain))
    if facts.get("class") != "outdated-pod" or subject.kind != "StatefulSet" or not facts.get("pod"):
        return plain
    pod = model.ResourceRef("Pod", subject.namespace, facts["pod"], facts.get("pod_uid", ""))
    why = "the controller does not replace it by itself, and a new one is made of the present template"
    return replace(plain, candidates=(diagnoses.Candidate(model.DeletePod(pod, subject), why),))


def _updated(plain: cases.Verdict) -> diagnoses.CauseKind:
    return "bad-rollout" if plain.kind in ("unknown", "application") else plain.kind
