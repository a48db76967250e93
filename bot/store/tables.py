"""All tables of the record, and nothing else. Read by the queries of this package and by `migrations/env.py`.

What must never be true is refused here, by the database itself, whichever replica or hand asks: a second live incident
of one subject, a second execution of one proposal, two open remedies of one incident, a state without what it says.
That the audit trail only grows is a trigger of the first migration. Times are aware; the session's zone is UTC.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, ClassVar, Literal

import sqlalchemy as sa
import sqlmodel
from sqlalchemy.dialects import postgresql

from bot.domain import autonomy, consultations, diagnoses, incidents, ports, proposals, watches
from bot.store import columns
from k8s import guardrails, history, model

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
OPEN_PROPOSAL = "state IN ('proposed', 'approved', 'executing', 'succeeded')"
"""A proposal that is asked for or under way."""


class Table(sqlmodel.SQLModel):
    """Base of all tables: their own metadata, so that nothing else's tables get in, and names for all constraints."""

    metadata: ClassVar[sa.MetaData] = sa.MetaData(naming_convention=_NAMES)
    model_config = {"arbitrary_types_allowed": True}


def _field(column: sa.Column[Any]) -> Any:
    return sqlmodel.Field(sa_column=column)


class Watch(Table, table=True):
    __table_args__ = (
        columns.one_of("mode", guardrails.Mode),
        columns.one_of("state", watches.State),
        sa.Index("uq_watch_name", "name", unique=True, postgresql_where=sa.text("state <> 'removed'")),
    )
    id: int = _field(columns.key())
    name: str = _field(columns.text())
    cluster: str = _field(columns.text())
    scope: model.Scope = _field(columns.coded(model.Scope))
    cron: str = _field(columns.text())
    timezone: str = _field(columns.text())
    channel: str = _field(columns.text())
    mode: str = _field(columns.text())
    state: str = _field(columns.text())
    created_by: str = _field(columns.text())
    created_at: datetime = _field(columns.moment())
    kinds: watches.Kinds = _field(columns.coded(watches.Kinds, default="{}"))


class Sweep(Table, table=True):
    __table_args__ = (
        columns.one_of("trigger", watches.Trigger),
        columns.one_of("status", watches.SweepStatus),
        sa.CheckConstraint("(status = 'running') = (finished_at IS NULL)", name="finished"),
        sa.UniqueConstraint("watch_id", "slot"),
        sa.Index(None, "watch_id", "started_at"),
        sa.Index("ix_sweep_running", "started_at", postgresql_where=sa.text("status = 'running'")),
    )
    id: int = _field(columns.key())
    watch_id: int = _field(columns.reference("watch.id"))
    slot: datetime | None = _field(columns.moment(nullable=True))
    trigger: str = _field(columns.text())
    status: str = _field(columns.text())
    owner: str = _field(columns.text())
    started_at: datetime = _field(columns.moment())
    finished_at: datetime | None = _field(columns.moment(nullable=True))
    pods: int = _field(columns.number(0))
    nodes: int = _field(columns.number(0))
    findings: int = _field(columns.number(0))
    muted: int = _field(columns.number(0))
    seconds: float = _field(sa.Column(sa.Double, nullable=False, server_default="0"))
    summary: str = _field(columns.text(""))
    degraded: Mapping[str, str] = _field(columns.coded(dict[str, str]))
    error: str = _field(columns.text(""))


class Finding(Table, table=True):
    """What sweeps see at present, one row for each subject, kind and cause. Its message is not kept: not redacted."""

    cluster: str = _field(sa.Column(columns.Text, primary_key=True))
    subject_key: str = _field(sa.Column(columns.Text, primary_key=True))
    kind: str = _field(sa.Column(columns.Text, primary_key=True))
    cause: str = _field(sa.Column(columns.Text, primary_key=True))
    subject: model.ResourceRef = _field(columns.coded(model.ResourceRef))
    resource: model.ResourceRef = _field(columns.coded(model.ResourceRef))
    severity: str = _field(columns.text())
    first_seen: datetime = _field(columns.moment())
    last_seen: datetime = _field(columns.moment())
    sweep_id: int = _field(columns.reference("sweep.id"))

    __table_args__ = (
        columns.one_of("severity", model.Severity),
        sa.CheckConstraint("first_seen <= last_seen", name="seen"),
        sa.Index(None, "cluster", "last_seen"),
    )


