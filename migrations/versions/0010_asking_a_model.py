"""Asking a model: advice, questions and their answers, the ledger of calls; and the team's own runbooks.

Revision: 0010
Before: 0009
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | Sequence[str] | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_KINDS = "'parent', 'evidence', 'opinion', 'answer', 'progress', 'recovery', 'worse', 'report', 'breaker'"
_ABOUT = (
    "(kind = 'report') = (report_id IS NOT NULL) AND (kind = 'answer') = (question_id IS NOT NULL)"
    " AND (kind IN ('report', 'answer')) = (incident_id IS NULL)"
)
_KINDS_BEFORE = "'parent', 'evidence', 'progress', 'recovery', 'worse', 'report', 'breaker'"
_ABOUT_BEFORE = "(kind = 'report') = (report_id IS NOT NULL) AND (kind = 'report') = (incident_id IS NULL)"


def _constrained(kinds: str, about: str) -> None:
    for name, condition in (("kind", f"kind IN ({kinds})"), ("about", about)):
        op.drop_constraint(op.f(f"ck_message_view_{name}"), "message_view", type_="check")
        op.create_check_constraint(op.f(f"ck_message_view_{name}"), "message_view", condition)


def upgrade() -> None:
    op.create_table(
        "runbook",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kinds", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("labels", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("cluster", sa.Text(), server_default="", nullable=False),
        sa.Column("added_by", sa.Text(), server_default="", nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', name || ' ' || title), 'A')"
                " || setweight(to_tsvector('simple', body), 'B')",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint("source IN ('folder', 'configmap', 'slack')", name=op.f("ck_runbook_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runbook")),
        sa.UniqueConstraint("cluster", "source", "name", name=op.f("uq_runbook_cluster_source_name")),
    )
    op.create_index("ix_runbook_words", "runbook", ["words"], unique=False, postgresql_using="gin")
    op.create_table(
        "question",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("thread_ts", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('answered', 'failed')) = (answered_at IS NOT NULL)", name=op.f("ck_question_answered")
        ),
        sa.CheckConstraint("state IN ('wanted', 'running', 'answered', 'failed')", name=op.f("ck_question_state")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_question_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_question")),
        sa.UniqueConstraint("channel", "ts", name=op.f("uq_question_channel_ts")),
    )
    op.create_index(op.f("ix_question_incident_id_id"), "question", ["incident_id", "id"], unique=False)
    op.create_index(
        "ix_question_open",
        "question",
        ["asked_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('wanted', 'running')"),
    )
    op.create_table(
        "advice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("diagnosis_id", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opinion", postgresql.JSONB(), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("reused_of", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("(state = 'done') = (opinion IS NOT NULL)", name=op.f("ck_advice_opinion")),
        sa.CheckConstraint("(state IN ('done', 'none')) = (finished_at IS NOT NULL)", name=op.f("ck_advice_finished")),
        sa.CheckConstraint("state IN ('wanted', 'running', 'done', 'none')", name=op.f("ck_advice_state")),
        sa.ForeignKeyConstraint(["diagnosis_id"], ["diagnosis.id"], name=op.f("fk_advice_diagnosis_id")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_advice_incident_id")),
        sa.ForeignKeyConstraint(["reused_of"], ["advice.id"], name=op.f("fk_advice_reused_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advice")),
        sa.UniqueConstraint("diagnosis_id", name=op.f("uq_advice_diagnosis_id")),
    )
    op.create_index(op.f("ix_advice_incident_id_id"), "advice", ["incident_id", "id"], unique=False)
    op.create_index(
        "ix_advice_key", "advice", ["cluster", "key"], unique=False, postgresql_where=sa.text("state = 'done'")
    )
    op.create_index(
        "ix_advice_open",
        "advice",
        ["wanted_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('wanted', 'running')"),
    )
    op.create_table(
        "model_call",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("watch_id", sa.BigInteger(), nullable=True),
        sa.Column("incident_id", sa.BigInteger(), nullable=True),
        sa.Column("question_id", sa.BigInteger(), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("estimate", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("written_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("read_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cost", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("received", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "purpose IN ('diagnosis', 'question', 'polish', 'probe')", name=op.f("ck_model_call_purpose")
        ),
        sa.CheckConstraint("cost >= 0 AND estimate >= 0", name=op.f("ck_model_call_money")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_model_call_incident_id")),
        sa.ForeignKeyConstraint(["question_id"], ["question.id"], name=op.f("fk_model_call_question_id")),
        sa.ForeignKeyConstraint(["watch_id"], ["watch.id"], name=op.f("fk_model_call_watch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_call")),
    )
    op.create_index(op.f("ix_model_call_incident_id_id"), "model_call", ["incident_id", "id"], unique=False)
    op.create_index(op.f("ix_model_call_started_at"), "model_call", ["started_at"], unique=False)
    op.create_index(op.f("ix_model_call_watch_id_started_at"), "model_call", ["watch_id", "started_at"], unique=False)
    op.create_index(
        "ix_model_call_kept",
        "model_call",
        ["started_at"],
        unique=False,
        postgresql_where=sa.text("sent <> '' OR received <> ''"),
    )
    op.add_column("diagnosis", sa.Column("kind", sa.Text(), server_default="unknown", nullable=False))
    op.add_column("message_view", sa.Column("question_id", sa.BigInteger(), nullable=True))
    op.create_unique_constraint(op.f("uq_message_view_kind_question_id"), "message_view", ["kind", "question_id"])
    op.create_foreign_key(op.f("fk_message_view_question_id"), "message_view", "question", ["question_id"], ["id"])
    _constrained(_KINDS, _ABOUT)


def downgrade() -> None:
    op.execute("DELETE FROM message_view WHERE kind IN ('opinion', 'answer')")
    _constrained(_KINDS_BEFORE, _ABOUT_BEFORE)
    op.drop_constraint(op.f("fk_message_view_question_id"), "message_view", type_="foreignkey")
    op.drop_constraint(op.f("uq_message_view_kind_question_id"), "message_view", type_="unique")
    op.drop_column("message_view", "question_id")
    op.drop_column("diagnosis", "kind")
    op.drop_index(
        "ix_model_call_kept", table_name="model_call", postgresql_where=sa.text("sent <> '' OR received <> ''")
    )
    op.drop_index(op.f("ix_model_call_watch_id_started_at"), table_name="model_call")
    op.drop_index(op.f("ix_model_call_started_at"), table_name="model_call")
    op.drop_index(op.f("ix_model_call_incident_id_id"), table_name="model_call")
    op.drop_table("model_call")
    op.drop_index("ix_advice_open", table_name="advice", postgresql_where=sa.text("state IN ('wanted', 'running')"))
    op.drop_index("ix_advice_key", table_name="advice", postgresql_where=sa.text("state = 'done'"))
    op.drop_index(op.f("ix_advice_incident_id_id"), table_name="advice")
    op.drop_table("advice")
    op.drop_index("ix_question_open", table_name="question", postgresql_where=sa.text("state IN ('wanted', 'running')"))
    op.drop_index(op.f("ix_question_incident_id_id"), table_name="question")
    op.drop_table("question")
    op.drop_index("ix_runbook_words", table_name="runbook", postgresql_using="gin")
    op.drop_table("runbook")
