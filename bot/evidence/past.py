"""The past: earlier incidents of the same workload or of the same kind of problem, what was done, and what helped.

A source of `collecting` over the record. What people wrote and what a cluster said was redacted when it was kept.
"""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain import incidents, memory, ports
from bot.evidence import gathering, telling
from k8s import model, phrases

_SHOWN = 5
_SPAN = timedelta(days=90)


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
        now, kind = self._clock(), problem.primary.kind
        async with self._store.begin() as tx:
            earlier = await tx.incidents.of_subject(cluster, problem.subject, now - _SPAN, _SHOWN + 1)
            tries = await tx.executions.tried(cluster, problem.subject, kind, now - memory.SPAN)
        lines = [_incident(one, (now - one.opened_at).total_seconds()) for one in earlier[:_SHOWN]]
        if len(earlier) > _SHOWN:
            lines.append("… and more")
        lines += _remedies(tries)
        if not lines:
            return ()
        title = f"Earlier incidents of {problem.subject.short}, newest first, and what was done"
        return (gathering.Piece("past", title, "\n".join(lines)),)

    async def live(self, cluster: str) -> Sequence[incidents.Incident]:
        """Those that are open now, for `dependencies`."""
        async with self._store.begin() as tx:
            return await tx.incidents.live(cluster)


def _incident(one: incidents.Incident, ago: float) -> str:
    lasted = "" if one.resolved_at is None else f", lasted {phrases.duration(one.resolved_at - one.since)}"
    kinds = ", ".join(one.kinds)
    ended = f" Ended: {one.resolution}" if one.resolution else ""
    return f"{one.name}, {telling.duration(ago)} ago{lasted}: {kinds}. {one.headline}{ended}"


def _remedies(tries: Sequence[memory.Try]) -> list[str]:
    """One line an action that was tried for this kind of problem."""
    return [
        f"{known.action} was done {_times(known.tried)} in the last {memory.SPAN.days} days: it helped "
        f"{_times(known.helped)}{'' if known.held is None else f', the last time for {phrases.duration(known.held)}'}"
        for known in memory.records(tries)
    ]


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
