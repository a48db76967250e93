"""Faults to order: what a test wants Slack to do wrong on the next calls.

Pure. Consulted by `web_api` before and after each method; filled by tests, through `SlackStandIn.faults` or through
`POST /_test/faults`.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from demo.slack.model import Json

Kind = Literal["ratelimited", "http_error", "api_error", "delay", "drop_request", "drop_response"]


@dataclass
class Fault:
    """One order: for the next `times` calls of methods that match `method` (a name, or a pattern such as `chat.*`).

    ratelimited: 429 with Retry-After `seconds`. http_error: an answer with `status`. api_error: `ok: false` with
    `error`. delay: the call is made, `seconds` late. drop_request: the connection breaks before the call is made.
    drop_response: the call is made, then the connection breaks before its answer.
    """

    kind: Kind
    method: str = "*"
    times: int = 1
    seconds: float = 0.0
    status: int = 500
    error: str = "internal_error"


class Faults:
    """The orders that are still open, oldest first; each call takes the first that matches."""

    def __init__(self) -> None:
        self.open: list[Fault] = []

    def add(self, kind: Kind, method: str = "*", **details: Any) -> Fault:
        """Order a fault; the details are the fields of `Fault`."""
        fault = Fault(kind, method, **details)
        self.open.append(fault)
        return fault

    def ratelimit(self, method: str = "*", *, times: int = 1, retry_after: float = 1) -> Fault:
        """Answer 429 with `Retry-After`."""
        return self.add("ratelimited", method, times=times, seconds=retry_after)

    def http_error(self, method: str = "*", *, times: int = 1, status: int = 500) -> Fault:
        """Answer with an HTTP error and no JSON."""
        return self.add("http_error", method, times=times, status=status)

    def api_error(self, method: str, error: str, *, times: int = 1) -> Fault:
        """Refuse with one of Slack's error codes, without making the call."""
        return self.add("api_error", method, times=times, error=error)

    def delay(self, method: str = "*", *, seconds: float, times: int = 1) -> Fault:
        """Make the call late."""
        return self.add("delay", method, times=times, seconds=seconds)

    def drop_request(self, method: str = "*", *, times: int = 1) -> Fault:
        """Break the connection; the call is not made."""
        return self.add("drop_request", method, times=times)

    def drop_response(self, method: str = "*", *, times: int = 1) -> Fault:
        """Make the call, then break the connection: the caller cannot know that it was made."""
        return self.add("drop_response", method, times=times)

    def clear(self) -> None:
        """Forget every order."""
        self.open.clear()

    def take(self, method: str) -> Fault | None:
        """The fault for this call, counted down."""
        for fault in self.open:
            if fnmatchcase(method, fault.method):
                fault.times -= 1
                if fault.times <= 0:
                    self.open.remove(fault)
                return fault
        return None

    def to_json(self) -> list[Json]:
        """The open orders."""
        return [asdict(fault) for fault in self.open]


@dataclass(frozen=True)
class ApiCall:
    """One entry of the journal: a call of the Web API (or of a response_url, as method `response_url`)."""

    method: str
    args: Json
    result: Json
    status: int
    at: float
    fault: str | None = None

    @property
    def ok(self) -> bool:
        """True when the call was made and accepted, whether or not its answer arrived."""
        return bool(self.result.get("ok"))

    def to_json(self) -> Json:
        """As GET /_test/journal shows it."""
        return asdict(self) | {"ok": self.ok}


@dataclass
class Journal:
    """What the app called, in order; the oldest of more than 20,000 entries are forgotten."""

    entries: deque[ApiCall] = field(default_factory=lambda: deque(maxlen=20_000))

    def __iter__(self) -> Iterator[ApiCall]:
        return iter(tuple(self.entries))

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> ApiCall:
        return self.entries[index]

    def calls(self, *methods: str) -> list[ApiCall]:
        """The calls of these methods, or all."""
        return [call for call in self.entries if not methods or call.method in methods]

    def clear(self) -> None:
        """Forget what was called so far."""
        self.entries.clear()
