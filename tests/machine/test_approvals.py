"""The machine of approvals: whatever happens in whatever order, what was seen is what was approved is what was done.

hypothesis presses, edits, rejects, lets time pass and clocks jump, changes the cluster behind the bot's back, changes
the policy, freezes and kills replicas, and after each step asks `tests.machine.oracle`, the database and the journal of
the simulated API server whether all rules still hold. `--machine N` runs N examples of up to 60 steps.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import HealthCheck, settings, stateful
from hypothesis import strategies as st

from bot import auditing
from bot import settings as chosen
from bot.domain import approvals, proposals
from demo.cluster import scenarios
from k8s import guardrails, model
from tests import postgres
from tests.bot.flow import worlds
from tests.machine import oracle, room

T = TypeVar("T")
ANA, BEN, CHLOE = worlds.ANA, worlds.BEN, worlds.CHLOE
DORA = "U0DORA"
"""Who asks for actions, and approves none."""
ONE = room.policy([ANA, BEN], 1, reason=False)
TWO = room.policy([ANA, BEN], 2, reason=True)
WITHOUT_ANA = room.policy([BEN], 1, reason=False)
POLICIES = {"one": ONE, "two": TWO, "without Ana": WITHOUT_ANA}
EARLY = guardrails.CLOCKS_APART
"""So far a clock may be behind the one that gave a permit: more is a clock that jumped."""
TOTALS = ("examples", "wrote", "writes", "proposals", "again", "moved")
"""Over all examples; `wrote`: examples in which the cluster was written to; `again`: presses of who had approved what
waits for another one still; `moved`: executions that were queued and met a target that was changed meanwhile."""
STEP_SECONDS = 120
"""Of a machine that has much else to do."""
API = model.ResourceRef("Deployment", "payments", "api")
ACTIONS: dict[str, model.Action] = {
    "restart": model.RolloutRestart(API),
    "undo": model.RolloutUndo(API, 1),
    "up": model.Scale(API, 5),
    "down": model.Scale(API, 2),
}

replicas = st.sampled_from(["a", "b"])
actions = st.sampled_from(sorted(ACTIONS))
places = st.sampled_from(["", "", "before", "after"])
done = st.sampled_from(["", "after"])
changes = st.sampled_from(["", "", "", "template", "replicas", "anew"])
"""What somebody does between the last press and the worker's turn: mostly nothing."""
people = st.sampled_from([ANA, BEN, CHLOE, ""])
verdicts = st.sampled_from(["approve", "approve", "reject"])
backwards = st.integers(0, 4)
"""Which proposal is meant: 0 the newest, 1 the one before it …"""
Press = tuple[Literal["approve", "reject"], str, Literal["a", "b"]]


