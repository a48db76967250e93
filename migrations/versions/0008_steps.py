"""Executions in steps: how far one is, and who asked it to stop. Proposals: the state of one that was stopped half-way.

Revision: 0008
Before: 0007
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_STATES = (
    "'proposed', 'approved', 'executing', 'succeeded', 'verified', 'not-verified', 'worse', 'undone', "
    "'rejected', 'expired', 'superseded', 'stale', 'already-fixed', 'refused', 'failed', 'stopped', 'unknown'"
)


def _states(listed: str) -> None:
    op.drop_constraint(op.f("ck_proposal_state"), "proposal", type_="check")
    op.create_check_constraint(op.f("ck_proposal_state"), "proposal", f"state IN ({listed})")


def upgrade() -> None:
    _states(_STATES)
    op.add_column("execution", sa.Column("progress", postgresql.JSONB(), nullable=True))
    op.add_column("execution", sa.Column("stop_by", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """What was stopped becomes what says least: of unknown end."""
    op.execute("UPDATE proposal SET state = 'unknown' WHERE state = 'stopped'")
    op.execute(
        "UPDATE execution SET outcome = jsonb_set(outcome, '{status}', '\"unknown\"') "
        "WHERE outcome->>'status' = 'stopped'"
    )
    for column in ("stop_by", "progress"):
        op.drop_column("execution", column)
    _states(_STATES.replace("'stopped', ", ""))
