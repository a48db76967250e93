"""The four amounts of a container (requests and limits of CPU and memory): what an action names, and what is there.

Shared by the modules of `k8s.actions`, which do not know each other, and by the success test of a resize. A container
is that of a template or of a pod, or its status: all three have `resources`.
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from k8s import fields, model, quantities

FACTOR = 4
"""At most so many times more, or less, in one step."""

Bound = Literal["requests", "limits"]
Action = model.SetResources | model.ResizePod


@dataclass(frozen=True, slots=True)
class Amount:
    """One of the four."""

    field: str
    bound: Bound
    resource: quantities.Resource

    @property
    def said(self) -> str:
        return f"{self.resource} {self.bound.removesuffix('s')}"

    @property
    def path(self) -> str:
        """Within the container."""
        return f"/resources/{self.bound}/{self.resource}"


AMOUNTS: Mapping[str, Amount] = MappingProxyType(
    {
        each.field: each
        for each in (
            Amount("cpu_request", "requests", "cpu"),
            Amount("memory_request", "requests", "memory"),
            Amount("cpu_limit", "limits", "cpu"),
            Amount("memory_limit", "limits", "memory"),
        )
    }
)
"""By parameter."""


def fault(action: Action) -> tuple[str, str] | None:
    """The first parameter that is no canonical amount, or that there is none at all, and why."""
    named = wanted(action)
    if not named:
        return "", "neither a request nor a limit is named"
    for amount, text in named.items():
        if not quantities.is_canonical(text, amount.resource) or not quantities.parse(text, amount.resource):
            return amount.field, f"{text!r} is no canonical quantity of {amount.resource} above zero"
    return None


def wanted(action: Action) -> dict[Amount, str]:
    """The amounts that are named, in one order."""
    return {each: text for field, each in AMOUNTS.items() if (text := getattr(action, field))}


def written(container: model.Json | None, amount: Amount) -> str:
    """What is written there; numbers may stand without quotes."""
    found = fields.value(container, "resources", amount.bound, amount.resource)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def effective(container: model.Json, amount: Amount) -> str:
    """A request that is left out is that of the limit:
    https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits"""
    found = written(container, amount)
    if found or amount.bound == "limits":
        return found
    return written(container, AMOUNTS[f"{amount.resource}_limit"])


def same(one: str, other: str, amount: Amount) -> bool:
    """The server may write an amount in another way."""
    return quantities.parse(one, amount.resource) == quantities.parse(other, amount.resource)


def shown(action: Action, container: model.Json | None) -> bool:
    """Whether the container says all that the action wants."""
    return all(same(written(container, each), text, each) for each, text in wanted(action).items())


def step_faults(action: Action, container: model.Json) -> Iterator[str]:
    """Amounts that are not there, that change too much at once, and requests above their limit."""
    named = wanted(action)
    for amount, text in named.items():
        old_text, new = effective(container, amount), quantities.parse(text, amount.resource)
        old = quantities.parse(old_text, amount.resource) if old_text else None
        if not old_text:
            yield f"Container {action.container} has no {amount.said} that could be changed."
        elif not old or new is None:
            yield f"The {amount.said} of {old_text} is nothing that {text} could be measured by."
        elif not old <= new * FACTOR or not new <= old * FACTOR:
            yield f"From {old_text} to {text} the {amount.said} changes more than {FACTOR} times in one step."
    for what in ("cpu", "memory"):
        request, limit = AMOUNTS[f"{what}_request"], AMOUNTS[f"{what}_limit"]
        asked = named.get(request) or written(container, request)
        most = named.get(limit) or written(container, limit)
        low, high = quantities.parse(asked, request.resource), quantities.parse(most, limit.resource)
        if (request in named or limit in named) and low is not None and high is not None and low > high:
            yield f"The {request.said} of {asked} would be above the {limit.said} of {most}."


def steps(action: Action, container: model.Json) -> list[model.Json]:
    """Of a JSON patch, with paths within the container: tests of what is there, then what is wanted.

    `add` on a member that exists replaces it, so applying twice is no change.
    """
    named = wanted(action)
    tests: list[model.Json] = []
    writes: list[model.Json] = []
    bare = not isinstance(fields.value(container, "resources", "requests"), dict)
    for amount, text in named.items():
        is_now = fields.value(container, "resources", amount.bound, amount.resource)
        if is_now is not None:
            tests.append({"op": "test", "path": amount.path, "value": is_now})
        if not (bare and amount.bound == "requests"):
            writes.append({"op": "add", "path": amount.path, "value": text})
    requests = {each.resource: text for each, text in named.items() if each.bound == "requests"}
    if bare and requests:
        writes.append({"op": "add", "path": "/resources/requests", "value": requests})
    return [*tests, *writes]


def shaped(found: Sequence[model.Json] | None, action: Action) -> bool:
    """Tests of what is there, and each amount of the action set once, or the requests that were not there."""
    named = wanted(action)
    allowed: list[model.Json] = [{"op": "add", "path": each.path, "value": text} for each, text in named.items()]
    requests = {each.resource: text for each, text in named.items() if each.bound == "requests"}
    whole: model.Json = {"op": "add", "path": "/resources/requests", "value": requests}
    writes = [step for step in found or () if step.get("op") != "test"]
    tested = {each.path for each in named}
    if any(step.get("path") not in tested for step in found or () if step.get("op") == "test"):
        return False
    if whole in writes and requests:
        allowed = [whole, *(step for step in allowed if "/limits/" in step["path"])]
    return bool(writes) and all(step in allowed for step in writes) and len(writes) <= len(allowed)


def before(action: Action, container: model.Json) -> dict[str, str] | None:
    """What the amounts that are named are worth now, canonically, by parameter; None where one cannot be said so."""
    found = {}
    for each in wanted(action):
        old = quantities.parse(effective(container, each), each.resource)
        if not old:
            return None
        found[each.field] = quantities.canonical(old, each.resource)
    return found


def told(action: Action, container: model.Json) -> Iterator[str]:
    """`memory limit from 256Mi to 512Mi`."""
    for amount, text in wanted(action).items():
        yield f"{amount.said} from {effective(container, amount)} to {text}"
