"""Answering: what `/watch` and App Home ask of the record. Reads only."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot import errors
from bot.domain import approvals, audit, cards, incidents, ports, proposals, watches
from bot.domain import words as sayings
from k8s import model

LIVE: tuple[incidents.State, ...] = ("open", "acknowledged", "snoozed")
DAY = timedelta(hours=24)
WORKLOAD_LISTS = {
    "deployment": "deployments",
    "statefulset": "statefulsets",
    "daemonset": "daemonsets",
    "job": "jobs",
    "cronjob": "cronjobs",
    "pod": "pods",
}


async def status(wired: ports.Ports, cluster: str = "") -> cards.Status:
    """Raises NotPossible for a cluster that is not known."""
    if cluster and cluster not in wired.eyes.clusters:
        raise errors.NotPossible(sayings.unknown("cluster", cluster, wired.eyes.clusters))
    async with wired.store.begin() as tx:
        return await tx.cards.status(wired.clock(), cluster)


async def listed(wired: ports.Ports, which: str, user: str) -> Sequence[incidents.Incident]:
    """`open` (the default), `mine`, or `24h`. Raises NotPossible for another word."""
    now = wired.clock()
    async with wired.store.begin() as tx:
        match which:
            case "" | "open":
                return await tx.incidents.search(states=LIVE)
            case "mine":
                return await tx.incidents.search(states=LIVE, user=user)
            case "24h":
                return await tx.incidents.search(states=(*LIVE, "resolved"), since=now - DAY)
    raise errors.NotPossible(sayings.unknown("list of incidents", which, ("open", "mine", "24h")))


async def show(wired: ports.Ports, words: str) -> cards.IncidentCard:
    """One incident by `WK-12`, `#12` or `12`. Raises NotPossible where there is none."""
    number = _number(words)
    if number is None:
        raise errors.NotPossible(f"`{words}` is no incident: give its number, for example `WK-12`.")
    async with wired.store.begin() as tx:
        card = await tx.cards.incident(number)
    if card is None:
        raise errors.NotPossible(f"There is no incident WK-{number}. `/watch incidents` lists those there are.")
    return cards.under(card, wired.rules.policy)


def _number(words: str) -> int | None:
    digits = words.strip().lstrip("#").upper().removeprefix("WK-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


async def proposal(wired: ports.Ports, press: approvals.Press) -> proposals.Proposal:
    """The proposal that a press is about. Raises NotPossible where there is none."""
    async with wired.store.begin() as tx:
        found = await tx.proposals.get(press.proposal_id)
    if found is None:
        raise errors.NotPossible("This button belongs to no proposal that is known here.")
    return found


async def audited(wired: ports.Ports, words: str, user: str) -> cards.AuditPage:
    """The trail of an incident (`WK-12`), of a person (`<@U…>`), or of the last 24 h (the default).

    That `user` saw it is in the trail before anything is shown, and not on the page itself.
    """
    text = words.strip()
    now = wired.clock()
    page, cluster, incident_id = await _page(wired, text, now)
    async with wired.store.begin() as tx:
        data = {"of": _person(text) or text or "24h", "entries": len(page.entries)}
        await tx.trail.append(audit.Event("audit:viewed", cluster, user, now, incident_id, None, data))
    return page


def _person(text: str) -> str:
    """The id in `<@U…>` or `<@U…|name>`; else empty."""
    return text[2:-1].partition("|")[0] if text.startswith("<@") and text.endswith(">") else ""


async def _page(wired: ports.Ports, text: str, now: datetime) -> tuple[cards.AuditPage, str, int | None]:
    """The page, and the chain and the incident that it is of."""
    async with wired.store.begin() as tx:
        if text in ("", "24h"):
            return await tx.trail.page(since=now - DAY), "-", None
        if actor := _person(text):
            return await tx.trail.page(actor=actor), "-", None
    if _number(text) is None:
        raise errors.NotPossible(
            f"There is no trail of `{text}`. Name an incident (`WK-12`), a person (`@name`) or a time (`24h`)."
        )
    found = await show(wired, text)
    async with wired.store.begin() as tx:
        page = await tx.trail.page(incident_id=found.incident.id)
    return page, found.incident.cluster, found.incident.id


async def watch_named(wired: ports.Ports, name: str) -> watches.Watch:
    """Raises NotPossible, with the nearest name, where there is none."""
    async with wired.store.begin() as tx:
        found = await tx.watches.named(name)
        known = () if found is not None else tuple(watch.name for watch in await tx.watches.all())
    if found is None:
        raise errors.NotPossible(sayings.unknown("watch", name, known))
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """What `/watch now` names: `[cluster/]namespace[/kind/name]`; empty parts mean all."""

    watch: watches.Watch
    scope: model.Scope | None = None
    workload: str = ""
    """`Kind/namespace/name` for filtering the answer; empty for all."""


async def places(wired: ports.Ports, words: str) -> Sequence[Place]:
    """The watches to sweep now, and how narrowly. Raises NotPossible with near names for what does not exist."""
    async with wired.store.begin() as tx:
        active = [watch for watch in await tx.watches.all() if watch.state == "active"]
    if not active:
        raise errors.NotPossible(
            "There is no active watch. `/watch add` makes one, `/watch resume` goes on with a paused one."
        )
    parts = [part for part in words.strip().split("/") if part]
    if not parts:
        return [Place(watch) for watch in active]
    if (cluster := parts[0]) in wired.eyes.clusters:
        active = [watch for watch in active if watch.cluster == cluster]
        parts = parts[1:]
        if not active:
            raise errors.NotPossible(f"Cluster `{cluster}` has no active watch. Make one: `/watch add {cluster}`.")
        if not parts:
            return [Place(watch) for watch in active]
    return [await _place(wired, active, parts)]


async def _place(wired: ports.Ports, active: Sequence[watches.Watch], parts: Sequence[str]) -> Place:
    namespace = parts[0]
    watch = await _watch_of(wired, active, namespace)
    scope = model.Scope((namespace,))
    if len(parts) == 1:
        return Place(watch, scope)
    kinds = WORKLOAD_LISTS
    if len(parts) != 3 or parts[1].lower().rstrip("s") not in kinds:
        raise errors.NotPossible(
            f"`{'/'.join(parts)}` is no workload: write `namespace/kind/name`, where kind is one of {', '.join(kinds)}."
        )
    kind = parts[1].lower().rstrip("s")
    names = await wired.eyes.names(watch.cluster, kinds[kind], namespace)
    if parts[2] not in names:
        raise errors.NotPossible(sayings.unknown(kind, parts[2], names, f" in `{namespace}`"))
    return Place(watch, scope, f"{kind}/{namespace}/{parts[2]}")


KINDS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "cronjob": "CronJob",
    "job": "Job",
    "pod": "Pod",
}
"""As people write a kind → as the API does; in the order in which a bare name is looked for."""


async def workload(wired: ports.Ports, words: str) -> tuple[watches.Watch, model.ResourceRef]:
    """`[cluster/]namespace/[kind/]name` → the watch that looks at it, and what it is. Raises NotPossible, with near
    names for what does not exist; ClusterUnavailable."""
    parts = [part for part in words.strip().split("/") if part]
    async with wired.store.begin() as tx:
        active = [watch for watch in await tx.watches.all() if watch.state == "active"]
    if len(parts) > 2 and parts[0] in wired.eyes.clusters:
        active = [watch for watch in active if watch.cluster == parts[0]]
        parts = parts[1:]
    kind = parts[1].lower().rstrip("s") if len(parts) == 3 else ""
    if len(parts) not in (2, 3) or (kind and kind not in KINDS):
        raise errors.NotPossible(
            f"`{words.strip() or '(nothing)'}` names no workload: write `namespace/name`, or `namespace/kind/name` "
            f"where kind is one of {', '.join(KINDS)}. With several clusters, the cluster comes first."
        )
    namespace, name = parts[0], parts[-1]
    watch = await _watch_of(wired, active, namespace)
    found = await _named(wired, watch.cluster, namespace, (kind,) if kind else tuple(KINDS))
    for one, names in found.items():
        if name in names:
            return watch, model.ResourceRef(KINDS[one], namespace, name)
    known = [each for one, names in found.items() if one != "pod" or kind for each in names]
    raise errors.NotPossible(sayings.unknown(kind or "workload", name, known, f" in `{namespace}`"))


async def _named(wired: ports.Ports, cluster: str, namespace: str, kinds: Sequence[str]) -> dict[str, Sequence[str]]:
    """Kind → the names there. Kinds that may not be listed are left out, as long as one may."""
    asked = (wired.eyes.names(cluster, WORKLOAD_LISTS[kind], namespace) for kind in kinds)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    found: dict[str, Sequence[str]] = {}
    away: BaseException | None = None
    for kind, names in zip(kinds, answers, strict=True):
        if isinstance(names, errors.ClusterUnavailable):
            away = names
        elif isinstance(names, BaseException):
            raise names
        else:
            found[kind] = names
    if not found and away is not None:
        raise away
    return found


async def _watch_of(wired: ports.Ports, active: Sequence[watches.Watch], namespace: str) -> watches.Watch:
    """The first watch that looks at this namespace, by the labels that it has now, in a cluster that has it."""
    named = [one for one in active if replace(one.scope, labels="").includes(namespace)]
    known: set[str] = set()
    lacking: list[watches.Watch] = []
    away: errors.ClusterUnavailable | None = None
    for watch in named:
        try:
            names = await wired.eyes.names(watch.cluster, "namespaces")
            if namespace in names and await _labelled(wired, watch, namespace):
                return watch
        except errors.ClusterUnavailable as error:
            # an identity with namespaced Roles may list no namespaces
            if namespace in watch.scope.include and not watch.scope.labels:
                return watch
            away = error
            continue
        known.update(names)
        lacking += [watch] if namespace in names else []
    if away is not None:
        raise away
    if lacking:
        told = ", ".join(f"`{one.scope.labels}` (watch `{one.name}`)" for one in lacking)
        raise errors.NotPossible(f"No active watch looks at namespace `{namespace}`: it has not the labels {told}.")
    if named:
        raise errors.NotPossible(sayings.unknown("namespace", namespace, sorted(known)))
    raise errors.NotPossible(f"No active watch looks at namespace `{namespace}`. `/watch list` shows what they see.")


async def _labelled(wired: ports.Ports, watch: watches.Watch, namespace: str) -> bool:
    """Raises ClusterUnavailable."""
    if not watch.scope.labels:
        return True
    return (await wired.eyes.selected(watch.cluster, watch.scope)).includes(namespace)


def concerns(place: Place, subject: model.ResourceRef) -> bool:
    """Whether an incident's subject lies in the place that was asked for. Of a watch that goes by labels, `place.scope`
    is the one that was looked at: it alone knows which namespaces have them."""
    scope = place.scope or place.watch.scope
    if subject.namespace and not scope.includes(subject.namespace):
        return False
    asked, named = place.workload.lower(), str(subject).lower()
    if asked.startswith("pod/") and subject.kind != "Pod":  # incidents are of workloads; pods begin with their names
        return f"/{asked.removeprefix('pod/')}".startswith(f"/{subject.short}-".lower())
    return not asked or asked == named
