"""Advising: a model is asked about what the rules have diagnosed, and its opinion is put beside theirs.

The rules' card is shown by then, and stands whatever happens here: no opinion is an end like any other, with a sentence
that says why. Nothing is asked twice for the same evidence (`bot.domain.sameness`). A model proposes at most what the
catalogue has, for this incident, and only where nothing else is proposed or done; `bot.pipeline` sees to that.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from bot import errors
from bot.domain import audit, consultations, diagnoses, incidents, inquiries, ports, proposals, sameness, watches
from k8s import model, redact

_LOG = structlog.get_logger(__name__)

REUSED_FOR = timedelta(days=7)
"""An opinion older than this is asked for anew."""
KEPT_FOR = timedelta(days=30)
"""What was sent to a model can be read for this long; what it cost is kept."""
TRIES = 2
"""A replica that died while the model thought is followed by one other, and by no third."""
CRASHED = "The model was asked twice, and both times the process ended before the answer came"
GONE = "The model was not asked: the problem was gone by then"


@dataclass(frozen=True, slots=True)
class Turn:
    """One question that is this replica's own now, with what it rests on."""

    advice: consultations.Advice
    incident: incidents.Incident
    watch: watches.Watch | None
    rules: diagnoses.Diagnosis
    evidence: Sequence[diagnoses.Evidence]


def key(
    wired: ports.Ports, problem: model.Problem, found: diagnoses.Diagnosis, evidence: Sequence[diagnoses.Evidence]
) -> str:
    """What makes two questions the same; empty where no model is set, and none is asked."""
    asked = wired.advisor.model
    return sameness.key(asked, wired.rules.language, problem, found, evidence) if asked else ""


async def take(wired: ports.Ports) -> Turn | None:
    """The next question. None where there is none, or where it ended right here: answered before, or tried enough."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        advice = await tx.advice.claim(wired.owner, now, wired.rules.lease)
        if advice is None:
            return None
        incident = await tx.incidents.get(advice.incident_id)
        stored = await tx.diagnoses.get(advice.diagnosis_id)
        if incident is None or stored is None:
            raise LookupError(f"advice {advice.id} is about nothing in the record")
        watch = await tx.watches.get(incident.watch_id)
    return Turn(advice, incident, watch, *stored)


async def remembered(wired: ports.Ports, turn: Turn) -> consultations.Advice | None:
    """What is known without asking: an opinion on the same evidence, or that nobody is asked any more."""
    advice = turn.advice
    if not turn.incident.live:
        return _none(advice, "The model was not asked: the incident was over by then")
    async with wired.store.begin() as tx:
        known = await tx.advice.same(turn.incident.cluster, advice.key, wired.clock() - REUSED_FOR)
        before = None if known is None else await tx.diagnoses.get(known.diagnosis_id)
    if known is not None and known.opinion is not None and before is not None:
        opinion = sameness.carried(known.opinion, before[1], turn.evidence)
        if opinion is not None:
            return replace(advice, state="done", opinion=opinion, reused_of=known.id)
    return _none(advice, CRASHED) if advice.attempts > TRIES else None


async def ask(wired: ports.Ports, turn: Turn, problem: model.Problem | None) -> consultations.Advice | None:
    """What the model makes of it. None where the question became another replica's meanwhile.

    `problem` is the incident's as a fresh look shows it; the evidence is that of the diagnosis, not read anew.
    """
    if problem is None:
        return _none(turn.advice, GONE)
    brief = consultations.Brief(
        incident_id=turn.incident.id,
        watch_id=turn.incident.watch_id,
        cluster=turn.incident.cluster,
        problem=problem,
        dossier=diagnoses.Dossier(tuple(turn.evidence), missing=turn.rules.missing, beside=turn.rules.beside),
        rules=turn.rules,
        language=wired.rules.language,
        namespaces=() if turn.watch is None else turn.watch.scope.include,
        deadline=wired.rules.model_deadline,
        key=turn.advice.key,
    )
    result = await _held(wired, turn.advice, brief)
    if result is None:
        return None
    if result.opinion is None:
        return _none(turn.advice, result.why or "The model had no opinion")
    return replace(turn.advice, state="done", opinion=result.opinion)


async def inquire(wired: ports.Ports, watch: watches.Watch, found: inquiries.Found) -> inquiries.View:
    """What a model makes of a problem that has no incident: by the same checks, budget and tools. It is asked once for
    the same evidence, whether for an incident or for somebody who looked."""
    asked = key(wired, found.problem, found.diagnosis, found.evidence)
    async with wired.store.begin() as tx:
        known = await tx.advice.same(watch.cluster, asked, wired.clock() - REUSED_FOR)
        before = None if known is None else await tx.diagnoses.get(known.diagnosis_id)
    if known is not None and known.opinion is not None and before is not None:
        opinion = sameness.carried(known.opinion, before[1], found.evidence)
        if opinion is not None:
            return inquiries.View(found.problem, opinion, reused=True)
    brief = consultations.Brief(
        incident_id=None,
        watch_id=watch.id,
        cluster=watch.cluster,
        problem=found.problem,
        dossier=diagnoses.Dossier(found.evidence, missing=found.diagnosis.missing, beside=found.diagnosis.beside),
        rules=found.diagnosis,
        language=wired.rules.language,
        namespaces=watch.scope.include,
        deadline=wired.rules.model_deadline,
        key=asked,
    )
    result = await wired.advisor.advise(brief)
    why = "" if result.opinion is not None else redact.redact(result.why or "The model had no opinion")
    _LOG.info("model.inquired", watch=watch.name, subject=str(found.problem.subject), why=why, reused=result.reused)
    return inquiries.View(found.problem, result.opinion, why, result.reused)


def away(turn: Turn, error: errors.ClusterUnavailable) -> consultations.Advice:
    """The cluster could not be looked at: one try a question."""
    return _none(turn.advice, f"The model was not asked: {error}")


def _none(advice: consultations.Advice, why: str) -> consultations.Advice:
    return replace(advice, state="none", opinion=None, why=redact.redact(why))


async def _held(
    wired: ports.Ports, advice: consultations.Advice, brief: consultations.Brief
) -> consultations.Result | None:
    """The model's answer, while the lease on the question is renewed. None where it was lost: nothing more is paid."""
    asking = asyncio.create_task(wired.advisor.advise(brief))
    every = wired.rules.lease.total_seconds() / 3
    try:
        until = wired.clock() + wired.rules.lease
        while not (await asyncio.wait({asking}, timeout=every))[0]:
            now = wired.clock()
            try:
                async with wired.store.begin() as tx:
                    if not await tx.advice.renew(advice.id, wired.owner, now + wired.rules.lease):
                        return None
                until = now + wired.rules.lease
            except errors.StoreUnavailable:
                if wired.clock() >= until:
                    raise
        return asking.result()
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


