"""Reading: what the last words of a process prove, in the languages and programs that clusters are full of. Pure.

Called by the families. A line is data: it may name a cause and a thing (`db:5432`, `/etc/app.yaml`), never an action.
Where the telling line says nothing known, the lines before it are asked, from the last one up; what the process itself
calls a warning is never taken for its end.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from bot.causes import cases, sayings
from bot.domain import diagnoses


class Reading(NamedTuple):
    """What one line says. `named` is the variable, file, host or port it speaks of; empty where it names none."""

    kind: diagnoses.CauseKind
    line: str
    named: str = ""


ELSEWHERE: frozenset[diagnoses.CauseKind] = frozenset({"dependency-down", "dns", "network"})
"""What fails there is not the process: something that it talks to."""

_LINES = 40
"""Of the end of a log, those that are looked at."""
_CHARACTERS = 400
_KEY_ERROR = re.compile(r"KeyError: ['\"](?P<named>[A-Z][A-Z0-9_]{1,60})['\"]")
_ENVIRONMENT = re.compile(r"os\.environ|getenv|ENV\[|process\.env|environ\[")
_MILD = re.compile(
    r"^\W{0,3}(?:\S{1,40} ){0,4}?\W{0,2}(?:WARN(?:ING)?|INFO|DEBUG|TRACE|NOTICE|level=(?:warn|info|debug)\w{0,5})\b",
    re.IGNORECASE,
)
_NAMED_ERROR = re.compile(r"^\s{0,8}(?:[\w.$]{1,120}(?:Error|Exception)\b(?!:\s*(?:$|exit))|panic:)")
"""What a process throws by its own name: with these words nothing before them is its end."""
_LISTENS = re.compile(
    r"\b(?:listening|running|started|serving|listen|bound)\b[^\d\n]{0,60}?"
    r"(?:(?:\d{1,3}\.){3}\d{1,3}:|[:\]*]:?|port\(?s?\)?:? ?)(?P<port>\d{2,5})\b",
    re.IGNORECASE,
)
"""As servers say it: `listening on :8080`, `running on http://0.0.0.0:8000`, `started on port(s): 8080`."""


def read(line: str, context: str = "") -> Reading | None:
    """What this line says; None where it says nothing known. `context`: the log around it."""
    told = cases.unlabelled(line[:_CHARACTERS])
    if key := _KEY_ERROR.search(told):
        known = "_" in key["named"] or bool(_ENVIRONMENT.search(context))
        return Reading("missing-variable", told, key["named"]) if known else None
    for kind, pattern in sayings.PATTERNS:
        if found := pattern.search(told):
            return Reading(kind, told, _named(found))
    return None


def _named(found: re.Match[str]) -> str:
    parts = found.groupdict()
    name = parts.get("named") or ""
    port = parts.get("port")
    return (f"{name}:{port}" if port else name).strip("'\"`").rstrip(".,;")


def of(case: cases.Case) -> Reading | None:
    """What the log of the failing container says about its end."""
    telling = case.fact("error_line")
    body = _log(case)
    found = read(telling, body) if telling and not _MILD.search(telling) else None
    if found is not None or (telling and _NAMED_ERROR.search(telling)):
        return found
    for line in _before(body):
        if (earlier := read(line, body)) is not None:
            return earlier
    return read(telling, body) if telling else None


def listens_on(case: cases.Case) -> str:
    """The port that the process says it listens on, the last it said; empty where it says none."""
    ports = _LISTENS.findall("\n".join(line[:_CHARACTERS] for line in _log(case).splitlines()))
    return ports[-1] if ports else ""


def _log(case: cases.Case) -> str:
    """The log of the life that failed, as the evidence holds it."""
    first: diagnoses.Source = "log" if case.fact("log") == "log" else "previous-log"
    second: diagnoses.Source = "previous-log" if first == "log" else "log"
    piece = case.dossier.of(first) or case.dossier.of(second)
    return piece.body if piece is not None else ""


def _before(body: str) -> Iterator[str]:
    """The lines of a log from the last one up, without frames of traces and what is called mild."""
    for line in list(filter(str.strip, body.splitlines()))[: -_LINES - 1 : -1]:
        if not _MILD.search(line[:120]) and not line.lstrip().startswith(("at ", "File ", "goroutine ")):
            yield line.strip()
