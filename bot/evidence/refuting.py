"""Refuting: which earlier revisions are known to have failed while they were current: nothing is to go back to them.

Called by `collecting`. Two witnesses: the record of incidents (`unserved`), and the back-off events of pods that are
gone by now, which a cluster keeps for an hour. Both may be silent; then what the cluster still holds is all there is.
Facts for the rules: `refuted` (why the revision that else were put back is not) and `failed_before` (the same, of the
revision before this one: the last rollout began nothing then).
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain import incidents, unserved
from bot.evidence import gathering, proving
from k8s import fields, model, workloads

Record = Callable[[str, model.ResourceRef], Awaitable[Sequence[incidents.Incident]]]
"""Cluster, workload → its incidents of late, over or not."""

_EVENTS = 500
_LATE = timedelta(minutes=10)
"""A back-off that was told of for the last time longer than this before its revision was replaced had been over: the
longest pause between two starts is five minutes.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts"""


async def ask(place: gathering.Place, record: Record | None, now: datetime) -> Mapping[int, str]:
    """Revision → why it is known to have failed. Asks only where a revision would else count as one that had served."""
    target = place.target
    if target is None or workloads.healthy_revision(target, now) is None:
        return {}
    told: dict[int, str] = {}
    if target.ref.kind == "Deployment":
        selector = "involvedObject.kind=Pod,reason=BackOff,type=Warning"
        reading = place.source.list_json("events", target.ref.namespace, field_selector=selector, limit=_EVENTS)
        told |= by_events(target, await place.aside.ask("back-off events", "Events", reading) or ())
    if record is not None:
        reading_record = record(place.source.cluster, target.ref)
        found = await place.aside.ask("the record of earlier incidents", "incidents", reading_record)
        told |= unserved.against(target, found or (), now)
    return told


def by_events(target: model.Target, events: Sequence[model.Json]) -> dict[int, str]:
    """Revisions at least half of whose pods were in a crash loop when the next revision came."""
    told: dict[int, str] = {}
    wanted = max(1, workloads.desired(target.object or {}, target.ref.kind))
    for revision in workloads.revisions(target):
        life = workloads.lives(target).get(revision.number)
        if life is None or life.replaced is None:
            continue
        pods = set(_looping(events, revision.holder.name, life.replaced))
        if pods and 2 * len(pods) >= wanted:
            told[revision.number] = f"Revision {revision.number} was in a crash loop when it was replaced."
    return told


def _looping(events: Sequence[model.Json], holder: str, replaced: datetime) -> Iterator[str]:
    for event in events:
        name = fields.text(event, "involvedObject", "name")
        first, last = (fields.moment(event, key) for key in ("firstTimestamp", "lastTimestamp"))
        of_it = name.rpartition("-")[0] == holder
        if of_it and first is not None and last is not None and first < replaced and last >= replaced - _LATE:
            yield name


def proof(target: model.Target, refuted: Mapping[int, str], now: datetime) -> proving.Proof:
    """What the rules and a person are told of it."""
    current, without = workloads.current_revision(target), workloads.healthy_revision(target, now)
    if current is None or without is None or without.number not in refuted:
        return proving.Proof()
    if workloads.healthy_revision(target, now, refuted) == without:
        return proving.Proof()  # its pods serve now
    why = refuted[without.number]
    earlier = [one.number for one in workloads.revisions(target) if one.number < current.number]
    facts = {"refuted": why} | ({"failed_before": why} if without.number == earlier[-1] else {})
    return proving.Proof(facts, [why])
