"""Puts one environment variable of one container back to what it was in an earlier revision, or takes it away again.

What `k8s.actions.set_env` and `unset_env`, which do not know each other, have in common. A value may be a secret: it is
in the operation, and in no sentence, pin, parameter or kubectl line.
"""

import re
from collections.abc import Sequence

from k8s import earlier, editing, fields, model, targets, workloads

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
Action = model.SetEnv | model.UnsetEnv

_VARIABLE = re.compile(r"[A-Za-z_.][-._A-Za-z0-9]{0,252}")
_MOST = 2**31 - 1
_INDEX = re.compile(r"/env/(?:0|[1-9][0-9]{0,4})")
_KEYS = ({"name"}, {"name", "value"}, {"name", "valueFrom"})


def fault(action: Action) -> tuple[str, str] | None:
    """Names and numbers that cannot be.

    https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/
    """
    if _VARIABLE.fullmatch(action.variable) is None:
        return "variable", f"{action.variable!r} is not a variable's name"
    if not 1 <= action.revision <= _MOST:
        return "revision", f"{action.revision} is no revision: a revision is named by its number, from 1"
    return editing.fault(action.container)


def current(action: Action, target: model.Target) -> tuple[model.Json, ...]:
    """The entries of the variable as they are now."""
    return earlier.variable(workloads.template(target.object or {}), action.container, action.variable)


def before(action: Action, target: model.Target) -> tuple[model.Json, ...] | None:
    """The entries of the variable in the revision; None where that, or the container in it, is not there."""
    revision = earlier.revision(target, action.revision)
    if revision is None or not earlier.container(revision.template, action.container):
        return None
    return earlier.variable(revision.template, action.container, action.variable)


def problems(action: Action, target: model.Target, verb: str) -> list[str]:
    """What stands in the way of both."""
    ref, obj = action.workload, target.object
    found = targets.faults(ref, obj, KINDS, verb)
    if found or obj is None:
        return found
    found += [*targets.staging_faults(ref, obj), *targets.replacement_faults(ref, obj)]
    if editing.place(workloads.template(obj), action.container) is None:
        return [*found, editing.missing(ref, obj, action.container)]
    here = workloads.current_revision(target)
    if before(action, target) is None:
        kept = ", ".join(str(each.number) for each in workloads.revisions(target)) or "none"
        wanted = f"revision {action.revision} with container {action.container}"
        found.append(f"{ref.kind} {ref.short} has no {wanted} (it has {kept}).")
    elif here is not None and here.number == action.revision:
        found.append(f"Revision {action.revision} of {ref.short} is the current one.")
    if len(current(action, target)) > 1 or len(before(action, target) or ()) > 1:
        found.append(f"Variable {action.variable} stands more than once in container {action.container}.")
    return found


def plan(action: Action, target: model.Target, steps: Sequence[model.Json], summary: str, note: str) -> model.Plan:
    """Raises LookupError where the container or the revision is missing: `problems` says so before."""
    obj = target.object or {}
    where, old = editing.place(workloads.template(obj), action.container), earlier.revision(target, action.revision)
    if where is None or old is None:
        raise LookupError(f"no container {action.container} or no revision {action.revision}")
    ref, pods = targets.workload_ref(action.workload, obj), targets.replaced(obj, action.workload.kind)
    here = workloads.current_revision(target)
    back: type[Action] = model.SetEnv if current(action, target) else model.UnsetEnv
    inverse = back(action.workload, action.container, action.variable, here.number) if here else None
    told = (targets.outage(obj, ref.kind), targets.forced(target, ref.kind), note)
    return model.Plan(
        action=action,
        operations=(model.Operation("patch", ref, "json", editing.patch(where, steps)),),
        pins={
            "uid": ref.uid,
            "template": workloads.template_hash(workloads.template(obj)),
            "revision": str(here.number) if here else "",
            "target template": workloads.template_hash(old.template),
        },
        kubectl="",
        summary=f"{summary}: restarts {targets.counted(pods)}, {workloads.pace(obj, ref.kind)}.",
        blast=targets.blast(target, obj, ref.kind, pods=pods, note=" ".join(filter(None, told))),
        risk=targets.template_risk(ref.kind),
        inverse=inverse,
        irreversible="" if inverse else "The current template is no recorded revision yet: there is no way back.",
    )


def position(action: Action, target: model.Target, number: int = 0) -> int | None:
    """Where the variable stands in its container: now, or in the revision of this number. A variable may refer to those
    before it, so the order matters. None where it is not there."""
    revision = earlier.revision(target, number) if number else None
    template = workloads.template(target.object or {}) if revision is None else revision.template
    listed = fields.value(earlier.container(template, action.container), "env")
    found = listed if isinstance(listed, list) else []
    return next((at for at, each in enumerate(found) if fields.text(each, "name") == action.variable), None)


def count(action: Action, template: model.Json) -> int:
    """How many variables the container has."""
    listed = fields.value(earlier.container(template, action.container), "env")
    return len(listed) if isinstance(listed, list) else 0


def steps(operation: model.Operation, action: Action) -> list[model.Json]:
    """The steps of such a patch, relative to the container; none where it is no such patch."""
    return editing.steps(operation, action.container) or []


def written(operation: model.Operation, action: Action) -> list[model.Json]:
    """The entries that the operation puts in."""
    found: list[model.Json] = []
    for step in steps(operation, action):
        value = step.get("value")
        if step.get("op") in ("add", "replace"):
            found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
    return found


def is_entry(value: object, variable: str) -> bool:
    """Whether this is one variable of this name, plain or by reference."""
    return isinstance(value, dict) and fields.text(value, "name") == variable and set(value) in _KEYS


def tests(step: object, path: object, variable: str) -> bool:
    """Whether the step makes sure that this variable stands there. Its value is no part of it, nor of any record."""
    return is_index(path) and step == {"op": "test", "path": f"{path}/name", "value": variable}


def is_index(path: object) -> bool:
    return isinstance(path, str) and _INDEX.fullmatch(path) is not None