class Baseline(Table, table=True):
    """What sweeps learnt of a workload's container, one row for each family of it: the whole state, bounded."""

    cluster: str = _field(sa.Column(columns.Text, primary_key=True))
    subject_key: str = _field(sa.Column(columns.Text, primary_key=True))
    container: str = _field(sa.Column(columns.Text, primary_key=True))
    family: str = _field(sa.Column(columns.Text, primary_key=True))
    namespace: str = _field(columns.text())
    subject: model.ResourceRef = _field(columns.coded(model.ResourceRef))
    state: history.State = _field(columns.coded(history.State))
    changed_at: datetime = _field(columns.moment())

    __table_args__ = (
        columns.one_of("family", history.Family),
        sa.Index(None, "cluster", "changed_at"),
    )


class Incident(Table, table=True):
    __table_args__ = (
        columns.one_of("severity", model.Severity),
        columns.one_of("state", incidents.State),
        sa.CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolved"),
        sa.CheckConstraint("state <> 'acknowledged' OR acknowledged_at IS NOT NULL", name="acknowledged"),
        sa.CheckConstraint("episode >= 1 AND clear_sweeps >= 0", name="counts"),
        sa.Index(
            "uq_incident_live_subject",
            "cluster",
            "subject_key",
            unique=True,
            postgresql_where=sa.text("state <> 'resolved'"),
        ),
        sa.Index(None, "cluster", "fingerprint", "opened_at"),
        sa.Index(None, "cluster", "subject_key", "resolved_at"),
        sa.Index(None, "channel", "opened_at"),
        sa.Index(None, "resolved_at"),
        sa.Index(
            "ix_incident_wanting",
            "opened_at",
            postgresql_where=sa.text("diagnosis_wanted AND state <> 'resolved'"),
        ),
    )
    id: int = _field(columns.key())
    fingerprint: str = _field(columns.text())
    episode: int = _field(columns.number())
    cluster: str = _field(columns.text())
    subject: model.ResourceRef = _field(columns.coded(model.ResourceRef))
    subject_key: str = _field(columns.text())
    """Its uid; kind, namespace and name where the uid is not known."""
    kinds: tuple[str, ...] = _field(columns.coded(tuple[str, ...]))
    causes: tuple[str, ...] = _field(columns.coded(tuple[str, ...]))
    severity: str = _field(columns.text())
    state: str = _field(columns.text())
    headline: str = _field(columns.text())
    watch_id: int = _field(columns.reference("watch.id"))
    channel: str = _field(columns.text())
    since: datetime = _field(columns.moment())
    opened_at: datetime = _field(columns.moment())
    last_seen_at: datetime = _field(columns.moment())
    ready: int | None = _field(columns.number(nullable=True))
    desired: int | None = _field(columns.number(nullable=True))
    clear_sweeps: int = _field(columns.number(0))
    clear_since: datetime | None = _field(columns.moment(nullable=True))
    acknowledged_at: datetime | None = _field(columns.moment(nullable=True))
    acknowledged_by: str = _field(columns.text(""))
    resolved_at: datetime | None = _field(columns.moment(nullable=True))
    resolution: str = _field(columns.text(""))
    previous_id: int | None = _field(columns.reference("incident.id", nullable=True))
    flapping: bool = _field(columns.flag())
    diagnosis_wanted: bool = _field(columns.flag())
    asked_by: str = _field(columns.text(""))
    diagnosis_owner: str = _field(columns.text(""))
    diagnosis_lease_until: datetime | None = _field(columns.moment(nullable=True))


