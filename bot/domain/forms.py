"""What is entered for an action where one of a menu is not enough: numbers, amounts, a custom action's own parameters.

Pure, over one fresh read. Used by `bot.domain.choices` alone.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from bot.domain import edits, picks
from k8s import custom_actions, fields, model, quantities, workloads

GONE = "That is no longer so: open this once more."
_AMOUNTS: tuple[tuple[str, str, quantities.Resource], ...] = (
    ("cpu_limit", "limits", "cpu"),
    ("memory_limit", "limits", "memory"),
    ("cpu_request", "requests", "cpu"),
    ("memory_request", "requests", "memory"),
)


@dataclass(frozen=True, slots=True)
class Form:
    """More than one of a menu's: what to enter, and what becomes of it."""

    fields: Callable[[picks.Sight], tuple[edits.Field, ...]]
    made: Callable[[picks.Sight, Mapping[str, str]], model.Action]
    """Raises edits.Wrong."""


@dataclass(frozen=True, slots=True)
class _Container:
    """One container of one pod."""

    action: model.ResizePod
    """Without any amount."""
    label: str
    amounts: Mapping[str, str]


def scaled(seen: picks.Sight) -> Iterator[picks.Pick]:
    yield picks.Pick(model.Scale(seen.subject, workloads.desired(seen.object, seen.subject.kind) + 1))


def _scale_fields(seen: picks.Sight) -> tuple[edits.Field, ...]:
    return edits.fields(model.Scale(seen.subject, workloads.desired(seen.object, seen.subject.kind)), seen.target)


def _scale(seen: picks.Sight, values: Mapping[str, str]) -> model.Action:
    return edits.edited(model.Scale(seen.subject, 1), values, seen.target)


def autoscalers(seen: picks.Sight) -> Iterator[picks.Pick]:
    for each in seen.target.autoscalers[:1]:
        least, most = _bounds(each)
        ref = workloads.reference(each, "HorizontalPodAutoscaler")
        yield picks.Pick(model.SetAutoscaler(ref, seen.subject, least, most + 1))


def _bounds(obj: model.Json) -> tuple[int, int]:
    least = fields.number(obj, "spec", "minReplicas")
    return 1 if least is None else least, fields.count(obj, "spec", "maxReplicas")


def _autoscaler_fields(seen: picks.Sight) -> tuple[edits.Field, ...]:
    least, most = _bounds(next(iter(seen.target.autoscalers), {}))
    hint = f"It is {least} to {most} now. At most half more or less in one step."
    return (
        edits.Field("least", "At least (replicas)", "number", str(least)),
        edits.Field("most", "At most (replicas)", "number", str(most), hint=hint),
    )


def _autoscaler(seen: picks.Sight, values: Mapping[str, str]) -> model.Action:
    found = next(iter(seen.target.autoscalers), None)
    if found is None:
        raise edits.Wrong({"least": GONE})
    ref = workloads.reference(found, "HorizontalPodAutoscaler")
    least, most = edits.number("least", values), edits.number("most", values)
    return edits.decoded(model.SetAutoscaler(ref, seen.subject, least, most), ("least", "most"))


def resources(seen: picks.Sight) -> Iterator[picks.Pick]:
    """Twice of each amount that is set."""
    for container, amounts in _amounts(seen):
        for field, _, resource in _AMOUNTS:
            if amount := quantities.parse(amounts.get(field, ""), resource):
                more = quantities.canonical(amount * 2, resource)
                yield picks.Pick(model.SetResources(seen.subject, container, **{field: more}))


