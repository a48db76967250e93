"""Surrounding: what stands around the workload that fails, read at once: Services, quotas, owners, and what is used.

Called by `collecting`. No rule needs any of it to speak, so that what may not be read or does not answer is told and
costs no confidence. Each list is of the problem's own namespace.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.evidence import bounds, dependencies, gathering, network, owners, telling, using
from k8s import fields, model, redact, workloads
from k8s.client import resources

_OWNERS = 3
"""Owners that are read above what is known already."""
_RUNNING = frozenset({"Pod", "Job", "CronJob", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read; None where it could not be."""

    near: dependencies.Neighbours = field(default_factory=lambda: dependencies.Neighbours(None, None))
    quotas: Sequence[model.Json] = ()
    ranges: Sequence[model.Json] = ()
    metrics: Sequence[model.Json] = ()
    chain: Sequence[model.Json] = ()
    """The failing object and its owners."""
    pods: Sequence[model.Json] = ()
    template: model.Json = field(default_factory=dict)
    """Of the pods: what has their labels and `spec`."""


async def look(place: gathering.Place) -> Seen:
    """Nothing for what is in no namespace, or runs nothing."""
    shown = place.problem.primary.resource
    kinds = {shown.kind, place.problem.subject.kind}
    if not shown.namespace or not kinds & _RUNNING:
        return Seen()
    space = shown.namespace
    services, slices, quotas, ranges, metrics, chain = await asyncio.gather(
        place.listed("Service", space),
        place.listed("EndpointSlice", space),
        place.listed("ResourceQuota", space),
        place.listed("LimitRange", space),
        place.listed("PodMetrics", space),
        _chain(place),
    )
    pods = place.target.pods if place.target is not None else [one for one in chain if one.get("kind") == "Pod"]
    return Seen(
        near=dependencies.Neighbours(services, slices),
        quotas=quotas or (),
        ranges=ranges or (),
        metrics=metrics or (),
        chain=chain,
        pods=pods,
        template=_template(place, chain),
    )


async def _chain(place: gathering.Place) -> list[model.Json]:
    """The failing object, its owners as far as they are of a kind that is read, and a workload that is known."""
    target = place.target
    if target is not None and target.object is not None:
        chain = [{"kind": target.ref.kind, **target.object}]
    else:
        found = await place.got(place.problem.primary.resource) if _readable(place.problem.primary.resource) else None
        chain = [] if found is None else [found]
    while chain and len(chain) <= _OWNERS:
        above = fields.controller(chain[-1])
        found = None if above is None or not _readable(above) else await place.got(above)
        if found is None:
            break
        chain.append(found)
    return chain


def _readable(ref: model.ResourceRef) -> bool:
    return ref.kind in _RUNNING and ref.kind in resources.RESOURCES and bool(ref.name and ref.namespace)


def _template(place: gathering.Place, chain: Sequence[model.Json]) -> model.Json:
    pod = telling.raw_pod(place.problem, place.target)
    if pod:
        return pod
    for one in chain:
        job = fields.mapping(one, "spec", "jobTemplate")
        template = one if one.get("kind") == "Pod" else workloads.template(job or one)
        if fields.items(template, "spec", "containers"):
            return template
    return {}


def tell(place: gathering.Place, seen: Seen, container: str) -> list[gathering.Piece]:
    """The pieces of what is there; nothing of what is not."""
    bounded = bounds.tell(place.target, seen.quotas, seen.ranges)
    inside = network.tell(seen.near.services or (), seen.near.slices or (), fields.labels(seen.template), seen.template)
    found = (owners.tell(seen.chain), bounded, inside, using.tell(seen.metrics, seen.pods, container))
    return [piece for piece in found if piece is not None]


def container_of(seen: Seen, name: str) -> model.Json:
    """The failing container as its template has it; {} where that is not known."""
    return next((one for one in _containers(seen.template) if fields.text(one, "name") == name), {})


def _containers(template: model.Json) -> Iterator[model.Json]:
    for key in ("initContainers", "containers"):
        yield from fields.items(template, "spec", key)


def complaints(*found: str | None) -> list[str]:
    """The lines of these logs, oldest first, redacted: for `dependencies`."""
    return [line for log in found if log for line in redact.redact(log).splitlines()[-200:]]
