"""Dependencies: the Services of this cluster that the failing container talks to, and whether they can answer.

Called by `collecting`. Facts for the rules, of what the log complains about, else of the first that cannot answer:
`dependency` (`payments/db:5432`), `dependency_by` (log or environment) and `dependency_state`: `missing` (no such
Service), `no-endpoints`, `wrong-port`, or `ready`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.domain import incidents
from bot.evidence import gathering, hosts, proving
from k8s import fields, model, phrases, serving, workloads
from k8s.client import errors

State = Literal["missing", "no-endpoints", "wrong-port", "ready", "outside"]
Live = Callable[[str], Awaitable[Sequence[incidents.Incident]]]
"""Cluster → its incidents that are not resolved."""

MOST = 8
"""Hosts that are looked at for one problem: those that the log complains about first."""
_CONFIG_MAPS = 4
"""Read for one problem at most."""
_PODS = 50
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What stands behind one host."""

    named: hosts.Named
    state: State
    service: str
    """`payments/db:5432`."""
    line: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What was read of the problem's own namespace; None where it could not be."""

    services: Sequence[model.Json] | None
    slices: Sequence[model.Json] | None


async def look(
    place: gathering.Place,
    container: model.Json,
    lines: Sequence[str],
    own_labels: dict[str, str],
    near: Neighbours,
    live: Live | None,
) -> tuple[gathering.Piece | None, proving.Proof]:
    """Which of the named hosts are Services here, and how these are. `lines`: what the log complains about."""
    if near.services is None:
        return None, proving.Proof()
    namespace = place.problem.primary.resource.namespace
    told = hosts.of_log(lines)
    named = hosts.of_container(container, await _configured(place, container, namespace))
    ports = {one.host: one.port for one in named}
    told = [hosts.Named(one.host, one.port or ports.get(one.host, 0), one.by) for one in told]
    names = {one.host for one in told}
    told += [one for one in named if one.host not in names]
    open_ = await _incidents(place, live) if told and live is not None else ()
    looks = (_one(place, one, namespace, own_labels, near, open_) for one in told[:MOST])
    found = [one for one in await asyncio.gather(*looks) if one is not None]
    found.sort(key=lambda one: (one.state in ("ready", "outside"), one.named.by != "log"))
    if not found:
        return None, proving.Proof()
    body = "\n".join(one.line for one in found)
    return gathering.Piece("dependencies", "What the container depends on", body), _proof(found)


async def _configured(place: gathering.Place, container: model.Json, namespace: str) -> dict[str, dict[str, str]]:
    """The data of the ConfigMaps that the container's environment comes from, where they may be read. Of their values
    nothing but hosts and ports leaves this module; what may not be read is not known, and missed by nobody."""

    async def read(name: str) -> tuple[str, dict[str, str]]:
        ref = model.ResourceRef("ConfigMap", namespace, name)
        reading = place.source.get(ref)
        found = await place.aside.ask(f"ConfigMap {ref.short}", "ConfigMaps", reading, (errors.Forbidden,))
        return name, fields.texts(found or {}, "data")

    names = hosts.config_maps(container)[:_CONFIG_MAPS]
    return dict(await asyncio.gather(*map(read, names)))


def _proof(found: Sequence[Found]) -> proving.Proof:
    inside = [one for one in found if one.state != "outside"]
    first = next((one for one in inside if one.named.by == "log"), None)
    first = first or next((one for one in inside if one.state != "ready"), None)
    if first is None:
        return proving.Proof()
    return proving.Proof(
        {"dependency": first.service, "dependency_state": first.state, "dependency_by": first.named.by}
    )


async def _incidents(place: gathering.Place, live: Live) -> Sequence[incidents.Incident]:
    return await place.aside.ask("open incidents", "open incidents", live(place.source.cluster)) or ()


async def _one(
    place: gathering.Place,
    named: hosts.Named,
    namespace: str,
    own_labels: dict[str, str],
    near: Neighbours,
    open_: Sequence[incidents.Incident],
) -> Found | None:
    unknown = False
    for space, name in _means(named, namespace, near):
        if space == namespace:
            service = _among(near.services or (), name)
        else:
            answer = await _service(place, space, name, named)
            unknown, service = unknown or answer is None, answer or None
        if service is not None:
            selector = fields.texts(service, "spec", "selector")
            if named.by != "log" and space == namespace and selector and selector.items() <= own_labels.items():
                return None  # itself
            return await _behind(place, named, service, near if space == namespace else None, open_)
    if unknown:
        return None
    meant = [] if _is_address(named.host) else hosts.services(named.host, namespace)
    if meant and hosts.sure(named.host):
        space, name = meant[0]
        if named.by == "environment" and "." not in named.host and not named.port:
            return None  # a word that need not be a host at all
        told = f"{_said(named)}: there is no Service {name} in namespace {space}"
        return Found(named, "missing", _place(space, name, named.port), told)
    if named.by == "log":
        where = f"namespace {namespace} has that address" if _is_address(named.host) else "this cluster has that name"
        return Found(named, "outside", "", f"{_said(named)}: no Service of {where}")
    return None


def _means(named: hosts.Named, namespace: str, near: Neighbours) -> list[tuple[str, str]]:
    if not _is_address(named.host):
        return hosts.services(named.host, namespace)
    by_address = [
        (namespace, fields.text(one, "metadata", "name"))
        for one in near.services or ()
        if named.host in (fields.value(one, "spec", "clusterIPs") or [fields.text(one, "spec", "clusterIP")])
    ]
    return by_address[:1]


