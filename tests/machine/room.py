"""Where the machine plays: one simulated cluster, one database, two replicas with clocks and writers of their own.

What is real: pipeline, store, executor, guardrails, the HTTP between executor and API server. What is the machine's:
the clocks, somebody who asks for the actions, and gates at which an execution is held up or dies.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import asyncpg

from bot import clusters
from bot import pipeline as stages
from bot.domain import proposals, watches
from demo.cluster import SimulatedCluster
from demo.cluster.pieces import Piece
from k8s import executor, guardrails, model
from k8s import policy as rulebook
from k8s.client import connection
from k8s.client import reader as reading
from tests.bot.flow import worlds
from tests.machine import oracle

Where = Literal["", "before", "after"]
"""Where an execution is held up: nowhere, right before its write (before the fence is asked), or after its end."""
Name = Literal["a", "b"]
Change = Literal["template", "replicas", "anew", "healed", "broken"]
USERS: Mapping[Name, str] = {"a": "writer", "b": "admin"}
"""Each replica writes as another user, so that the journal of the API server tells whose hand it was."""
SPEED = 40.0
PLACE = ("deployments", "api", "payments")

# Every step of a proposal and every owner of an execution, written down by the database itself.
_LOG = """
CREATE TABLE walked (id bigserial PRIMARY KEY, what text, row_id bigint, before text, after text);
CREATE FUNCTION walk() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_TABLE_NAME = 'proposal' THEN
        INSERT INTO public.walked (what, row_id, before, after) VALUES ('proposal', NEW.id, OLD.state, NEW.state);
    ELSIF NEW.state = 'executing' AND NOT NEW.orphaned THEN
        INSERT INTO public.walked (what, row_id, before, after) VALUES ('owner', NEW.id, OLD.owner, NEW.owner);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER walked AFTER UPDATE ON proposal FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION walk();
CREATE TRIGGER walked AFTER UPDATE ON execution FOR EACH ROW WHEN (OLD.owner <> NEW.owner) EXECUTE FUNCTION walk();
"""


class Clock:
    """The world's clock as one replica reads it."""

    def __init__(self, world: worlds.Clock) -> None:
        self._world = world
        self.skew = timedelta()

    def __call__(self) -> datetime:
        return self._world() + self.skew


@dataclass
class Gate:
    """Holds one execution up."""

    where: Where = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def passing(self, where: Where) -> None:
        if where == self.where:
            self.reached.set()
            await self.opened.wait()


class HeldHand(clusters.GuardedHand):
    """The real executor, whose fence is asked only once the gate is open."""

    gate = Gate()

    async def execute(self, *args: Any, **order: Any) -> model.Outcome:
        gate, fence = self.gate, order.pop("fence")

        async def held() -> bool:
            await gate.passing("before")
            return bool(await fence())

        outcome = await super().execute(*args, **order, fence=held)
        await gate.passing("after")
        return outcome


@dataclass
class Process:
    """One replica as it lives: a new one, with another owner, takes its place when it dies."""

    name: Name
    clock: Clock
    bot: worlds.Replica
    hand: HeldHand
    lives: int = 1
    held: asyncio.Task[bool] | None = None

    @property
    def policy(self) -> guardrails.Policy:
        return self.bot.wired.rules.policy


def policy(people: Sequence[str], approvals: int, *, reason: bool) -> guardrails.Policy:
    """The same of every tier; and nothing waits, so that much can be done in one run."""
    one = rulebook.Tier(approvals=approvals, reason_required=reason)
    tiers = rulebook.Tiers(low=one, medium=one, high=one)
    return guardrails.Policy(
        approvers=tuple(people), tiers=tiers, cooldown=timedelta(0), hourly_limit=1000, cluster_hourly_limit=1000
    )


Lines = Mapping[Name, connection.Connection]


async def _world(
    stack: contextlib.AsyncExitStack, url: str, folder: Path, pieces: Iterable[Piece]
) -> tuple[worlds.World, Lines]:
    """As `worlds.World.made`, with a line to write through for each replica."""
    clock = worlds.Clock()
    cluster = await stack.enter_async_context(SimulatedCluster(pieces, speed=SPEED, clock=clock))
    kubeconfig = cluster.write_kubeconfig(folder / "kubeconfig")
    eyes = worlds.eyes_of([worlds.access(kubeconfig)], clock)
    stack.push_async_callback(eyes.close)
    lines = {
        name: await connection.Connection.open(worlds.access(kubeconfig, user=user)) for name, user in USERS.items()
    }
    for line in lines.values():
        stack.push_async_callback(line.close)
    return worlds.World(cluster, clock, url, kubeconfig, eyes, _hand(lines["a"], clock), stack), lines


def _hand(line: connection.Connection, clock: worlds.Clock) -> HeldHand:
    return HeldHand(executor.Executor.over(reading.Reader(line, now=clock), line))


