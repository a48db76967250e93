"""Expressions of people over objects of a cluster: CEL, checked once, evaluated often.

Called by `k8s.ruling`, which reads them from a file, and by `k8s.custom`, which asks them at every sweep. The language
is https://cel.dev/ with its optional values (`object.?status.?phase.orValue("")`) and its string functions
(`format`, `join`, `lowerAscii` …), as in the policies of Kubernetes itself
(https://kubernetes.io/docs/reference/using-api/cel/). It has no loops, no I/O and no clock: what it knows is `object`,
one object as plain JSON, and `now`, the time of the sweep. Pure.
"""

import functools
import re
from datetime import datetime
from typing import Any, Literal

from k8s import model

LONGEST = 4000
"""Characters of an expression: what is longer belongs in a detector in Python."""

Answer = Literal["bool", "string", "timestamp"]
_TYPES: dict[Answer, frozenset[str]] = {
    "bool": frozenset({"BOOL", "DYN"}),
    "string": frozenset({"STRING", "DYN"}),
    "timestamp": frozenset({"TIMESTAMP", "STRING", "DYN"}),
}
_WORDS: dict[Answer, str] = {
    "bool": "true or false",
    "string": "a text",
    "timestamp": "a time (a timestamp, or a text such as 2026-11-21T03:00:00Z)",
}
_PYTHON: dict[Answer, tuple[type, ...]] = {"bool": (bool,), "string": (str,), "timestamp": (datetime, str)}

_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]+)")
_CODE = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_FAILURES = (RuntimeError, ValueError, TypeError, OverflowError, MemoryError)
"""What the evaluator raises: for its iteration budget, numbers beyond 64 bits, lone surrogates, absent optionals."""


@functools.cache
def _environment() -> Any:
    """Made with the first expression: the library takes 15 MB, and most have no expressions of their own."""
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_optional, ext_strings

    return cel.NewEnv(
        variables={"object": cel.Type.Map(cel.Type.STRING, cel.Type.DYN), "now": cel.Type.TIMESTAMP},
        extensions=[ext_optional.ExtOptional(), ext_strings.ExtStrings()],
    )


class Unusable(ValueError):
    """An expression that can never be evaluated. `line` counts from 1 within the expression."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class Unevaluated(Exception):
    """An expression that has no answer for this object. The text may hold words of the cluster."""


class Expression:
    """One expression that was checked. `value` is safe to call from several threads."""

    def __init__(self, text: str, answer: Answer) -> None:
        """Raises Unusable where the text is no CEL, speaks of what is not there, or cannot give such an answer."""
        if not text.strip():
            raise Unusable("it is empty")
        if len(text) > LONGEST:
            raise Unusable(f"it is longer than {LONGEST:,} characters: write a detector in Python instead")
        try:
            self._compiled = _environment().compile(text)
        except _FAILURES as error:
            raise _unusable(str(error)) from None
        if (kind := str(self._compiled.return_type().name())) not in _TYPES[answer]:
            raise Unusable(f"it gives {kind.lower()}, where {_WORDS[answer]} is asked for")
        self.text = text
        self._answer = answer

    def value(self, of: model.Json, now: datetime) -> Any:
        """The answer for one object: a bool, a text, or a time (datetime, or the text of one). Raises Unevaluated.

        Bounded: the evaluator gives up after 10,000 steps of its macros (`exists`, `map` …), a few milliseconds.
        """
        try:
            result = self._compiled.eval(data={"object": of, "now": now})
            found = result.plain_value()
            failed = result.type().name() == "ERROR"
        except _FAILURES as error:
            raise Unevaluated(_plain(str(error))) from None
        if failed:
            raise Unevaluated(_plain(str(found)))
        if not isinstance(found, _PYTHON[self._answer]):
            raise Unevaluated(f"it gives {type(found).__name__}, where {_WORDS[self._answer]} is asked for")
        return found


def _unusable(text: str) -> Unusable:
    found = _FAULT.search(text)
    if found is None:
        return Unusable(_plain(text))
    line, column, told = found.groups()
    told = re.sub(r" expecting \{.*", "", told.removeprefix("Syntax error: ").removesuffix(" (in container '')"))
    return Unusable(f"{_plain(told)} (column {column})", int(line))


def _plain(text: str) -> str:
    lines = text.strip().splitlines()
    return _CODE.sub("", lines[0]).strip()[:200] if lines else "it could not be evaluated"
