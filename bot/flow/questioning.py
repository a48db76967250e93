"""Questioning: what people ask in an incident's thread, and the answer that stands below it.

A mention becomes a row; whichever replica is free answers it, from what the record holds of the incident: its
evidence, its diagnosis, what was tried and decided. With a model, the model is asked, behind its own checks and budget;
without one, or where it cannot, the rules answer (`explaining`), and say why. The cluster is asked only whether an
action that somebody asks about would be possible now. Called by `bot.pipeline`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import errors
from bot.domain import audit, cards, choices, consultations, diagnoses, incidents, inquiries, picks, ports, watches
from k8s import model, redact

LONGEST = 2_000
"""Characters of a question that are kept; Slack takes 40,000 in a message, and nobody asks so much."""
CUT = " … (the rest was cut off)"
EARLIER = 6
"""Questions of this thread, with their answers, that a model is told."""
LOOK_SECONDS = 8.0
TELLING = 12
"""Characters of a question that means the same whatever was asked before it."""
LATE = timedelta(minutes=10)
"""A question that waits longer than this (it was taken over, or everything was down) is answered by the rules."""


@dataclass(frozen=True, slots=True)
class Considered:
    """What would be possible now, of the actions that a question is about: name → why not, empty where it is."""

    why_not: Mapping[str, str]
    unseen: str = ""
    """Why that is not known."""


NOTHING = Considered({})
Explain = Callable[[cards.IncidentCard, str, datetime, Mapping[str, str], str], consultations.Answer]
"""(the incident, the question, now, and what is `Considered`) → the rules' answer."""
About = Callable[[str, str], Sequence[str]]
"""(the question, the subject's kind) → the catalogue's actions that it asks about."""


async def incident_of(wired: ports.Ports, asked: inquiries.Mention) -> incidents.Incident | None:
    """The incident in whose thread this was asked; None for any other place."""
    async with wired.store.begin() as tx:
        found = await tx.views.incident_of(asked.channel, asked.thread_ts)
        return None if found is None else await tx.incidents.get(found)


async def ask(wired: ports.Ports, asked: inquiries.Mention, incident: incidents.Incident) -> bool:
    """Keeps it, to be answered; False where this message has asked already."""
    text = redact.redact(asked.text.strip())
    new = consultations.Question(
        id=0,
        incident_id=incident.id,
        channel=asked.channel,
        thread_ts=asked.thread_ts,
        ts=asked.ts,
        user=asked.user,
        text=text if len(text) <= LONGEST else text[:LONGEST].rstrip() + CUT,
        state="wanted",
        asked_at=wired.clock(),
    )
    async with wired.store.begin() as tx:
        kept = await tx.questions.ask(new)
    if kept is not None:
        wired.bell.ring()
    return kept is not None


async def answer(wired: ports.Ports, explain: Explain, about: About) -> bool:
    """Answers one question; False where none waits."""
    async with wired.store.begin() as tx:
        question = await tx.questions.claim(wired.owner, wired.clock(), wired.rules.lease)
        card = None if question is None else await tx.cards.incident(question.incident_id)
        watch = None if card is None else await tx.watches.get(card.incident.watch_id)
    if question is None:
        return False
    if card is None:
        await _failed(wired, question)
        return True
    card = cards.under(card, wired.rules.policy)
    made = await _answered(wired, card, question, watch, explain, about)
    if made is not None:
        await _finish(wired, card.incident, question, made)
    return True


async def _answered(
    wired: ports.Ports,
    card: cards.IncidentCard,
    question: consultations.Question,
    watch: watches.Watch | None,
    explain: Explain,
    about: About,
) -> consultations.Answer | None:
    why = ""
    if wired.advisor.model and wired.clock() - question.asked_at > LATE:
        why = "The model was not asked: the question had waited too long"
    elif wired.advisor.model:
        found = await _by_model(wired, card, question, watch)
        if not isinstance(found, str):
            return found
        why = found
    seen = await _considered(wired, card.incident, about(question.text, card.incident.subject.kind))
    return replace(explain(card, question.text, wired.clock(), seen.why_not, seen.unseen), why=why)


async def _by_model(
    wired: ports.Ports, card: cards.IncidentCard, question: consultations.Question, watch: watches.Watch | None
) -> consultations.Answer | str | None:
    """None where the question became another replica's meanwhile."""
    if card.diagnosis is None:
        return "The model was not asked: there is no evidence yet"
    async with wired.store.begin() as tx:
        earlier = await tx.questions.of_incident(card.incident.id, EARLIER)
    told = [one for one in earlier if (one.channel, one.thread_ts) == (question.channel, question.thread_ts)]
    known = next((one.answer for one in reversed(told) if _same(one, question, card)), None)
    if known is not None:
        return known
    turns = [consultations.Turn(one.text, one.answer.text) for one in told if one.answer is not None]
    return await _held(
        wired, question, wired.advisor.answer(_brief(wired, card, card.diagnosis, watch), question, turns)
    )


