"""Column types that the tables are made of, and the rules by which values become columns. Used by `bot.store` only.

Text that comes from a cluster may hold what Postgres refuses to keep (the character NUL) or what is not UTF-8 at all
(lone surrogates). An outcome that cannot be stored would be worse than one with a replacement character in it, so both
are replaced on the way in, here, for every column.
"""

import re
from collections.abc import Mapping
from typing import Any, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def clean(value: str) -> str:
    """The text with every character replaced that Postgres cannot keep."""
    return _UNSTORABLE.sub(_REPLACEMENT, value)


def plain(value: object) -> Any:
    """Any value of ours as JSON builtins (dicts, lists, texts, numbers) that Postgres can keep."""
    return _cleaned(msgspec.to_builtins(value, str_keys=True))


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {clean(key): _cleaned(item) for key, item in value.items()}
        case list() | tuple():
            return [_cleaned(item) for item in value]
        case _:
            return value


def dumps(value: object) -> str:
    """JSON as the engine sends it."""
    return msgspec.json.encode(value).decode()


class Text(sa.TypeDecorator[str]):
    """Text of any length."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: sa.Dialect) -> str | None:
        return None if value is None else clean(value)


class Coded(sa.TypeDecorator[Any]):
    """JSONB that is a value of ours: strictly decoded, so that what is not of `kind` is an error when it is read."""

    impl = postgresql.JSONB
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind

    def process_bind_param(self, value: object, _dialect: sa.Dialect) -> Any:
        return None if value is None else plain(value)

    def process_result_value(self, value: Any, _dialect: sa.Dialect) -> Any:
        return None if value is None else msgspec.convert(value, self.kind)


class Verbatim(sa.TypeDecorator[Any]):
    """JSON kept letter by letter, as a hash over it must come out the same: JSONB would rewrite its numbers."""

    impl = postgresql.JSON
    cache_ok = True


MOMENT = sa.DateTime(timezone=True)


def key(name: str = "id") -> sa.Column[Any]:
    """A row id that the database gives."""
    return sa.Column(name, sa.BigInteger, sa.Identity(always=True), primary_key=True)


def text(default: str | None = None) -> sa.Column[Any]:
    return sa.Column(Text, nullable=False, server_default=default)


def number(default: int | None = None, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(sa.BigInteger, nullable=nullable, server_default=None if default is None else str(default))


def flag() -> sa.Column[Any]:
    return sa.Column(sa.Boolean, nullable=False, server_default=sa.false())


def moment(*, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(MOMENT, nullable=nullable)


def month(*, primary_key: bool = False) -> sa.Column[Any]:
    """The first day of a month; the server's own month, in UTC, where none is given."""
    default = sa.text("date_trunc('month', (now() AT TIME ZONE 'UTC'))::date")
    return sa.Column(sa.Date, nullable=False, server_default=default, primary_key=primary_key)


def coded(kind: Any, *, nullable: bool = False, default: str | None = None) -> sa.Column[Any]:
    """`default`: as JSON, for rows of replicas that do not know the column yet."""
    return sa.Column(
        Coded(kind), nullable=nullable, server_default=None if default is None else sa.text(f"'{default}'")
    )


def reference(target: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[Any]:
    """A foreign key; rows are never deleted under it."""
    return sa.Column(sa.BigInteger, sa.ForeignKey(target), nullable=nullable, primary_key=primary_key)


def one_of(column: str, names: Any) -> sa.CheckConstraint:
    """Only the names of this Literal."""
    listed = ", ".join(f"'{name}'" for name in get_args(names))
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)
