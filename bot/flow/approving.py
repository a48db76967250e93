"""Approving: a press becomes a decision, by compare-and-set on the proposal's row. It counts once, or is told why not.

Where several people must approve, each press is a row; the last one that is needed makes the permit for all of them.
They belong to the proposal: whatever takes its place needs new ones. Only the database is touched here (and who is in
which group looked up, in memory mostly), so that the answer comes within Slack's three seconds; the execution is queued
in the same transaction and done by whichever replica takes it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot import errors
from bot.domain import approvals, audit, incidents, ports, proposals
from k8s import catalogue, guardrails, model
from k8s import policy as rulebook

BEHIND = "The clock here is behind the one that this was proposed by: nothing is in time by it. Press again later."
CHANGED = "The policy has changed since this was proposed."
PERMIT_TTL = timedelta(minutes=5)
"""An approval that could not be acted on for this long (database or cluster away) permits nothing any more."""
ASKED_FOR = timedelta(seconds=1.2)
"""So long at most a cluster is asked for a person's rights: Slack gives three seconds for all of a press."""


async def approve(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Counts the press, or says what happened instead. The last one that is needed queues the one execution.

    `lapsed`: what was proposed can be approved no more, and is superseded; a remedy is proposed anew by itself.
    """
    now = wired.clock()
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    unable = await _unable(wired, press, members)
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now, members, lock=True)
        refusal = deciding.refusal or await deciding.standing() or unable
        if refusal is not None and refusal.ending != "lapsed":
            return await deciding.refuse(refusal)
        if refusal is None:
            refusal = await _count(tx, deciding, now)
    if refusal is not None and refusal.ending == "lapsed":
        return await _lapse(wired, press, refusal, members)
    wired.bell.ring()
    return refusal or approvals.Answer("counted")


async def _count(tx: ports.Tx, deciding: "_Deciding", now: datetime) -> approvals.Answer | None:
    """One more approval of a locked proposal; with the last one, permit and execution. None where it counted."""
    row, press = deciding.proposal, deciding.press
    given = (
        *await tx.proposals.decisions(row.id),
        proposals.Decision(row.id, press.user, "approve", press.reason, now),
    )
    if len(given) < deciding.needed:
        await tx.proposals.decide(given[-1])
        data = {"kubectl": row.kubectl, "reason": press.reason, "count": len(given), "needed": deciding.needed}
        await deciding.tell("approval:given", data)
        await deciding.show()
        return None
    reasons = {one.user: one.reason for one in given}
    try:
        permit = deciding.permit(reasons)
    except guardrails.NotPermitted as error:
        return await deciding.refuse(approvals.Answer("moved-on", error.reason))
    if not await tx.proposals.move(row.id, "proposed", "approved", now):
        return await deciding.lost()
    await tx.proposals.decide(given[-1])
    await tx.executions.queue(row.id, permit, now)
    data = {"kubectl": row.kubectl, "reason": press.reason, "approvers": list(permit.approvers), "reasons": reasons}
    await deciding.tell("proposal:approved", data)
    await deciding.show()
    return None


async def _lapse(
    wired: ports.Ports, press: approvals.Press, why: approvals.Answer, members: guardrails.Members
) -> approvals.Answer:
    """Ends a proposal that can be approved no more, with all approvals that it has, and wants a fresh one."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now, members)
        row, incident = deciding.proposal, deciding.incident
        await tx.incidents.lock(incident.cluster)
        if not await tx.proposals.move(row.id, "proposed", "superseded", now):
            return await deciding.lost()
        await deciding.refuse(why)
        await deciding.tell("proposal:superseded", {"why": why.text})
        current = await tx.incidents.get(incident.id) or incident
        if row.kind == "remedy" and current.live:
            await tx.incidents.save(replace(current, diagnosis_wanted=True, asked_by=row.proposer))
        await deciding.show()
    wired.bell.ring()
    anew = "A fresh proposal is being made" if row.kind == "remedy" else "It is offered anew where it still can be"
    return replace(why, text=f"{why.text} {anew}; it needs new approvals.")


async def reject(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Ends the proposal, whoever approved it before; the reason is stored and shown."""
    now = wired.clock()
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now, members, lock=True)
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


async def stop(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Asks an execution in steps to end before its next write; any approver of its tier may."""
    now = wired.clock()
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now, members)
        if deciding.refusal is not None and deciding.refusal.ending in ("unknown-button", "not-allowed"):
            return await deciding.refuse()
        row = deciding.proposal
        if row.state == "proposed":
            return await deciding.refuse(approvals.Answer("late", "Nothing of it has begun, so nothing was stopped."))
        if row.state not in ("approved", "executing"):
            told = f"It was over already ({row.state}), so nothing was stopped. Look at the card as it is now."
            return await deciding.refuse(approvals.Answer("late", told))
        if not catalogue.remedy_for(row.action).steps:
            told = "This is one single write: it cannot be stopped half-way."
            return await deciding.refuse(approvals.Answer("late", told))
        if not await tx.executions.ask_stop(row.id, press.user):
            told = "It was asked to stop already, or has just ended. Its end is told in the thread."
            return await deciding.refuse(approvals.Answer("late", told))
        await deciding.tell("execution:stop-asked", {})
        await deciding.show()
    wired.bell.ring()
    return approvals.Answer("counted", "It stops before its next step. What is done by then is told in the thread.")


async def may_decide(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """Whether this press would count now: asked before a reason is asked for. Counted means yes."""
    now = wired.clock()
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now, members)
        return approvals.Answer("counted") if deciding.refusal is None else await deciding.refuse()


async def may_approve(wired: ports.Ports, press: approvals.Press) -> approvals.Answer:
    """The same of an approval, for which the reason is still to come."""
    now = wired.clock()
    members = await wired.directory.of(approvals.places(wired.rules.policy))
    unable = await _unable(wired, press, members)
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, now, members)
        refusal = deciding.refusal or await deciding.standing(reasoned=False) or unable
        if refusal is None:
            return approvals.Answer("counted")
        if refusal.ending != "lapsed":
            return await deciding.refuse(refusal)
    return await _lapse(wired, press, refusal, members)


