"""The catalogue of failure kinds with the settings that hold now, as a table and as JSON: `watchkeeper kinds`.

Pure; `bot.__main__` prints what comes out. All text is our own: nothing of a cluster is in it.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot import formats
from k8s import detection, model

_HEAD = ("KIND", "ON", "GRACE", "SEVERITY")
_LEAST_WIDTH, _MOST_WIDTH = 60, 160
_NOTE = (
    "ON: it is looked for. GRACE: a younger state opens no incident. SEVERITY: P1 users are probably hurt, "
    "P2 degraded, P3 will hurt later. In brackets: the default, where a setting replaces it."
)


@dataclass(frozen=True, slots=True)
class Held:
    """One kind, and what holds of it."""

    info: detection.KindInfo
    on: bool
    grace: timedelta
    severity: model.Severity
    unless: str
    """When its detector says another severity; empty where it never does, or where a person has set one."""


def held(options: detection.Options) -> tuple[Held, ...]:
    """Every kind, in the order of the catalogue; then those of somebody's own."""
    return tuple(
        Held(
            info=info,
            on=options.looks_for(kind),
            grace=options.graces.get(kind, info.grace),
            severity=options.severities.get(kind, info.severity),
            unless="" if kind in options.severities else info.unless,
        )
        for kind, info in options.kinds.items()
    )


def table(options: detection.Options, *, width: int = 100) -> str:
    """A kind a row, with its condition beside and its page below: addresses are never wrapped."""
    width = max(_LEAST_WIDTH, min(width, _MOST_WIDTH))
    every = held(options)
    rows = [_cells(one) for one in every]
    widths = [max(len(row[column]) for row in (_HEAD, *rows)) for column in range(len(_HEAD))]
    lines = [_columns(_HEAD, widths) + "FOUND WHEN"]
    indent = len(_columns(_HEAD, widths))
    beside = width - indent >= 30
    for row, one in zip(rows, every, strict=True):
        start = _columns(row, widths)
        said = textwrap.wrap(_said(one), width - (indent if beside else 4))
        lines += [start + said[0], *(" " * indent + line for line in said[1:])] if beside else [start.rstrip()]
        lines += [] if beside else ["    " + line for line in said]
        lines += [f"    {text}" for text in (one.info.doc, one.info.source and f"from {one.info.source}") if text]
    return "\n".join([*lines, "", *textwrap.wrap(_NOTE, width)]) + "\n"


def _cells(one: Held) -> tuple[str, str, str, str]:
    grace, severity = formats.in_words(one.grace), str(one.severity)
    if one.grace != one.info.grace:
        grace += f" ({formats.in_words(one.info.grace)})"
    if one.severity != one.info.severity:
        severity += f" ({one.info.severity})"
    return one.info.kind, "yes" if one.on else "no", grace, severity


def _columns(row: tuple[str, ...], widths: list[int]) -> str:
    return "".join(f"{text:<{most}}  " for text, most in zip(row, widths, strict=True))


def _said(one: Held) -> str:
    told = one.info.condition + (f" ({one.unless})" if one.unless else "")
    told += "" if one.info.on else "; off unless WATCHKEEPER_KINDS_ON names it"
    return told + ("; reported, never an incident" if one.info.report_only else "")


def document(options: detection.Options) -> dict[str, Any]:
    """The same for programs; graces in seconds."""
    return {"kinds": list(_documents(options))}


def _documents(options: detection.Options) -> Iterator[dict[str, Any]]:
    for one in held(options):
        yield {
            "kind": one.info.kind,
            "on": one.on,
            "grace_seconds": one.grace.total_seconds(),
            "default_grace_seconds": one.info.grace.total_seconds(),
            "severity": one.severity,
            "default_severity": one.info.severity,
            "unless": one.unless,
            "default_on": one.info.on,
            "report_only": one.info.report_only,
            "condition": one.info.condition,
            "doc": one.info.doc,
            "source": one.info.source,
        }
