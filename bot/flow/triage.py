"""Triage: from what a sweep saw to incidents opened, kept, calmed and resolved. One transaction for each sweep.

Serialised per cluster, so that two sweeps that end together cannot open one problem twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import audit, incidents, ports, proposals, watches
from k8s import detection, model, redact

FORGET_AFTER = timedelta(minutes=30)
"""A finding not seen for this long starts its grace anew when it comes back."""
RECURRENCE = timedelta(days=30)
_DONE = frozenset(("unknown", "verified", "not-verified", "undone"))
"""States of a proposal that something was, or may have been, written for."""


@dataclass(frozen=True, slots=True)
class Triaged:
    """Ids of incidents by what happened to them."""

    opened: tuple[int, ...] = ()
    seen: tuple[int, ...] = ()
    resolved: tuple[int, ...] = ()


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
        for problem in found.problems:
            known = next((one for one in live if one.subject.same(problem.subject)), None)
            if known is not None:
                matched.add(known.id)
                await triaging.keep(known, problem)
            elif _mature(problem, first_seen, now):
                await triaging.open(problem)
        for one in live:
            if one.id not in matched and one.watch_id == watch.id and _speaks_of(one, snapshot, found):
                await triaging.calm(one)
        await tx.findings.forget(watch.cluster, now - FORGET_AFTER)
        await tx.sweeps.finish(sweep)
    wired.bell.ring()
    return Triaged(tuple(triaging.opened), tuple(sorted(matched)), tuple(triaging.resolved))


def _speaks_of(incident: incidents.Incident, snapshot: model.Snapshot, found: detection.Detection) -> bool:
    """Whether the absence of this incident's findings is a fact: its lists were whole and its detectors ran."""
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
        self.opened: list[int] = []
        self.resolved: list[int] = []

    async def keep(self, known: incidents.Incident, problem: model.Problem) -> None:
        """Still there. The view is touched only where something that it shows changed."""
        changed = incidents.seen_again(known, problem, redact.redact(problem.primary.message), self.now)
        await self.tx.incidents.save(changed)
        if changed.causes != known.causes:
            await self._tell("incident:changed", changed, {"kinds": list(changed.kinds)})
        if _shown(changed) != _shown(known):
            await self._show(changed, self.now, paced=True)

    async def open(self, problem: model.Problem) -> None:
        cluster = self.watch.cluster
        last = await self.tx.incidents.last_resolved(cluster, problem.subject)
        if incidents.is_old_signal(problem, last, self.now) and not await self._unwatched(last):
            return
        key = incidents.fingerprint(cluster, problem)
        past = await self.tx.incidents.past(cluster, key, self.now - RECURRENCE)
        flapping = incidents.reopened_flapping(past, self.now)
        if flapping is not None:
            await self._flap(flapping, problem)
            return
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
            return
        self.opened.append(opened.id)
        data = {"subject": str(opened.subject), "kinds": list(opened.kinds), "severity": opened.severity}
        await self._tell("incident:opened", opened, data)
        await self._show(opened, self.now + self.wired.rules.first_post_delay)

    async def _unwatched(self, last: incidents.Incident | None) -> bool:
        """Whether that episode only ended because its watch was removed: then its signals are no echo."""
        watch = None if last is None else await self.tx.watches.get(last.watch_id)
        return watch is not None and watch.state == "removed"

    async def _flap(self, last: incidents.Incident, problem: model.Problem) -> None:
        """The third time within the hour: the last thread goes on, and nothing new is posted."""
        again = incidents.seen_again(last, problem, redact.redact(problem.primary.message), self.now)
        again = replace(again, state="open", resolved_at=None, resolution="", flapping=True, diagnosis_wanted=True)
        await self.tx.incidents.save(again)
        await self._tell("incident:flapping", again, {"kinds": list(again.kinds)})
        await self._show(again, self.now)

    async def calm(self, one: incidents.Incident) -> None:
        """A good sweep did not find it. Resolves after the second one (or enough time).

        Where it was not looked for, because its kind was turned off, its end is told as that and not as a recovery.
        """
        rows = await self.tx.proposals.of_incident(one.id)
        off = [kind for kind in one.kinds if kind in self.wired.rules.kinds.disabled]
        calmer = incidents.seen_clear(one, self.now, _unlooked(off) if off else _ended(rows))
        if calmer.state == "resolved" and any(row.state in proposals.RUNNING for row in rows):
            return
        await self.tx.incidents.save(calmer)
        if calmer.state == "resolved":
            self.resolved.append(calmer.id)
            await self._supersede(calmer, "its kind is turned off" if off else "the problem is gone")
            await self._tell("incident:resolved", calmer, {"resolution": calmer.resolution})
            await self._show(calmer, self.now)
            if not off:
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
    done = [f"{row.kubectl} ({row.state.replace('-', ' ')})" for row in rows if row.state in _DONE]
    return f"The problem is gone. Done here before: {'; '.join(done)}." if done else incidents.UNTOUCHED


def _unlooked(off: Sequence[str]) -> str:
    """How an incident ended of whose kinds these are not looked for any more."""
    return f"{', '.join(off)} {'is' if len(off) == 1 else 'are'} turned off; what became of the problem is not known."


def _shown(one: incidents.Incident) -> tuple[object, ...]:
    """What a reader of the parent message would notice."""
    return (one.headline, one.kinds, one.severity, one.ready, one.desired, one.state)
