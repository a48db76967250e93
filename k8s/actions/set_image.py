"""Setting the image of one container to one that an earlier revision of this very workload ran in it, by digest best.

For when the image is at fault and the rest of the rollout must stay. As `kubectl set image` does it, bound to the image
that is there now. https://kubernetes.io/docs/reference/kubectl/generated/kubectl_set/kubectl_set_image/. In the
catalogue.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from k8s import earlier, editing, fields, model, targets, workloads

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,510}")
_SHOWN = 3
"""Images that a refusal offers instead."""


class SetImage(model.Remedy):
    name = "set-image"
    action = model.SetImage
    kinds = KINDS
    never = "An image that this container of this workload never ran: new releases come by your own pipeline."
    check = "rollout"

    def fault(self, action: model.SetImage) -> tuple[str, str] | None:
        if _IMAGE.fullmatch(action.image) is None:
            return "image", f"{action.image!r} is not an image"
        return editing.fault(action.container)

    def words(self, action: model.SetImage) -> tuple[str, ...]:
        return ("set", "image", targets.slashed(action.workload), f"{action.container}={action.image}")

    def shaped(self, operation: model.Operation, action: model.SetImage) -> bool:
        steps = editing.steps(operation, action.container)
        if steps is None or len(steps) != 2 or not fields.text(steps[0], "value"):
            return False
        was = fields.text(steps[0], "value")
        return steps == [
            {"op": "test", "path": "/image", "value": was},
            {"op": "replace", "path": "/image", "value": action.image},
        ]

    def needs(self, action: model.SetImage) -> model.Needs:
        return model.Needs(action.workload, revisions=True)

    def overridden(self, action: model.SetImage, target: model.Target) -> str:
        is_now = _image(action, target)
        if is_now == action.image:
            return ""
        return f"Container {action.container} of {action.workload.short} was set to {is_now or 'no image'} since."

    def problems(self, action: model.SetImage, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, KINDS, "given an image")
        if found or obj is None:
            return found
        found += [*targets.staging_faults(ref, obj), *targets.replacement_faults(ref, obj)]
        where = editing.place(workloads.template(obj), action.container)
        if where is None:
            return [*found, editing.missing(ref, obj, action.container)]
        if not fields.text(where.container, "image"):
            found.append(f"Container {action.container} of {ref.short} has no image that could be changed.")
        elif fields.text(where.container, "image") == action.image:
            found.append(f"Container {action.container} of {ref.short} has image {action.image} already.")
        elif not earlier.ran(target, action.container, action.image):
            found.append(_unknown(action, target))
        return found

    def plan(self, action: model.SetImage, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the container is missing: `problems` says so before."""
        del now  # nothing that is written carries the time
        obj = target.object or {}
        where = editing.place(workloads.template(obj), action.container)
        if where is None:
            raise LookupError(f"no container {action.container}")
        ref, old = targets.workload_ref(action.workload, obj), fields.text(where.container, "image")
        pods = targets.replaced(obj, ref.kind)
        steps = [
            {"op": "test", "path": "/image", "value": old},
            {"op": "replace", "path": "/image", "value": action.image},
        ]
        recorded = workloads.current_revision(target) is not None
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "json", editing.patch(where, steps)),),
            pins={"uid": ref.uid, "template": workloads.template_hash(workloads.template(obj)), "image": old},
            kubectl="",
            summary=f"Sets the image of container {action.container} of {ref.kind} {ref.short} from {old} to "
            f"{action.image}: restarts {targets.counted(pods)}, {workloads.pace(obj, ref.kind)}.",
            blast=targets.blast(target, obj, ref.kind, pods=pods, note=_note(action, target)),
            risk=targets.template_risk(ref.kind),
            inverse=model.SetImage(action.workload, action.container, old) if recorded else None,
            irreversible="" if recorded else "The current template is no recorded revision yet: there is no way back.",
        )

    def applied(self, action: model.SetImage, operations: Sequence[model.Operation], target: model.Target) -> bool:
        same = {op.target.uid for op in operations} == {fields.uid(target.object)}
        return same and _image(action, target) == action.image


def _image(action: model.SetImage, target: model.Target) -> str:
    where = editing.place(workloads.template(target.object or {}), action.container)
    return fields.text(where.container, "image") if where else ""


def _unknown(action: model.SetImage, target: model.Target) -> str:
    now = _image(action, target)
    known = tuple(dict.fromkeys(each.best for each in earlier.images(target, action.container) if each.image != now))
    offered = f"these did: {', '.join(known[:_SHOWN])}" if known else "no other image is on record"
    name, image = action.workload.short, action.image
    return f"No earlier revision of {name} ran {image} in container {action.container} ({offered})."


def _note(action: model.SetImage, target: model.Target) -> str:
    obj, kind = target.object or {}, action.workload.kind
    told = [targets.outage(obj, kind), targets.forced(target, kind)]
    if "@" not in action.image:
        pinned = next((each.pinned for each in earlier.ran(target, action.container, action.image) if each.pinned), "")
        told.append(
            f"By its tag, which may have been moved since: that revision ran {pinned}."
            if pinned
            else "By its tag, which may have been moved since; its digest is not known."
        )
    return " ".join(filter(None, told))
