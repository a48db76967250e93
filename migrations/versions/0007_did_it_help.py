"""Verifications: an end called worse, what it is measured by, why there is no Undo, and when the problem came back.

Proposals: the state of that name. Messages: the reply that calls the approver.

Revision: 0007
Before: 0006
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_AFTER = {
    ("proposal", "state"): "'proposed', 'approved', 'executing', 'succeeded', 'verified', 'not-verified', 'worse', "
    "'undone', 'rejected', 'expired', 'superseded', 'stale', 'already-fixed', 'refused', 'failed', 'unknown'",
    ("verification", "status"): "'pending', 'verified', 'not-verified', 'worse'",
    ("message_view", "kind"): "'parent', 'evidence', 'progress', 'recovery', 'worse', 'report'",
}


def _name(table: str, column: str, listed: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({listed})")


def upgrade() -> None:
    for (table, column), listed in _AFTER.items():
        _name(table, column, listed)
    op.add_column("verification", sa.Column("ready_before", sa.BigInteger(), nullable=True))
    op.add_column("verification", sa.Column("severity_before", sa.Text(), server_default="", nullable=False))
    op.add_column("verification", sa.Column("no_undo", sa.Text(), server_default="", nullable=False))
    op.add_column("verification", sa.Column("came_back_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_verification_severity_before"), "verification", "severity_before IN ('', 'P1', 'P2', 'P3')"
    )


def downgrade() -> None:
    """What was worse becomes what it was called before: not verified."""
    op.execute("DELETE FROM message_view WHERE kind = 'worse'")
    op.execute("UPDATE verification SET status = 'not-verified' WHERE status = 'worse'")
    op.execute("UPDATE proposal SET state = 'not-verified' WHERE state = 'worse'")
    op.drop_constraint(op.f("ck_verification_severity_before"), "verification", type_="check")
    for column in ("came_back_at", "no_undo", "severity_before", "ready_before"):
        op.drop_column("verification", column)
    for (table, column), listed in _AFTER.items():
        _name(table, column, listed.replace("'worse', ", "").replace(", 'worse'", ""))
