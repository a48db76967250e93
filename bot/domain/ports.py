"""What the stages need from outside, as Protocols. `bot.main` wires real ones; tests may wire twins.

Store: Postgres (`bot.store`). Eyes, Hand: a cluster (`k8s.client`, `k8s.executor`). Witness: `bot.evidence`.
Bell: wakes the publisher and the workers (`bot.main`). Advisor: a model (`bot.llm`), with a Null twin.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from bot.domain import (
    audit,
    autonomy,
    cards,
    consultations,
    diagnoses,
    incidents,
    memory,
    picks,
    proposals,
    rules,
    watches,
)
from k8s import guardrails, history, model, stepping

Clock = Callable[[], datetime]
"""Now, aware, in UTC."""


# --- the record -----------------------------------------------------------------------------------------------------


class Watches(Protocol):
    async def add(self, new: watches.NewWatch, now: datetime) -> watches.Watch | None:
        """None where an active or paused watch has this name already."""
        ...

    async def all(self) -> Sequence[watches.Watch]:
        """All but removed ones, by name."""
        ...

    async def clusters_ever(self) -> frozenset[str]:
        """Clusters that some watch was ever made of, removed ones too."""
        ...

    async def get(self, watch_id: int) -> watches.Watch | None: ...

    async def named(self, name: str) -> watches.Watch | None: ...

    async def set_state(self, watch_id: int, before: Sequence[watches.State], after: watches.State) -> bool:
        """Compare-and-set; False where it was in none of the `before` states."""
        ...

    async def set_mode(self, watch_id: int, mode: guardrails.Mode) -> bool:
        """False where it is removed."""
        ...

    async def set_kinds(self, watch_id: int, kinds: watches.Kinds) -> bool:
        """What holds of failure kinds for this watch alone; False where it is removed."""
        ...


class Sweeps(Protocol):
    async def claim(
        self, watch_id: int, slot: datetime | None, trigger: watches.Trigger, owner: str, now: datetime
    ) -> watches.Sweep | None:
        """A running sweep of one's own; None where another replica has this (watch, slot)."""
        ...

    async def finish(self, sweep: watches.Sweep) -> None: ...

    async def latest(self, watch_id: int) -> watches.Sweep | None:
        """The newest finished one."""
        ...

    async def abandon(self, before: datetime) -> int:
        """Marks sweeps still running since before this moment as failed; how many."""
        ...


class Findings(Protocol):
    async def observe(
        self, cluster: str, problems: Sequence[model.Problem], sweep_id: int, now: datetime
    ) -> Mapping[str, datetime]:
        """Stores the findings of a sweep; `subject uid:kind:cause` → when this one was first seen without a gap."""
        ...

    async def forget(self, cluster: str, before: datetime) -> None:
        """Drops findings not seen since before this moment."""
        ...


class Baselines(Protocol):
    """What sweeps learnt of workloads: one state for each workload, container and family."""

    async def known(self, cluster: str, families: Sequence[history.Family], namespace: str = "") -> history.History:
        """All of it, or that of one namespace's workloads."""
        ...

    async def keep(self, cluster: str, changes: history.History, now: datetime) -> None:
        """Puts these states in the place of those that were there. Whoever comes last is right: a state is whole."""
        ...

    async def forget(self, cluster: str, now: datetime) -> None:
        """Drops states that no sweep has changed for so long that they tell nothing any more."""
        ...


