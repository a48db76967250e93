"""The audit trail by month: partitions, so that old months can be dropped as a whole, and the anchors that they leave.

The rows that are there stay where they lie: their table becomes the first partition, and no row is written anew. The
application's role is no part of this: it is prepared at every start (`bot.store.roles`).

Revision: 0005
Before: 0004
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MONTH = "date_trunc('month', (now() AT TIME ZONE 'UTC'))::date"
"""Of the server: replicas of the version before this one do not give it."""
INDEXES = ("ix_audit_actor_at", "ix_audit_at", "ix_audit_incident_id")
BACK = """
INSERT INTO audit (chain, seq, tag, actor, at, incident_id, proposal_id, data, previous, hash)
SELECT chain, seq, tag, actor, at, incident_id, proposal_id, data, previous, hash FROM audit_by_month
"""

FORWARD = """
CREATE FUNCTION watchkeeper_audit_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.chain <> OLD.chain OR NEW.seq <= OLD.seq OR NEW.month < OLD.month THEN
        RAISE EXCEPTION 'the audit trail is append-only: its head goes forward' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$
"""


def _refuse(table: str, operations: str) -> None:
    """ALWAYS: also where a session plays a replica, which skips ordinary triggers."""
    op.execute(
        f"CREATE TRIGGER audit_append_only BEFORE {operations} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION watchkeeper_audit_refuse()"
    )
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER audit_append_only")


def _columns() -> list[sa.Column[object]]:
    return [
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
    ]


def _index() -> None:
    op.create_index(op.f("ix_audit_actor_at"), "audit", ["actor", "at"], unique=False)
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(
        op.f("ix_audit_incident_id"),
        "audit",
        ["incident_id"],
        unique=False,
        postgresql_where=sa.text("incident_id IS NOT NULL"),
    )


def upgrade() -> None:
    this, following = op.get_bind().execute(sa.text(f"SELECT {MONTH}, ({MONTH} + interval '1 month')::date")).one()
    first = f"audit_until_{this:%Y_%m}"
    op.execute(f"ALTER TABLE audit RENAME TO {first}")
    op.execute(f"ALTER TABLE {first} ADD COLUMN month date NOT NULL DEFAULT DATE '{this}'")
    op.execute(f"ALTER TABLE {first} ALTER COLUMN month SET DEFAULT {MONTH}")
    op.execute(f"ALTER TABLE {first} DROP CONSTRAINT pk_audit")
    for name in INDEXES:
        op.execute(f"ALTER INDEX {name} RENAME TO {name.replace('audit', first)}")
    op.create_table(
        "audit",
        *_columns(),
        sa.Column("month", sa.Date(), server_default=sa.text(MONTH), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", "month", name=op.f("pk_audit")),
        postgresql_partition_by="RANGE (month)",
    )
    _index()
    op.execute(f"ALTER TABLE audit ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ('{following}')")
    op.execute("CREATE TABLE audit_default PARTITION OF audit DEFAULT")
    for table in ("audit", "audit_default"):
        _refuse(table, "UPDATE OR DELETE OR TRUNCATE")
    op.create_table(
        "audit_anchor",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Date(), nullable=False),
        sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pruned_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_audit_anchor")),
    )
    _refuse("audit_anchor", "UPDATE OR DELETE OR TRUNCATE")
    op.add_column("audit_head", sa.Column("month", sa.Date(), server_default=sa.text(MONTH), nullable=False))
    _refuse("audit_head", "DELETE OR TRUNCATE")
    op.execute(FORWARD)
    op.execute(
        "CREATE TRIGGER audit_forward BEFORE UPDATE ON audit_head "
        "FOR EACH ROW EXECUTE FUNCTION watchkeeper_audit_forward()"
    )
    op.execute("ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_forward")


def downgrade() -> None:
    """One table again, with every row. Refused where months were pruned: the version before knows no anchor, and would
    call what is left broken."""
    if op.get_bind().execute(sa.text("SELECT EXISTS (SELECT FROM audit_anchor)")).scalar():
        raise RuntimeError("months of the audit trail were pruned: what is left can be proved by its anchor alone")
    op.execute("DROP TRIGGER audit_forward ON audit_head")
    op.execute("DROP FUNCTION watchkeeper_audit_forward()")
    op.execute("DROP TRIGGER audit_append_only ON audit_head")
    op.drop_column("audit_head", "month")
    op.drop_table("audit_anchor")
    op.execute("ALTER TABLE audit RENAME TO audit_by_month")
    op.execute("ALTER TABLE audit_by_month RENAME CONSTRAINT pk_audit TO pk_audit_by_month")
    for name in INDEXES:
        op.execute(f"ALTER INDEX {name} RENAME TO {name}_by_month")
    op.create_table("audit", *_columns(), sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_audit")))
    op.execute(BACK)
    op.drop_table("audit_by_month")
    _index()
    _refuse("audit", "UPDATE OR DELETE OR TRUNCATE")
