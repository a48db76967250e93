"""Triage: from what a sweep saw to incidents opened, kept, calmed and resolved. One transaction for each sweep.

Serialised per cluster, so that two sweeps that end together cannot open one problem twice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import audit, incidents, linking, merging, ports, proposals, watches
from k8s import detection, model, redact, settling

FORGET_AFTER = timedelta(minutes=30)
"""A finding not seen for this long starts its grace anew when it comes back."""
RECURRENCE = timedelta(days=30)
_AGAIN: tuple[ports.ViewKind, ...] = ("parent", "progress", "recovery")
"""What is shown anew of an incident that goes on: also the reply that said that it was over."""
UNSETTLED = timedelta(minutes=15)
"""A workload that is on the move for longer than this is judged by its findings alone: it may always be."""


@dataclass(frozen=True, slots=True)
class Triaged:
    """Ids of incidents by what happened to them."""

    opened: tuple[int, ...] = ()
    seen: tuple[int, ...] = ()
    resolved: tuple[int, ...] = ()
    merged: tuple[int, ...] = ()
    """Ended because another incident goes on with their problem."""


async def triage(
    wired: ports.Ports,
    sweep: watches.Sweep,
    watch: watches.Watch,
    snapshot: model.Snapshot,
    found: detection.Detection,
) -> Triaged:
    """Finishes the sweep and settles every incident of the cluster that it speaks of, in one transaction."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(watch.cluster)
        first_seen = await tx.findings.observe(watch.cluster, found.problems, sweep.id, now)
        live = await tx.incidents.live(watch.cluster)
        triaging = _Triage(wired, tx, watch, now)
        matched: set[int] = set()
        folded: set[int] = set()
        for match in merging.matched(live, found.problems):
            known = await triaging.known(match)
            if known is not None:
                matched.add(known.id)
                await triaging.keep(known, match.problem)
            elif _mature(match.problem, first_seen, now):
                known = await triaging.open(match.problem)
            folded.update(one.id for one in match.folded)
            await triaging.merge(match.folded, known)
        quiet = [one for one in live if one.id not in matched | folded and one.watch_id == watch.id]
        subjects = [one.subject for one in quiet]
        moving = await asyncio.to_thread(settling.unsettled, snapshot, subjects, wired.rules.verify_hold)
        for one in quiet:
            left = incidents.left(one, watch.scope, snapshot.scope)
            gone = left or incidents.orphaned(one, wired.rules.kinds.kinds, now)
            waits = one.subject in moving and triaging.may_wait(one)
            if gone or (_speaks_of(one, watch, snapshot, found) and not waits):
                await triaging.calm(one, left=left)
        await tx.findings.forget(watch.cluster, now - FORGET_AFTER)
        await tx.sweeps.finish(sweep)
    await _link(wired, triaging.opened)
    wired.bell.ring()
    return Triaged(tuple(triaging.opened), tuple(sorted(matched)), tuple(triaging.resolved), tuple(triaging.merged))


async def notice(wired: ports.Ports, watch: watches.Watch, problems: Sequence[model.Problem]) -> Triaged:
    """Opens incidents for what was found between two sweeps, all of it mature. Nothing is calmed, resolved or merged: a
    part of a cluster says nothing of what is not in it, and of an incident that is open the sweeps tell how it goes on.
    What was found before the watch's kinds were changed is left to them as well.
    """
    now = wired.clock()
    async with wired.store.begin() as tx:
        await tx.incidents.lock(watch.cluster)
        current = await tx.watches.get(watch.id)
        if current is None or current.state != "active" or current.kinds != watch.kinds:
            return Triaged()
        live = await tx.incidents.live(watch.cluster)
        triaging = _Triage(wired, tx, current, now)
        seen: set[int] = set()
        for match in merging.matched(live, problems):
            known = await triaging.known(match)
            if known is None:
                await triaging.open(match.problem)
                continue
            seen.add(known.id)
            if match.known is None:
                await triaging.keep(known, match.problem)
            else:
                await triaging.hold(known)
    await _link(wired, triaging.opened)
    if triaging.opened or seen:
        wired.bell.ring()
    return Triaged(opened=tuple(triaging.opened), seen=tuple(sorted(seen)))


