"""One look at a cluster as a person reads it in a terminal, and as a program reads it: a table and a JSON document.

Pure; `bot.__main__` prints what comes out and says whether there is a terminal, how wide it is and whether it may have
colours. The JSON is an interface: docs/sweep-json.md describes it, docs/sweep.schema.json defines it.

All text of a cluster is redacted here (findings are not yet) and stripped of what a terminal would obey: a pod's log
must not move the cursor, set a title or turn the reading direction around in the terminal of who looks at it.
"""

import json
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from bot.domain import diagnoses, looks
from k8s import model, redact

Exit = Literal[0, 1, 2]
"""healthy · findings · could not look"""

_CLUSTER_SCOPED = frozenset({"nodes", "namespaces"})
_ESCAPES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # operating system commands: titles, links, the clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)"  # device control and other strings
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # control sequences: colours, cursor
    r"|\x1b[ -/]*[0-~]?"
)
"""ECMA-48. A string without its end loses its introducer only: it must not swallow the rest of the text."""
_COLOURS = {"P1": "\x1b[1;31m", "P2": "\x1b[33m", "P3": "\x1b[36m", "bold": "\x1b[1m", "dim": "\x1b[2m"}
_PLAIN = "\x1b[0m"
_LEAST_WIDTH, _MOST_WIDTH = 60, 160


# --- text from a cluster


def clean(text: str, *, lines: bool = False) -> str:
    """Redacted, without escape sequences, control and direction characters; line breaks only where `lines`."""
    # Stripped first: a secret with a colour code in its middle would not look like one.
    whole = redact.redact("".join(_harmless(mark) for mark in _ESCAPES.sub("", text)))
    return whole.strip("\n") if lines else " ".join(whole.split())


def _harmless(mark: str) -> str:
    if mark in "\n\t":
        return mark.replace("\t", "    ")
    category = unicodedata.category(mark)
    if category == "Cc":
        return " " if mark in "\r\v\f" else ""
    # Cf: bidi overrides and invisible marks. Cs: halves of surrogate pairs, which cannot be printed.
    return "" if category in {"Cf", "Cs"} else mark


def cells(text: str) -> int:
    """Columns that a terminal takes for it: wide East Asian characters and emoji two, combining marks none."""
    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


# --- for people


def table(look: looks.Look, *, width: int = 100, colour: bool = False, now: datetime | None = None) -> str:
    """Findings in aligned columns, then, where they were examined, each incident with its cause and its way out.

    `now` is what "since" is told from; the look's own time unless given.
    """
    width = max(_LEAST_WIDTH, min(width, _MOST_WIDTH))
    paint = _paint if colour else _unpainted
    moment = now or look.taken_at
    lines = [paint("bold", f"{clean(look.cluster)}: {clean(look.summary)}") + f" ({look.seconds:.1f} s)"]
    lines += [f"  not seen whole: {name} ({clean(why)})" for name, why in sorted(look.degraded.items())]
    if look.muted:
        lines.append(f"  {look.muted} muted by watchkeeper.io/ignore")
    if look.findings:
        lines += ["", *_rows(look.findings, width, paint, moment)]
    if look.risks:
        lines += ["", paint("dim", "Risks, where nothing is broken yet:")]
        lines += [
            ("  " if number == 0 else "    ") + line
            for one in look.risks
            for number, line in enumerate(_wrapped(clean(f"{one.owner}: {_after_name(one)}"), width - 4))
        ]
    for examined in look.examined:
        if examined.diagnosis is not None or examined.remedies or examined.refused:
            lines += ["", *_incident(examined, width, paint)]
    return "\n".join(lines) + "\n"


def _rows(findings: Sequence[model.Finding], width: int, paint: Any, now: datetime) -> Iterator[str]:
    head = ("SEV", "KIND", "RESOURCE", "SINCE")
    rows = [(one.severity, one.kind, clean(str(one.owner)), ago(one.since, now)) for one in findings]
    widths = [max(cells(row[column]) for row in (head, *rows)) for column in range(len(head))]
    indent = sum(widths) + 2 * len(widths)
    beside = width - indent >= 40
    yield paint("dim", _columns(head, widths) + ("MESSAGE" if beside else "")).rstrip()
    for row, one in zip(rows, findings, strict=True):
        start = paint(one.severity, row[0]) + _columns(row, widths)[len(row[0]) :]
        message = _wrapped(clean(one.message), width - (indent if beside else 4))
        if beside:
            yield start + message[0]
            yield from (" " * indent + line for line in message[1:])
        else:
            yield start.rstrip()
            yield from ("    " + line for line in message)


def _after_name(one: model.Finding) -> str:
    """A risk's sentence without the object that it begins with."""
    return one.message.removeprefix(f"{one.resource.kind} {one.resource.name}: ")