def _amounts(seen: picks.Sight) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What each container has set, by parameter."""
    spec = fields.mapping(workloads.template(seen.object), "spec")
    for each in (*fields.items(spec, "containers"), *fields.items(spec, "initContainers")):
        yield fields.text(each, "name"), _set(each)


def _set(container: model.Json) -> Mapping[str, str]:
    resources = fields.mapping(container, "resources")
    found = {field: fields.value(resources, bound, of) for field, bound, of in _AMOUNTS}
    return {field: str(amount) for field, amount in found.items() if amount is not None}


def _resource_fields(seen: picks.Sight) -> tuple[edits.Field, ...]:
    """The containers with what they have; left empty, an amount stays as it is."""
    here = tuple(edits.Choice(name, f"{name} · {_listed(amounts)}") for name, amounts in _amounts(seen) if amounts)
    container = edits.Field("container", "Container", "choice", here[0].value if len(here) == 1 else "", here)
    return (container, *edits.fields(model.SetResources(seen.subject, ""), seen.target))


def _listed(amounts: Mapping[str, str]) -> str:
    return ", ".join(_said(field, amounts[field]) for field, *_ in _AMOUNTS if field in amounts)


def _said(field: str, amount: str) -> str:
    return f"{field.replace('_', ' ')} {amount}"


def _set_resources(seen: picks.Sight, values: Mapping[str, str]) -> model.Action:
    container = values.get("container", "")
    if container not in picks.containers(seen):
        raise edits.Wrong({"container": GONE})
    return edits.edited(model.SetResources(seen.subject, container), values, seen.target)


def resized(seen: picks.Sight) -> Iterator[picks.Pick]:
    """A little more of what is set, by limit, by request, and by both, in each container of each pod."""
    for one in _running(seen):
        for resource in ("cpu", "memory"):
            named = [each for each in _AMOUNTS if each[2] == resource]
            for changed in (*([each] for each in named), named):
                more = {field: _more(one.amounts.get(field, ""), of) for field, _, of in changed}
                if all(more.values()):
                    yield picks.Pick(msgspec.structs.replace(one.action, **more), one.label)


def _more(text: str, resource: quantities.Resource) -> str:
    """Two hundredths more; empty for what is no amount."""
    amount = quantities.parse(text, resource)
    return quantities.canonical(amount + max(1, amount // 50), resource) if amount else ""


def _running(seen: picks.Sight) -> Iterator[_Container]:
    """Each container that serves of each pod, those of pods that are not ready first."""
    for pod in sorted(seen.target.pods, key=lambda each: (workloads.pod_ready(each), _name(each))):
        for each in fields.items(pod, "spec", "containers"):
            action = model.ResizePod(workloads.reference(pod, "Pod"), seen.subject, fields.text(each, "name"))
            if amounts := _set(each):
                yield _Container(action, f"{_name(pod)} · {action.container} · {_listed(amounts)}", amounts)


def _name(pod: model.Json) -> str:
    return fields.text(pod, "metadata", "name")


def _resize_fields(seen: picks.Sight) -> tuple[edits.Field, ...]:
    """The containers of pods with what they have; left empty, an amount stays as it is."""
    here = tuple(edits.Choice(picks.Pick(one.action).token, one.label) for one in _running(seen))
    which = edits.Field("container", "Pod and container", "choice", here[0].value if len(here) == 1 else "", here)
    return (which, *edits.fields(model.SetResources(seen.subject, ""), seen.target))


def _resize(seen: picks.Sight, values: Mapping[str, str]) -> model.Action:
    wanted = values.get("container", "")
    found = next((one.action for one in _running(seen) if picks.Pick(one.action).token == wanted), None)
    if found is None:
        raise edits.Wrong({"container": GONE})
    return edits.edited(found, values, seen.target)


SCALE = Form(_scale_fields, _scale)
AUTOSCALER = Form(_autoscaler_fields, _autoscaler)
RESOURCES = Form(_resource_fields, _set_resources)
RESIZE = Form(_resize_fields, _resize)


# --- actions of somebody's own


def custom(plugin: custom_actions.Guarded) -> Form:
    """Its parameters by their kinds; whether they fit each other is the package's to say."""

    def asked(seen: picks.Sight) -> tuple[edits.Field, ...]:
        del seen
        return tuple(_parameter(name, plugin.parameters[name]) for name in sorted(plugin.parameters))

    def made(seen: picks.Sight, values: Mapping[str, str]) -> model.Action:
        given = tuple((name, values.get(name, "").strip()) for name in sorted(plugin.parameters))
        for name, value in given:
            if not value:
                raise edits.Wrong({name: "Give a value."})
        if reason := plugin.fault(given):
            at_fault = next((name for name, _ in given if reason.endswith(f"is no {name}")), given[0][0])
            raise edits.Wrong({at_fault: f"{reason[:1].upper()}{reason[1:]}."})
        return model.Custom(seen.subject, plugin.name, given)

    return Form(asked, made)


def examples(plugin: custom_actions.Guarded) -> picks.Picks:
    """One with the least of everything; none where a parameter is free text, of which there is no example."""

    def one(seen: picks.Sight) -> Iterator[picks.Pick]:
        least = {name: _least(kind) for name, kind in plugin.parameters.items()}
        if all(least.values()):
            yield picks.Pick(model.Custom(seen.subject, plugin.name, tuple(sorted(least.items()))))

    return one


def _least(kind: custom_actions.Parameter) -> str:
    return "" if isinstance(kind, str) else str(kind[0])


def _parameter(name: str, kind: custom_actions.Parameter) -> edits.Field:
    label = name.replace("_", " ").capitalize()
    if isinstance(kind, str):
        return edits.Field(name, label, "text")
    if isinstance(kind[0], int):
        return edits.Field(name, label, "text", hint=f"A whole number, {kind[0]} to {kind[1]}.")
    return edits.Field(name, label, "choice", choices=tuple(edits.Choice(str(each), str(each)) for each in kind))
