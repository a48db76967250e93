"""Approving: a press becomes a decision, by compare-and-set on the proposal's row. It counts once, or is told why not.

Only the database is touched here, so that the answer comes within Slack's three seconds; the execution is queued in the
same transaction and done by whichever replica takes it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot import errors
from bot.domain import approvals, audit, incidents, ports, proposals
from k8s import guardrails

PERMIT_TTL = timedelta(minutes=5)
"""An approval that could not be acted on for this long (database or cluster away) permits nothing any more."""


async def approve(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Counts the press, or says what happened instead. Queues the one execution."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now)
        if deciding.refusal is not None:
            return await deciding.refuse()
        row = deciding.proposal
        try:
            permit = guardrails.permit(
                proposal=str(row.id),
                digest=row.digest,
                verdict=_verdict_of(row, wired.rules.policy),
                policy=wired.rules.policy,
                approvers=(press.user,),
                now=now,
                expires_at=now + PERMIT_TTL,
            )
        except guardrails.NotPermitted as error:
            return await deciding.refuse(approvals.Answer("moved-on", error.reason))
        if not await tx.proposals.move(row.id, "proposed", "approved", now):
            return await deciding.lost()
        await tx.proposals.decide(proposals.Decision(row.id, press.user, "approve", press.reason, now))
        await tx.executions.queue(row.id, permit, now)
        await deciding.tell("proposal:approved", {"digest": row.digest, "policy": row.policy, "kubectl": row.kubectl})
        await deciding.show()
    wired.bell.ring()
    return approvals.Answer("counted")


async def reject(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Ends the proposal; the reason is stored and shown."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now)
        if deciding.refusal is not None:
            return await deciding.refuse()
        row = deciding.proposal
        if not await tx.proposals.move(row.id, "proposed", "rejected", now):
            return await deciding.lost()
        await tx.proposals.decide(proposals.Decision(row.id, press.user, "reject", press.reason, now))
        await deciding.tell("proposal:rejected", {"reason": press.reason})
        await deciding.show()
    wired.bell.ring()
    return approvals.Answer("counted")


async def may_decide(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Whether this press would count now: asked before a reason is asked for. Counted means yes."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now)
        return approvals.Answer("counted") if deciding.refusal is None else await deciding.refuse()


async def acknowledge(wired: ports.Ports, incident_id: int, user: str) -> approvals.Answer:
    """Takes an incident on; anyone in the channel may."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        known = await tx.incidents.get(incident_id)
        if known is None:
            return approvals.Answer("unknown-button", "This button belongs to no incident that is known here.")
        await tx.incidents.lock(known.cluster)
        current = await tx.incidents.get(incident_id) or known
        try:
            taken = incidents.acknowledge(current, user, now)
        except errors.NotPossible as error:
            return approvals.Answer("late", str(error))
        await tx.incidents.save(taken)
        await tx.trail.append(audit.Event("incident:acknowledged", taken.cluster, user, now, taken.id))
        for kind in _SHOWN:
            await tx.views.want(kind, channel=taken.channel, incident_id=taken.id, due=now)
    wired.bell.ring()
    return approvals.Answer("counted")