class Diagnosis(Table, table=True):
    __table_args__ = (
        columns.one_of("confidence", diagnoses.Confidence),
        columns.one_of("by", Literal["rules", "model"]),
        sa.Index(None, "incident_id", "id"),
    )
    id: int = _field(columns.key())
    incident_id: int = _field(columns.reference("incident.id"))
    cause: str = _field(columns.text())
    cites: tuple[int, ...] = _field(columns.coded(tuple[int, ...]))
    confidence: str = _field(columns.text())
    reason: str = _field(columns.text())
    next_step: str = _field(columns.text())
    by: str = _field(columns.text())
    candidates: tuple[diagnoses.Candidate, ...] = _field(columns.coded(tuple[diagnoses.Candidate, ...]))
    missing: tuple[str, ...] = _field(columns.coded(tuple[str, ...]))
    refused: tuple[str, ...] = _field(columns.coded(tuple[str, ...]))
    made_at: datetime = _field(columns.moment())
    kind: str = _field(columns.text("unknown"))


class Evidence(Table, table=True):
    __table_args__ = (sa.CheckConstraint("number >= 1", name="number"),)
    diagnosis_id: int = _field(columns.reference("diagnosis.id", primary_key=True))
    number: int = _field(sa.Column(sa.Integer, primary_key=True, autoincrement=False))
    source: str = _field(columns.text())
    title: str = _field(columns.text())
    body: str = _field(columns.text())
    cut: bool = _field(columns.flag())


class Advice(Table, table=True):
    """That a model is asked about a diagnosis, and its opinion."""

    __table_args__ = (
        columns.one_of("state", consultations.State),
        sa.UniqueConstraint("diagnosis_id"),
        sa.CheckConstraint("(state IN ('done', 'none')) = (finished_at IS NOT NULL)", name="finished"),
        sa.CheckConstraint("(state = 'done') = (opinion IS NOT NULL)", name="opinion"),
        sa.Index(None, "incident_id", "id"),
        sa.Index("ix_advice_open", "wanted_at", postgresql_where=sa.text("state IN ('wanted', 'running')")),
        sa.Index("ix_advice_key", "cluster", "key", postgresql_where=sa.text("state = 'done'")),
    )
    id: int = _field(columns.key())
    diagnosis_id: int = _field(columns.reference("diagnosis.id"))
    incident_id: int = _field(columns.reference("incident.id"))
    cluster: str = _field(columns.text())
    state: str = _field(columns.text())
    key: str = _field(columns.text())
    wanted_at: datetime = _field(columns.moment())
    owner: str = _field(columns.text(""))
    lease_until: datetime | None = _field(columns.moment(nullable=True))
    finished_at: datetime | None = _field(columns.moment(nullable=True))
    opinion: diagnoses.Opinion | None = _field(columns.coded(diagnoses.Opinion, nullable=True))
    why: str = _field(columns.text(""))
    reused_of: int | None = _field(columns.reference("advice.id", nullable=True))
    attempts: int = _field(columns.number(0))


class Question(Table, table=True):
    """What somebody asked in a thread; each message once."""

    __table_args__ = (
        columns.one_of("state", consultations.QuestionState),
        sa.UniqueConstraint("channel", "ts"),
        sa.CheckConstraint("(state IN ('answered', 'failed')) = (answered_at IS NOT NULL)", name="answered"),
        sa.Index(None, "incident_id", "id"),
        sa.Index("ix_question_open", "asked_at", postgresql_where=sa.text("state IN ('wanted', 'running')")),
    )
    id: int = _field(columns.key())
    incident_id: int = _field(columns.reference("incident.id"))
    channel: str = _field(columns.text())
    thread_ts: str = _field(columns.text())
    ts: str = _field(columns.text())
    user_id: str = _field(columns.text())
    text: str = _field(columns.text())
    state: str = _field(columns.text())
    asked_at: datetime = _field(columns.moment())
    owner: str = _field(columns.text(""))
    lease_until: datetime | None = _field(columns.moment(nullable=True))
    answered_at: datetime | None = _field(columns.moment(nullable=True))
    answer: consultations.Answer | None = _field(columns.coded(consultations.Answer, nullable=True))