class Incidents(Protocol):
    async def lock(self, cluster: str) -> None:
        """Serialises changes of one cluster's incidents until the transaction ends: held from reading to saving."""
        ...

    async def live(self, cluster: str) -> Sequence[incidents.Incident]: ...

    async def get(self, incident_id: int) -> incidents.Incident | None: ...

    async def past(self, cluster: str, fingerprint: str, since: datetime) -> Sequence[incidents.Incident]:
        """Resolved episodes of this fingerprint opened since then, newest first."""
        ...

    async def of_subject(
        self, cluster: str, subject: model.ResourceRef, since: datetime, limit: int
    ) -> Sequence[incidents.Incident]:
        """Resolved incidents of this subject opened since then, newest first. By its name: one that was made anew has
        another uid, and is the same to people."""
        ...

    async def alike(self, kind: str, cause: str, since: datetime) -> Sequence[incidents.Incident]:
        """Incidents of all clusters with this primary kind and this cause of it, resolved since then; the last resolved
        first. A name of a container before the cause (`app out of memory`) may be any. Of thousands, the newest."""
        ...

    async def around(self, cluster: str, moment: datetime, span: timedelta) -> Sequence[incidents.Incident]:
        """Of all other clusters: those opened at most `span` before or after the moment, newest first, not all of them
        where there are hundreds."""
        ...

    async def last_resolved(self, cluster: str, subject: model.ResourceRef) -> incidents.Incident | None: ...

    async def open(self, new: incidents.Incident) -> incidents.Incident | None:
        """Inserts it (its id is ignored); None where the subject already has a live one."""
        ...

    async def save(self, changed: incidents.Incident) -> None:
        """All but the claim of its diagnosis. Under `lock`, or another change may be lost. Raises `errors.NotPossible`
        where it would live again beside another live one of its subject."""
        ...

    async def wanting_diagnosis(self, owner: str, now: datetime, lease: timedelta) -> incidents.Incident | None:
        """Claims one for diagnosis, skipping those that another replica holds."""
        ...

    async def release_diagnosis(self, incident_id: int) -> None:
        """Gives the claim back, so that another try can be made."""
        ...

    async def search(
        self, *, states: Sequence[incidents.State], user: str = "", since: datetime | None = None, limit: int = 50
    ) -> Sequence[incidents.Incident]: ...

    async def counts(self) -> Mapping[str, int]:
        """State → how many (resolved: of the last 24 h)."""
        ...


class Diagnoses(Protocol):
    async def save(
        self,
        incident_id: int,
        found: diagnoses.Diagnosis,
        evidence: Sequence[diagnoses.Evidence],
        refused: Sequence[str],
        now: datetime,
    ) -> int:
        """Its id. The newest takes the place of earlier ones, which are kept. `refused`: why no candidate is
        proposed."""
        ...

    async def get(self, diagnosis_id: int) -> tuple[diagnoses.Diagnosis, Sequence[diagnoses.Evidence]] | None:
        """With the evidence that it rests on, in the order of its numbers."""
        ...


class Proposals(Protocol):
    async def add(self, new: proposals.Proposal) -> proposals.Proposal:
        """Inserts it (its id is ignored). Raises `errors.NotPossible` where the incident has a remedy that is proposed
        or under way (or the remedy such an undo): that one is superseded first."""
        ...

    async def get(self, proposal_id: int) -> proposals.Proposal | None: ...

    async def lock(self, proposal_id: int) -> proposals.Proposal | None:
        """The same, and nobody else changes or locks it until the transaction ends."""
        ...

    async def of_incident(self, incident_id: int) -> Sequence[proposals.Proposal]:
        """Oldest first."""
        ...

    async def move(self, proposal_id: int, before: proposals.State, after: proposals.State, now: datetime) -> bool:
        """Compare-and-set; False where it was not in `before`. To `approved` only where it has not expired. Raises
        ValueError for a step that `proposals.FOLLOWS` does not know."""
        ...

    async def decide(self, decision: proposals.Decision) -> bool:
        """False where this person has said the same of it before: their first word stands."""
        ...

    async def decision(self, proposal_id: int) -> proposals.Decision | None:
        """The last one."""
        ...

    async def decisions(self, proposal_id: int) -> Sequence[proposals.Decision]:
        """Oldest first."""
        ...

    async def expired(self, now: datetime) -> Sequence[proposals.Proposal]:
        """Those still `proposed` past their expiry (locked; those that another replica holds are skipped)."""
        ...

    async def recent_executions(self, cluster: str, since: datetime, *, besides: int = 0) -> guardrails.History:
        """What was begun on the cluster since then, `besides` the execution of this proposal."""
        ...