async def ask_again(wired: ports.Ports, incident_id: int, user: str) -> approvals.Answer:
    """Wants a fresh diagnosis and proposal of a live incident whose last proposal has ended."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        known = await tx.incidents.get(incident_id)
        if known is None:
            return approvals.Answer("unknown-button", "This button belongs to no incident that is known here.")
        await tx.incidents.lock(known.cluster)
        current = await tx.incidents.get(incident_id) or known
        if not current.live:
            return approvals.Answer("late", f"{current.name} is resolved: {current.resolution}")
        rows = await tx.proposals.of_incident(incident_id)
        if any(row.state in proposals.RUNNING for row in rows):
            return approvals.Answer("late", "An approved action is under way. Its end is told in the thread.")
        await tx.incidents.save(replace(current, diagnosis_wanted=True))
        await tx.trail.append(audit.Event("diagnosis:asked", current.cluster, user, now, current.id))
    wired.bell.ring()
    return approvals.Answer("counted", "Looking again; the card will show what is proposed now.")


_SHOWN: tuple[ports.ViewKind, ...] = ("parent", "progress")


def _verdict_of(row: proposals.Proposal, policy: guardrails.Policy) -> guardrails.Verdict:
    """The verdict that the proposal was made under. It holds only while the policy is the same: its hash is in the
    digest. The executor asks for a fresh one before it writes."""
    return guardrails.Verdict(
        allowed=row.policy == policy.hash,
        reasons=() if row.policy == policy.hash else ("The policy has changed since this was proposed.",),
        warnings=row.warnings,
        tier=row.risk,
        approvals_needed=2 if row.risk in policy.second_approval_tiers else 1,
        approvers=policy.approvers,
        digest=row.digest,
    )


class _Deciding:
    """One press within its transaction: the row it means, and whether it may count."""

    def __init__(self, wired: ports.Ports, tx: ports.Tx, press: approvals.Press, now: datetime) -> None:
        self._wired = wired
        self._tx = tx
        self._press = press
        self._now = now
        self._row: proposals.Proposal | None = None
        self._incident: incidents.Incident | None = None
        self.refusal: approvals.Answer | None = None

    @classmethod
    async def of(cls, wired: ports.Ports, tx: ports.Tx, press: approvals.Press, now: datetime) -> "_Deciding":
        deciding = cls(wired, tx, press, now)
        row = await tx.proposals.get(press.proposal_id)
        if row is not None and press.digest and row.digest.startswith(press.digest):
            deciding._row = row
            deciding._incident = await tx.incidents.get(row.incident_id)
        deciding.refusal = await deciding._judge()
        return deciding

    @property
    def proposal(self) -> proposals.Proposal:
        if self._row is None:
            raise errors.NotPossible("This button belongs to no proposal that is known here.")
        return self._row

    async def _judge(self) -> approvals.Answer | None:
        """None where the press may count. Who may press is asked first: others learn no more than that."""
        row = self._row
        if row is None or self._incident is None or len(self._press.digest) < approvals.DIGEST_SHOWN:
            return approvals.Answer("unknown-button", "This button belongs to no proposal that is known here.")
        policy = self._wired.rules.policy
        if not guardrails.may_approve(self._press.user, policy):
            return approvals.Answer("not-allowed", f"Only approvers may decide on this. {who_may(policy)}")
        if row.state == "superseded" and not self._incident.live:
            told = f"{self._incident.name} is resolved: {self._incident.resolution} Your press changed nothing."
            return approvals.Answer("late", told)
        if row.state != "proposed":
            return approvals.late(row, await self._tx.proposals.decision(row.id))
        if row.expires_at <= self._now:
            return approvals.late(replace(row, state="expired"), None)
        return None

    async def refuse(self, answer: approvals.Answer | None = None) -> approvals.Answer:
        given = answer or self.refusal or approvals.Answer("unavailable")
        await self.tell("press:refused", {"ending": given.ending})
        return given

    async def lost(self) -> approvals.Answer:
        """Somebody else's press came first, within this very moment."""
        row = await self._tx.proposals.get(self.proposal.id) or self.proposal
        if row.state == "proposed":
            row = replace(row, state="expired")
        return await self.refuse(approvals.late(row, await self._tx.proposals.decision(row.id)))

    async def tell(self, tag: str, data: Mapping[str, object]) -> None:
        incident, row = self._incident, self._row
        await self._tx.trail.append(
            audit.Event(
                tag,
                "-" if incident is None else incident.cluster,
                self._press.user,
                self._now,
                None if incident is None else incident.id,
                None if row is None else row.id,
                data if row is not None else {**data, "claimed": self._press.proposal_id},
            )
        )

    async def show(self) -> None:
        if self._incident is not None:
            for kind in _SHOWN:
                await self._tx.views.want(
                    kind, channel=self._incident.channel, incident_id=self._incident.id, due=self._now
                )


def who_may(policy: guardrails.Policy) -> str:
    """A sentence naming the approvers, for somebody who is none."""
    if not policy.approvers:
        return "Nobody may: no approvers are set (WATCHKEEPER_APPROVERS)."
    return "Ask " + " or ".join(f"<@{user}>" for user in policy.approvers) + "."