class ModelCall(Table, table=True):
    """One request to a model: the ledger, and what exactly was sent. Money in micro-dollars."""

    __tablename__ = "model_call"
    __table_args__ = (
        columns.one_of("purpose", consultations.Purpose),
        sa.CheckConstraint("cost >= 0 AND estimate >= 0", name="money"),
        sa.Index(None, "started_at"),
        sa.Index(None, "incident_id", "id"),
        sa.Index(None, "watch_id", "started_at"),
        sa.Index("ix_model_call_kept", "started_at", postgresql_where=sa.text("sent <> '' OR received <> ''")),
    )
    id: int = _field(columns.key())
    purpose: str = _field(columns.text())
    cluster: str = _field(columns.text())
    watch_id: int | None = _field(columns.reference("watch.id", nullable=True))
    incident_id: int | None = _field(columns.reference("incident.id", nullable=True))
    question_id: int | None = _field(columns.reference("question.id", nullable=True))
    model: str = _field(columns.text())
    prompt: str = _field(columns.text())
    """Its version; where it belongs to no incident, a slash and the key of the evidence behind it."""
    estimate: int = _field(columns.number())
    """What counts until it is finished; then `cost` does."""
    started_at: datetime = _field(columns.moment())
    finished_at: datetime | None = _field(columns.moment(nullable=True))
    stop: str = _field(columns.text(""))
    error: str = _field(columns.text(""))
    input_tokens: int = _field(columns.number(0))
    output_tokens: int = _field(columns.number(0))
    written_tokens: int = _field(columns.number(0))
    read_tokens: int = _field(columns.number(0))
    cost: int = _field(columns.number(0))
    sent: str = _field(columns.text())
    received: str = _field(columns.text(""))


class Runbook(Table, table=True):
    """Markdown of the team's own. `words` is made by the database: name and title weigh more than the body."""

    __table_args__ = (
        columns.one_of("source", Literal["folder", "configmap", "slack"]),
        sa.UniqueConstraint("cluster", "source", "name"),
        sa.Index("ix_runbook_words", "words", postgresql_using="gin"),
    )
    id: int = _field(columns.key())
    name: str = _field(columns.text())
    title: str = _field(columns.text())
    body: str = _field(columns.text())
    source: str = _field(columns.text())
    kinds: tuple[str, ...] = _field(columns.coded(tuple[str, ...], default="[]"))
    labels: Mapping[str, str] = _field(columns.coded(dict[str, str], default="{}"))
    cluster: str = _field(columns.text(""))
    added_by: str = _field(columns.text(""))
    added_at: datetime = _field(columns.moment())
    words: Any = _field(
        sa.Column(
            postgresql.TSVECTOR,
            sa.Computed(
                "setweight(to_tsvector('simple', name || ' ' || title), 'A')"
                " || setweight(to_tsvector('simple', body), 'B')",
                persisted=True,
            ),
        )
    )


