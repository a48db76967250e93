"""The explicit table of remedies: all that may ever be done to a cluster, and the only way from an action to a plan.

Called by `k8s.executor` and by the stages of `bot` that propose and check actions. What is not in `REMEDIES` cannot be
decoded, planned or executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from k8s import kubectl, model, names
from k8s.actions import delete_pod, rollout_restart, rollout_undo, scale

REMEDIES: Mapping[str, model.Remedy] = MappingProxyType(
    {
        remedy.name: remedy
        for remedy in (
            rollout_restart.RolloutRestart(),
            rollout_undo.RolloutUndo(),
            delete_pod.DeletePod(),
            scale.Scale(),
        )
    }
)

_WORKLOADS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "rollout-restart": rollout_restart.KINDS,
        "rollout-undo": rollout_undo.KINDS,
        "delete-pod": delete_pod.WORKLOADS,
        "scale": scale.KINDS,
    }
)
_REFERENCES = ("workload", "pod")
_MOST = 2**31 - 1
"""The API's int32: more is no number of replicas and no revision."""


class InvalidAction(ValueError):
    """No action of the catalogue. `field` names what is wrong, e.g. `workload.name`; empty for the whole."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


def remedy_for(action: model.Action) -> model.Remedy:
    return REMEDIES[model.name_of(action)]


def decode(raw: bytes | str | Mapping[str, Any]) -> model.Action:
    """An action from JSON text or from its parsed form. Strict: unknown fields, kinds and names are refused.

    Raises InvalidAction.
    """
    try:
        tree = msgspec.json.decode(raw) if isinstance(raw, bytes | str) else dict(raw)
        action: model.Action = msgspec.convert(tree, type=model.Action)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason, _, path = str(error).partition(" - at `$")
        raise InvalidAction(path.rstrip("`").lstrip("."), reason) from error
    _check_strays(tree)
    _check(action)
    return action


def _check_strays(tree: Mapping[str, Any]) -> None:
    """Unknown fields inside a reference: msgspec refuses them in the action itself only."""
    known = set(model.ResourceRef.__struct_fields__)
    for field in _REFERENCES:
        for stray in sorted(set(tree.get(field, ())) - known):
            raise InvalidAction(f"{field}.{stray}", "no such field")


def _check(action: model.Action) -> None:
    kinds = _WORKLOADS[model.name_of(action)]
    if action.workload.kind not in kinds:
        raise InvalidAction("workload.kind", f"{action.workload.kind!r} is none of {', '.join(kinds)}")
    refs = {"workload": action.workload}
    if isinstance(action, model.DeletePod):
        refs["pod"] = action.pod
        if action.pod.kind != "Pod":
            raise InvalidAction("pod.kind", f"{action.pod.kind!r} is not Pod")
        if action.pod.namespace != action.workload.namespace:
            raise InvalidAction("pod.namespace", "is not the workload's namespace")
    for field, ref in refs.items():
        if fault := names.fault(ref):
            raise InvalidAction(f"{field}.{fault[0]}", fault[1])
    if isinstance(action, model.RolloutUndo) and not 1 <= action.revision <= _MOST:
        raise InvalidAction("revision", f"{action.revision} is no revision: a revision is named by its number, from 1")
    if isinstance(action, model.Scale) and not 0 <= action.replicas <= _MOST:
        raise InvalidAction("replicas", f"{action.replicas} is no number of replicas")


def problems(action: model.Action, target: model.Target) -> tuple[str, ...]:
    """Why this cannot or must not be done to this target: sentences; empty where it can.

    An action that was not made by `decode` is held to the same rules.
    """
    try:
        _check(action)
    except InvalidAction as error:
        return (f"This is no action of the catalogue: {error}.",)
    return tuple(remedy_for(action).problems(action, target))


def plan(action: model.Action, target: model.Target, planned_at: datetime) -> model.Plan:
    """Works the action out, with its kubectl line. Only after `problems` is empty."""
    return replace(remedy_for(action).plan(action, target, planned_at), kubectl=kubectl.line(action))


def applied(action: model.Action, operations: Sequence[model.Operation], target: model.Target) -> bool:
    """Whether the target already shows the effect of these operations (crash recovery, "already done")."""
    return remedy_for(action).applied(action, operations, target)
