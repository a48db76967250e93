"""What all workload controllers do with pods: make them from a template, delete them, count them.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/controller_utils.go
"""

from dataclasses import dataclass

from demo.cluster.errors import ApiError
from demo.cluster.objects import (
    Object,
    clone,
    name_of,
    namespace_of,
    owner_reference,
    parse_time,
    pod_is_ready,
    pod_phase,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL, Resource
from demo.cluster.timeline import Timeline

PODS = BY_PLURAL["pods"]


def strip_nulls(template: Object) -> Object:
    """A template without `creationTimestamp: null`."""
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if v is not None}
    return {**template, "metadata": metadata}


@dataclass
class PodControl:
    """Creates and deletes pods in the name of one controller."""

    registry: Registry
    recorder: Recorder
    component: str

    def create(self, owner: Object, resource: Resource, template: Object, *, name: str = "", **spec: object) -> Object:
        """One pod of `template`, named `name` or generated. `ApiError` after recording FailedCreate."""
        template = clone(strip_nulls(template))
        metadata = template["metadata"]
        metadata["namespace"] = namespace_of(owner)
        metadata["ownerReferences"] = [owner_reference(owner, resource.api_version, resource.kind)]
        if name:
            metadata["name"] = name
        else:
            metadata["generateName"] = f"{name_of(owner)}-"
        pod = {"metadata": metadata, "spec": {**template["spec"], **spec}}
        try:
            created = self.registry.create(PODS, pod)
        except ApiError as error:
            if not error.terminating:
                self.event(resource, owner, "FailedCreate", f"Error creating: {error.message}", warning=True)
            raise
        self.event(resource, owner, "SuccessfulCreate", f"Created pod: {name_of(created)}")
        return created

    def delete(self, owner: Object, resource: Resource, pod: Object) -> None:
        try:
            self.registry.delete(PODS, namespace_of(pod), name_of(pod), DeleteOptions())
        except ApiError as error:
            self.event(resource, owner, "FailedDelete", f"Error deleting: {error.message}", warning=True)
            return
        self.event(resource, owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}")

    def event(self, resource: Resource, owner: Object, reason: str, text: str, *, warning: bool = False) -> None:
        self.recorder.event(resource.storage, owner, reason, text, (self.component, ""), warning=warning)


def ready_seconds(pod: Object, timeline: Timeline) -> float:
    """For how many simulated seconds a pod has been ready; -1 when it is not."""
    for each in (pod.get("status") or {}).get("conditions") or []:
        if each["type"] == "Ready" and each["status"] == "True":
            return timeline.since(parse_time(each["lastTransitionTime"]))
    return -1.0


def is_available(pod: Object, min_ready: int, timeline: Timeline) -> bool:
    if not pod_is_ready(pod):
        return False
    return min_ready == 0 or ready_seconds(pod, timeline) >= min_ready


def restarts(pod: Object) -> int:
    return sum(each.get("restartCount", 0) for each in (pod.get("status") or {}).get("containerStatuses") or [])


def deletion_order(pod: Object) -> tuple[object, ...]:
    """Which pod goes first when a ReplicaSet shrinks: unassigned, pending, not ready, many restarts, young.

    https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset
    """
    phases = {"Pending": 0, "Unknown": 1, "Running": 2}
    cost = (pod["metadata"].get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", "0")
    return (
        bool(pod["spec"].get("nodeName")),
        phases.get(pod_phase(pod), 2),
        pod_is_ready(pod),
        int(cost),
        -restarts(pod),
        -parse_time(pod["metadata"]["creationTimestamp"]).timestamp(),
        name_of(pod),
    )