def _same(before: consultations.Question, question: consultations.Question, card: cards.IncidentCard) -> bool:
    """Whether the model has answered this very question from this very evidence. Short ones (`why?`) mean something
    else each time."""
    answer = before.answer
    if answer is None or answer.by != "model" or answer.state != card.incident.state or len(question.text) < TELLING:
        return False
    kept = [piece for piece in answer.evidence if piece.source != "tool"]
    return before.text.casefold().split() == question.text.casefold().split() and all(
        piece in card.evidence for piece in kept
    )


async def _held(
    wired: ports.Ports, question: consultations.Question, answering: Awaitable[consultations.Answer | str]
) -> consultations.Answer | str | None:
    """What the model answers, while the lease on the question is renewed. None where that was lost: nothing more is
    paid, somebody else answers."""
    asking = asyncio.ensure_future(answering)
    try:
        while not (await asyncio.wait({asking}, timeout=wired.rules.lease.total_seconds() / 3))[0]:
            async with wired.store.begin() as tx:
                if not await tx.questions.renew(question.id, wired.owner, wired.clock() + wired.rules.lease):
                    return None
        return asking.result()
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def _brief(
    wired: ports.Ports, card: cards.IncidentCard, rules: diagnoses.Diagnosis, watch: watches.Watch | None
) -> consultations.Brief:
    """All from the record: a question is about what was found then, also where the cluster is away by now."""
    incident = card.incident
    return consultations.Brief(
        incident_id=incident.id,
        watch_id=incident.watch_id,
        cluster=incident.cluster,
        problem=_problem(incident),
        dossier=diagnoses.Dossier(card.evidence, missing=rules.missing, beside=rules.beside),
        rules=rules,
        language=wired.rules.language,
        namespaces=() if watch is None else watch.scope.include,
        deadline=wired.rules.model_deadline,
    )


def _problem(incident: incidents.Incident) -> model.Problem:
    """The incident as sweeps saw it last."""
    kinds = incident.kinds or ("unknown",)
    causes = {kind: cause for kind, _, cause in (one.partition(":") for one in incident.causes)}
    findings = tuple(
        model.Finding(
            kind=kind,
            severity=incident.severity,
            resource=incident.subject,
            owner=incident.subject,
            message=incident.headline,
            since=incident.since,
            cause=causes.get(kind, ""),
        )
        for kind in kinds
    )
    return model.Problem(incident.subject, findings, incident.severity, incident.ready, incident.desired)


async def _considered(wired: ports.Ports, incident: incidents.Incident, names: Sequence[str]) -> Considered:
    """Whether these actions would be possible now, by the catalogue's own rules, on a fresh read."""
    if not names or not incident.live:
        return NOTHING
    seconds = min(LOOK_SECONDS, wired.rules.lease.total_seconds() / 2)
    try:
        async with asyncio.timeout(seconds):
            target = await wired.eyes.around(incident.cluster, incident.subject)
    except errors.ClusterUnavailable as error:
        return Considered({}, redact.redact(str(error)))
    except TimeoutError:
        return Considered({}, f"the cluster did not answer within {seconds:g} s")
    if target.object is None:
        return Considered({}, f"{incident.subject.kind} {incident.subject.short} is gone")
    sight = picks.Sight(target, incident.kinds, wired.clock(), incident.cluster, wired.rules.policy)
    return Considered({name: choices.menu(sight, name).why_not for name in names})


async def _finish(
    wired: ports.Ports, incident: incidents.Incident, question: consultations.Question, made: consultations.Answer
) -> None:
    """The answer, with the state of the incident at this moment: it may have ended while it was thought about."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        current = await tx.incidents.get(incident.id)
        state = incident.state if current is None else current.state
        told = replace(made, text=redact.redact(made.text), state=state)
        done = replace(question, state="answered", answered_at=now, answer=told)
        if not await tx.questions.finish(done, wired.owner):
            return
        await tx.views.want("answer", channel=question.channel, question_id=question.id, due=now)
        data: dict[str, object] = {"question": question.id, "asked_by": question.user, "by": told.by}
        data |= {"model": told.model, "prompt": told.prompt} if told.model else {}
        data |= {"why": redact.redact(told.why)} if told.why else {}
        data |= {"dropped": list(told.dropped)} if told.dropped else {}
        await tx.trail.append(
            audit.Event("question:answered", incident.cluster, "watchkeeper", now, incident.id, None, data)
        )
    wired.bell.ring()


async def _failed(wired: ports.Ports, question: consultations.Question) -> None:
    """Its incident cannot be read as a card: nothing can be said of it."""
    async with wired.store.begin() as tx:
        await tx.questions.finish(replace(question, state="failed", answered_at=wired.clock()), wired.owner)