def _is_address(host: str) -> bool:
    return not any(letter.isalpha() for letter in host) or ":" in host


def _among(services: Sequence[model.Json], name: str) -> model.Json | None:
    return next((one for one in services if fields.text(one, "metadata", "name") == name), None)


async def _service(place: gathering.Place, namespace: str, name: str, named: hosts.Named) -> model.Json | None:
    """{} where there is none; None where that is not known. A name that may just as well be of the world outside is
    looked for, and missed by nobody where that is not allowed."""

    async def reading() -> model.Json:
        try:
            return await place.source.get(model.ResourceRef("Service", namespace, name))
        except errors.NotFound:
            return {}

    needless = () if hosts.sure(named.host) else (errors.Forbidden,)
    return await place.aside.ask(f"Service {namespace}/{name}", "Services", reading(), needless)


async def _behind(
    place: gathering.Place,
    named: hosts.Named,
    service: model.Json,
    near: Neighbours | None,
    open_: Sequence[incidents.Incident],
) -> Found | None:
    ref = workloads.reference(service, "Service")
    at = _place(ref.namespace, ref.name, named.port)
    if fields.text(service, "spec", "type") == "ExternalName":
        alias = fields.text(service, "spec", "externalName")
        return Found(named, "outside", "", f"{_said(named)}: Service {ref.short} is another name for {alias}")
    if near is not None:
        slices = near.slices
    else:
        slices = await place.listed("EndpointSlice", ref.namespace, f"{serving.SERVICE_NAME}={ref.name}")
    if slices is None:
        return None
    ready, other = endpoints(slices, ref.name)
    if not ready:
        state = f"0 of {other} endpoints ready" if other else "no endpoints"
        why = await _workload(place, service, open_)
        return Found(named, "no-endpoints", at, f"{_said(named)}: Service {ref.short} has {state}{why}")
    ports = [number for one in fields.items(service, "spec", "ports") if (number := fields.count(one, "port"))]
    if named.port and ports and named.port not in ports and fields.text(service, "spec", "clusterIP") != "None":
        shown = ", ".join(map(str, ports[:6]))
        return Found(named, "wrong-port", at, f"{_said(named)}: Service {ref.short} listens on {shown}, not there")
    line = f"{_said(named)}: Service {ref.short} has {phrases.counted(ready, 'ready endpoint')}"
    return Found(named, "ready", at, line)


def endpoints(slices: Sequence[model.Json], service: str) -> tuple[int, int]:
    """How many endpoints of a Service are ready, and how many are not. One without a condition is ready:
    https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/"""
    ready = other = 0
    for one in slices:
        if fields.labels(one).get(serving.SERVICE_NAME) != service:
            continue
        for endpoint in fields.items(one, "endpoints"):
            if fields.value(endpoint, "conditions", "ready") is False:
                other += 1
            else:
                ready += 1
    return ready, other


async def _workload(place: gathering.Place, service: model.Json, open_: Sequence[incidents.Incident]) -> str:
    """How the pods behind a Service without a ready endpoint are, and which incident tells of them."""
    selector = fields.texts(service, "spec", "selector")
    namespace = fields.text(service, "metadata", "namespace")
    if not selector:
        return "; it has no selector, so that somebody keeps its endpoints by hand"
    wanted = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    reading = place.source.list_json("pods", namespace, wanted, limit=_PODS)
    pods = await place.aside.ask(f"the pods behind {namespace}", "Pods", reading)
    if pods is None:
        return ""
    if not pods:
        return "; no pod matches its selector"
    states = [f"{fields.text(pod, 'metadata', 'name')}: {_state(pod)}" for pod in pods[:_SHOWN]]
    told = f"; {phrases.counted(len(pods), 'pod')} behind it ({', '.join(states)})"
    known = next((one for one in open_ if any(_of(one, pod) for pod in pods)), None)
    return told if known is None else f"{told}; {known.name} is open for {known.subject}"


def _of(incident: incidents.Incident, pod: model.Json) -> bool:
    owner, subject = fields.controller(pod), incident.subject
    if owner is None or subject.namespace != fields.text(pod, "metadata", "namespace"):
        return False
    holder = owner.name.rpartition("-")[0] if owner.kind == "ReplicaSet" else owner.name
    return (subject.kind, subject.name) in ((owner.kind, owner.name), ("Deployment", holder))


def _state(pod: model.Json) -> str:
    for key in ("initContainerStatuses", "containerStatuses"):
        for one in fields.items(pod, "status", key):
            reason = fields.text(one, "state", "waiting", "reason")
            if reason and reason != "PodInitializing":
                return phrases.clip(reason, 60)
    ready = "ready" if workloads.pod_ready(pod) else "not ready"
    return f"{fields.text(pod, 'status', 'phase') or 'Unknown'}, {ready}"


def _said(named: hosts.Named) -> str:
    port = f":{named.port}" if named.port else ""
    where = "which the log complains about" if named.by == "log" else "from its environment"
    return f"{phrases.clip(named.host, 120)}{port}, {where}"


def _place(namespace: str, name: str, port: int) -> str:
    return f"{namespace}/{name}" + (f":{port}" if port else "")
