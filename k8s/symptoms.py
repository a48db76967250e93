"""What several detectors need to read a pod, a rollout or a text of the cluster the same way.

Pure. Called by `k8s.detectors` (and, for `KindInfo`, by `k8s.detection`). Every function takes what real clusters send:
nulls, missing parts, absurd numbers, timestamps from the future.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from k8s import containers, model, objects

DEFAULT_DEADLINE = timedelta(seconds=600)
"""progressDeadlineSeconds of a Deployment that does not set it (Deployment reference, `spec`)."""

REVISION = "deployment.kubernetes.io/revision"

LEAVING = frozenset({"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"})
"""Taints of a node that an autoscaler drains and is about to delete."""


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What is fixed about one failure kind: its defaults and the page that explains it."""

    kind: str
    severity: model.Severity
    grace: timedelta
    doc: str
    condition: str
    """When it is found, in a few words for a table."""
    unless: str = ""
    """When its detector says another severity than the default, and which; empty where it never does."""
    on: bool = True
    """Whether it is looked for unless a person turns it off; else only where a person turns it on."""
    report_only: bool = False
    """Whether its findings are told and never make an incident."""
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The beginning of a cause → lists that its findings rest on besides those of their detector."""
    source: str = ""
    """Where a kind of somebody's own comes from: `file:line`, or an entry point; empty for the catalogue."""


def troubled(pod: objects.Pod) -> bool:
    """Whether a pod needs a closer look: not finished, not being deleted, and not simply running without a restart."""
    status = pod.status
    if pod.metadata.deletion_timestamp or status.phase == "Succeeded":
        return False
    if status.phase != "Running":
        return True
    for container in status.container_statuses or ():
        if not container.ready or container.restart_count or _ended_before(container):
            return True
    for container in status.init_container_statuses or ():
        if container.restart_count or not container.ready or _ended_before(container):
            return True
    return bool(status.ephemeral_container_statuses)


def _ended_before(status: objects.ContainerStatus) -> bool:
    return status.last_state is not None and status.last_state.terminated is not None


def living(pod: objects.Pod) -> bool:
    """Whether the pod still has a life before it: neither finished, failed nor being deleted."""
    return pod.status.phase not in ("Succeeded", "Failed") and not pod.metadata.deletion_timestamp


def ready(pod: objects.Pod) -> bool:
    """Whether the pod serves: its Ready condition is True and it is not going away."""
    condition = objects.condition(pod.status.conditions, "Ready")
    return condition is not None and condition.status == "True" and not pod.metadata.deletion_timestamp


def unready_since(pod: objects.Pod) -> datetime | None:
    """When the pod last stopped being ready (or was made, where it never was)."""
    for kind in ("ContainersReady", "Ready"):
        condition = objects.condition(pod.status.conditions, kind)
        if condition is not None and condition.status != "True":
            moment = objects.moment(condition.last_transition_time)
            if moment is not None:
                return moment
    return objects.moment(pod.status.start_time) or objects.moment(pod.metadata.creation_timestamp)


def reference(kind: str, meta: objects.Meta) -> model.ResourceRef:
    return model.ResourceRef(kind, meta.namespace, meta.name, meta.uid)


def pods_under(index: model.Index, owner: model.ResourceRef) -> list[objects.Pod]:
    """The pods of a workload: its own, and those of its ReplicaSets."""
    found = list(index.pods(owner))
    for replicaset in index.replicasets(owner):
        found.extend(index.pods(reference("ReplicaSet", replicaset.metadata)))
    return found


def unserved(index: model.Index, owner: model.ResourceRef) -> bool:
    """Whether nothing of this owner is ready although something should be. A Job serves nobody, so it never is.

    Where the owner's own counts are not known (a custom controller, a bare pod), its pods are asked.
    """
    if owner.kind in ("Job", "CronJob"):
        return False
    counts = index.ready(owner)
    if counts is not None:
        return counts[0] <= 0 < counts[1]
    return not any(ready(pod) for pod in pods_under(index, owner))


