"""Setting one variable of one container to what it was in an earlier revision of this very workload.

For when a variable was lost or changed by a rollout whose other parts must stay. What it was, a plain value or a
reference, is taken from the revision by its number; a value is never shown.
https://kubernetes.io/docs/reference/kubectl/generated/kubectl_set/kubectl_set_env/. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, targets, templates, variables, workloads


class SetEnv(model.Remedy):
    name = "set-env"
    action = model.SetEnv
    kinds = variables.KINDS
    never = "A value that no earlier revision had: new settings come by your own pipeline."
    check = "rollout"

    def fault(self, action: model.SetEnv) -> tuple[str, str] | None:
        return variables.fault(action)

    def words(self, action: model.SetEnv) -> tuple[str, ...]:
        """kubectl takes `NAME=value` from its standard input here: the value is not for showing."""
        return ("set", "env", targets.slashed(action.workload), f"--containers={action.container}", "--env=-")

    def shaped(self, operation: model.Operation, action: model.SetEnv) -> bool:
        steps = variables.steps(operation, action)
        match steps:
            case [{"op": "add", "path": "/env", "value": [entry], **rest}]:
                return not rest and variables.is_entry(entry, action.variable)
            case [{"op": "add", "path": path, "value": entry, **rest}]:
                return not rest and variables.is_index(path) and variables.is_entry(entry, action.variable)
            case [test, {"op": "replace", "path": path, "value": entry, **rest}]:
                tested = variables.tests(test, path, action.variable)
                return not rest and tested and variables.is_entry(entry, action.variable)
            case _:
                return False

    def needs(self, action: model.SetEnv) -> model.Needs:
        return model.Needs(action.workload, revisions=True)

    def overridden(self, action: model.SetEnv, target: model.Target) -> str:
        """A revision that returned goes by a new number; then nothing is left to compare with."""
        wanted, is_now = variables.before(action, target), variables.current(action, target)
        if not is_now or (wanted and is_now != wanted):
            return f"Variable {action.variable} of {action.workload.short} was changed since."
        return ""

    def problems(self, action: model.SetEnv, target: model.Target) -> Sequence[str]:
        found = variables.problems(action, target, "given a variable")
        if found:
            return found
        wanted, is_now = variables.before(action, target), variables.current(action, target)
        if not wanted:
            found.append(f"Revision {action.revision} of {action.workload.short} has no variable {action.variable}.")
        elif not variables.is_entry(wanted[0], action.variable):
            found.append(f"Variable {action.variable} of revision {action.revision} is no value and no reference.")
        elif wanted == is_now:
            found.append(f"Variable {action.variable} of {action.workload.short} is as in revision {action.revision}.")
        return found

    def plan(self, action: model.SetEnv, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the revision has no such variable: `problems` says so before."""
        del now  # nothing that is written carries the time
        wanted, is_now = variables.before(action, target), variables.current(action, target)
        if not wanted:
            raise LookupError(f"no variable {action.variable} in revision {action.revision}")
        source = templates.reference(wanted[0])
        verb = "Changes" if is_now else "Adds"
        summary = (
            f"{verb} variable {action.variable} of container {action.container} of {action.workload.kind} "
            f"{action.workload.short} {'back to' if is_now else 'as'} what revision {action.revision} has"
        )
        note = f"It comes from {source}, as that is today." if source else ""
        return variables.plan(action, target, _steps(action, target, wanted[0]), summary, note)

    def applied(self, action: model.SetEnv, operations: Sequence[model.Operation], target: model.Target) -> bool:
        entries = [entry for op in operations for entry in variables.written(op, action)]
        same = {op.target.uid for op in operations} == {fields.uid(target.object)}
        return same and bool(entries) and variables.current(action, target) == tuple(entries)


def _steps(action: model.SetEnv, target: model.Target, wanted: model.Json) -> list[model.Json]:
    at = variables.position(action, target)
    if at is not None:
        path = f"/env/{at}"
        test = {"op": "test", "path": f"{path}/name", "value": action.variable}
        return [test, {"op": "replace", "path": path, "value": wanted}]
    count = variables.count(action, workloads.template(target.object or {}))
    if not count:
        return [{"op": "add", "path": "/env", "value": [wanted]}]
    was_at = variables.position(action, target, action.revision)
    return [{"op": "add", "path": f"/env/{min(was_at or 0, count)}", "value": wanted}]
