"""The fast path: follows clusters by watch streams between sweeps, so that what breaks is told within seconds.

Run by `bot.main`. One task for each cluster, so that none waits for another one; one replica for each cluster, by a
lease that another one takes over where it ends. The sweeps stay the truth: nothing is ever calmed, resolved or
concluded from silence here, and where watching is not possible they go on alone.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import structlog

from bot import errors, pipeline
from bot.domain import ports, watches
from k8s import following, judging, live, model
from k8s.client import errors as cluster_errors
from k8s.client import watching

_LOG = structlog.get_logger(__name__)

REFRESH_S = 5.0
"""How often the watches are read anew."""
QUIET_S = 0.3
"""A cluster that has been quiet for so long is judged …"""
LONGEST_S = 1.0
"""… one that is never quiet, after so long."""
BATCH = 500
"""Subjects judged at a time."""
IDLE_S = 1.0
BLIND_S = 0.25
RETRY_S = (1.0, 2.0, 5.0, 10.0, 15.0)
LEAVING_S = 2.0
"""At the end, to give a lease back."""

SELECTED_S = 30.0
"""How often the namespaces that labels select are asked for."""

Connect = Callable[[str], Awaitable[watching.Source]]
Select = Callable[[str, model.Scope], Awaitable[model.Scope]]
"""A scope with the namespaces that match its labels now. Raises ClusterUnavailable."""


def places(followed: Iterable[watches.Watch]) -> tuple[str | None, ...]:
    """The namespaces to follow one by one, or (None,) for all: named ones suffice where no watch needs more."""
    names: dict[str, None] = {}
    for watch in followed:
        include = watch.scope.include
        if not include or any(character in name for name in include for character in "*?["):
            return (None,)
        named = replace(watch.scope, labels="")
        names |= {name: None for name in include if named.includes(name)}
    return tuple(sorted(names))


class Following:
    """Follows every cluster that has an active watch, until cancelled."""

    def __init__(
        self,
        line: pipeline.Pipeline,
        wired: ports.Ports,
        connect: Connect,
        select: Select,
        monotonic: Callable[[], float],
        *,
        limits: watching.Limits = following.LIMITS,
    ) -> None:
        self._line = line
        self._wired = wired
        self._connect = connect
        self._select = select
        self._monotonic = monotonic
        self._limits = limits
        self._watches: Mapping[str, Sequence[watches.Watch]] = {}
        self._told: dict[str, str] = {}
        """Cluster → what was last logged of it."""

    async def run(self) -> None:
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                with contextlib.suppress(errors.StoreUnavailable):  # it is told by whoever cannot do without
                    self._watches = await self._wanted()
                for cluster in tasks.keys() - self._watches.keys():
                    await _ended([tasks.pop(cluster)])
                for cluster in self._watches.keys() - tasks.keys():
                    tasks[cluster] = asyncio.create_task(self._cluster(cluster), name=f"follow {cluster}")
                await asyncio.sleep(REFRESH_S)
        finally:
            await _ended(tasks.values())

    async def _wanted(self) -> Mapping[str, Sequence[watches.Watch]]:
        found: dict[str, list[watches.Watch]] = {}
        for watch in await self._line.list_watches():
            if watch.state == "active" and watch.cluster in self._wired.eyes.clusters:
                found.setdefault(watch.cluster, []).append(watch)
        return found

    # --- one cluster

    async def _cluster(self, cluster: str) -> None:
        failures = 0
        while True:
            try:
                if await self._take(cluster):
                    await self._lead(cluster)
                    failures = 0
                else:
                    self._wired.meter.followed(cluster, False)
                    await asyncio.sleep(self._renewal)
            except (errors.StoreUnavailable, cluster_errors.ClusterError) as error:
                self._tell(cluster, "fast_path.waiting", str(error))
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1
            except Exception:  # noqa: BLE001 - a worker's boundary: one cluster's trouble must not end its following
                _LOG.exception("fast_path.failed", cluster=cluster)
                await asyncio.sleep(RETRY_S[-1])

    @property
    def _renewal(self) -> float:
        return self._wired.rules.lease.total_seconds() / 3

    async def _take(self, cluster: str) -> bool:
        wired = self._wired
        async with wired.store.begin() as tx:
            return await tx.leases.take(_lease(cluster), wired.owner, wired.clock(), wired.rules.lease)

    async def _lead(self, cluster: str) -> None:
        """Follows until the lease is lost, or other namespaces are to be followed."""
        wanted = places(self._watches.get(cluster, ()))
        try:
            source = await self._connect(cluster)
            async with following.Follower(
                source, cluster, wanted, monotonic=self._monotonic, limits=self._limits
            ) as follower:
                parts = [
                    asyncio.create_task(self._keep(cluster), name=f"lease {cluster}"),
                    asyncio.create_task(self._judge(cluster, wanted, follower), name=f"judge {cluster}"),
                ]
                try:
                    done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                    for part in done:
                        part.result()
                finally:
                    await _ended(parts)
        finally:
            self._wired.meter.followed(cluster, False)
            await self._give_back(cluster)

    async def _keep(self, cluster: str) -> None:
        """Renews the lease until it is another's, or could not be renewed in time."""
        until = self._wired.clock() + self._wired.rules.lease
        while self._wired.clock() < until:
            await asyncio.sleep(self._renewal)
            with contextlib.suppress(errors.StoreUnavailable):
                now = self._wired.clock()
                if not await self._take(cluster):
                    return
                until = now + self._wired.rules.lease

    async def _give_back(self, cluster: str) -> None:
        with contextlib.suppress(errors.StoreUnavailable, TimeoutError):
            async with asyncio.timeout(LEAVING_S), self._wired.store.begin() as tx:
                await tx.leases.give_back(_lease(cluster), self._wired.owner)

    # --- judging

    async def _judge(self, cluster: str, wanted: Sequence[str | None], follower: following.Follower) -> None:
        judges: dict[int, tuple[watches.Watch, judging.Judge]] = {}
        asked = float("-inf")
        while (followed := self._watches.get(cluster, ())) and places(followed) == wanted:
            judges = {watch.id: (watch, self._judge_of(watch, judges.get(watch.id), follower)) for watch in followed}
            if self._monotonic() - asked > SELECTED_S:
                asked = self._monotonic()
                await self._scope(cluster, judges)
            await self._await_news(follower, [judge for _, judge in judges.values()])
            self._tell_sight(cluster, follower)
            if follower.blind:  # what was touched stays touched: it is judged when the picture is true again
                await asyncio.sleep(BLIND_S)
                continue
            keys = follower.picture.take(BATCH)
            try:
                for watch in followed:
                    await self._notice(watch, judges[watch.id][1], keys, follower)
            except errors.StoreUnavailable as error:
                for key in keys:
                    follower.picture.touch(key)
                self._tell(cluster, "fast_path.waiting", str(error))
                await asyncio.sleep(RETRY_S[0])

    def _judge_of(
        self, watch: watches.Watch, known: tuple[watches.Watch, judging.Judge] | None, follower: following.Follower
    ) -> judging.Judge:
        """The one that it had, unless it is to judge something else or otherwise now."""
        if known is not None and (known[0].scope, known[0].kinds) == (watch.scope, watch.kinds):
            return known[1]
        return judging.Judge(follower.picture, watch.scope, self._wired.rules.kinds_of(watch))

    async def _scope(self, cluster: str, judges: Mapping[int, tuple[watches.Watch, judging.Judge]]) -> None:
        """Where that cannot be asked, what was selected before stays; at first nothing is."""
        for watch, judge in judges.values():
            if watch.scope.labels:
                with contextlib.suppress(errors.ClusterUnavailable):
                    judge.scope = await self._select(cluster, watch.scope)

    async def _await_news(self, follower: following.Follower, judges: Iterable[judging.Judge]) -> None:
        """Until something was touched and the cluster is quiet for a moment, or something on an agenda is due."""
        looks = [at for judge in judges if (at := judge.next_look) is not None]
        left = (min(looks) - self._wired.clock()).total_seconds() if looks else IDLE_S
        await follower.news(within_s=max(0.0, min(left, IDLE_S)))
        if not follower.picture.touched:
            return
        latest = self._monotonic() + LONGEST_S
        marks = -1
        while marks != follower.picture.marks and self._monotonic() < latest:
            marks = follower.picture.marks
            await asyncio.sleep(QUIET_S)

    async def _notice(
        self, watch: watches.Watch, judge: judging.Judge, keys: Sequence[live.Key], follower: following.Follower
    ) -> None:
        now = self._wired.clock()
        due = judge.due(now)
        if not keys and not due:
            return
        asked = judged = judge.question([*keys, *due], now, follower.unread)
        if not asked.keys:
            return
        found = await asyncio.to_thread(judge.ask, asked)
        wider = judge.wider(asked, found)
        if wider is not None:
            judged, found = wider, await asyncio.to_thread(judge.ask, wider)
        problems = judge.conclude(asked, judged, found)
        if not problems:
            return
        try:
            done = await self._line.notice(watch, problems)
        except errors.StoreUnavailable:
            for key in due:
                follower.picture.touch(key)
            raise
        judge.told(problems, now)
        if done.opened:
            _LOG.info("fast_path.opened", cluster=watch.cluster, watch=watch.name, incidents=list(done.opened))

    # --- what it tells

    def _tell_sight(self, cluster: str, follower: following.Follower) -> None:
        self._wired.meter.followed(cluster, not follower.blind)
        if follower.refused:
            self._tell(cluster, "fast_path.refused", follower.refused)
        elif not follower.blind:
            self._told.pop(cluster, None)

    def _tell(self, cluster: str, what: str, why: str) -> None:
        """Once, until it is over: sweeps go on alone meanwhile."""
        if self._told.get(cluster) != what:
            self._told[cluster] = what
            _LOG.warning(what, cluster=cluster, why=why, note="sweeps go on alone")


def _lease(cluster: str) -> str:
    return f"fast-path:{cluster}"


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels them and waits until they are done, whatever they end with."""
    running = list(tasks)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
