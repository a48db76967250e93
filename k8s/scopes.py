"""The part of the policy that says where a hand may reach: an incident's own workload, its owner, pod, Job, autoscaler;
of a node's incident, the pods that a drain moves from it, and the records of those that wait for it when it is lost.

Also the last look at the operations themselves, whoever made them: each action may write one shape and no other, which
its remedy knows. Called by `k8s.guardrails` alone.
"""

from collections.abc import Sequence

from k8s import fields, model, remedies, workloads

_MEMBERS = ("Pod", "Job")


def faults(
    action: model.Action, operations: Sequence[model.Operation], target: model.Target, subject: model.ResourceRef
) -> list[str]:
    """Sentences; empty where every operation stays within the subject and has its action's shape."""
    if not operations:
        return ["The plan writes nothing."]
    found = []
    for operation in operations:
        if not operation.target.uid:
            found.append(f"{operation.target} is not pinned by its uid.")
        elif _is_step(operation.target, action, target, subject):
            pass  # it sits on the node that was read, or is gone
        elif operation.target.uid != fields.uid(target.object):
            found.append(f"{operation.target} is not the object that was read.")
        if not (
            _is_step(operation.target, action, target, subject)
            or _is_stranded(operation.target, action, target, subject)
            or _within(operation.target, target, subject)
        ):
            found.append(f"{operation.target} is outside of this incident, which is about {subject}.")
        if not _shaped(operation, action) or not remedies.remedy_for(action).exact(operation, action, target):
            found.append(f"What would be written to {operation.target} is not what {model.name_of(action)} writes.")
    return found


def _is_step(ref: model.ResourceRef, action: model.Action, target: model.Target, subject: model.ResourceRef) -> bool:
    """Whether it is one of the pods that the action names, and nothing says that it sits elsewhere than on the node
    that the incident is about. One that was not read is gone from there; the executor writes to none that it has not
    seen there right before."""
    if not isinstance(action, model.Drain) or ref not in action.pods or not _exactly(action.workload, subject):
        return False
    if not _exactly(workloads.reference(target.object or {}, "Node"), subject):
        return False
    seen = next((pod for pod in target.pods if fields.uid(pod) == ref.uid), None)
    return seen is None or (_names(ref, seen) and fields.text(seen, "spec", "nodeName") == subject.name)


def _is_stranded(
    ref: model.ResourceRef, action: model.Action, target: model.Target, subject: model.ResourceRef
) -> bool:
    """Whether it is the record of a pod that waits for the lost node that the incident is about: the trouble of its
    pods is told there (`k8s.folding`). Only where that very node was read beside it; every other action on a pod of a
    workload needs an incident of that workload."""
    if not isinstance(action, model.ForceDeletePod) or ref != action.pod or action.node != subject.name:
        return False
    if not any(_exactly(workloads.reference(each, "Node"), subject) for each in _nodes(target)):
        return False
    return _names(ref, target.object) and fields.text(target.object, "spec", "nodeName") == subject.name


def _nodes(target: model.Target) -> list[model.Json]:
    return [each for each in target.extras if each.get("kind") == "Node"]


def _exactly(ref: model.ResourceRef, other: model.ResourceRef) -> bool:
    """Same kind, namespace and name, and no uid that says otherwise."""
    named = (ref.kind, ref.namespace, ref.name) == (other.kind, other.namespace, other.name)
    return named and ref.same(other)


def _within(ref: model.ResourceRef, target: model.Target, subject: model.ResourceRef) -> bool:
    if ref.namespace != subject.namespace or not _names(ref, target.object):
        return False
    return _exactly(ref, subject) or _is_owner(ref, target, subject) or _is_member(ref, target, subject)


def _names(ref: model.ResourceRef, obj: model.Json | None) -> bool:
    """Whether the object that was read is called what the operation calls it."""
    return (fields.text(obj, "metadata", "namespace"), fields.text(obj, "metadata", "name")) == (
        ref.namespace,
        ref.name,
    )


def _is_owner(ref: model.ResourceRef, target: model.Target, subject: model.ResourceRef) -> bool:
    """Whether the subject, a pod or a ReplicaSet, is shown by the target to belong to the workload of the operation."""
    obj = target.object or {}
    candidates = {"Pod": target.pods, "ReplicaSet": target.replicasets}.get(subject.kind, ())
    for candidate in candidates:
        if not _exactly(workloads.reference(candidate, subject.kind), subject):
            continue
        if workloads.belongs(candidate, obj, ref.kind, target.replicasets):
            return True
    return False


def _is_member(ref: model.ResourceRef, target: model.Target, subject: model.ResourceRef) -> bool:
    """Whether the operation's pod, Job or autoscaler is shown by the target to belong to the subject."""
    owner, obj = target.owner, target.object or {}
    if owner is None or not _exactly(workloads.reference(owner, subject.kind), subject):
        return False
    if ref.kind == "HorizontalPodAutoscaler":
        return workloads.scales(obj, subject)
    return ref.kind in _MEMBERS and workloads.belongs(obj, owner, subject.kind, target.replicasets)


def _shaped(operation: model.Operation, action: model.Action) -> bool:
    remedy = remedies.remedy_for(action)
    aimed = [remedy.needs(action).object, *(ref for refs in remedies.listed(action).values() for ref in refs)]
    return any(_exactly(operation.target, each) for each in aimed) and remedy.shaped(operation, action)