class Executions(Protocol):
    async def queue(self, proposal_id: int, permit: model.Permit, now: datetime) -> proposals.Execution:
        """Unique per proposal: the database itself refuses a second one, as `errors.NotPossible`."""
        ...

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> proposals.Execution | None:
        """Takes one queued execution: state `executing`, lease set. Skips those that another replica takes."""
        ...

    async def renew(self, execution_id: int, owner: str, until: datetime, now: datetime) -> bool:
        """False where it is no longer one's own, or its lease has run out: then nothing may be written any more."""
        ...

    async def tell(self, execution_id: int, owner: str, progress: model.Progress) -> bool:
        """How far one in steps is; False where it is no longer its owner's."""
        ...

    async def ask_stop(self, proposal_id: int, user: str) -> bool:
        """Somebody wants it to stop; False where it is over, or somebody has asked before."""
        ...

    async def stop_asked(self, execution_id: int) -> str:
        """Who asked it to stop; empty where nobody did."""
        ...

    async def finish(self, execution_id: int, owner: str, outcome: model.Outcome, now: datetime) -> bool:
        """Compare-and-set from `executing` by its owner; False where it was taken away."""
        ...

    async def orphans(self, owner: str, now: datetime, lease: timedelta) -> Sequence[proposals.Execution]:
        """Takes over executions whose lease ran out, and returns them as they were left. They are never executed again:
        they become `unknown`, and from now on `renew` says no to everybody."""
        ...

    async def unseen(self, owner: str, now: datetime, since: datetime, lease: timedelta) -> proposals.Execution | None:
        """One that ended since then, unknown and still `unseen`; its owner's alone for the length of a lease."""
        ...

    async def settle(self, execution_id: int, owner: str, outcome: model.Outcome) -> bool:
        """What was seen at last takes the place of an `unseen` outcome; False where somebody else's did before."""
        ...

    async def tried(
        self, cluster: str, workload: model.ResourceRef, kind: str, since: datetime
    ) -> Sequence[memory.Try]:
        """Remedies that were done and looked at since then, for incidents of this workload with this kind of problem;
        oldest first."""
        ...

    async def ended(self, incident_ids: Sequence[int]) -> Sequence[memory.Try]:
        """Remedies that were done and looked at in these incidents, oldest first; how long each held is not told."""
        ...


class Verifications(Protocol):
    async def start(self, proposal_id: int, now: datetime, before: proposals.Before = proposals.UNMEASURED) -> None:
        """`before`: how things were right before the write."""
        ...

    async def came_back(self, proposal_id: int, now: datetime) -> None:
        """The problem that it had solved was seen again, in the same thread. The first time counts."""
        ...

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> proposals.Verification | None:
        """Takes (or renews) one pending verification that is due and that nobody else holds. Its owner is given it
        again after a sixth of the lease; others when the lease has run out."""
        ...

    async def save(self, changed: proposals.Verification) -> bool:
        """Compare-and-set from pending by its owner; False where it was taken away. The lease is left as it is."""
        ...


