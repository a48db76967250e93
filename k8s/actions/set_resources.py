"""Setting requests and limits of one container: of one that is killed at its limit, or that asks for too much.

As `kubectl set resources` does it: by the template, so that every pod is replaced. One pod alone, as it runs and until
it is replaced, is what `resize-pod` is for.
https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/. In the catalogue.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from k8s import amounts, editing, fields, model, targets, workloads

KINDS = ("Deployment", "StatefulSet", "DaemonSet")


class SetResources(model.Remedy):
    name = "set-resources"
    action = model.SetResources
    kinds = KINDS
    never = "Hiding a leak by ever more memory, and no limit is ever added or dropped."
    check = "rollout"

    def fault(self, action: model.SetResources) -> tuple[str, str] | None:
        return amounts.fault(action) or editing.fault(action.container)

    def words(self, action: model.SetResources) -> tuple[str, ...]:
        found = ["set", "resources", targets.slashed(action.workload), f"--containers={action.container}"]
        for bound in ("requests", "limits"):
            here = [f"{each.resource}={text}" for each, text in amounts.wanted(action).items() if each.bound == bound]
            found += [f"--{bound}={','.join(here)}"] if here else []
        return tuple(found)

    def shaped(self, operation: model.Operation, action: model.SetResources) -> bool:
        return amounts.shaped(editing.steps(operation, action.container), action)

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
        found += amounts.step_faults(action, where.container)
        if not found and all(
            amounts.same(amounts.effective(where.container, each), text, each)
            for each, text in amounts.wanted(action).items()
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
        before = amounts.before(action, where.container)
        inverse = None if before is None else model.SetResources(action.workload, action.container, **before)
        return model.Plan(
            action=action,
            operations=(
                model.Operation("patch", ref, "json", editing.patch(where, amounts.steps(action, where.container))),
            ),
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


def _shown(action: model.SetResources, target: model.Target) -> bool:
    """Whether the template says so."""
    where = editing.place(workloads.template(target.object or {}), action.container)
    if where is None:
        return False
    return amounts.shown(action, where.container)


def _told(action: model.SetResources, container: model.Json) -> Iterator[str]:
    yield from amounts.told(action, container)
    for what in ("cpu", "memory"):
        request, limit = amounts.AMOUNTS[f"{what}_request"], amounts.AMOUNTS[f"{what}_limit"]
        if (
            limit in amounts.wanted(action)
            and request not in amounts.wanted(action)
            and not amounts.written(container, request)
        ):
            yield f"{request.said} with it"


def _note(action: model.SetResources, target: model.Target) -> str:
    obj, kind = target.object or {}, action.workload.kind
    told = [targets.outage(obj, kind), targets.forced(target, kind)]
    if target.autoscalers and (action.cpu_request or action.memory_request):
        told.append("A HorizontalPodAutoscaler measures by the requests, and may set other replicas now.")
    return " ".join(filter(None, told))
