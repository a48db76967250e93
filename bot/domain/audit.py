"""The audit trail: append-only, hash-chained per cluster, written in the transaction of the state that it tells.

The store appends with `link`; `/watch audit` reads; `broken_at` finds tampering. `line` is an entry as it is exported,
and `Reading` checks such lines without the database. docs/audit.md tells third parties how to do the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

GENESIS = "0" * 64
PRUNED = "audit:pruned"
"""Told in every chain that lost its oldest months: what is left begins at the anchor that it names."""
_HEAD, _MIDDLE, _END = b'{"hash":"', b'","entry":', b"}"
_BODY = len(_HEAD) + len(GENESIS) + len(_MIDDLE)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `tag` is `subject:past-tense`, e.g. `proposal:approved`, `execution:started`."""

    tag: str
    chain: str
    """The cluster whose chain it belongs to; `-` for the bot's own affairs (watches, reports)."""
    actor: str
    """Slack user id, `watchkeeper` for the bot itself, `schedule` for a tick."""
    at: datetime
    incident_id: int | None = None
    proposal_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """Details as plain JSON values; redacted by whoever makes the event."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in its place in the chain."""

    seq: int
    event: Event
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where a chain was tampered with."""

    entry: Entry | None
    """The first entry that does not follow, or the last that is left; None where nothing is left."""
    what: str
    """Such as `entry 12 does not follow from the one before it`."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a chain goes on from where its oldest entries were dropped: the last of them, and its hash."""

    chain: str
    seq: int
    hash: str
    entries: int
    """How many were dropped with it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain."""

    chain: str
    seq: int
    hash: str
    anchor: Anchor | None = None
    """Its newest one; None where the chain is there from its first entry."""


def canonical(previous: str, seq: int, event: Event) -> bytes:
    """The bytes that are hashed: JSON in UTF-8, keys sorted, no spaces; `at` in microseconds since 1970."""
    body = {
        "previous": previous,
        "seq": seq,
        "tag": event.tag,
        "chain": event.chain,
        "actor": event.actor,
        "at": round(event.at.timestamp() * 1_000_000),
        "incident": event.incident_id,
        "proposal": event.proposal_id,
        "data": dict(event.data),
    }
    return msgspec.json.encode(body, order="sorted")


def link(previous: str, seq: int, event: Event) -> str:
    """SHA-256 over the previous hash, the place and the whole event, in a canonical encoding."""
    return hashlib.sha256(canonical(previous, seq, event)).hexdigest()


def broken_at(entries: Sequence[Entry], previous: str = GENESIS, seq: int = 0) -> Entry | None:
    """The first entry that does not follow from the one before it (changed, removed, inserted); None if all do."""
    for entry in entries:
        seq += 1
        if entry.seq != seq or entry.previous != previous or entry.hash != link(previous, seq, entry.event):
            return entry
        previous = entry.hash
    return None


def line(entry: Entry) -> bytes:
    """An entry as it is exported: one line, in which the very bytes that were hashed stand from byte 83 on."""
    body = canonical(entry.previous, entry.seq, entry.event)
    return b"".join((_HEAD, entry.hash.encode(), _MIDDLE, body, _END, b"\n"))


@dataclass(slots=True)
class Stretch:
    """What was read of one chain."""

    first: int
    last: int
    hash: str
    """Of the last."""
    entries: int = 0
    gaps: int = 0


class _Place(msgspec.Struct):
    chain: str
    seq: int
    previous: str


class Reading:
    """Follows the lines of an export, one after the other, whichever chains they are of; remembers one place a chain.

    `excerpt`: entries may be missing between two lines, as in the export of one incident.
    """

    def __init__(self, *, excerpt: bool = False) -> None:
        self.stretches: dict[str, Stretch] = {}
        self._excerpt = excerpt

    def take(self, text: bytes) -> str:
        """What is wrong with the next line; empty where it is whole and follows."""
        exported = text.rstrip(b"\r\n")
        body, digest = exported[_BODY : -len(_END)], exported[len(_HEAD) : len(_HEAD) + len(GENESIS)].decode("latin-1")
        if exported != b"".join((_HEAD, digest.encode("latin-1"), _MIDDLE, body, _END)):
            return "it is no line of an export"
        if hashlib.sha256(body).hexdigest() != digest:
            return "its hash is not that of its entry: one of them was changed"
        try:
            place = msgspec.json.decode(body, type=_Place)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "it holds no entry of a trail"
        return self._follow(place, digest)

    def _follow(self, place: _Place, digest: str) -> str:
        known = self.stretches.get(place.chain)
        if known is None:
            known = self.stretches[place.chain] = Stretch(place.seq, place.seq - 1, place.previous)
            if place.seq < 1 or (place.seq == 1 and place.previous != GENESIS):
                return f"entry {place.seq} of {place.chain} begins no chain"
        if place.seq <= known.last:
            return f"entry {place.seq} of {place.chain} stands after entry {known.last}"
        gap = place.seq > known.last + 1
        if gap and not self._excerpt:
            return f"entries of {place.chain} are missing between {known.last} and {place.seq}"
        if not gap and place.previous != known.hash:
            return f"entry {place.seq} of {place.chain} does not follow from the one before it"
        known.last, known.hash, known.entries, known.gaps = place.seq, digest, known.entries + 1, known.gaps + gap
        return ""
