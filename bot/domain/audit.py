"""The audit trail: append-only, hash-chained per cluster, written in the transaction of the state that it tells.

The store appends with `chained`; `/watch audit` reads; `broken_at` finds tampering.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

GENESIS = "0" * 64


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


def link(previous: str, seq: int, event: Event) -> str:
    """SHA-256 over the previous hash, the place and the whole event, in a canonical encoding."""
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
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def broken_at(entries: Sequence[Entry], previous: str = GENESIS, seq: int = 0) -> Entry | None:
    """The first entry that does not follow from the one before it (changed, removed, inserted); None if all do."""
    for entry in entries:
        seq += 1
        if entry.seq != seq or entry.previous != previous or entry.hash != link(previous, seq, entry.event):
            return entry
        previous = entry.hash
    return None
