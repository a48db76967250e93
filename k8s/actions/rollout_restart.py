"""Restarting a rollout: every pod is replaced, by the workload's own strategy, with nothing else changed.

As `kubectl rollout restart` does it: an annotation of the pod template gets the time.
https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_restart/. In the catalogue.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from k8s import fields, model, targets, workloads

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_STAMP = ("spec", "template", "metadata", "annotations", workloads.RESTARTED_AT)


class RolloutRestart(model.Remedy):
    name = "rollout-restart"
    action = model.RolloutRestart
    kinds = KINDS
    never = "A cause that a new pod meets again: a bad image, a missing key, a wrong template."
    check = "rollout"

    def words(self, action: model.RolloutRestart) -> tuple[str, ...]:
        return ("rollout", "restart", targets.slashed(action.workload))

    def shaped(self, operation: model.Operation, action: model.RolloutRestart) -> bool:
        del action
        stamp = fields.text(operation.body, *_STAMP)
        body = {"spec": {"template": {"metadata": {"annotations": {workloads.RESTARTED_AT: stamp}}}}}
        merge = (operation.verb, operation.patch_type) == ("patch", "merge")
        return merge and bool(stamp) and operation.body == body

    def problems(self, action: model.RolloutRestart, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, KINDS, "restarted")
        if found or obj is None:
            return found
        if workloads.desired(obj, ref.kind) == 0:
            found.append(f"{ref.kind} {ref.short} has no pods to restart.")
        return [*found, *targets.staging_faults(ref, obj), *targets.replacement_faults(ref, obj)]

    def plan(self, action: model.RolloutRestart, target: model.Target, now: datetime) -> model.Plan:
        """`now` becomes the annotation's value, in UTC with seconds, so the same plan can be made again later."""
        obj, kind = target.object or {}, action.workload.kind
        ref = targets.workload_ref(action.workload, obj)
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body: model.Json = {"spec": {"template": {"metadata": {"annotations": {workloads.RESTARTED_AT: stamp}}}}}
        pods = targets.replaced(obj, kind)
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", body),),
            pins={
                "uid": ref.uid,
                "template": workloads.template_hash(workloads.template(obj)),
                "paused": str(fields.value(obj, "spec", "paused") is True).lower(),
            },
            kubectl="",
            summary=f"Restarts {targets.counted(pods)} of {kind} {ref.short}: {workloads.pace(obj, kind)}.",
            blast=targets.blast(target, obj, kind, pods=pods, note=targets.outage(obj, kind)),
            risk=_risk(obj, kind),
            inverse=None,
            irreversible="The pods that it replaces are gone; nothing else changes that could be put back.",
        )

    def applied(
        self, action: model.RolloutRestart, operations: Sequence[model.Operation], target: model.Target
    ) -> bool:
        here = [op for op in operations if op.target.same(action.workload)]
        wanted = {(op.target.uid, fields.text(op.body, *_STAMP)) for op in here}
        return wanted == {(fields.uid(target.object), fields.text(target.object, *_STAMP))}


def _risk(obj: model.Json, kind: str) -> model.RiskTier:
    if workloads.ready(obj, kind) == 0:
        return "low"
    wanted = workloads.desired(obj, kind)
    gentle = workloads.unavailable_at_once(obj, kind) < wanted
    return "low" if kind == "Deployment" and wanted > 1 and gentle else "medium"
