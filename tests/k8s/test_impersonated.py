"""What is approved is written in the name of who approved it, decided of the permit's people and never of its word."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from demo.cluster.access import WRITER, Binding, PolicyRule
from k8s import executor, guardrails, model, policy
from k8s.client import errors, rights
from tests.k8s import executing

ANA = model.Identity("ana@example.com", ("oncall",))
BEN = model.Identity("ben@example.com")
KNOWN = guardrails.Identities({"U1": ANA, "U2": BEN})
LENIENT = guardrails.Identities({"U1": ANA}, required=False)
TWO = policy.Tier(approvals=2)
PAIR = guardrails.Policy(approvers=("U1", "U2"), tiers=policy.Tiers(low=TWO, medium=TWO, high=TWO))
PATCH = PolicyRule(("apps",), ("deployments",), ("patch",))
READS = tuple(rule for rule in WRITER if not {"patch", "delete", "create"} & set(rule.verbs))
IMPERSONATE = (
    PolicyRule(("",), ("users",), ("impersonate",), names=("ana@example.com", "ben@example.com")),
    PolicyRule(("",), ("groups",), ("impersonate",), names=("oncall",)),
)


def binding(rules: tuple[PolicyRule, ...], subject: str) -> list[Binding]:
    return [Binding("test", rules, subject)]


@dataclass
class Bench:
    world: executing.World

    def executor(self, known: guardrails.Identities = KNOWN) -> executor.Executor:
        return executor.Executor(self.world.reader, self.world.writer, known)

    def may(self, subject: str, *rules: PolicyRule) -> None:
        self.world.cluster.access.bindings[subject] = binding(rules, subject)

    async def restart(
        self, approvers: tuple[str, ...], known: guardrails.Identities = KNOWN, rules: guardrails.Policy = PAIR
    ) -> executing.Proposal:
        """Proposed and approved by these, in this order."""
        made = await self.world.propose(model.RolloutRestart(self.world.api()), rules)
        verdict = guardrails.Verdict(
            allowed=True,
            reasons=(),
            warnings=(),
            tier="medium",
            approvals_needed=len(approvers),
            approvers=approvers,
            digest=made.permit.digest,
        )
        permit = guardrails.permit(
            proposal="proposal-1",
            digest=made.permit.digest,
            verdict=verdict,
            policy=rules,
            approvers=approvers,
            now=executing.ROUND,
            expires_at=executing.ROUND + timedelta(minutes=30),
            identities=known,
        )
        return executing.Proposal(made.action, made.plan, permit, rules, "approve")

    async def execute(
        self, made: executing.Proposal, known: guardrails.Identities = KNOWN, permit: model.Permit | None = None
    ) -> model.Outcome:
        return await self.executor(known).execute(
            made.action,
            permit or made.permit,
            proposal="proposal-1",
            subject=made.action.workload,
            policy=made.policy,
            history=guardrails.History(),
            mode=made.mode,
            now=self.world.clock,
            planned_at=executing.ROUND,
            pins=made.plan.pins,
            operations=made.plan.operations,
        )

    @property
    def written_as(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Of each write and each dry run: who asked, in whose name, with which groups."""
        journal = self.world.cluster.journal
        return [(one.user, one.impersonated, one.groups) for one in (*journal.dry_runs, *journal.writes)]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """The writer may read and impersonate, and write nothing itself; Ben may patch by his name, Ana by her group."""
    async with executing.world(tmp_path) as world:
        made = Bench(world)
        made.may("writer", *READS, *IMPERSONATE)
        made.may("group:oncall", PATCH)
        made.may("ben@example.com", PATCH)
        yield made


# --- in whose name --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("approvers", "who"), [(("U2", "U1"), ANA), (("U1", "U2"), BEN)])
async def test_dry_run_and_write_carry_whoever_completed_the_approval(
    bench: Bench, approvers: tuple[str, ...], who: model.Identity
) -> None:
    made = await bench.restart(approvers)
    assert made.permit.identity == who
    outcome = await bench.execute(made)
    assert outcome.status == "succeeded", outcome
    assert bench.written_as == [("writer", who.user, who.groups)] * 2