class Proposal(Table, table=True):
    __table_args__ = (
        columns.one_of("kind", Literal["remedy", "undo"]),
        columns.one_of("risk", model.RiskTier),
        columns.one_of("state", proposals.State),
        sa.CheckConstraint("(kind = 'undo') = (undo_of IS NOT NULL)", name="undo"),
        sa.CheckConstraint("approvals >= 1", name="approvals"),
        sa.Index(
            "uq_proposal_open_remedy",
            "incident_id",
            unique=True,
            postgresql_where=sa.text(f"kind = 'remedy' AND {OPEN_PROPOSAL}"),
        ),
        sa.Index("uq_proposal_open_undo", "undo_of", unique=True, postgresql_where=sa.text(OPEN_PROPOSAL)),
        sa.Index(None, "incident_id", "id"),
        sa.Index("ix_proposal_expiring", "expires_at", postgresql_where=sa.text("state = 'proposed'")),
    )
    id: int = _field(columns.key())
    incident_id: int = _field(columns.reference("incident.id"))
    kind: str = _field(columns.text())
    undo_of: int | None = _field(columns.reference("proposal.id", nullable=True))
    action: model.Action = _field(columns.coded(model.Action))
    planned_at: datetime = _field(columns.moment())
    operations: tuple[model.Operation, ...] = _field(columns.coded(tuple[model.Operation, ...]))
    pins: Mapping[str, str] = _field(columns.coded(dict[str, str]))
    digest: str = _field(columns.text())
    policy: str = _field(columns.text())
    kubectl: str = _field(columns.text())
    summary: str = _field(columns.text())
    why: str = _field(columns.text())
    risk: str = _field(columns.text())
    blast: model.BlastRadius = _field(columns.coded(model.BlastRadius))
    inverse: model.Action | None = _field(columns.coded(model.Action, nullable=True))
    irreversible: str = _field(columns.text())
    diff: tuple[str, ...] = _field(columns.coded(tuple[str, ...]))
    warnings: tuple[str, ...] = _field(columns.coded(tuple[str, ...]))
    state: str = _field(columns.text())
    created_at: datetime = _field(columns.moment())
    expires_at: datetime = _field(columns.moment())
    moved_at: datetime = _field(columns.moment())
    """When it came into its present state."""
    proposer: str = _field(columns.text(""))
    rule: str = _field(columns.text(""))
    tier_reasons: tuple[str, ...] = _field(columns.coded(tuple[str, ...], default="[]"))
    approvals: int = _field(columns.number(1))
    reason_required: bool = _field(columns.flag())


class Decision(Table, table=True):
    __table_args__ = (
        columns.one_of("verdict", Literal["approve", "reject"]),
        # Once each: who approved first and then thinks better of it may still reject.
        sa.UniqueConstraint("proposal_id", "user_id", "verdict"),
    )
    id: int = _field(columns.key())
    proposal_id: int = _field(columns.reference("proposal.id"))
    user_id: str = _field(columns.text())
    verdict: str = _field(columns.text())
    reason: str = _field(columns.text())
    decided_at: datetime = _field(columns.moment())


class Execution(Table, table=True):
    __table_args__ = (
        columns.one_of("state", Literal["queued", "executing", "done"]),
        sa.UniqueConstraint("proposal_id"),
        sa.CheckConstraint("(state = 'queued') = (started_at IS NULL)", name="started"),
        sa.CheckConstraint("(state = 'done') = (outcome IS NOT NULL AND finished_at IS NOT NULL)", name="done"),
        sa.CheckConstraint("state <> 'executing' OR (owner <> '' AND lease_until IS NOT NULL)", name="leased"),
        sa.Index("ix_execution_open", "state", "lease_until", postgresql_where=sa.text("state <> 'done'")),
        sa.Index(None, "finished_at"),
    )
    id: int = _field(columns.key())
    proposal_id: int = _field(columns.reference("proposal.id"))
    state: str = _field(columns.text())
    permit: model.Permit = _field(columns.coded(model.Permit))
    owner: str = _field(columns.text(""))
    lease_until: datetime | None = _field(columns.moment(nullable=True))
    orphaned: bool = _field(columns.flag())
    """Its lease ran out once and somebody looked into it: nothing may be written for it any more."""
    queued_at: datetime = _field(columns.moment())
    started_at: datetime | None = _field(columns.moment(nullable=True))
    finished_at: datetime | None = _field(columns.moment(nullable=True))
    outcome: model.Outcome | None = _field(columns.coded(model.Outcome, nullable=True))
    progress: model.Progress | None = _field(columns.coded(model.Progress, nullable=True))
    stop_by: str = _field(columns.text(""))


