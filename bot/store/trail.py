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
ANCHOR = querying.table(tables.AuditAnchor)
BATCH = 1_000
"""Entries read or written by one statement: the driver takes 32,767 parameters in one, and an entry has eleven."""
_LONG = sa.text("SET LOCAL statement_timeout = '120s'")
"""To count a whole chain takes seconds, where the trail has millions of entries."""
CHECKED = 10_000
"""So many of the newest entries of each chain shown are checked with a page; `verify` checks all."""


_BEFORE_ALL = -(2**63)
"""No chain has an entry there; one that was put there by hand is to be seen."""


def anchor(row: querying.Row) -> audit.Anchor:
    return audit.Anchor(row.chain, row.seq, row.hash, row.entries)


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
        seq, previous, month = head.seq, head.hash, head.now
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
                    "month": month,
                }
            )
            previous = digest
        for start in range(0, len(rows), BATCH):
            await self._queries.count(sa.insert(TABLE).values(rows[start : start + BATCH]))
        ended = sa.update(HEAD).where(HEAD.c.chain == chain).values(seq=seq, hash=previous, month=month)
        await self._queries.count(ended)

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
        await self._queries.count(_LONG)
        return await self._check(chain, None)

    async def heads(self) -> Sequence[audit.Head]:
        anchored = await self._queries.all(sa.select(ANCHOR).order_by(ANCHOR.c.seq))
        anchors = {row.chain: anchor(row) for row in anchored}  # the newest of each
        rows = await self._queries.all(sa.select(HEAD).order_by(HEAD.c.chain))
        return [audit.Head(row.chain, row.seq, row.hash, anchors.get(row.chain)) for row in rows]

    async def stretch(
        self, chain: str, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[int, int] | None:
        ours = [TABLE.c.chain == chain]
        if since is not None:
            ours.append(TABLE.c.at >= since)
        if until is not None:
            ours.append(TABLE.c.at < until)
        ends = sa.select(sa.func.min(TABLE.c.seq).label("first"), sa.func.max(TABLE.c.seq).label("last"))
        row = await self._queries.first(ends.where(*ours))
        return None if row is None or row.first is None else (row.first, row.last)

    async def batch(
        self, chain: str, after: int, upto: int, *, incident_id: int | None = None
    ) -> Sequence[audit.Entry]:
        return await self._entries(chain, after, BATCH, upto, incident_id)

    async def _head(self, chain: str) -> querying.Row:
        """The end of the chain, locked until the transaction ends, and the month that the next entries are of (`now`):
        the server's, but never one before that of the last entry."""
        month = sa.func.greatest(HEAD.c.month, sa.text("date_trunc('month', now() AT TIME ZONE 'UTC')::date"))
        locked = sa.select(HEAD.c.seq, HEAD.c.hash, month.label("now")).where(HEAD.c.chain == chain).with_for_update()
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
        anchored = await self._anchor(chain)
        columns_of = (HEAD,) if newest is not None else (HEAD, _entries_of_head())
        head = await self._queries.first(sa.select(*columns_of).where(HEAD.c.chain == chain))
        if head is None:
            first = await self._entries(chain, _BEFORE_ALL, 1)
            if first or anchored is not None:
                return audit.Flaw(first[0] if first else None, "the head of the chain is gone")
            return None
        seq, previous = (0, audit.GENESIS) if anchored is None else (anchored.seq, anchored.hash)
        after, last = _BEFORE_ALL, None
        if newest is not None and head.seq - newest > seq:
            seq = after = head.seq - newest
            before = await self._entries(chain, seq - 1, 1)
            if not before or before[0].seq != seq:
                return audit.Flaw(before[0] if before else None, f"entry {seq} is gone")
            last, previous = before[0], before[0].hash
        while batch := await self._entries(chain, after, BATCH, head.seq):
            if (broken := audit.broken_at(batch, previous, seq)) is not None:
                return audit.Flaw(broken, f"entry {broken.seq} does not follow from the one before it")
            last = batch[-1]
            seq, previous = last.seq, last.hash
            after = seq
        if (seq, previous) != (head.seq, head.hash):
            return audit.Flaw(last, f"the entries after {seq} are gone: there were {head.seq}")
        return None if newest is not None else await self._uncounted(head, anchored, last)

    async def _uncounted(
        self, head: querying.Row, anchored: audit.Anchor | None, last: audit.Entry | None
    ) -> audit.Flaw | None:
        """What following the chain does not show: entries twice or after the head, and an anchor that nobody told."""
        expected = head.seq - (0 if anchored is None else anchored.seq)
        if head.entries != expected:
            return audit.Flaw(last, f"there are {head.entries} entries where the head knows of {expected}")
        if anchored is None:
            return None
        told = sa.select(TABLE.c.seq).where(
            TABLE.c.chain == anchored.chain,
            TABLE.c.tag == audit.PRUNED,
            TABLE.c.seq > anchored.seq,
            TABLE.c.data["hash"].as_string() == anchored.hash,
        )
        if await self._queries.first(told.limit(1)) is None:
            return audit.Flaw(last, f"the entries up to {anchored.seq} are gone, and the chain does not tell of it")
        return None

    async def _anchor(self, chain: str) -> audit.Anchor | None:
        newest = sa.select(ANCHOR).where(ANCHOR.c.chain == chain).order_by(ANCHOR.c.seq.desc()).limit(1)
        row = await self._queries.first(newest)
        return None if row is None else anchor(row)

    async def _entries(
        self, chain: str, after: int, limit: int, upto: int | None = None, incident_id: int | None = None
    ) -> Sequence[audit.Entry]:
        wanted = sa.select(TABLE).where(TABLE.c.chain == chain, TABLE.c.seq > after)
        if upto is not None:
            wanted = wanted.where(TABLE.c.seq <= upto)
        if incident_id is not None:
            wanted = wanted.where(TABLE.c.incident_id == incident_id)
        return [value(row) for row in await self._queries.all(wanted.order_by(TABLE.c.seq).limit(limit))]


def _entries_of_head() -> sa.Label[int]:
    """How many entries its chain has, counted in the statement that reads the head: both as of one moment."""
    mine = sa.select(sa.func.count()).where(TABLE.c.chain == HEAD.c.chain).correlate(HEAD)
    return mine.scalar_subquery().label("entries")


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
