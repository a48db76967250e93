"""Proposing: from a diagnosis' candidates to at most one exact proposal, checked before anybody is asked.

Every candidate is worked out against the freshly read target, judged by the policy and dry-run on the server. What does
not pass is not offered, and the card says why. The digest of what passed is what a person approves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from bot import errors
from bot.domain import approvals, audit, diagnoses, incidents, ports, proposals, unserved
from k8s import catalogue, guardrails, model, redact
from k8s import policy as rulebook


@dataclass(frozen=True, slots=True)
class Drafted:
    """What became of the candidates: one proposal not yet stored, or none and why."""

    proposal: proposals.Proposal | None
    refused: tuple[str, ...] = ()
    away: bool = False
    """Nothing could be worked out because the cluster did not answer: asked again, it may be otherwise."""
    reasons: tuple[str, ...] = ()
    """The same as `refused`, without the names of the candidates."""
    decided: Mapping[str, object] = field(default_factory=dict)
    """Which rule of the policy let it through, and why it is of its tier: for the trail."""


async def draft(
    wired: ports.Ports,
    incident: incidents.Incident,
    mode: guardrails.Mode,
    candidates: Sequence[diagnoses.Candidate],
    *,
    kind: Literal["remedy", "undo"] = "remedy",
    undo_of: int | None = None,
    proposer: str = "",
) -> Drafted:
    """The first candidate that may be done, as a proposal; reads the cluster, writes nothing anywhere.

    `proposer`: the person who asked for it or changed it.
    """
    refused: list[str] = []
    why: list[str] = []
    away = False
    for candidate in candidates:
        drafting = _Draft(wired, incident, mode, candidate, proposer, back=kind == "undo")
        reasons = await drafting.check()
        away = away or drafting.away
        if reasons:
            name = model.name_of(candidate.action)
            refused += [redact.redact(f"{name} was considered: {reason}") for reason in reasons]
            why += map(redact.redact, reasons)
            continue
        return Drafted(drafting.proposal(kind, undo_of), tuple(refused), decided=drafting.decided)
    return Drafted(None, tuple(refused), away, tuple(why))


class _Draft:
    """One candidate being worked out."""

    def __init__(
        self,
        wired: ports.Ports,
        incident: incidents.Incident,
        mode: guardrails.Mode,
        candidate: diagnoses.Candidate,
        proposer: str = "",
        *,
        back: bool = False,
    ) -> None:
        self._wired = wired
        self._incident = incident
        self._mode = mode
        self._candidate = candidate
        self._proposer = proposer
        self._back = back
        """Whether it takes an action back: then it goes back to what was, however that was."""
        self._now = wired.clock()
        self.away = False

    async def check(self) -> Sequence[str]:
        """Why it cannot be offered; empty where it can."""
        action, cluster = self._candidate.action, self._incident.cluster
        policy = self._wired.rules.policy
        hand = self._wired.hands(cluster)
        if self._mode == "observe":
            return ["this watch only observes"]
        if hand is None:
            return ["read-only: nothing is changed in any cluster from here"]
        try:
            target = await self._wired.eyes.target(cluster, action)
            if problems := catalogue.problems(action, target):
                return problems
            if known := await self._failed_before(target):
                return [known]
            self._plan = catalogue.plan(action, target, self._now)
            async with self._wired.store.begin() as tx:
                history = await tx.proposals.recent_executions(cluster, self._now - self._wired.rules.history)
            members = await self._wired.directory.of(approvals.places(policy))
            self._verdict = guardrails.judge(
                action,
                self._plan,
                target,
                subject=self._incident.subject,
                policy=policy,
                history=history,
                mode=self._mode,
                now=self._now,
                cluster=cluster,
                members=members,
            )
            if not self._verdict.allowed:
                return [*self._verdict.reasons, *self._unread(members)]
            if alone := self._nobody_else(members):
                return [alone]
            people = self._people(members)
            if lacking := await hand.lacking(self._plan, people, self._verdict.approvals_needed):
                return [lacking]
            self._dry_run = await hand.dry_run(self._plan, people)
        except errors.ClusterUnavailable as error:
            self.away = True
            return [f"the cluster did not answer: {error}"]
        if not self._dry_run.accepted:
            return [f"the API server would refuse it: {self._dry_run.message}"]
        return []

    async def _failed_before(self, target: model.Target) -> str:
        """Why the revision that it takes from is known not to have served; a person may want it all the same."""
        action, cluster = self._candidate.action, self._incident.cluster
        if self._back or self._proposer or not isinstance(action, model.RolloutUndo | model.SetEnv | model.UnsetEnv):
            return ""
        async with self._wired.store.begin() as tx:
            found = await unserved.recorded(tx, cluster, action.workload, self._now)
        return unserved.against(target, found, self._now).get(action.revision, "")

    def _people(self, members: guardrails.Members) -> frozenset[str] | None:
        """Who may approve it; None: anybody."""
        people = rulebook.people(self._wired.rules.policy, self._verdict.tier, members)
        own = self._verdict.self_approval or not self._proposer
        return people if own or people is None else people - {self._proposer}

    def _unread(self, members: guardrails.Members) -> Sequence[str]:
        """Why user groups or channels that might have approvers in them count as empty."""
        places = rulebook.unknown_places(self._wired.rules.policy, self._verdict.tier, members)
        faults = {place: self._wired.directory.fault(place) for place in places}
        return [f"{place} could not be read: {fault}." for place, fault in faults.items() if fault]

    def _nobody_else(self, members: guardrails.Members) -> str:
        """Whether too few are left to approve it, where who asked for it may not."""
        policy, verdict = self._wired.rules.policy, self._verdict
        people = rulebook.people(policy, verdict.tier, members)
        if verdict.self_approval or not self._proposer or people is None:
            return ""
        if len(people - {self._proposer}) >= verdict.approvals_needed:
            return ""
        return "Who asked for it may not approve it, and too few others may."

    @property
    def decided(self) -> Mapping[str, object]:
        return {"rule": self._verdict.rule, "because": list(self._verdict.tier_reasons)}

    def proposal(self, kind: Literal["remedy", "undo"], undo_of: int | None) -> proposals.Proposal:
        plan, rules = self._plan, self._wired.rules
        return proposals.Proposal(
            id=0,
            incident_id=self._incident.id,
            kind=kind,
            undo_of=undo_of,
            action=plan.action,
            planned_at=self._now,
            operations=plan.operations,
            pins=dict(plan.pins),
            digest=self._verdict.digest,
            policy=rules.policy.hash,
            kubectl=plan.kubectl,
            summary=redact.redact(plan.summary),
            why=redact.redact(self._candidate.why),
            risk=self._verdict.tier,
            blast=replace(plan.blast, note=redact.redact(plan.blast.note)),
            inverse=plan.inverse,
            irreversible=plan.irreversible,
            diff=tuple(self._dry_run.diff),
            warnings=tuple(redact.redact(warning) for warning in (*self._raised(), *self._verdict.warnings)),
            state="proposed",
            created_at=self._now,
            expires_at=self._now + (rules.undo_ttl if kind == "undo" else rules.proposal_ttl),
            proposer=self._proposer,
            rule=self._verdict.rule,
            tier_reasons=tuple(redact.redact(reason) for reason in self._verdict.tier_reasons),
            approvals=max(1, self._verdict.approvals_needed),
            reason_required=self._verdict.reason_required,
        )

    def _raised(self) -> Sequence[str]:
        """Why it is of a higher tier than the action by itself, where it is."""
        verdict = self._verdict
        if verdict.tier == self._plan.risk:
            return ()
        return (f"Of {verdict.tier} risk: {' '.join(verdict.tier_reasons[1:])}",)


async def publish(
    wired: ports.Ports,
    incident: incidents.Incident,
    found: diagnoses.Diagnosis,
    evidence: Sequence[diagnoses.Evidence],
    drafted: Drafted,
    causes: tuple[str, ...] | None = None,
    question: str = "",
) -> None:
    """Stores the diagnosis and the proposal, in place of earlier open ones, and shows them. One transaction.

    `question`: the key of what a model is to be asked about it; empty where none is.

    `causes` are those that were diagnosed, where a fresh look showed others than the incident has. Where the incident
    was resolved, or an approved action is under way, no new proposal takes the field.
    """
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(incident.cluster)
        current = await tx.incidents.get(incident.id)
        if current is None:
            return
        # What a sweep saw change while this was being diagnosed is wanted still.
        wanted = current.diagnosis_wanted and current.causes != incident.causes
        # A sweep that sees more than was there to diagnose (a crash loop's pod ran just then) has news.
        diagnosed = current.causes if wanted or causes is None else causes
        again = current.asked_by != incident.asked_by  # somebody asked meanwhile: the next one is theirs
        asked = current.asked_by if again else ""
        await tx.incidents.save(replace(current, diagnosis_wanted=wanted or again, causes=diagnosed, asked_by=asked))
        await tx.incidents.release_diagnosis(incident.id)
        if not current.live:
            return
        why_none = drafted.refused if drafted.proposal is None else ()
        diagnosis_id = await tx.diagnoses.save(incident.id, found, evidence, why_none, now)
        if question:
            await tx.advice.want(diagnosis_id, incident.id, question, now)
        data = {"cause": found.cause, "confidence": found.confidence, "by": found.by, "evidence": len(evidence)}
        await _tell(tx, current, "diagnosis:made", now, data)
        rows = await tx.proposals.of_incident(incident.id)
        running = any(row.state in proposals.RUNNING for row in rows)
        stands = any(_same(row, drafted.proposal, now) for row in rows)
        free = not (running or stands) and await _supersede(tx, current, rows, now)
        if free and drafted.proposal is not None:
            added = await tx.proposals.add(drafted.proposal)
            await _made(tx, current, added, now, drafted.decided)
        for kind in _REPLIES:
            await tx.views.want(kind, channel=current.channel, incident_id=current.id, due=now)
    wired.bell.ring()


async def replace_by(
    wired: ports.Ports, old: proposals.Proposal, drafted: Drafted, proposer: str
) -> proposals.Proposal | None:
    """A person's own version takes the place of the open proposal that they changed, whose approvals lapse.

    None where that one is open no more: whatever ended it came first.
    """
    return await _put(wired, old.incident_id, old, drafted, "proposal:edited", proposer)


async def asked(
    wired: ports.Ports,
    incident_id: int,
    old: proposals.Proposal | None,
    drafted: Drafted,
    proposer: str,
    approved: Sequence[str] = (),
) -> proposals.Proposal | None:
    """What a person asked for is proposed, in the place of what is open (`old`), if anything is; its approvals lapse.

    None where something else came first: `old` is open no more, somebody besides those in `approved` has approved it,
    something is proposed or done by now, or the incident is resolved.
    """
    return await _put(wired, incident_id, old, drafted, "proposal:asked", proposer, approved)


async def advised(wired: ports.Ports, incident_id: int, drafted: Drafted) -> proposals.Proposal | None:
    """What a model speaks for is proposed, where nothing is open or under way. None where something is by now, or the
    incident is over."""
    by = replace(drafted, decided={**drafted.decided, "proposer": MODEL})
    return await _put(wired, incident_id, None, by, "proposal:advised", MODEL)


MODEL = "model"
"""Who proposed, in the trail. The proposal itself names no person: none asked for it, and none is left out for it."""


async def _put(
    wired: ports.Ports,
    incident_id: int,
    old: proposals.Proposal | None,
    drafted: Drafted,
    tag: str,
    proposer: str,
    approved: Sequence[str] | None = None,
) -> proposals.Proposal | None:
    now = wired.clock()
    async with wired.store.begin() as tx:
        known = await tx.incidents.get(incident_id)
        if known is None or drafted.proposal is None:
            return None
        await tx.incidents.lock(known.cluster)
        incident = await tx.incidents.get(incident_id)
        if incident is None or not incident.live:
            return None
        lapsed: list[str] = []
        if old is not None and await tx.proposals.lock(old.id) is not None:  # whoever presses just now comes first
            lapsed = [one.user for one in await tx.proposals.decisions(old.id)]
        news = approved is not None and not set(lapsed) <= set(approved)
        if news or not await _free(tx, incident_id, old, now):
            return None
        added = await tx.proposals.add(drafted.proposal)
        gone: dict[str, object] = {} if old is None else {"digest": old.digest, "policy": old.policy, "lapsed": lapsed}
        data = {**gone, "by": added.id, "kubectl": added.kubectl}
        await _tell(tx, incident, tag, now, data, added.id if old is None else old.id, actor=proposer)
        await _made(tx, incident, added, now, drafted.decided)
        for kind in _REPLIES:
            await tx.views.want(kind, channel=incident.channel, incident_id=incident.id, due=now)
    wired.bell.ring()
    return added


async def _free(tx: ports.Tx, incident_id: int, old: proposals.Proposal | None, now: datetime) -> bool:
    """Ends `old`, if there is one. Whether nothing else is open or under way."""
    rows = await tx.proposals.of_incident(incident_id)
    if any(row.state in proposals.RUNNING for row in rows):
        return False
    if old is not None:
        return await tx.proposals.move(old.id, "proposed", "superseded", now)
    return not any(row.state == "proposed" and row.kind == "remedy" for row in rows)


async def offer(wired: ports.Ports, incident: incidents.Incident, drafted: Drafted) -> bool:
    """Offers an undo anew, in the place of one that lapsed. False where there is another one already."""
    if drafted.proposal is None:
        return False
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(incident.cluster)
        try:
            added = await tx.proposals.add(drafted.proposal)
        except errors.NotPossible:
            return False
        data: dict[str, object] = {"kubectl": added.kubectl, "digest": added.digest, "policy": added.policy}
        data["undo_of"] = added.undo_of
        await _tell(tx, incident, "undo:offered", now, data, added.id)
        for kind in _REPLIES[::2]:
            await tx.views.want(kind, channel=incident.channel, incident_id=incident.id, due=now)
    wired.bell.ring()
    return True


async def _made(
    tx: ports.Tx,
    incident: incidents.Incident,
    added: proposals.Proposal,
    now: datetime,
    decided: Mapping[str, object],
) -> None:
    data: dict[str, object] = {"kubectl": added.kubectl, "digest": added.digest, "policy": added.policy}
    data |= {"risk": added.risk, "approvals": added.approvals} | (
        {"proposer": added.proposer} if added.proposer else {}
    )
    await _tell(tx, incident, "proposal:made", now, {**data, **decided}, added.id)


_REPLIES: tuple[ports.ViewKind, ...] = ("parent", "evidence", "progress")


def _same(row: proposals.Proposal, drafted: proposals.Proposal | None, now: datetime) -> bool:
    """Whether the open proposal is the very one that would be made anew: then it stands, and so does whoever is just
    about to press it."""
    if drafted is None or row.state != "proposed" or row.kind != "remedy" or row.expires_at <= now:
        return False
    return (row.digest, row.policy) == (drafted.digest, drafted.policy)


async def _supersede(
    tx: ports.Tx, incident: incidents.Incident, rows: Sequence[proposals.Proposal], now: datetime
) -> bool:
    """Ends the open remedy, if there is one. False where a press came first: then that one has the field."""
    for row in rows:
        if row.state != "proposed" or row.kind != "remedy":
            continue
        if not await tx.proposals.move(row.id, "proposed", "superseded", now):
            return False
        data = {"why": "a newer diagnosis", "digest": row.digest, "policy": row.policy}
        await _tell(tx, incident, "proposal:superseded", now, data, row.id)
    return True


async def _tell(
    tx: ports.Tx,
    incident: incidents.Incident,
    tag: str,
    now: datetime,
    data: Mapping[str, object],
    proposal_id: int | None = None,
    *,
    actor: str = "watchkeeper",
) -> None:
    await tx.trail.append(audit.Event(tag, incident.cluster, actor, now, incident.id, proposal_id, data))


async def expire(wired: ports.Ports) -> int:
    """Ends proposals that nobody answered in time, each with its own name; how many.

    Each in a transaction of its own: one that held the rows of several incidents could wait for a triage that waits for
    it.
    """
    now = wired.clock()
    async with wired.store.begin() as tx:
        rows = await tx.proposals.expired(now)
    ended = 0
    for row in rows:
        ended += await _expire(wired, row, now)
    if ended:
        wired.bell.ring()
    return ended


async def _expire(wired: ports.Ports, row: proposals.Proposal, now: datetime) -> bool:
    async with wired.store.begin() as tx:
        incident = await tx.incidents.get(row.incident_id)
        if incident is None or not await tx.proposals.move(row.id, "proposed", "expired", now):
            return False
        data = {"kind": row.kind, "digest": row.digest, "policy": row.policy}
        await _tell(tx, incident, "proposal:expired", now, data, row.id)
        for kind in _REPLIES[::2]:
            await tx.views.want(kind, channel=incident.channel, incident_id=incident.id, due=now)
    return True