async def _link(wired: ports.Ports, opened: Sequence[int]) -> None:
    """Has the cards of other clusters drawn anew that now tell of one that was opened. A transaction for each, outside
    of the cluster's own: rows of two clusters held at once could be waited for in a circle."""
    for incident_id in opened:
        async with wired.store.begin() as tx:
            one = await tx.incidents.get(incident_id)
            near = () if one is None else await tx.incidents.around(one.cluster, one.opened_at, linking.WITHIN)
        for other in () if one is None else linking.linked(one, near):
            if other.live:
                due = wired.clock() + wired.rules.first_post_delay
                async with wired.store.begin() as tx:
                    await tx.views.want("parent", channel=other.channel, incident_id=other.id, due=due, paced=True)


def _speaks_of(
    incident: incidents.Incident, watch: watches.Watch, snapshot: model.Snapshot, found: detection.Detection
) -> bool:
    """Whether the absence of this incident's findings is a fact: its lists were whole and its detectors ran.

    What belongs to no namespace may show itself in any (a registry by its images, a webhook by its Service): only a
    look at all that is watched speaks of it. A node is seen by every look.
    """
    spread = not incident.subject.namespace and incident.subject.kind != "Node"
    if spread and snapshot.scope != watch.scope:
        return False
    return incidents.covers(incident, snapshot) and not any(kind in found.errors for kind in incident.kinds)


def _mature(problem: model.Problem, first_seen: Mapping[str, datetime], now: datetime) -> bool:
    """Whether any finding has held for its grace, by the cluster's own times or by how long sweeps have seen it."""
    if problem.mature(now):
        return True
    subject = problem.subject.uid or str(problem.subject)
    return any(
        now - first_seen.get(f"{subject}:{finding.kind}:{finding.cause}", now) >= finding.grace
        for finding in problem.findings
    )