def _columns(row: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(text + " " * (most - cells(text) + 2) for text, most in zip(row, widths, strict=True))


def _incident(examined: looks.Examined, width: int, paint: Any) -> Iterator[str]:
    problem = examined.problem
    said = f"{problem.subject} · {', '.join(problem.kinds)}"
    yield f"{paint(problem.severity, problem.severity)} {paint('bold', clean(said))}"
    if examined.diagnosis is not None:
        found = examined.diagnosis
        yield from _labelled("cause", found.cause, width)
        yield from _labelled("sure", f"{found.confidence}: {found.reason}", width)
        yield from _labelled("next", found.next_step, width)
    for remedy in examined.remedies:
        # A command is never wrapped: it is there to be copied.
        yield f"  {'fix':<7}{clean(remedy.plan.kubectl)}"
        yield from _labelled("", f"{remedy.plan.risk} risk; {remedy.plan.summary} {remedy.why}", width)
    for reason in examined.refused:
        yield from _labelled("not", reason, width)
    for piece in examined.evidence:
        yield from _labelled(piece.label, piece.title, width)
        yield from (
            paint("dim", " " * 9 + "| " + part)
            for line in clean(piece.body, lines=True).splitlines()
            for part in _wrapped(line, width - 11)
        )


def _labelled(label: str, text: str, width: int) -> Iterator[str]:
    for number, line in enumerate(_wrapped(clean(text), width - 9)):
        yield f"  {label if number == 0 else '':<7}{line}"


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many cells, at least one. Wide characters are counted by halving the room for all."""
    room = max(20, width if cells(text) == len(text) else width // 2)
    return textwrap.wrap(text, room, break_on_hyphens=False, drop_whitespace=True) or [""]


def _paint(name: str, text: str) -> str:
    return f"{_COLOURS[name]}{text}{_PLAIN}"


def _unpainted(_name: str, text: str) -> str:
    return text


def ago(since: datetime, now: datetime) -> str:
    """`45s`, `6m`, `3h`, `12d`: the greatest whole unit, as kubectl says it. A clock that is ahead counts as now."""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


# --- for programs


def document(look: looks.Look) -> dict[str, Any]:
    """The JSON of docs/sweep-json.md."""
    return {
        "sweep": {
            "status": look.status,
            "cluster": clean(look.cluster),
            "taken_at": _moment(look.taken_at),
            "pods": look.pods,
            "nodes": look.nodes,
            "findings": len(look.findings),
            "incidents": len(look.examined),
            "muted": look.muted,
            "seconds": round(look.seconds, 3),
            "summary": clean(look.summary),
            "degraded": {name: clean(why) for name, why in sorted(look.degraded.items())},
        },
        "findings": [_finding(one) for one in look.findings],
        "incidents": [_examined(one) for one in look.examined],
        "risks": [_finding(one) for one in look.risks],
    }


def failure(reason: str, *, cluster: str = "", now: datetime) -> dict[str, Any]:
    """The same document where there was nothing to look at: status `failed`, `summary` says why."""
    nothing = looks.Look(
        cluster=cluster,
        taken_at=now,
        status="failed",
        summary=reason,
        pods=0,
        nodes=0,
        seconds=0.0,
        findings=(),
        examined=(),
    )
    return document(nothing)


def encoded(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _finding(one: model.Finding) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "severity": one.severity,
        "resource": clean(str(one.owner)),
        "message": clean(one.message),
        "since": _moment(one.since),
        "object": clean(str(one.resource)),
        "container": clean(one.container),
    }


def _examined(one: looks.Examined) -> dict[str, Any]:
    found = one.diagnosis
    return {
        "resource": clean(str(one.problem.subject)),
        "severity": one.problem.severity,
        "kinds": list(one.problem.kinds),
        "since": _moment(one.problem.since),
        "cause": clean(found.cause) if found else None,
        "confidence": found.confidence if found else None,
        "reason": clean(found.reason) if found else None,
        "next_step": clean(found.next_step) if found else None,
        "evidence": [_piece(piece) for piece in one.evidence],
        "proposals": [_proposal(remedy) for remedy in one.remedies],
        "refused": [clean(reason) for reason in one.refused],
    }


def _piece(piece: diagnoses.Evidence) -> dict[str, Any]:
    return {
        "id": piece.label,
        "source": piece.source,
        "title": clean(piece.title),
        "body": clean(piece.body, lines=True),
        "cut": piece.cut,
    }


def _proposal(remedy: looks.Remedy) -> dict[str, Any]:
    return {
        "action": model.name_of(remedy.plan.action),
        "kubectl": clean(remedy.plan.kubectl),
        "risk": remedy.plan.risk,
        "summary": clean(remedy.plan.summary),
        "why": clean(remedy.why),
        "reversible": remedy.plan.inverse is not None,
    }


def _moment(moment: datetime) -> str:
    """RFC 3339, UTC, whole seconds: `2026-11-21T03:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- the answer of the process


def exit_code(look: looks.Look, *, scoped: bool) -> Exit:
    """0 healthy, 1 findings, 2 could not look.

    What could not be seen is not healthy: a look with gaps and without findings is a 2. But where namespaces were named
    (`scoped`), nodes and namespaces were not asked for, and a Role for these namespaces cannot list them.
    """
    if look.status == "failed":
        return 2
    if look.findings:
        return 1
    gaps = frozenset(look.degraded) - (_CLUSTER_SCOPED if scoped else frozenset())
    return 2 if gaps else 0