async def _unable(wired: ports.Ports, press: approvals.Press, members: guardrails.Members) -> approvals.Answer | None:
    """Why it cannot be written in this person's name, where it is to be; None where it can.

    The cluster is asked, outside of any transaction and only of who may decide at all. Where it does not answer in time
    the press counts: the API server asks the same of the write itself.
    """
    if not wired.rules.identities.on:
        return None
    async with wired.store.begin() as tx:
        deciding = await _Deciding.of(wired, tx, press, wired.clock(), members)
    if deciding.refusal is not None:
        return None
    hand = wired.hands(deciding.incident.cluster)
    if hand is None:
        return None
    try:
        async with asyncio.timeout(ASKED_FOR.total_seconds()):
            told = await hand.lacking_of(press.user, deciding.proposal.operations)
    except (TimeoutError, errors.ClusterUnavailable):
        return None
    return approvals.Answer("no-right", told) if told else None


_SHOWN: tuple[ports.ViewKind, ...] = ("parent", "progress")


def _needed(row: proposals.Proposal, policy: guardrails.Policy) -> int:
    """So many different people: as was told when it was proposed, or as is asked now, whichever is more."""
    return max(1, row.approvals, policy.tiers.of(row.risk).approvals)


def _verdict_of(row: proposals.Proposal, policy: guardrails.Policy) -> guardrails.Verdict:
    """The verdict that the proposal was made under. It holds only while the policy is the same: its hash is in the
    digest. The executor asks for a fresh one before it writes."""
    tier = policy.tiers.of(row.risk)
    return guardrails.Verdict(
        allowed=row.policy == policy.hash,
        reasons=() if row.policy == policy.hash else (CHANGED,),
        warnings=row.warnings,
        tier=row.risk,
        approvals_needed=_needed(row, policy),
        approvers=rulebook.named(policy, row.risk),
        digest=row.digest,
        tier_reasons=row.tier_reasons,
        reason_required=row.reason_required or tier.reason_required,
        self_approval=tier.self_approval,
        rule=row.rule,
    )


