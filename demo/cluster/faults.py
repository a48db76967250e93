"""Faults that a test asks for: wrong answers, slow ones, none at all, and odd objects in lists.

`server` asks `Faults.take` before it works; the control endpoints and `SimulatedCluster.faults` add and clear.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from demo.cluster.errors import ApiError, Cause, expired, too_many_requests
from demo.cluster.objects import Object

_MESSAGES = {
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    503: ("ServiceUnavailable", "apiserver is shutting down"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}


@dataclass
class Fault:
    """What goes wrong for requests whose path begins with `path` (and whose method and user match, when given)."""

    path: str = "/"
    method: str = ""
    user: str = ""
    status: int = 0
    """Answer with this code instead of working (429, 500, 503 …)."""
    retry_after: int = 0
    """Seconds, for 429 and 503."""
    message: str = ""
    delay: float = 0.0
    """Real seconds before the work."""
    hang: bool = False
    """Never answer; the connection stays open until the client or the server closes it."""
    drop: str = ""
    """'before': close the connection without working; 'after': work, then close it without an answer."""
    half_list: bool = False
    """Close the connection in the middle of the body of the answer."""
    expire_continue: bool = False
    """410 for requests with a continue token."""
    odd: tuple[str, ...] = ()
    """Names in ODDITIES, applied to the items of lists."""
    times: int = -1
    """How many requests are hit; -1: all."""
    hits: int = 0

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Fault":
        """From the body of POST /_test/faults; TypeError for members that a fault has not."""
        unknown = set(body) - {each.name for each in fields(cls)}
        if unknown:
            raise TypeError(f"unknown members: {', '.join(sorted(unknown))}")
        if "odd" in body:
            body = {**body, "odd": tuple(body["odd"])}
        return cls(**body)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def error(self) -> ApiError | None:
        """The answer that this fault stands for, if it is one with a status code."""
        if not self.status:
            return None
        if self.status == 429:
            text = self.message or "the server has received too many requests and has asked us to try again later"
            return too_many_requests(text, self.retry_after or 1)
        if self.status == 410:
            return expired(
                self.message or "The provided continue parameter is too old to display a consistent list result."
            )
        reason, text = _MESSAGES.get(self.status, ("", "an error on the server"))
        message = self.message or text
        details: Object = {"causes": [Cause("", message).as_json()]}
        if self.retry_after:
            details["retryAfterSeconds"] = self.retry_after
        return ApiError(self.status, reason, message, details, retry_after=self.retry_after or None)


def _null_event_time(obj: Object) -> None:
    if "involvedObject" in obj:
        obj["eventTime"] = None
        obj["firstTimestamp"] = None
        obj["lastTimestamp"] = None


def _null_containers(obj: Object) -> None:
    if "containers" in (obj.get("spec") or {}):
        obj["spec"] = {**obj["spec"], "containers": None}


def _missing_status(obj: Object) -> None:
    obj.pop("status", None)


def _null_conditions(obj: Object) -> None:
    if "conditions" in (obj.get("status") or {}):
        obj["status"] = {**obj["status"], "conditions": None, "containerStatuses": None}


def _null_labels(obj: Object) -> None:
    obj["metadata"] = {**obj["metadata"], "labels": None, "annotations": None, "ownerReferences": None}


def _bad_timestamp(obj: Object) -> None:
    obj["metadata"] = {**obj["metadata"], "creationTimestamp": "yesterday"}


ODDITIES: dict[str, Callable[[Object], None]] = {
    "null-event-time": _null_event_time,
    "null-containers": _null_containers,
    "missing-status": _missing_status,
    "null-conditions": _null_conditions,
    "null-labels": _null_labels,
    "bad-timestamp": _bad_timestamp,
}


def make_odd(items: list[Object], names: tuple[str, ...]) -> list[Object]:
    """The first item of a list takes the first oddity, the second the next …; all others stay as they are."""
    changed = [dict(item) for item in items]
    for name, item in zip(names, changed, strict=False):
        ODDITIES[name](item)
    return changed


@dataclass
class Faults:
    """The faults in force, oldest first; the first that matches a request hits it."""

    active: list[Fault] = field(default_factory=list)
    unreachable: bool = False
    """Every connection is closed at once, as if the server were gone."""

    def add(self, fault: Fault) -> Fault:
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        self.active.clear()
        self.unreachable = False

    def take(self, method: str, path: str, user: str, query: dict[str, str]) -> Fault | None:
        for fault in self.active:
            if (
                path.startswith(fault.path)
                and fault.method in ("", method)
                and fault.user in ("", user)
                and fault.times != 0
                and (not fault.expire_continue or "continue" in query)
            ):
                fault.hits += 1
                fault.times -= fault.times > 0
                return fault
        return None
