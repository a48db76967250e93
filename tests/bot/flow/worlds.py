"""A world for the stages: a simulated cluster at the HTTP level, a real record in Postgres, and a clock that can be
moved on. Nothing in it is a mock: what a test meets is what `bot.main` wires, but for the clock.

    async with worlds.World.made(postgres_url, tmp_path, [scenarios.crash_loop()]) as world:
        ana = await world.replica("a")
        incident, proposal = await world.proposed(ana)
        await ana.pipeline.approve(worlds.press(proposal))
        await ana.pipeline.execute_next()
        world.clock.advance(minutes=1)

Used by the tests of `bot.flow`, `bot.evidence`, `bot.pipeline` and `bot.clusters`, and by the stories.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from bot import clusters
from bot import pipeline as stages
from bot.domain import approvals, audit, cards, diagnoses, incidents, ports, proposals, rules, watches
from bot.evidence import collecting
from bot.flow import diagnosing, examining, proposing
from bot.llm import absent
from bot.store import engine
from demo.cluster import Fault, SimulatedCluster
from demo.cluster.journal import Entry
from demo.cluster.pieces import Piece
from k8s import executor, guardrails, model
from k8s.client import connection
from k8s.client import reader as reading

CLUSTER = "demo"
CHANNEL = "C0ONCALL01"
ANA, BEN, CHLOE = "U0ANA", "U0BEN", "U0CHLOE"
"""Two approvers, and somebody who is none."""
POLICY = guardrails.Policy(approvers=(ANA, BEN))
RULES = rules.Rules(policy=POLICY, default_channel="C0DEFAULT")
API = "/apis/apps/v1/namespaces/payments/deployments/api"


class Clock:
    """Real time, and on top of it what a test has let pass."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def advance(self, **span: float) -> datetime:
        """Lets time pass at once, e.g. `minutes=2`."""
        self.passed += timedelta(**span)
        return self()


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


@dataclass
class Replica:
    """One process of the bot: its own name, pool of connections, bell and pipeline."""

    wired: ports.Ports
    database: engine.Database
    bell: Bell
    pipeline: stages.Pipeline

    async def card(self, incident_id: int) -> cards.IncidentCard:
        return await self.pipeline.show(str(incident_id))

    async def remedy(self, incident_id: int) -> proposals.Proposal:
        """The newest one."""
        card = await self.card(incident_id)
        assert card.remedy is not None, f"nothing is proposed: {card.refused}"
        return card.remedy.proposal

    async def trail(self, incident_id: int) -> Sequence[str]:
        """The tags of an incident's audit events, oldest first; its chain is whole."""
        async with self.database.begin() as tx:
            page = await tx.trail.page(incident_id=incident_id, limit=1000)
            assert await tx.trail.verify(CLUSTER) is None
        return [entry.event.tag for entry in reversed(page.entries)]

    async def told(self, incident_id: int, tag: str) -> audit.Event:
        """The newest audit event of this name."""
        async with self.database.begin() as tx:
            page = await tx.trail.page(incident_id=incident_id, limit=1000)
        return next(entry.event for entry in page.entries if entry.event.tag == tag)

    async def wanted(self) -> Mapping[str, int]:
        """Kind of view → how many of it are waiting to be shown, all that are due by now taken up."""
        found: dict[str, int] = {}
        now = self.wired.clock()
        async with self.database.begin() as tx:
            while (view := await tx.views.claim("test", now + timedelta(hours=1), timedelta(minutes=1))) is not None:
                found[view.kind] = found.get(view.kind, 0) + 1
                await tx.views.shown(
                    view.id, version=view.wanted, ts=f"{view.id}.0", channel=view.channel, now=now, next_due=now
                )
        return found


