"""Unserved: which earlier revisions of a workload our own record speaks against, whatever else speaks for them.

A cluster forgets how a revision was: once its pods are gone, one that crash-looped for days looks like one that served.
The record of incidents does not. Called by `bot.evidence.refuting` and before anything is proposed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import incidents, memory, ports
from k8s import model, workloads

SPAN = timedelta(days=90)
"""How far back the record is asked."""
MOST = 50
"""Incidents of one workload that are looked at, the newest."""
FAILING = frozenset(
    {
        "CrashLoopBackOff",
        "OOMKilled",
        "ImagePull",
        "ConfigError",
        "InitFailing",
        "StuckCreating",
        "NotReady",
        "LivenessRestarts",
        "RolloutStuck",
        "StatefulSetStuck",
        "DaemonSetIncomplete",
    }
)
"""Kinds that tell of pods which do not work. What is around them (a budget, an autoscaler, a node) says nothing of a
revision."""
_LOOKED = timedelta(minutes=15)
"""What a verification may take: how long a remedy held is counted from its end, and its try from its begin."""
_APART = timedelta(minutes=2)
"""Nearer to the next revision than this, it may be the next one's own failure."""


async def recorded(
    tx: ports.Tx, cluster: str, workload: model.ResourceRef, now: datetime
) -> Sequence[incidents.Incident]:
    """The incidents of this workload by its name, which outlives its uid: those that are over, and the live one."""
    key = (workload.kind, workload.namespace, workload.name)
    found = list(await tx.incidents.of_subject(cluster, workload, now - SPAN, MOST))
    for one in await tx.incidents.live(cluster):
        if (one.subject.kind, one.subject.namespace, one.subject.name) == key and one.kinds:
            tries = await tx.executions.tried(cluster, workload, one.kinds[0], one.since)
            found.append(gone_on(one, tries))
    return found


def gone_on(live: incidents.Incident, tries: Sequence[memory.Try]) -> incidents.Incident:
    """One that was fixed and went on when its problem came back: it counts from there, as nearly as that is known."""
    fixed = [one for one in tries if one.verified and one.at >= live.since]
    back = [one.at + (one.held or timedelta()) + _LOOKED for one in fixed]
    return replace(live, since=max(back)) if back else live


def against(target: model.Target, found: Sequence[incidents.Incident], now: datetime) -> Mapping[int, str]:
    """Revision → why it is known not to have served: a sentence. `found`: incidents of this workload, over or not.

    One was failing when it was replaced, or had too little time without a failure to count as one that served.
    """
    bad = [one for one in found if FAILING & set(one.kinds)]
    told: dict[int, str] = {}
    for number, life in workloads.lives(target).items():
        last = next((one for one in bad if life.replaced is not None and _at(one, life.replaced, now)), None)
        if last is not None:
            told[number] = f"Revision {number} was failing when it was replaced: {last.name} ({_kinds(last)}) was open."
        elif life.end - life.begin >= workloads.PROOF_OF_SERVICE > _quiet(life, bad, now):
            whole = next(one for one in bad if one.since < life.end)
            told[number] = f"Revision {number} failed all the time that it ran: {whole.name} ({_kinds(whole)})."
    return told


def _kinds(incident: incidents.Incident) -> str:
    return ", ".join(incident.kinds[:2])


def _over(incident: incidents.Incident, now: datetime) -> datetime:
    """When its problem was seen for the last time; an incident lives on for a while after that."""
    return incident.clear_since or incident.resolved_at or now


def _at(incident: incidents.Incident, moment: datetime, now: datetime) -> bool:
    return incident.since <= moment - _APART and _over(incident, now) >= moment


def _quiet(life: workloads.Life, bad: Sequence[incidents.Incident], now: datetime) -> timedelta:
    """How much of a life no incident was open."""
    quiet, place = timedelta(), life.begin
    for one in sorted(bad, key=lambda each: each.since):
        quiet += max(timedelta(), min(one.since, life.end) - place)
        place = max(place, min(_over(one, now), life.end))
    return quiet + max(timedelta(), life.end - place)