class Verification(Table, table=True):
    __table_args__ = (
        columns.one_of("status", proposals.Check),
        columns.one_of("severity_before", Literal["", "P1", "P2", "P3"]),
        sa.CheckConstraint("(status = 'pending') = (finished_at IS NULL)", name="finished"),
        sa.Index("ix_verification_pending", "lease_until", postgresql_where=sa.text("status = 'pending'")),
        sa.Index(None, "finished_at"),
    )
    proposal_id: int = _field(columns.reference("proposal.id", primary_key=True))
    status: str = _field(columns.text())
    started_at: datetime = _field(columns.moment())
    progress: str = _field(columns.text(""))
    reason: str = _field(columns.text(""))
    finished_at: datetime | None = _field(columns.moment(nullable=True))
    owner: str = _field(columns.text(""))
    lease_until: datetime | None = _field(columns.moment(nullable=True))
    looked_at: datetime | None = _field(columns.moment(nullable=True))
    ready_before: int | None = _field(columns.number(nullable=True))
    severity_before: str = _field(columns.text(""))
    """Of the incident, right before the write; empty where it is not known."""
    no_undo: str = _field(columns.text(""))
    came_back_at: datetime | None = _field(columns.moment(nullable=True))


class Announcement(Table, table=True):
    """That a proposal will be done by itself, and what became of that."""

    __table_args__ = (
        columns.one_of("state", autonomy.State),
        columns.one_of("ended", autonomy.End),
        sa.CheckConstraint("state NOT IN ('counting', 'starting') OR (at IS NOT NULL AND ts <> '')", name="timed"),
        sa.CheckConstraint("(state IN ('started', 'stopped', 'dropped')) = (moved_at IS NOT NULL)", name="moved"),
        sa.Index(
            "ix_announcement_open",
            "proposal_id",
            postgresql_where=sa.text("state IN ('waiting', 'counting', 'starting')"),
        ),
        sa.Index(None, "cluster", "moved_at"),
        sa.Index(None, "incident_id"),
    )
    proposal_id: int = _field(columns.reference("proposal.id", primary_key=True))
    incident_id: int = _field(columns.reference("incident.id"))
    watch_id: int = _field(columns.reference("watch.id"))
    cluster: str = _field(columns.text())
    subject_key: str = _field(columns.text())
    """Of the workload that is acted on: for how often that may be."""
    state: str = _field(columns.text())
    rule: str = _field(columns.text())
    delay_seconds: int = _field(columns.number())
    version: int = _field(columns.number())
    announced_at: datetime = _field(columns.moment())
    at: datetime | None = _field(columns.moment(nullable=True))
    ts: str = _field(columns.text(""))
    moved_at: datetime | None = _field(columns.moment(nullable=True))
    by: str = _field(columns.text(""))
    why: str = _field(columns.text(""))
    ended: str = _field(columns.text(""))
    """How what was done ended, once it was counted for the breaker."""


class Breaker(Table, table=True):
    """One for a watch, made when it is first counted for. Its row is locked by who counts or closes."""

    __table_args__ = (sa.CheckConstraint("opened_at IS NULL OR incident_id IS NOT NULL", name="opened"),)
    watch_id: int = _field(columns.reference("watch.id", primary_key=True))
    bad: int = _field(columns.number(0))
    opened_at: datetime | None = _field(columns.moment(nullable=True))
    why: str = _field(columns.text(""))
    incident_id: int | None = _field(columns.reference("incident.id", nullable=True))
    closed_at: datetime | None = _field(columns.moment(nullable=True))
    closed_by: str = _field(columns.text(""))


class Report(Table, table=True):
    __table_args__ = (
        sa.UniqueConstraint("channel", "slot"),
        sa.CheckConstraint("since < until", name="period"),
    )
    id: int = _field(columns.key())
    channel: str = _field(columns.text())
    slot: datetime = _field(columns.moment())
    since: datetime = _field(columns.moment())
    until: datetime = _field(columns.moment())
    asked_by: str = _field(columns.text())


