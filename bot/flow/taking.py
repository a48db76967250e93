"""Taking on: a person acknowledges an incident, or has it looked at anew. Neither changes anything in a cluster, and
anybody in the channel may; but what others approved, or what is about to be done by itself, is not put away by somebody
who may not decide on it.
"""

from dataclasses import replace
from datetime import datetime

from bot import errors
from bot.domain import approvals, audit, incidents, ports, proposals
from k8s import guardrails

_SHOWN: tuple[ports.ViewKind, ...] = ("parent", "progress")
HELD = "Somebody approved what is proposed now, or it will be done by itself. Only who may decide on it may do this."


async def acknowledge(wired: ports.Ports, incident_id: int, user: str) -> approvals.Answer:
    """Takes an incident on; anyone in the channel may."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        known = await tx.incidents.get(incident_id)
        if known is None:
            return await _unknown(tx, incident_id, user, now, "acknowledge")
        await tx.incidents.lock(known.cluster)
        current = await tx.incidents.get(incident_id) or known
        try:
            taken = incidents.acknowledge(current, user, now)
        except errors.NotPossible as error:
            return await _refused(tx, current, user, now, "acknowledge", str(error))
        await tx.incidents.save(taken)
        await tx.trail.append(audit.Event("incident:acknowledged", taken.cluster, user, now, taken.id))
        for kind in _SHOWN:
            await tx.views.want(kind, channel=taken.channel, incident_id=taken.id, due=now)
    wired.bell.ring()
    return approvals.Answer("counted")


async def ask_again(wired: ports.Ports, incident_id: int, user: str) -> approvals.Answer:
    """Wants a fresh diagnosis and proposal of a live incident whose last proposal has ended."""
    now, policy = wired.clock(), wired.rules.policy
    members = await wired.directory.of(approvals.places(policy))
    async with wired.store.begin() as tx:
        known = await tx.incidents.get(incident_id)
        if known is None:
            return await _unknown(tx, incident_id, user, now, "propose again")
        await tx.incidents.lock(known.cluster)
        current = await tx.incidents.get(incident_id) or known
        if not current.live:
            told = f"{current.name} is resolved: {current.resolution}"
            return await _refused(tx, current, user, now, "propose again", told)
        rows = await tx.proposals.of_incident(incident_id)
        if any(row.state in proposals.RUNNING for row in rows):
            told = "An approved action is under way. Its end is told in the thread."
            return await _refused(tx, current, user, now, "propose again", told)
        row = next((one for one in rows if one.state == "proposed" and one.kind == "remedy"), None)
        held = row is not None and row.expires_at > now and await _held(tx, row)
        if row is not None and held and not guardrails.may_approve(user, policy, tier=row.risk, members=members):
            return await _refused(tx, current, user, now, "propose again", HELD, "not-allowed")
        await tx.incidents.save(replace(current, diagnosis_wanted=True, asked_by=user))
        await tx.trail.append(audit.Event("diagnosis:asked", current.cluster, user, now, current.id))
    wired.bell.ring()
    return approvals.Answer("counted", "Looking again; the card will show what is proposed now.")


async def _held(tx: ports.Tx, row: proposals.Proposal) -> bool:
    """Whether somebody has approved it, or it is announced."""
    alone = await tx.alone.get(row.id)
    return (alone is not None and alone.open) or bool(await tx.proposals.decisions(row.id))


async def _refused(
    tx: ports.Tx,
    incident: incidents.Incident,
    user: str,
    now: datetime,
    button: str,
    why: str,
    ending: approvals.Ending = "late",
) -> approvals.Answer:
    """A press that changed nothing: told to whoever pressed, and in the trail."""
    data = {"button": button, "ending": ending, "why": why}
    await tx.trail.append(audit.Event("press:refused", incident.cluster, user, now, incident.id, None, data))
    return approvals.Answer(ending, why)


async def _unknown(tx: ports.Tx, incident_id: int, user: str, now: datetime, button: str) -> approvals.Answer:
    answer = approvals.Answer("unknown-button", "This button belongs to no incident that is known here.")
    data = {"button": button, "ending": answer.ending, "why": "no incident has this id", "claimed": incident_id}
    await tx.trail.append(audit.Event("press:refused", "-", user, now, data=data))
    return answer
