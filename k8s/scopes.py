"""The part of the policy that says where a hand may reach: only the incident's own workload, its owner, or its pod.

Also the last look at the operations themselves, whoever made them: each action may write one shape and no other. Called
by `k8s.guardrails` alone.
"""

from collections.abc import Sequence

from k8s import fields, model, workloads

_CHANGE_CAUSE_PATH = "/metadata/annotations/" + workloads.CHANGE_CAUSE.replace("/", "~1")


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
        elif operation.target.uid != fields.uid(target.object):
            found.append(f"{operation.target} is not the object that was read.")
        if not _within(operation.target, target, subject):
            found.append(f"{operation.target} is outside of this incident, which is about {subject}.")
        if not _shaped(operation, action):
            found.append(f"What would be written to {operation.target} is not what {model.name_of(action)} writes.")
    return found


def _exactly(ref: model.ResourceRef, other: model.ResourceRef) -> bool:
    """Same kind, namespace and name, and no uid that says otherwise."""
    named = (ref.kind, ref.namespace, ref.name) == (other.kind, other.namespace, other.name)
    return named and ref.same(other)


def _within(ref: model.ResourceRef, target: model.Target, subject: model.ResourceRef) -> bool:
    if ref.namespace != subject.namespace or not _names(ref, target.object):
        return False
    return _exactly(ref, subject) or _is_owner(ref, target, subject) or _is_pod(ref, target, subject)


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


def _is_pod(ref: model.ResourceRef, target: model.Target, subject: model.ResourceRef) -> bool:
    """Whether the operation's pod is shown by the target to belong to the subject."""
    owner = target.owner
    if ref.kind != "Pod" or owner is None or not _exactly(workloads.reference(owner, subject.kind), subject):
        return False
    return workloads.belongs(target.object or {}, owner, subject.kind, target.replicasets)


def _shaped(operation: model.Operation, action: model.Action) -> bool:
    match action:
        case model.DeletePod():
            whole = operation.verb == "delete" and operation.body is None
            return whole and operation.target.kind == "Pod" and _exactly(operation.target, action.pod)
        case model.Scale():
            whole = operation.verb == "scale" and operation.body == {"spec": {"replicas": action.replicas}}
            return whole and _exactly(operation.target, action.workload)
        case model.RolloutRestart():
            whole = operation.verb == "patch" and operation.patch_type == "merge" and _restarts(operation.body)
            return whole and _exactly(operation.target, action.workload)
        case _:
            whole = operation.verb == "patch" and operation.patch_type == "json" and _puts_template(operation.body)
            return whole and _exactly(operation.target, action.workload)


def _restarts(body: object) -> bool:
    stamp = fields.text(body, "spec", "template", "metadata", "annotations", workloads.RESTARTED_AT)
    annotations = {workloads.RESTARTED_AT: stamp}
    return bool(stamp) and body == {"spec": {"template": {"metadata": {"annotations": annotations}}}}


def _puts_template(body: object) -> bool:
    """One template, and at most the change cause beside it."""
    if not isinstance(body, list) or not all(isinstance(step, dict) for step in body):
        return False
    steps = [(step.get("op"), step.get("path")) for step in body]
    template = ("replace", "/spec/template")
    return steps in ([template], [template, ("add", _CHANGE_CAUSE_PATH)])