class Approvals(stateful.RuleBasedStateMachine):
    """One example: one cluster, one database, two replicas."""

    server: postgres.Server
    totals: dict[str, int]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._stack = contextlib.AsyncExitStack()
        self._oracle = oracle.Oracle()
        self._journalled = 0
        self._edits = 0
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="watchkeeper-machine-"))
        self._run(self._open(Path(folder)))

    async def _open(self, folder: Path) -> None:
        self._url = await self._stack.enter_async_context(self.server.database())
        self._room = await room.Room.made(self._stack, self._url, folder, ONE, [scenarios.bad_image("api", "payments")])
        await self._look("a", "undo")
        await self._check()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(_in_time(work))

    def teardown(self) -> None:
        try:
            self._run(self._close())
        finally:
            self._runner.close()

    async def _close(self) -> None:
        try:
            lines: list[str] = []
            whole = await auditing.verify(chosen.load({"DATABASE_URL": self._url}), lines.append)
            assert whole == 0, lines
        finally:
            for one in self._room.processes.values():
                if one.held is not None:
                    one.held.cancel()
                    await asyncio.wait({one.held})
            self.totals["writes"] += self._oracle.writes
            self.totals["proposals"] += len(self._oracle.seen)
            self.totals["examples"] += 1
            self.totals["wrote"] += self._oracle.writes > 0
            await self._stack.aclose()

    # --- what happens: proposals -----------------------------------------------------------------------------------

    @stateful.rule(name=replicas, action=actions)
    def sweep_and_propose(self, name: room.Name, action: str) -> None:
        self._step(self._look(name, action))

    async def _look(self, name: room.Name, action: str) -> None:
        await self._room.look(name)
        await self._room.ask(name, ACTIONS[action], DORA)

    def afresh(self, name: room.Name, action: str) -> None:
        """What is under way comes to its end, what was mended is broken again, and this is proposed."""
        for _ in range(3):
            if not self._run(self._under_way()):
                break
            for each in room.USERS:
                self.wake_up(each)
                self.execute(each, "")
            self.time_passes(901)
            for each in room.USERS:
                self.verify(each)
        self.somebody_changes("broken", 0)
        self._step(self._look(name, action))

    async def _under_way(self) -> bool:
        return any(row.state in proposals.RUNNING for row in await self._room.rows())

    @stateful.rule(name=replicas, user=people)
    def propose_again(self, name: room.Name, user: str) -> None:
        self._step(self._again(name, user))

    async def _again(self, name: room.Name, user: str) -> None:
        for incident in await self._room.world.live(self._room.processes[name].bot):
            await self._room.processes[name].bot.pipeline.propose_again(incident.id, user)
        await self._room.look(name)

    @stateful.rule(name=replicas, user=people, back=backwards)
    def edit(self, name: room.Name, user: str, back: int) -> None:
        self._step(self._edit(name, user, back))

    async def _edit(self, name: room.Name, user: str, back: int) -> None:
        if (row := self._meant(back)) is None or not isinstance(row.action, model.Scale):
            return
        self._edits += 1
        bot = self._room.processes[name].bot
        answer = await bot.pipeline.may_decide(worlds.press(row, user))
        if answer.counted and row.kind == "remedy":
            edited = await bot.pipeline.edit(worlds.press(row, user), {"replicas": str(3 + self._edits % 4)})
            if edited.answer.counted:
                self._oracle.ended(row.id, f"{user} edited it")

    # --- what happens: presses -------------------------------------------------------------------------------------

    @stateful.rule(name=replicas, user=people, back=backwards, reason=st.sampled_from(["", " ", "it is on fire"]))
    def approve(self, name: room.Name, user: str, back: int, reason: str) -> None:
        self._step(self._approve(name, user, self._meant(back), reason))

    @stateful.initialize(policy=st.sampled_from(["one", "one", "two"]), name=replicas, other=replicas, where=done)
    def to_begin_with(self, policy: str, name: room.Name, other: room.Name, where: room.Where) -> None:
        """What a bot has done already when the rest begins: most examples have written something by then."""
        self.the_usual_way(name, other, "undo", where, "")
        self.the_policy_changes("both", policy)

    @stateful.rule(name=replicas, other=replicas, action=actions, where=places, changed=changes)
    def the_usual_way(
        self, name: room.Name, other: room.Name, action: str, where: room.Where, changed: room.Change | Literal[""]
    ) -> None:
        """Proposed, approved by two, done: so that much is done. Sometimes the target moves under it."""
        self.afresh(name, action)
        for user in (ANA, BEN):
            self._step(self._approve(other, user, self._meant(0), "it is on fire"))
        if changed:
            self.somebody_changes(changed, 7)
            self.totals["moved"] += len(self._run(self._room.still()))
        self.execute(name, where)

    @stateful.rule(name=replicas, action=actions, user=st.sampled_from([ANA, BEN]))
    def one_person_presses_twice(self, name: room.Name, action: str, user: str) -> None:
        """Of what two people have to approve, through one replica and then the other."""
        self.the_policy_changes("both", "two")
        self.afresh(name, action)
        for each in room.USERS:
            self._step(self._approve(each, user, self._meant(0), "it is on fire"))
        self.execute(name, "")

    @stateful.rule(name=replicas, action=actions)
    def a_replica_sleeps_right_before_its_write(self, name: room.Name, action: str) -> None:
        """Longer than its lease lasts: the other one takes its work for lost meanwhile."""
        self.the_usual_way(name, name, action, "before", "")
        self.time_passes(121)
        for each in room.USERS:
            if each != name:
                self.execute(each, "")
        self.wake_up(name)

    async def _approve(
        self, name: room.Name, user: str, row: proposals.Proposal | None, reason: str, digest: str = ""
    ) -> bool:
        if row is None:
            return False
        one = self._room.processes[name]
        shown = digest or row.digest[: approvals.DIGEST_SHOWN]
        now, policy = one.clock(), one.policy
        answer = await one.bot.pipeline.approve(approvals.Press(user, row.id, shown, reason))
        counted = answer.counted
        self.totals["again"] += answer.ending == "again"
        self._oracle.pressed(row.id, shown, user, reason, counted=counted, now=now, policy=policy, early=EARLY)
        return counted

    @stateful.rule(name=replicas, user=people, back=backwards, other=backwards)
    def press_with_the_digest_of_another_one(self, name: room.Name, user: str, back: int, other: int) -> None:
        row, stolen = self._meant(back), self._meant(other)
        if row is not None and stolen is not None:
            self._step(self._approve(name, user, row, "it is on fire", stolen.digest[: approvals.DIGEST_SHOWN]))

    @stateful.rule(name=replicas, user=people, back=backwards)
    def reject(self, name: room.Name, user: str, back: int) -> None:
        self._step(self._reject(name, user, self._meant(back)))

    async def _reject(self, name: room.Name, user: str, row: proposals.Proposal | None) -> None:
        if row is None:
            return
        one = self._room.processes[name]
        answer = await one.bot.pipeline.reject(worlds.press(row, user, reason="not now"))
        if answer.counted:
            assert user in one.policy.approvers, f"{user} rejected {row.id}"
            assert len(self._oracle.seen[row.id].given) < self._oracle.seen[row.id].needed, "approved, then rejected"
            self._oracle.ended(row.id, f"{user} rejected it")

    @stateful.rule(
        name=replicas, action=actions, presses=st.lists(st.tuples(verdicts, people, replicas), min_size=2, max_size=5)
    )
    def press_at_once(self, name: room.Name, action: str, presses: list[Press]) -> None:
        """Several buttons in the same moment, through both replicas."""
        self.afresh(name, action)
        if (row := self._meant(0)) is not None:
            self._step(self._at_once(row, presses))

    async def _at_once(self, row: proposals.Proposal, presses: list[Press]) -> None:
        """Who came first is the database's to say: so what counted is told to the oracle afterwards."""
        policies = {name: one.policy for name, one in self._room.processes.items()}
        doors = []
        for verdict, user, name in presses:
            pipeline = self._room.processes[name].bot.pipeline
            press = worlds.press(row, user, reason="at once")
            doors.append(pipeline.approve(press) if verdict == "approve" else pipeline.reject(press))
        moments = {name: one.clock() for name, one in self._room.processes.items()}
        answers = await asyncio.gather(*doors)
        counted = [press for press, answer in zip(presses, answers, strict=True) if answer.counted]
        digest = row.digest[: approvals.DIGEST_SHOWN]
        for verdict, user, name in sorted(counted):
            if verdict == "approve":
                self._oracle.pressed(
                    row.id, digest, user, "at once", counted=True, now=moments[name], policy=policies[name], early=EARLY
                )
            else:
                one = self._oracle.seen[row.id]
                assert len(one.given) < one.needed, f"approved by all that it needs, and rejected: {counted}"
                self._oracle.ended(row.id, f"{user} rejected it")

    # --- what happens: workers, time, and the world ------------------------------------------------------------------

    @stateful.rule(name=replicas, where=places)
    def execute(self, name: room.Name, where: room.Where) -> None:
        if self._room.processes[name].held is None:
            self._step(self._room.execute(name, where))

    @stateful.rule(name=replicas)
    def wake_up(self, name: room.Name) -> None:
        self._step(self._room.thaw(name))

    @stateful.rule(name=replicas)
    def crash_and_restart(self, name: room.Name) -> None:
        self._step(self._room.die(name))

    @stateful.rule(name=replicas)
    def verify(self, name: room.Name) -> None:
        self._step(self._verify(name))

    async def _verify(self, name: room.Name) -> None:
        await self._room.calm()
        await self._room.processes[name].bot.pipeline.verify_next()

    @stateful.rule(name=replicas)
    def tidy(self, name: room.Name) -> None:
        self._step(self._room.processes[name].bot.pipeline.tidy())

    @stateful.rule(seconds=st.sampled_from([1, 31, 301, 901, 7200]))
    def time_passes(self, seconds: int) -> None:
        self._room.world.clock.advance(seconds=seconds)

    @stateful.rule(name=replicas, seconds=st.sampled_from([0, -20, -40, -400, -3600, 20, 400, 3600]))
    def a_clock_jumps(self, name: room.Name, seconds: int) -> None:
        self._room.processes[name].clock.skew = timedelta(seconds=seconds)

    @stateful.rule(
        what=st.sampled_from(["template", "replicas", "anew", "healed", "broken", "broken"]), number=st.integers(0, 9)
    )
    def somebody_changes(self, what: room.Change, number: int) -> None:
        self._step(self._room.change(what, number))

    @stateful.rule(name=st.sampled_from(["a", "b", "both"]), policy=st.sampled_from(sorted(POLICIES)))
    def the_policy_changes(self, name: str, policy: str) -> None:
        for each in room.USERS:
            if name in (each, "both"):
                self._room.govern(each, POLICIES[policy])

    # --- what has to be true ----------------------------------------------------------------------------------------

    def _meant(self, back: int) -> proposals.Proposal | None:
        """As it was on the card when it was made, however old."""
        known = sorted(self._oracle.seen, reverse=True)
        return self._oracle.seen[known[min(back, len(known) - 1)]].row if known else None

    def _step(self, work: Coroutine[Any, Any, Any]) -> None:
        """One thing happens, and then every rule still holds."""
        self._run(self._watched(work))
        self._run(self._check())

    async def _watched(self, work: Coroutine[Any, Any, Any]) -> None:
        still, facts = await self._room.still(), self._room.facts
        moments = {name: one.clock() for name, one in self._room.processes.items()}
        owners = {name: one.bot.wired.owner for name, one in self._room.processes.items()}
        await work
        writes = self._room.world.writes
        for entry in writes[self._journalled :]:
            one = self._room.owner(entry.user)
            wrote = oracle.Wrote(entry, owners[one.name], moments[one.name], one.policy, facts)
            self._oracle.wrote(wrote, still, early=EARLY)
        self._journalled = len(writes)

    async def _check(self) -> None:
        rows = await self._room.rows()
        for row in rows:
            if row.id not in self._oracle.seen:
                policy = next(each for each in POLICIES.values() if each.hash == row.policy)
                self._oracle.seen[row.id] = oracle.Seen(row, self._room.facts["api"], policy)
            shown = self._oracle.seen[row.id].row
            assert (row.operations, row.digest, row.pins) == (shown.operations, shown.digest, shown.pins)
        self._oracle.follow(rows)
        await self._check_the_database()

    async def _check_the_database(self) -> None:
        log = self._room.log
        for step in await log.fetch("SELECT * FROM walked WHERE what = 'proposal'"):
            assert step["after"] in proposals.FOLLOWS[step["before"]], f"proposal {step['row_id']}: {dict(step)}"
        shared = "SELECT row_id FROM walked WHERE what = 'owner' GROUP BY 1 HAVING count(DISTINCT after) > 1"
        assert await log.fetch(shared) == [], "an execution went from one owner to another"
        twice = "SELECT proposal_id FROM execution GROUP BY 1 HAVING count(*) > 1"
        assert await log.fetch(twice) == [], "a proposal has two executions"
        opened = "SELECT 1 FROM proposal WHERE kind = 'remedy' AND state = 'proposed'"
        many = await log.fetch(f"{opened} GROUP BY incident_id HAVING count(*) > 1")
        assert many == [], "an incident has two open remedies"
        async with self._room.processes["a"].bot.database.begin() as tx:
            for head in await tx.trail.heads():
                assert await tx.trail.verify(head.chain) is None, f"the chain {head.chain} is broken"