class _Triage:
    """The changes of one triage, within its transaction."""

    def __init__(self, wired: ports.Ports, tx: ports.Tx, watch: watches.Watch, now: datetime) -> None:
        self.wired = wired
        self.tx = tx
        self.watch = watch
        self.now = now
        self.kinds = wired.rules.kinds_of(watch)
        self.opened: list[int] = []
        self.resolved: list[int] = []
        self.merged: list[int] = []

    async def known(self, match: merging.Match) -> incidents.Incident | None:
        """The incident that this problem goes on with: its own, or the oldest of those folded into it, made wider."""
        if match.known is not None:
            return match.known
        for one in self._mine(match.folded):
            if merging.may_widen(match.problem, await self.tx.proposals.of_incident(one.id)):
                key = incidents.fingerprint(one.cluster, match.problem)
                past = await self.tx.incidents.past(one.cluster, key, self.now - RECURRENCE)
                wider = merging.widened(one, match.problem, past[0].episode + 1 if past else 1)
                await self._supersede(one, "the problem is wider than this workload")
                await self.tx.incidents.save(wider)
                data = {"from": str(one.subject), "subject": str(wider.subject)}
                await self._tell("incident:widened", wider, data)
                await self._show(wider, self.now, paced=True)
                return wider
        return None

    async def merge(self, folded: Sequence[incidents.Incident], into: incidents.Incident | None) -> None:
        """Ends those whose problem another incident goes on with. What runs for one of them comes to its end first."""
        for one in self._mine(folded):
            rows = await self.tx.proposals.of_incident(one.id)
            if into is None or one.id == into.id or any(row.state in proposals.RUNNING for row in rows):
                continue
            ended = incidents.resolve(one, merging.merged(into), self.now)
            await self.tx.incidents.save(ended)
            self.merged.append(ended.id)
            await self._supersede(ended, f"merged into {into.name}")
            await self._tell("incident:merged", ended, {"into": into.id, "resolution": ended.resolution})
            await self._show(ended, self.now)

    def _mine(self, folded: Sequence[incidents.Incident]) -> list[incidents.Incident]:
        """Those of this watch: another one tells its incidents in a channel of its own."""
        return [one for one in folded if one.watch_id == self.watch.id]

    async def keep(self, known: incidents.Incident, problem: model.Problem) -> None:
        """Still there. The view is touched only where something that it shows changed."""
        if not await self._speaks_for(known):
            return
        changed = incidents.seen_again(known, problem, redact.redact(problem.primary.message), self.now)
        await self.tx.incidents.save(changed)
        if changed.causes != known.causes:
            await self._tell("incident:changed", changed, {"kinds": list(changed.kinds)})
        if _shown(changed) != _shown(known):
            await self._show(changed, self.now, paced=True)

    async def hold(self, known: incidents.Incident) -> None:
        """Still there, as a part of the cluster shows: a sweep that did not find it does not count any more."""
        if (known.clear_sweeps or known.clear_since is not None) and await self._speaks_for(known):
            held = replace(known, clear_sweeps=0, clear_since=None, last_seen_at=self.now)
            await self.tx.incidents.save(held)

    async def _speaks_for(self, one: incidents.Incident) -> bool:
        """Whether this look tells of an incident as its own watch's would: that watch goes by the same kinds."""
        if one.watch_id == self.watch.id:
            return True
        return self.wired.rules.kinds_of(await self.tx.watches.get(one.watch_id)) == self.kinds

    async def open(self, problem: model.Problem) -> incidents.Incident | None:
        """The incident that was opened, or went on; None where these are signals of one that is over."""
        cluster = self.watch.cluster
        last = await self.tx.incidents.last_resolved(cluster, problem.subject)
        quiet = self.wired.rules.quiet_after_fix
        if incidents.is_old_signal(problem, last, self.now, quiet):
            return None
        again = last if incidents.came_back(last, self.now, quiet) else None
        if again is not None and await self._speaks_for(again):
            reopened = await self._reopen(again, problem)
            if reopened is not None:
                return reopened
        key = incidents.fingerprint(cluster, problem)
        past = await self.tx.incidents.past(cluster, key, self.now - RECURRENCE)
        flapping = incidents.reopened_flapping(past, self.now)
        if flapping is not None and await self._speaks_for(flapping):
            return await self._flap(flapping, problem)
        previous = past[0] if past else None
        opened = await self.tx.incidents.open(
            incidents.Incident(
                id=0,
                fingerprint=key,
                episode=1 if previous is None else previous.episode + 1,
                cluster=cluster,
                subject=problem.subject,
                kinds=problem.kinds,
                causes=incidents.causes(problem),
                severity=problem.severity,
                state="open",
                headline=redact.redact(problem.primary.message),
                watch_id=self.watch.id,
                channel=self.watch.channel or self.wired.rules.default_channel,
                since=problem.since,
                opened_at=self.now,
                last_seen_at=self.now,
                ready=problem.ready,
                desired=problem.desired,
                previous_id=None if previous is None else previous.id,
                diagnosis_wanted=True,
            )
        )
        if opened is None:
            return None
        self.opened.append(opened.id)
        data = {"subject": str(opened.subject), "kinds": list(opened.kinds), "severity": opened.severity}
        await self._tell("incident:opened", opened, data)
        await self._show(opened, self.now + self.wired.rules.first_post_delay)
        return opened

    async def _reopen(self, last: incidents.Incident, problem: model.Problem) -> incidents.Incident | None:
        """New failures short after a verified action: its thread goes on. None where the action was taken back since:
        what comes then is of the undo, and an episode of its own."""
        rows = await self.tx.proposals.of_incident(last.id)
        done = next((row for row in reversed(rows) if row.kind == "remedy" and row.state == "verified"), None)
        if done is None or any(row.state in proposals.RUNNING for row in rows):
            return None
        again = incidents.reopened(last, problem, redact.redact(problem.primary.message), self.now)
        await self.tx.incidents.save(again)
        await self.tx.verifications.came_back(done.id, self.now)
        self.opened.append(again.id)
        held = self.now - (last.resolved_at or self.now)
        data = {"kinds": list(again.kinds), "after": done.kubectl, "minutes": int(held.total_seconds() // 60)}
        await self._tell("incident:reopened", again, data, done.id)
        for kind in _AGAIN:
            await self.tx.views.want(kind, channel=again.channel, incident_id=again.id, due=self.now)
        return again

    async def _flap(self, last: incidents.Incident, problem: model.Problem) -> incidents.Incident:
        """The third time within the hour: the last thread goes on, and nothing new is posted."""
        again = incidents.seen_again(last, problem, redact.redact(problem.primary.message), self.now)
        again = replace(again, state="open", resolved_at=None, resolution="", flapping=True, diagnosis_wanted=True)
        await self.tx.incidents.save(again)
        await self._tell("incident:flapping", again, {"kinds": list(again.kinds)})
        await self._show(again, self.now)
        return again

    def may_wait(self, one: incidents.Incident) -> bool:
        """Whether its end may wait until its workload has settled: not where nobody looks for what it was, or for
        ever."""
        return not self._off(one) and self.now - one.last_seen_at < UNSETTLED

    def _off(self, one: incidents.Incident) -> list[str]:
        """Those of its kinds that nobody looks for any more."""
        known = self.kinds.kinds
        return [kind for kind in one.kinds if not self.kinds.looks_for(kind) or kind not in known]

    async def calm(self, one: incidents.Incident, *, left: bool = False) -> None:
        """A good sweep did not find it. Resolves after the second one (or enough time).

        Where it was not looked for, because its kind was turned off or its namespace `left` the watch, its end is told
        as that and not as a recovery.
        """
        rows = await self.tx.proposals.of_incident(one.id)
        off = self._off(one)
        told = _left(one) if left else _unlooked(off, self.watch) if off else ""
        calmer = incidents.seen_clear(one, self.now, told or _ended(rows))
        if calmer.state == "resolved" and any(row.state in proposals.RUNNING for row in rows):
            return
        await self.tx.incidents.save(calmer)
        if calmer.state == "resolved":
            self.resolved.append(calmer.id)
            why = "its namespace is not watched any more" if left else "its kind is turned off"
            await self._supersede(calmer, why if told else "the problem is gone")
            await self._tell("incident:resolved", calmer, {"resolution": calmer.resolution})
            await self._show(calmer, self.now)
            if not told:
                await self.tx.views.want("recovery", channel=calmer.channel, incident_id=calmer.id, due=self.now)

    async def _supersede(self, one: incidents.Incident, why: str) -> None:
        for row in await self.tx.proposals.of_incident(one.id):
            if row.state == "proposed" and row.kind == "remedy":
                await self.tx.proposals.move(row.id, "proposed", "superseded", self.now)
                await self._tell("proposal:superseded", one, {"why": why}, row.id)

    async def _tell(
        self, tag: str, one: incidents.Incident, data: Mapping[str, object], proposal_id: int | None = None
    ) -> None:
        event = audit.Event(tag, one.cluster, "watchkeeper", self.now, one.id, proposal_id, dict(data))
        await self.tx.trail.append(event)

    async def _show(self, one: incidents.Incident, due: datetime, *, paced: bool = False) -> None:
        await self.tx.views.want("parent", channel=one.channel, incident_id=one.id, due=due, paced=paced)


def _ended(rows: Sequence[proposals.Proposal]) -> str:
    """How an incident ended whose problem is gone. What was done here may have helped: it is told, not claimed."""
    done = [f"{row.kubectl} ({row.state.replace('-', ' ')})" for row in rows if row.state in merging.DONE]
    return f"The problem is gone. Done here before: {'; '.join(done)}." if done else incidents.UNTOUCHED


def _left(one: incidents.Incident) -> str:
    """How an incident ended whose namespace does not have the labels of its watch any more."""
    return f"Namespace {one.subject.namespace} is not watched any more; {incidents.UNKNOWN}"


def _unlooked(off: Sequence[str], watch: watches.Watch) -> str:
    """How an incident ended of whose kinds these are not looked for any more."""
    where = f" for watch {watch.name}" if set(off) <= set(watch.kinds.off) else ""
    return f"{', '.join(off)} {'is' if len(off) == 1 else 'are'} turned off{where}; {incidents.UNKNOWN}"


def _shown(one: incidents.Incident) -> tuple[object, ...]:
    """What a reader of the parent message would notice."""
    return (one.headline, one.kinds, one.severity, one.ready, one.desired, one.state)
