"""The address of a database as people write it (`DATABASE_URL`), checked before anything connects. Used by `engine`.

The driver itself reads libpq's options (`host=/socket/folder`, `sslmode`, `sslrootcert`, `target_session_attrs` …) from
the address; what it would mistake for a setting of the server is taken out or turned into what it understands.
See https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS.
"""

import urllib.parse
from dataclasses import dataclass

import asyncpg

from bot import errors

HOW = "write it as postgresql://user:password@host:5432/database?sslmode=require"
SCHEMES = ("postgres", "postgresql", "postgresql+asyncpg")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
DEFAULT_TIMEOUT = 10.0
COMMAND_TIMEOUT = 150.0
"""Seconds after which a statement is given up here, if the server does not answer at all; its own limits are lower."""
_UNDERSTOOD = {
    "host", "port", "dbname", "database", "user", "password", "passfile", "sslmode", "sslcert", "sslkey", "sslpassword",
    "sslrootcert", "sslcrl", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "target_session_attrs", "krbsrvname", "gsslib", "options",
}  # fmt: skip
_OF_LIBPQ_ONLY = {
    "channel_binding", "gssencmode", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "client_encoding", "application_name", "fallback_application_name", "sslcompression", "sslsni",
    "load_balance_hosts",
}  # fmt: skip
"""Valid in such addresses, of no use to this driver, and nothing that changes what is connected to."""


@dataclass(frozen=True, slots=True)
class Address:
    """What the driver connects by. `dsn` holds the password: never print it."""

    dsn: str
    timeout: float
    """Seconds that connecting may take."""

    async def connect(self, **settings: str) -> asyncpg.Connection:
        """A connection with these settings of the session."""
        return await asyncpg.connect(
            self.dsn, timeout=self.timeout, command_timeout=COMMAND_TIMEOUT, server_settings=settings
        )

    def __repr__(self) -> str:
        parts = urllib.parse.urlsplit(self.dsn)
        return f"Address({parts.netloc.rpartition('@')[2]}{parts.path})"


def parse(url: str) -> Address:
    """The address, checked. Raises `errors.ConfigurationError` with all that is wrong; the password is in no text."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme not in SCHEMES:
        raise errors.ConfigurationError(f"DATABASE_URL does not begin with postgresql://: {HOW}")
    faults: list[str] = []
    try:
        parts = urllib.parse.urlsplit(f"postgresql://{rest}")
        for host in parts.netloc.rpartition("@")[2].split(","):
            _ = urllib.parse.urlsplit(f"//{host}").port
        options = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise errors.ConfigurationError(
            f"DATABASE_URL cannot be read (a password with / ? # @ : in it must be percent-encoded): {HOW}"
        ) from None
    if parts.fragment or parts.netloc.count("@") > 1 or "@" in parts.path:
        faults.append(f"DATABASE_URL: a password with / ? # @ in it must be percent-encoded: {HOW}")
    if not (parts.netloc.rpartition("@")[2] or options.get("host")):
        faults.append(f"DATABASE_URL names no host: {HOW}; for a socket, add ?host=/folder/of/the/socket")
    if not (parts.path.strip("/") or options.get("dbname") or options.get("database")):
        faults.append(f"DATABASE_URL names no database: {HOW}")
    if (mode := options.pop("ssl", "")) and "sslmode" not in options:
        options["sslmode"] = {"true": "require", "false": "disable"}.get(mode, mode)
    if options.get("sslmode", "prefer") not in SSL_MODES:
        faults.append(f"DATABASE_URL: sslmode is one of {', '.join(SSL_MODES)}")
    try:
        timeout = float(options.pop("connect_timeout", 0)) or DEFAULT_TIMEOUT
    except ValueError:
        timeout = DEFAULT_TIMEOUT
        faults.append("DATABASE_URL: connect_timeout is a number of seconds")
    for name in _OF_LIBPQ_ONLY & options.keys():
        del options[name]
    if unknown := sorted(options.keys() - _UNDERSTOOD):
        faults.append(f"DATABASE_URL: unknown option {', '.join(unknown)}")
    if faults:
        raise errors.ConfigurationError(*faults)
    query = urllib.parse.urlencode(options, quote_via=urllib.parse.quote)
    return Address(f"postgresql://{parts.netloc}{parts.path}" + (f"?{query}" if query else ""), timeout)
