"""The success tests of what is no rollout: an object that should be gone, a Job complete, a container resized.

Pure. Called by `k8s.verification` alone, which has those of workloads.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from k8s import amounts, drains, fields, jobs, model, targets

_EARLIER = timedelta(minutes=1)
"""The write is answered after the Job was made, and the clocks of two machines differ a little."""
_SETTLING = timedelta(seconds=30)
"""A condition that does not tell of which generation it is (Kubernetes 1.33) may be of a resize before it so long."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """As far as it is; `reason` is empty while pending."""

    status: Literal["pending", "verified", "not-verified"]
    progress: str
    reason: str = ""


def gone(written: model.ResourceRef, target: model.Target, passed: timedelta, timeout: timedelta) -> Told:
    """Whether the object that was written is no more; one of its name that is another one does not count."""
    obj = target.object
    if obj is None or (written.uid and fields.uid(obj) != written.uid):
        return Told("verified", "gone", f"{written.kind} {written.short} is gone.")
    waits = fields.value(obj, "metadata", "finalizers")
    names = ", ".join(each for each in waits if isinstance(each, str)) if isinstance(waits, list) else ""
    still = f"still there, waiting for {names}" if names else "still there"
    if passed >= timeout:
        return Told("not-verified", still, f"{written.kind} {written.short} is {still}.")
    return Told("pending", still)


def resized(action: model.ResizePod, target: model.Target, passed: timedelta, timeout: timedelta, other: str) -> Told:
    """Whether the container runs with what was written. A node that can never give it says so at once.

    `other`: what was set since. Conditions:
    https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/#pod-resize-status
    """
    pod, who = target.object, f"Pod {action.pod.short}"
    if pod is None or fields.uid(pod) != action.pod.uid:
        return Told("not-verified", "gone", f"{who} is gone; the pod in its place has what the template says.")
    if other:
        return Told("not-verified", "changed", other)
    pending = _resize_condition(pod, "PodResizePending", passed)
    why = fields.text(pending, "message")
    if fields.text(pending, "reason") == "Infeasible":
        return Told("not-verified", "infeasible", f"Its node can never give it: {why or 'Infeasible'}.")
    progress = _left_of_resize(action, pod, pending, _resize_condition(pod, "PodResizeInProgress", passed))
    if not progress:
        return Told("verified", "resized", f"Container {action.container} runs with what was set.")
    if passed >= timeout:
        return Told("not-verified", progress, f"{who} does not have what was set: {progress}.")
    return Told("pending", progress)


def _left_of_resize(action: model.ResizePod, pod: model.Json, pending: model.Json, busy: model.Json) -> str:
    """What it waits for; empty where nothing is left to be done."""
    if pending:
        why = fields.text(pending, "message")
        return f"its node has no room now: {why}" if why else "its node has not taken it up"
    if busy:
        why = fields.text(busy, "message")
        return f"its node cannot do it: {why}" if why else "under way on its node"
    listed = fields.items(pod, "status", "containerStatuses")
    status = next((each for each in listed if fields.text(each, "name") == action.container), {})
    runs = fields.value(status, "state", "running") is not None
    return "" if runs and amounts.shown(action, status) else "its node has not told yet"


def _resize_condition(pod: model.Json, kind: str, passed: timedelta) -> model.Json:
    """The condition where it is there and of the pod as it is now; empty otherwise."""
    found = fields.condition(pod, kind) or {}
    of = fields.number(found, "observedGeneration")
    current = passed >= _SETTLING if of is None else of >= fields.count(pod, "metadata", "generation")
    return found if current and fields.text(found, "status") == "True" else {}


def drained(action: model.Drain, target: model.Target, passed: timedelta, timeout: timedelta, overridden: str) -> Told:
    """Whether the node takes no pods, those that were named are gone, and what they belonged to is ready again."""
    if overridden:
        return Told("not-verified", "changed", overridden)
    left, total = drains.remaining(action, target.pods), len(action.pods)
    progress = f"{total - len(left)} of {targets.counted(total)} moved"
    if left:
        waiting = f"{drains.named(left)} still there"
    elif unready := drains.unready(action, target):
        waiting = f"not ready yet: {drains.few(unready)}"
    else:
        return Told("verified", progress, "The node is cordoned, its pods are gone, and their workloads are ready.")
    if passed >= timeout:
        return Told("not-verified", f"{progress}; {waiting}", f"{progress}, and {waiting}.")
    return Told("pending", f"{progress}; {waiting}")


def job(target: model.Target, started: datetime, now: datetime, timeout: timedelta) -> Told:
    """Whether the newest Job that was made of the object from here is complete. One that runs on is not verified."""
    here = [(_born(each), each) for each in jobs.made(target)]
    newest = max(here, key=lambda pair: (pair[0], fields.text(pair[1], "metadata", "name")), default=None)
    if newest is None or newest[0] < started.replace(microsecond=0) - _EARLIER:
        return Told("not-verified", "gone", "The Job that was started is gone.")
    made = newest[1]
    name, failed = fields.text(made, "metadata", "name"), fields.count(made, "status", "failed")
    match jobs.ended(made):
        case "complete":
            return Told("verified", "complete", f"Job {name} is complete.")
        case "failed":
            return Told("not-verified", "failed", f"Job {name} failed: {jobs.why(made)}.")
        case _:
            progress = f"Job {name} runs" + (f", {failed} of its pods failed" if failed else "")
    if now - started >= timeout:
        return Told("not-verified", progress, f"{progress} still: nobody can say yet whether it will end well.")
    return Told("pending", progress)


def _born(obj: model.Json) -> datetime:
    found = fields.moment(obj, "metadata", "creationTimestamp")
    return found if found is not None else _NEVER
