"""Removing one variable from one container that in an earlier revision of this very workload did not have it.

https://kubernetes.io/docs/reference/kubectl/generated/kubectl_set/kubectl_set_env/. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import earlier, fields, model, targets, variables, workloads


class UnsetEnv(model.Remedy):
    name = "unset-env"
    action = model.UnsetEnv
    kinds = variables.KINDS
    never = "A variable that every kept revision has: the workload was never seen without it."
    check = "rollout"

    def fault(self, action: model.UnsetEnv) -> tuple[str, str] | None:
        return variables.fault(action)

    def words(self, action: model.UnsetEnv) -> tuple[str, ...]:
        ref = targets.slashed(action.workload)
        return ("set", "env", ref, f"--containers={action.container}", f"{action.variable}-")

    def shaped(self, operation: model.Operation, action: model.UnsetEnv) -> bool:
        match variables.steps(operation, action):
            case [test, {"op": "remove", "path": path, **rest}]:
                return not rest and variables.tests(test, path, action.variable)
            case _:
                return False

    def needs(self, action: model.UnsetEnv) -> model.Needs:
        return model.Needs(action.workload, revisions=True)

    def overridden(self, action: model.UnsetEnv, target: model.Target) -> str:
        there = variables.current(action, target)
        return f"Variable {action.variable} of {action.workload.short} was set again since." if there else ""

    def problems(self, action: model.UnsetEnv, target: model.Target) -> Sequence[str]:
        found = variables.problems(action, target, "freed of a variable")
        if found:
            return found
        if not variables.current(action, target):
            found.append(f"Container {action.container} of {action.workload.short} has no variable {action.variable}.")
        elif variables.before(action, target):
            found.append(f"Revision {action.revision} of {action.workload.short} had variable {action.variable} too.")
        return found

    def plan(self, action: model.UnsetEnv, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the variable is not there: `problems` says so before."""
        del now  # nothing that is written carries the time
        at = variables.position(action, target)
        if at is None:
            raise LookupError(f"no variable {action.variable}")
        steps = [
            {"op": "test", "path": f"/env/{at}/name", "value": action.variable},
            {"op": "remove", "path": f"/env/{at}"},
        ]
        summary = (
            f"Removes variable {action.variable} from container {action.container} of {action.workload.kind} "
            f"{action.workload.short}, which revision {action.revision} did not have"
        )
        container = earlier.container(workloads.template(target.object or {}), action.container)
        note = "One of the same name that comes by envFrom would then hold." if container.get("envFrom") else ""
        return variables.plan(action, target, steps, summary, note)

    def applied(self, action: model.UnsetEnv, operations: Sequence[model.Operation], target: model.Target) -> bool:
        if target.object is None or {op.target.uid for op in operations} != {fields.uid(target.object)}:
            return False
        here = earlier.container(workloads.template(target.object), action.container)
        return bool(here) and not variables.current(action, target)