def candidates(done: consultations.Advice, rows: Sequence[proposals.Proposal]) -> Sequence[diagnoses.Candidate]:
    """What of an opinion may be proposed: nothing while something is open or under way, and nothing of the sort that
    somebody has rejected in this incident."""
    remedies = [row for row in rows if row.kind == "remedy"]
    if done.opinion is None or any(row.state in ("proposed", *proposals.RUNNING) for row in remedies):
        return ()
    rejected = {model.name_of(row.action) for row in remedies if row.state == "rejected"}
    return tuple(
        diagnoses.Candidate(one.action, f"the model speaks for it: {one.why}")
        for one in done.opinion.candidates
        if model.name_of(one.action) not in rejected
    )


async def record(wired: ports.Ports, turn: Turn, done: consultations.Advice, refused: Sequence[str] = ()) -> bool:
    """Stores what came of it and shows it, in one transaction. False where another replica's answer came first.

    `refused`: why what the model speaks for is not proposed.
    """
    now = wired.clock()
    async with wired.store.begin() as tx:
        done = replace(done, finished_at=now)
        if not await tx.advice.finish(done, wired.owner):
            return False
        incident = await tx.incidents.get(turn.incident.id)
        spent = await tx.advice.spent(done.id)
        tag = "diagnosis:advised" if done.opinion is not None else "diagnosis:not-advised"
        data = {**_told(wired, done), **_cost(spent), **({"refused": list(refused)} if refused else {})}
        where = turn.incident
        await tx.trail.append(audit.Event(tag, where.cluster, "watchkeeper", now, where.id, None, data))
        if incident is not None and incident.live:
            await tx.views.want("parent", channel=incident.channel, incident_id=incident.id, due=now)
            told = done.opinion is not None or await tx.views.version("opinion", incident.id)
            if told:  # an earlier opinion must not go on being read as one on the newest diagnosis
                await tx.views.want("opinion", channel=incident.channel, incident_id=incident.id, due=now)
    wired.bell.ring()
    _LOG.info("model.advised", incident=turn.incident.id, state=done.state, why=done.why)
    return True


def _told(wired: ports.Ports, done: consultations.Advice) -> Mapping[str, object]:
    opinion = done.opinion
    if opinion is None:
        return {"why": done.why, "model": wired.advisor.model}
    return {
        "model": opinion.model,
        "prompt": opinion.prompt,
        "agreement": opinion.agreement,
        "cause": opinion.cause,
        "kind": opinion.kind,
        "confidence": opinion.confidence,
        "candidates": [model.name_of(one.action) for one in opinion.candidates],
        "dropped": list(opinion.dropped),
    } | ({} if done.reused_of is None else {"reused_of": done.reused_of})


def _cost(spent: consultations.CostLine | None) -> Mapping[str, object]:
    if spent is None:
        return {"calls": 0}
    tokens = spent.usage
    read = tokens.input + tokens.written + tokens.read
    return {"calls": spent.calls, "tokens_in": read, "tokens_out": tokens.output, "micro_dollars": spent.cost}


async def forget(wired: ports.Ports) -> None:
    """Drops what was sent long ago."""
    async with wired.store.begin() as tx:
        await tx.calls.forget(wired.clock() - KEPT_FOR)
