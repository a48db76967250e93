"""Remembering: what earlier sweeps learnt goes into a snapshot, and what this one adds goes into the record.

Two stages look at clusters, and both come here before the detectors: `bot.flow.sweeping`, which learns, and
`bot.flow.examining` for a fresh look at one incident, which does not: the rates of a cluster are those of its sweeps.
Logs alone are also read while an action for them is verified: nothing else shows that their errors are gone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from bot.domain import ports
from k8s import detection, history, learning, log_rates, model

FAMILIES: dict[str, history.Family] = {"RestartGrowth": "restarts", "MemoryGrowth": "memory", "LogErrors": "logs"}
"""Failure kind → what it rests on."""
LISTENERS = 6
"""Logs read at a time."""
LISTEN_SECONDS = 5.0
"""For all logs of a sweep: what has not come by then is asked for in the next one."""


async def recalled(wired: ports.Ports, seen: model.Snapshot, kinds: detection.Options) -> model.Snapshot:
    """The snapshot with what is known of its workloads, for the kinds that are looked for; nothing is learnt."""
    families = _families(kinds)
    if not families:
        return replace(seen, past=history.History(kept=True))
    namespace = seen.scope.include[0] if len(seen.scope.include) == 1 else ""
    async with wired.store.begin() as tx:
        return replace(seen, past=await tx.baselines.known(seen.cluster, families, _plain(namespace)))


async def learnt(wired: ports.Ports, seen: model.Snapshot, kinds: detection.Options, *, listen: bool) -> model.Snapshot:
    """The snapshot with what is known of its workloads, brought up to date, and stored so.

    `listen`: whether logs may be read, for the kind that needs them, where it is on.
    """
    remembered = await recalled(wired, seen, kinds)
    families = _families(kinds)
    if not families:
        return remembered
    found = await asyncio.to_thread(learning.learn, seen, remembered.past, families, listen=listen)
    logs = await _listened(wired, seen, remembered.past, found.listening)
    changes = replace(found.changes, logs=logs)
    async with wired.store.begin() as tx:
        await tx.baselines.keep(seen.cluster, changes, seen.taken_at)
    async with wired.store.begin() as tx:  # not in one with the above: two sweeps would wait for each other's rows
        await tx.baselines.forget(seen.cluster, seen.taken_at)
    return replace(seen, past=remembered.past.with_changes(changes))


def _families(kinds: detection.Options) -> Sequence[history.Family]:
    return [family for kind, family in FAMILIES.items() if kinds.looks_for(kind)]


def _plain(namespace: str) -> str:
    """A namespace's name; empty for a glob."""
    return "" if any(character in namespace for character in "*?[") else namespace


async def _listened(
    wired: ports.Ports, seen: model.Snapshot, past: history.History, listening: Sequence[log_rates.Listening]
) -> dict[history.Place, history.Logs]:
    """The states of the logs that could be read in time."""
    heard: dict[history.Place, history.Logs] = {}
    if not listening:
        return heard
    gate = asyncio.Semaphore(LISTENERS)

    async def hear(one: log_rates.Listening) -> None:
        async with gate:
            text = await wired.ears.log(seen.cluster, one.pod, one.place.container, one.since)
            if text is not None:
                heard[one.place] = await asyncio.to_thread(
                    log_rates.heard, past.logs.get(one.place), one, text, seen.taken_at, noise=wired.rules.log_noise
                )

    try:
        async with asyncio.timeout(LISTEN_SECONDS):
            await asyncio.gather(*(hear(one) for one in listening))
    except TimeoutError:
        pass
    return heard
