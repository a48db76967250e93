"""Editing a proposed action: which of its parameters a person may set, and the action that comes of what they entered.

Only what is typed and bounded is offered: a number, one of what ran before, a quantity. The catalogue and the policy
judge the outcome like any other action. Pure; used by `bot.flow.editing` and the modal that asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from k8s import catalogue, earlier, model, quantities, targets, workloads

Kind = Literal["number", "choice", "text"]
Editable = model.Scale | model.RolloutUndo | model.SetImage | model.SetResources | model.ResizePod
CHOICES = 40
"""Revisions to choose from; a workload keeps ten unless somebody says otherwise, and Slack shows a hundred."""

_HEALTH = {"serving": "has ready pods", "served": "had served", "unproven": "nothing shows that it worked"}
_AMOUNTS: Mapping[str, tuple[str, quantities.Resource]] = {
    "cpu_request": ("CPU request", "cpu"),
    "memory_request": ("Memory request", "memory"),
    "cpu_limit": ("CPU limit", "cpu"),
    "memory_limit": ("Memory limit", "memory"),
}
_EXAMPLES: Mapping[quantities.Resource, str] = {"cpu": "such as 500m or 2", "memory": "such as 256Mi or 1Gi"}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    """Raw: what a person reads."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter to enter, with what is proposed in it."""

    name: str
    label: str
    kind: Kind
    value: str = ""
    choices: tuple[Choice, ...] = ()
    hint: str = ""
    optional: bool = False


class Wrong(Exception):
    """What was entered makes no action: field → a sentence that says why."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(faults.values()))
        self.faults = faults


def editable(action: model.Action) -> bool:
    """Whether this action has parameters that a person may set."""
    return isinstance(action, Editable)


def fields(action: model.Action, target: model.Target) -> tuple[Field, ...]:
    """What to ask for; empty where there is nothing to set. `target`: read fresh."""
    match action:
        case model.Scale():
            now = workloads.desired(target.object or {}, action.workload.kind)
            hint = f"It has {targets.counted(now, 'replica')} now."
            return (Field("replicas", "Replicas", "number", str(action.replicas), hint=hint),)
        case model.RolloutUndo():
            return (Field("revision", "Revision", "choice", str(action.revision), revisions(target)),)
        case model.SetImage():
            ran = earlier.images(target, action.container)
            value = next((str(one.revision) for one in ran if action.image in (one.image, one.pinned)), "")
            hint = f"Images that container {action.container} ran before."
            return (Field("image", "Image", "choice", value, images(ran), hint),)
        case model.SetResources() | model.ResizePod():
            return tuple(
                Field(name, label, "text", getattr(action, name), hint=_EXAMPLES[resource], optional=True)
                for name, (label, resource) in _AMOUNTS.items()
            )
        case _:
            return ()


def edited(action: model.Action, values: Mapping[str, str], target: model.Target) -> model.Action:
    """The same action with what was entered. Raises Wrong."""
    match action:
        case model.Scale():
            changes: dict[str, object] = {"replicas": number("replicas", values)}
        case model.RolloutUndo():
            changes = {"revision": number("revision", values)}
        case model.SetImage():
            wanted = number("image", values)
            ran = next((one for one in earlier.images(target, action.container) if one.revision == wanted), None)
            if ran is None:
                raise Wrong({"image": f"Revision {wanted} is no longer there: open this once more."})
            changes = {"image": ran.best}
        case model.SetResources() | model.ResizePod():
            changes = _amounts(values)
        case _:
            raise Wrong({"": "This action has nothing that could be set."})
    return decoded(msgspec.structs.replace(action, **changes), tuple(changes))


def decoded(action: model.Action, entered: tuple[str, ...]) -> model.Action:
    """The action by the catalogue's strict rules. Raises Wrong, at the field of these that is at fault."""
    try:
        return catalogue.decode(msgspec.to_builtins(action))
    except catalogue.InvalidAction as error:
        known = error.field if error.field in entered else entered[0]
        raise Wrong({known: f"{error.reason[:1].upper()}{error.reason[1:]}."}) from error


def number(name: str, values: Mapping[str, str]) -> int:
    """A whole number that was entered. Raises Wrong."""
    text = values.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise Wrong({name: "Give a whole number."})
    return int(text)


def _amounts(values: Mapping[str, str]) -> dict[str, object]:
    """In their canonical form, so that equal amounts make equal digests; what is left empty is left alone."""
    found: dict[str, object] = {}
    faults: dict[str, str] = {}
    for name, (label, resource) in _AMOUNTS.items():
        text = values.get(name, "").strip()
        amount = quantities.parse(text, resource) if text else None
        if text and not amount:
            faults[name] = f"{label}: give a quantity above zero, {_EXAMPLES[resource]}."
        found[name] = quantities.canonical(amount, resource) if amount else ""
    if faults:
        raise Wrong(faults)
    return found


def revisions(target: model.Target) -> tuple[Choice, ...]:
    """The earlier ones by their numbers, newest first."""
    return tuple(
        Choice(str(one.number), f"{one.number} · {_HEALTH[one.health]} · {', '.join(map(_short, one.images))}")
        for one in earlier.revisions(target)[:CHOICES]
    )


def images(ran: tuple[earlier.Ran, ...]) -> tuple[Choice, ...]:
    """Each image once, with the newest revision that ran it."""
    newest = {one.best: one for one in reversed(ran)}
    chosen = sorted(newest.values(), key=lambda one: one.revision, reverse=True)[:CHOICES]
    return tuple(
        Choice(str(one.revision), f"{_short(one.best)} · revision {one.revision} · {_HEALTH[one.health]}")
        for one in chosen
    )


def _short(image: str) -> str:
    """Without the registry, and of a digest its head: what tells images of one workload apart."""
    name, at, digest = image.rpartition("/")[2].partition("@")
    return f"{name}{at}{digest[:19]}"