async def test_reads_stay_the_writers_own(bench: Bench) -> None:
    await bench.execute(await bench.restart(("U1", "U2")))
    reads = [one for one in bench.world.cluster.journal if one.method == "GET"]
    assert reads
    assert {(one.user, one.impersonated) for one in reads} == {("writer", "")}


async def test_without_the_file_everything_is_in_the_writers_own_name(bench: Bench) -> None:
    bench.may("writer", *WRITER)
    made = await bench.restart(("U1", "U2"), guardrails.NO_IDENTITIES)
    assert (await bench.execute(made, guardrails.NO_IDENTITIES)).status == "succeeded"
    assert bench.written_as == [("writer", "", ())] * 2


async def test_who_has_no_identity_where_none_is_required_has_it_written_in_the_writers_name(bench: Bench) -> None:
    bench.may("writer", *WRITER, *IMPERSONATE)
    made = await bench.restart(("U1", "U2"), LENIENT)
    assert made.permit.identity is None
    assert (await bench.execute(made, LENIENT)).status == "succeeded"
    assert bench.written_as == [("writer", "", ())] * 2


async def test_nobody_without_an_identity_gets_a_permit_where_one_is_required(bench: Bench) -> None:
    with pytest.raises(guardrails.NotPermitted, match="U2 has no identity"):
        await bench.restart(("U1", "U2"), guardrails.Identities({"U1": ANA}))


@pytest.mark.parametrize("identity", [None, BEN, model.Identity("root"), model.Identity("ana@example.com", ("sre",))])
async def test_a_permit_that_names_anybody_else_is_refused(bench: Bench, identity: model.Identity | None) -> None:
    made = await bench.restart(("U2", "U1"))
    forged = msgspec.structs.replace(made.permit, identity=identity)
    outcome = await bench.execute(made, permit=forged)
    assert (outcome.status, outcome.detail) == (
        "refused",
        "Who U1 is in the cluster has changed since it was approved.",
    )
    assert bench.written_as == []


async def test_a_permit_of_before_the_file_changed_is_refused(bench: Bench) -> None:
    made = await bench.restart(("U1", "U2"))
    for now, told in (
        (guardrails.NO_IDENTITIES, "has changed"),
        (guardrails.Identities({"U2": ANA}), "has changed"),
        (guardrails.Identities({"U1": ANA}), "U2 has no identity"),
    ):
        outcome = await bench.execute(made, now)
        assert outcome.status == "refused"
        assert told in outcome.detail
    assert bench.written_as == []


def test_a_permit_of_the_policy_alone_is_in_nobodys_name() -> None:
    permit = model.Permit("1", "d", PAIR.hash, (guardrails.BY_POLICY,), executing.ROUND, executing.ROUND, (), ANA)
    later = msgspec.structs.replace(permit, expires_at=executing.ROUND + timedelta(hours=1))
    told = guardrails.check_permit(later, proposal="1", digest="d", policy=PAIR, now=executing.ROUND, identities=KNOWN)
    assert told == "What the policy permits is written in nobody else's name."


async def test_a_name_that_no_header_can_carry_is_never_sent(bench: Bench) -> None:
    for name in ("ana\r\nX: y", "änne", "", " ana"):
        with pytest.raises(ValueError, match="no name"):
            await bench.world.reader.can_i("get", "pods", as_user=model.Identity("ana", (name,)))
    assert len(bench.world.cluster.journal) == 0


# --- what is lacking, before anybody presses ------------------------------------------------------------------------


async def test_what_somebody_could_do_is_offered_and_tried_in_their_name(bench: Bench) -> None:
    made = await bench.restart(("U1", "U2"))
    hand = bench.executor()
    assert await hand.lacking(made.plan, None, 2) == ""
    assert await hand.lacking(made.plan, {"U2"}, 1) == ""
    assert (await hand.dry_run(made.plan)).accepted
    assert bench.written_as == [("writer", "ana@example.com", ("oncall",))]
    bench.world.cluster.journal.clear()
    bench.may("writer", *WRITER, *IMPERSONATE)
    assert (await hand.dry_run(made.plan)).accepted
    assert bench.written_as == [("writer", "", ())], "nobody's name is under what they did not ask for"


