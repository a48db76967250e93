"""The written forms of settings: durations, lists, tokens, channels, users, addresses, failure kinds, cron expressions.

Pure. `bot.settings` checks every variable with these; a door may use `cron_fault` for what a person types. Each check
returns the value or raises ValueError with what is wrong, never with the value: that might be a misplaced secret.
"""

import contextlib
import contextvars
import difflib
import re
import urllib.parse
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pydantic
from apscheduler.triggers import cron

from k8s import detection

_Read = TypeVar("_Read")
_TOKEN = re.compile(r"[A-Za-z0-9-]{4,}")
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,}|#[\w-]{1,80}")
_USER = re.compile(r"[UW][A-Z0-9]{2,}|\*")
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)?")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,99}")
_AMOUNTS = ("in", "out", "written", "read")
_AMOUNT = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parts(value: object) -> object:
    """`a, b` → (a, b)."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def duration(value: object) -> object:
    """`90s`, `15m`, `12h`, `2d`, `250ms`; a bare number is seconds."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("it is not a duration such as 90s, 15m or 12h")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])


def token(prefix: str) -> Callable[[pydantic.SecretStr | None], pydantic.SecretStr | None]:
    """A check that a Slack token is of the right kind: they differ in their prefix, and are easily mixed up."""

    def check(secret: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
        if secret is not None:
            text = secret.get_secret_value()
            if not text.startswith(prefix):
                raise ValueError(f"it does not begin with {prefix}")
            if _TOKEN.fullmatch(text) is None:
                raise ValueError("it holds characters that no such token has (a space, a line break or quotes?)")
        return secret

    return check


def signing_secret(secret: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
    """Slack's are 32 hex digits; stand-ins and proxies may have others, so only the obviously wrong is refused."""
    if secret is not None and re.fullmatch(r"[A-Za-z0-9]{8,}", secret.get_secret_value()) is None:
        raise ValueError("it is too short or holds characters that no signing secret has")
    return secret


def database(secret: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
    """A Postgres address that can be taken apart."""
    if secret is None:
        return None
    scheme = secret.get_secret_value().partition("://")[0]
    if scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("it does not begin with postgresql://")
    try:
        _ = urllib.parse.urlsplit(secret.get_secret_value()).port
    except ValueError:
        raise ValueError("its host or port cannot be read (is the password percent-encoded?)") from None
    return secret


def role(value: str) -> str:
    """A Postgres role that can be written without quotes (https://www.postgresql.org/docs/current/sql-syntax-lexical.html)."""
    if value and _ROLE.fullmatch(value) is None:
        raise ValueError("it is no plain name of a role: lower case letters, digits and _, at most 63")
    return value


def url(value: str) -> str:
    """A http or https address, with the slash at its end that joining needs."""
    parts = urllib.parse.urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not a http or https address")
    return value if value.endswith("/") else value + "/"


def url_or_none(value: str) -> str:
    """The same, or empty. Without a password: an address is shown to people, a token is not."""
    if value and "@" in urllib.parse.urlsplit(value).netloc:
        raise ValueError("it holds a user or a password: set a token beside it")
    return url(value) if value else ""


def tenant_or_none(value: str) -> str:
    """Tenants as Loki names them (https://grafana.com/docs/loki/latest/operations/multi-tenancy/), or empty."""
    names = value.split("|") if value else []
    if any(re.fullmatch(r"[A-Za-z0-9!_.*'()-]{1,150}", name) is None or name in (".", "..") for name in names):
        raise ValueError("it is no name of a tenant (letters, digits and ! - _ . * ' ( ), up to 150 of them)")
    return value


def key(secret: pydantic.SecretStr | None) -> pydantic.SecretStr | None:
    """A key that can stand in a header."""
    if secret is not None and re.fullmatch(r"[!-~]{8,}", secret.get_secret_value()) is None:
        raise ValueError("it is too short or holds characters that no key has (a space, a line break or quotes?)")
    return secret


def model_name(value: str) -> str:
    """The name of a model, as its provider writes it."""
    if _MODEL.fullmatch(value) is None:
        raise ValueError("it is no name of a model")
    return value


def model_name_or_off(value: str) -> str:
    """The same; empty where it is `off`."""
    return "" if value in ("", "off") else model_name(value)


def prices(value: object) -> object:
    """`name=in/out/written/read, …` → name → US dollars for a million tokens of each."""
    if not isinstance(value, str):
        return value
    found = _each(value, _priced)
    if twice := {name for name, _ in found if [other for other, _ in found].count(name) > 1}:
        raise ValueError(f"it names {', '.join(sorted(twice))} a second time: write it once")
    return dict(found)


def _priced(entry: str) -> tuple[str, tuple[float, ...]]:
    name, equals, told = (half.strip() for half in entry.partition("="))
    if not equals:
        raise ValueError("has no = in it: write claude-sonnet-5-5=2/10/2.5/0.1")
    return model_name(name), _price(told)


def _price(text: str) -> tuple[float, ...]:
    amounts = text.split("/")
    if len(amounts) != len(_AMOUNTS) or any(_AMOUNT.fullmatch(each.strip()) is None for each in amounts):
        raise ValueError(f"is no price: write {'/'.join(_AMOUNTS)}, each a number of US dollars for a million tokens")
    return tuple(float(each) for each in amounts)


def channel(value: str) -> str:
    """A Slack channel id, or `#name`: lower case, at most 80 characters (https://api.slack.com/methods/conversations.create)."""
    if value and (_CHANNEL.fullmatch(value) is None or value != (value.lower() if value[0] == "#" else value)):
        raise ValueError("it is neither a channel id such as C0123456789 nor a name such as #oncall")
    return value


def users(values: tuple[str, ...]) -> tuple[str, ...]:
    """Slack user ids (U…, or W… in an Enterprise Grid), or `*`."""
    for number, value in enumerate(values, 1):
        if _USER.fullmatch(value) is None:
            raise ValueError(f"entry {number} is no Slack user id")
    return values


def zone(value: str) -> str:
    """An IANA time zone that this machine knows."""
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(value, sorted(zoneinfo.available_timezones()), 1, 0.7)
        raise ValueError("no such time zone" + (f" (did you mean {near[0]}?)" if near else "")) from None
    return value


def schedule(value: str) -> str:
    """A cron expression, by `cron_fault`."""
    if fault := cron_fault(value):
        raise ValueError(fault)
    return value


def schedule_or_off(value: str) -> str:
    """A cron expression, or `off`."""
    return value if value == "off" else schedule(value)


def configmap(value: str) -> str:
    """`namespace/name` (kubernetes.io/docs/concepts/overview/working-with-objects/names)."""
    part = "[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
    if value and re.fullmatch(f"{part}/{part}", value) is None:
        raise ValueError("it is not namespace/name")
    return value


def home(value: Path) -> Path:
    """With `~` made the home folder."""
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("there is no home folder to put it in") from None


def flag(value: object) -> object:
    """https://no-color.org: any value but the empty one."""
    return value.lower() not in {"0", "false", "no"} if isinstance(value, str) else value


_LABEL = r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?"
_REQUIREMENT = re.compile(
    rf"(?:!{_LABEL}|{_LABEL}(?:(?:==?|!=)(?:[A-Za-z0-9](?:[\w.-]{{0,61}}[A-Za-z0-9])?)?)?)", re.ASCII
)


def selector(value: str) -> str:
    """`team=payments, env!=dev, !legacy` as the API takes it. Raises ValueError naming the part at fault.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#equality-based-requirement
    """
    found = [part.strip() for part in value.split(",") if part.strip()]
    for number, part in enumerate(found, 1):
        if not _REQUIREMENT.fullmatch(part):
            raise ValueError(f"part {number} is no requirement such as team=payments, env!=dev, team or !legacy")
    return ",".join(found)


# --- failure kinds

LONGEST_GRACE = timedelta(days=1)
"""What has lasted for a day is no normal life any more; who does not want to hear of a kind turns it off."""
_SEVERITIES = ("P1", "P2", "P3")
_OWN: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("_OWN", default=())
"""Failure kinds of somebody's own, while settings are read that may name them."""


@contextlib.contextmanager
def knowing(own: Iterable[str]) -> Iterator[None]:
    """Within it, these kinds are known beside those of the catalogue."""
    token = _OWN.set(tuple(own))
    try:
        yield
    finally:
        _OWN.reset(token)


def _known() -> dict[str, str]:
    return {kind.lower(): kind for kind in (*detection.KINDS, *_OWN.get())}


def kinds(value: object) -> object:
    """`JobFailed, nodepressure` → (JobFailed, NodePressure): upper and lower case count for nothing, as in a mute."""
    if not isinstance(value, str):
        return value
    before: list[str] = []
    return tuple(_each(value, lambda entry: _new_kind(entry, before)))


def graces(value: object) -> object:
    """`NotReady=10s, Unschedulable=5m` → kind: duration."""
    return _by_kind(value, _grace, "90s") if isinstance(value, str) else value


def severities(value: object) -> object:
    """`OOMKilled=P1, JobFailed=p3` → kind: severity."""
    return _by_kind(value, _severity, "P1") if isinstance(value, str) else value


def _each(value: str, read: Callable[[str], _Read]) -> list[_Read]:
    """Every entry as it is read, or a ValueError that says of each bad one what is wrong with it."""
    found: list[_Read] = []
    wrong: list[str] = []
    for number, entry in enumerate((part.strip() for part in value.split(",") if part.strip()), 1):
        try:
            found.append(read(entry))
        except ValueError as fault:
            wrong.append(f"entry {number} {fault}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def _by_kind(value: str, read: Callable[[str], object], example: str) -> dict[str, object]:
    before: list[str] = []

    def pair(entry: str) -> tuple[str, object]:
        name, equals, told = (half.strip() for half in entry.partition("="))
        if not equals:
            raise ValueError(f"has no = in it: write {_nearest(name) or 'NotReady'}={example}")
        kind = _new_kind(name, before)
        if not told:
            raise ValueError(f"says nothing of {kind}: write {kind}={example}, or leave it out")
        return kind, read(told)

    return dict(_each(value, pair))


def _new_kind(name: str, before: list[str]) -> str:
    """The kind, now one of those `before`."""
    kind = _kind(name)
    if kind in before:
        raise ValueError(f"names {kind} a second time: write it once")
    before.append(kind)
    return kind


def _kind(name: str) -> str:
    kind = _known().get(name.lower())
    if kind is None:
        near = _nearest(name)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(_known().values())}"
        raise ValueError(f"names no failure kind ({hint})")
    return kind


def _nearest(name: str) -> str:
    known = _known()
    near = difflib.get_close_matches(name.lower(), known, 1)
    return known[near[0]] if near else ""


def _grace(text: str) -> timedelta:
    try:
        span = duration(text)
    except ValueError:
        raise ValueError("gives no duration such as 90s, 15m or 12h") from None
    if not isinstance(span, timedelta) or span > LONGEST_GRACE:
        raise ValueError(f"gives more than {in_words(LONGEST_GRACE)}: write less, or turn the kind off")
    return span


def _severity(text: str) -> str:
    if text.upper() not in _SEVERITIES:
        raise ValueError(f"gives no severity: write {', '.join(_SEVERITIES[:-1])} or {_SEVERITIES[-1]}")
    return text.upper()


# --- cron expressions

_CRON_PARTS = (("minute", "0-59"), ("hour", "0-23"), ("day", "1-31"), ("month", "1-12"), ("day_of_week", "mon-sun"))


def cron_fault(expression: str) -> str:
    """What is wrong with a cron expression, naming the part; empty where it is good.

    Five parts as in crontab(5), with weekdays by name only: crontab counts them from Sunday, the scheduler from Monday,
    and a report that comes on Tuesday instead of Monday is a fault that nobody would look for here.
    """
    parts = expression.split()
    if len(parts) != len(_CRON_PARTS):
        return f"it has {len(parts)} parts, not the five of a cron expression (minute hour day month weekday)"
    for text, (name, bounds) in zip(parts, _CRON_PARTS, strict=True):
        said = name.replace("day_of_week", "weekday")
        if name == "day_of_week" and any(mark.isdigit() for mark in text.partition("/")[0]):
            return "the weekday must be by name (mon, tue … sun): numbers do not mean the same day everywhere"
        try:
            cron.CronTrigger(**{name: text}, timezone=UTC)
        except ValueError:
            return f"the {said} is not within {bounds}, nor a list, range or step of it"
    if (
        cron.CronTrigger.from_crontab(expression, UTC).get_next_fire_time(None, datetime(2024, 1, 1, tzinfo=UTC))
        is None
    ):
        return "there is no such day in any year"
    return ""


# --- the way back


def in_words(span: timedelta) -> str:
    """As it is written in a variable: `15m`, `90s`, `1.5s`."""
    seconds = span.total_seconds()
    unit = next((unit for unit in ("d", "h", "m") if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds / _UNITS[unit]:g}{unit}"
