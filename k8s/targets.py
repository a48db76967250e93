"""What all remedies ask of a freshly read target: is it there, is it the same object, can it be worked on; its pins.

Shared by the modules of `k8s.actions`, which do not know each other.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

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


def ending_faults(ref: model.ResourceRef, obj: model.Json | None, overdue: timedelta, now: datetime) -> list[str]:
    """Why this is no object that has been waiting so long to be gone: sentences; empty where it has."""
    if obj is None:
        return [f"{ref.kind} {ref.short} is gone."]
    uid = fields.uid(obj)
    if not uid or (ref.uid and ref.uid != uid):
        return [f"{ref.kind} {ref.short} was deleted and created anew since this was worked out."]
    since = fields.moment(obj, "metadata", "deletionTimestamp")
    if since is None:
        return [f"{ref.kind} {ref.short} is not being deleted."]
    if now - since < overdue:
        return [f"{ref.kind} {ref.short} has been on its way out for less than {overdue // timedelta(minutes=1)} min."]
    return []


def listed(texts: object) -> str:
    """The strings of a list, one after another; whatever else stands in it is left out."""
    return ", ".join(text for text in texts if isinstance(text, str)) if isinstance(texts, list) else ""


def nothing_touched(note: str = "") -> model.BlastRadius:
    """Of what runs no pods itself, or whose pods are left alone."""
    return model.BlastRadius(pods=0, ready=0, desired=0, note=note)


def patched(ref: model.ResourceRef, body: model.Json) -> tuple[str, ...]:
    """The words for a merge patch: `patch node/x --type=merge -p {…}`."""
    return ("patch", slashed(ref), "--type=merge", "-p", msgspec.json.encode(body).decode())


def same_object(operations: Sequence[model.Operation], target: model.Target) -> bool:
    """Whether what was read is what all of these were aimed at."""
    return {op.target.uid for op in operations} == {fields.uid(target.object)}


def replacement_faults(ref: model.ResourceRef, obj: model.Json) -> list[str]:
    """Why changing the template would not replace the pods."""
    if fields.value(obj, "spec", "paused") is True:
        return [f"{ref.kind} {ref.short} is paused: nothing would roll out until it is resumed."]
    how = workloads.strategy(obj, ref.kind)
    if how not in STRATEGIES:
        return [f"{ref.kind} {ref.short} has the update strategy {how}: its pods would stay as they are."]
    return []


def staging_faults(ref: model.ResourceRef, obj: model.Json) -> list[str]:
    """Why a change of the template would reach no pod of a StatefulSet whose rollout is staged."""
    partition = workloads.partition(obj, ref.kind)
    if partition and partition >= workloads.desired(obj, ref.kind):
        return [f"{ref.kind} {ref.short} has partition {partition}: none of its pods would be restarted."]
    return []


def replaced(obj: model.Json, kind: str) -> int:
    """How many pods a change of the template replaces."""
    return max(0, workloads.desired(obj, kind) - workloads.partition(obj, kind))


def outage(obj: model.Json, kind: str) -> str:
    """How bad it gets while all pods are replaced; "" where some stay ready."""
    if workloads.ready(obj, kind) == 0:
        return "Nothing is ready now, so nothing is lost."
    if workloads.unavailable_at_once(obj, kind) >= workloads.desired(obj, kind):
        return "For a while no pod will be ready."
    return ""


def forced(target: model.Target, kind: str) -> str:
    """The catch of a StatefulSet that replaces its pods in order: a stuck one may have to be deleted by hand.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    obj = target.object or {}
    ordered = fields.text(obj, "spec", "podManagementPolicy") != "Parallel"
    if kind == "StatefulSet" and ordered and workloads.ready(obj, kind) < workloads.desired(obj, kind):
        return "Pods go in order: one that is stuck may have to be deleted before the next one is replaced."
    return ""


def template_risk(kind: str) -> model.RiskTier:
    """Of a change that every pod is replaced for. Members of a StatefulSet hold data, and go one by one."""
    return "high" if kind == "StatefulSet" else "medium"


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


def slashed(ref: model.ResourceRef) -> str:
    """`deployment/api`: how kubectl is told one object."""
    return f"{ref.kind.lower()}/{ref.name}"


def counted(number: int, noun: str = "pod") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
