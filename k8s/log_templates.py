"""Which lines of a log tell of an error, and which of them are alike: the same but for numbers, ids, times, addresses.

Pure, and linear in the length of a line, whatever is in it: a log is written by anybody. Called by `k8s.log_rates`.
"""

import re
from collections.abc import Iterator

LONGEST = 400
"""Characters of a line that are looked at."""
MASK = "#"

_WORD = re.compile(r"[A-Za-z0-9_]+")
_DIGIT = re.compile(r"[0-9]")
_LETTERS_OF_HEX = re.compile(r"[a-fA-F]{8,}")
_QUOTED = re.compile(r"([\"'`])([^\"'`]*)\1")
_MASKS = re.compile(r"#+(?:[-.:,/+ ]+#+)*")

_LEVEL = r"(?:level|lvl|severity)\"?\s{0,3}[=:]\s{0,3}\"?"
_ERROR = re.compile(
    rf"\b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|EMERGENCY)\b|(?i:\b{_LEVEL}(?:err|fatal|crit|panic|alert|emerg))"
    r"|^[EF][0-9]{4} |^panic: |^Traceback \(most recent call last\)|\b[A-Z]\w{0,80}(?:Error|Exception)\b"
)
_CALM = re.compile(rf"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING)\b|(?i:\b{_LEVEL}(?:trace|debug|info|notice|warn))")
_LOUD = re.compile(rf"\b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b|(?i:\b{_LEVEL}(?:err|fatal|crit|panic))")
_HEAD = 100
"""Characters in which a line's level stands."""


def error_lines(text: str) -> Iterator[str]:
    """The lines of errors, cut to their first characters: by their level, or as a panic, a traceback or an exception.

    A line that says itself that its level is a lower one is none, whatever it speaks of.
    """
    for whole in text.splitlines():
        line = whole[:LONGEST]
        if _ERROR.search(line) and not (_CALM.search(line[:_HEAD]) and not _LOUD.search(line[:_HEAD])):
            yield line


def template(line: str) -> str:
    """What alike lines have in common. Every run of numbers, ids (words with a digit, long words of hex letters), times
    and addresses becomes `#`, and so does what is quoted around one. A template is its own template."""
    text = " ".join(line.split())[:LONGEST].rstrip()
    text = _WORD.sub(_masked_word, text)
    text = _QUOTED.sub(_masked_quote, text)
    return _MASKS.sub(MASK, text)


def _masked_word(found: re.Match[str]) -> str:
    word = found[0]
    return MASK if _DIGIT.search(word) or _LETTERS_OF_HEX.fullmatch(word) else word


def _masked_quote(found: re.Match[str]) -> str:
    return f"{found[1]}{MASK}{found[1]}" if MASK in found[2] else found[0]
