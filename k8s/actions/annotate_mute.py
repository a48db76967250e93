"""Muting kinds of failure of one workload: a mark on it, which every look reads (`indexing.IGNORE`).

Nothing runs differently for it; what is muted is counted in reports, and told no more. In the catalogue.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets

MARK = "watchkeeper.io/ignore"
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_MOST = 20


class AnnotateMute(model.Remedy):
    name = "annotate-mute"
    action = model.AnnotateMute
    kinds = ("Deployment", "StatefulSet", "DaemonSet")
    never = "A failure that hurts users: it goes on, and nobody is told."
    check = "field"

    def fault(self, action: model.AnnotateMute) -> tuple[str, str] | None:
        for kind in action.failures:
            if _KIND.fullmatch(kind) is None:
                return "failures", f"{kind!r} is no kind of failure"
        if list(action.failures) != sorted(set(action.failures)) or len(action.failures) > _MOST:
            return "failures", f"must be at most {_MOST} kinds, sorted, each once"
        return None

    def words(self, action: model.AnnotateMute) -> tuple[str, ...]:
        mark = f"{MARK}={','.join(action.failures)}" if action.failures else f"{MARK}-"
        return ("annotate", targets.slashed(action.workload), mark, "--overwrite")

    def shaped(self, operation: model.Operation, action: model.AnnotateMute) -> bool:
        return (operation.verb, operation.patch_type, operation.body) == ("patch", "merge", _body(action))

    def overridden(self, action: model.AnnotateMute, target: model.Target) -> str:
        return "" if _mark(target.object) == _said(action) else f"{action.workload.short} was marked otherwise since."

    def problems(self, action: model.AnnotateMute, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "muted")
        if found or obj is None:
            return found
        if _mark(obj) == _said(action):
            found.append(f"{ref.kind} {ref.short} is marked so already.")
        elif _muted(obj) is None:
            found.append(f"{ref.kind} {ref.short} is marked {MARK}: {_mark(obj)!r} by somebody, in a way of their own.")
        return found

    def plan(self, action: model.AnnotateMute, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref, before = targets.workload_ref(action.workload, obj), _muted(obj) or ()
        what = f"Mutes {', '.join(action.failures)} of" if action.failures else "Lifts the mute of"
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "merge", _body(action)),),
            pins={"uid": ref.uid, "mark": _mark(obj)},
            kubectl="",
            summary=f"{what} {ref.kind} {ref.short}: a mark on it, and no pod is touched.",
            blast=targets.blast(
                target, obj, ref.kind, pods=0, note="Nobody is told of what is muted." if action.failures else ""
            ),
            risk="medium" if action.failures else "low",
            inverse=model.AnnotateMute(action.workload, before),
        )

    def applied(self, action: model.AnnotateMute, operations: Sequence[model.Operation], target: model.Target) -> bool:
        return targets.same_object(operations, target) and _mark(target.object) == _said(action)


def _said(action: model.AnnotateMute) -> str:
    return ",".join(action.failures)


def _body(action: model.AnnotateMute) -> model.Json:
    return {"metadata": {"annotations": {MARK: _said(action) or None}}}


def _mark(obj: model.Json | None) -> str:
    return fields.annotations(obj).get(MARK, "")


def _muted(obj: model.Json) -> tuple[str, ...] | None:
    """The kinds that are muted now; None where the mark is none that is written from here."""
    mark = _mark(obj)
    kinds = tuple(mark.split(",")) if mark else ()
    return kinds if all(map(_KIND.fullmatch, kinds)) and list(kinds) == sorted(set(kinds)) else None
