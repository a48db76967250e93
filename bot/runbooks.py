"""Runbooks as people write them: Markdown with front matter, a line of `/watch runbook add`, a modal. Pure.

    ---
    title: When the ledger is away
    kinds: [CrashLoopBackOff, NotReady]
    labels: {app: ledger}
    ---
    1. Look at …

What is in front matter that cannot be read is no reason to lose the text: it is kept as if nothing had been said.
"""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from bot import formats
from bot.domain import consultations

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
NAMING = "a name may hold lower-case letters, digits, `.`, `-` and `_`, at most 63 of them"
BODY = 20_000
"""Characters; what is longer belongs in a wiki, with a link in here."""
TITLE = 150
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.{0,8000}?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_LABEL = re.compile(r"[A-Za-z0-9./_-]{1,317}")
_VALUE = re.compile(r"[A-Za-z0-9._-]{0,63}")

Field = Literal["name", "title", "kinds", "labels", "body"]


class Wrong(ValueError):
    """What a person entered cannot be kept: which field, and why."""

    def __init__(self, field: Field, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person entered, each field as text."""

    name: str
    title: str = ""
    kinds: str = ""
    labels: str = ""
    body: str = ""


def typed(rest: str) -> Entry:
    """`name [title "…"] [kinds A,B] [labels a=b,c=d] [text …]` of a command. Raises Wrong."""
    name, _, left = rest.strip().partition(" ")
    said: dict[str, str] = {}
    while (word := left.lstrip().partition(" ")[0].lower()) in ("title", "kinds", "labels") and word not in said:
        said[word], left = _value(left.lstrip().partition(" ")[2].lstrip())
    return Entry(name, said.get("title", ""), said.get("kinds", ""), said.get("labels", ""), left.strip())


def _value(text: str) -> tuple[str, str]:
    """One word, or what stands in double quotes; and the rest."""
    straight = text.translate({0x201C: '"', 0x201D: '"'})  # phones type curly quotes
    if not straight.startswith('"'):
        word, _, rest = straight.partition(" ")
        return word, rest
    end = straight.find('"', 1)
    if end < 0:
        raise Wrong("title", "a quote is not closed")
    return " ".join(shlex.split(straight[: end + 1])), straight[end + 1 :]


def made(entry: Entry, user: str, own: Collection[str] = ()) -> consultations.Runbook:
    """The runbook to keep, not redacted yet. `own`: failure kinds beside those of the catalogue. Raises Wrong."""
    if NAME.fullmatch(entry.name) is None:
        raise Wrong("name", NAMING)
    body = entry.body.strip()
    if not body:
        raise Wrong("body", "the text is missing")
    if len(body) > BODY:
        raise Wrong("body", f"{len(body):,} characters are more than {BODY:,}")
    return consultations.Runbook(
        name=entry.name,
        title=" ".join(entry.title.split())[:TITLE] or headed(body) or entry.name,
        body=body,
        source="slack",
        kinds=_kinds(entry.kinds, own),
        labels=_labels(entry.labels),
        added_by=user,
    )


def _kinds(text: str, own: Collection[str]) -> tuple[str, ...]:
    try:
        with formats.knowing(own):
            found = formats.kinds(text)
    except ValueError as error:
        raise Wrong("kinds", str(error)) from error
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def _labels(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in (one.strip() for one in text.split(",") if one.strip()):
        key, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or _LABEL.fullmatch(key) is None or _VALUE.fullmatch(value) is None:
            raise Wrong("labels", "labels are written key=value, with commas between them")
        found[key] = value
    return found


def read(
    name: str, text: str, source: Literal["folder", "configmap"], own: Collection[str] = (), cluster: str = ""
) -> consultations.Runbook:
    """A file of a folder, or an entry of a ConfigMap. Not redacted yet."""
    front, body = _split(text)
    try:
        kinds = _kinds(_listed(front.get("kinds", ())), own)
    except Wrong:
        kinds = ()
    said = front.get("labels")
    labels = {str(key): str(value) for key, value in said.items()} if isinstance(said, Mapping) else {}
    title = front.get("title")
    shown = " ".join(str(title).split()) if isinstance(title, str) else headed(body)
    return consultations.Runbook(
        name=name, title=shown[:TITLE] or name, body=body.strip()[:BODY], source=source, kinds=kinds, labels=labels,
        cluster=cluster,
    )  # fmt: skip


def _split(text: str) -> tuple[Mapping[str, Any], str]:
    match = _FRONT.match(text)
    if match is None:
        return {}, text
    try:
        front = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text
    return (front, text[match.end() :]) if isinstance(front, Mapping) else ({}, text)


def _listed(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


def headed(body: str) -> str:
    """The first heading; empty where there is none."""
    found = _HEADING.search(body)
    return "" if found is None else " ".join(found[1].split())[:TITLE]
