"""What all remedies ask of a freshly read target: is it there, is it the same object, can it be worked on; its pins.

Shared by the modules of `k8s.actions`, which do not know each other.
"""

from collections.abc import Sequence

from k8s import fields, model, workloads

STRATEGIES = frozenset(("RollingUpdate", "Recreate"))


def faults(ref: model.ResourceRef, obj: model.Json | None, kinds: Sequence[str], verb: str) -> list[str]:
    """Why nothing at all can be done to this workload: sentences, empty where something can."""
    if ref.kind not in kinds:
        return [f"A {ref.kind} cannot be {verb}: only {' and '.join(f'a {kind}' for kind in kinds)} can."]
    if obj is None:
        return [f"{ref.kind} {ref.short} is gone."]
    uid = fields.uid(obj)
    if not uid:
        return [f"{ref.kind} {ref.short} was read without a uid, so it cannot be told from a namesake."]
    if ref.uid and ref.uid != uid:
        return [f"{ref.kind} {ref.short} was deleted and created anew since this was worked out."]
    if fields.deleting(obj):
        return [f"{ref.kind} {ref.short} is being deleted."]
    return []


def replacement_faults(ref: model.ResourceRef, obj: model.Json) -> list[str]:
    """Why changing the template would not replace the pods."""
    if fields.value(obj, "spec", "paused") is True:
        return [f"{ref.kind} {ref.short} is paused: nothing would roll out until it is resumed."]
    how = workloads.strategy(obj, ref.kind)
    if how not in STRATEGIES:
        return [f"{ref.kind} {ref.short} has the update strategy {how}: its pods would stay as they are."]
    return []


def workload_ref(ref: model.ResourceRef, obj: model.Json) -> model.ResourceRef:
    """The reference with the uid that the object has now: what an operation is aimed at."""
    return model.ResourceRef(ref.kind, ref.namespace, ref.name, fields.uid(obj))


def blast(target: model.Target, obj: model.Json, kind: str, *, pods: int, note: str = "") -> model.BlastRadius:
    return model.BlastRadius(
        pods=pods,
        ready=workloads.ready(obj, kind),
        desired=workloads.desired(obj, kind),
        headroom=workloads.headroom(target),
        note=note,
    )


def counted(number: int, noun: str = "pod") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
