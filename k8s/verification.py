"""Says whether an action has helped: rolled out, every pod ready, and ready for long enough to be believed.

Pure: asked again and again with a freshly read target until the answer is no longer `pending`; all memory of when
things became healthy is in the pods' own conditions. Called by the verifying stage of `bot`. The steps of a rollout are
those of `kubectl rollout status`
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from k8s import checks, fields, model, remedies, targets, workloads

Status = Literal["pending", "verified", "not-verified"]

_CANNOT_START = frozenset(
    (
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreStartHookError",
        "PostStartHookError",
    )
)
"""Waiting reasons that do not pass by themselves. ErrImagePull is left out: a second try may work, and if it does not,
ImagePullBackOff follows within seconds."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far the recovery is. `reason` is empty while pending, else one sentence why it ended so."""

    status: Status
    progress: str
    """E.g. `2 of 3 rolled out, 2 ready`."""
    reason: str = ""
    healthy_since: datetime | None = None
    """Since when every pod is ready without a restart; the hold counts from it."""
    ready: int | None = None
    """Pods that are ready, of `desired`: only where it ended and what is there is the action's doing."""
    desired: int | None = None


def assess(
    action: model.Action,
    *,
    started: datetime,
    target: model.Target,
    now: datetime,
    hold: timedelta,
    timeout: timedelta,
) -> Assessment:
    """Judges the target as it is `now`, for an action whose write was answered at `started`.

    Verified: all of the rollout is there and every current pod is Ready for `hold` and was not restarted within it.
    Not verified: early, when a new pod cannot start or the rollout is given up; else once `timeout` has passed. What is
    well by then and has only to stay so is given the rest of its `hold`.
    """
    remedy = remedies.remedy_for(action)
    needs = remedy.needs(action)
    if isinstance(action, model.ResizePod):
        return _told(checks.resized(action, target, now - started, timeout, remedy.overridden(action, target)))
    if remedy.check == "gone":
        return _told(checks.gone(needs.object, target, now - started, timeout))
    obj = target.object if needs.owner is None or remedy.check in ("field", "job") else target.owner
    if obj is None:
        return Assessment("not-verified", "gone", f"{action.workload.kind} {action.workload.short} is gone.")
    overridden = remedy.overridden(action, target)
    if remedy.check == "field":
        return Assessment("not-verified", "changed", overridden) if overridden else _field(obj, now - started, timeout)
    if isinstance(action, model.Drain):
        return _told(checks.drained(action, target, now - started, timeout, overridden))
    if remedy.check == "job":
        return _told(checks.job(target, started, now, timeout))
    rollout = _Rollout(action, obj, target, started)
    if moved := overridden or _moved_on(action, obj, remedy.check):
        return Assessment("not-verified", rollout.progress, moved)
    if fault := _given_up(obj, started) or next(_pod_faults(rollout), ""):
        return Assessment("not-verified", rollout.progress, fault, None, rollout.ready, rollout.desired)
    waiting = rollout.waiting_for()
    since = None if waiting else _healthy_since(rollout.pods, started)
    if since is not None and now - since >= hold:
        return Assessment("verified", rollout.progress, f"All ready for {_spoken(now - since)}.", since)
    waiting = waiting or (
        f"ready for {_spoken(now - since)}, not yet {_spoken(hold)}" if since else "pods not ready yet"
    )
    if now - started >= (timeout if since is None else timeout + hold):
        reason = f"After {_spoken(now - started)} still {waiting}."
        return Assessment("not-verified", rollout.progress, reason, since, rollout.ready, rollout.desired)
    return Assessment("pending", f"{rollout.progress}; {waiting}", "", since)


def _told(found: checks.Told) -> Assessment:
    return Assessment(found.status, found.progress, found.reason)


def _field(obj: model.Json, passed: timedelta, timeout: timedelta) -> Assessment:
    """The object says what was written. Kinds without an observed generation are believed at once."""
    seen = fields.number(obj, "status", "observedGeneration")
    if seen is None or seen >= fields.count(obj, "metadata", "generation"):
        return Assessment("verified", "set", "It is as it was set, and its controller has seen it.")
    if passed >= timeout:
        return Assessment("not-verified", "set", f"After {_spoken(passed)} still the controller has not seen it.")
    return Assessment("pending", "set; the controller has not seen the change")


