"""DATABASE_URL as people write it."""

import pytest

from bot import errors
from bot.store import addresses, engine


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgres://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql://u:p@h:6543/d", "postgresql://u:p@h:6543/d"),
        (" postgresql+asyncpg://u@h/d\n", "postgresql://u@h/d"),
        ("postgresql://u:p%40%2F@h/d?sslmode=verify-full", "postgresql://u:p%40%2F@h/d?sslmode=verify-full"),
        ("postgresql://u@/d?host=/var/run/pg", "postgresql://u@/d?host=%2Fvar%2Frun%2Fpg"),
        ("postgresql:///d?host=/run/pg&port=5433", "postgresql:///d?host=%2Frun%2Fpg&port=5433"),
        ("postgresql://u@h?dbname=d", "postgresql://u@h?dbname=d"),
        ("postgresql://u@h1:1,h2:2/d?target_session_attrs=primary", None),
        ("postgresql+asyncpg://u@h/d?ssl=true", "postgresql://u@h/d?sslmode=require"),
        ("postgresql+asyncpg://u@h/d?ssl=verify-ca", "postgresql://u@h/d?sslmode=verify-ca"),
        ("postgresql://u@h/d?sslmode=require&channel_binding=require&application_name=x",
         "postgresql://u@h/d?sslmode=require"),
    ],
)  # fmt: skip
def test_addresses_that_are_understood(url: str, dsn: str | None) -> None:
    assert addresses.parse(url).dsn == (dsn or url)


def test_the_time_that_connecting_may_take_is_taken_from_the_address() -> None:
    assert addresses.parse("postgresql://h/d?connect_timeout=3") == addresses.Address("postgresql://h/d", 3.0)
    assert addresses.parse("postgresql://h/d?connect_timeout=0").timeout == addresses.DEFAULT_TIMEOUT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "does not begin with postgresql://"),
        ("mysql://u:hunter2@h/d", "does not begin with postgresql://"),
        ("host=h password=hunter2", "does not begin with postgresql://"),
        ("postgresql://u:hunter2@/d", "names no host"),
        ("postgresql://u:hunter2@h", "names no database"),
        ("postgresql://u:hunter2@h/", "names no database"),
        ("postgresql://u:hunter2#x@h/d", "percent-encoded"),
        ("postgresql://u:hunter2/x@h/d", "percent-encoded"),
        ("postgresql://u:hunter2@x@h/d", "percent-encoded"),
        ("postgresql://u:hunter2@h:port/d", "percent-encoded"),
        ("postgresql://u:hunter2@[h/d", "percent-encoded"),
        ("postgresql://u:hunter2@h/d?sslmode=yes", "sslmode is one of"),
        ("postgresql://u:hunter2@h/d?connect_timeout=soon", "connect_timeout is a number"),
        ("postgresql://u:hunter2@h/d?sslmod=require", "unknown option sslmod"),
        ("postgresql://u:hunter2@h/d?sslmode", "percent-encoded"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, words: str) -> None:
    with pytest.raises(errors.ConfigurationError) as raised:
        addresses.parse(url)
    assert words in str(raised.value)
    assert "DATABASE_URL" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(errors.ConfigurationError) as raised:
        addresses.parse("postgresql://u@?sslmode=yes&x=1")
    assert len(raised.value.faults) == 4


async def test_the_password_is_in_no_description() -> None:
    database = engine.Database("postgresql://u:hunter2@h:1/d?password=hunter2")
    assert "hunter2" not in repr(database)
    assert "h:1/d" in repr(database)
    await database.close()


def test_a_database_is_not_made_for_an_address_that_is_wrong() -> None:
    with pytest.raises(errors.ConfigurationError):
        engine.Database("sqlite://")