async def _in_time(work: Coroutine[Any, Any, T]) -> T:
    """A step that waits for ever is a fault as well, and is told like one."""
    async with asyncio.timeout(STEP_SECONDS):
        return await work


@pytest.mark.timeout(0)
def test_whatever_happens_in_whatever_order_only_what_was_approved_is_done(
    postgres_server: postgres.Server, pytestconfig: pytest.Config
) -> None:
    many: int = pytestconfig.getoption("--machine")
    totals = dict.fromkeys(TOTALS, 0)
    machine = type("Approvals", (Approvals,), {"server": postgres_server, "totals": totals})
    chosen_ = settings(
        max_examples=many or 10,
        stateful_step_count=60 if many else 15,
        deadline=None,
        derandomize=not many,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    stateful.run_state_machine_as_test(machine, settings=chosen_)
    assert 2 * totals["wrote"] >= totals["examples"], f"too few examples wrote anything at all: {totals}"
    assert totals["again"], f"nobody pressed twice while somebody else had to: {totals}"
    assert totals["moved"], f"nothing was changed between an approval and its execution: {totals}"


@pytest.mark.timeout(0)
def test_the_machine_sees_the_write_of_an_approved_proposal(postgres_server: postgres.Server) -> None:
    """Without it all rules would hold because nothing is ever done."""
    totals = dict.fromkeys(TOTALS, 0)
    machine = type("Approvals", (Approvals,), {"server": postgres_server, "totals": totals})()
    try:
        machine.the_usual_way("a", "b", "undo", "", "")
    finally:
        machine.teardown()
    assert totals["writes"] == 1