@dataclass
class World:
    """A cluster, a record, a clock, and the replicas that a test starts on them."""

    cluster: SimulatedCluster
    clock: Clock
    url: str
    kubeconfig: Path
    eyes: clusters.Clusters
    hand: ports.Hand
    stack: contextlib.AsyncExitStack

    @classmethod
    @contextlib.asynccontextmanager
    async def made(
        cls, url: str, folder: Path, scenario: str | Iterable[Piece] = "empty", *, speed: float = 40.0
    ) -> AsyncIterator[Self]:
        """Runs until the body ends; then everything is closed, and no controller of the cluster may have failed."""
        clock = Clock()
        async with contextlib.AsyncExitStack() as stack:
            cluster = await stack.enter_async_context(SimulatedCluster(scenario, speed=speed, clock=clock))
            kubeconfig = cluster.write_kubeconfig(folder / "kubeconfig")
            eyes = eyes_of([access(kubeconfig)], clock)
            stack.push_async_callback(eyes.close)
            writing = await connection.Connection.open(access(kubeconfig, user="writer"))
            stack.push_async_callback(writing.close)
            hand = clusters.GuardedHand(executor.Executor.over(reading.Reader(writing, now=clock), writing))
            yield cls(cluster, clock, url, kubeconfig, eyes, hand, stack)
            assert cluster.manager.failures == []

    async def replica(
        self, owner: str = "a", *, diagnose: examining.Diagnose = diagnosing.diagnose, **changes: Any
    ) -> Replica:
        """One more process; `changes` are fields of `ports.Ports`, e.g. `hands=lambda _: None` for read-only."""
        database = engine.Database(self.url)
        self.stack.push_async_callback(database.close)
        bell = Bell()
        parts: dict[str, Any] = {
            "store": database,
            "eyes": self.eyes,
            "hands": lambda _: self.hand,
            "witness": collecting.Collector(self.eyes.reader, self.clock),
            "advisor": absent.NoAdvisor(),
            "bell": bell,
            "clock": self.clock,
            "owner": owner,
            "rules": RULES,
        }
        wired = ports.Ports(**{**parts, **changes})
        return Replica(wired, database, bell, stages.Pipeline(wired, diagnose))

    # --- the way of an incident ---------------------------------------------------------------------------------------

    async def watch(self, replica: Replica, name: str = CLUSTER, **changes: Any) -> watches.Watch:
        """The watch of that name; made where there is none."""
        known = next((one for one in await replica.pipeline.list_watches() if one.name == name), None)
        return known or await replica.pipeline.add_default_watch(new_watch(name, **changes))

    async def sweep(self, replica: Replica, **changes: Any) -> Sequence[incidents.Incident]:
        """One scheduled sweep of the usual watch; the live incidents afterwards, oldest first."""
        assert await replica.pipeline.tick(await self.watch(replica, **changes), self.clock())
        return await self.live(replica)

    async def live(self, replica: Replica) -> Sequence[incidents.Incident]:
        async with replica.database.begin() as tx:
            return await tx.incidents.live(CLUSTER)

    async def diagnosed(self, replica: Replica, **changes: Any) -> incidents.Incident:
        """Swept and diagnosed: the first incident."""
        await self.sweep(replica, **changes)
        while await replica.pipeline.diagnose_next():
            pass
        return (await self.live(replica))[0]

    async def proposed(self, replica: Replica) -> tuple[incidents.Incident, proposals.Proposal]:
        """The first incident and what is proposed for it."""
        incident = await self.diagnosed(replica)
        return incident, await replica.remedy(incident.id)

    async def approved(self, replica: Replica) -> tuple[incidents.Incident, proposals.Proposal]:
        """As `proposed`, and Ana has pressed."""
        incident, proposal = await self.proposed(replica)
        assert (await replica.pipeline.approve(press(proposal))).counted
        return incident, await replica.remedy(incident.id)

    async def executed(self, replica: Replica) -> tuple[incidents.Incident, proposals.Proposal]:
        """As `approved`, and it was done."""
        incident, _ = await self.approved(replica)
        assert await replica.pipeline.execute_next()
        return incident, await replica.remedy(incident.id)

    async def acted(self, replica: Replica, incident: incidents.Incident, action: model.Action) -> None:
        """This very action was proposed (in the place of what is), approved and done, whatever the rules speak for."""
        candidate = diagnoses.Candidate(action, "a test speaks for it")
        drafted = await proposing.draft(replica.wired, incident, "approve", [candidate])
        assert drafted.proposal is not None, drafted.refused
        async with replica.database.begin() as tx:
            for row in await tx.proposals.of_incident(incident.id):
                if row.state == "proposed":
                    await tx.proposals.move(row.id, "proposed", "superseded", self.clock())
            proposal = await tx.proposals.add(drafted.proposal)
        assert (await replica.pipeline.approve(press(proposal))).counted
        assert await replica.pipeline.execute_next()
        assert (await replica.remedy(incident.id)).state == "succeeded"

    async def verified(self, replica: Replica, incident_id: int) -> cards.IncidentCard:
        """Turns of verification, as time passes, until it has an end."""
        for _ in range(40):
            self.clock.advance(seconds=20)
            await self.cluster.settle()
            await replica.pipeline.verify_next()
            card = await replica.card(incident_id)
            assert card.remedy is not None
            told = card.remedy.verification
            if told is not None and told.status != "pending":
                return card
        raise AssertionError("the verification came to no end")

    # --- what a test breaks -------------------------------------------------------------------------------------------

    def drop_the_write(self, when: str) -> None:
        """The connection breaks while the real write is under way, `before` or `after` the cluster did it."""
        self.cluster.faults.add(Fault(path=API, method="PATCH", delay=0.001, times=1))  # the dry run goes through
        self.cluster.faults.add(Fault(path=API, method="PATCH", drop=when, times=1))

    def slow_dry_run(self, seconds: float) -> None:
        """The process waits for the server's dry run: time for the world to move on before the write."""
        self.cluster.faults.add(Fault(path=API, method="PATCH", delay=seconds, times=1))

    @property
    def writes(self) -> Sequence[Entry]:
        """What was really written to the cluster through its API."""
        return self.cluster.journal.writes

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.cluster.wait_for(condition)

    def revision(self, name: str = "api", namespace: str = "payments") -> str:
        found = self.cluster.get("deployments", name, namespace)
        return str(found["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def access(kubeconfig: Path, user: str | None = None) -> connection.ClusterAccess:
    return connection.ClusterAccess(CLUSTER, kubeconfig, "demo", user=user)


def eyes_of(accesses: Sequence[connection.ClusterAccess], clock: Clock) -> clusters.Clusters:
    return clusters.Clusters(accesses, clock, time.monotonic)


def new_watch(name: str = CLUSTER, **changes: Any) -> watches.NewWatch:
    values: dict[str, Any] = {
        "name": name,
        "cluster": CLUSTER,
        "scope": model.Scope(),
        "cron": "*/5 * * * *",
        "timezone": "UTC",
        "channel": CHANNEL,
        "mode": "approve",
        "created_by": ANA,
    }
    return watches.NewWatch(**{**values, **changes})


def press(proposal: proposals.Proposal, user: str = ANA, *, reason: str = "") -> approvals.Press:
    return approvals.Press(user, proposal.id, proposal.digest[: approvals.DIGEST_SHOWN], reason)


Begin = Callable[..., Awaitable[World]]


# --- a record alone -------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def recorded(url: str) -> AsyncIterator[tuple[Replica, Clock]]:
    """A replica whose clusters are all away: for stages that are handed what a sweep saw."""
    clock, bell, database = Clock(), Bell(), engine.Database(url)
    eyes = eyes_of([], clock)
    wired = ports.Ports(
        store=database,
        eyes=eyes,
        hands=lambda _: None,
        witness=collecting.Collector(eyes.reader, clock),
        advisor=absent.NoAdvisor(),
        bell=bell,
        clock=clock,
        owner="a",
        rules=RULES,
    )
    yield Replica(wired, database, bell, stages.Pipeline(wired)), clock
    await database.close()
