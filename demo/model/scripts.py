"""What the stand-in answers: content with a stop reason, or one of the ways in which an API does not answer.

Errors are in the API's shape: https://platform.claude.com/docs/en/api/errors.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. With `raw` all else but the status is left aside."""

    content: Sequence[Json] = ()
    stop: str = "end_turn"
    status: int = 200
    error: str = ""
    """Type of the error."""
    message: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    way: Literal["whole", "silent", "broken", "interrupted"] = "whole"
    """silent: nothing comes until the client has gone, or nothing after the first event of a stream. broken: the
    connection ends in the middle of it. interrupted: a stream ends with the error in its middle."""
    usage: Mapping[str, int] | None = None
    """None: counted from the texts."""


Script = Sequence[Answer] | Callable[[Json], Answer]


def says(answer: Mapping[str, Any] | str, *, usage: Mapping[str, int] | None = None) -> Answer:
    """The end of a conversation: a text, or an object as the format of the request wants it."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return Answer(({"type": "text", "text": text},), usage=usage)


def uses(*calls: tuple[str, Mapping[str, Any]], thinking: str = "") -> Answer:
    """Asks for tools, all in one turn. Their ids are told apart by the server."""
    thought = [{"type": "thinking", "thinking": thinking, "signature": "c2lnbmF0dXJl"}] if thinking else []
    wanted = [{"type": "tool_use", "name": name, "input": dict(given)} for name, given in calls]
    return Answer((*thought, *wanted), "tool_use")


def pauses(text: str = "One moment.") -> Answer:
    return Answer(({"type": "text", "text": text},), "pause_turn")


def cut_off(text: str = '{"cause": "the') -> Answer:
    """The longest answer that was allowed, and still not at its end."""
    return Answer(({"type": "text", "text": text},), "max_tokens")


def declines() -> Answer:
    return Answer((), "refusal")


def garbage(raw: bytes = b"<html>502 Bad Gateway</html>", status: int = 200) -> Answer:
    return Answer(raw=raw, status=status)


def hangs() -> Answer:
    return Answer(way="silent")


def breaks_off() -> Answer:
    return Answer(({"type": "text", "text": "{"},), way="broken")


def fails(
    status: int, error: str, message: str = "", *, code: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """Tells at once when to try again, so that a client that does is not waited for."""
    details = {"error_code": code} if code else {}
    told = {"retry-after-ms": "1", **(headers or {})}
    return Answer(status=status, error=error, message=message or error, details=details, headers=told)


def interrupted(text: str = '{"cause": "the variable') -> Answer:
    """A stream that has begun well is ended by an overload; whoever asked for no stream gets that at once."""
    told = replace(overloaded(), way="interrupted")
    return replace(told, content=({"type": "text", "text": text},))


def overloaded() -> Answer:
    return fails(529, "overloaded_error", "Overloaded")


def rate_limited() -> Answer:
    return fails(429, "rate_limit_error", "Number of requests has exceeded your rate limit")
