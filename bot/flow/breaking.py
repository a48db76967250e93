"""Breaking: bad ends in a row of what was done by itself open the breaker of its watch, and only a person closes it.

One breaker for each watch: whoever switched a watch to autonomous answers for it, and reads its channel. The row is
locked by whoever counts or closes, so that replicas agree. Called by the pipeline.
"""

from dataclasses import replace
from datetime import datetime

import structlog

from bot import errors
from bot.domain import approvals, audit, autonomy, incidents, ports
from k8s import guardrails
from k8s import policy as rulebook

_LOG = structlog.get_logger(__name__)


async def count(wired: ports.Ports) -> bool:
    """Counts one end of what was done by itself; False where there is none. The last bad one opens the breaker."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        found = await tx.alone.settled()
        if found is None:
            return False
        one, state, check = found
        incident = await tx.incidents.get(one.incident_id)
        if incident is None:
            raise errors.NotPossible(f"The announcement of {one.proposal_id} has lost its incident.")
        end = autonomy.end_of(state, check)
        before = await tx.alone.breaker(one.watch_id, lock=True)
        why = f"{incident.name} ended as {check or state}"
        most = wired.rules.policy.autonomous.breaker
        after = autonomy.counted(before, end, most, now, incident.id, why)
        await tx.alone.end(one.proposal_id, end)
        await tx.alone.set_breaker(after)
        if after.open and not before.open:
            await _opened(wired, tx, incident, one, after, now)
    wired.bell.ring()
    return True


async def _opened(
    wired: ports.Ports,
    tx: ports.Tx,
    incident: incidents.Incident,
    one: autonomy.Announcement,
    breaker: autonomy.Breaker,
    now: datetime,
) -> None:
    data = {"watch": one.watch_id, "bad": breaker.bad, "why": breaker.why, "policy": wired.rules.policy.hash}
    event = audit.Event("breaker:opened", incident.cluster, "watchkeeper", now, incident.id, one.proposal_id, data)
    await tx.trail.append(event)
    await tx.views.want("breaker", channel=incident.channel, incident_id=incident.id, due=now)
    _LOG.warning("breaker.opened", watch=one.watch_id, incident=incident.id, why=breaker.why)


async def close(wired: ports.Ports, watch_id: int, user: str) -> approvals.Answer:
    """A person who may approve what is of low risk lets the watch do things by itself again."""
    now, policy = wired.clock(), wired.rules.policy
    members = await wired.directory.of(approvals.places(policy))
    async with wired.store.begin() as tx:
        watch = await tx.watches.get(watch_id)
        if watch is None:
            unknown = approvals.Answer("unknown-button", "This button belongs to no watch that is known here.")
            none = audit.Event("press:refused", "-", user, now, data={"claimed": watch_id})
            return await _not_closed(tx, none, unknown, policy)
        breaker = await tx.alone.breaker(watch.id, lock=True)
        told = audit.Event("breaker:closed", watch.cluster, user, now, breaker.incident_id, data={"watch": watch.id})
        if not guardrails.may_approve(user, policy, tier="low", members=members):
            refused = approvals.Answer("not-allowed", f"Only approvers may close it. {_ask(policy)}")
            return await _not_closed(tx, told, refused, policy)
        if not breaker.open:
            by = f" by {approvals.mention(breaker.closed_by)}" if breaker.closed_by else ""
            late = approvals.Answer("late", f"The breaker of watch `{watch.name}` is closed already{by}.")
            return await _not_closed(tx, told, late, policy)
        closed = replace(breaker, bad=0, opened_at=None, closed_at=now, closed_by=user)
        await tx.alone.set_breaker(closed)
        await tx.trail.append(replace(told, data={"watch": watch.id, "why": breaker.why, "policy": policy.hash}))
        if breaker.incident_id is not None:
            await tx.views.want("breaker", channel=watch.channel, incident_id=breaker.incident_id, due=now)
    wired.bell.ring()
    return approvals.Answer("counted", f"The breaker of watch `{watch.name}` is closed.")


async def _not_closed(
    tx: ports.Tx, told: audit.Event, answer: approvals.Answer, policy: guardrails.Policy
) -> approvals.Answer:
    """A press that changed nothing: told to whoever pressed, and in the trail."""
    why = "no approver" if answer.ending == "not-allowed" else answer.text
    data = {**told.data, "button": "close the breaker", "ending": answer.ending, "why": why, "policy": policy.hash}
    await tx.trail.append(replace(told, tag="press:refused", data=data))
    return answer


def _ask(policy: guardrails.Policy) -> str:
    named = [approvals.mention(one) for one in rulebook.named(policy, "low") if one]
    return f"Ask {' or '.join(named)}." if named else "Nobody is one: no approvers are set."
