"""The catalogue of remedies: the only way from text to an action, and from an action to a plan.

Called by `k8s.executor` and by the stages of `bot` that propose and check actions. What is not in the table
(`k8s.remedies`) cannot be decoded, planned or executed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from k8s import fields, kubectl, model, remedies

REMEDIES = remedies.REMEDIES
remedy_for = remedies.remedy_for


class InvalidAction(ValueError):
    """No action of the catalogue. `field` names what is wrong, e.g. `workload.name`; empty for the whole."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


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
    _check_strays(tree, action)
    if fault := remedies.fault(action):
        raise InvalidAction(*fault)
    return action


def _check_strays(tree: Mapping[str, Any], action: model.Action) -> None:
    """Unknown fields inside a reference: msgspec refuses them in the action itself only."""
    known = set(model.ResourceRef.__struct_fields__)
    inside = [(field, tree.get(field, ())) for field in remedies.references(action)]
    inside += [(field, each) for field in remedies.listed(action) for each in tree.get(field, ())]
    for field, keys in inside:
        for stray in sorted(set(keys) - known):
            raise InvalidAction(f"{field}.{stray}", "no such field")


def problems(action: model.Action, target: model.Target) -> tuple[str, ...]:
    """Why this cannot or must not be done to this target: sentences; empty where it can.

    An action that was not made by `decode` is held to the same rules.
    """
    if fault := remedies.fault(action):
        return (f"This is no action of the catalogue: {InvalidAction(*fault)}.",)
    return tuple(remedy_for(action).problems(action, target))


def plan(action: model.Action, target: model.Target, planned_at: datetime) -> model.Plan:
    """Works the action out, with its kubectl line. Only after `problems` is empty."""
    found = remedy_for(action).plan(action, target, planned_at)
    created = next((fields.text(op.body, "metadata", "name") for op in found.operations if op.verb == "create"), "")
    return replace(found, kubectl=kubectl.line(action, created=created))


def applied(action: model.Action, operations: Sequence[model.Operation], target: model.Target) -> bool:
    """Whether the target already shows the effect of these operations (crash recovery, "already done")."""
    return remedy_for(action).applied(action, operations, target)


def halfway(action: model.Action, operations: Sequence[model.Operation], target: model.Target) -> model.Halfway | None:
    """Of an action in steps: how far it is, by what the target shows."""
    return remedy_for(action).halfway(action, operations, target)
