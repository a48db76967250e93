"""Reads a log as an engineer does: which line tells, what is missing, and what may be left out. Pure.

Called by `collecting`; the text is redacted already, but for `without_torn_key`, which comes first.
"""

import re
from collections.abc import Iterator, Sequence

_TELLING = re.compile(
    r"(?i)\b(\w*(error|exception)\b|fatal|panic|critical|traceback|refused|denied|unauthori[sz]ed|forbidden"
    r"|no such|not set|not found|missing|unable to|cannot|can't|could not|failed|timed? ?out|out of memory|killed)"
)
_STRONG = re.compile(r"^\s*([\w.]*(Error|Exception)\b\s*:|panic:|fatal\b|FATAL\b|Caused by:)")
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
_STAMP = re.compile(r"\d+")
_KEY_MARK = re.compile(r"-----(BEGIN|END) (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")


def without_torn_key(log: str) -> str:
    """The log without the rest of a private key whose beginning lies before the first line that was read.

    Redaction knows a key by how it begins; here everything up to where it ends is dropped.
    """
    first = _KEY_MARK.search(log)
    return f"[redacted:private-key]{log[first.end() :]}" if first is not None and first[1] == "END" else log


def telling_line(log: str) -> str:
    """The line that says most about why a process ended: the last named error, else the last that sounds like one.

    Empty where no line does.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    strong = [line for line in lines if _STRONG.search(line)]
    if strong:
        return _clip(strong[-1])
    weak = [line for line in lines if _TELLING.search(line)]
    return _clip(weak[-1]) if weak else ""


def missing_name(line: str) -> str:
    """The environment variable (or setting) that this line says is missing; empty where it says no such thing."""
    for pattern in _MISSING_NAME:
        if found := pattern.search(line):
            return found.group(1)
    return ""


def excerpt(log: str, *, lines: int = 40, characters: int = 6000) -> tuple[str, bool]:
    """The end of the log with runs of alike lines folded into one with a count; and whether anything was left out."""
    folded = list(_fold(log.splitlines()))
    kept = folded[-lines:]
    text = "\n".join(_clip(line, 400) for line in kept)
    cut = len(kept) < len(folded) or len(text) > characters
    return text[-characters:], cut


def _fold(lines: Sequence[str]) -> Iterator[str]:
    """Consecutive lines that differ only in digits become one, `… (×N)`."""
    held, count = "", 0
    for line in lines:
        if not line.strip():
            continue
        if count and _STAMP.sub("0", line) == _STAMP.sub("0", held):
            held, count = line, count + 1
            continue
        if count:
            yield held if count == 1 else f"{held} (×{count})"
        held, count = line, 1
    if count:
        yield held if count == 1 else f"{held} (×{count})"


def _clip(line: str, limit: int = 300) -> str:
    return line if len(line) <= limit else line[: limit - 2] + " …"
