"""The clusters of the settings, opened lazily and kept open: implements `ports.Eyes`, and guards each `ports.Hand`.

The errors of `k8s.client` end here: the stages see `errors.ClusterUnavailable` with a sentence. `bot.main` makes one.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from bot import errors
from bot.domain import ports
from k8s import custom as detectors
from k8s import gathering, guardrails, model, snapshot, stepping
from k8s.client import connection, discovering
from k8s.client import errors as cluster_errors
from k8s.client import reader as reading

T = TypeVar("T")

LOG_LINES = 400
LOG_BYTES = 65_536
"""Of one log that a sweep reads: enough for a rate, and 60 of them are 4 MB."""


class Clusters:
    """Every cluster with its reading connection."""

    def __init__(
        self,
        accesses: Sequence[connection.ClusterAccess],
        clock: ports.Clock,
        monotonic: Callable[[], float],
        *,
        certificates: bool = False,
        custom: detectors.Custom = detectors.NONE,
    ) -> None:
        self._accesses = {access.name: access for access in accesses}
        self._clock = clock
        self._monotonic = monotonic
        self._certificates = certificates
        """Whether a look reads the certificates of TLS Secrets."""
        self._custom = custom
        """What a look lists besides, for detectors of somebody's own."""
        self._discovered: dict[str, discovering.Known] = {access.name: {} for access in accesses}
        self._open: dict[str, connection.Connection] = {}
        self._locks = {name: asyncio.Lock() for name in self._accesses}
        self.troubles: dict[str, str] = {}
        """Cluster → why the last call to it failed; told by /readyz and `/watch status`."""

    @property
    def clusters(self) -> Sequence[str]:
        return tuple(self._accesses)

    async def reader(self, cluster: str) -> reading.Reader:
        """Raises `k8s.client.errors.ClusterError`: for evidence, which names what it could not read."""
        async with self._locks[cluster]:
            if cluster not in self._open:
                self._open[cluster] = await connection.Connection.open(self._accesses[cluster])
        return reading.Reader(self._open[cluster], now=self._clock)

    async def connection(self, cluster: str) -> connection.Connection:
        """For watch streams, which see their errors themselves. Raises `k8s.client.errors.ClusterError`."""
        await self.reader(cluster)
        return self._open[cluster]

    async def look(self, cluster: str, scope: model.Scope) -> model.Snapshot:
        async def take(source: reading.Reader) -> model.Snapshot:
            within = await _selected(source, scope)
            seen = await snapshot.take(
                source, within, now=self._clock(), monotonic=self._monotonic, certificates=self._certificates
            )
            if not self._custom.detectors:
                return seen
            found = await gathering.gather(source, self._custom.wanted, within, self._discovered[cluster])
            return gathering.added(seen, found, self._custom.rests)

        return await self._ask(cluster, take)

    async def release(self, seen: model.Snapshot) -> None:
        """Lets go of a snapshot slice by slice, so that freeing it does not stall the loop."""
        await snapshot.discard(seen)
        await gathering.discard(seen)

    async def log(self, cluster: str, pod: model.ResourceRef, container: str, since: datetime) -> str | None:
        """See `ports.Ears`. A log that cannot be read is no trouble of the cluster's."""
        if cluster not in self._accesses:
            return None
        try:
            source = await self.reader(cluster)
            return await source.logs(
                pod.namespace, pod.name, container, tail_lines=LOG_LINES, limit_bytes=LOG_BYTES, since=since
            )
        except cluster_errors.ClusterError:
            return None

    async def target(self, cluster: str, action: model.Action) -> model.Target:
        return await self._ask(cluster, lambda source: source.read_target(action))

    async def around(self, cluster: str, subject: model.ResourceRef) -> model.Target:
        return await self._ask(cluster, lambda source: source.read_subject(subject))

    async def selected(self, cluster: str, scope: model.Scope) -> model.Scope:
        """The scope with the namespaces that match its labels now."""
        return await self._ask(cluster, lambda source: _selected(source, scope))

    async def names(self, cluster: str, kind: str, namespace: str = "") -> Sequence[str]:
        return await self._ask(cluster, lambda source: source.names(kind, namespace or None))

    async def close(self) -> None:
        for opened in self._open.values():
            await opened.close()
        self._open.clear()

    async def _ask(self, cluster: str, question: Callable[[reading.Reader], Awaitable[T]]) -> T:
        if cluster not in self._accesses:
            raise errors.ClusterUnavailable(f"cluster `{cluster}` is no longer in the settings")
        try:
            answer = await question(await self.reader(cluster))
        except cluster_errors.ClusterError as error:
            self.troubles[cluster] = str(error)
            raise errors.ClusterUnavailable(str(error)) from error
        self.troubles.pop(cluster, None)
        return answer


async def _selected(source: reading.Reader, scope: model.Scope) -> model.Scope:
    """The scope with the namespaces that match its labels now. Raises ClusterError: else nothing can be looked at."""
    if not scope.labels:
        return scope
    names = await source.names("namespaces", label_selector=scope.labels)
    return dataclasses.replace(scope, selected=frozenset(names))


class GuardedHand:
    """An executor whose cluster errors are told in the stages' words. Implements `ports.Hand`."""

    def __init__(self, hand: ports.Hand) -> None:
        self._hand = hand

    async def lacking(self, plan: model.Plan, people: Collection[str] | None = None, enough: int = 0) -> str:
        return await _told(self._hand.lacking(plan, people, enough))

    async def lacking_of(self, user: str, operations: Sequence[model.Operation]) -> str:
        return await _told(self._hand.lacking_of(user, operations))

    async def dry_run(self, plan: model.Plan, people: Collection[str] | None = None) -> ports.DryRun:
        return await _told(self._hand.dry_run(plan, people))

    async def execute(
        self,
        action: model.Action,
        permit: model.Permit,
        *,
        proposal: str,
        subject: model.ResourceRef,
        policy: guardrails.Policy,
        history: guardrails.History,
        mode: guardrails.Mode,
        planned_at: datetime,
        pins: Mapping[str, str],
        operations: Sequence[model.Operation],
        now: ports.Clock,
        fence: Callable[[], Awaitable[bool]],
        cluster: str = "",
        members: guardrails.Members = guardrails.NO_MEMBERS,
        proposer: str = "",
        oversight: stepping.Oversight = stepping.ALONE,
    ) -> model.Outcome:
        return await _told(
            self._hand.execute(
                action,
                permit,
                proposal=proposal,
                subject=subject,
                policy=policy,
                history=history,
                mode=mode,
                planned_at=planned_at,
                pins=pins,
                operations=operations,
                now=now,
                fence=fence,
                cluster=cluster,
                members=members,
                proposer=proposer,
                oversight=oversight,
            )
        )

    async def look(self, action: model.Action, operations: Sequence[model.Operation]) -> bool | None:
        return await _told(self._hand.look(action, operations))


async def _told(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except cluster_errors.ClusterError as error:
        raise errors.ClusterUnavailable(str(error)) from error
