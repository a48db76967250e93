"""What of a model's answer stands: every claim's quote is in the evidence that it cites, every object that is named is
known, every action is one that is possible now. What does not stand is dropped, and the drop is told. Pure.

Confidence is worked out here from the agreement of rules, model and evidence; the model is not asked for a number.
Used by `bot.llm.advisor` alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast, get_args

from bot import errors
from bot.domain import choices, consultations, diagnoses, edits, picks
from bot.llm import answers, fencing, prompts
from k8s import model, redact

SENTENCE = 400
CAUSE = 700
ANSWER = 1800
QUOTE = 240
SHORTEST = 4
"""Characters of a quote, or of each part of one with an ellipsis, at least."""
CLAIMS = 8
ACTIONS = 2

_MARK = re.compile(r"\[redacted(?::[a-z0-9-]{1,40})?\]")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": "'", "”": "'", '"': "'", "`": "'", "«": "'", "»": "'"})
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_GAPS = re.compile(r"…|\.{3}|⋯|\[\.\.\.\]")
_LABEL = re.compile(r"\bE([0-9]{1,4})\b")
_CITED = re.compile(r"\[\s*E[0-9]{1,4}(?:\s*[,;]?\s*(?:and\s+)?E[0-9]{1,4})*\s*\]")
_SENTENCE = re.compile(r"(?<=[.!?。])(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)\s+|\n+")
_LATE = re.compile(r"(?<!\])([.!?。])\s*((?:\[\s*E[0-9][E0-9,;and\s]{0,60}\]\s*)+)")
"""Labels behind the full stop of what they are about, where it has none before it."""
_BLANK = re.compile(r"\s+([.,;:!?])")
_NAME = re.compile(r"`([a-z0-9](?:[a-z0-9._:/@-]{1,250}[a-z0-9])?)`")
_KINDED = re.compile(
    r"(?i)\b(?:pod|deployment|statefulset|daemonset|replicaset|job|cronjob|service|configmap|secret|node|namespace"
    r"|ingress|persistentvolumeclaim|pvc|serviceaccount)s?[ /]+`?'?([a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?)\b"
)
_NAMELIKE = re.compile(r"[0-9./:@-]")
_COMMAND = re.compile(
    r"""(?ix)
    \b(?:kubectl|oc|helm|docker|crictl|nerdctl)\b
        (?![ ]+(?:-[^ ]+[ ]+(?:[^- ][^ ]*[ ]+)?){0,4}
            (?:get|describe|logs|top|events|explain|rollout[ ]+(?:status|history)|auth[ ]+can-i|status|history|list|ps
            |inspect)\b)
    | \b(?:kubectl|oc)\b .{0,200} \b(?:delete|exec|apply|patch|edit|replace|create|run|cp|scale|drain|cordon|uncordon
        |taint|label|annotate|set|attach|debug|port-forward|proxy|evict|expose|autoscale|restart|undo|pause|resume)\b
    | \b(?:curl|wget|bash|rm|sudo|chmod|eval|nc|ssh|scp|dd|mkfs|powershell|aws|gcloud|az)
        [ ]+(?:\(link|[-/'"$~.\w]*[-/'"$~.:])
    | \|[ ]*(?:ba|z)?sh\b
    """
)
_APPROVAL = re.compile(r"(?i)\bapprov|\bWK-[0-9]+|승인|批准|承認|\bgenehmig|\baprob|\baprueb|\bодобр")
_CALLING = re.compile(r"<(?=[!@#])|@(?=(?:channel|here|everyone)\b)", re.IGNORECASE)
_LINK = re.compile(r"(?i)\b(?:https?|ftp|slack|javascript|data):/*[^\s<>|)\]]+")


@dataclass(slots=True)
class _Drops:
    """What was taken out, by what was wrong with it."""

    counts: dict[str, int] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    @property
    def told(self) -> tuple[str, ...]:
        lines = []
        for what, count in self.counts.items():
            noun, _, rest = what.partition(" ")
            lines.append(f"{count} {noun}{'s' * (count != 1)} {rest} {'was' if count == 1 else 'were'} removed")
        return (*lines, *self.actions)


UNPROVEN = "claim without evidence"
UNCITED = "sentence without evidence"
UNKNOWN = "sentence that names something not in the evidence"
COMMANDS = "sentence with a command that changes something"
APPROVALS = "sentence about approvals"


@dataclass(frozen=True, slots=True)
class Ground:
    """What an answer is held against."""

    evidence: tuple[diagnoses.Evidence, ...]
    """The dossier's, whole, and what tools brought."""
    problem: model.Problem
    more: str = ""
    """Other text that was shown: names in it are known."""

    @property
    def texts(self) -> dict[int, str]:
        return {one.number: normal(f"{one.title}\n{one.body}") for one in self.evidence}

    @property
    def known(self) -> str:
        """All text in which a name may stand."""
        found = [str(self.problem.subject), self.problem.subject.short, self.more]
        for one in self.problem.findings:
            found += (str(one.resource), str(one.owner), one.message, one.node, one.container, *one.facts.values())
        return normal("\n".join((*found, *(f"{one.title}\n{one.body}" for one in self.evidence))))


def normal(text: str) -> str:
    """For comparing: compatibility forms, no unseen characters, one case, plain quotes and dashes, single blanks; any
    redaction mark is like any other."""
    clean = unicodedata.normalize("NFKC", fencing.seen(text)).casefold()
    plain = _MARK.sub("[redacted]", clean.translate(_QUOTES).translate(_DASHES))
    return " ".join(plain.split())


def numbers(labels: Iterable[str]) -> tuple[int, ...]:
    found = (int(number) for label in labels for number in _LABEL.findall(label.upper()))
    return tuple(dict.fromkeys(found))


def quoted(quote: str, text: str) -> bool:
    """Whether this stands in a text that is `normal`; parts around an ellipsis in their order."""
    parts = [part.strip(" '") for part in _GAPS.split(normal(quote))]
    parts = [part for part in parts if part]
    if not parts or any(len(part) < SHORTEST or not any(map(str.isalnum, part)) for part in parts):
        return False
    at = 0
    for part in parts:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def claims(
    said: Sequence[answers.Claim], texts: dict[int, str], known: str, drops: _Drops
) -> tuple[diagnoses.Claim, ...]:
    """Those whose quote is found and whose words may be shown; of what they cite, only where the quote is."""
    kept: list[diagnoses.Claim] = []
    for one in said:
        cites = tuple(number for number in numbers(one.cites) if quoted(one.quote, texts.get(number, "")))
        if not cites or len(kept) >= CLAIMS:
            drops.add(UNPROVEN)
            continue
        if why := _wrong(one.text, known):
            drops.add(why)
            continue
        kept.append(diagnoses.Claim(_cut(_safe(one.text), SENTENCE), _cut(_safe(one.quote), QUOTE), cites))
    return tuple(kept)


# --- text


def _safe(text: str) -> str:
    """Redacted, one line, with no live mention and no link: what the evidence has of these is found by its number."""
    line = _LINK.sub("(link removed)", " ".join(fencing.seen(redact.redact(text)).split()))
    return _CALLING.sub(lambda found: "‹" if found.group() == "<" else "", line)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def sentences(text: str) -> tuple[str, ...]:
    whole = _LATE.sub(lambda found: f" {found.group(2).strip()}{found.group(1)} ", text)
    return tuple(part.strip() for part in _SENTENCE.split(whole) if part and part.strip())


def _wrong(sentence: str, known: str) -> str:
    """What forbids showing this sentence; empty where nothing does."""
    bare = fencing.seen(sentence)
    if _APPROVAL.search(bare):
        return APPROVALS
    if _COMMAND.search(bare):
        return COMMANDS
    return UNKNOWN if any(not _is_known(name, known) for name in _named(bare)) else ""


def _named(sentence: str) -> tuple[str, ...]:
    """Names of objects, as far as they can be told from words: in backticks, or behind a kind."""
    ticked = (name for name in _NAME.findall(sentence) if _NAMELIKE.search(name))
    kinded = (name for name in _KINDED.findall(sentence) if "-" in name or any(map(str.isdigit, name)))
    return tuple(dict.fromkeys((*ticked, *kinded)))


def _is_known(name: str, known: str) -> bool:
    """Whole, not as a part of a longer name; of `namespace/name` each part by itself will do."""
    parts = (name, *name.split("/")) if "/" in name else (name,)
    whole = [re.search(rf"(?<![a-z0-9]){re.escape(normal(part))}(?![a-z0-9])", known) is not None for part in parts]
    return whole[0] or (len(whole) > 1 and all(whole[1:]))


def _plain(said: Iterable[str], known: str, drops: _Drops, limit: int = SENTENCE) -> tuple[str, ...]:
    """Sentences that need no proof (what is not known, what to look at), without what may not be said."""
    kept = []
    for one in said:
        safe = _safe(one)
        why = _wrong(safe, known)
        if why:
            drops.add(why)
        elif safe:
            kept.append(_cut(safe, limit))
    return tuple(kept)


def _proven(text: str, proofs: Sequence[diagnoses.Claim], ground: Ground, known: str, drops: _Drops, limit: int) -> str:
    """The sentences that cite a piece in which a quote was found. Labels of other pieces are taken out."""
    there = {one.number for one in ground.evidence}
    proven = {number for one in proofs for number in one.cites}
    kept: list[str] = []
    for sentence in sentences(_safe(text)):
        cited = numbers(_CITED.findall(sentence))
        if not proven & set(cited):
            drops.add(UNCITED)
            continue
        if why := _wrong(_CITED.sub("", sentence), known):
            drops.add(why)
            continue
        shown = _BLANK.sub(r"\1", _CITED.sub(lambda found: _labels(found.group(), there), sentence))
        if len(" ".join((*kept, shown))) > limit:
            break
        kept.append(shown)
    return " ".join(kept)


def _labels(cited: str, there: set[int]) -> str:
    return " ".join(f"[E{number}]" for number in numbers([cited]) if number in there)


# --- the whole


@dataclass(frozen=True, slots=True)
class Checked:
    """A report after the checks. `opinion` is None where nothing stood."""

    opinion: diagnoses.Opinion | None
    sure: bool


def report(
    said: answers.Report,
    brief: consultations.Brief,
    ground: Ground,
    seen: picks.Sight | None,
    *,
    name: str,
    version: str,
    tools: tuple[diagnoses.Evidence, ...] = (),
) -> Checked:
    """What stands of it. `tools`: what the model's own looking brought, with the numbers that it knows them by."""
    drops = _Drops()
    known = ground.known
    proofs = claims(said.claims, ground.texts, known, drops)
    cause = _proven(said.cause, proofs, ground, known, drops, CAUSE)
    candidates = _candidates(said.actions, seen, known, drops)
    if not cause:
        return Checked(None, sure=False)
    kind = _kind(said.kind)
    agreement = _agreement(kind, said.view, brief.rules)
    confidence, reason = _confidence(agreement, brief, proofs, drops)
    step = _plain(sentences(said.next_step), known, drops)
    cites = {number for one in proofs for number in one.cites} | set(numbers(_CITED.findall(cause)))
    opinion = diagnoses.Opinion(
        cause=cause,
        kind=kind,
        claims=proofs,
        agreement=agreement,
        confidence=confidence,
        reason=reason,
        next_step=_cut(" ".join(step), SENTENCE) or brief.rules.next_step,
        unknown=_plain(said.unknown[:4], known, drops),
        settle=_plain(said.settle[:4], known, drops),
        candidates=candidates if agreement != "unsure" and said.sure else (),
        dropped=drops.told,
        evidence=tuple(one for one in tools if one.number in cites),
        model=name,
        prompt=version,
    )
    return Checked(opinion, said.sure and agreement != "unsure")


def answer(said: answers.Answered, ground: Ground, *, name: str, version: str) -> consultations.Answer | None:
    """None where no sentence of it stood."""
    drops = _Drops()
    known = ground.known
    proofs = claims(said.claims, ground.texts, known, drops)
    text = _proven(said.text, proofs, ground, known, drops, ANSWER)
    if not text:
        return None
    unknown = _plain(said.unknown[:4], known, drops)
    cites = numbers(_CITED.findall(text))
    return consultations.Answer(
        text=" ".join((text, *(f"Not known: {one}" for one in unknown)))[: ANSWER + 800],
        by="model",
        cites=cites,
        dropped=drops.told,
        evidence=tuple(one for one in ground.evidence if one.number in cites),
        model=name,
        prompt=version,
    )


def _kind(said: str) -> diagnoses.CauseKind:
    return cast("diagnoses.CauseKind", said) if said in get_args(diagnoses.CauseKind) else "unknown"


def _agreement(kind: diagnoses.CauseKind, view: str, rules: diagnoses.Diagnosis) -> diagnoses.Agreement:
    """By the kinds of cause, which both have; what the model calls it counts only where it speaks against that."""
    if kind == "unknown":
        return "unsure"
    if kind == rules.kind:
        return "differs" if view == "differs" else "agrees"
    return "agrees" if rules.kind == "unknown" and view == "agrees" else "differs"


_MORE: dict[diagnoses.Confidence, diagnoses.Confidence] = {"low": "medium", "medium": "high", "high": "high"}


def _confidence(
    agreement: diagnoses.Agreement, brief: consultations.Brief, proofs: Sequence[diagnoses.Claim], drops: _Drops
) -> tuple[diagnoses.Confidence, str]:
    found = f"{len(proofs)} quote{'s' * (len(proofs) != 1)} found in the evidence"
    unproven = drops.counts.get(UNPROVEN, 0)
    if agreement == "agrees":
        if unproven >= len(proofs):
            return brief.rules.confidence, f"rules and model agree, but only {found}"
        raised = _MORE[brief.rules.confidence]
        if brief.dossier.missing and raised == "high":
            return "medium", f"rules and model agree, {found}, but some evidence could not be read"
        return raised, f"rules and model agree, {found}"
    if agreement == "unsure":
        return "low", f"the model is not sure, {found}"
    pieces = {number for one in proofs for number in one.cites}
    level: diagnoses.Confidence = "medium" if len(pieces) > 1 and not unproven else "low"
    return level, f"rules and model differ, {found}"


# --- what is proposed


def _candidates(
    said: Sequence[answers.Proposal], seen: picks.Sight | None, known: str, drops: _Drops
) -> tuple[diagnoses.Candidate, ...]:
    kept: list[diagnoses.Candidate] = []
    for one in said:
        name = _cut(_safe(one.action), 60)
        if len(kept) >= ACTIONS:
            drops.actions.append(f"the action {name} was removed: two are enough")
            continue
        try:
            action = _action(one, seen)
        except (edits.Wrong, errors.NotPossible) as error:
            drops.actions.append(_cut(f"the action {name} was removed: {_safe(str(error))}", SENTENCE))
            continue
        why = " ".join(_plain(sentences(one.why), known, drops))
        kept.append(diagnoses.Candidate(action, _cut(why, SENTENCE) or "the model speaks for it"))
    return tuple(kept)


def _action(said: answers.Proposal, seen: picks.Sight | None) -> model.Action:
    """As a person would have entered it. Raises edits.Wrong, errors.NotPossible with what speaks against it."""
    if seen is None:
        raise errors.NotPossible("what is possible now could not be seen")
    if said.action not in choices.names(seen.subject.kind):
        raise errors.NotPossible(f"it is not for a {seen.subject.kind}, or not in the catalogue")
    fields = {one.name: one for one in choices.fields_of(said.action, seen)}
    values = {}
    for given in said.parameters:
        asked = fields.get(given.name)
        if asked is None:
            raise errors.NotPossible(f"it has no parameter {given.name[:40]}")
        values[given.name] = _value(asked, given.value)
    action = choices.made(said.action, values, seen)
    if against := picks.against(seen, action):
        raise errors.NotPossible(" ".join(against))
    return action


def _value(asked: edits.Field, given: str) -> str:
    """A choice goes by its number in the list that was shown."""
    if not asked.choices:
        return given
    number = given.strip()
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:6]) <= min(len(asked.choices), prompts.SHOWN)):
        raise errors.NotPossible(f"{asked.name} is none of those that were listed")
    return asked.choices[int(number) - 1].value