class _Rollout:
    """One workload on its way, with the numbers of its status under names that all three kinds share."""

    def __init__(self, action: model.Action, obj: model.Json, target: model.Target, started: datetime) -> None:
        self.action, self.obj, self.started = action, obj, started
        self.kind = action.workload.kind
        status = fields.mapping(obj, "status")
        daemons = self.kind == "DaemonSet"
        self.desired = workloads.desired(obj, self.kind)
        self.ready = workloads.ready(obj, self.kind)
        self.updated = fields.count(status, "updatedNumberScheduled" if daemons else "updatedReplicas")
        self.available = fields.count(status, "numberAvailable" if daemons else "availableReplicas")
        self.total = fields.count(status, "currentNumberScheduled" if daemons else "replicas")
        self.pods = tuple(pod for pod in target.pods if not fields.deleting(pod) and not _ended(pod))
        remedy = remedies.remedy_for(action)
        self.rolls = remedy.check == "rollout"
        self.doomed = remedy.needs(action).object if remedy.check == "replaced" else None
        self.there = fields.uid(target.object)
        self.new = tuple(pod for pod in self.pods if self._is_new(pod, target))

    @property
    def progress(self) -> str:
        if self.rolls:
            return f"{min(self.updated, self.desired)} of {self.desired} rolled out, {self.ready} ready"
        return f"{self.ready} of {self.desired} ready"

    def waiting_for(self) -> str:
        """The first step that is not done, as `kubectl rollout status` tells them; "" once all are."""
        generation = fields.count(self.obj, "metadata", "generation")
        if fields.count(self.obj, "status", "observedGeneration") < generation:
            return "the controller has not seen the change"
        if self.doomed is not None and self.there == self.doomed.uid != "":
            return "the old pod has not ended"
        return self._rolling() or self._readying()

    def _rolling(self) -> str:
        wanted = self.desired - self._partition()
        if self.rolls and self.updated < wanted:
            return f"{targets.counted(wanted - self.updated)} not yet updated"
        if self.kind != "DaemonSet" and self.total > self.desired:
            return f"{targets.counted(self.total - self.desired, 'old pod')} not yet gone"
        return ""

    def _readying(self) -> str:
        if self.ready < self.desired:
            return f"{targets.counted(self.desired - self.ready)} not ready"
        if self.kind != "StatefulSet" and self.available < self.desired:
            return f"{targets.counted(self.desired - self.available)} not available"
        if len(self.pods) < self.desired:
            return f"{targets.counted(self.desired - len(self.pods))} not seen"
        return ""

    def _partition(self) -> int:
        """Pods of a StatefulSet that a staged rollout leaves alone."""
        return min(self.desired, workloads.partition(self.obj, self.kind))

    def _is_new(self, pod: model.Json, target: model.Target) -> bool:
        """Whether the pod is of what the action made: only its failures speak against the action."""
        if not self.rolls:
            return _created_since(pod, self.started)
        if self.kind == "StatefulSet":
            revision = fields.text(self.obj, "status", "updateRevision")
            return bool(revision) and fields.labels(pod).get("controller-revision-hash") == revision
        if self.kind == "DaemonSet":
            return _created_since(pod, self.started)
        current = workloads.current_revision(target)
        controller = fields.controller(pod)
        return current is not None and controller is not None and controller.uid == current.holder.uid


def _ended(pod: model.Json) -> bool:
    """Evicted and finished pods stay as records: they are no members any more."""
    return fields.text(pod, "status", "phase") in ("Succeeded", "Failed")


def _created_since(pod: model.Json, started: datetime) -> bool:
    """Timestamps of the API have whole seconds, cut off."""
    created = fields.moment(pod, "metadata", "creationTimestamp")
    return created is not None and created >= started.replace(microsecond=0)


def _moved_on(action: model.Action, obj: model.Json, check: model.Check) -> str:
    """Whether somebody has taken away what it could be judged by."""
    if check == "replicas":
        return ""
    replicas = workloads.desired(obj, action.workload.kind)
    if fields.value(obj, "spec", "paused") is True:
        return f"{action.workload.short} was paused since."
    if replicas == 0:
        return f"{action.workload.short} has no pods to judge by."
    return ""


def _given_up(obj: model.Json, started: datetime) -> str:
    """Progressing=False counts only where it was said after the action: the one before it is of the failed rollout."""
    condition = fields.condition(obj, "Progressing")
    said = fields.moment(condition, "lastUpdateTime") or fields.moment(condition, "lastTransitionTime")
    if fields.text(condition, "status") != "False" or said is None or said < started.replace(microsecond=0):
        return ""
    return f"The rollout was given up: {fields.text(condition, 'reason') or 'Progressing is False'}."


def _pod_faults(rollout: _Rollout) -> Iterator[str]:
    for pod in rollout.new:
        name = fields.text(pod, "metadata", "name")
        for status in _statuses(pod):
            reason = fields.text(status, "state", "waiting", "reason")
            killed = _killed_since(status, rollout.started)
            if reason in _CANNOT_START and (reason != "CrashLoopBackOff" or _crashed_since(status, rollout.started)):
                yield f"Pod {name} cannot run: {reason}."
            elif killed:
                yield f"Pod {name} ran out of memory after the action: OOMKilled."


def _statuses(pod: model.Json) -> Sequence[model.Json]:
    return (*fields.items(pod, "status", "initContainerStatuses"), *fields.items(pod, "status", "containerStatuses"))


def _ends(status: model.Json) -> Iterator[model.Json]:
    for key in ("state", "lastState"):
        if ended := fields.mapping(status, key, "terminated"):
            yield ended


def _crashed_since(status: model.Json, started: datetime) -> bool:
    """A pod may still wait in the back-off of a crash before the action; an end without a date counts as new."""
    ends = [fields.moment(ended, "finishedAt") for ended in _ends(status)]
    return not ends or any(end is None or end >= started.replace(microsecond=0) for end in ends)


def _killed_since(status: model.Json, started: datetime) -> bool:
    for ended in _ends(status):
        end = fields.moment(ended, "finishedAt")
        late = end is not None and end >= started.replace(microsecond=0)
        if late and fields.text(ended, "reason") == "OOMKilled":
            return True
    return False


def _healthy_since(pods: Sequence[model.Json], started: datetime) -> datetime | None:
    """Since when all pods are ready and none of their containers was restarted; None where one is not ready."""
    latest = started
    for pod in pods:
        since = fields.moment(fields.condition(pod, "Ready"), "lastTransitionTime")
        if not workloads.pod_ready(pod) or since is None:
            return None
        starts = (fields.moment(status, "state", "running", "startedAt") for status in _statuses(pod))
        latest = max(latest, since, *(start for start in starts if start is not None))
    return latest


def _spoken(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
