"""Setting requests and limits of one container: of one that is killed at its limit, or that asks for too much.

As `kubectl set resources` does it: by the template, so that every pod is replaced. Resizing pods in place (the `resize`
subresource, Kubernetes 1.33 and later) is not done: it would leave the template, and so every later pod, as it was.
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/. In the catalogue.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from k8s import editing, fields, model, quantities, targets, workloads

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
FACTOR = 4
"""At most so many times more, or less, in one step."""

Bound = Literal["requests", "limits"]


@dataclass(frozen=True, slots=True)
class _Amount:
    """One of the four amounts of a container."""

    field: str
    bound: Bound
    resource: quantities.Resource

    @property
    def said(self) -> str:
        return f"{self.resource} {self.bound.removesuffix('s')}"

    @property
    def path(self) -> str:
        return f"/resources/{self.bound}/{self.resource}"


_AMOUNTS: Mapping[str, _Amount] = MappingProxyType(
    {
        each.field: each
        for each in (
            _Amount("cpu_request", "requests", "cpu"),
            _Amount("memory_request", "requests", "memory"),
            _Amount("cpu_limit", "limits", "cpu"),
            _Amount("memory_limit", "limits", "memory"),
        )
    }
)


class SetResources(model.Remedy):
    name = "set-resources"
    action = model.SetResources
    kinds = KINDS
    never = "Hiding a leak by ever more memory, and no limit is ever added or dropped."
    check = "rollout"

    def fault(self, action: model.SetResources) -> tuple[str, str] | None:
        wanted = _wanted(action)
        if not wanted:
            return "", "neither a request nor a limit is named"
        for amount, text in wanted.items():
            if not quantities.is_canonical(text, amount.resource) or not quantities.parse(text, amount.resource):
                return amount.field, f"{text!r} is no canonical quantity of {amount.resource} above zero"
        return editing.fault(action.container)

    def words(self, action: model.SetResources) -> tuple[str, ...]:
        found = ["set", "resources", targets.slashed(action.workload), f"--containers={action.container}"]
        for bound in ("requests", "limits"):
            here = [f"{each.resource}={text}" for each, text in _wanted(action).items() if each.bound == bound]
            found += [f"--{bound}={','.join(here)}"] if here else []
        return tuple(found)

    def shaped(self, operation: model.Operation, action: model.SetResources) -> bool:
        """Tests of what is there, and each amount of the action set once, or the requests that were not there."""
        steps, wanted = editing.steps(operation, action.container), _wanted(action)
        allowed: list[model.Json] = [{"op": "add", "path": each.path, "value": text} for each, text in wanted.items()]
        requests = {each.resource: text for each, text in wanted.items() if each.bound == "requests"}
        whole: model.Json = {"op": "add", "path": "/resources/requests", "value": requests}
        written = [step for step in steps or () if step.get("op") != "test"]
        tested = {each.path for each in wanted}
        if any(step.get("path") not in tested for step in steps or () if step.get("op") == "test"):
            return False
        if whole in written and requests:
            allowed = [whole, *(step for step in allowed if "/limits/" in step["path"])]
        return bool(written) and all(step in allowed for step in written) and len(written) <= len(allowed)

    def overridden(self, action: model.SetResources, target: model.Target) -> str:
        if _shown(action, target):
            return ""
        return f"The resources of container {action.container} of {action.workload.short} were changed since."

    def problems(self, action: model.SetResources, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, KINDS, "given other resources")
        if found or obj is None:
            return found
        found += [*targets.staging_faults(ref, obj), *targets.replacement_faults(ref, obj)]
        where = editing.place(workloads.template(obj), action.container)
        if where is None:
            return [*found, editing.missing(ref, obj, action.container)]
        found += _step_faults(action, where.container)
        if not found and all(
            _same(_effective(where.container, each), text, each) for each, text in _wanted(action).items()
        ):
            found.append(f"Container {action.container} of {ref.short} has these resources already.")
        return found

    def plan(self, action: model.SetResources, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the container is missing: `problems` says so before."""
        del now  # nothing that is written carries the time
        obj = target.object or {}
        where = editing.place(workloads.template(obj), action.container)
        if where is None:
            raise LookupError(f"no container {action.container}")
        ref, pods = targets.workload_ref(action.workload, obj), targets.replaced(obj, action.workload.kind)
        inverse = _inverse(action, where.container)
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "json", editing.patch(where, _steps(action, where.container))),),
            pins={"uid": ref.uid, "template": workloads.template_hash(workloads.template(obj))},
            kubectl="",
            summary=f"Sets of container {action.container} of {ref.kind} {ref.short} the "
            f"{', the '.join(_told(action, where.container))}: restarts {targets.counted(pods)}, "
            f"{workloads.pace(obj, ref.kind)}.",
            blast=targets.blast(target, obj, ref.kind, pods=pods, note=_note(action, target)),
            risk=targets.template_risk(ref.kind),
            inverse=inverse,
            irreversible="" if inverse else "What it has now is no whole number of bytes or thousandths of a core.",
        )

    def applied(self, action: model.SetResources, operations: Sequence[model.Operation], target: model.Target) -> bool:
        same = {op.target.uid for op in operations} == {fields.uid(target.object)}
        return same and _shown(action, target)


