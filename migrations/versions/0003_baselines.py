"""Baselines: what sweeps learn of restarts, memory and logs, one row for each workload, container and family.

Revision: 0003
Before: 0002
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "baseline",
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("subject_key", sa.Text(), nullable=False),
        sa.Column("container", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("subject", postgresql.JSONB(), nullable=False),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("family IN ('restarts', 'memory', 'logs')", name=op.f("ck_baseline_family")),
        sa.PrimaryKeyConstraint("cluster", "subject_key", "container", "family", name=op.f("pk_baseline")),
    )
    op.create_index(op.f("ix_baseline_cluster_changed_at"), "baseline", ["cluster", "changed_at"], unique=False)


def downgrade() -> None:
    op.drop_table("baseline")
