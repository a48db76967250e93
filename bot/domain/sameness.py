"""Whether a model would be asked the same again: the key of a question, and an earlier opinion carried over to it.

A problem that comes back brings nearly the same evidence: other times, counts and pod names, the same errors. The key
is made of what is left when those are folded, so a repeat asks nobody. The opinion is then carried over piece by piece,
and only where each of its quotes is found in the new evidence too. Pure; used by `bot.flow.advising`.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from bot.domain import diagnoses, incidents
from k8s import log_templates, model

VOLATILE = frozenset({"events", "past", "usage", "prometheus"})
"""Sources that read otherwise each time: no part of what makes two questions the same."""
LOGS = frozenset({"log", "previous-log", "sibling-log", "loki"})

_LABEL = re.compile(r"\[E([0-9]{1,4})\]")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.,]{5,18}(?:Z|[+-][0-9:]{4,6})?)?"
    r"|\b[0-9]{1,2}:[0-9]{2}(?::[0-9.,]{2,12})?\b"
)
_POD = re.compile(r"(?<=[a-z0-9])(?:-[a-f0-9]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9-])")
"""Of a ReplicaSet's or a DaemonSet's pod: the letters that Kubernetes makes names of."""
_ID = re.compile(r"\b(?=[a-f0-9-]*[0-9])[a-f0-9]{8,}(?:-[a-f0-9]{4,}){0,4}\b")
_ADDRESS = re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?\b")
_NUMBER = re.compile(r"(?<![\w.:/@-])[×x]?[0-9]+(?:\.[0-9]+)?(?:%|ms|s|h|d)?(?![\w./:-])")
"""One that stands alone, a duration too. `256Mi`, `500m`, `web:1.5` and `v2` say what is configured, and stay."""
_MOMENT = re.compile(r"container \S+ of pod ")
"""What a container did at the moment of the look: one that crashes over and over runs, waits and ends in turns."""
_BLANKS = re.compile(r"\s+")


def key(
    asked: str,
    language: str,
    problem: model.Problem,
    found: diagnoses.Diagnosis,
    evidence: Sequence[diagnoses.Evidence],
) -> str:
    """SHA-256 of what would be asked. `asked`: the model and the version of its prompt."""
    body = {
        "asked": asked,
        "language": language,
        "subject": [str(problem.subject), problem.subject.uid],
        "kinds": sorted(problem.kinds),
        "causes": list(incidents.causes(problem)),
        "rules": [found.kind, [msgspec.to_builtins(one.action) for one in found.candidates]],
        "evidence": sorted({line for piece in evidence for line in essence(piece)}),
    }
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def fold(line: str) -> str:
    """The line without times, counts, addresses and what is random in names."""
    for pattern in (_TIME, _ADDRESS, _POD, _ID, _NUMBER):
        line = pattern.sub("#", line)
    return _BLANKS.sub(" ", line).strip()


def essence(piece: diagnoses.Evidence) -> Iterable[str]:
    """What of a piece would be news. Of a log its error lines (all of it where there are none), since how far it had
    got by the time of reading says nothing. Nothing of events: which of them are held still is chance, and what they
    tell is in the findings and their causes."""
    if piece.source in VOLATILE:
        return
    lines = piece.body.splitlines()
    if piece.source in LOGS:
        shown = list(log_templates.error_lines(piece.body)) or lines
        yield from (f"log: {log_templates.template(line)}" for line in shown if line.strip())
        return
    moment = piece.source == "status"
    yield from (
        f"{piece.source}: {fold(line)}" for line in lines if line.strip() and not (moment and _MOMENT.match(line))
    )


def carried(
    opinion: diagnoses.Opinion, before: Sequence[diagnoses.Evidence], now: Sequence[diagnoses.Evidence]
) -> diagnoses.Opinion | None:
    """The opinion with its evidence numbered as it is now; None where something it rests on is not there any more."""
    numbers = dict(_places(before, now))
    news = len(now) - len(before)
    brought = {one.number: one.number + news for one in opinion.evidence}
    if any(number <= len(now) for number in brought.values()):
        return None
    numbers |= brought
    tools = tuple(replace(one, number=numbers[one.number]) for one in opinion.evidence)
    bodies = {one.number: one.body for one in (*now, *tools)}
    claims = []
    for claim in opinion.claims:
        cites = tuple(numbers.get(number, 0) for number in claim.cites)
        if 0 in cites or not any(_quoted(claim.quote, bodies[number]) for number in cites):
            return None
        claims.append(replace(claim, text=_relabelled(claim.text, numbers), cites=cites))
    told = [opinion.cause, opinion.next_step, *opinion.unknown, *opinion.settle]
    if any(int(label) not in numbers for text in told for label in _LABEL.findall(text)):
        return None
    return replace(
        opinion,
        cause=_relabelled(opinion.cause, numbers),
        next_step=_relabelled(opinion.next_step, numbers),
        unknown=tuple(_relabelled(text, numbers) for text in opinion.unknown),
        settle=tuple(_relabelled(text, numbers) for text in opinion.settle),
        claims=tuple(claims),
        evidence=tools,
    )


def _places(before: Sequence[diagnoses.Evidence], now: Sequence[diagnoses.Evidence]) -> Iterable[tuple[int, int]]:
    """Old number → new number: the nth piece of a source is the nth one still."""
    free: dict[str, list[int]] = {}
    for one in now:
        free.setdefault(one.source, []).append(one.number)
    for one in before:
        if free.get(one.source):
            yield one.number, free[one.source].pop(0)


def _quoted(quote: str, body: str) -> bool:
    return fold(quote).casefold() in fold(body).casefold()


def _relabelled(text: str, numbers: Mapping[int, int]) -> str:
    return _LABEL.sub(lambda found: f"[E{numbers.get(int(found[1]), int(found[1]))}]", text)
