"""The part of the policy that reads the target's state: protection marks, deletion, autoscalers, proof, other writers.

Called by `k8s.guardrails` alone.
"""

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from k8s import earlier, fields, model, policy, workloads

PROTECTED = "watchkeeper.io/protected"
_PASSING = frozenset(
    (
        *("rollout-restart", "delete-pod", "evict-pod", "force-delete-pod", "remove-finalizer"),
        *("restart-on-node", "exec-command", "resize-pod"),
        *("run-cronjob", "delete-job", "rerun-job", "annotate-mute"),
    )
)
"""What leaves nothing behind in an object that somebody declares elsewhere, so that nobody would put it back."""
_ENDING = frozenset(("force-delete-pod", "remove-finalizer"))
"""What is for objects that are being deleted, and for no others."""
_UNSET = frozenset(("", "false", "no", "off", "0"))


def protection(target: model.Target, namespace: str, protected: Sequence[str]) -> list[str]:
    """By namespace name (globs), or by the mark on the workload, the pod or the namespace, as label or annotation."""
    found = []
    if any(fnmatch.fnmatchcase(namespace, glob) for glob in protected):
        found.append(f"Namespace {namespace} is protected: nothing is changed in it.")
    if marked(target.namespace):
        found.append(f"Namespace {namespace} is marked {PROTECTED}.")
    if marked(target.object) or marked(target.owner):
        found.append(f"{target.ref} is marked {PROTECTED}.")
    return found


def protected_steps(action: model.Action, target: model.Target) -> Iterator[str]:
    """Of one in steps: marks on the namespaces, the pods and the controllers that it would touch."""
    if not isinstance(action, model.Drain):
        return
    pods = {pod.uid for pod in action.pods}
    for kind, each in (*(("Pod", pod) for pod in target.pods), *((each.get("kind"), each) for each in target.extras)):
        ours = kind in ("Namespace", "ReplicaSet", "StatefulSet") or fields.uid(each) in pods
        if ours and marked(each):
            yield f"{workloads.reference(each, str(kind))} is marked {PROTECTED}."


def marked(obj: model.Json | None) -> bool:
    """Whether it has the mark of protection. Any value but a clear no protects: a typo must not unprotect."""
    marks = (fields.value(obj, "metadata", key, PROTECTED) for key in ("labels", "annotations"))
    return any(mark is not None and str(mark).strip().lower() not in _UNSET for mark in marks)


def deletion(action: model.Action, target: model.Target) -> list[str]:
    if target.object is None:
        return [f"{target.ref} is gone."]
    if model.name_of(action) in _ENDING:
        return []
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
    """What is put back comes from a revision that serves or had served, else it may make things worse."""
    if isinstance(action, model.SetImage):
        ran = earlier.ran(target, action.container, action.image)
        proven = any(each.health != "unproven" for each in ran)
        return [] if proven else [f"Nothing shows that {action.workload.short} ever worked with {action.image}."]
    if not isinstance(action, model.RolloutUndo | model.SetEnv | model.UnsetEnv):
        return []
    known = {revision.number: revision.health for revision in workloads.revisions(target)}
    if known.get(action.revision, "unproven") == "unproven":
        return [f"Nothing shows that revision {action.revision} of {action.workload.short} ever worked."]
    return []


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the policy makes of others who write the object and would put a change back. Sentences."""

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    """Where to change it instead."""


def ownership(action: model.Action, target: model.Target, gitops: policy.Gitops, *, taking_back: bool) -> Ownership:
    """Of a change that lasts. One that is taken back is only warned of: it brings nearer what was declared."""
    workload, written = target.owner or target.object or {}, target.object or {}
    found = {owner: obj for obj in (written, workload) for owner in workloads.gitops(obj)}
    owners = {} if model.name_of(action) in _PASSING else found
    refusals, warnings, advice = [], [], []
    for owner, obj in owners.items():
        stance = "warn" if taking_back else gitops.of(owner)
        manages = f"{owner} manages {action.workload.short}"
        if stance == "warn":
            warnings.append(f"{manages} and will put its own version back: change it there too.")
        elif stance == "refuse":
            refusals.append(f"{manages}, and the policy refuses to change from here what it manages.")
        else:
            advice.append(f"Open a change instead: {_source(owner, obj)}.")
            refusals.append(f"{manages}, and the policy says to change it there. {advice[-1]}")
    return Ownership(tuple(refusals), tuple(warnings), tuple(advice))


def _source(owner: str, workload: model.Json) -> str:
    """Where what this owner applies is written, as far as the object tells."""
    whose = owner.partition(" (")[2].removesuffix(")")
    if owner.startswith("Argo CD"):
        return f"in the source of {whose}"
    if owner.startswith("Flux"):
        group = "kustomize" if whose.startswith("Kustomization") else "helm"
        namespace = fields.labels(workload).get(f"{group}.toolkit.fluxcd.io/namespace", "")
        return f"in the source of {whose}" + (f" in namespace {namespace}" if namespace else "")
    return f"in the values or the chart of {whose}" if whose else "in the values or the chart of its Helm release"


def _tight_budgets(target: model.Target) -> Iterator[str]:
    """Only of a pod that is not ready: deleting one that is, against its budget, is not possible at all."""
    for name in workloads.tight_budgets(target):
        yield (
            f"PodDisruptionBudget {name} allows no disruption now. It does not count this pod, which is not ready, and "
            "a deletion does not ask it as an eviction would."
        )


def warnings(action: model.Action, target: model.Target, *, taking_back: bool) -> Iterator[str]:
    """What a person should know, besides who else would change it back (`ownership`): what could not be seen."""
    if taking_back and (unproven := proof(action, target)):
        yield f"This takes the last action back. {unproven[0]}"
    if "horizontalpodautoscalers" in target.unread and isinstance(action, model.Scale):
        yield "HorizontalPodAutoscalers may not be read here: one that scales this would put its own number back."
    if isinstance(action, model.DeletePod):
        yield from _tight_budgets(target)
    if "poddisruptionbudgets" in target.unread:
        yield "PodDisruptionBudgets may not be read here: how many pods may go at a time is not known."
    if target.namespace is None and target.ref.namespace:
        yield f"Namespace {action.workload.namespace} could not be read, so a mark of protection on it is not seen."
