"""The settings as they are told to people: `watchkeeper config`, its notes, and the page docs/configuration.md.

Called by `bot.__main__` and, for the notes at the start, by `bot.main`. No secret leaves here unmasked.
"""

import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import pydantic

from bot import formats, settings
from k8s import policy_words

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as it is told to people: the value is masked where it is a secret."""

    name: str
    value: str
    source: Literal["default", "environment"]
    doc: str


def describe(chosen: settings.Settings) -> Sequence[Row]:
    """Every setting in the order of `bot.settings`, secrets masked."""
    rows = []
    for field, info in settings.Settings.model_fields.items():
        source: Literal["default", "environment"] = "environment" if field in chosen.model_fields_set else "default"
        rows.append(Row(settings.variable(field), _told(getattr(chosen, field)), source, info.description or ""))
    return rows


def warnings(chosen: settings.Settings) -> tuple[str, ...]:
    """What is allowed but should be known: told by `config` and at the start."""
    return tuple(_warnings(chosen))


def _warnings(chosen: settings.Settings) -> Iterator[str]:
    if chosen.read_only:
        yield f"{settings.variable('read_only')} is true: nothing is ever changed in a cluster."
    elif chosen.policy_file is not None:
        yield from policy_words.concerns(chosen.policy)
    elif not chosen.approvers:
        yield f"Nobody may approve: {settings.variable('approvers')} is empty. Set it to {settings.how('approvers')}."
    elif "*" in chosen.approvers:
        yield f"Everyone in the Slack workspace may approve: {settings.variable('approvers')} holds *."
    if chosen.kinds_off:
        yield f"Not looked for: {', '.join(chosen.kinds_off)}. {settings.variable('kinds_off')} turns them off."
    if chosen.certificates:
        yield f"Certificates are read: {settings.variable('certificates')} is true, and the reader must list Secrets."
    if chosen.secret_changes:
        name = settings.variable("secret_changes")
        yield f"Secrets are asked when they were changed: {name} is true, and the reader must get Secrets."
    if chosen.database_url is None:
        yield f"The record is kept by an embedded Postgres in {chosen.data_dir}: run one replica only."
    if chosen.listen_host not in _LOOPBACK:
        name = settings.variable("listen_host")
        yield f"{name} is not this machine alone: /metrics and /readyz are open to its network."
    slack = urllib.parse.urlsplit(chosen.slack_api_url)
    if slack.scheme == "http" and slack.hostname not in _LOOPBACK:
        yield f"{settings.variable('slack_api_url')} is plain http: tokens travel in the clear."


def _told(value: object) -> str:
    match value:
        case None | "" | ():
            return "(none)"
        case pydantic.SecretStr():
            return _masked(value.get_secret_value())
        case timedelta():
            return formats.in_words(value)
        case Mapping():
            return ",".join(f"{name}={_told(one)}" for name, one in value.items()) or "(none)"
        case (float() | int(), *_):
            return "/".join(f"{each:g}" for each in value)
        case tuple():
            return ",".join(value)
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _masked(secret: str) -> str:
    """`********`; of a database's address all but the password and the options, which may hold one."""
    if "://" not in secret:
        return "********"
    parts = urllib.parse.urlsplit(secret)
    place = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}:********@" if parts.password else f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{place}{parts.path}" + ("?********" if parts.query else "")


def markdown() -> str:
    """docs/configuration.md: every setting with its default, the same on every machine."""
    lines = ["# Configuration", "", *_MARKDOWN_HEAD]
    for field, info in settings.Settings.model_fields.items():
        names = [settings.variable(field)]
        if isinstance(info.validation_alias, pydantic.AliasChoices):
            names = [str(name) for name in info.validation_alias.choices]
        said = " or ".join(f"`{name}`" for name in names)
        doc = (info.description or "").replace("\n", " ")
        lines += [
            f"### {said}",
            "",
            f"{doc}",
            "",
            f"Default: `{_told(info.default)}`. Set it to {settings.how(field)}.",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


_MARKDOWN_HEAD = (
    "Watchkeeper is configured by environment variables, and by nothing else. `watchkeeper config` prints what holds",
    "now, with secrets masked; a missing or malformed one is named in one line with how to set it, all at once.",
    "Durations are written `90s`, `15m`, `12h` (a bare number is seconds); lists have commas between their entries; an",
    "empty variable counts as not set. `watchkeeper kinds` lists the failure kinds, with what holds of each.",
    "",
    "This page is made by `python -m bot config --markdown`.",
    "",
)
