"""The success tests of what is no rollout: an object that should be gone, a Job that should be complete.

Pure. Called by `k8s.verification` alone, which has those of workloads.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from k8s import fields, jobs, model

_EARLIER = timedelta(minutes=1)
"""The write is answered after the Job was made, and the clocks of two machines differ a little."""
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