def _wanted(action: model.SetResources) -> dict[_Amount, str]:
    """The amounts that are named, in one order."""
    return {each: text for field, each in _AMOUNTS.items() if (text := getattr(action, field))}


def _set(container: model.Json, amount: _Amount) -> str:
    """What is written there; numbers may stand without quotes."""
    found = fields.value(container, "resources", amount.bound, amount.resource)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def _effective(container: model.Json, amount: _Amount) -> str:
    """A request that is left out is that of the limit:
    https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#requests-and-limits"""
    found = _set(container, amount)
    if found or amount.bound == "limits":
        return found
    return _set(container, _AMOUNTS[f"{amount.resource}_limit"])


def _shown(action: model.SetResources, target: model.Target) -> bool:
    """Whether the template says so; the server may write an amount in another way."""
    where = editing.place(workloads.template(target.object or {}), action.container)
    if where is None:
        return False
    return all(_same(_set(where.container, each), text, each) for each, text in _wanted(action).items())


def _same(one: str, other: str, amount: _Amount) -> bool:
    return quantities.parse(one, amount.resource) == quantities.parse(other, amount.resource)


def _step_faults(action: model.SetResources, container: model.Json) -> Iterator[str]:
    """Amounts that are not there, that change too much at once, and requests above their limit."""
    wanted = _wanted(action)
    for amount, text in wanted.items():
        old_text, new = _effective(container, amount), quantities.parse(text, amount.resource)
        old = quantities.parse(old_text, amount.resource) if old_text else None
        if not old_text:
            yield f"Container {action.container} has no {amount.said} that could be changed."
        elif not old or new is None:
            yield f"The {amount.said} of {old_text} is nothing that {text} could be measured by."
        elif not old <= new * FACTOR or not new <= old * FACTOR:
            yield f"From {old_text} to {text} the {amount.said} changes more than {FACTOR} times in one step."
    for what in ("cpu", "memory"):
        request, limit = _AMOUNTS[f"{what}_request"], _AMOUNTS[f"{what}_limit"]
        asked = wanted.get(request) or _set(container, request)
        most = wanted.get(limit) or _set(container, limit)
        low, high = quantities.parse(asked, request.resource), quantities.parse(most, limit.resource)
        if (request in wanted or limit in wanted) and low is not None and high is not None and low > high:
            yield f"The {request.said} of {asked} would be above the {limit.said} of {most}."


def _steps(action: model.SetResources, container: model.Json) -> list[model.Json]:
    """`add` on a member that exists replaces it, so applying twice is no change."""
    wanted = _wanted(action)
    tests: list[model.Json] = []
    writes: list[model.Json] = []
    bare = not isinstance(fields.value(container, "resources", "requests"), dict)
    for amount, text in wanted.items():
        is_now = fields.value(container, "resources", amount.bound, amount.resource)
        if is_now is not None:
            tests.append({"op": "test", "path": amount.path, "value": is_now})
        if not (bare and amount.bound == "requests"):
            writes.append({"op": "add", "path": amount.path, "value": text})
    requests = {each.resource: text for each, text in wanted.items() if each.bound == "requests"}
    if bare and requests:
        writes.append({"op": "add", "path": "/resources/requests", "value": requests})
    return [*tests, *writes]


def _inverse(action: model.SetResources, container: model.Json) -> model.SetResources | None:
    """Where a request was left out, it is set to what it was worth."""
    amounts = {}
    for each in _wanted(action):
        old = quantities.parse(_effective(container, each), each.resource)
        if not old:
            return None
        amounts[each.field] = quantities.canonical(old, each.resource)
    return model.SetResources(action.workload, action.container, **amounts)


def _told(action: model.SetResources, container: model.Json) -> Iterator[str]:
    for amount, text in _wanted(action).items():
        yield f"{amount.said} from {_effective(container, amount)} to {text}"
    for what in ("cpu", "memory"):
        request, limit = _AMOUNTS[f"{what}_request"], _AMOUNTS[f"{what}_limit"]
        if limit in _wanted(action) and request not in _wanted(action) and not _set(container, request):
            yield f"{request.said} with it"


def _note(action: model.SetResources, target: model.Target) -> str:
    obj, kind = target.object or {}, action.workload.kind
    told = [targets.outage(obj, kind), targets.forced(target, kind)]
    if target.autoscalers and (action.cpu_request or action.memory_request):
        told.append("A HorizontalPodAutoscaler measures by the requests, and may set other replicas now.")
    return " ".join(filter(None, told))