class Trail(Protocol):
    async def append(self, event: audit.Event) -> None:
        """Adds to the chain, when this transaction commits."""
        ...

    async def page(
        self, *, incident_id: int | None = None, actor: str = "", since: datetime | None = None, limit: int = 30
    ) -> cards.AuditPage:
        """Newest first, with a check of the newest some thousands of entries of every chain shown."""
        ...

    async def chains(self) -> Sequence[str]:
        """The names of all chains."""
        ...

    async def heads(self) -> Sequence[audit.Head]:
        """The ends of all chains, by name."""
        ...

    async def verify(self, chain: str) -> audit.Flaw | None:
        """Follows a whole chain from its first entry (or its anchor) to its head; None where nothing was changed or
        removed."""
        ...

    async def stretch(
        self, chain: str, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[int, int] | None:
        """The first and the last place of what was told in [since, until); None where there is nothing. All that lies
        between them is one unbroken stretch, and may hold an entry that a clock put a moment outside."""
        ...

    async def batch(
        self, chain: str, after: int, upto: int, *, incident_id: int | None = None
    ) -> Sequence[audit.Entry]:
        """The next entries of a chain in (after, upto], in their order, at most some hundreds; empty at the end."""
        ...


ViewKind = Literal["parent", "evidence", "opinion", "answer", "progress", "recovery", "worse", "report", "breaker"]


@dataclass(frozen=True, slots=True)
class View:
    """One Slack message as a view of rows. `wanted` > `shown` means that Slack does not show the newest state yet."""

    id: int
    kind: ViewKind
    incident_id: int | None
    report_id: int | None
    question_id: int | None
    channel: str
    ts: str
    """Slack's message id; empty while it is not posted."""
    wanted: int
    shown: int
    key: str
    """Travels in the message's metadata, so that a post whose answer was lost is found again and not repeated."""
    thread_ts: str = ""
    """The parent's ts, for a reply; empty for a parent."""
    posting_since: datetime | None = None
    """Set before a post is tried; still set means that its answer never came."""
    attempts: int = 0
    """An answer (`question_id`) has no incident_id: it stands in the thread in which was asked."""


class Views(Protocol):
    async def want(
        self,
        kind: ViewKind,
        *,
        channel: str,
        incident_id: int | None = None,
        report_id: int | None = None,
        question_id: int | None = None,
        due: datetime,
        paced: bool = False,
    ) -> None:
        """There is something new to show from `due` on (an earlier due time stands). Creates the row at first.

        `paced`: a change in the background, which also waits until the `next_due` of the last edit. What a person did
        is not paced: it is shown when it is due, whatever came before.
        """
        ...

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> View | None:
        """One view that is due and wanted, replies only after their parent is posted; leased to the caller."""
        ...

    async def posting(self, view_id: int, now: datetime) -> None:
        """Commits the intent to post, before the call."""
        ...

    async def shown(
        self, view_id: int, *, version: int, ts: str, channel: str, now: datetime, next_due: datetime
    ) -> None:
        """Slack shows `version`. Releases the lease; a newer version waits for `next_due`, but for one that was wanted
        meanwhile, not paced, and is due already."""
        ...

    async def failed(self, view_id: int, error: str, retry_at: datetime) -> None:
        """Releases the lease; tried again at `retry_at`, or when a later `want` is due."""
        ...

    async def lost(self, view_id: int, now: datetime) -> None:
        """The message was deleted in Slack: it (and, for a parent, its replies) will be posted anew."""
        ...

    async def incident_of(self, channel: str, ts: str) -> int | None: ...

    async def version(self, kind: ViewKind, incident_id: int) -> int:
        """The newest version that is wanted: once it is shown, Slack shows what this transaction has written."""
        ...


class Reports(Protocol):
    async def claim(self, channel: str, slot: datetime, since: datetime, until: datetime, asked_by: str) -> int | None:
        """The report's id; None where another replica has this (channel, slot)."""
        ...

    async def load(self, report_id: int) -> cards.Report | None:
        """Counted from the rows of its period."""
        ...

    async def channels(self) -> Sequence[str]:
        """Channels that some watch tells its incidents in."""
        ...


class Leases(Protocol):
    """What one replica does at a time, by name."""

    async def take(self, name: str, owner: str, now: datetime, lease: timedelta) -> bool:
        """Takes or renews it; False where another owner has it and has renewed it in time."""
        ...

    async def give_back(self, name: str, owner: str) -> None:
        """Where it is one's own still: another replica need not wait for its end."""
        ...


class Cards(Protocol):
    """Read models."""

    async def incident(self, incident_id: int) -> cards.IncidentCard | None: ...

    async def answer(self, question_id: int) -> cards.AnswerCard | None: ...

    async def status(self, now: datetime, cluster: str = "") -> cards.Status: ...


class Alone(Protocol):
    """What is done without anybody's approval: announcements, and a breaker for each watch."""

    async def announce(self, new: autonomy.Announcement, workload: model.ResourceRef) -> bool:
        """Inserts it; False where the proposal has one already."""
        ...

    async def get(self, proposal_id: int) -> autonomy.Announcement | None: ...

    async def due(self, now: datetime) -> tuple[autonomy.Announcement, autonomy.Shown] | None:
        """One open announcement of an open proposal for which something is to be done, with its incident's message as
        Slack shows it. Locked; those that another replica holds are skipped."""
        ...

    async def save(self, changed: autonomy.Announcement) -> bool:
        """False where it was not open any more: it stays what it has become."""
        ...

    async def stopped(self, incident_id: int) -> bool:
        """Whether a person has ever stopped one of this incident."""
        ...

    async def under_way(self, watch_id: int) -> bool:
        """Whether one was started whose end is not counted yet."""
        ...

    async def done(self, cluster: str, workload: model.ResourceRef, since: datetime) -> tuple[int, int]:
        """How many were started since then: on this workload, and on the cluster."""
        ...

    async def settled(self) -> tuple[autonomy.Announcement, proposals.State, proposals.Check | None] | None:
        """One that was started, has ended and is not counted yet; with what its proposal and its verification have
        become. Locked as by `due`."""
        ...

    async def end(self, proposal_id: int, end: autonomy.End) -> None:
        """It is counted."""
        ...

    async def breaker(self, watch_id: int, *, lock: bool = False) -> autonomy.Breaker:
        """`lock`: nobody else counts or closes until the transaction ends."""
        ...

    async def set_breaker(self, changed: autonomy.Breaker) -> None:
        """Under its lock."""
        ...


class Advising(Protocol):
    """That a model is asked about diagnoses, and what came of it."""

    async def want(self, diagnosis_id: int, incident_id: int, key: str, now: datetime) -> None:
        """Once a diagnosis; of an incident's earlier ones that nobody has begun, none is wanted any more."""
        ...

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> consultations.Advice | None:
        """The oldest that is wanted, or whose lease ran out; it is running now, and leased to the caller. One whose
        question (cluster and key) is being asked right now waits for that answer."""
        ...

    async def renew(self, advice_id: int, owner: str, until: datetime) -> bool: ...

    async def finish(self, done: consultations.Advice, owner: str) -> bool:
        """State done or none, by whoever holds the lease; False where somebody else does."""
        ...

    async def of_diagnosis(self, diagnosis_id: int) -> consultations.Advice | None: ...

    async def spent(self, advice_id: int) -> consultations.CostLine | None:
        """What the requests for it took, from when it was wanted until it was finished; None where none was made."""
        ...

    async def same(self, cluster: str, key: str, since: datetime) -> consultations.Advice | None:
        """The newest one with the same key that a model itself gave since then."""
        ...


class Calls(Protocol):
    """The ledger of requests to a model."""

    async def reserve(self, new: consultations.NewCall, ceilings: consultations.Ceilings, now: datetime) -> int | str:
        """Sets the estimate aside and returns the call's id, or says which ceiling forbids it, or that the very same is
        being asked (by its key). Serialised: two replicas never break a ceiling together."""
        ...

    async def finish(
        self,
        call_id: int,
        usage: consultations.Usage,
        cost: int,
        now: datetime,
        *,
        stop: str,
        received: str,
        error: str,
    ) -> None:
        """What it really was. What was set aside is free again."""
        ...

    async def of_incident(self, incident_id: int, limit: int) -> Sequence[consultations.Call]:
        """Oldest first, the newest `limit`."""
        ...

    async def answered(self, watch_id: int, key: str, since: datetime) -> consultations.Call | None:
        """The newest request of this watch, for no incident, with this key, that a model answered to its end."""
        ...

    async def forget(self, before: datetime) -> int:
        """Drops what calls of before then sent and received; what they cost is kept. How many."""
        ...

    async def costs(self, since: datetime, until: datetime) -> consultations.Costs: ...

    async def spent(
        self, now: datetime, incident_id: int | None = None, watch_id: int | None = None
    ) -> consultations.Spent:
        """A day is one of UTC. A call that was never finished counts by its estimate."""
        ...


class Questions(Protocol):
    async def ask(self, new: consultations.Question) -> consultations.Question | None:
        """None where this message has asked already."""
        ...

    async def claim(self, owner: str, now: datetime, lease: timedelta) -> consultations.Question | None:
        """The oldest that is wanted, or whose lease ran out; leased to the caller. Those of one incident are answered
        one after the other, in the order in which they were asked."""
        ...

    async def renew(self, question_id: int, owner: str, until: datetime) -> bool:
        """False where somebody else has it by now."""
        ...

    async def finish(self, done: consultations.Question, owner: str) -> bool:
        """State answered or failed, by whoever holds the lease; False where somebody else does."""
        ...

    async def get(self, question_id: int) -> consultations.Question | None: ...

    async def of_incident(self, incident_id: int, limit: int) -> Sequence[consultations.Question]:
        """Those that are answered, oldest first, the newest `limit`."""
        ...


class Runbooks(Protocol):
    async def put(self, one: consultations.Runbook, now: datetime) -> bool:
        """By its source and name, in place of an earlier one; False where it was there just like this."""
        ...

    async def remove(self, source: str, name: str, cluster: str = "") -> bool: ...

    async def keep_only(self, source: str, cluster: str, names: Collection[str]) -> int:
        """Of a folder or a ConfigMap: the others are gone."""
        ...

    async def all(self) -> Sequence[consultations.Runbook]: ...

    async def matching(
        self, cluster: str, kinds: Collection[str], labels: Mapping[str, str], text: str, limit: int
    ) -> Sequence[consultations.Runbook]:
        """The best first: those for these kinds and labels, then by full-text search of `text`."""
        ...


class Tx(Protocol):
    """One transaction: state and its audit events commit together, or not at all."""

    watches: Watches
    sweeps: Sweeps
    findings: Findings
    baselines: Baselines
    incidents: Incidents
    diagnoses: Diagnoses
    proposals: Proposals
    executions: Executions
    verifications: Verifications
    trail: Trail
    views: Views
    reports: Reports
    leases: Leases
    cards: Cards
    alone: Alone
    advice: Advising
    calls: Calls
    questions: Questions
    runbooks: Runbooks


class Store(Protocol):
    def begin(self) -> AbstractAsyncContextManager[Tx]:
        """Commits on leaving, rolls back on an exception. `errors.StoreUnavailable` where the database is away."""
        ...


# --- clusters, evidence ---------------------------------------------------------------------------------------------


class Eyes(Protocol):
    """Read-only sight of every configured cluster. All may raise `errors.ClusterUnavailable`."""

    @property
    def clusters(self) -> Sequence[str]: ...

    async def look(self, cluster: str, scope: model.Scope) -> model.Snapshot: ...

    async def release(self, seen: model.Snapshot) -> None:
        """Lets go of a snapshot that is no longer needed, without stalling the loop; it is unusable afterwards."""
        ...

    async def target(self, cluster: str, action: model.Action) -> model.Target: ...

    async def around(self, cluster: str, subject: model.ResourceRef) -> model.Target:
        """The subject of an incident with its revisions, pods and autoscalers; in `extras` the Jobs of a CronJob, and
        the nodes where it matters on which a pod is. Its `object` is None where it is gone."""
        ...

    async def names(self, cluster: str, kind: str, namespace: str = "") -> Sequence[str]:
        """Names of all objects of a kind, for "did you mean"."""
        ...

    async def selected(self, cluster: str, scope: model.Scope) -> model.Scope:
        """The scope with the namespaces that match its labels now."""
        ...


class Ears(Protocol):
    """What containers log, for sweeps."""

    async def log(self, cluster: str, pod: model.ResourceRef, container: str, since: datetime) -> str | None:
        """What was logged from then on, the end of it where it is long; None where it cannot be read. Not redacted."""
        ...


class Deaf:
    """For commands and tests whose sweeps read no logs."""

    async def log(self, _cluster: str, _pod: model.ResourceRef, _container: str, _since: datetime) -> str | None:
        return None


class DryRun(Protocol):
    """What the API server says of a plan without doing it."""

    @property
    def accepted(self) -> bool: ...

    @property
    def message(self) -> str:
        """The server's words where it would refuse."""
        ...

    @property
    def diff(self) -> tuple[str, ...]: ...


class Hand(Protocol):
    """The executor of one cluster. `bot.main` hands it out, and hands out none at all in read-only mode."""

    async def lacking(self, plan: model.Plan, people: Collection[str] | None = None, enough: int = 0) -> str:
        """Which rights it has not got for this plan, as one sentence; empty where it has them all. Where it is written
        in people's names, `enough` of these `people` (None: anybody) must have them too."""
        ...

    async def lacking_of(self, user: str, operations: Sequence[model.Operation]) -> str:
        """Why these could not be written in the name of this approver, as a sentence to them; else empty."""
        ...

    async def dry_run(self, plan: model.Plan, people: Collection[str] | None = None) -> DryRun: ...

    async def execute(
        self,
        action: model.Action,
        permit: model.Permit,
        *,
        proposal: str,
        subject: model.ResourceRef,
        policy: guardrails.Policy,
        history: guardrails.History,
        mode: guardrails.Mode,
        planned_at: datetime,
        pins: Mapping[str, str],
        operations: Sequence[model.Operation],
        now: Clock,
        fence: Callable[[], Awaitable[bool]],
        cluster: str = "",
        members: guardrails.Members = guardrails.NO_MEMBERS,
        proposer: str = "",
        oversight: stepping.Oversight = stepping.ALONE,
    ) -> model.Outcome:
        """Re-reads, re-judges, dry-runs, asks `fence` once more, and writes: at most once."""
        ...

    async def look(self, action: model.Action, operations: Sequence[model.Operation]) -> bool | None:
        """Whether the change is there; None where the target is gone."""
        ...


class Directory(Protocol):
    """Who is in which user group and channel (`bot.slack.membership`)."""

    async def of(self, places: Sequence[str]) -> guardrails.Members:
        """The members of those that could be read lately. What could not is left out, and so is nobody's; `fault` says
        why. Answers within a second and a half, and never raises."""
        ...

    def fault(self, place: str) -> str:
        """Why this one could not be read, as half a sentence; empty where it could, or nobody has asked."""
        ...


class Nowhere:
    """A directory of nothing: for commands and tests without Slack."""

    async def of(self, _places: Sequence[str]) -> guardrails.Members:
        return guardrails.NO_MEMBERS

    def fault(self, _place: str) -> str:
        return ""


class Witness(Protocol):
    async def collect(self, cluster: str, problem: model.Problem) -> diagnoses.Dossier:
        """Never raises for a source that does not answer: it is named in `missing`."""
        ...


class Looking(Protocol):
    """What a model may look at for one incident: reads of one cluster, and of the record. Made anew for each.

    All of them answer with text for people: redacted, capped, never a Secret's value, of a ConfigMap the names of its
    keys alone. Who calls has checked the kinds and the namespaces that were asked for (`bot.llm.tools`); who implements
    it holds them to the watch's whole scope once more. All may raise `errors.NotPossible` with a sentence for the model
    (it is not there, it is out of scope, nobody has set an address), and `errors.ClusterUnavailable`.
    """

    @property
    def sources(self) -> Collection[str]:
        """Those of `prometheus` and `loki` that are set."""
        ...

    async def sight(self) -> picks.Sight | None:
        """The incident's subject read fresh, to tell what may be proposed; None where nothing in the catalogue is for
        it, or where it is gone."""
        ...

    async def get(self, ref: model.ResourceRef) -> str:
        """One object as YAML, without what tells nothing (managed fields, the last applied configuration)."""
        ...

    async def listed(self, kind: str, namespace: str, labels: str) -> str:
        """One line an object, as `kubectl get` has it. An empty namespace is for kinds of the whole cluster alone."""
        ...

    async def logs(self, pod: model.ResourceRef, container: str, *, previous: bool) -> str:
        """An empty container is the first one."""
        ...

    async def events(self, ref: model.ResourceRef) -> str:
        """Newest first."""
        ...

    async def rollouts(self, workload: model.ResourceRef) -> str:
        """Its revisions, newest first, with what changed in each."""
        ...

    async def top(self, namespace: str, workload: str) -> str:
        """What its pods use now, against their requests and limits. An empty workload: all pods of the namespace."""
        ...

    async def promql(self, query: str, minutes: int) -> str:
        """Short series up to now. The query is scoped already."""
        ...

    async def logql(self, query: str, minutes: int) -> str:
        """Lines up to now. The query is scoped already."""
        ...

    async def past(self, workload: model.ResourceRef) -> str:
        """Earlier incidents of it, and what helped."""
        ...

    async def runbook(self, words: str) -> str:
        """What the team's runbooks say of this."""
        ...


class Ledger(Protocol):
    """Where each request to a model is paid from. `reserve` and `finish` are of one transaction each."""

    async def reserve(self, new: consultations.NewCall) -> int | str:
        """The call's id; or which ceiling forbids it, as a sentence for the card: then it is not made."""
        ...

    async def finish(
        self, call_id: int, usage: consultations.Usage, cost: int, *, stop: str, received: str, error: str
    ) -> None:
        """What became of it. A call that is never finished counts by its estimate."""
        ...

    async def answered(self, watch_id: int, key: str) -> consultations.Call | None:
        """What a model was asked lately with this key for no incident, and answered."""
        ...


class Advisor(Protocol):
    """A model behind its own checks, budget and deadline. It may propose; it never acts."""

    @property
    def model(self) -> str:
        """Its name and the version of the prompt: part of what makes two questions the same. Empty: there is none."""
        ...

    async def advise(self, brief: consultations.Brief, /) -> consultations.Result:
        """What it makes of the rules' evidence. Never raises for an outage: the result says why there is no opinion.
        Its candidates pass the same checks as those of the rules."""
        ...

    async def answer(
        self, brief: consultations.Brief, question: consultations.Question, before: Sequence[consultations.Turn], /
    ) -> consultations.Answer | str:
        """A person's question, from that incident's evidence; or why it was not answered."""
        ...


class Bell(Protocol):
    def ring(self) -> None:
        """There is work or something to show: wake up now instead of at the next turn."""
        ...


class Meter(Protocol):
    """Counts what happens, for /metrics (`bot.telemetry`)."""

    def swept(self, cluster: str, status: str, seconds: float, findings: int | None, /) -> None:
        """`findings` is None where it could not look."""
        ...

    def executed(self, action: str, outcome: str, /) -> None: ...

    def followed(self, cluster: str, follows: bool, /) -> None:
        """Whether watch streams show this replica the cluster as it is at this moment."""
        ...

    def asked(self, model: str, answer: str, tokens: Mapping[str, int], dollars: float, /) -> None:
        """One request to a model: `answered`, `failed`, or `refused` by a ceiling of ours. Tokens by kind."""
        ...


class Unmetered:
    """A meter that nobody reads: for commands that serve no /metrics."""

    def swept(self, _cluster: str, _status: str, _seconds: float, _findings: int | None) -> None:
        return

    def executed(self, _action: str, _outcome: str) -> None:
        return

    def followed(self, _cluster: str, _follows: bool) -> None:
        return

    def asked(self, _model: str, _answer: str, _tokens: Mapping[str, int], _dollars: float) -> None:
        return


@dataclass(frozen=True, slots=True)
class Ports:
    """All that a stage may reach, wired once in `bot.main`."""

    store: Store
    eyes: Eyes
    hands: Callable[[str], Hand | None]
    """Cluster → its executor; None in read-only mode."""
    witness: Witness
    advisor: Advisor
    bell: Bell
    clock: Clock
    owner: str
    """Name of this replica, unique for each process."""
    rules: rules.Rules
    meter: Meter = field(default_factory=Unmetered)
    ears: Ears = field(default_factory=Deaf)
    directory: Directory = field(default_factory=Nowhere)