class Room:
    def __init__(self, world: worlds.World, lines: Lines, log: asyncpg.Connection, rules: guardrails.Policy) -> None:
        self.world = world
        self.log = log
        self.rules = rules
        self.processes: dict[Name, Process] = {}
        self.lines = lines
        self.watch: watches.Watch | None = None
        self.swept = 0
        sets = world.cluster.list("replicasets", "payments")
        first = min(sets, key=lambda each: int(each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]))
        template = json.loads(json.dumps(first["spec"]["template"]))
        template["metadata"]["labels"].pop("pod-template-hash", None)
        self.templates = {"healed": template, "broken": world.cluster.get(*PLACE)["spec"]["template"]}

    @classmethod
    async def made(
        cls, stack: contextlib.AsyncExitStack, url: str, folder: Path, rules: guardrails.Policy, pieces: Iterable[Piece]
    ) -> "Room":
        world, lines = await _world(stack, url, folder, pieces)
        log = await asyncpg.connect(url)
        stack.push_async_callback(log.close)
        await log.execute(_LOG)
        room = cls(world, lines, log, rules)
        for name in USERS:
            await room._start(name)
        return room

    async def _start(self, name: Name, lives: int = 1, skew: timedelta = timedelta()) -> None:
        clock = Clock(self.world.clock)
        clock.skew = skew
        hand = _hand(self.lines[name], self.world.clock)
        bot = await self.world.replica(
            f"{name}{lives}",
            clock=clock,
            hands=lambda _: hand,
            rules=replace(worlds.RULES, policy=self.rules),
        )
        self.processes[name] = Process(name, clock, bot, hand, lives)

    def govern(self, name: Name, rules: guardrails.Policy) -> None:
        """This replica goes by another policy from now on."""
        one = self.processes[name]
        wired = replace(one.bot.wired, rules=replace(worlds.RULES, policy=rules))
        one.bot.wired = wired
        one.bot.pipeline = stages.Pipeline(wired)

    # --- what the workers do ------------------------------------------------------------------------------------------

    async def look(self, name: Name) -> None:
        """A sweep, and a diagnosis with a proposal of every incident that wants one."""
        bot = self.processes[name].bot
        self.watch = self.watch or await self.world.watch(bot)
        self.swept += 1
        await bot.pipeline.tick(self.watch, self.world.clock() + timedelta(days=self.swept))
        for _ in range(5):
            if not await bot.pipeline.diagnose_next():
                return

    async def ask(self, name: Name, action: model.Action, user: str) -> None:
        """Somebody asks for this action, for every incident; where something is under way, nothing comes of it."""
        bot = self.processes[name].bot
        for incident in await self.world.live(bot):
            await bot.pipeline.ask_for(incident.id, action, user)

    async def execute(self, name: Name, where: Where = "") -> None:
        """One turn of the worker; held up where that is wanted and where it gets so far."""
        one = self.processes[name]
        one.hand.gate = gate = Gate(where)
        working = asyncio.create_task(one.bot.pipeline.execute_next())
        reached = asyncio.create_task(gate.reached.wait())
        await asyncio.wait({working, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        if not working.done():
            one.held = working
        else:
            await working

    async def thaw(self, name: Name) -> None:
        one = self.processes[name]
        if one.held is not None:
            one.hand.gate.opened.set()
            await one.held
            one.held = None

    async def die(self, name: Name) -> None:
        """The process is gone, with whatever it was at; another one starts in its place."""
        one = self.processes[name]
        if one.held is not None:
            one.held.cancel()
            await asyncio.wait({one.held})
        await one.bot.database.close()
        self.rules = one.policy
        await self._start(name, one.lives + 1, one.clock.skew)

    async def calm(self) -> None:
        """Controllers have seen what changed; a loop of crashes is never at rest."""
        with contextlib.suppress(TimeoutError):
            await self.world.cluster.settle(0.1)

    # --- what is there ------------------------------------------------------------------------------------------------

    @property
    def facts(self) -> Mapping[str, oracle.Facts]:
        found = self.world.cluster.find(*PLACE)
        if found is None:
            return {}
        spec = found["spec"]
        return {
            "api": oracle.Facts(
                found["metadata"]["uid"], json.dumps(spec["template"], sort_keys=True), spec["replicas"]
            )
        }

    async def rows(self) -> Sequence[proposals.Proposal]:
        numbers = await self.log.fetch("SELECT id FROM proposal ORDER BY id")
        async with self.processes["a"].bot.database.begin() as tx:
            found = [await tx.proposals.get(row["id"]) for row in numbers]
        return [row for row in found if row is not None]

    async def still(self) -> Sequence[oracle.Open]:
        rows = await self.log.fetch("SELECT * FROM execution WHERE state <> 'done' ORDER BY id")
        return [oracle.Open(row["proposal_id"], row["state"], row["owner"], row["orphaned"]) for row in rows]

    def owner(self, user: str) -> Process:
        return next(one for one in self.processes.values() if USERS[one.name] == user)

    # --- what somebody else does --------------------------------------------------------------------------------------

    async def change(self, what: Change, number: int) -> None:
        cluster = self.world.cluster
        if what == "anew":
            fresh = {key: each for key, each in cluster.get(*PLACE).items() if key != "status"}
            kept = ("name", "namespace", "labels")
            fresh["metadata"] = {key: each for key, each in fresh["metadata"].items() if key in kept}
            cluster.delete(*PLACE)
            await cluster.wait_for(lambda: cluster.find(*PLACE) is None)
            cluster.apply(fresh)
        elif what == "replicas":
            cluster.patch(*PLACE, {"spec": {"replicas": 2 + number % 4}})
        elif what in self.templates:
            step = {"op": "replace", "path": "/spec/template", "value": self.templates[what]}
            cluster.patch(*PLACE, [step], type="json")
        else:
            note = {"template": {"metadata": {"annotations": {"example.com/changed": str(number)}}}}
            cluster.patch(*PLACE, {"spec": note})
        await self.calm()