async def test_what_too_few_could_do_is_not_offered_and_it_is_said_what_they_lack(bench: Bench) -> None:
    made = await bench.restart(("U1", "U2"))
    bench.may("group:oncall")
    hand = bench.executor()
    assert await hand.lacking(made.plan, None, 1) == ""
    told = await hand.lacking(made.plan, None, 2)
    assert told == (
        "Too few of those who may approve it could have it done in their names. "
        "The identity ana@example.com may not patch deployments.apps in namespace payments."
    )
    assert "in the impersonation file" in await hand.lacking(made.plan, {"U9"}, 1)
    assert not (await hand.dry_run(made.plan, {"U1"})).accepted


async def test_that_the_writer_may_not_impersonate_somebody_is_said(bench: Bench) -> None:
    made = await bench.restart(("U1", "U2"))
    bench.may("writer", *READS, PolicyRule(("",), ("users",), ("impersonate",), names=("ana@example.com",)))
    told = await bench.executor().lacking(made.plan, None, 1)
    assert 'may not act as ana@example.com: groups "oncall" is forbidden: User "writer" cannot impersonate' in told
    assert "may not act as ben@example.com" in told


async def test_what_is_read_is_asked_of_the_writer_itself(bench: Bench) -> None:
    made = await bench.restart(("U1", "U2"))
    bench.may("writer", *IMPERSONATE)
    told = await bench.executor().lacking(made.plan, None, 1)
    assert told.startswith(f"{rights.OURS} may not get deployments.apps")


async def test_the_policy_alone_asks_for_the_writers_own_rights(bench: Bench) -> None:
    made = await bench.restart(("U1", "U2"))
    told = await bench.executor().lacking(made.plan, None, 0)
    assert told == f"{rights.OURS} may not patch deployments.apps in namespace payments."


async def test_where_nobody_needs_an_identity_the_writers_own_rights_will_do(bench: Bench) -> None:
    made = await bench.restart(("U1", "U2"))
    bench.may("group:oncall")
    assert "may not patch" in await bench.executor(LENIENT).lacking(made.plan, None, 1)
    bench.may("writer", *WRITER, *IMPERSONATE)
    assert await bench.executor(LENIENT).lacking(made.plan, {"U2"}, 1) == ""
    assert "ana@example.com may not" in await bench.executor(LENIENT).lacking(made.plan, {"U1"}, 1)


async def test_each_person_is_told_what_their_own_identity_lacks(bench: Bench) -> None:
    operations = (await bench.restart(("U1", "U2"))).plan.operations
    bench.may("group:oncall")
    hand = bench.executor()
    assert await hand.lacking_of("U2", operations) == ""
    told = await hand.lacking_of("U1", operations)
    assert told == "Your cluster identity ana@example.com may not patch deployments.apps in namespace payments."
    assert (await hand.lacking_of("U9", operations)).startswith("You have no identity in this cluster")
    assert await bench.executor(LENIENT).lacking_of("U9", operations) == ""
    assert await bench.executor(guardrails.NO_IDENTITIES).lacking_of("U9", operations) == ""


# --- the simulated cluster ------------------------------------------------------------------------------------------


async def test_a_group_without_a_user_and_another_name_are_refused(bench: Bench) -> None:
    with pytest.raises(errors.Forbidden, match='users "eve" is forbidden: User "writer" cannot impersonate resource'):
        await bench.world.reader.can_i("get", "pods", "payments", as_user=model.Identity("eve"))
    assert await bench.world.reader.can_i("patch", "deployments", "payments", as_user=ANA)
    assert not await bench.world.reader.can_i("patch", "deployments", "payments", as_user=model.Identity(ANA.user))
    assert not await bench.world.reader.can_i("get", "pods", "payments", as_user=ANA)