class MessageView(Table, table=True):
    """One Slack message. When it is due: at `due`, or at `paced_due` but then not before `paced_until`."""

    __tablename__ = "message_view"
    __table_args__ = (
        columns.one_of("kind", ports.ViewKind),
        sa.CheckConstraint(
            "(kind = 'report') = (report_id IS NOT NULL) AND (kind = 'answer') = (question_id IS NOT NULL)"
            " AND (kind IN ('report', 'answer')) = (incident_id IS NULL)",
            name="about",
        ),
        sa.CheckConstraint("shown >= 0 AND wanted >= shown", name="versions"),
        sa.UniqueConstraint("kind", "incident_id"),
        sa.UniqueConstraint("kind", "report_id"),
        sa.UniqueConstraint("kind", "question_id"),
        sa.UniqueConstraint("key"),
        sa.Index(None, "incident_id"),
        sa.Index(None, "channel", "ts"),
        sa.Index("ix_message_view_wanted", "due", postgresql_where=sa.text("wanted > shown")),
    )
    id: int = _field(columns.key())
    kind: str = _field(columns.text())
    incident_id: int | None = _field(columns.reference("incident.id", nullable=True))
    report_id: int | None = _field(columns.reference("report.id", nullable=True))
    question_id: int | None = _field(columns.reference("question.id", nullable=True))
    channel: str = _field(columns.text())
    ts: str = _field(columns.text(""))
    wanted: int = _field(columns.number(1))
    shown: int = _field(columns.number(0))
    key: str = _field(sa.Column(columns.Text, nullable=False, server_default=sa.text("(gen_random_uuid())::text")))
    due: datetime | None = _field(columns.moment(nullable=True))
    paced_due: datetime | None = _field(columns.moment(nullable=True))
    paced_until: datetime | None = _field(columns.moment(nullable=True))
    posting_since: datetime | None = _field(columns.moment(nullable=True))
    attempts: int = _field(columns.number(0))
    error: str = _field(columns.text(""))
    owner: str = _field(columns.text(""))
    lease_until: datetime | None = _field(columns.moment(nullable=True))


class Lease(Table, table=True):
    """What one replica does at a time, whoever has it: the watch streams of a cluster, for one."""

    name: str = _field(sa.Column(columns.Text, primary_key=True))
    owner: str = _field(columns.text())
    lease_until: datetime = _field(columns.moment())


class Audit(Table, table=True):
    """Append-only: a trigger refuses every change of a row, and the chain of hashes tells of one made regardless.

    Partitioned by month, so that the key must name the month and does not keep (chain, seq) unique from month to month:
    the lock of the chain's head does, and `trail.verify` counts.
    """

    __table_args__ = (
        sa.Index(None, "incident_id", postgresql_where=sa.text("incident_id IS NOT NULL")),
        sa.Index(None, "actor", "at"),
        sa.Index(None, "at"),
        {"postgresql_partition_by": "RANGE (month)"},
    )
    chain: str = _field(sa.Column(columns.Text, primary_key=True))
    seq: int = _field(sa.Column(sa.BigInteger, primary_key=True, autoincrement=False))
    tag: str = _field(columns.text())
    actor: str = _field(columns.text())
    at: datetime = _field(columns.moment())
    incident_id: int | None = _field(columns.number(nullable=True))
    proposal_id: int | None = _field(columns.number(nullable=True))
    data: Mapping[str, Any] = _field(sa.Column(columns.Verbatim, nullable=False))
    previous: str = _field(columns.text())
    hash: str = _field(columns.text())
    month: date = _field(columns.month(primary_key=True))
    """When the server recorded it: not before the entry before it. Says where it lies, and is no part of the hash."""


class AuditHead(Table, table=True):
    """The end of each chain; its row is locked by who appends. It goes forward only: a trigger refuses the rest."""

    __tablename__ = "audit_head"
    chain: str = _field(sa.Column(columns.Text, primary_key=True))
    seq: int = _field(columns.number())
    hash: str = _field(columns.text())
    month: date = _field(columns.month())
    """Of its last entry."""


class AuditAnchor(Table, table=True):
    """What a chain goes on from where its oldest months were pruned. Append-only."""

    __tablename__ = "audit_anchor"
    chain: str = _field(sa.Column(columns.Text, primary_key=True))
    seq: int = _field(sa.Column(sa.BigInteger, primary_key=True, autoincrement=False))
    """The last entry that was dropped, and its hash."""
    hash: str = _field(columns.text())
    entries: int = _field(columns.number())
    """How many were dropped with it."""
    before: date = _field(sa.Column(sa.Date, nullable=False))
    pruned_at: datetime = _field(columns.moment())
    pruned_by: str = _field(columns.text())
