"""The Job controller: pods until enough succeed or too many fail, and what a CronJob notes of its own.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/ (pod back-off 10 s, doubled up to 10 min; the
conditions FailureTarget and SuccessCriteriaMet come first, Failed and Complete when no pod is left since 1.31).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from demo.cluster.controllers.pods import PodControl, restarts
from demo.cluster.errors import ApiError
from demo.cluster.manager import Key, Manager
from demo.cluster.objects import (
    Object,
    clone,
    condition,
    controller_of,
    is_deleting,
    name_of,
    namespace_of,
    omit_empty,
    parse_time,
    pod_is_ready,
    pod_phase,
    rfc3339,
    uid_of,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

JOBS, CRONJOBS = BY_PLURAL["jobs"], BY_PLURAL["cronjobs"]
TRACKING = "batch.kubernetes.io/job-tracking"
FIRST_BACKOFF = 10.0
MAX_BACKOFF = 600.0
LIMIT_EXCEEDED = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
COMPLETED = ("CompletionsReached", "Reached expected number of succeeded pods")
DEADLINE_EXCEEDED = ("DeadlineExceeded", "Job was active longer than specified deadline")


@dataclass
class _Tally:
    """Finished pods that were counted, and when the last one failed."""

    succeeded: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    failed_at: float = 0.0
    started_at: float | None = None
    """On the cluster's own clock, finer than what stands in the status."""


