"""Stack traces in logs: which lines are frames, and which one is the exception. Pure; called by `logs`.

Python, Java (and what else runs on its machine), Go and Node, as their own documents print them. A trace is known by
its frames and by what begins it, never by a level or a time, which every program writes in a way of its own.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

Mark = Literal["", "error", "head", "frame"]
"""error: the exception itself. head: a line that begins a trace and names no error. frame: all else of a trace."""

_PYTHON = re.compile(r"(.{0,120}?)(?:  \+ )?(?:Exception Group )?Traceback \(most recent call last\):\s*$")
_CHAIN = re.compile(
    r"\s{0,20}(?:During handling of the above exception|The above exception was the direct cause of the following)"
)
_FRAME = re.compile(
    r"\s{0,40}(?:at\s+\S.{0,300}[):\]\d]\s*$|at <anonymous>|at async .{0,300}"
    r"|\.{3} \d{1,6} (?:more|common frames omitted))"
)
"""Of Java and of Node."""
_CAUSED = re.compile(r"\s{0,20}(?:Caused by|Suppressed): ")
_GO = re.compile(r"(?:panic: |fatal error: )")
_GOROUTINE = re.compile(r"goroutine \d{1,9} \[")
_GO_FRAME = re.compile(
    r"(?:\t\S{1,300}\.(?:go|s):\d{1,7}|[\w./*()\-]{1,200}\(.{0,300}\)\s*$|created by |\[signal |goroutine \d"
    r"|\.\.\.\d{0,6} ?(?:additional )?frames? elided)"
)


def marks(lines: Sequence[str]) -> list[Mark]:
    """What each line is to a trace; empty where it belongs to none."""
    found: list[Mark] = [""] * len(lines)
    number = 0
    while number < len(lines):
        line = lines[number]
        if _PYTHON.match(line):
            number = _python(lines, found, number)
        elif _GO.match(line) or _GOROUTINE.match(line):
            number = _go(lines, found, number)
        elif _FRAME.match(line):
            number = _java(lines, found, number)
        else:
            number += 1
    return found


def around(marks: Sequence[Mark], number: int) -> Iterator[int]:
    """The lines of the trace that the line `number` belongs to, those nearest to it first."""
    first = last = number
    while first and marks[first - 1]:
        first -= 1
    while last + 1 < len(marks) and marks[last + 1]:
        last += 1
    yield from sorted(range(first, last + 1), key=lambda each: abs(each - number))


def _python(lines: Sequence[str], found: list[Mark], begin: int) -> int:
    """Indented lines, then the exception, which may have several lines of which the first one counts."""
    match = _PYTHON.match(lines[begin])
    prefix = "" if match is None else match[1]
    found[begin] = "head"
    number = begin + 1
    while number < len(lines):
        rest = lines[number].removeprefix(prefix) if prefix else lines[number]
        if rest.strip() and not rest.startswith((" ", "\t")):
            break
        found[number] = "frame"
        number += 1
    if number >= len(lines):
        return number
    found[number] = "error"
    number += 1
    # A chain: what is told last is what the process ended with.
    after = number
    while after < len(lines) and not lines[after].strip():
        after += 1
    if after < len(lines) and _CHAIN.match(lines[after]):
        for each in range(number, after + 1):
            found[each] = "frame"
        after += 1
        while after < len(lines) and not lines[after].strip():
            found[after] = "frame"
            after += 1
        return after
    return number


def _java(lines: Sequence[str], found: list[Mark], begin: int) -> int:
    """Frames, with the line before them as the exception, and causes with frames of their own."""
    if begin and not found[begin - 1] and lines[begin - 1].strip():
        found[begin - 1] = "error"
    number = begin
    while number < len(lines):
        if _CAUSED.match(lines[number]):
            found[number] = "error" if lines[number].lstrip().startswith("Caused") else "head"
        elif _FRAME.match(lines[number]):
            found[number] = "frame"
        else:
            break
        number += 1
    return number


def _go(lines: Sequence[str], found: list[Mark], begin: int) -> int:
    """The panic, then goroutines: a function and its place on two lines each, with empty lines between."""
    found[begin] = "error" if _GO.match(lines[begin]) else "head"
    number = begin + 1
    while number < len(lines) and (not lines[number].strip() or _of_go(lines[number])):
        found[number] = "frame"
        number += 1
    while number - 1 > begin and not lines[number - 1].strip():
        number -= 1
        found[number] = ""
    return number


def _of_go(line: str) -> bool:
    # A panic while panicking, or one that is raised again, belongs to the first.
    return bool(_GO_FRAME.match(line) or line.startswith("\tpanic: "))
