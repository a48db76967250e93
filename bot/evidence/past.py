"""The past: earlier incidents of the same workload or of the same kind of problem, what was done, and what helped.

A source of `collecting` over the record. What people wrote and what a cluster said was redacted when it was kept.
"""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain import incidents, memory, ports, unserved
from bot.evidence import gathering, telling
from k8s import model, phrases

_SHOWN = 5
_SPAN = timedelta(days=90)
_COUNTED = 100
"""Of incidents with a like cause elsewhere."""


class Past:
    """Implements `gathering.Source`."""

    name = "the record of earlier incidents"

    def __init__(self, store: ports.Store, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock

    async def collect(
        self, cluster: str, problem: model.Problem, target: model.Target | None
    ) -> Sequence[gathering.Piece]:
        """Nothing where there were none."""
        del target
        lines = [*await self.of_workload(cluster, problem), *await self._elsewhere(cluster, problem)]
        if not lines:
            return ()
        title = f"Earlier incidents of {problem.subject.short}, newest first, and what was done"
        return (gathering.Piece("past", title, "\n".join(lines)),)

    async def of_workload(self, cluster: str, problem: model.Problem) -> list[str]:
        """One line an incident of the same workload, and one an action that was tried for this kind of problem."""
        now = self._clock()
        async with self._store.begin() as tx:
            earlier = await tx.incidents.of_subject(cluster, problem.subject, now - _SPAN, _SHOWN + 1)
            tries = await tx.executions.tried(cluster, problem.subject, problem.primary.kind, now - memory.SPAN)
        lines = [_incident(one, (now - one.opened_at).total_seconds()) for one in earlier[:_SHOWN]]
        if len(earlier) > _SHOWN:
            lines.append("… and more")
        return lines + _remedies(tries, f" in the last {memory.SPAN.days} days")

    async def _elsewhere(self, cluster: str, problem: model.Problem) -> list[str]:
        """Like causes in other workloads and clusters. Who reads this may not know of their namespaces: how many there
        were and what helped is told, and by name only those that were told in the same channel."""
        subject, primary = problem.subject, problem.primary
        if not incidents.unnamed(primary.kind, primary.cause):
            return []
        async with self._store.begin() as tx:
            live = await tx.incidents.live(cluster)
            found = await tx.incidents.alike(primary.kind, primary.cause, self._clock() - _SPAN)
            others = [one for one in found if not (one.cluster == cluster and _same(one.subject, subject))]
            tries = await tx.executions.ended([one.id for one in others[:_COUNTED]]) if others else ()
        if not others:
            return []
        channel = next((one.channel for one in live if _same(one.subject, subject)), "")
        return _likes(others[:_COUNTED], len(others) > _COUNTED, primary.kind, channel, tries)

    async def failures(self, cluster: str, subject: model.ResourceRef) -> Sequence[incidents.Incident]:
        """Those of one workload, over or not, for `refuting`."""
        async with self._store.begin() as tx:
            return await unserved.recorded(tx, cluster, subject, self._clock())

    async def live(self, cluster: str) -> Sequence[incidents.Incident]:
        """Those that are open now, for `dependencies`."""
        async with self._store.begin() as tx:
            return await tx.incidents.live(cluster)


def _incident(one: incidents.Incident, ago: float) -> str:
    lasted = "" if one.resolved_at is None else f", lasted {phrases.duration(one.resolved_at - one.since)}"
    kinds = ", ".join(one.kinds)
    ended = f" Ended: {one.resolution}" if one.resolution else ""
    return f"{one.name}, {telling.duration(ago)} ago{lasted}: {kinds}. {one.headline}{ended}"


def _remedies(tries: Sequence[memory.Try], where: str) -> list[str]:
    """One line an action that was tried."""
    return [
        f"{known.action} was done {_times(known.tried)}{where}: it helped "
        f"{_times(known.helped)}{'' if known.held is None else f', the last time for {phrases.duration(known.held)}'}"
        for known in memory.records(tries)
    ]


def _likes(
    others: Sequence[incidents.Incident], more: bool, kind: str, channel: str, tries: Sequence[memory.Try]
) -> list[str]:
    untouched = sum(one.resolution == incidents.UNTOUCHED for one in others)
    here = [one.name for one in others if channel and one.channel == channel]
    number = f"more than {len(others)} incidents" if more else phrases.counted(len(others), "incident")
    alone = f"; {untouched} of them went without a change from here" if untouched else ""
    named = f". In this channel: {', '.join(here[:_SHOWN])}{' …' if len(here) > _SHOWN else ''}" if here else ""
    first = f"In other workloads, {number} of kind {kind} with the same cause in {_SPAN.days} days{alone}{named}"
    return [first, *_remedies(tries, " there")]


def _same(one: model.ResourceRef, other: model.ResourceRef) -> bool:
    return (one.kind, one.namespace, one.name) == (other.kind, other.namespace, other.name)


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
