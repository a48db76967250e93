"""The months of the audit trail as partitions: those to come are made ahead, those long gone can be dropped as a whole.

An entry lies in the month in which the server recorded it, never in an earlier one than the entry before it (`trail`):
so the partitions of a chain are stretches of it, and to drop the oldest leaves a tail that can still be proved. What
has no partition of its own lies in the default one, and is put where it belongs at the next start: no entry is ever
refused for want of a partition. Called by `schema` and by `pruning`, as the owner of the tables.
"""

import re
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

AHEAD = 6
"""Months that have a partition before they begin. A process that runs for longer than this fills the default one."""
_NAME = re.compile(r"audit_(?:until_)?(\d{4})_(\d{2})")
_NAMES = """
SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass('audit')
"""
_OWNED = "SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = to_regclass('audit')"
_NOW = "SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date"
_MOVE = """
INSERT INTO audit (chain, seq, tag, actor, at, incident_id, proposal_id, data, previous, hash, month)
SELECT chain, seq, tag, actor, at, incident_id, proposal_id, data, previous, hash, month FROM audit_strays
"""


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """`audit_2026_11` holds that month; `audit_until_2026_11` (of the first one) that month and all before it."""

    last: date
    """The first day of its last month."""
    name: str


def known(connection: sa.Connection) -> list[Partition]:
    """Those of months, oldest first."""
    found = (_NAME.fullmatch(name) for name in connection.scalars(sa.text(_NAMES)))
    return sorted(Partition(date(int(name[1]), int(name[2]), 1), name[0]) for name in found if name is not None)


def owned(connection: sa.Connection) -> bool:
    """Whether who is connected may change the tables themselves."""
    return bool(connection.scalar(sa.text(_OWNED)))


def this_month(connection: sa.Connection) -> date:
    """The server's, in UTC."""
    month = connection.scalar(sa.text(_NOW))
    if not isinstance(month, date):
        raise TypeError("the server tells no date")
    return month


def after(month: date, count: int = 1) -> date:
    """The first day of the month that many months later."""
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def ahead(connection: sa.Connection, months: int = AHEAD) -> None:
    """Makes the partitions of this month and those to come, and empties the default one into theirs.

    Nothing is done where the session does not own the tables: the default partition takes what has none.
    """
    if not owned(connection):
        return
    covered = known(connection)
    first = this_month(connection)
    wanted = {after(first, count) for count in range(months + 1)}
    strays = set(connection.scalars(sa.text("SELECT DISTINCT month FROM audit_default")))
    if strays:
        connection.execute(sa.text("ALTER TABLE audit DETACH PARTITION audit_default"))
        connection.execute(sa.text("ALTER TABLE audit_default RENAME TO audit_strays"))
        _make(connection, "audit_default", "DEFAULT")
    until = max((one.last for one in covered if "until" in one.name), default=date.min)
    lacking = {month for month in wanted if month > until} | strays
    for month in sorted(lacking - {one.last for one in covered}):
        _make(connection, f"audit_{month:%Y_%m}", f"FOR VALUES FROM ('{month}') TO ('{after(month)}')")
    if strays:
        connection.execute(sa.text(_MOVE))
        connection.execute(sa.text("DROP TABLE audit_strays"))


def _make(connection: sa.Connection, name: str, bounds: str) -> None:
    """With a trigger of its own: that of the whole table does not see a statement that names a partition."""
    connection.execute(sa.text(f"CREATE TABLE {name} PARTITION OF audit {bounds}"))
    connection.execute(
        sa.text(
            f"CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION watchkeeper_audit_refuse()"
        )
    )
    connection.execute(sa.text(f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER audit_append_only"))
