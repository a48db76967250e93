"""Answers to questions: the reply in a thread, and what `/watch why` and `/watch runbook` say to one person.

`answer` is rendered by the publisher, the rest for `handlers`. Every line of an answer is made inert: what a log or a
model wrote can neither mention anybody nor hold a link. Only what the rules wrote names people (`@U0123`).
"""

import re
from collections.abc import Iterator, Sequence

from bot.domain import cards, consultations, diagnoses, inquiries
from bot.slack import ids
from bot.slack.blocks import answers, limits, messages, opinion, text
from k8s import model

QUESTION = 160
LINE = 900
EVIDENCE = 8
FIRST_LINES = 20
PART = 5
"""Runbooks in one section."""
_PERSON = re.compile(r"(?<!\S)(@[UW][A-Z0-9]{2,20})\b", re.ASCII)
_CODE = re.compile(r"(`[^`\n]{1,600}`)")
_BOLD = re.compile(r"(\*[^*`<>&\n]{1,60}\*)")


# --- in a thread ------------------------------------------------------------------------------------------------------


def answer(card: cards.AnswerCard) -> messages.Message:
    """Who asked what, the answer, and what it rests on."""
    question, found = card.question, card.question.answer
    name = card.incident.name
    asked = text.dotted((text.person(question.user), f"_{_inert(question.text, QUESTION)}_"))
    if found is None:
        told = "This could not be answered: the incident cannot be read."
        return limits.message(f"{name}: not answered", [limits.context(asked), limits.section(told)])
    lines = [_line(one, people=found.by == "rules") for one in found.text.splitlines() if one.strip()]
    blocks = [limits.context(asked), limits.section(_quoted(lines))]
    blocks.append(limits.context(text.lines((_rests_on(found), _by(found), *_dropped(found)))))
    return limits.message(f"{name}: {found.text.partition(chr(10))[0]}", blocks)


def _quoted(lines: Sequence[str]) -> str:
    """Lines of evidence stand in one block of code each run."""
    shown: list[str] = []
    run: list[str] = []
    for line in (*lines, ""):
        if line.startswith("&gt; "):
            run.append(line.removeprefix("&gt; "))
            continue
        if run:
            shown.append("\n".join(("```", *run, "```")))
            run = []
        shown += [line] if line else []
    return "\n".join(shown)


def _line(raw: str, *, people: bool) -> str:
    """One line: inert, but for code, our own bold words and (of the rules) people."""
    if raw.startswith("> "):
        kept = text.clean(raw[2:]).replace("`", "ˋ").replace("\n", " ")
        return f"&gt; {text.escape(kept[:LINE])}"
    rendered = []
    for number, part in enumerate(_CODE.split(text.one_line(raw[: 2 * LINE]))):
        rendered.append(text.code(part[1:-1], 600) if number % 2 else _words(part, people=people))
    return "".join(rendered)


def _words(raw: str, *, people: bool) -> str:
    if not people:
        return _spaced(raw)
    shown = []
    for number, part in enumerate(_PERSON.split(raw)):
        if number % 2:
            shown.append(text.person(part[1:]) if ids.is_user(part[1:]) else _spaced(part))
        else:
            bold = _BOLD.split(part)
            shown += [f"*{text.prose(one[1:-1], 80)}*" if at % 2 else _spaced(one) for at, one in enumerate(bold)]
    return "".join(shown)


def _spaced(raw: str) -> str:
    """As `text.prose`, with the blanks at both ends kept: it is a part of a line."""
    body = text.prose(raw, LINE)
    return f"{' ' * raw.startswith(' ')}{body}{' ' * (raw.endswith(' ') and bool(body))}"


def _inert(raw: str, limit: int) -> str:
    """For use within a pair of underscores."""
    return text.prose(raw, limit).replace("_", " ")


def _rests_on(found: consultations.Answer) -> str:
    shown = [piece for piece in found.evidence if piece.number in found.cites] or list(found.evidence)
    titles = [f"{piece.label} {text.prose(piece.title, 80)}" for piece in shown[:EVIDENCE]]
    return f"Rests on: {'; '.join(titles)}" if titles else ""


def _by(found: consultations.Answer) -> str:
    who = f"by the model {text.prose(found.model, 60)}" if found.by == "model" else "by the rules"
    why = f" ({text.prose(found.why.rstrip('.'), 240)})" if found.why and found.by == "rules" else ""
    state = f"the incident was {text.prose(found.state, 20)} then" if found.state else ""
    return text.dotted((f"Answered {who}{why}", state))


def _dropped(found: consultations.Answer) -> Iterator[str]:
    yield from (text.prose(one, 160) for one in found.dropped[:4])


# --- /watch why -------------------------------------------------------------------------------------------------------


