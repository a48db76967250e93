"""What the driver raises, as the errors of the product: an outage is `errors.StoreUnavailable`, whatever its shape.

Everything of this package that talks to Postgres does so inside `translated`. What is left untranslated is a bug (a
statement that is wrong, a row that breaks a rule), and is to be seen as one. SQLSTATE classes:
https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

import contextlib
from collections.abc import Iterator

import asyncpg
import sqlalchemy as sa

from bot import errors

_OUTAGES = (
    "08",  # the connection was refused or lost
    "25006",  # read-only: a standby, or a full disk that the provider guards
    "25P03",  # the transaction lay idle for too long …
    "25P04",  # … or took too long
    "28",  # the role or its password is not accepted (any more)
    "3D000",  # the database does not exist (any more)
    "40",  # deadlock, or a conflict of serialised transactions
    "53",  # out of disk, memory or connections
    "55P03",  # a lock was not to be had in time
    "57",  # cancelled by a timeout, shutting down, starting up
    "58",  # an error of its system
    "XX",  # an error within Postgres
)
_SETTINGS = ("28", "3D000", "42501")
"""Not accepted, no such database, no privilege: what a person has to set right, where it shows at the start."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raises `errors.StoreUnavailable` for every outage of the database; a bug stays what it is."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise errors.StoreUnavailable("The database is busy: no connection came free in time.") from error
    except sa.exc.DBAPIError as error:
        if not _is_outage(error):
            raise
        raise errors.StoreUnavailable(f"The database cannot be used: {said(error)}") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # Connecting: neither sockets nor time-outs pass through SQLAlchemy's own errors. Nor does what the driver makes
        # of a connection that the server ended between two messages of one statement.
        raise errors.StoreUnavailable(f"The database does not answer: {_line(error)}") from error


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """`translated` for the start: what only a person can set right is an `errors.ConfigurationError`."""
    try:
        with translated():
            yield
    except errors.StoreUnavailable as error:
        cause = error.__cause__
        if cause is None or not state(cause).startswith(_SETTINGS):
            raise
        raise errors.ConfigurationError(f"DATABASE_URL: {said(cause)}") from error
    except sa.exc.ProgrammingError as error:
        if not state(error).startswith(_SETTINGS):
            raise
        text = f"DATABASE_URL: its role may not create the tables: {said(error)}"
        raise errors.ConfigurationError(text) from error


def _is_outage(error: sa.exc.DBAPIError) -> bool:
    if error.connection_invalidated or isinstance(error.orig, OSError):
        return True
    code = state(error)
    return code.startswith(_OUTAGES) if code else "clos" in str(error.orig)


def state(error: BaseException) -> str:
    """The SQLSTATE; empty where the error did not come from the server."""
    inner = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return str(getattr(inner, "sqlstate", None) or "")


def said(error: BaseException) -> str:
    """The server's own sentence: neither the statement nor its values are told."""
    inner = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    return _line(inner.__cause__ or inner)


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