@dataclass
class Jobs:
    registry: Registry
    recorder: Recorder
    manager: Manager
    _tallies: dict[str, _Tally] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._control = PodControl(self.registry, self.recorder, "job-controller")

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "jobs":
            yield (namespace_of(change.after), name_of(change.after))
        elif change.storage == "pods":
            owner = controller_of(change.after)
            if owner is not None and owner["kind"] == "Job":
                yield (namespace_of(change.after), owner["name"])

    def sync(self, key: Key) -> None:
        job = self.registry.store.find("jobs", *key)
        if job is None:
            return
        self._untrack(job)
        if is_deleting(job) or _finished(job):
            return
        pods = self.registry.store.owned("pods", uid_of(job))
        tally = self._count(job, pods)
        active = [each for each in pods if pod_phase(each) not in ("Succeeded", "Failed") and not is_deleting(each)]
        status = clone(job.get("status") or {})
        now = rfc3339(self.registry.timeline.now())
        if not job["spec"].get("suspend") and "startTime" not in status:
            status["startTime"] = now
            tally.started_at = self.registry.timeline.seconds
        outcome = _interim(job) or self._outcome(job, status, tally, active)
        if outcome is not None:
            for pod in active:
                self._control.delete(job, JOBS, pod)
                tally.failed.add(uid_of(pod))  # whoever is stopped has failed, however it ends
            active = []
            self._finish(job, status, outcome, now)
        elif not job["spec"].get("suspend"):
            active += self._start(job, tally, active)
        self._write(job, status, tally, active)

    def _count(self, job: Object, pods: list[Object]) -> _Tally:
        tally = self._tallies.setdefault(uid_of(job), _Tally())
        for pod in pods:
            phase = pod_phase(pod)
            if phase == "Succeeded":
                tally.succeeded.add(uid_of(pod))
            elif phase == "Failed" and uid_of(pod) not in tally.failed:
                tally.failed.add(uid_of(pod))
                tally.failed_at = self.registry.timeline.seconds
        return tally

    def _outcome(self, job: Object, status: Object, tally: _Tally, active: list[Object]) -> tuple[str, str] | None:
        """(reason, message) of the end, None while it runs."""
        spec = job["spec"]
        wanted = spec.get("completions")
        if len(tally.succeeded) >= (1 if wanted is None else wanted):
            return COMPLETED if not active or wanted is not None else None
        limit = spec.get("backoffLimit", 6)
        restarted = sum(restarts(each) for each in active)
        in_place = spec["template"]["spec"]["restartPolicy"] == "OnFailure" and restarted >= max(limit, 1)
        if len(tally.failed) > limit or in_place:
            return LIMIT_EXCEEDED
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and "startTime" in status:
            timeline = self.registry.timeline
            if tally.started_at is None:
                tally.started_at = timeline.seconds - timeline.since(parse_time(status["startTime"]))
            left = deadline - (timeline.seconds - tally.started_at)
            if left <= 0:
                return DEADLINE_EXCEEDED
            self.manager.enqueue_after(self, (namespace_of(job), name_of(job)), left + 0.1, background=True)
        return None

    def _start(self, job: Object, tally: _Tally, active: list[Object]) -> list[Object]:
        spec, timeline = job["spec"], self.registry.timeline
        completions = spec.get("completions")
        left = spec["parallelism"] if completions is None else completions - len(tally.succeeded)
        missing = min(spec["parallelism"], left) - len(active)
        if missing <= 0:
            return []
        if tally.failed:
            backoff = min(FIRST_BACKOFF * 2 ** (len(tally.failed) - 1), MAX_BACKOFF)
            wait = tally.failed_at + backoff - timeline.seconds
            if wait > 0.01:
                self.manager.enqueue_after(self, (namespace_of(job), name_of(job)), wait)
                return []
        template = clone(spec["template"])
        template["metadata"]["finalizers"] = [TRACKING]
        try:
            return [self._control.create(job, JOBS, template) for _ in range(missing)]
        except ApiError:
            self.manager.enqueue_after(self, (namespace_of(job), name_of(job)), FIRST_BACKOFF, background=True)
            return []

    def _finish(self, job: Object, status: Object, outcome: tuple[str, str], now: str) -> None:
        """What is decided is said at once, and that it is over when the last pod has ended."""
        reason, message = outcome
        failed = reason != COMPLETED[0]
        kinds = ("FailureTarget", "Failed") if failed else ("SuccessCriteriaMet", "Complete")
        conditions = status.setdefault("conditions", [])
        if _interim(job) is None:
            conditions.append(_condition(kinds[0], now, reason, message))
        if self._terminating(job):
            return
        conditions.append(_condition(kinds[1], now, reason, message))
        if failed:
            self._control.event(JOBS, job, reason, message, warning=True)
        else:
            status["completionTime"] = now
            self._control.event(JOBS, job, "Completed", "Job completed")
            self._tell_cronjob(job, now)

    def _tell_cronjob(self, job: Object, now: str) -> None:
        """Its CronJob notes the success, of a Job that somebody made of it by hand too."""
        owner = controller_of(job)
        if owner is None or owner["kind"] != "CronJob":
            return
        found = self.registry.store.find("cronjobs", namespace_of(job), owner["name"])
        if found is not None and uid_of(found) == owner["uid"]:
            status = {**(found.get("status") or {}), "lastSuccessfulTime": now}
            self.registry.update_status(CRONJOBS, found, status)

    def _terminating(self, job: Object) -> int:
        pods = self.registry.store.owned("pods", uid_of(job))
        return sum(is_deleting(each) and pod_phase(each) not in ("Succeeded", "Failed") for each in pods)

    def _write(self, job: Object, status: Object, tally: _Tally, active: list[Object]) -> None:
        ready = sum(pod_is_ready(each) for each in active)
        counts = {"active": len(active), "succeeded": len(tally.succeeded), "failed": len(tally.failed)}
        for name in counts:
            status.pop(name, None)
        status |= omit_empty(counts) | {"ready": ready, "terminating": self._terminating(job)}
        status["uncountedTerminatedPods"] = {}
        self.registry.update_status(JOBS, job, status)
        self._untrack(job)

    def _untrack(self, job: Object) -> None:
        """Take the finalizer from pods that were counted or are no longer wanted."""
        for pod in self.registry.store.owned("pods", uid_of(job)):
            finalizers = pod["metadata"].get("finalizers") or []
            counted = pod_phase(pod) in ("Succeeded", "Failed")
            if TRACKING not in finalizers or not (counted or is_deleting(pod)):
                continue
            changed = clone(pod)
            kept = [each for each in finalizers if each != TRACKING]
            changed["metadata"]["finalizers"] = kept
            if not kept:
                del changed["metadata"]["finalizers"]
            self.registry.store.replace("pods", changed)
            if is_deleting(pod) and not kept and counted:
                self.registry.store.remove("pods", namespace_of(pod), name_of(pod))


def _interim(job: Object) -> tuple[str, str] | None:
    """(reason, message) of a Job whose end is decided."""
    for kind in ("FailureTarget", "SuccessCriteriaMet"):
        found = condition(job, kind)
        if found is not None and found["status"] == "True":
            return str(found["reason"]), str(found["message"])
    return None


def _condition(kind: str, now: str, reason: str, message: str) -> Object:
    times = {"lastProbeTime": now, "lastTransitionTime": now}
    return {"type": kind, "status": "True", **times, "reason": reason, "message": message}


def _finished(job: Object) -> bool:
    return any((condition(job, kind) or {}).get("status") == "True" for kind in ("Complete", "Failed"))