def rolling(deployment: objects.Workload) -> bool:
    """Whether a rollout of a Deployment runs and is within its deadline, by the controller's own word.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status. A paused one
    is not rolling.
    """
    if deployment.spec.paused:
        return False
    if unobserved(deployment):
        return True
    progressing = objects.condition(deployment.status.conditions, "Progressing")
    if progressing is None:
        return outdated(deployment)
    return progressing.status == "True" and progressing.reason != "NewReplicaSetAvailable"


def unobserved(workload: objects.Workload) -> bool:
    """Whether its controller has not yet seen the present specification, so that its status speaks of an older one."""
    generation, observed = workload.metadata.generation, workload.status.observed_generation
    return generation is not None and observed is not None and observed < generation


def outdated(workload: objects.Workload) -> bool:
    """Whether some replicas are still to be replaced by the present template."""
    updated = workload.status.updated_replicas or 0
    return updated < desired(workload) or (workload.status.replicas or 0) > updated


def desired(workload: objects.Workload) -> int:
    """Replicas asked for; the API's default is 1."""
    return 1 if workload.spec.replicas is None else workload.spec.replicas


def seconds(value: int | None, default: timedelta) -> timedelta:
    """A number of seconds from the API, within what a timedelta and common sense hold (ten years)."""
    if value is None or not 0 <= value <= 315_360_000:
        return default
    return timedelta(seconds=value)


def first_seen(event: objects.Event) -> datetime | None:
    """When an event first happened, from whichever of its times is set."""
    return (
        objects.moment(event.first_timestamp)
        or objects.moment(event.event_time)
        or objects.moment(event.metadata.creation_timestamp)
        or objects.last_seen(event)
    )


def earliest(now: datetime, *moments: datetime | None) -> datetime:
    """The first of the known moments; `now` where none is known. One after `now` is a clock ahead of ours: left out."""
    return min((moment for moment in moments if moment is not None and moment <= now), default=now)


def crashing_since(pod: objects.Pod, container: containers.Container, index: model.Index, now: datetime) -> datetime:
    """When the first failing start that is still known happened."""
    ends = [ended for ended in (container.ended_before, container.ended) if ended is not None]
    started = [objects.moment(ended.started_at) or objects.moment(ended.finished_at) for ended in ends]
    events = container_events(pod, container, index, ("BackOff",))
    known = [moment for moment in (*started, *map(first_seen, events)) if moment is not None]
    return earliest(now, *known) if known else earliest(now, unready_since(pod))


def container_events(
    pod: objects.Pod, container: containers.Container, index: model.Index, reasons: tuple[str, ...]
) -> list[objects.Event]:
    """Events about one container of a pod (`fieldPath: spec.containers{app}`), newest first."""
    path = f"{{{container.name}}}"
    events = index.events(reference("Pod", pod.metadata), reasons)
    return [event for event in events if path in (event.involved_object.field_path or "")]


def pod_finding(
    info: KindInfo,
    pod: objects.Pod,
    index: model.Index,
    *,
    since: datetime,
    message: str,
    cause: str,
    container: containers.Container | None = None,
    facts: Mapping[str, str] | None = None,
    severity: model.Severity | None = None,
    last: datetime | None = None,
) -> model.Finding:
    """A finding on a pod, folded to its top owner. Facts with an empty value are left out."""
    details = {"role": container.role, "image": container.image} if container is not None else {}
    return model.Finding(
        kind=info.kind,
        severity=severity or info.severity,
        resource=reference("Pod", pod.metadata),
        owner=index.top_owner("Pod", pod.metadata),
        message=message,
        since=since,
        cause=cause,
        grace=info.grace,
        container=container.name if container is not None else "",
        facts={name: text for name, text in (details | dict(facts or {})).items() if text},
        node=pod.spec.node_name or "",
        last=last,
    )


def last_end(container: containers.Container) -> datetime | None:
    """When a container ended the last time; None where it has not."""
    ended = containers.last_end(container)
    return None if ended is None else containers.moment_of(ended)


def container_severity(info: KindInfo, container: containers.Container) -> model.Severity:
    """An ephemeral container serves nobody but the person who debugs with it."""
    return "P3" if container.role == "ephemeral" else info.severity
