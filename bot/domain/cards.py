"""Read models: everything that one message, page or answer shows, loaded in one go. The blocks render these."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain import audit, autonomy, consultations, diagnoses, incidents, memory, proposals, watches
from k8s import policy


@dataclass(frozen=True, slots=True)
class ProposalCard:
    proposal: proposals.Proposal
    decision: proposals.Decision | None = None
    """The last one."""
    execution: proposals.Execution | None = None
    verification: proposals.Verification | None = None
    earlier: tuple[proposals.Decision, ...] = ()
    """Those before it, oldest first: of each person one approval."""
    alone: autonomy.Announcement | None = None
    """That it will be done by itself, or was, or was stopped."""

    @property
    def approvals(self) -> tuple[proposals.Decision, ...]:
        """All of them, oldest first."""
        made = self.earlier if self.decision is None else (*self.earlier, self.decision)
        return tuple(one for one in made if one.verdict == "approve")


@dataclass(frozen=True, slots=True)
class IncidentCard:
    """One incident with all that its parent message and thread replies show."""

    incident: incidents.Incident
    mode: str
    """Of its watch: `observe` shows no buttons."""
    approvers: tuple[str, ...]
    diagnosis: diagnoses.Diagnosis | None = None
    evidence: tuple[diagnoses.Evidence, ...] = ()
    remedy: ProposalCard | None = None
    """The newest remedy proposal, in whatever state it is."""
    refused: tuple[str, ...] = ()
    """Why nothing is proposed, where candidates were turned down: sentences."""
    undo: ProposalCard | None = None
    """The newest undo proposal of that remedy."""
    history: tuple[ProposalCard, ...] = ()
    """Earlier remedies of this incident that were approved or rejected, oldest first."""
    previous_link: str = ""
    """Permalink of the episode before, where it has one."""
    previous_name: str = ""
    previous_channel: str = ""
    previous_ts: str = ""
    """Where the episode before was told, for making the link of it; empty where it was not."""
    recurrences: int = 0
    """Episodes of this fingerprint in the last 30 days, this one included."""
    also: tuple[incidents.Incident, ...] = ()
    """Incidents of other clusters that began at the same time for the same reason."""
    tries: tuple[memory.Try, ...] = ()
    """What was done for this workload and kind of problem in the 30 days before it, oldest first."""
    self_approval: bool = True
    """Whether who asked for the remedy, or changed it, may approve it."""
    read_only: bool = False
    """Nothing may be asked for."""
    breaker: autonomy.Breaker | None = None
    """Its watch's, where that has ever done something by itself."""
    watch_name: str = ""
    advice: consultations.Advice | None = None
    """Of the diagnosis that is shown: what a model makes of it, that it is being asked, or why it has no opinion."""
    advice_cost: consultations.CostLine | None = None
    """What that took; None where nothing was asked."""


def under(card: IncidentCard, rules: policy.Policy) -> IncidentCard:
    """The card with those who may approve its remedy; without one, what is of low risk."""
    tier = "low" if card.remedy is None else card.remedy.proposal.risk
    self_approval = rules.tiers.of(tier).self_approval
    return replace(card, approvers=policy.named(rules, tier), self_approval=self_approval, read_only=rules.read_only)


@dataclass(frozen=True, slots=True)
class AnswerCard:
    """A question of a thread with its answer, and the incident as it is now."""

    question: consultations.Question
    incident: incidents.Incident


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """One line of `/watch status` and `/watch list`."""

    watch: watches.Watch
    last_sweep: watches.Sweep | None = None
    open_incidents: int = 0
    next_tick: datetime | None = None
    breaker: autonomy.Breaker | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """`/watch status` and App Home."""

    watches: tuple[WatchStatus, ...]
    open: tuple[incidents.Incident, ...]
    waiting: tuple[ProposalCard, ...]
    """Proposals that wait for an approval."""
    resolved_24h: int = 0
    health: Mapping[str, str] = field(default_factory=dict)
    """Part → what is wrong with it; empty where all is well."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a channel's daily report counts, over [since, until)."""

    id: int
    channel: str
    since: datetime
    until: datetime
    asked_by: str = ""
    opened: int = 0
    resolved: int = 0
    still_open: tuple[incidents.Incident, ...] = ()
    opened_before: int = 0
    """Opened in the period of the same length before: the delta."""
    mtta_seconds: float | None = None
    mttr_seconds: float | None = None
    noisiest: tuple[tuple[str, int], ...] = ()
    """(subject, incidents), most first."""
    actions: Mapping[str, int] = field(default_factory=dict)
    """approved, rejected, expired, verified, not-verified, worse, undone … → count."""
    sweeps: int = 0
    failed_sweeps: int = 0
    muted: int = 0

    @property
    def silent(self) -> bool:
        """Nothing happened and nothing is open: nothing is posted unless somebody asked."""
        return not (self.opened or self.resolved or self.still_open or self.failed_sweeps or any(self.actions.values()))


@dataclass(frozen=True, slots=True)
class AuditPage:
    entries: tuple[audit.Entry, ...]
    broken: audit.Entry | None = None
    """The first entry of the chains shown that does not follow from the one before it (of the newest some thousands of
    each; where the newest are gone, the last that is left); None where they are whole."""
