"""Removing one named finalizer from an object that has long been waiting for it to be deleted.

A finalizer is somebody's word that something must be done before the object goes; without whoever gave it, it never is
(https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/). What it was for is then left undone
for good: that is why this is of high risk. In the catalogue.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from k8s import fields, members, model, targets, workloads

LONG = timedelta(minutes=5)
KINDS = (*members.WORKLOADS, "Job", "CronJob", "PersistentVolumeClaim", "Service", "Ingress")
_OF_PODS = (*members.WORKLOADS, "Job")
_NAME = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?", re.ASCII)
_DATA = frozenset(("kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"))
_CLUSTERS_OWN = frozenset(("foregroundDeletion", "orphan", "kubernetes"))
_PATH = re.compile(r"/metadata/finalizers/(?:0|[1-9][0-9]{0,3})")


class RemoveFinalizer(model.Remedy):
    name = "remove-finalizer"
    action = model.RemoveFinalizer
    kinds = KINDS
    never = "An object whose controller still runs, and the finalizers that guard data or the cluster's own deletion."
    check = "gone"

    def objects(self, kind: str) -> tuple[str, ...]:
        """The workload itself, or what may belong to it."""
        return (kind, *sorted(part for part, owner in _pairs() if owner == kind))

    def fault(self, action: model.RemoveFinalizer) -> tuple[str, str] | None:
        if action.object.namespace != action.workload.namespace:
            return "object.namespace", "is not the workload's namespace"
        if action.object != action.workload and (action.object.kind, action.workload.kind) not in _pairs():
            return "object.kind", f"{action.object.kind!r} is neither the workload itself nor one of its pods"
        if _NAME.fullmatch(action.finalizer) is None:
            return "finalizer", f"{action.finalizer!r} is not the name of a finalizer"
        return None

    def words(self, action: model.RemoveFinalizer) -> tuple[str, ...]:
        """kubectl has no command for it: what stays is edited in the object."""
        return ("edit", targets.slashed(action.object))

    def shaped(self, operation: model.Operation, action: model.RemoveFinalizer) -> bool:
        """A test of the name at its place, and its removal."""
        if (operation.verb, operation.patch_type) != ("patch", "json"):
            return False
        match operation.body:
            case [{"op": "test", "path": str(path), "value": value, **more}, {"op": "remove", **rest}]:
                same = value == action.finalizer and rest == {"path": path}
                return same and not more and _PATH.fullmatch(path) is not None
            case _:
                return False

    def needs(self, action: model.RemoveFinalizer) -> model.Needs:
        if action.object == action.workload:
            return model.Needs(action.object, members=False)
        return model.Needs(action.object, owner=action.workload, members=action.workload.kind == "Deployment")

    def problems(self, action: model.RemoveFinalizer, target: model.Target) -> Sequence[str]:
        ref, obj = action.object, target.object
        found = targets.ending_faults(ref, obj, LONG, target.read_at)
        if found or obj is None:
            return found
        if action.finalizer in _DATA:
            found.append(f"Finalizer {action.finalizer} guards data that is still in use: it is not removed from here.")
        if action.finalizer in _CLUSTERS_OWN:
            found.append(f"Finalizer {action.finalizer} is the cluster's own way to delete {ref.short}.")
        if _position(action, target) is None:
            found.append(f"{ref.kind} {ref.short} does not wait for {action.finalizer}.")
        if action.object != action.workload and not _owned(action, obj, target):
            found.append(f"{ref.kind} {ref.short} is not of {action.workload.kind} {action.workload.short}.")
        return found

    def plan(self, action: model.RemoveFinalizer, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the finalizer is not there: `problems` says so before."""
        del now  # nothing that is written carries the time
        obj, at = target.object or {}, _position(action, target)
        if at is None:
            raise LookupError(f"no finalizer {action.finalizer}")
        ref = targets.workload_ref(action.object, obj)
        path = f"/metadata/finalizers/{at}"
        steps = [{"op": "test", "path": path, "value": action.finalizer}, {"op": "remove", "path": path}]
        kept = fields.value(obj, "metadata", "finalizers")
        others = targets.listed([each for each in kept if each != action.finalizer])
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "json", steps),),
            pins={"uid": ref.uid, "finalizers": targets.listed(kept)},
            kubectl="",
            summary=f"Takes the finalizer {action.finalizer} from {ref.kind} {ref.short}, which waits for it to be "
            "deleted.",
            blast=targets.nothing_touched(
                f"It still waits for {others}." if others else "Whatever it was to clean up stays as it is."
            ),
            risk="high",
            inverse=None,
            irreversible="Without its finalizers the object is gone at once.",
        )

    def applied(
        self, action: model.RemoveFinalizer, operations: Sequence[model.Operation], target: model.Target
    ) -> bool:
        """Gone, another one of its name (a StatefulSet's pod keeps its), or there without it."""
        known = {action.object.uid, *(op.target.uid for op in operations)}
        gone = target.object is None or fields.uid(target.object) not in known
        return gone or _position(action, target) is None


def _pairs() -> frozenset[tuple[str, str]]:
    """What may belong to what."""
    return frozenset((*(("Pod", kind) for kind in _OF_PODS), ("Job", "CronJob")))


def _owned(action: model.RemoveFinalizer, obj: model.Json, target: model.Target) -> bool:
    owner = target.owner
    return owner is not None and workloads.belongs(obj, owner, action.workload.kind, target.replicasets)


def _position(action: model.RemoveFinalizer, target: model.Target) -> int | None:
    listed = fields.value(target.object, "metadata", "finalizers")
    return listed.index(action.finalizer) if isinstance(listed, list) and action.finalizer in listed else None
