"""Announcing: what qualifies is done without anybody's approval, after it was announced and nobody stopped it.

Only in watches of mode autonomous, and only where the policy switches that on. The delay begins when Slack shows the
announcement, and when it is over Slack has to show that as well: with Slack away nobody could stop it, so nothing is
done. Right then everything is asked anew, in the transaction that queues the one execution; the executor judges the
action once more.
How it ends is counted by `breaking`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from bot import errors
from bot.domain import approvals, audit, autonomy, incidents, memory, ports, proposals, watches
from k8s import guardrails, model
from k8s import policy as rulebook

_LOG = structlog.get_logger(__name__)
_SHOWN: tuple[ports.ViewKind, ...] = ("parent", "progress")
_DELAYED = "Slack did not show the announcement all the time, or nobody was there to hear a Stop"


async def announce(wired: ports.Ports, incident_id: int, watch: watches.Watch | None) -> bool:
    """Announces the incident's open proposal, where it qualifies; what does not waits for people, and the trail says
    why. Called after a diagnosis was published."""
    if watch is None or watch.mode != "autonomous":
        return False
    now = wired.clock()
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    async with wired.store.begin() as tx:
        await tx.incidents.lock(watch.cluster)
        incident = await tx.incidents.get(incident_id)
        row = None if incident is None else await _open(tx, incident.id)
        if incident is None or row is None or await tx.alone.get(row.id) is not None:
            return False
        turn = _Turn(wired, tx, incident, row, now, members)
        case = await turn.case()
        if why := autonomy.reasons(case, wired.rules.policy):
            await turn.tell("autonomous:not-announced", {"why": list(why)})
            return False
        rule = autonomy.rule(case, wired.rules.policy)
        one = autonomy.Announcement(
            proposal_id=row.id,
            incident_id=incident.id,
            watch_id=watch.id,
            cluster=incident.cluster,
            state="waiting",
            rule=rule,
            delay=wired.rules.policy.autonomous.delay,
            version=await turn.show(),
            announced_at=now,
        )
        if not await tx.alone.announce(one, model.subject_of(row.action)):
            return False
        await turn.tell("autonomous:announced", {"kubectl": row.kubectl, "rule": rule, "delay": one.delay.seconds})
    wired.bell.ring()
    return True


async def _open(tx: ports.Tx, incident_id: int) -> proposals.Proposal | None:
    rows = await tx.proposals.of_incident(incident_id)
    return next((row for row in rows if row.state == "proposed" and row.kind == "remedy"), None)


async def turn(wired: ports.Ports) -> bool:
    """One step of one announcement; False where there is nothing to do."""
    now = wired.clock()
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    async with wired.store.begin() as tx:
        found = await tx.alone.due(now)
        if found is None:
            return False
        one, shown = found
        row = await tx.proposals.get(one.proposal_id)
        known = await tx.incidents.get(one.incident_id)
        if row is None or known is None:
            raise errors.NotPossible(f"The announcement of {one.proposal_id} has lost its proposal.")
        await tx.incidents.lock(known.cluster)
        incident = await tx.incidents.get(one.incident_id) or known
        await _step(_Turn(wired, tx, incident, row, now, members), one, shown)
    wired.bell.ring()
    return True


async def _step(turn: "_Turn", one: autonomy.Announcement, shown: autonomy.Shown) -> None:
    match autonomy.step(one, shown, turn.now):
        case "count":
            counting = replace(one, state="counting", at=turn.now + one.delay, ts=shown.ts, version=await turn.show())
            await turn.tx.alone.save(counting)
            await turn.tell("autonomous:counting", {"delay": one.delay.seconds})
        case "ask":
            await turn.tx.alone.save(replace(one, state="starting", version=await turn.show()))
        case "again":
            await turn.tx.alone.save(replace(one, state="waiting", at=None, ts="", version=await turn.show()))
            await turn.tell("autonomous:delayed", {"why": _DELAYED})
        case "start":
            await _start(turn, one)
        case _:
            return


async def _start(turn: "_Turn", one: autonomy.Announcement) -> None:
    """All is asked anew; then it becomes an execution like any other, whose permit says that nobody approved it."""
    row, now, policy = turn.row, turn.now, turn.wired.rules.policy
    await turn.tx.alone.breaker(one.watch_id, lock=True)
    why = autonomy.reasons(await turn.case(), policy)
    if not why and one.rule != (rule := autonomy.rule(await turn.case(), policy)):
        why = (f"What let it be done has changed: {rule}.",)
    if why:
        await _drop(turn, one, " ".join(why))
        return
    try:
        permit = guardrails.permit(
            proposal=str(row.id),
            digest=row.digest,
            verdict=_verdict(row, policy),
            policy=policy,
            approvers=(),
            now=now,
            expires_at=now + PERMIT_TTL,
            members=turn.members,
        )
    except guardrails.NotPermitted as error:
        await _drop(turn, one, error.reason)
        return
    if not await turn.tx.proposals.move(row.id, "proposed", "approved", now):
        return  # a person's press came first, and has the field
    await turn.tx.executions.queue(row.id, permit, now)
    await turn.tx.alone.save(replace(one, state="started", moved_at=now))
    data = {"kubectl": row.kubectl, "approvers": list(permit.approvers), "rule": one.rule}
    await turn.tell("proposal:approved", data)
    await turn.show()
    _LOG.info("autonomous.started", incident=turn.incident.id, proposal=row.id, rule=one.rule)


PERMIT_TTL = autonomy.PATIENCE * 2
"""What could not be begun within this was announced for another time."""


async def _drop(turn: "_Turn", one: autonomy.Announcement, why: str) -> None:
    """It waits for people from now on, like any other proposal."""
    await turn.tx.alone.save(replace(one, state="dropped", moved_at=turn.now, why=why))
    await turn.tell("autonomous:dropped", {"why": why})
    await turn.show()


def _verdict(row: proposals.Proposal, policy: guardrails.Policy) -> guardrails.Verdict:
    """As it was made, under the policy that still holds; nobody need approve what qualifies."""
    return guardrails.Verdict(
        allowed=row.policy == policy.hash,
        reasons=() if row.policy == policy.hash else ("The policy has changed since this was proposed.",),
        warnings=row.warnings,
        tier=row.risk,
        approvals_needed=0,
        approvers=rulebook.named(policy, row.risk),
        digest=row.digest,
        tier_reasons=row.tier_reasons,
        reason_required=row.reason_required,
        rule=row.rule,
    )


async def stop(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Keeps a proposal from being done by itself; it can be approved as before. Whether this person may decide on it
    was asked already (`approving.may_decide`)."""
    try:
        return await _stop(wired, press)
    except errors.NotPossible as error:  # what was written of it is taken back with its transaction
        answer = approvals.Answer("late", str(error))
    async with wired.store.begin() as tx:
        await _not_stopped(wired, tx, press, answer)
    return answer


