"""What holds for every remedy of one pod or one Job of a workload: whose it is, and whether it may be ended at all.

Shared by the modules of `k8s.actions`, which do not know each other.
"""

from collections.abc import Sequence

from k8s import fields, jobs, model, objects, workloads

CONTROLLERS = ("ReplicaSet", "StatefulSet", "DaemonSet")
"""A Job's pod is work in progress that counts against its retries, so it is left alone."""
WORKLOADS = ("Deployment", *CONTROLLERS)

OfPod = (
    model.DeletePod | model.EvictPod | model.ForceDeletePod | model.RestartOnNode | model.ExecCommand | model.ResizePod
)
OfJob = model.DeleteJob | model.RerunJob
LOST = "The pod and what it holds in memory and in emptyDir volumes are gone."


def fault(action: OfPod) -> tuple[str, str] | None:
    """Whether it names a pod, of the workload's namespace."""
    if action.pod.kind != "Pod":
        return "pod.kind", f"{action.pod.kind!r} is not Pod"
    if action.pod.namespace != action.workload.namespace:
        return "pod.namespace", "is not the workload's namespace"
    return None


def ownership_faults(action: OfPod, pod: model.Json, target: model.Target) -> list[str]:
    """Why nothing would put another pod in its place."""
    controller = fields.controller(pod)
    if objects.MIRROR in fields.annotations(pod) or (controller is not None and controller.kind == "Node"):
        return [f"Pod {action.pod.short} is a static pod of its node: deleting it does not restart it."]
    if controller is None:
        return [f"Pod {action.pod.short} has no controller: nothing would put a new one in its place."]
    if controller.kind not in CONTROLLERS:
        return [f"Pod {action.pod.short} belongs to a {controller.kind}, whose pods are not deleted from here."]
    owner = target.owner
    if owner is None or action.workload.kind not in WORKLOADS:
        return [f"The workload of pod {action.pod.short} is gone: nothing would put a new one in its place."]
    if action.workload.uid and action.workload.uid != fields.uid(owner):
        return [f"{action.workload.kind} {action.workload.short} was created anew since this was worked out."]
    if not workloads.belongs(pod, owner, action.workload.kind, target.replicasets):
        return [f"Pod {action.pod.short} is not a pod of {action.workload.kind} {action.workload.short}."]
    if fields.deleting(owner) or workloads.desired(owner, action.workload.kind) == 0:
        return [f"{action.workload.kind} {action.workload.short} is going away, so no new pod would come."]
    return []


def pins(ref: model.ResourceRef, pod: model.Json) -> dict[str, str]:
    """The pod, and whose it is."""
    controller = fields.controller(pod)
    return {"uid": ref.uid, "owner": controller.uid if controller else ""}


def risk(action: OfPod, pod: model.Json) -> model.RiskTier:
    """Of one pod that goes: what serves, or holds data, is worth a second thought."""
    return "medium" if workloads.pod_ready(pod) or action.workload.kind == "StatefulSet" else "low"


def note(action: OfPod, pod: model.Json) -> str:
    """What the new pod has in common with the old one."""
    node = fields.text(pod, "spec", "nodeName")
    if action.workload.kind == "DaemonSet" and node:
        return f"The new pod will run on the same node, {node}: this does not help where the node is the cause."
    if action.workload.kind == "StatefulSet":
        return "The new pod has the same name and volumes, and comes only when the old one has wholly ended."
    return ""


def replaced(action: OfPod, operations: Sequence[model.Operation], target: model.Target) -> bool:
    """Gone, or replaced by a namesake: a StatefulSet's pod keeps its name."""
    pod = target.object
    return pod is None or fields.uid(pod) not in {action.pod.uid, *(op.target.uid for op in operations)}


# --- Jobs -----------------------------------------------------------------------------------------------------------


def job_fault(action: OfJob) -> tuple[str, str] | None:
    """Whether it names a Job, of the workload's namespace; and the same one twice, where it is its own workload."""
    if action.job.kind != "Job":
        return "job.kind", f"{action.job.kind!r} is not Job"
    if action.job.namespace != action.workload.namespace:
        return "job.namespace", "is not the workload's namespace"
    if action.workload.kind == "Job" and action.workload != action.job:
        return "workload.name", "is another Job"
    return None


def job_faults(action: OfJob, job: model.Json, target: model.Target) -> list[str]:
    """Why this is no Job that failed and belongs to the workload."""
    if jobs.ended(job) != "failed":
        state = "is complete" if jobs.ended(job) else "has not ended"
        return [f"Job {action.job.short} {state}: this is for one that failed."]
    if action.workload == action.job:
        controller = fields.controller(job)
        return [] if controller is None else [f"Job {action.job.short} belongs to {controller.kind} {controller.name}."]
    owner = target.owner
    if owner is None or not workloads.belongs(job, owner, action.workload.kind, ()):
        return [f"Job {action.job.short} is not a Job of {action.workload.kind} {action.workload.short}."]
    if action.workload.uid and action.workload.uid != fields.uid(owner):
        return [f"{action.workload.kind} {action.workload.short} was created anew since this was worked out."]
    return []
