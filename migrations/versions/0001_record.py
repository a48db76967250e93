"""The record: all tables, and the trigger that keeps the audit trail append-only.

Revision: 0001
Before: nothing
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = (
    "audit", "audit_head", "report", "watch", "incident", "sweep", "diagnosis", "finding", "message_view", "proposal",
    "decision", "evidence", "execution", "verification",
)  # fmt: skip

REFUSE = """
CREATE FUNCTION watchkeeper_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$
"""
TRIGGER = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION watchkeeper_audit_refuse()
"""


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=True),
        sa.Column("proposal_id", sa.BigInteger(), nullable=True),
        sa.Column("data", postgresql.JSON(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_actor_at"), "audit", ["actor", "at"], unique=False)
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(
        op.f("ix_audit_incident_id"),
        "audit",
        ["incident_id"],
        unique=False,
        postgresql_where=sa.text("incident_id IS NOT NULL"),
    )
    op.create_table(
        "audit_head",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.CheckConstraint("since < until", name=op.f("ck_report_period")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("channel", "slot", name=op.f("uq_report_channel_slot")),
    )
    op.create_table(
        "watch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("scope", postgresql.JSONB(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('observe', 'approve', 'autonomous')", name=op.f("ck_watch_mode")),
        sa.CheckConstraint("state IN ('active', 'paused', 'removed')", name=op.f("ck_watch_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch")),
    )
    op.create_index("uq_watch_name", "watch", ["name"], unique=True, postgresql_where=sa.text("state <> 'removed'"))
    op.create_table(
        "incident",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("episode", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("subject", postgresql.JSONB(), nullable=False),
        sa.Column("subject_key", sa.Text(), nullable=False),
        sa.Column("kinds", postgresql.JSONB(), nullable=False),
        sa.Column("causes", postgresql.JSONB(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("watch_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready", sa.BigInteger(), nullable=True),
        sa.Column("desired", sa.BigInteger(), nullable=True),
        sa.Column("clear_sweeps", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("clear_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), server_default="", nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), server_default="", nullable=False),
        sa.Column("previous_id", sa.BigInteger(), nullable=True),
        sa.Column("flapping", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("diagnosis_wanted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("diagnosis_owner", sa.Text(), server_default="", nullable=False),
        sa.Column("diagnosis_lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name=op.f("ck_incident_resolved")),
        sa.CheckConstraint("severity IN ('P1', 'P2', 'P3')", name=op.f("ck_incident_severity")),
        sa.CheckConstraint(
            "state <> 'acknowledged' OR acknowledged_at IS NOT NULL", name=op.f("ck_incident_acknowledged")
        ),
        sa.CheckConstraint("state IN ('open', 'acknowledged', 'snoozed', 'resolved')", name=op.f("ck_incident_state")),
        sa.CheckConstraint("episode >= 1 AND clear_sweeps >= 0", name=op.f("ck_incident_counts")),
        sa.ForeignKeyConstraint(["previous_id"], ["incident.id"], name=op.f("fk_incident_previous_id")),
        sa.ForeignKeyConstraint(["watch_id"], ["watch.id"], name=op.f("fk_incident_watch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    op.create_index(op.f("ix_incident_channel_opened_at"), "incident", ["channel", "opened_at"], unique=False)
    op.create_index(
        op.f("ix_incident_cluster_fingerprint_opened_at"),
        "incident",
        ["cluster", "fingerprint", "opened_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_incident_cluster_subject_key_resolved_at"),
        "incident",
        ["cluster", "subject_key", "resolved_at"],
        unique=False,
    )
    op.create_index(op.f("ix_incident_resolved_at"), "incident", ["resolved_at"], unique=False)
    op.create_index(
        "ix_incident_wanting",
        "incident",
        ["opened_at"],
        unique=False,
        postgresql_where=sa.text("diagnosis_wanted AND state <> 'resolved'"),
    )
    op.create_index(
        "uq_incident_live_subject",
        "incident",
        ["cluster", "subject_key"],
        unique=True,
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.create_table(
        "sweep",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("watch_id", sa.BigInteger(), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pods", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("nodes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("findings", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("muted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("degraded", postgresql.JSONB(), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("(status = 'running') = (finished_at IS NULL)", name=op.f("ck_sweep_finished")),
        sa.CheckConstraint("status IN ('running', 'ok', 'issues', 'partial', 'failed')", name=op.f("ck_sweep_status")),
        sa.CheckConstraint("trigger IN ('schedule', 'command', 'start')", name=op.f("ck_sweep_trigger")),
        sa.ForeignKeyConstraint(["watch_id"], ["watch.id"], name=op.f("fk_sweep_watch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweep")),
        sa.UniqueConstraint("watch_id", "slot", name=op.f("uq_sweep_watch_id_slot")),
    )
    op.create_index(
        "ix_sweep_running", "sweep", ["started_at"], unique=False, postgresql_where=sa.text("status = 'running'")
    )
    op.create_index(op.f("ix_sweep_watch_id_started_at"), "sweep", ["watch_id", "started_at"], unique=False)
    op.create_table(
        "diagnosis",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("cites", postgresql.JSONB(), nullable=False),
        sa.Column("confidence", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("next_step", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("candidates", postgresql.JSONB(), nullable=False),
        sa.Column("missing", postgresql.JSONB(), nullable=False),
        sa.Column("refused", postgresql.JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("by IN ('rules', 'model')", name=op.f("ck_diagnosis_by")),
        sa.CheckConstraint("confidence IN ('high', 'medium', 'low')", name=op.f("ck_diagnosis_confidence")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_diagnosis_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_diagnosis")),
    )
    op.create_index(op.f("ix_diagnosis_incident_id_id"), "diagnosis", ["incident_id", "id"], unique=False)
    op.create_table(
        "finding",
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject", postgresql.JSONB(), nullable=False),
        sa.Column("resource", postgresql.JSONB(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sweep_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("severity IN ('P1', 'P2', 'P3')", name=op.f("ck_finding_severity")),
        sa.CheckConstraint("first_seen <= last_seen", name=op.f("ck_finding_seen")),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_finding_sweep_id")),
        sa.PrimaryKeyConstraint("cluster", "subject_key", "kind", "cause", name=op.f("pk_finding")),
    )
    op.create_index(op.f("ix_finding_cluster_last_seen"), "finding", ["cluster", "last_seen"], unique=False)
    op.create_table(
        "message_view",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=True),
        sa.Column("report_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text(), server_default="", nullable=False),
        sa.Column("wanted", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("shown", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("key", sa.Text(), server_default=sa.text("(gen_random_uuid())::text"), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paced_due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paced_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posting_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(kind = 'report') = (report_id IS NOT NULL) AND (kind = 'report') = (incident_id IS NULL)",
            name=op.f("ck_message_view_about"),
        ),
        sa.CheckConstraint(
            "kind IN ('parent', 'evidence', 'progress', 'recovery', 'report')", name=op.f("ck_message_view_kind")
        ),
        sa.CheckConstraint("shown >= 0 AND wanted >= shown", name=op.f("ck_message_view_versions")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_message_view_incident_id")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_message_view_report_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_view")),
        sa.UniqueConstraint("key", name=op.f("uq_message_view_key")),
        sa.UniqueConstraint("kind", "incident_id", name=op.f("uq_message_view_kind_incident_id")),
        sa.UniqueConstraint("kind", "report_id", name=op.f("uq_message_view_kind_report_id")),
    )
    op.create_index(op.f("ix_message_view_channel_ts"), "message_view", ["channel", "ts"], unique=False)
    op.create_index(op.f("ix_message_view_incident_id"), "message_view", ["incident_id"], unique=False)
    op.create_index(
        "ix_message_view_wanted", "message_view", ["due"], unique=False, postgresql_where=sa.text("wanted > shown")
    )
    op.create_table(
        "proposal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("undo_of", sa.BigInteger(), nullable=True),
        sa.Column("action", postgresql.JSONB(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operations", postgresql.JSONB(), nullable=False),
        sa.Column("pins", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("kubectl", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("risk", sa.Text(), nullable=False),
        sa.Column("blast", postgresql.JSONB(), nullable=False),
        sa.Column("inverse", postgresql.JSONB(), nullable=True),
        sa.Column("irreversible", sa.Text(), nullable=False),
        sa.Column("diff", postgresql.JSONB(), nullable=False),
        sa.Column("warnings", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(kind = 'undo') = (undo_of IS NOT NULL)", name=op.f("ck_proposal_undo")),
        sa.CheckConstraint("kind IN ('remedy', 'undo')", name=op.f("ck_proposal_kind")),
        sa.CheckConstraint("risk IN ('low', 'medium', 'high')", name=op.f("ck_proposal_risk")),
        sa.CheckConstraint(
            "state IN ('proposed', 'approved', 'executing', 'succeeded', 'verified', 'not-verified', 'undone', "
            "'rejected', 'expired', 'superseded', 'stale', 'already-fixed', 'refused', 'failed', 'unknown')",
            name=op.f("ck_proposal_state"),
        ),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_proposal_incident_id")),
        sa.ForeignKeyConstraint(["undo_of"], ["proposal.id"], name=op.f("fk_proposal_undo_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_index(
        "ix_proposal_expiring", "proposal", ["expires_at"], unique=False, postgresql_where=sa.text("state = 'proposed'")
    )
    op.create_index(op.f("ix_proposal_incident_id_id"), "proposal", ["incident_id", "id"], unique=False)
    op.create_index(
        "uq_proposal_open_remedy",
        "proposal",
        ["incident_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'remedy' AND state IN ('proposed', 'approved', 'executing', 'succeeded')"),
    )
    op.create_index(
        "uq_proposal_open_undo",
        "proposal",
        ["undo_of"],
        unique=True,
        postgresql_where=sa.text("state IN ('proposed', 'approved', 'executing', 'succeeded')"),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("proposal_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('approve', 'reject')", name=op.f("ck_decision_verdict")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_decision_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("proposal_id", "user_id", name=op.f("uq_decision_proposal_id_user_id")),
    )
    op.create_table(
        "evidence",
        sa.Column("diagnosis_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("cut", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_evidence_number")),
        sa.ForeignKeyConstraint(["diagnosis_id"], ["diagnosis.id"], name=op.f("fk_evidence_diagnosis_id")),
        sa.PrimaryKeyConstraint("diagnosis_id", "number", name=op.f("pk_evidence")),
    )
    op.create_table(
        "execution",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("proposal_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("permit", postgresql.JSONB(), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("orphaned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "(state = 'done') = (outcome IS NOT NULL AND finished_at IS NOT NULL)", name=op.f("ck_execution_done")
        ),
        sa.CheckConstraint("(state = 'queued') = (started_at IS NULL)", name=op.f("ck_execution_started")),
        sa.CheckConstraint(
            "state <> 'executing' OR (owner <> '' AND lease_until IS NOT NULL)", name=op.f("ck_execution_leased")
        ),
        sa.CheckConstraint("state IN ('queued', 'executing', 'done')", name=op.f("ck_execution_state")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_execution_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_execution")),
        sa.UniqueConstraint("proposal_id", name=op.f("uq_execution_proposal_id")),
    )
    op.create_index(op.f("ix_execution_finished_at"), "execution", ["finished_at"], unique=False)
    op.create_index(
        "ix_execution_open",
        "execution",
        ["state", "lease_until"],
        unique=False,
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "verification",
        sa.Column("proposal_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("progress", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'pending') = (finished_at IS NULL)", name=op.f("ck_verification_finished")),
        sa.CheckConstraint("status IN ('pending', 'verified', 'not-verified')", name=op.f("ck_verification_status")),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_verification_proposal_id")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_verification")),
    )
    op.create_index(op.f("ix_verification_finished_at"), "verification", ["finished_at"], unique=False)
    op.create_index(
        "ix_verification_pending",
        "verification",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.execute(REFUSE)
    op.execute(TRIGGER)
    # ALWAYS: also where a session plays a replica, which skips ordinary triggers.
    op.execute("ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_append_only")


def downgrade() -> None:
    """Drops the whole record, the audit trail included."""
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION watchkeeper_audit_refuse()")
