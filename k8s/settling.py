"""Says what of a workload is still on the move, so that a problem that is not seen for a moment is not called over.

A rollout that has just begun, or a process that was just started again, hides the failure that it is about to repeat.
Called by `bot.flow.triage` for incidents whose problem a sweep did not find. Pure; the steps of a rollout are those of
`kubectl rollout status` (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from k8s import model, objects, symptoms


def unsettled(
    snapshot: model.Snapshot, subjects: Collection[model.ResourceRef], hold: timedelta
) -> Mapping[model.ResourceRef, str]:
    """Subject → what it still waits for, in a few words; those that are settled, gone (a namesake is another one) or no
    workloads are left out.

    Settled: its controller has seen its present specification, no rollout runs, and all of its pods are ready and run
    for `hold` without a restart.
    """
    there = dict(_workloads(snapshot, subjects))
    moving = {ref: why for ref, workload in there.items() if (why := _rolling(ref, workload))}
    alone = [ref for ref in subjects if ref.kind == "Pod"]
    for ref, pod in _pods(snapshot, [*(ref for ref in there if ref not in moving), *alone]):
        if ref not in moving and (why := _starting(pod, snapshot.taken_at, hold)):
            moving[ref] = why
    return moving


def _workloads(
    snapshot: model.Snapshot, subjects: Collection[model.ResourceRef]
) -> Iterator[tuple[model.ResourceRef, objects.Workload]]:
    lists: Mapping[str, Iterable[objects.Workload]] = {
        "Deployment": snapshot.deployments,
        "StatefulSet": snapshot.statefulsets,
        "DaemonSet": snapshot.daemonsets,
        "ReplicaSet": snapshot.replicasets,
    }
    for kind, listed in lists.items():
        wanted = {(ref.namespace, ref.name): ref for ref in subjects if ref.kind == kind}
        for workload in listed if wanted else ():
            meta = workload.metadata
            ref = wanted.get((meta.namespace, meta.name))
            if ref is not None and ref.same(symptoms.reference(kind, meta)) and not meta.deletion_timestamp:
                yield ref, workload


def _rolling(ref: model.ResourceRef, workload: objects.Workload) -> str:
    if symptoms.unobserved(workload):
        return "its controller has not seen its newest change"
    if ref.kind == "Deployment" and symptoms.rolling(workload):
        return "a rollout is running"
    status = workload.status
    daemons = ref.kind == "DaemonSet"
    ready = (status.number_ready if daemons else status.ready_replicas) or 0
    desired = (status.desired_number_scheduled or 0) if daemons else symptoms.desired(workload)
    return f"{ready} of {desired} replicas are ready" if ready < desired else ""


def _pods(
    snapshot: model.Snapshot, subjects: Collection[model.ResourceRef]
) -> Iterator[tuple[model.ResourceRef, objects.Pod]]:
    """The living pods of each, its ReplicaSets' among them; or the pod that it is."""
    controllers = {(ref.kind, ref.namespace, ref.name): ref for ref in subjects}
    deployments = any(ref.kind == "Deployment" for ref in subjects)
    for replicaset in snapshot.replicasets if deployments else ():
        meta = replicaset.metadata
        ref = controllers.get(_controller(meta))
        if ref is not None:
            controllers["ReplicaSet", meta.namespace, meta.name] = ref
    for pod in snapshot.pods if controllers else ():
        meta = pod.metadata
        ref = controllers.get(_controller(meta)) or controllers.get(("Pod", meta.namespace, meta.name))
        namesake = ref is not None and ref.kind == "Pod" and not ref.same(symptoms.reference("Pod", meta))
        if ref is not None and not namesake and symptoms.living(pod):
            yield ref, pod


def _controller(meta: objects.Meta) -> tuple[str, str, str]:
    for owner in meta.owner_references or ():
        if owner.controller:
            return owner.kind, meta.namespace, owner.name
    return "", "", ""


def _starting(pod: objects.Pod, now: datetime, hold: timedelta) -> str:
    name = pod.metadata.name
    if not symptoms.ready(pod):
        return f"pod {name} is not ready"
    starts = [objects.moment(pod.metadata.creation_timestamp)]
    for status in pod.status.container_statuses or ():
        running = status.state.running if status.state is not None else None
        starts.append(objects.moment(running.started_at) if running is not None else None)
    young = any(start is not None and now - start < hold for start in starts)
    return f"pod {name} runs for less than {int(hold.total_seconds())} s" if young else ""
