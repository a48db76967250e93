"""The role that the running application has in the database: it may do what the application does, and nothing else.

`schema` prepares it after the revisions, as the owner of the tables; `engine` gives it to every session of the
application. It is made at each start and not in a revision, because roles belong to the server and not to a database: a
dump that is loaded elsewhere has the revision but not the role, and a server may get its role years later. Making it is
idempotent; nothing is granted or revoked where the rights are as they should be.

Two modes. By default the role is `watchkeeper_app`, made where the owner may make roles; where that is not possible
the sessions stay those of the owner, the triggers alone keep the trail, and that is said. A role that was named by a
setting must be there and must be right: else nothing starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bot import errors
from bot.store import faults

DEFAULT = "watchkeeper_app"
SETTING = "WATCHKEEPER_DATABASE_ROLE"

RIGHTS: Mapping[str, tuple[str, ...]] = {
    "advice": ("SELECT", "INSERT", "UPDATE"),
    "announcement": ("SELECT", "INSERT", "UPDATE"),
    "audit": ("SELECT", "INSERT"),
    "audit_anchor": ("SELECT",),
    "audit_head": ("SELECT", "INSERT", "UPDATE (hash)", "UPDATE (month)", "UPDATE (seq)"),
    "baseline": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "breaker": ("SELECT", "INSERT", "UPDATE"),
    "decision": ("SELECT", "INSERT"),
    "diagnosis": ("SELECT", "INSERT"),
    "evidence": ("SELECT", "INSERT"),
    "execution": ("SELECT", "INSERT", "UPDATE"),
    "finding": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "incident": ("SELECT", "INSERT", "UPDATE"),
    "lease": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "message_view": ("SELECT", "INSERT", "UPDATE"),
    "model_call": ("SELECT", "INSERT", "UPDATE"),
    "proposal": ("SELECT", "INSERT", "UPDATE"),
    "question": ("SELECT", "INSERT", "UPDATE"),
    "report": ("SELECT", "INSERT"),
    "runbook": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "sweep": ("SELECT", "INSERT", "UPDATE"),
    "verification": ("SELECT", "INSERT", "UPDATE"),
    "watch": ("SELECT", "INSERT", "UPDATE"),
    "watchkeeper_version": ("SELECT",),
}
"""All that the running application needs, table by table. A new table needs its line here: a test compares them."""

ASSUME = """
SELECT set_config('role', r.rolname, false)
FROM pg_catalog.pg_roles r, (SELECT to_regclass('audit') AS audit) t
WHERE r.rolname = $1 AND pg_has_role(session_user, r.oid, $2) AND NOT r.rolsuper
  AND has_table_privilege(r.oid, t.audit, 'INSERT')
  AND NOT has_table_privilege(r.oid, t.audit, 'UPDATE, DELETE, TRUNCATE')
