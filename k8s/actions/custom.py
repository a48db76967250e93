"""An action of somebody's own: one merge patch of the incident's workload, as an installed package works it out.

Which one is a parameter; what such a package may write at all is held by `k8s.custom_actions`. The patch is worked out
anew at the proposal, at the press and before the write, and is covered by the digest: where the package then answers
otherwise, or fails, nothing is written. In the catalogue.
"""

from collections.abc import Sequence
from datetime import datetime

from k8s import custom_actions, fields, model, targets, workloads


class CustomAction(model.Remedy):
    name = "custom"
    action = model.Custom
    kinds = custom_actions.KINDS
    never = "What an action of the catalogue does: those know more about what can go wrong."
    check = "rollout"

    def fault(self, action: model.Custom) -> tuple[str, str] | None:
        plugin = custom_actions.installed().get(action.name)
        if plugin is None:
            return "name", f"no custom action {action.name[:60]!r} is installed"
        if action.workload.kind not in plugin.kinds:
            return "workload.kind", f"{action.workload.kind!r} is none of {', '.join(plugin.kinds)}"
        reason = plugin.fault(action.parameters)
        return ("parameters", reason) if reason else None

    def words(self, action: model.Custom) -> tuple[str, ...]:
        """The patch is read from its standard input: it rests on the object, which words do not know."""
        return ("patch", targets.slashed(action.workload), "--type=merge", "--patch-file=/dev/stdin")

    def shaped(self, operation: model.Operation, action: model.Custom) -> bool:
        """Nothing but what such an action may touch, and its own mark."""
        body = operation.body
        if operation.verb != "patch" or operation.patch_type != "merge" or not isinstance(body, dict):
            return False
        annotations = fields.mapping(body, "metadata", "annotations")
        if annotations.get(custom_actions.MARK) != action.name:
            return False
        rest = {key: value for key, value in annotations.items() if key != custom_actions.MARK}
        return not custom_actions.patch_fault({**body, "metadata": {**body["metadata"], "annotations": rest}})

    def exact(self, operation: model.Operation, action: model.Custom, target: model.Target) -> bool:
        """What the package answers for this very object."""
        plugin = custom_actions.installed().get(action.name)
        if plugin is None or target.object is None:
            return False
        try:
            return bool(operation.body == plugin.patch(target.object, action.parameters))
        except custom_actions.Faulty:
            return False

    def problems(self, action: model.Custom, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "patched")
        if found or obj is None:
            return found
        plugin = custom_actions.installed()[action.name]
        try:
            found += plugin.problems(obj, action.parameters)
            patch = plugin.patch(obj, action.parameters)
            plugin.inverse(obj, action.parameters)
        except custom_actions.Faulty as fault:
            return [*found, f"Action {action.name} of {plugin.source} cannot be done: {fault}."]
        if custom_actions.merged(obj, patch) == obj:
            found.append(f"{ref.kind} {ref.short} is as {action.name} would make it.")
        return found

    def plan(self, action: model.Custom, target: model.Target, now: datetime) -> model.Plan:
        """With nothing to write where the package fails now: then it is refused."""
        del now  # nothing that is written carries the time
        obj = target.object or {}
        ref = targets.workload_ref(action.workload, obj)
        plugin = custom_actions.installed()[action.name]
        try:
            patch = plugin.patch(obj, action.parameters)
            back = plugin.inverse(obj, action.parameters)
        except custom_actions.Faulty:
            operations: tuple[model.Operation, ...] = ()
            patch, back = {}, None
        else:
            operations = (model.Operation("patch", ref, "merge", patch),)
        pods = targets.replaced(obj, ref.kind) if "template" in fields.mapping(patch, "spec") else 0
        inverse = None if back is None else model.Custom(action.workload, action.name, back)
        said = "".join(f", {name} {value}" for name, value in action.parameters)
        restarts = f" Restarts {targets.counted(pods)}, {workloads.pace(obj, ref.kind)}." if pods else ""
        return model.Plan(
            action=action,
            operations=operations,
            pins={
                "uid": ref.uid,
                "template": workloads.template_hash(workloads.template(obj)),
                "generation": str(fields.count(obj, "metadata", "generation")),
            },
            kubectl="",
            summary=f"{plugin.words.rstrip('.')}: {ref.kind} {ref.short}{said} "
            f"({action.name}, {plugin.source}).{restarts}",
            blast=targets.blast(target, obj, ref.kind, pods=pods, note=targets.outage(obj, ref.kind) if pods else ""),
            risk="high" if ref.kind == "StatefulSet" and pods else plugin.risk,
            inverse=inverse,
            irreversible="" if inverse else f"{action.name} names no way back.",
        )

    def applied(self, action: model.Custom, operations: Sequence[model.Operation], target: model.Target) -> bool:
        del action  # what was written says all
        if not operations or not targets.same_object(operations, target):
            return False
        return all(custom_actions.merged(target.object, each.body) == target.object for each in operations)
