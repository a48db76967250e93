"""The audit trail as rows: appended under the lock of the chain's head, checked when read. Behind `ports.Trail`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from bot.domain import audit, cards
from bot.store import columns, querying, tables

TABLE = querying.table(tables.Audit)
HEAD = querying.table(tables.AuditHead)
BATCH = 1_000
"""Entries read or written by one statement: the driver takes 32,767 parameters in one, and an entry has ten."""
CHECKED = 10_000
"""So many of the newest entries of each chain shown are checked with a page; `verify` checks all."""


def value(row: querying.Row) -> audit.Entry:
    event = audit.Event(
        tag=row.tag,
        chain=row.chain,
        actor=row.actor,
        at=row.at,
        incident_id=row.incident_id,
        proposal_id=row.proposal_id,
        data=row.data,
    )
    return audit.Entry(row.seq, event, row.previous, row.hash)


class Trail:
    def __init__(self, queries: querying.Queries, *, checked: int = CHECKED) -> None:
        self._queries = queries
        self._checked = checked
        self._pending: list[audit.Event] = []

    async def append(self, event: audit.Event) -> None:
        """Kept until the transaction is about to commit: the heads of the chains are the last that it locks, so that
        no two transactions can wait for each other's head and row, and presses queue at a head for moments only."""
        self._pending.append(_storable(event))

    async def flush(self) -> None:
        """Links what was appended to its chains. Called by `engine` before the commit."""
        pending, self._pending = self._pending, []
        for chain in sorted({event.chain for event in pending}):
            await self._link(chain, [event for event in pending if event.chain == chain])

    async def _link(self, chain: str, events: Sequence[audit.Event]) -> None:
        head = await self._head(chain)
        seq, previous = head.seq, head.hash
        rows = []
        for event in events:
            seq += 1
            digest = audit.link(previous, seq, event)
            rows.append(
                {
                    "chain": event.chain,
                    "seq": seq,
                    "tag": event.tag,
                    "actor": event.actor,
                    "at": event.at,
                    "incident_id": event.incident_id,
                    "proposal_id": event.proposal_id,
                    "data": event.data,
                    "previous": previous,
                    "hash": digest,
                }
            )
            previous = digest
        for start in range(0, len(rows), BATCH):
            await self._queries.count(sa.insert(TABLE).values(rows[start : start + BATCH]))
        await self._queries.count(sa.update(HEAD).where(HEAD.c.chain == chain).values(seq=seq, hash=previous))

    async def page(
        self, *, incident_id: int | None = None, actor: str = "", since: datetime | None = None, limit: int = 30
    ) -> cards.AuditPage:
        await self.flush()
        wanted = sa.select(TABLE)
        if incident_id is not None:
            wanted = wanted.where(TABLE.c.incident_id == incident_id)
        if actor:
            wanted = wanted.where(TABLE.c.actor == actor)
        if since is not None:
            wanted = wanted.where(TABLE.c.at >= since)
        newest = wanted.order_by(TABLE.c.at.desc(), TABLE.c.chain, TABLE.c.seq.desc()).limit(limit)
        entries = tuple(value(row) for row in await self._queries.all(newest))
        for chain in sorted({entry.event.chain for entry in entries}):
            flaw = await self._check(chain, self._checked)
            if flaw is not None:
                return cards.AuditPage(entries, flaw.entry or entries[-1])
        return cards.AuditPage(entries)

    async def chains(self) -> Sequence[str]:
        return [str(row.chain) for row in await self._queries.all(sa.select(HEAD.c.chain).order_by(HEAD.c.chain))]

    async def verify(self, chain: str) -> audit.Flaw | None:
        await self.flush()
        await self._queries.all(querying.UNHURRIED)
        return await self._check(chain, None)

    async def _head(self, chain: str) -> querying.Row:
        """The end of the chain, locked until the transaction ends."""
        locked = sa.select(HEAD).where(HEAD.c.chain == chain).with_for_update()
        row = await self._queries.first(locked)
        if row is None:
            begun = postgresql.insert(HEAD).values(chain=chain, seq=0, hash=audit.GENESIS).on_conflict_do_nothing()
            await self._queries.count(begun)
            row = await self._queries.first(locked)
        if row is None:
            raise RuntimeError(f"the head of chain {chain} was removed by hand")
        return row

    async def _check(self, chain: str, newest: int | None) -> audit.Flaw | None:
        """Follows the chain to its head as it is now; only its newest entries where `newest` is given."""
        head = await self._queries.first(sa.select(HEAD).where(HEAD.c.chain == chain))
        if head is None:
            first = await self._entries(chain, 0, 1)
            return audit.Flaw(first[0], "the head of the chain is gone") if first else None
        seq, previous, last = 0, audit.GENESIS, None
        if newest is not None and head.seq > newest:
            seq = head.seq - newest
            before = await self._entries(chain, seq - 1, 1)
            if not before or before[0].seq != seq:
                return audit.Flaw(before[0] if before else None, f"entry {seq} is gone")
            last, previous = before[0], before[0].hash
        while batch := await self._entries(chain, seq, BATCH, head.seq):
            if (broken := audit.broken_at(batch, previous, seq)) is not None:
                return audit.Flaw(broken, f"entry {broken.seq} does not follow from the one before it")
            last = batch[-1]
            seq, previous = last.seq, last.hash
        if (seq, previous) != (head.seq, head.hash):
            return audit.Flaw(last, f"the entries after {seq} are gone: there were {head.seq}")
        return None

    async def _entries(self, chain: str, after: int, limit: int, upto: int | None = None) -> Sequence[audit.Entry]:
        wanted = sa.select(TABLE).where(TABLE.c.chain == chain, TABLE.c.seq > after)
        if upto is not None:
            wanted = wanted.where(TABLE.c.seq <= upto)
        return [value(row) for row in await self._queries.all(wanted.order_by(TABLE.c.seq).limit(limit))]


def _storable(event: audit.Event) -> audit.Event:
    """The event as it will be read back, so that its hash can be made from either."""
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(columns.plain(event.data)))
    return audit.Event(
        tag=columns.clean(event.tag),
        chain=columns.clean(event.chain),
        actor=columns.clean(event.actor),
        at=event.at,
        incident_id=event.incident_id,
        proposal_id=event.proposal_id,
        data=data,
    )