"""
"""Gives the session the role ($1), where it is there, may be had ($2: see `leave`) and is what it should be; else no
row. Of a database that was never migrated there is nothing to keep, and no row."""

_PRESENT = """
SELECT c.relname AS place, a.privilege_type AS held
FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(:ours) AND a.grantee = :role
UNION
SELECT c.relname, a.privilege_type || ' (' || t.attname || ')'
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(:ours) AND a.grantee = :role
"""
_EXCESS = """
SELECT c.relname FROM pg_catalog.pg_class c
WHERE (c.oid IN (to_regclass('audit'), to_regclass('audit_anchor'), to_regclass('audit_head'))
       OR c.oid IN (SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = to_regclass('audit')))
  AND (has_table_privilege(CAST(:role AS oid), c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
       OR pg_has_role(CAST(:role AS oid), c.relowner, 'USAGE')
       OR (c.relname <> 'audit_head' AND has_any_column_privilege(CAST(:role AS oid), c.oid, 'UPDATE')))
ORDER BY c.relname
"""
_SESSION = """
SELECT session_user AS login, current_user AS role,
       has_table_privilege(current_user, to_regclass('audit'), 'UPDATE, DELETE, TRUNCATE') AS free
"""
_RIVALS = ("42710", "23505", "XX000")
"""Another database of the same server has made or granted the role at this very moment."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What keeps the trail from the application besides the triggers."""

    role: str
    """Empty: nothing does."""
    told: str
    """A sentence for people: that it does, or why not and what would help."""


class _Refused(Exception):
    """The server does not let us: the sentence says what."""


def leave(major: int) -> str:
    """The privilege by which a session may be set to a role: from Postgres 16 on it is one of its own."""
    return "SET" if major >= 16 else "MEMBER"


def prepare(connection: sa.Connection, named: str = "") -> Guard:
    """Makes the role what it should be, in the transaction that the connection is in.

    Raises `errors.ConfigurationError` where a role was `named` and is not there, cannot be had or is not right.
    """
    role = named or DEFAULT
    try:
        oid = _found(connection, role) or _made(connection, role, by_us=not named)
        _had(connection, role, oid)
        _granted(connection, role, oid)
        _bounded(connection, role, oid)
    except _Refused as refusal:
        if named:
            raise errors.ConfigurationError(f"{SETTING}: {refusal}") from None
        return Guard("", f"the application's sessions are not limited, triggers alone keep the trail: {refusal}")
    return Guard(role, f"the application's sessions are limited to the rights of {role}")


def guarded(connection: sa.Connection) -> Guard:
    """What holds of a session of the application, as the server sees it."""
    row = connection.execute(sa.text(_SESSION)).one()
    if row.free or row.free is None:
        who = f"sessions run as {row.role}, which may change the trail"
        return Guard("", f"triggers alone keep the trail from the application: {who}. See docs/audit.md")
    return Guard(row.role, f"the application's sessions run as {row.role}, which may add to the trail, not change it")


def _found(connection: sa.Connection, role: str) -> int | None:
    oid: int | None = connection.scalar(sa.text("SELECT oid FROM pg_roles WHERE rolname = :role"), {"role": role})
    return oid


def _made(connection: sa.Connection, role: str, *, by_us: bool) -> int:
    if not by_us:
        raise _Refused(f"the server has no role {role}: CREATE ROLE {role} NOLOGIN, and grant it to Watchkeeper's user")
    error = _tried(connection, f"CREATE ROLE {_quoted(connection, role)} NOLOGIN")
    oid = _found(connection, role)
    if oid is None:
        raise _Refused(f"the role {role} is missing and cannot be made ({error})")
    return oid


def _had(connection: sa.Connection, role: str, oid: int) -> None:
    """That sessions of this user may be set to the role."""
    major = int((connection.dialect.server_version_info or (0,))[0])
    may = sa.text("SELECT pg_has_role(session_user, CAST(:role AS oid), :leave)")
    given = {"role": oid, "leave": leave(major)}
    if connection.scalar(may, given):
        return
    error = _tried(connection, f"GRANT {_quoted(connection, role)} TO SESSION_USER")
    if not connection.scalar(may, given):
        raise _Refused(f"Watchkeeper's user is no member of the role {role} and cannot become one ({error})")


def _granted(connection: sa.Connection, role: str, oid: int) -> None:
    """Exactly what `RIGHTS` says, on our tables; revokes what is too much."""
    rows = connection.execute(sa.text(_PRESENT), {"role": oid, "ours": list(RIGHTS)})
    present = {(str(row.place), str(row.held)) for row in rows}
    wanted = {(place, right) for place, rights in RIGHTS.items() for right in rights}
    name = _quoted(connection, role)
    may_use = sa.text("SELECT has_schema_privilege(CAST(:role AS oid), current_schema()::regnamespace, 'USAGE')")
    statements = [f"REVOKE {right} ON {place} FROM {name}" for place, right in sorted(present - wanted)]
    statements += [f"GRANT {right} ON {place} TO {name}" for place, right in sorted(wanted - present)]
    if not connection.scalar(may_use, {"role": oid}):
        schema = _quoted(connection, str(connection.scalar(sa.text("SELECT current_schema()"))))
        statements.append(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    for statement in statements:
        if error := _tried(connection, statement):
            raise _Refused(f"{statement} is refused ({error}): let the owner of the tables run `watchkeeper migrate`")
    # An owner who may not grant gets a warning from the server, not an error.
    rows = connection.execute(sa.text(_PRESENT), {"role": oid, "ours": list(RIGHTS)})
    if statements and {(str(row.place), str(row.held)) for row in rows} != wanted:
        raise _Refused(f"the rights of {role} could not be set: let the owner of the tables run `watchkeeper migrate`")


def _bounded(connection: sa.Connection, role: str, oid: int) -> None:
    """That nothing else gives it more: a membership, PUBLIC, ownership, the rights of a superuser."""
    excess: Sequence[str] = connection.scalars(sa.text(_EXCESS), {"role": oid}).all()
    if excess:
        raise _Refused(f"the role {role} has more rights than it should have on {', '.join(excess)}")


def _tried(connection: sa.Connection, statement: str) -> str:
    """Executes it; what the server said against it, empty where it did not."""
    try:
        with connection.begin_nested():
            connection.execute(sa.text(statement))
    except sa.exc.DBAPIError as error:
        if faults.state(error) != "42501" and not faults.state(error).startswith(_RIVALS):
            raise
        return faults.said(error)
    return ""


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