class _Deciding:
    """One press within its transaction: the row it means, and whether it may count."""

    def __init__(
        self, wired: ports.Ports, tx: ports.Tx, press: approvals.Press, now: datetime, members: guardrails.Members
    ) -> None:
        self._wired = wired
        self._tx = tx
        self.press = press
        self._now = now
        self._members = members
        self._row: proposals.Proposal | None = None
        self._incident: incidents.Incident | None = None
        self.refusal: approvals.Answer | None = None

    @classmethod
    async def of(
        cls,
        wired: ports.Ports,
        tx: ports.Tx,
        press: approvals.Press,
        now: datetime,
        members: guardrails.Members,
        *,
        lock: bool = False,
    ) -> "_Deciding":
        """`lock`: presses on one proposal then come one after the other, each seeing what the one before did. One that
        is refused anyway waits for nobody."""
        deciding = cls(wired, tx, press, now, members)
        row = await tx.proposals.get(press.proposal_id)
        if row is not None and press.digest and row.digest.startswith(press.digest):
            deciding._row = row
            deciding._incident = await tx.incidents.get(row.incident_id)
        deciding.refusal = await deciding._judge()
        if lock and deciding.refusal is None:
            deciding._row = await tx.proposals.lock(press.proposal_id)
            deciding.refusal = await deciding._judge()
        return deciding

    @property
    def proposal(self) -> proposals.Proposal:
        if self._row is None:
            raise errors.NotPossible("This button belongs to no proposal that is known here.")
        return self._row

    @property
    def incident(self) -> incidents.Incident:
        if self._incident is None:
            raise errors.NotPossible("This button belongs to no incident that is known here.")
        return self._incident

    @property
    def needed(self) -> int:
        return _needed(self.proposal, self._wired.rules.policy)

    def permit(self, reasons: Mapping[str, str]) -> model.Permit:
        """Of these people, with what each of them said why. Raises NotPermitted."""
        row, policy = self.proposal, self._wired.rules.policy
        return guardrails.permit(
            proposal=str(row.id),
            digest=row.digest,
            verdict=_verdict_of(row, policy),
            policy=policy,
            approvers=tuple(reasons),
            reasons=reasons,
            now=self._now,
            expires_at=self._now + PERMIT_TTL,
            members=self._members,
            proposer=row.proposer,
            identities=self._wired.rules.identities,
        )

    async def standing(self, *, reasoned: bool = True) -> approvals.Answer | None:
        """Why this person's approval would not count although they may decide, as things stand; None where it would.

        `reasoned`: what they say why is part of the press already.
        """
        row, policy = self.proposal, self._wired.rules.policy
        verdict = _verdict_of(row, policy)
        if not verdict.allowed:
            return approvals.Answer("lapsed", " ".join(verdict.reasons))
        if self.press.user == row.proposer and not verdict.self_approval:
            return approvals.Answer("own", "You asked for this yourself, and somebody else must approve it.")
        if reasoned and verdict.reason_required and not self.press.reason.strip():
            told = f"A reason is required for an action of {row.risk} risk. Press *Approve* on the card as it is now."
            return approvals.Answer("moved-on", told)
        given = await self._tx.proposals.decisions(row.id)
        if any(one.user == self.press.user for one in given):
            told = f"Your approval counts already: {len(given)} of {self.needed}. Somebody else must approve it too."
            return approvals.Answer("again", told)
        return self._gone([one.user for one in given])

    def _gone(self, people: Sequence[str]) -> approvals.Answer | None:
        """Approvals of people who may approve no longer. Where that cannot be told, nothing is counted."""
        row, policy = self.proposal, self._wired.rules.policy
        gone = [one for one in people if not guardrails.may_approve(one, policy, tier=row.risk, members=self._members)]
        if not gone:
            return None
        named = ", ".join(approvals.mention(one) for one in gone)
        if unread := self._unread():
            told = f"Whether the approval of {named} still counts is not known. {unread} Press again in a minute."
            return approvals.Answer("unavailable", told)
        return approvals.Answer("lapsed", f"{named} approved this, and may not approve it any more.")

    def _unread(self) -> str:
        policy, row = self._wired.rules.policy, self.proposal
        places = rulebook.unknown_places(policy, row.risk, self._members)
        return approvals.unread({place: self._wired.directory.fault(place) for place in places})

    async def _judge(self) -> approvals.Answer | None:
        """None where the press may count. Who may press is asked first: others learn no more than that."""
        row = self._row
        if row is None or self._incident is None or len(self.press.digest) < approvals.DIGEST_SHOWN:
            return approvals.Answer("unknown-button", "This button belongs to no proposal that is known here.")
        policy = self._wired.rules.policy
        if not guardrails.may_approve(self.press.user, policy, tier=row.risk, members=self._members):
            told = f"Only approvers may decide on this. {who_may(policy, row.risk)} {self._unread()}".rstrip()
            return approvals.Answer("not-allowed", told)
        if row.state == "superseded" and not self._incident.live:
            told = f"{self._incident.name} is resolved: {self._incident.resolution} Your press changed nothing."
            return approvals.Answer("late", told)
        if row.state != "proposed":
            return approvals.late(row, await self._tx.proposals.decisions(row.id))
        if row.expires_at <= self._now:
            return approvals.late(replace(row, state="expired"))
        if row.created_at > self._now + guardrails.CLOCKS_APART:
            return approvals.Answer("unavailable", BEHIND)
        return None

    async def refuse(self, answer: approvals.Answer | None = None) -> approvals.Answer:
        given = answer or self.refusal or approvals.Answer("unavailable")
        await self.tell("press:refused", {"ending": given.ending, "why": self._why(given)})
        return given

    def _why(self, given: approvals.Answer) -> str:
        """For the trail, where what the presser is told would be markup and no fact."""
        row = self._row
        if given.ending == "not-allowed":
            return "no approver"
        if row is None:
            return "no proposal has this id and this digest"
        if row.state == "proposed" and row.expires_at <= self._now:
            return f"expired at {row.expires_at.isoformat(timespec='seconds')}"
        return given.text if row.state == "proposed" else f"it was {row.state} already"

    async def lost(self) -> approvals.Answer:
        """Somebody else's press came first, within this very moment."""
        row = await self._tx.proposals.get(self.proposal.id) or self.proposal
        if row.state == "proposed":
            row = replace(row, state="expired")
        return await self.refuse(approvals.late(row, await self._tx.proposals.decisions(row.id)))

    async def tell(self, tag: str, data: Mapping[str, object]) -> None:
        """`policy`: the hash of the policy that holds now; `digest`: of what was proposed, or what the press claims."""
        incident, row = self._incident, self._row
        about = {
            "digest": self.press.digest[:64] if row is None else row.digest,
            "policy": self._wired.rules.policy.hash,
        }
        await self._tx.trail.append(
            audit.Event(
                tag,
                "-" if incident is None else incident.cluster,
                self.press.user,
                self._now,
                None if incident is None else incident.id,
                None if row is None else row.id,
                {**data, **about} if row is not None else {**data, **about, "claimed": self.press.proposal_id},
            )
        )

    async def show(self) -> None:
        if self._incident is not None:
            for kind in _SHOWN:
                await self._tx.views.want(
                    kind, channel=self._incident.channel, incident_id=self._incident.id, due=self._now
                )


def who_may(policy: guardrails.Policy, tier: model.RiskTier) -> str:
    """A sentence naming the approvers, for somebody who is none."""
    named = [approvals.mention(one) for one in rulebook.named(policy, tier) if one]
    if not named:
        return "Nobody may: no approvers are set (WATCHKEEPER_APPROVERS, or the policy file)."
    return f"Ask {' or '.join(named)}."
