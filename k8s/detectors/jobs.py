"""JobFailed: a Job that has given up. Called by `k8s.detection`."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from k8s import containers, model, names, objects, phrases, symptoms

JOB_FAILED = symptoms.KindInfo(
    kind="JobFailed",
    severity="P2",
    grace=timedelta(0),
    doc="https://kubernetes.io/docs/concepts/workloads/controllers/job/#handling-pod-and-container-failures",
    condition="a Job has given up",
)
KINDS = (JOB_FAILED,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("jobs",)

_SAYINGS = {
    "BackoffLimitExceeded": "its pods failed more often than its backoff limit allows",
    "DeadlineExceeded": "it ran longer than its deadline",
    "PodFailurePolicy": "a pod failed in a way that its failure policy does not retry",
    "FailedIndexes": "some of its indexes failed",
    "MaxFailedIndexesExceeded": "too many of its indexes failed",
}
"""https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup"""


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """A run of a CronJob that was followed by a successful one is over, and so is a Job that was run again from here
    with success; a Job with retries left has not failed."""
    successes = {
        (cronjob.metadata.namespace, cronjob.metadata.name): objects.moment(cronjob.status.last_successful_time)
        for cronjob in snapshot.cronjobs
    }
    reruns = dict(_reruns(snapshot.jobs))
    for job in snapshot.jobs:
        failed = objects.condition(job.status.conditions, "Failed")
        if failed is None or failed.status != "True" or job.metadata.deletion_timestamp:
            continue
        owner = index.top_owner("Job", job.metadata)
        since = symptoms.earliest(snapshot.taken_at, objects.moment(failed.last_transition_time))
        regular = successes.get((owner.namespace, owner.name)) if owner.kind == "CronJob" else None
        success = max((moment for moment in (regular, reruns.get(job.metadata.uid)) if moment), default=None)
        if success is None or success < since:
            yield _finding(job, failed, owner, index, since)


def _reruns(jobs: Sequence[objects.Job]) -> Iterator[tuple[str, datetime]]:
    """Uid of a Job → when one that was made of it was done."""
    for job in jobs:
        complete = objects.condition(job.status.conditions, "Complete")
        source = (job.metadata.labels or {}).get(names.MADE_FROM)
        done = complete is not None and complete.status == "True"
        moment = objects.moment(complete.last_transition_time) if complete is not None and done else None
        if source and moment is not None:
            yield source, moment


def _finding(
    job: objects.Job, failed: objects.Condition, owner: model.ResourceRef, index: model.Index, since: datetime
) -> model.Finding:
    resource = symptoms.reference("Job", job.metadata)
    reason = failed.reason or "Failed"
    last = _last_end(index.pods(resource))
    why = _SAYINGS.get(reason, "its controller has given it up")
    ending = f"; its last pod ended with exit code {last.exit_code}" if last and last.exit_code is not None else ""
    facts = {
        "reason": reason,
        "said": phrases.clip(failed.message),
        "failed": str(job.status.failed or 0),
        "exit_code": str(last.exit_code) if last and last.exit_code is not None else "",
        "end_reason": (last.reason or "") if last else "",
    }
    return model.Finding(
        kind=JOB_FAILED.kind,
        severity=JOB_FAILED.severity,
        resource=resource,
        owner=owner,
        message=f"Job {job.metadata.name} failed: {why}{ending}.",
        since=since,
        cause=reason,
        grace=JOB_FAILED.grace,
        facts={name: text for name, text in facts.items() if text},
    )


def _last_end(pods: Sequence[objects.Pod]) -> objects.Terminated | None:
    """How the container that ended last among the Job's failed pods ended."""
    ends = [
        ended
        for pod in pods
        for container in containers.of(pod)
        if (ended := containers.last_end(container)) is not None and ended.exit_code
    ]
    return max(ends, key=lambda ended: (ended.finished_at or "", ended.exit_code or 0), default=None)
