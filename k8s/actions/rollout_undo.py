"""Undoing a rollout: the pod template of a named earlier revision is put back.

As `kubectl rollout undo --to-revision` does it: the template comes from that revision's ReplicaSet, without its hash
label, or from its ControllerRevision; and the change cause is set so that the history tells the truth. Other
annotations of the workload are left alone, where kubectl would put back what the old ReplicaSet has: a mark that was
set since, such as `watchkeeper.io/protected`, must not vanish.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment. In the catalogue.

Whether the revision is proven is the policy's to judge (`k8s.guardrails`): going back on an undo leads to a revision
that was broken, and must stay possible.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from k8s import fields, model, targets, templates, workloads

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_CAUSE_PATH = "/metadata/annotations/kubernetes.io~1change-cause"
_MOST = 2**31 - 1
"""Far beyond any number of a revision."""


class RolloutUndo(model.Remedy):
    name = "rollout-undo"
    action = model.RolloutUndo
    kinds = KINDS
    never = "A revision that nothing shows to have worked, or a failure that began without a rollout."
    check = "rollout"

    def fault(self, action: model.RolloutUndo) -> tuple[str, str] | None:
        if not 1 <= action.revision <= _MOST:
            return "revision", f"{action.revision} is no revision: a revision is named by its number, from 1"
        return None

    def words(self, action: model.RolloutUndo) -> tuple[str, ...]:
        return ("rollout", "undo", targets.slashed(action.workload), f"--to-revision={action.revision}")

    def shaped(self, operation: model.Operation, action: model.RolloutUndo) -> bool:
        """One template, and at most the change cause beside it."""
        del action
        body = operation.body
        if (operation.verb, operation.patch_type) != ("patch", "json") or not isinstance(body, list):
            return False
        steps = [(fields.text(step, "op"), fields.text(step, "path")) for step in body]
        template = ("replace", "/spec/template")
        return steps in ([template], [template, ("add", _CAUSE_PATH)])

    def needs(self, action: model.RolloutUndo) -> model.Needs:
        return model.Needs(action.workload, revisions=True)

    def problems(self, action: model.RolloutUndo, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, KINDS, "undone")
        if found or obj is None:
            return found
        found += [*targets.staging_faults(ref, obj), *targets.replacement_faults(ref, obj)]
        wanted = _revision(action, target)
        if wanted is None:
            kept = ", ".join(str(revision.number) for revision in workloads.revisions(target)) or "none"
            found.append(f"{ref.kind} {ref.short} has no revision {action.revision} any more (it has {kept}).")
        elif not fields.items(wanted.template, "spec", "containers"):
            found.append(f"Revision {action.revision} of {ref.short} holds no containers that could be put back.")
        elif templates.essence(wanted.template) == templates.essence(workloads.template(obj)):
            found.append(f"{ref.kind} {ref.short} runs what revision {action.revision} holds already.")
        return found

    def plan(self, action: model.RolloutUndo, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the revision is missing: `problems` says so before."""
        del now  # nothing that is written carries the time
        obj, wanted = target.object or {}, _revision(action, target)
        if wanted is None:
            raise LookupError(f"no revision {action.revision}")
        ref = targets.workload_ref(action.workload, obj)
        current = workloads.current_revision(target)
        inverse = model.RolloutUndo(action.workload, current.number) if current else None
        kept = min(wanted.replicas, workloads.desired(obj, ref.kind))
        pods = max(0, targets.replaced(obj, ref.kind) - kept)
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "json", _patch(obj, wanted)),),
            pins={
                "uid": ref.uid,
                "template": workloads.template_hash(workloads.template(obj)),
                "revision": str(current.number) if current else "",
                f"target {'replicaset' if ref.kind == 'Deployment' else 'revision'}": wanted.holder.uid,
                "target template": workloads.template_hash(wanted.template),
            },
            kubectl="",
            summary=_summary(obj, ref.kind, wanted, pods, kept),
            blast=replace(
                targets.blast(target, obj, ref.kind, pods=pods, note=_note(target, ref.kind)),
                removed=_removed(target, wanted, pods) if kept else 0,
            ),
            risk=targets.template_risk(ref.kind),
            inverse=inverse,
            irreversible="" if inverse else "The current template is no recorded revision yet: there is no way back.",
        )

    def applied(self, action: model.RolloutUndo, operations: Sequence[model.Operation], target: model.Target) -> bool:
        wanted = {
            (op.target.uid, workloads.template_hash(fields.mapping(step, "value")))
            for op in operations
            if op.target.same(action.workload) and isinstance(op.body, list)
            for step in op.body
            if step.get("path") == "/spec/template"
        }
        return wanted == {(fields.uid(target.object), workloads.template_hash(workloads.template(target.object or {})))}


def _revision(action: model.RolloutUndo, target: model.Target) -> workloads.Revision | None:
    return next((found for found in workloads.revisions(target) if found.number == action.revision), None)


def _patch(obj: model.Json, wanted: workloads.Revision) -> list[model.Json]:
    """RFC 6902. `add` on a member that exists replaces it, so applying twice is no change."""
    patch: list[model.Json] = [{"op": "replace", "path": "/spec/template", "value": wanted.template}]
    if workloads.CHANGE_CAUSE in fields.annotations(obj):
        cause = wanted.change_cause or f"back to revision {wanted.number}"
        patch.append({"op": "add", "path": _CAUSE_PATH, "value": cause})
    return patch


def _summary(obj: model.Json, kind: str, wanted: workloads.Revision, pods: int, kept: int) -> str:
    image = f" (image {', '.join(wanted.images)})" if any(wanted.images) else ""
    start = f"Puts revision {wanted.number}{image} back"
    if workloads.desired(obj, kind) == 0:
        return f"{start}: no pods run now, so none is replaced."
    if kept:
        stay = f"{targets.counted(kept)} of that revision {'stays' if kept == 1 else 'stay'}"
        if not pods:
            return f"{start}: {stay}, and the pods of the stuck rollout are removed."
        return f"{start}: {stay}, {targets.counted(pods)} replaced, {workloads.pace(obj, kind)}."
    return f"{start}: restarts {targets.counted(pods)}, {workloads.pace(obj, kind)}."


def _removed(target: model.Target, wanted: workloads.Revision, pods: int) -> int:
    """Pods of the rollout that is given up which nothing takes the place of: those beside the ones that are replaced.

    Only of a Deployment: the others keep no pods of two revisions beside what is wanted.
    """
    others = 0
    for pod in target.pods:
        controller = fields.controller(pod)
        living = not fields.deleting(pod) and fields.text(pod, "status", "phase") not in ("Succeeded", "Failed")
        others += living and controller is not None and controller.uid != wanted.holder.uid
    return max(0, others - pods) if target.replicasets else 0


def _note(target: model.Target, kind: str) -> str:
    obj = target.object or {}
    if kind != "Deployment":
        return " ".join(filter(None, (targets.outage(obj, kind), targets.forced(target, kind))))
    if workloads.ready(obj, kind) == 0:
        return "Nothing is ready now, so nothing is lost."
    return "For a while no pod will be ready." if workloads.strategy(obj, kind) == "Recreate" else ""
