"""Running one command of the policy's list in a container: once, as argv, never by a shell. Off by default.

The action names the entry and has its argv, so that the digest covers what will be run, word by word; that the policy
lists exactly this for the place is judged by `k8s.guardrails`. The API server cannot try a command out and binds it to
no uid, and whether it ran cannot be seen afterwards: so it is sent once and never again. In the catalogue.
https://kubernetes.io/docs/tasks/debug/debug-application/get-shell-running-container/
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import commands, editing, fields, members, model, targets

UNTRIED = "The API server cannot try a command out; this is exactly what will run."


class ExecCommand(model.Remedy):
    name = "exec-command"
    action = model.ExecCommand
    kinds = members.WORKLOADS
    never = "A command that somebody would have to watch or answer, or one whose effect must outlive the container."
    check = "replicas"
    writes = "exec"
    seen = False

    def objects(self, kind: str) -> tuple[str, ...]:
        del kind
        return ("Pod",)

    def fault(self, action: model.ExecCommand) -> tuple[str, str] | None:
        if not action.command or len(action.command) > 63:
            return "command", "is no name of the policy's list"
        if found := commands.fault(action.argv):
            return "argv", f"it {found}"
        if not 1 <= action.seconds <= commands.LONGEST_S:
            return "seconds", f"is not 1 to {commands.LONGEST_S}"
        return members.fault(action) or editing.fault(action.container)

    def words(self, action: model.ExecCommand) -> tuple[str, ...]:
        return ("exec", targets.slashed(action.pod), f"--container={action.container}", "--", *action.argv)

    def shaped(self, operation: model.Operation, action: model.ExecCommand) -> bool:
        return operation.verb == "exec" and operation.patch_type is None and operation.body == _body(action)

    def needs(self, action: model.ExecCommand) -> model.Needs:
        return model.Needs(action.pod, owner=action.workload)

    def problems(self, action: model.ExecCommand, target: model.Target) -> Sequence[str]:
        pod = target.object
        found = targets.faults(action.pod, pod, ("Pod",), "given a command to run")
        if found or pod is None:
            return found
        found = members.ownership_faults(action, pod, target)
        if _container(action, pod) is None:
            return [*found, f"Pod {action.pod.short} has no container {action.container}."]
        if not _running(action, pod):
            found.append(f"Container {action.container} of pod {action.pod.short} is not running.")
        return found

    def plan(self, action: model.ExecCommand, target: model.Target, now: datetime) -> model.Plan:
        del now  # nothing that is written carries the time
        pod = target.object or {}
        ref = targets.workload_ref(action.pod, pod)
        return model.Plan(
            action=action,
            operations=(model.Operation("exec", ref, None, _body(action)),),
            pins={**members.pins(ref, pod), "image": fields.text(_container(action, pod), "image")},
            kubectl="",
            summary=f"Runs {commands.line(action.argv)} once in container {action.container} of pod {ref.name}, "
            f"without a shell, and waits for it for at most {action.seconds} s.",
            blast=targets.blast(target, target.owner or {}, action.workload.kind, pods=0, note=UNTRIED),
            risk="medium",
            inverse=None,
            irreversible="What a command has done cannot be taken back from here.",
        )

    def applied(self, action: model.ExecCommand, operations: Sequence[model.Operation], target: model.Target) -> bool:
        """Whether it ran cannot be seen."""
        del action, operations, target
        return False


def _body(action: model.ExecCommand) -> model.Json:
    return {"container": action.container, "command": list(action.argv), "seconds": action.seconds}


def _container(action: model.ExecCommand, pod: model.Json) -> model.Json | None:
    here = fields.items(pod, "spec", "containers")
    return next((each for each in here if fields.text(each, "name") == action.container), None)


def _running(action: model.ExecCommand, pod: model.Json) -> bool:
    return fields.text(pod, "status", "phase") == "Running" and any(
        fields.text(each, "name") == action.container and isinstance(fields.value(each, "state", "running"), dict)
        for each in fields.items(pod, "status", "containerStatuses")
    )