async def _stop(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    now = wired.clock()
    async with wired.store.begin() as tx:
        one = await tx.alone.get(press.proposal_id)
        row = await tx.proposals.get(press.proposal_id)
        incident = None if one is None else await tx.incidents.get(one.incident_id)
        if one is None or row is None or incident is None:
            told = "This button belongs to nothing that was announced here."
            return await _not_stopped(wired, tx, press, approvals.Answer("unknown-button", told))
        turn = _Turn(wired, tx, incident, row, now)
        if not await tx.alone.save(replace(one, state="stopped", moved_at=now, by=press.user)):
            return await _not_stopped(wired, tx, press, approvals.Answer("late", await _too_late(tx, one)))
        held = await tx.proposals.lock(row.id)
        if held is None or held.state != "proposed":  # somebody approved or rejected it in this very moment
            raise errors.NotPossible("Somebody decided on this a moment ago. Look at the card as it is now.")
        await turn.tell("autonomous:stopped", {"kubectl": row.kubectl}, actor=press.user)
        await turn.show()
    wired.bell.ring()
    return approvals.Answer("counted")


async def _not_stopped(
    wired: ports.Ports, tx: ports.Tx, press: approvals.Press, answer: approvals.Answer
) -> approvals.Answer:
    """A Stop that changed nothing: told to whoever pressed, and in the trail."""
    row = await tx.proposals.get(press.proposal_id)
    incident = None if row is None else await tx.incidents.get(row.incident_id)
    data: dict[str, object] = {"button": "stop", "ending": answer.ending, "why": answer.text}
    data |= {"policy": wired.rules.policy.hash, "digest": press.digest[:64] if row is None else row.digest}
    chain = "-" if incident is None else incident.cluster
    about = (None if incident is None else incident.id, None if row is None else row.id)
    await tx.trail.append(audit.Event("press:refused", chain, press.user, wired.clock(), *about, data))
    return answer


async def _too_late(tx: ports.Tx, one: autonomy.Announcement) -> str:
    now = await tx.alone.get(one.proposal_id) or one
    if now.state == "stopped":
        return f"This was stopped by {approvals.mention(now.by)} already. It waits for an approval."
    if now.state == "dropped":
        return f"This is not done by itself any more: {now.why} It waits for an approval."
    return "This was begun already. Its end is told in the thread; Undo is offered there where it can be taken back."


class _Turn:
    """One proposal within a transaction that may change its announcement."""

    def __init__(
        self,
        wired: ports.Ports,
        tx: ports.Tx,
        incident: incidents.Incident,
        row: proposals.Proposal,
        now: datetime,
        members: guardrails.Members = guardrails.NO_MEMBERS,
    ) -> None:
        self.wired = wired
        self.tx = tx
        self.incident = incident
        self.row = row
        self.now = now
        self.members = members

    async def case(self) -> autonomy.Case:
        """As things stand. Asked under the lock of the cluster's incidents, so that no other replica starts another."""
        incident, row, policy = self.incident, self.row, self.wired.rules.policy
        watch = await self.tx.watches.get(incident.watch_id)
        workload = model.subject_of(row.action)
        on_workload, on_cluster = await self.tx.alone.done(incident.cluster, workload, self.now - autonomy.HOUR)
        people = rulebook.people(policy, row.risk, self.members)
        return autonomy.Case(
            proposal=row,
            mode="observe" if watch is None or watch.state != "active" else watch.mode,
            live=incident.live,
            writes=self.wired.hands(incident.cluster) is not None,
            stoppable=people is None or bool(people),
            tries=await self._tries(),
            stopped=await self.tx.alone.stopped(incident.id),
            breaker=await self.tx.alone.breaker(incident.watch_id),
            under_way=await self.tx.alone.under_way(incident.watch_id),
            on_workload=on_workload,
            on_cluster=on_cluster,
            lasts=self.wired.rules.proposal_ttl,
        )

    async def _tries(self) -> tuple[memory.Try, ...]:
        incident, since = self.incident, self.now - memory.SPAN
        if not incident.kinds:
            return ()
        found = await self.tx.executions.tried(incident.cluster, incident.subject, incident.kinds[0], since)
        return tuple(found)

    async def show(self) -> int:
        """Has the message show how it stands; the version that will."""
        for kind in _SHOWN:
            await self.tx.views.want(kind, channel=self.incident.channel, incident_id=self.incident.id, due=self.now)
        return await self.tx.views.version("parent", self.incident.id)

    async def tell(self, tag: str, data: Mapping[str, object], actor: str = "watchkeeper") -> None:
        about = {"digest": self.row.digest, "policy": self.wired.rules.policy.hash}
        event = audit.Event(
            tag, self.incident.cluster, actor, self.now, self.incident.id, self.row.id, {**data, **about}
        )
        await self.tx.trail.append(event)
