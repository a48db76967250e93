"""Reads a log as an engineer does: which line tells, what is missing, and what may be left out. Pure.

Called by `collecting`; the text is redacted already, but for `without_torn_key`, which comes first.
"""

import re
from collections.abc import Iterator, Sequence

from bot.evidence import traces
from k8s import log_templates

_TELLING = re.compile(
    r"(?i)\b(\w*(error|exception)\b|fatal|panic|critical|traceback|refused|denied|unauthori[sz]ed|forbidden"
    r"|no such|not set|not found|missing|unable to|cannot|can't|could not|failed|timed? ?out|out of memory|killed)"
)
_NAMED_ERROR = r"[\w.$]{0,200}(?:Error|Exception)\b(?:\s\[\w{1,60}\])?\s{0,3}:"
_STRONG = re.compile(
    rf"^\s{{0,20}}(?:(?:Uncaught |Unhandled )?{_NAMED_ERROR}|Exception in thread\b|panic:|fatal\b|FATAL\b|Caused by:)"
)
_NAME = r"['\"`]?([A-Z][A-Z0-9_]{2,60})['\"`]?"
_NAMED = r"(?i:environment variable|env var|env|variable|setting|config)"
_GONE = r"(?i:not set|missing|undefined|required|must be set|not found|unset|empty)"
_MISSING_NAME = tuple(
    re.compile(pattern)
    for pattern in (
        rf"KeyError:\s*{_NAME}",
        rf"{_NAMED}\s+{_NAME}\s+(?i:is |was )?{_GONE}",
        rf"(?i:missing|undefined|unset|required)\s+(?i:required )?{_NAMED}?:?\s*{_NAME}\b",
        rf"{_NAME}\s+(?i:is |was |must be )(?i:not set|missing|undefined|required|set|unset|empty|not defined)",
        rf"{_NAME}: (?i:parameter not set|unbound variable|parameter null or not set)",
    )
)
_OFTEN = 3
"""Lines that come back more often than this, between others, are shown twice."""
_BINARY = "[binary data]"
_KEY_MARK = re.compile(r"-----(BEGIN|END) (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")


def without_torn_key(log: str) -> str:
    """The log without the rest of a private key whose beginning lies before the first line that was read.

    Redaction knows a key by how it begins; here everything up to where it ends is dropped.
    """
    first = _KEY_MARK.search(log)
    return f"[redacted:private-key]{log[first.end() :]}" if first is not None and first[1] == "END" else log


def telling_line(log: str) -> str:
    """The line that says most about why a process ended: the last named error, else the last that sounds like one.

    Never a frame of a stack trace. Empty where no line does.
    """
    lines = log.splitlines()
    found = _telling(lines, traces.marks(lines))
    return "" if found is None else _clip(lines[found].strip())


def _telling(lines: Sequence[str], marks: Sequence[traces.Mark]) -> int | None:
    weak: int | None = None
    for number in range(len(lines) - 1, -1, -1):
        line, mark = lines[number], marks[number]
        if mark == "error" or (mark != "frame" and _STRONG.search(line)):
            return number
        if weak is None and mark == "" and _TELLING.search(line):
            weak = number
    return weak


def missing_name(line: str) -> str:
    """The environment variable (or setting) that this line says is missing; empty where it says no such thing."""
    for pattern in _MISSING_NAME:
        if found := pattern.search(line):
            return found.group(1)
    return ""


def excerpt(log: str, *, lines: int = 40, characters: int = 6000) -> tuple[str, bool]:
    """What of a log a person would read: all of a short one; of a long one where the failure begins, the trace or line
    that tells most, further errors with a line around each, and the end. Runs of alike lines are one with a count, and
    what is left out is counted. And whether anything was left out."""
    whole = list(_fold(log.splitlines()))
    short = [_clip(line, 400) for line in whole]
    if len(short) <= lines and sum(map(len, short)) + len(short) <= characters:
        return "\n".join(short), False
    shown = _once(whole)
    marks = traces.marks([text for text, _ in shown])
    kept: set[int] = set()
    room = characters - 60
    for number in _ranked([text for text, _ in shown], marks):
        size = min(len(shown[number][0]), 400) + 40
        if number in kept or size > room:
            continue
        kept.add(number)
        room -= size
        if len(kept) >= lines:
            break
    return "\n".join(_joined(shown, kept))[:characters], True


def _ranked(lines: Sequence[str], marks: Sequence[traces.Mark]) -> Iterator[int]:
    """Numbers of lines, those that tell most first; some come more than once."""
    last = len(lines) - 1
    found = _telling(lines, marks)
    if found is not None:
        yield found
    yield from range(last, max(-1, last - 4), -1)
    if found is not None:
        yield from traces.around(marks, found)
        yield from range(found - 1, max(-1, found - 4), -1)
    telling = [number for number, line in enumerate(lines) if marks[number] != "frame" and _TELLING.search(line)]
    if telling:
        yield from range(telling[0], min(last, telling[0] + 3) + 1)
    for number in reversed(telling):
        yield number
        yield from (each for each in (number - 1, number + 1) if 0 <= each <= last)
    yield from range(last, -1, -1)


def _once(lines: Sequence[str]) -> list[tuple[str, int]]:
    """Of lines that come back again and again, between others, the first and the last; with how many are left out."""
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        places.setdefault(log_templates.template(line), []).append(number)
    dropped: set[int] = set()
    more: dict[int, int] = {}
    for numbers in places.values():
        if len(numbers) > _OFTEN:
            dropped.update(numbers[1:-1])
            more[numbers[-1]] = len(numbers) - 2
    return [(line, more.get(number, 0)) for number, line in enumerate(lines) if number not in dropped]


def _joined(shown: Sequence[tuple[str, int]], kept: set[int]) -> Iterator[str]:
    skipped = 0
    for number, (line, more) in enumerate(shown):
        if number not in kept:
            skipped += 1
            continue
        if skipped:
            yield f"… {skipped:,} lines left out"
            skipped = 0
        alike = f" (… {more:,} more like it)" if more else ""
        yield f"{_clip(line, 400)}{alike}"


def _fold(lines: Sequence[str]) -> Iterator[str]:
    """Consecutive lines that are alike become the last of them, `… (×N)`; lines of binary data are only counted."""
    held, alike, count = "", "", 0
    for raw in lines:
        if not raw.strip():
            continue
        line = _BINARY if _is_binary(raw) else raw
        if count and log_templates.template(line) == alike:
            held, count = line, count + 1
            continue
        if count:
            yield _counted(held, count)
        held, alike, count = line, log_templates.template(line), 1
    if count:
        yield _counted(held, count)


def _counted(line: str, count: int) -> str:
    return line if count == 1 else f"{_clip(line, 400)} (×{count:,})"


def _is_binary(line: str) -> bool:
    """Whether so much of a line is no text that reading it tells nothing."""
    odd = sum(1 for letter in line[:400] if letter == "\ufffd" or not (letter.isprintable() or letter == "\t"))
    return odd * 10 > len(line[:400]) * 6


def _clip(line: str, limit: int = 300) -> str:
    """At most `limit` characters; a much longer line says how much longer it was."""
    if len(line) <= limit:
        return line
    left = len(line) - limit
    mark = " …" if left < 1000 else f" … ({left:,} characters left out)"
    return f"{line[: limit - len(mark)]}{mark}"
