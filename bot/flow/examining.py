"""Examining: a fresh look at one problem, or at a whole cluster with nothing stored (`watchkeeper sweep`).

The diagnosing worker comes here for the problem of an incident as it is now, so that a diagnosis never rests on what a
sweep of some minutes ago, or of a process that died, had in memory.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from bot import errors, remembering
from bot.domain import diagnoses, incidents, looks, merging, ports, watches
from k8s import catalogue, detection, guardrails, model, redact, settling, verification_kinds
from k8s import policy as rulebook

Diagnose = Callable[[model.Problem, diagnoses.Dossier, datetime], diagnoses.Diagnosis]

PARALLEL = 4
"""Problems examined at a time."""
LISTENED = "LogErrors"
"""The kind whose recovery shows in logs alone: they are read for it, and not only when the next sweep does."""


async def problem_of(
    wired: ports.Ports, incident: incidents.Incident, watch: watches.Watch | None = None
) -> model.Problem | None:
    """The incident's problem as a fresh look shows it; None where it is gone. As `seen`."""
    return (await seen(wired, incident, watch)).problem


async def gone(wired: ports.Ports, incident: incidents.Incident, watch: watches.Watch | None) -> bool:
    """Whether the problem is gone for good, as far as a look can tell: its findings are, and its workload has settled,
    by the same measure by which sweeps end an incident. Raises ClusterUnavailable."""
    looked = await seen(wired, incident, watch)
    return looked.problem is None and not looked.moving


async def recovered(
    wired: ports.Ports, incident: incidents.Incident, watch: watches.Watch | None, started: datetime
) -> looks.Seen:
    """As `seen`, after something was done at `started`: with what is not shown yet, and logs read anew where the
    problem is in them. Raises ClusterUnavailable."""
    return await seen(wired, incident, watch, started)


async def seen(
    wired: ports.Ports,
    incident: incidents.Incident,
    watch: watches.Watch | None = None,
    started: datetime | None = None,
) -> looks.Seen:
    """The incident's problem as a fresh look shows it, if it is there.

    `watch` is the incident's: its kinds hold, and its scope is where is looked for what belongs to no namespace and is
    no node. Raises ClusterUnavailable, also where what would show it could not be listed: that it is not seen then says
    nothing.
    """
    namespace = incident.subject.namespace
    around = model.Scope() if watch is None or incident.subject.kind == "Node" else watch.scope
    scope = model.Scope((namespace,)) if namespace else around
    kinds = wired.rules.kinds_of(watch)
    snapshot = await wired.eyes.look(incident.cluster, scope)
    if started is not None and LISTENED in incident.kinds and kinds.looks_for(LISTENED):
        await remembering.learnt(wired, snapshot, _only(kinds, LISTENED), listen=True)
    snapshot = await remembering.recalled(wired, snapshot, kinds)
    found = await asyncio.to_thread(detection.detect, snapshot, kinds)
    there = merging.of(incident, found.problems)
    whole = incidents.covers(incident, snapshot) and not any(kind in found.errors for kind in incident.kinds)
    gaps = "; ".join(f"{name}: {why}" for name, why in incidents.gaps(incident, snapshot).items())
    subject = incident.subject
    settled = await asyncio.to_thread(settling.unsettled, snapshot, [subject], wired.rules.verify_hold)
    looked_for = [kind for kind in incident.kinds if kinds.looks_for(kind)]
    lacking = (
        "" if started is None else verification_kinds.lacking(looked_for, incident.causes, snapshot, subject, started)
    )
    await wired.eyes.release(snapshot)
    shown = there is not None and set(incident.kinds) <= set(there.kinds)
    if not shown and not whole:
        raise errors.ClusterUnavailable(
            f"{incident.cluster} could not be looked at whole ({gaps or 'a detector failed'})"
        )
    return looks.Seen(there, settled.get(subject, ""), lacking)


def _only(kinds: detection.Options, kind: str) -> detection.Options:
    """The same, with no other kind looked for that rests on what earlier sweeps learnt."""
    return replace(kinds, disabled=kinds.disabled | (remembering.FAMILIES.keys() - {kind}))


async def unwant(tx: ports.Tx, incident_id: int) -> None:
    """A fresh look did not show the incident's problem: it wants no diagnosis until a sweep shows it again."""
    current = await tx.incidents.get(incident_id)
    if current is not None:
        # Without causes, those that a sweep finds next are news, and wanted.
        await tx.incidents.save(replace(current, diagnosis_wanted=False, causes=(), asked_by=""))
        await tx.incidents.release_diagnosis(incident_id)


async def look(wired: ports.Ports, cluster: str, scope: model.Scope, diagnose: Diagnose | None) -> looks.Look:
    """One look, with diagnoses and worked-out remedies where `diagnose` is given. Nothing is written anywhere."""
    snapshot = await wired.eyes.look(cluster, scope)
    found = await asyncio.to_thread(detection.detect, snapshot, wired.rules.kinds)
    status, summary = watches.summarise(
        snapshot, len(found.findings), len(found.problems), len(found.risks), found.errors
    )
    examined = [looks.Examined(problem) for problem in found.problems]
    if diagnose is not None:
        gate = asyncio.Semaphore(PARALLEL)
        examined = list(
            await asyncio.gather(*(_examine(wired, cluster, problem, diagnose, gate) for problem in found.problems))
        )
    return looks.Look(
        cluster=cluster,
        taken_at=snapshot.taken_at,
        status=status,
        summary=summary,
        pods=len(snapshot.pods),
        nodes=len(snapshot.nodes),
        seconds=snapshot.seconds,
        findings=_redacted(found.findings),
        risks=_redacted(found.risks),
        examined=tuple(examined),
        muted=found.muted,
        degraded={**snapshot.degraded, **found.errors},
    )


def _redacted(findings: Sequence[model.Finding]) -> tuple[model.Finding, ...]:
    return tuple(replace(finding, message=redact.redact(finding.message)) for finding in findings)


async def _examine(
    wired: ports.Ports, cluster: str, problem: model.Problem, diagnose: Diagnose, gate: asyncio.Semaphore
) -> looks.Examined:
    async with gate:
        dossier = await wired.witness.collect(cluster, problem)
        found = diagnose(problem, dossier, wired.clock())
        remedies: list[looks.Remedy] = []
        refused: list[str] = []
        for candidate in found.candidates:
            reasons = await _work_out(wired, cluster, problem, candidate, remedies)
            refused += [redact.redact(reason) for reason in reasons]
    return looks.Examined(problem, dossier.evidence, found, tuple(remedies), tuple(refused))


async def _work_out(
    wired: ports.Ports,
    cluster: str,
    problem: model.Problem,
    candidate: diagnoses.Candidate,
    remedies: list[looks.Remedy],
) -> tuple[str, ...]:
    """Adds the worked-out remedy, or says why there is none. The policy is asked as if anyone might approve."""
    now = wired.clock()
    try:
        target = await wired.eyes.target(cluster, candidate.action)
    except errors.ClusterUnavailable as error:
        return (f"{model.name_of(candidate.action)}: {error}",)
    if problems := catalogue.problems(candidate.action, target):
        return tuple(problems)
    plan = catalogue.plan(candidate.action, target, now)
    verdict = guardrails.judge(
        candidate.action,
        plan,
        target,
        subject=problem.subject,
        policy=rulebook.asking_anyone(wired.rules.policy),
        history=guardrails.History(),
        mode="approve",
        now=now,
        cluster=cluster,
    )
    if not verdict.allowed:
        return verdict.reasons
    remedies.append(looks.Remedy(plan, redact.redact(candidate.why)))
    return ()
