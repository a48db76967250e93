"""Proposals, decisions, and what was done lately."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec
import pytest

from bot import errors
from bot.domain import incidents, proposals
from bot.store import engine
from k8s import guardrails, model
from tests.bot.store import examples

EXPIRY = examples.NOW + timedelta(minutes=15)


async def _move(
    store: engine.Database,
    row: proposals.Proposal,
    before: proposals.State,
    after: proposals.State,
    now: datetime = examples.NOW,
) -> bool:
    async with store.begin() as tx:
        return await tx.proposals.move(row.id, before, after, now)


async def test_a_proposal_comes_back_as_it_was_added(store: engine.Database) -> None:
    kept = await examples.proposed(store)
    assert kept == examples.proposal(kept.incident_id, id=kept.id)
    async with store.begin() as tx:
        assert await tx.proposals.get(kept.id) == kept
        assert await tx.proposals.of_incident(kept.incident_id) == [kept]
        assert await tx.proposals.get(999) is None


async def test_of_two_hundred_presses_at_once_exactly_one_counts(store: engine.Database, postgres_url: str) -> None:
    kept = await examples.proposed(store)
    replicas = [engine.Database(postgres_url, pool_size=8) for _ in range(3)]

    async def press(number: int) -> bool:
        after: proposals.State = "approved" if number % 2 else "rejected"
        async with replicas[number % 3].begin() as tx:
            return await tx.proposals.move(kept.id, "proposed", after, examples.NOW)

    counted = await asyncio.gather(*(press(number) for number in range(200)))
    for replica in replicas:
        await replica.close()
    assert counted.count(True) == 1
    async with store.begin() as tx:
        found = await tx.proposals.get(kept.id)
    assert found is not None
    assert found.state == ("approved" if counted.index(True) % 2 else "rejected")


async def test_an_expired_one_cannot_be_approved_but_can_be_expired(store: engine.Database) -> None:
    kept = await examples.proposed(store)
    assert not await _move(store, kept, "proposed", "approved", EXPIRY)
    assert await _move(store, kept, "proposed", "expired", EXPIRY)


async def test_one_is_approved_until_the_moment_of_its_expiry(store: engine.Database) -> None:
    kept = await examples.proposed(store)
    assert await _move(store, kept, "proposed", "approved", EXPIRY - timedelta(microseconds=1))


async def test_no_step_is_taken_that_the_state_machine_does_not_know(store: engine.Database) -> None:
    states: tuple[proposals.State, ...] = get_args(proposals.State)
    for before in states:
        for after in set(states) - proposals.FOLLOWS[before]:
            with pytest.raises(ValueError, match="never goes"):
                await _move(store, examples.proposal(id=1), before, after)


async def test_a_second_open_remedy_is_refused_until_the_first_has_ended(store: engine.Database) -> None:
    first = await examples.proposed(store)
    with pytest.raises(errors.NotPossible, match="open proposal"):
        await examples.proposed(store, first.incident_id)
    assert await _move(store, first, "proposed", "superseded")
    second = await examples.proposed(store, first.incident_id)
    async with store.begin() as tx:
        assert [row.id for row in await tx.proposals.of_incident(first.incident_id)] == [first.id, second.id]


async def test_of_many_remedies_proposed_at_once_one_stands(store: engine.Database) -> None:
    kept = await examples.opened(store)

    async def propose() -> bool:
        try:
            await examples.proposed(store, kept.id)
        except errors.NotPossible:
            return False
        return True

    assert (await asyncio.gather(*(propose() for _ in range(30)))).count(True) == 1


async def test_a_remedy_has_one_open_undo_beside_it(store: engine.Database) -> None:
    remedy = await examples.proposed(store)
    undo = await examples.proposed(store, remedy.incident_id, kind="undo", undo_of=remedy.id, inverse=None)
    assert undo.undo_of == remedy.id
    with pytest.raises(errors.NotPossible):
        await examples.proposed(store, remedy.incident_id, kind="undo", undo_of=remedy.id)


async def test_the_first_word_of_a_person_stands(store: engine.Database) -> None:
    kept = await examples.proposed(store)
    first = proposals.Decision(kept.id, "U1", "reject", "not now", examples.NOW)
    async with store.begin() as tx:
        assert await tx.proposals.decision(kept.id) is None
        assert await tx.proposals.decide(first)
        assert not await tx.proposals.decide(replace(first, reason="never"))
        assert await tx.proposals.decision(kept.id) == first


async def test_who_approved_first_may_reject_still_and_all_that_was_said_is_kept(store: engine.Database) -> None:
    kept = await examples.proposed(store)
    yes = proposals.Decision(kept.id, "U1", "approve", "it helps", examples.NOW)
    other, no = replace(yes, user="U2"), replace(yes, verdict="reject", reason="it does not")
    async with store.begin() as tx:
        for said in (yes, other, no):
            assert await tx.proposals.decide(said)
        assert not await tx.proposals.decide(replace(yes, reason="again"))
        assert await tx.proposals.decisions(kept.id) == [yes, other, no]
        assert await tx.proposals.decision(kept.id) == no


async def test_who_locks_a_proposal_sees_what_was_done_before_and_is_waited_for(store: engine.Database) -> None:
    kept = await examples.proposed(store)
    order: list[str] = []

    async def second() -> None:
        async with store.begin() as tx:
            locked = await tx.proposals.lock(kept.id)
            order.append("second")
            assert locked is not None
            assert [one.user for one in await tx.proposals.decisions(kept.id)] == ["U1"]

    async with store.begin() as tx:
        assert await tx.proposals.lock(kept.id) == kept
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.2)
        assert await tx.proposals.decide(proposals.Decision(kept.id, "U1", "approve", "", examples.NOW))
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_the_expired_are_found_once_by_whoever_looks_first(store: engine.Database) -> None:
    late = await examples.proposed(store)
    other = await examples.opened(store, cluster="prod-us")
    await examples.proposed(store, other.id, expires_at=EXPIRY + examples.HOUR)
    async with store.begin() as one, store.begin() as two:
        assert await one.proposals.expired(EXPIRY) == [late]
        assert await two.proposals.expired(EXPIRY) == []
        assert await one.proposals.move(late.id, "proposed", "expired", EXPIRY)
    async with store.begin() as tx:
        assert await tx.proposals.expired(EXPIRY) == []


async def test_the_history_tells_what_was_begun_and_what_became_of_it(store: engine.Database) -> None:
    begun = await examples.queued(store)
    async with store.begin() as tx:
        assert await tx.proposals.recent_executions("prod-eu", examples.NOW) == guardrails.History()
        assert await tx.executions.claim("a", examples.NOW, examples.LEASE) is not None
        running = await tx.proposals.recent_executions("prod-eu", examples.NOW)
        assert await tx.proposals.move(begun.proposal_id, "approved", "executing", examples.NOW)
        assert await tx.executions.finish(begun.id, "a", examples.DONE, examples.NOW)
        assert await tx.proposals.move(begun.proposal_id, "executing", "succeeded", examples.NOW)
        done = await tx.proposals.recent_executions("prod-eu", examples.NOW)
        assert await tx.proposals.recent_executions("prod-us", examples.NOW) == guardrails.History()
        assert await tx.proposals.recent_executions("prod-eu", examples.NOW + examples.SECOND) == guardrails.History()
    past = guardrails.PastExecution(
        action_name="rollout-undo",
        workload=examples.WORKLOAD,
        at=examples.NOW,
        status="executing",
        inverse=model.RolloutUndo(examples.WORKLOAD, 4),
    )
    assert running.executions == (past,)
    assert done.executions == (msgspec.structs.replace(past, status="succeeded"),)


@pytest.mark.parametrize(
    ("state", "written", "told"),
    [
        ("failed", True, "not-verified"),  # a command was run, and went wrong: a cooldown counts from it
        ("failed", False, "failed"),
        ("failed", None, "failed"),
        ("unknown", True, "unknown"),
        ("unknown", None, "unknown"),
        ("unknown", False, "failed"),  # looked for, and not there
    ],
)
async def test_what_was_written_counts_as_done_and_what_was_not_does_not(
    store: engine.Database, state: Literal["failed", "unknown"], written: bool | None, told: str
) -> None:
    begun = await examples.queued(store)
    async with store.begin() as tx:
        assert await tx.executions.claim("a", examples.NOW, examples.LEASE) is not None
        assert await tx.proposals.move(begun.proposal_id, "approved", "executing", examples.NOW)
        ended = model.Outcome(state, "exit code 1", written=written)
        assert await tx.executions.finish(begun.id, "a", ended, examples.NOW)
        assert await tx.proposals.move(begun.proposal_id, "executing", state, examples.NOW)
        (past,) = (await tx.proposals.recent_executions("prod-eu", examples.NOW)).executions
    assert past.status == told


async def test_a_resolved_incident_keeps_its_proposals(store: engine.Database) -> None:
    kept = await examples.proposed(store)
    async with store.begin() as tx:
        one = await tx.incidents.get(kept.incident_id)
        assert one is not None
        await tx.incidents.save(incidents.resolve(one, "gone", examples.NOW))
        assert await tx.proposals.get(kept.id) == kept
