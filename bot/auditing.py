"""`watchkeeper audit`: checks, exports and prunes the trail from a terminal, without Slack. Called by `bot.__main__`.

Nothing of a cluster is asked here, and but for `prune` nothing of the trail is changed: only added to, since who took a
copy and who pruned belongs into it as well.
"""

import os
import pwd
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bot import errors, parts, settings
from bot.domain import audit, words
from bot.store import engine

Say = Callable[[str], None]
OWN = "-"
"""The chain of the bot's own affairs."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported; empty means all."""

    since: datetime | None = None
    until: datetime | None = None
    cluster: str = ""
    incident: int | None = None

    @property
    def told(self) -> dict[str, object]:
        given = {"since": self.since, "until": self.until}
        moments = {name: None if at is None else at.isoformat() for name, at in given.items()}
        return {**moments, "cluster": self.cluster, "incident": self.incident}


def operator() -> str:
    """Who sits at the terminal, as the trail tells it: `cli:ana`."""
    try:
        return f"cli:{pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:  # a container's user without an entry
        return f"cli:{os.geteuid()}"


async def verify(chosen: settings.Settings, say: Say) -> int:
    """Follows every chain from its first entry, or its anchor. Exit code 1 where one is broken."""
    async with parts.record(chosen) as database:
        await database.migrate()
        broken = 0
        async with database.begin() as tx:
            for head in await tx.trail.heads():
                flaw = await tx.trail.verify(head.chain)
                broken += flaw is not None
                say(f"{head.chain}: {_whole(head) if flaw is None else f'BROKEN: {flaw.what}'}")
        guard = await database.guard()
        say(f"database: {guard.told}")
    return 1 if broken else 0


def _whole(head: audit.Head) -> str:
    begun = "" if head.anchor is None else f", those up to {head.anchor.seq} pruned"
    return f"whole: entries up to {head.seq}{begun}; the last has the hash {head.hash}"


def verify_lines(lines: Iterable[bytes], say: Say, *, excerpt: bool) -> int:
    """Checks an export by itself, line by line. Exit code 1 where one is not what it was."""
    reading = audit.Reading(excerpt=excerpt)
    for number, line in enumerate(lines, 1):
        if fault := reading.take(line):
            say(f"line {number}: BROKEN: {fault}")
            return 1
    if not reading.stretches:
        say("there is no entry in it")
        return 1
    for chain, one in sorted(reading.stretches.items()):
        start = "from its first" if one.first == 1 else f"from entry {one.first} on, the one before it taken on trust"
        gaps = f", with {one.gaps} gaps" if one.gaps else ""
        say(f"{chain}: whole: {one.entries} entries {start} to {one.last}{gaps}; the last has the hash {one.hash}")
    return 0


async def export(chosen: settings.Settings, wanted: Wanted, write: Callable[[bytes], object], now: datetime) -> int:
    """Writes what is wanted, a line each, chain after chain, some hundreds of entries in memory at a time.

    That it was taken is told in the trail first. Raises NotPossible where the cluster or the incident has no trail.
    """
    async with parts.record(chosen) as database:
        await database.migrate()
        async with database.begin() as tx:
            heads = await tx.trail.heads()
        chains = [head.chain for head in heads if wanted.cluster in ("", head.chain)]
        if wanted.cluster and not chains:
            raise errors.NotPossible(words.unknown("trail of cluster", wanted.cluster, [head.chain for head in heads]))
        async with database.begin() as tx:
            await tx.trail.append(audit.Event("audit:exported", OWN, operator(), now, data=wanted.told))
        if OWN not in chains and not wanted.cluster:
            chains = sorted([*chains, OWN])
        count = 0
        for chain in chains:
            async for entry in _entries(database, chain, wanted):
                write(audit.line(entry))
                count += 1
        if wanted.incident is not None and not count:
            raise errors.NotPossible(f"The trail tells of no incident WK-{wanted.incident}.")
    return 0


async def _entries(database: engine.Database, chain: str, wanted: Wanted) -> AsyncIterator[audit.Entry]:
    """Each batch in a transaction of its own: a reader that is slow holds none open."""
    async with database.begin() as tx:
        stretch = await tx.trail.stretch(chain, wanted.since, wanted.until)
    if stretch is None:
        return
    after, upto = stretch[0] - 1, stretch[1]
    while True:
        async with database.begin() as tx:
            batch = await tx.trail.batch(chain, after, upto, incident_id=wanted.incident)
        if not batch:
            return
        for entry in batch:
            yield entry
        after = batch[-1].seq


async def prune(chosen: settings.Settings, before: date, say: Say, now: datetime, *, dry: bool) -> int:
    """Drops the months before this one, where every chain is whole. Raises NotPossible, ConfigurationError."""
    async with parts.record(chosen) as database:
        await database.migrate()
        anchors: Sequence[audit.Anchor] = await database.prune(before, operator(), now, dry=dry)
    for one in anchors:
        would = "would be " if dry else ""
        say(f"{one.chain}: {one.entries} entries {would}dropped, up to entry {one.seq} with the hash {one.hash}")
    if not anchors:
        say(f"there is no month before {before:%Y-%m} to drop")
    return 0