def why(found: inquiries.Inquiry, *, asked: bool = False) -> messages.Message:
    """Its incident as it is; else what a fresh look shows, or that nothing is wrong and by which facts. `asked`: a
    model is being asked, and its view comes after this."""
    if found.card is not None:
        return answers.show(found.card)
    name = f"{found.subject.kind.lower()} {found.subject.short}"
    if not found.found:
        facts = "; ".join(found.facts)
        told = f"Nothing is wrong with {name} now"
        blocks = [limits.section(f"*{text.prose(told, 200)}*{f': {text.prose(facts, 600)}' if facts else ''}")]
        return limits.message(f"{told}: {facts}", [*blocks, limits.context(_looked(found))])
    blocks = [
        limits.section(
            f"*{text.prose(name, 160)}* in {text.prose(found.cluster, 80)}: "
            f"{text.count(len(found.found), 'problem')}, no incident is open for it"
        )
    ]
    for one in found.found:
        blocks += _diagnosed(one)
    notice = f"{name}: {found.found[0].diagnosis.cause or found.found[0].problem.primary.message}"
    small = text.lines((_looked(found), "_The model is being asked; its view comes in a moment._" if asked else ""))
    return limits.message(notice, [*blocks, limits.context(small)])


def view(found: inquiries.View) -> messages.Message:
    """What a model makes of it, after what the rules said; or in one line why there is nothing."""
    name = f"{found.problem.subject.kind.lower()} {found.problem.subject.short}"
    if found.opinion is None:
        told = f"{found.why.rstrip('.')}. What the rules say of {name} stands."
        return limits.message(f"{name}: no view of a model", [limits.context(text.prose(told, 400))])
    head = limits.context(text.prose(f"{', '.join(found.problem.kinds)} of {name}, by the same evidence", 200))
    would = [model.name_of(one.action) for one in found.opinion.candidates[:1]]
    rather = f"*The model would:* {text.code(would[0], 40)}. Nothing is proposed without an incident." if would else ""
    blocks = opinion.told(found.opinion, opinion.AGAIN if found.reused else "", rather=rather)
    return limits.message(f"{name}: {opinion.heard(found.opinion)}", [head, *blocks])


def _diagnosed(one: inquiries.Found) -> list[messages.Block]:
    made = one.diagnosis
    body = text.lines(
        (
            f"*{text.prose(', '.join(one.problem.kinds), 120)}* since {text.day_and_time(one.problem.since)}",
            f"*Cause:* {text.prose(made.cause, 700) or 'not known'}",
            f"Confidence {made.confidence}: {text.prose(made.reason, 240)}",
            f"*Next step for a person:* {text.prose(made.next_step, 400)}" if made.next_step else "",
        )
    )
    cited = [piece for piece in one.evidence if piece.number in made.cites] or list(one.evidence[:2])
    shown = [limits.section(_piece(piece)) for piece in cited[:3]]
    rest = [f"{piece.label} {text.prose(piece.title, 80)}" for piece in one.evidence if piece not in cited[:3]]
    more = [limits.context(f"Also read: {'; '.join(rest[:EVIDENCE])}")] if rest else []
    return [limits.section(body), *shown, *more]


def _piece(piece: diagnoses.Evidence) -> str:
    told, left = text.telling(piece.body, 8)
    rest = f"\n{text.CUT}: {text.count(left, 'line')} left out" if left else ""
    return f"*{piece.label}* {text.prose(piece.title, 160)}\n{text.block(told, most=17, width=180, limit=1600)}{rest}"


def _looked(found: inquiries.Inquiry) -> str:
    gaps = [f"Not seen: {text.prose(gap, 200)}" for gap in found.unread[:6]]
    return text.lines((f"Looked at: {text.prose(found.looked, 300)}" if found.looked else "", *gaps))


# --- /watch runbook --------------------------------------------------------------------------------------------------


def runbook_list(found: Sequence[consultations.Runbook]) -> messages.Message:
    rows = [_runbook_line(one) for one in found[: answers.ROWS]] or ["None. `/watch runbook add` adds one."]
    blocks = [limits.section(text.lines(rows[at : at + PART])) for at in range(0, len(rows), PART)]
    rest = [limits.context(f"{text.CUT}: {len(found) - answers.ROWS} more")] if len(found) > answers.ROWS else []
    return limits.message(text.count(len(found), "runbook"), [limits.section("*Runbooks*"), *blocks, *rest])


def _runbook_line(one: consultations.Runbook) -> str:
    return text.dotted((f"• {text.code(one.name, 80)}", text.prose(one.title, 120), _fits(one), _from(one)))


def _fits(one: consultations.Runbook) -> str:
    labels = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
    said = [
        f"for {text.prose(', '.join(one.kinds), 160)}" if one.kinds else "",
        text.code(labels, 120) if labels else "",
    ]
    return text.dotted(said) or "found by its words"


def _from(one: consultations.Runbook) -> str:
    if one.source == "slack":
        at = "" if one.added_at is None else f" {text.day_and_time(one.added_at)}"
        return f"added by {text.person(one.added_by)}{at}"
    place = "the folder" if one.source == "folder" else f"a ConfigMap of {text.prose(one.cluster, 80)}"
    return f"from {place}"


def runbook(found: Sequence[consultations.Runbook]) -> messages.Message:
    """All of one name, with their first lines."""
    blocks: list[messages.Block] = []
    for one in found[:3]:
        lines = one.body.splitlines()
        body = text.block(lines, most=FIRST_LINES, width=200, limit=2200)
        blocks += [
            limits.section(f"{text.bold(one.title, 160)}\n{body}"),
            limits.context(text.dotted((_fits(one), _from(one)))),
        ]
    return limits.message(f"Runbook {found[0].name}: {found[0].title}", blocks)
