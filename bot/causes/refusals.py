"""Refusals: why the API server did not take the pods that a controller asked for, by its own words. Pure.

Called by the families of controllers, and by `told`.
"""

import re
from collections.abc import Sequence

from bot.domain import diagnoses

_KINDS: Sequence[tuple[diagnoses.CauseKind, re.Pattern[str]]] = (
    ("quota", re.compile(r"exceeded quota|failed quota|maximum .{1,80} usage per|limitrange")),
    (
        "missing-object",
        re.compile(r"service ?account \S{1,300} not found|priority ?class .{1,300} (?:not found|was found)"),
    ),
    ("missing-object", re.compile(r"error looking up service account")),
    ("webhook", re.compile(r"failed calling webhook|admission webhook|validatingadmissionpolicy|denied the request")),
    ("permission", re.compile(r"violates podsecurity|is forbidden: (?:user|unable to validate against any security)")),
    ("permission", re.compile(r"cannot (?:create|get|list|update|patch|delete) resource")),
    ("bad-configuration", re.compile(r"\binvalid\b")),
    ("permission", re.compile(r"forbidden")),
)


def kind(said: str) -> diagnoses.CauseKind:
    """unknown for words that are not known ones."""
    lowered = said[:4096].lower()
    return next((name for name, pattern in _KINDS if pattern.search(lowered)), "unknown")
