"""Removing one taint from a node, by its key and its effect.

As `kubectl taint nodes x key:effect-` does it. A taint that the cluster itself sets for the state of a node comes back
at once, and one of an autoscaler says that the node is about to go: neither is removed from here.
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/. In the catalogue.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from k8s import fields, model, symptoms, targets

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_KEY = re.compile(r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?", re.ASCII)
_CLUSTERS_OWN = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
_PATH = re.compile(r"/spec/taints/(?:0|[1-9][0-9]{0,3})")


class RemoveTaint(model.Remedy):
    name = "remove-taint"
    action = model.RemoveTaint
    kinds = ("Node",)
    never = "A taint that tells of the node's state (node.kubernetes.io/…): it comes back as long as the state is so."
    check = "field"

    def fault(self, action: model.RemoveTaint) -> tuple[str, str] | None:
        if _KEY.fullmatch(action.key) is None:
            return "key", f"{action.key!r} is not the key of a taint"
        if action.effect not in EFFECTS:
            return "effect", f"{action.effect!r} is none of {', '.join(EFFECTS)}"
        return None

    def words(self, action: model.RemoveTaint) -> tuple[str, ...]:
        return ("taint", "nodes", action.workload.name, f"{action.key}:{action.effect}-")

    def shaped(self, operation: model.Operation, action: model.RemoveTaint) -> bool:
        """A test of the exact taint at its place, and its removal."""
        if (operation.verb, operation.patch_type) != ("patch", "json"):
            return False
        match operation.body:
            case [{"op": "test", "path": str(path), "value": dict(taint), **more}, {"op": "remove", **rest}]:
                named = fields.text(taint, "key") == action.key and fields.text(taint, "effect") == action.effect
                return named and not more and rest == {"path": path} and _PATH.fullmatch(path) is not None
            case _:
                return False

    def needs(self, action: model.RemoveTaint) -> model.Needs:
        return model.Needs(action.workload, members=False)

    def overridden(self, action: model.RemoveTaint, target: model.Target) -> str:
        if _position(action, target) is None:
            return ""
        return f"Node {action.workload.name} was given the taint {action.key}:{action.effect} again."

    def problems(self, action: model.RemoveTaint, target: model.Target) -> Sequence[str]:
        ref, obj = action.workload, target.object
        found = targets.faults(ref, obj, self.kinds, "freed of a taint")
        if found or obj is None:
            return found
        if action.key.startswith(_CLUSTERS_OWN):
            found.append(f"Taint {action.key} tells of the state of node {ref.name}: the cluster puts it back.")
        if action.key in symptoms.LEAVING:
            found.append(f"Taint {action.key} is an autoscaler's: node {ref.name} is about to go.")
        if _position(action, target) is None:
            found.append(f"Node {ref.name} has no taint {action.key}:{action.effect}.")
        return found

    def plan(self, action: model.RemoveTaint, target: model.Target, now: datetime) -> model.Plan:
        """Raises LookupError where the taint is not there: `problems` says so before."""
        del now  # nothing that is written carries the time
        ref, at = targets.workload_ref(action.workload, target.object or {}), _position(action, target)
        if at is None:
            raise LookupError(f"no taint {action.key}")
        path, taint = f"/spec/taints/{at}", fields.value(target.object, "spec", "taints")[at]
        steps = [{"op": "test", "path": path, "value": taint}, {"op": "remove", "path": path}]
        value = fields.text(taint, "value")
        written = f"{action.key}={value}:{action.effect}" if value else f"{action.key}:{action.effect}"
        return model.Plan(
            action=action,
            operations=(model.Operation("patch", ref, "json", steps),),
            pins={"uid": ref.uid, "taint": written},
            kubectl="",
            summary=f"Removes the taint {written} from node {ref.name}: pods that do not tolerate it may come.",
            blast=targets.nothing_touched(),
            risk="medium",
            inverse=None,
            irreversible=f"It is put back by hand: kubectl taint nodes {ref.name} {written}.",
        )

    def applied(self, action: model.RemoveTaint, operations: Sequence[model.Operation], target: model.Target) -> bool:
        return targets.same_object(operations, target) and _position(action, target) is None


def _position(action: model.RemoveTaint, target: model.Target) -> int | None:
    """Where the taint stands; a key and an effect are there once."""
    listed = fields.value(target.object, "spec", "taints")
    for index, taint in enumerate(listed if isinstance(listed, list) else ()):
        if (fields.text(taint, "key"), fields.text(taint, "effect")) == (action.key, action.effect):
            return index
    return None
