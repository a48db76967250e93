"""Proposals: who asked for them, what let them through, how many must approve, and whether each has to say why.

Incidents: who asked for the next diagnosis. Decisions: a person may approve and, thinking better of it, reject.

Revision: 0006
Before: 0005
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ONCE, _ONCE_EACH = "uq_decision_proposal_id_user_id", "uq_decision_proposal_id_user_id_verdict"


def upgrade() -> None:
    op.add_column("incident", sa.Column("asked_by", sa.Text(), server_default="", nullable=False))
    op.add_column("proposal", sa.Column("proposer", sa.Text(), server_default="", nullable=False))
    op.add_column("proposal", sa.Column("rule", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "proposal", sa.Column("tier_reasons", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False)
    )
    op.add_column("proposal", sa.Column("approvals", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column(
        "proposal", sa.Column("reason_required", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_check_constraint(op.f("ck_proposal_approvals"), "proposal", "approvals >= 1")
    op.create_unique_constraint(op.f(_ONCE_EACH), "decision", ["proposal_id", "user_id", "verdict"])
    op.drop_constraint(op.f(_ONCE), "decision", type_="unique")


def downgrade() -> None:
    op.execute(
        "DELETE FROM decision WHERE verdict = 'approve' AND (proposal_id, user_id) IN "
        "(SELECT proposal_id, user_id FROM decision WHERE verdict = 'reject')"
    )
    op.create_unique_constraint(op.f(_ONCE), "decision", ["proposal_id", "user_id"])
    op.drop_constraint(op.f(_ONCE_EACH), "decision", type_="unique")
    op.drop_constraint(op.f("ck_proposal_approvals"), "proposal", type_="check")
    for column in ("reason_required", "approvals", "tier_reasons", "rule", "proposer"):
        op.drop_column("proposal", column)
    op.drop_column("incident", "asked_by")
