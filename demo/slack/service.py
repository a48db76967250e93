"""The parts of the stand-in that the method handlers and the interactions share, and how arguments are read.

`Service` is made once by `standin.SlackStandIn`; `Args` wraps what one API call sent, whatever way it was encoded.
"""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from demo.slack.delivery import Delivery
from demo.slack.errors import SlackError
from demo.slack.faults import Faults, Journal
from demo.slack.model import Json
from demo.slack.response_urls import ResponseUrls
from demo.slack.state import Change, Workspace
from demo.slack.views import Views

SCOPES = frozenset(
    [
        *("app_mentions:read", "channels:history", "channels:join", "channels:read", "chat:write", "commands"),
        *("files:read", "files:write", "im:history", "im:read", "im:write", "pins:write", "reactions:write"),
        *("usergroups:read", "users:read", "users:read.email"),
    ]
)


@dataclass
class Service:
    """One workspace with one installed app."""

    clock: Callable[[], float] = time.time
    ack_seconds: float = 3.0
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))

    def __post_init__(self) -> None:
        self.workspace = Workspace(self.clock)
        self.views = Views(self.workspace)
        self.delivery = Delivery(self.clock, self.ack_seconds, self._tell_connected)
        self.response_urls = ResponseUrls(self.workspace)
        self.journal = Journal()
        self.faults = Faults()

    def _tell_connected(self) -> None:
        self.workspace.publish(Change("connected", {"connected": self.delivery.is_connected}))


class Args:
    """The arguments of one call. Form fields are strings, JSON bodies are typed: both are read alike."""

    def __init__(self, values: Json) -> None:
        self.values = values

    def has(self, name: str) -> bool:
        """True when the argument was sent, even if empty."""
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """A string; numbers are written out."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        """A string that must be there; raises `invalid_arguments` as Slack does."""
        value = self.text(name)
        if not value:
            raise SlackError("invalid_arguments", [f"[ERROR] missing required field: {name}"])
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean: true, "true", "1"."""
        value = self.values.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else str(value).lower() in ("1", "true")

    def number(self, name: str, default: int, *, most: int) -> int:
        """A positive integer; raises `invalid_limit` beyond `most`."""
        try:
            number = int(self.text(name) or default)
        except ValueError:
            raise SlackError("invalid_limit") from None
        if not 1 <= number <= most:
            raise SlackError("invalid_limit")
        return number

    def json(self, name: str, error: str = "invalid_arguments") -> Any:
        """A list or an object, sent as such or as JSON in a string; None when it was not sent."""
        value = self.values.get(name)
        if isinstance(value, str):
            if not value:
                return None
            try:
                return json.loads(value)
            except ValueError:
                raise SlackError(error) from None
        return value

    def list(self, name: str, error: str) -> list[Any] | None:
        """A list; raises `error` when something else was sent."""
        value = self.json(name, error)
        if value is not None and not isinstance(value, list):
            raise SlackError(error)
        return value


Handler = Callable[[Service, Args], Awaitable[Json]]


def page_of(items: list[Any], args: Args, *, default: int, most: int) -> tuple[list[Any], str]:
    """One page by `cursor` and `limit`, with the next cursor ("" on the last). Raises `invalid_cursor`."""
    limit = args.number("limit", default, most=most)
    cursor = args.text("cursor")
    start = 0
    if cursor:
        if not cursor.startswith("bmV4dDo") or not cursor[7:].isdigit():
            raise SlackError("invalid_cursor")
        start = int(cursor[7:])
    following = start + limit
    return items[start:following], f"bmV4dDo{following}" if following < len(items) else ""
