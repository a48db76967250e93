"""Watching: adding, pausing, resuming and removing watches, as people ask for by `/watch`."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bot import errors
from bot.domain import audit, incidents, ports, watches, words

REMOVED = f"The watch was removed; {incidents.UNKNOWN}"


async def add(wired: ports.Ports, new: watches.NewWatch) -> watches.Watch:
    """Raises NotPossible where the name is taken or the cluster is not known."""
    if new.cluster not in wired.eyes.clusters:
        raise errors.NotPossible(words.unknown("cluster", new.cluster, wired.eyes.clusters))
    plain = [namespace for namespace in new.scope.include if not set(namespace) & set("*?[")]
    known = await _namespaces(wired, new.cluster) if plain else ()
    for namespace in plain:
        if known and namespace not in known:
            raise errors.NotPossible(words.unknown("namespace", namespace, known, f" in cluster `{new.cluster}`"))
    return await store(wired, new)


async def _namespaces(wired: ports.Ports, cluster: str) -> Sequence[str]:
    """Empty where they may not be listed, as by an identity with namespaced Roles: then nothing is said of names."""
    try:
        return await wired.eyes.names(cluster, "namespaces")
    except errors.ClusterUnavailable:
        return ()


async def store(wired: ports.Ports, new: watches.NewWatch) -> watches.Watch:
    """Adds it without asking the cluster. Raises NotPossible where the name is taken."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        added = await tx.watches.add(new, now)
        if added is None:
            raise errors.NotPossible(f"There is a watch `{new.name}` already: take another name, or remove it first.")
        data = {"name": new.name, "cluster": new.cluster, "include": list(new.scope.include), "cron": new.cron}
        data |= {"labels": new.scope.labels} if new.scope.labels else {}
        data |= new.kinds.parts
        await tx.trail.append(audit.Event("watch:added", "-", new.created_by, now, data=data))
    return added


async def change_kinds(
    wired: ports.Ports, watch: watches.Watch, said: watches.Kinds, forgotten: Collection[str], user: str
) -> watches.Watch:
    """The watch with `said` added to what holds of kinds for it alone; of those `forgotten` the settings hold again.

    Incidents of what is not looked for any more are ended by the sweeps, as where a setting turns a kind off.
    """
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(watch.cluster)  # of two people who change it at once, neither change is lost
        current = await tx.watches.get(watch.id)
        kinds = (watch if current is None else current).kinds.changed(said, forgotten)
        if current is None or not await tx.watches.set_kinds(watch.id, kinds):
            raise errors.NotPossible(f"Watch `{watch.name}` is removed already.")
        if kinds != current.kinds:
            data = {"name": watch.name, **kinds.parts, "before": str(current.kinds)}
            await tx.trail.append(audit.Event("watch:kinds-changed", "-", user, now, data=data))
    return replace(current, kinds=kinds)


async def pause(wired: ports.Ports, watch: watches.Watch, user: str) -> None:
    await _move(wired, watch, ("active",), "paused", user)


async def resume(wired: ports.Ports, watch: watches.Watch, user: str) -> None:
    await _move(wired, watch, ("paused",), "active", user)


async def remove(wired: ports.Ports, watch: watches.Watch, user: str) -> int:
    """Removes it and closes its incidents, whose state nobody looks at any more; how many."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        if not await tx.watches.set_state(watch.id, ("active", "paused"), "removed"):
            raise errors.NotPossible(f"Watch `{watch.name}` is removed already.")
        await tx.trail.append(audit.Event("watch:removed", "-", user, now, data={"name": watch.name}))
        await tx.incidents.lock(watch.cluster)
        mine = [one for one in await tx.incidents.live(watch.cluster) if one.watch_id == watch.id]
        for one in mine:
            await _close(tx, one, user, now)
    wired.bell.ring()
    return len(mine)


async def _close(tx: ports.Tx, one: incidents.Incident, user: str, now: datetime) -> None:
    await tx.incidents.save(incidents.resolve(one, REMOVED, now))
    for row in await tx.proposals.of_incident(one.id):
        if row.state == "proposed":
            await tx.proposals.move(row.id, "proposed", "superseded", now)
    data = {"resolution": REMOVED}
    await tx.trail.append(audit.Event("incident:resolved", one.cluster, user, now, one.id, None, data))
    await tx.views.want("parent", channel=one.channel, incident_id=one.id, due=now)


async def _move(
    wired: ports.Ports, watch: watches.Watch, before: tuple[watches.State, ...], after: watches.State, user: str
) -> None:
    now = wired.clock()
    async with wired.store.begin() as tx:
        if not await tx.watches.set_state(watch.id, before, after):
            raise errors.NotPossible(f"Watch `{watch.name}` is {after} already.")
        await tx.trail.append(audit.Event(f"watch:{after}", "-", user, now, data={"name": watch.name}))
