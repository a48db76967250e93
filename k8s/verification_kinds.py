"""What it takes, beside a workload that is well, for a problem of each kind to count as solved.

Asked by the verifying stage of `bot` through a fresh look at the cluster: `k8s.verification` judges what was written,
this what it was written for. Pure. A kind without a rule of its own is solved once its findings are gone.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta

from k8s import log_rates, model, objects

RELAPSING: frozenset[str] = frozenset(
    {"CrashLoopBackOff", "OOMKilled", "InitFailing", "LivenessRestarts", "RestartGrowth", "MemoryGrowth"}
)
"""Kinds that come back after having been well for a while: a back-off is up to five minutes, and memory fills slowly.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy"""


def hold_of(kinds: Collection[str], *, usual: timedelta, relapsing: timedelta) -> timedelta:
    """How long all must stay well, without a restart, for a problem of these kinds to count as solved."""
    return max(usual, relapsing) if RELAPSING & set(kinds) else usual


def lacking(
    kinds: Collection[str],
    causes: Collection[str],
    snapshot: model.Snapshot,
    subject: model.ResourceRef,
    started: datetime,
) -> str:
    """What is not shown yet, although nothing is found any more; "" where all is. `causes` as `kind:cause`."""
    for kind in kinds:
        rule = _RULES.get(kind)
        own = {cause.removeprefix(f"{kind}:") for cause in causes if cause.startswith(f"{kind}:")}
        if rule is not None and (told := next(rule(snapshot, subject, started, own), "")):
            return told
    return ""


def _logs(
    snapshot: model.Snapshot, subject: model.ResourceRef, started: datetime, causes: Collection[str]
) -> Iterator[str]:
    """The error rate is back: its log was read since, and what was read is within the usual."""
    containers = {cause.split(" ", 1)[0] for cause in causes}
    for place, state in snapshot.past.logs.items():
        here = (place.kind, place.namespace, place.name) == (subject.kind, subject.namespace, subject.name)
        if not here or (containers and place.container not in containers):
            continue
        if state.read_at <= started:
            yield f"the log of container {place.container} was not read since"
        elif log_rates.excess(state, snapshot.taken_at) is not None:
            yield f"container {place.container} still logs more errors than usual"


def _autoscalers(
    snapshot: model.Snapshot, subject: model.ResourceRef, started: datetime, causes: Collection[str]
) -> Iterator[str]:
    """The autoscaler moved: it has as many replicas as it wants."""
    del started, causes
    for scaler in snapshot.horizontalpodautoscalers:
        meta, target = scaler.metadata, scaler.spec.scale_target_ref
        named = {("HorizontalPodAutoscaler", meta.name), (target.kind, target.name)}
        if meta.namespace != subject.namespace or (subject.kind, subject.name) not in named:
            continue
        has, wants = scaler.status.current_replicas or 0, scaler.status.desired_replicas or 0
        if has != wants:
            yield f"autoscaler {meta.name} wants {wants} replicas and has {has}"


def _jobs(
    snapshot: model.Snapshot, subject: model.ResourceRef, started: datetime, causes: Collection[str]
) -> Iterator[str]:
    """The Job is done; of a CronJob, what was begun since is."""
    del causes
    for job in snapshot.jobs:
        meta = job.metadata
        owners = {(owner.kind, owner.name) for owner in meta.owner_references or () if owner.controller}
        mine = (subject.kind, subject.name) in {("Job", meta.name), *owners}
        if meta.namespace != subject.namespace or not mine or _finished(job):
            continue
        created = objects.moment(meta.creation_timestamp)
        if subject.kind == "Job" or (created is not None and created >= started.replace(microsecond=0)):
            yield f"job {meta.name} is not done yet"


def _finished(job: objects.Job) -> bool:
    ended = (objects.condition(job.status.conditions, name) for name in ("Complete", "Failed"))
    return any(condition is not None and condition.status == "True" for condition in ended)


_Rule = Callable[[model.Snapshot, model.ResourceRef, datetime, Collection[str]], Iterator[str]]

_RULES: Mapping[str, _Rule] = {
    "LogErrors": _logs,
    "HPABroken": _autoscalers,
    "JobFailed": _jobs,
}
