"""Pruning: the oldest months of the audit trail are dropped as a whole, and what is left can still be proved.

A person asks for it (`watchkeeper audit prune`), as the owner of the tables; the running application never does, and
its role could not. Every chain is followed to its end first: a trail that was tampered with is kept for whoever looks
into it. For each chain the last dropped entry becomes its anchor, and the chain itself tells of it. One transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from bot import errors
from bot.domain import audit
from bot.store import partitions, querying, trail


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be dropped."""

    before: date
    partitions: tuple[str, ...]


def plan(connection: sa.Connection, before: date) -> Plan:
    """Raises `errors.NotPossible` for a month that is still written to, `errors.ConfigurationError` where the session
    does not own the tables."""
    if not partitions.owned(connection):
        raise errors.ConfigurationError("DATABASE_URL: only the owner of the tables may prune the audit trail")
    if before > (now := partitions.this_month(connection)):
        raise errors.NotPossible(f"The month {now:%Y-%m} is still written to: months before it can be pruned.")
    return Plan(before, tuple(one.name for one in partitions.known(connection) if one.last < before))


async def prune(queries: querying.Queries, what: Plan, by: str, now: datetime) -> Sequence[audit.Anchor]:
    """Drops them; the anchors of the chains that lost entries. Raises `errors.NotPossible` where a chain is broken."""
    if not what.partitions:
        return ()
    # Nothing is added to these months from here on. The present one goes on being written to until the end.
    await queries.count(sa.text(f"LOCK TABLE {', '.join(what.partitions)} IN SHARE MODE"))
    trailing = trail.Trail(queries)
    anchors = []
    for head in await trailing.heads():
        if (flaw := await trailing.verify(head.chain)) is not None:
            raise errors.NotPossible(f"Nothing is pruned: the chain of {head.chain} is broken: {flaw.what}.")
        if (made := await _anchor(queries, head, what.before)) is not None:
            anchors.append(made)
    for made in anchors:
        await _tell(queries, trailing, made, what.before, by, now)
    await trailing.flush()
    for name in what.partitions:
        await queries.count(sa.text(f"DROP TABLE {name}"))
    return anchors


async def _anchor(queries: querying.Queries, head: audit.Head, before: date) -> audit.Anchor | None:
    """The last entry of the months that go. None where the chain has none in them."""
    ends = sa.select(sa.func.count().label("entries"), sa.func.max(trail.TABLE.c.seq).label("last"))
    going = ends.where(trail.TABLE.c.chain == head.chain, trail.TABLE.c.month < before)
    row = await queries.first(going)
    if row is None or not row.entries:
        return None
    if row.entries != row.last - (0 if head.anchor is None else head.anchor.seq):
        raise errors.NotPossible(
            f"Nothing is pruned: the entries of {head.chain} are not in the order of their months."
        )
    digest = await queries.scalar(
        sa.select(trail.TABLE.c.hash).where(trail.TABLE.c.chain == head.chain, trail.TABLE.c.seq == row.last)
    )
    return audit.Anchor(head.chain, row.last, digest, row.entries)


async def _tell(
    queries: querying.Queries, trailing: trail.Trail, made: audit.Anchor, before: date, by: str, now: datetime
) -> None:
    kept = {"chain": made.chain, "seq": made.seq, "hash": made.hash, "entries": made.entries}
    await queries.count(sa.insert(trail.ANCHOR).values(**kept, before=before, pruned_at=now, pruned_by=by))
    data = {"before": f"{before:%Y-%m}", "seq": made.seq, "hash": made.hash, "entries": made.entries}
    await trailing.append(audit.Event(audit.PRUNED, made.chain, by, now, data=data))
