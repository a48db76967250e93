"""Watching: adding, pausing, resuming and removing watches, as people ask for by `/watch`."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bot import errors
from bot.domain import approvals, audit, incidents, ports, watches, words
from k8s import guardrails
from k8s import policy as rulebook

REMOVED = f"The watch was removed; {incidents.UNKNOWN}"


async def add(wired: ports.Ports, new: watches.NewWatch) -> watches.Watch:
    """Raises NotPossible where the name is taken, the cluster is not known, or it may not be autonomous."""
    if new.mode == "autonomous":
        await _may_be_autonomous(wired, new.name, new.created_by)
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
        data |= {"mode": new.mode} if new.mode != "approve" else {}
        data |= {"labels": new.scope.labels} if new.scope.labels else {}
        data |= new.kinds.parts
        await tx.trail.append(audit.Event("watch:added", "-", new.created_by, now, data=data))
    return added


async def change_mode(wired: ports.Ports, watch: watches.Watch, mode: guardrails.Mode, user: str) -> watches.Watch:
    """Into `autonomous` only by somebody who may approve what is then done without approval, and only where the policy
    switches that on. Every other mode does less, and anybody may choose it. Raises NotPossible."""
    if mode == "autonomous":
        await _may_be_autonomous(wired, watch.name, user)
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(watch.cluster)
        current = await tx.watches.get(watch.id) or watch
        if current.mode == mode:
            raise errors.NotPossible(f"Watch `{watch.name}` is in mode {mode} already.")
        if not await tx.watches.set_mode(watch.id, mode):
            raise errors.NotPossible(f"Watch `{watch.name}` is removed already.")
        data = {"name": watch.name, "mode": mode, "before": current.mode, "policy": wired.rules.policy.hash}
        await tx.trail.append(audit.Event("watch:mode-changed", "-", user, now, data=data))
        for one in await tx.incidents.live(watch.cluster):
            if one.watch_id == watch.id:  # its buttons may be others now
                await tx.views.want("parent", channel=one.channel, incident_id=one.id, due=now)
    wired.bell.ring()
    return replace(current, mode=mode)


async def _may_be_autonomous(wired: ports.Ports, name: str, user: str) -> None:
    """Raises NotPossible, and the trail has who wanted it and why not."""
    why = await _why_not_autonomous(wired, user)
    if not why:
        return
    data = {"button": "mode autonomous", "name": name, "ending": "not-allowed", "why": why}
    data["policy"] = wired.rules.policy.hash
    async with wired.store.begin() as tx:
        await tx.trail.append(audit.Event("press:refused", "-", user, wired.clock(), data=data))
    raise errors.NotPossible(why)


async def _why_not_autonomous(wired: ports.Ports, user: str) -> str:
    policy = wired.rules.policy
    if policy.read_only:
        return "Read-only: nothing is changed from here, so no watch can be autonomous."
    if not policy.autonomous.enabled:
        return (
            "The policy does not allow autonomous watches. Write `autonomous: {enabled: true}` into the policy file "
            "(WATCHKEEPER_POLICY_FILE, docs/policy.md), and restart."
        )
    if not guardrails.alone("low", policy):
        return (
            "What is of low risk takes two people or a reason here, so nothing can be done by itself. The policy's "
            "`tiers: low` says so."
        )
    members = await wired.directory.of(approvals.places(policy))
    if not guardrails.may_approve(user, policy, tier="low", members=members):
        named = [approvals.mention(one) for one in rulebook.named(policy, "low") if one]
        ask = f"Ask {' or '.join(named)}." if named else "Nobody is one: no approvers are set."
        return f"Only who may approve what is of low risk may make a watch autonomous. {ask}"
    return ""


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
        await tx.incidents.lock(watch.cluster)  # before the watch's row, as whoever changes its mode or kinds does
        if not await tx.watches.set_state(watch.id, ("active", "paused"), "removed"):
            raise errors.NotPossible(f"Watch `{watch.name}` is removed already.")
        await tx.trail.append(audit.Event("watch:removed", "-", user, now, data={"name": watch.name}))
        mine = [one for one in await tx.incidents.live(watch.cluster) if one.watch_id == watch.id]
        for one in mine:
            await _close(tx, one, user, now)
    wired.bell.ring()
    return len(mine)


async def _close(tx: ports.Tx, one: incidents.Incident, user: str, now: datetime) -> None:
    await tx.incidents.save(incidents.resolve(one, REMOVED, now))
    for row in await tx.proposals.of_incident(one.id):
        if row.state == "proposed" and await tx.proposals.move(row.id, "proposed", "superseded", now):
            gone = {"why": REMOVED, "digest": row.digest, "policy": row.policy}
            await tx.trail.append(audit.Event("proposal:superseded", one.cluster, user, now, one.id, row.id, gone))
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
