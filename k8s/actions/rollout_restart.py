"""Restarting a rollout: every pod is replaced, by the workload's own strategy, with nothing else changed.

As `kubectl rollout restart` does it: an annotation of the pod template gets the time.
https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_restart/. In the catalogue.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from k8s import fields, model, targets, workloads

KINDS = ("Deployment", "StatefulSet", "DaemonSet")


class RolloutRestart:
    name = "rollout-restart"

    def problems(self, action: model.RolloutRestart, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, KINDS, "restarted")
        if found or obj is None:
            return found
        if workloads.desired(obj, ref.kind) == 0:
            found.append(f"{ref.kind} {ref.short} has no pods to restart.")
        partition = _partition(obj, ref.kind)
        if partition and partition >= workloads.desired(obj, ref.kind):
            found.append(f"{ref.kind} {ref.short} has partition {partition}: none of its pods would be restarted.")
        return [*found, *targets.replacement_faults(ref, obj)]

    def plan(self, action: model.RolloutRestart, target: model.Target, now: datetime) -> model.Plan:
        """`now` becomes the annotation's value, in UTC with seconds, so the same plan can be made again later."""
        obj, kind = target.object or {}, action.workload.kind
        ref = targets.workload_ref(action.workload, obj)
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body: model.Json = {"spec": {"template": {"metadata": {"annotations": {workloads.RESTARTED_AT: stamp}}}}}
        pods = max(0, workloads.desired(obj, kind) - _partition(obj, kind))
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
            blast=targets.blast(target, obj, kind, pods=pods, note=_note(obj, kind)),
            risk=_risk(obj, kind),
            inverse=None,
            irreversible="The pods that it replaces are gone; nothing else changes that could be put back.",
        )

    def applied(
        self, action: model.RolloutRestart, operations: Sequence[model.Operation], target: model.Target
    ) -> bool:
        path = ("spec", "template", "metadata", "annotations", workloads.RESTARTED_AT)
        wanted = {(op.target.uid, fields.text(op.body, *path)) for op in operations if op.target.same(action.workload)}
        return wanted == {(fields.uid(target.object), fields.text(target.object, *path))}


def _partition(obj: model.Json, kind: str) -> int:
    """Ordinals below it keep the old template: a staged rollout of a StatefulSet."""
    return fields.count(obj, "spec", "updateStrategy", "rollingUpdate", "partition") if kind == "StatefulSet" else 0


def _risk(obj: model.Json, kind: str) -> model.RiskTier:
    if workloads.ready(obj, kind) == 0:
        return "low"
    wanted = workloads.desired(obj, kind)
    gentle = workloads.unavailable_at_once(obj, kind) < wanted
    return "low" if kind == "Deployment" and wanted > 1 and gentle else "medium"


def _note(obj: model.Json, kind: str) -> str:
    if workloads.ready(obj, kind) == 0:
        return "Nothing is ready now, so nothing is lost."
    if workloads.unavailable_at_once(obj, kind) >= workloads.desired(obj, kind):
        return "For a while no pod will be ready."
    return ""
