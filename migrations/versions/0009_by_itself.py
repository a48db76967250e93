"""What is done by itself: its announcement, and a breaker for each watch. Messages: the one that the breaker opened.

Revision: 0009
Before: 0008
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | Sequence[str] | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_KINDS = "'parent', 'evidence', 'progress', 'recovery', 'worse', 'report', 'breaker'"


def _kinds(listed: str) -> None:
    op.drop_constraint(op.f("ck_message_view_kind"), "message_view", type_="check")
    op.create_check_constraint(op.f("ck_message_view_kind"), "message_view", f"kind IN ({listed})")


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _foreign(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    _kinds(_KINDS)
    op.create_table(
        "announcement",
        sa.Column("proposal_id", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("watch_id", sa.BigInteger(), nullable=False),
        _text("cluster"),
        _text("subject_key"),
        _text("state"),
        _text("rule"),
        sa.Column("delay_seconds", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        _moment("announced_at", nullable=False),
        _moment("at"),
        _text("ts", ""),
        _moment("moved_at"),
        _text("by", ""),
        _text("why", ""),
        _text("ended", ""),
        sa.CheckConstraint(
            "state IN ('waiting', 'counting', 'starting', 'started', 'stopped', 'dropped')",
            name=op.f("ck_announcement_state"),
        ),
        sa.CheckConstraint("ended IN ('', 'good', 'bad', 'neither')", name=op.f("ck_announcement_ended")),
        sa.CheckConstraint(
            "state NOT IN ('counting', 'starting') OR (at IS NOT NULL AND ts <> '')", name=op.f("ck_announcement_timed")
        ),
        sa.CheckConstraint(
            "(state IN ('started', 'stopped', 'dropped')) = (moved_at IS NOT NULL)", name=op.f("ck_announcement_moved")
        ),
        _foreign("announcement", "proposal_id", "proposal"),
        _foreign("announcement", "incident_id", "incident"),
        _foreign("announcement", "watch_id", "watch"),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_announcement")),
    )
    op.create_index(
        "ix_announcement_open",
        "announcement",
        ["proposal_id"],
        postgresql_where=sa.text("state IN ('waiting', 'counting', 'starting')"),
    )
    op.create_index(op.f("ix_announcement_cluster_moved_at"), "announcement", ["cluster", "moved_at"])
    op.create_index(op.f("ix_announcement_incident_id"), "announcement", ["incident_id"])
    op.create_table(
        "breaker",
        sa.Column("watch_id", sa.BigInteger(), nullable=False),
        sa.Column("bad", sa.BigInteger(), server_default="0", nullable=False),
        _moment("opened_at"),
        _text("why", ""),
        sa.Column("incident_id", sa.BigInteger(), nullable=True),
        _moment("closed_at"),
        _text("closed_by", ""),
        sa.CheckConstraint("opened_at IS NULL OR incident_id IS NOT NULL", name=op.f("ck_breaker_opened")),
        _foreign("breaker", "incident_id", "incident"),
        _foreign("breaker", "watch_id", "watch"),
        sa.PrimaryKeyConstraint("watch_id", name=op.f("pk_breaker")),
    )


def downgrade() -> None:
    op.execute("DELETE FROM message_view WHERE kind = 'breaker'")
    op.drop_table("breaker")
    op.drop_table("announcement")
    _kinds(_KINDS.replace(", 'breaker'", ""))
