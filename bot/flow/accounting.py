"""Accounting: what models cost, and what exactly was sent to them, for `/watch cost` and `/watch show WK-12 sent`."""

from collections.abc import Sequence
from datetime import UTC, timedelta

from bot import errors
from bot.domain import audit, consultations, ports
from bot.domain import words as sayings

SPANS = {"24h": timedelta(hours=24), "7d": timedelta(days=7)}
CALLS = 60
"""Requests of one incident that are told, the newest."""


async def costs(wired: ports.Ports, words: str) -> Sequence[consultations.Costs]:
    """Of the last `24h` or `7d`; nothing said: of today (UTC) and of seven days. Raises NotPossible."""
    now = wired.clock()
    asked = words.strip().lower()
    if asked and asked not in SPANS:
        raise errors.NotPossible(sayings.unknown("time", asked, tuple(SPANS)))
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since = [now - SPANS[asked]] if asked else [midnight, now - SPANS["7d"]]
    async with wired.store.begin() as tx:
        return [await tx.calls.costs(moment, now + timedelta(seconds=1)) for moment in since]


async def sent(wired: ports.Ports, incident_id: int, cluster: str, user: str) -> Sequence[consultations.Call]:
    """The requests about one incident, oldest first. That this person read them is in the trail."""
    async with wired.store.begin() as tx:
        found = await tx.calls.of_incident(incident_id, CALLS)
        data = {"of": "what was sent to a model", "entries": len(found)}
        event = audit.Event("audit:viewed", cluster, user, wired.clock(), incident_id, None, data)
        await tx.trail.append(event)
    return found
