"""Probing: what the answer of a failing probe, and the log beside it, prove. Called by the families for pods.

A probe that is refused on a port on which the process says it does not listen is wrong, or the process is; one that is
answered 404 asks at the wrong place. Everything else says that it fails, never why.
"""

import re
from typing import NamedTuple

from bot.causes import cases, reading
from bot.domain import diagnoses

_PORT = re.compile(r"(?:dial tcp \S{1,60}?|https?://[^/\s:\"]{1,255}|\])\:(\d{1,5})\b")
_MISPLACED = re.compile(r"statuscode: (?:401|403|404|405|406|415|426)\b")
"""Answers of a process that is there and does not serve this path in this way. A redirection is no failure to a probe:
https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#http-probes"""


class Proof(NamedTuple):
    kind: diagnoses.CauseKind
    told: str = ""
    """A sentence that cites what it rests on, after a space; empty where there is nothing more to say."""
    step: str = ""
    found: reading.Reading | None = None
    """What the log says, where that is the proof."""


def prove(case: cases.Case, probe: str) -> Proof:
    """Why the probe fails, as far as it is known; `application` where it is not."""
    answer = case.finding.facts.get("answer", "")
    if moved := _ports(case, answer):
        return moved
    found = reading.of(case)
    if found is not None and found.kind in reading.ELSEWHERE:
        return Proof(found.kind, found=found)
    if _MISPLACED.search(answer):
        return Proof("bad-probe", step="Correct the path of the probe, or serve it there.", found=found)
    if case.suspected and case.changed(f"{probe} probe"):
        return Proof("bad-probe", step=f"Correct the {probe} probe.", found=found)
    return Proof(found.kind if found is not None else "application", found=found)


def _ports(case: cases.Case, answer: str) -> Proof | None:
    asked, listens = _PORT.findall(answer), reading.listens_on(case)
    if "refused" not in answer or not asked or not listens or listens in asked:
        return None
    seen = case.cite("previous-log", "log")
    told = f" It says that it listens on port {listens}{seen}; the probe asks port {asked[-1]}."
    return Proof("wrong-port", told, f"Have the process listen on port {asked[-1]}, or the probe ask port {listens}.")
