"""The part of the policy that reads the target's state: protection marks, deletion, autoscalers, proof, other writers.

Called by `k8s.guardrails` alone.
"""

import fnmatch
from collections.abc import Iterator, Sequence

from k8s import fields, model, workloads

PROTECTED = "watchkeeper.io/protected"
_UNSET = frozenset(("", "false", "no", "off", "0"))


def protection(target: model.Target, namespace: str, protected: Sequence[str]) -> list[str]:
    """By namespace name (globs), or by the mark on the workload, the pod or the namespace, as label or annotation."""
    found = []
    if any(fnmatch.fnmatchcase(namespace, glob) for glob in protected):
        found.append(f"Namespace {namespace} is protected: nothing is changed in it.")
    if _marked(target.namespace):
        found.append(f"Namespace {namespace} is marked {PROTECTED}.")
    if _marked(target.object) or _marked(target.owner):
        found.append(f"{target.ref} is marked {PROTECTED}.")
    return found


def _marked(obj: model.Json | None) -> bool:
    """Any value but a clear no protects: a typo must not unprotect."""
    marks = (fields.value(obj, "metadata", key, PROTECTED) for key in ("labels", "annotations"))
    return any(mark is not None and str(mark).strip().lower() not in _UNSET for mark in marks)


def deletion(target: model.Target) -> list[str]:
    if target.object is None:
        return [f"{target.ref} is gone."]
    found = [f"{target.ref} is being deleted."] if fields.deleting(target.object) else []
    if fields.deleting(target.owner):
        found.append(f"The workload of {target.ref} is being deleted.")
    if fields.deleting(target.namespace) or fields.text(target.namespace, "status", "phase") == "Terminating":
        found.append(f"Namespace {target.ref.namespace} is being deleted.")
    return found


def replicas(action: model.Scale, target: model.Target) -> int:
    """Replicas that the workload should have now."""
    return workloads.desired(target.object or {}, action.workload.kind)


def scaling(action: model.Scale, target: model.Target) -> list[str]:
    found = ["Scaling to 0 would stop the service wholly."] if action.replicas < 1 else []
    if target.autoscalers:
        found.append(f"A HorizontalPodAutoscaler sets the replicas of {action.workload.short}.")
    return found


def proof(action: model.Action, target: model.Target) -> list[str]:
    """An undo goes to a revision that serves or had served, else it may make things worse."""
    if not isinstance(action, model.RolloutUndo):
        return []
    known = {revision.number: revision.health for revision in workloads.revisions(target)}
    if known.get(action.revision, "unproven") == "unproven":
        return [f"Nothing shows that revision {action.revision} of {action.workload.short} ever worked."]
    return []


def _tight_budgets(target: model.Target) -> Iterator[str]:
    """Only of a pod that is not ready: deleting one that is, against its budget, is not possible at all."""
    for name in workloads.tight_budgets(target):
        yield (
            f"PodDisruptionBudget {name} allows no disruption now. It does not count this pod, which is not ready, and "
            "a deletion does not ask it as an eviction would."
        )


def warnings(action: model.Action, target: model.Target, *, taking_back: bool) -> Iterator[str]:
    """What a person should know: who else would change it back, and what could not be seen."""
    if isinstance(action, model.RolloutUndo | model.Scale):
        for owner in workloads.gitops(target.object or {}):
            yield f"{owner} manages {action.workload.short} and will put its own version back: change it there too."
    if taking_back and (unproven := proof(action, target)):
        yield f"This takes the last action back. {unproven[0]}"
    if "horizontalpodautoscalers" in target.unread and isinstance(action, model.Scale):
        yield "HorizontalPodAutoscalers may not be read here: one that scales this would put its own number back."
    if isinstance(action, model.DeletePod):
        yield from _tight_budgets(target)
    if "poddisruptionbudgets" in target.unread:
        yield "PodDisruptionBudgets may not be read here: how many pods may go at a time is not known."
    if target.namespace is None:
        yield f"Namespace {action.workload.namespace} could not be read, so a mark of protection on it is not seen."
