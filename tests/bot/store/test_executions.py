"""Executions and verifications: done once, by one owner, and taken over when that one dies."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from bot import errors
from bot.domain import proposals
from bot.store import engine
from k8s import model
from tests.bot.store import examples

NOW, LEASE, SECOND = examples.NOW, examples.LEASE, examples.SECOND


async def _claim(store: engine.Database, owner: str = "a") -> proposals.Execution | None:
    async with store.begin() as tx:
        return await tx.executions.claim(owner, NOW, LEASE)


async def test_an_execution_is_queued_with_its_permit(store: engine.Database) -> None:
    queued = await examples.queued(store)
    assert queued == proposals.Execution(queued.id, queued.proposal_id, "queued", examples.PERMIT)


async def test_the_database_refuses_a_second_execution(store: engine.Database) -> None:
    queued = await examples.queued(store)
    with pytest.raises(errors.NotPossible, match="never a second"):
        async with store.begin() as tx:
            await tx.executions.queue(queued.proposal_id, examples.PERMIT, NOW)


async def test_of_many_replicas_one_claims_it(store: engine.Database, postgres_url: str) -> None:
    queued = await examples.queued(store)
    other = engine.Database(postgres_url)
    claimed = await asyncio.gather(*(_claim((store, other)[number % 2], f"r{number}") for number in range(100)))
    await other.close()
    taken = [one for one in claimed if one is not None]
    assert [one.id for one in taken] == [queued.id]
    assert taken[0] == replace(queued, state="executing", owner=taken[0].owner, lease_until=NOW + LEASE, started_at=NOW)


async def test_a_claim_does_not_wait_for_one_that_is_being_claimed(store: engine.Database) -> None:
    first = await examples.queued(store)
    async with store.begin() as one:
        claimed = await one.executions.claim("a", NOW, LEASE)
        assert claimed is not None
        assert claimed.id == first.id
        assert await asyncio.wait_for(_claim(store, "b"), 5) is None


async def test_a_lease_is_renewed_by_its_owner_until_it_runs_out(store: engine.Database) -> None:
    await examples.queued(store)
    held = await _claim(store)
    assert held is not None
    async with store.begin() as tx:
        assert not await tx.executions.renew(held.id, "b", NOW + 2 * LEASE, NOW)
        assert await tx.executions.renew(held.id, "a", NOW + 2 * LEASE, NOW + LEASE - SECOND)
        assert not await tx.executions.renew(held.id, "a", NOW + 3 * LEASE, NOW + 2 * LEASE)


async def test_it_is_finished_once_and_by_its_owner(store: engine.Database) -> None:
    await examples.queued(store)
    held = await _claim(store)
    assert held is not None

    async def finish(owner: str) -> bool:
        async with store.begin() as tx:
            return await tx.executions.finish(held.id, owner, examples.DONE, NOW)

    assert not await finish("b")
    assert (await asyncio.gather(*(finish("a") for _ in range(20)))).count(True) == 1
    async with store.begin() as tx:
        assert not await tx.executions.renew(held.id, "a", NOW + 2 * LEASE, NOW)
        assert await tx.executions.orphans("b", NOW + examples.DAY, LEASE) == []
        card = await tx.cards.incident(1)
    assert card is not None
    assert card.remedy is not None
    assert card.remedy.execution is not None
    assert card.remedy.execution.outcome == examples.DONE
    assert (card.remedy.execution.state, card.remedy.execution.finished_at) == ("done", NOW)


async def test_what_a_dead_replica_left_is_taken_over_once_and_never_claimed_again(store: engine.Database) -> None:
    await examples.queued(store)
    held = await _claim(store)
    assert held is not None

    async def orphans(owner: str) -> list[proposals.Execution]:
        async with store.begin() as tx:
            return list(await tx.executions.orphans(owner, NOW + LEASE, LEASE))

    async with store.begin() as tx:
        assert await tx.executions.orphans("b", NOW + LEASE - SECOND, LEASE) == []
    found = await asyncio.gather(*(orphans(f"r{number}") for number in range(20)))
    assert [one for some in found for one in some] == [held], "it tells who left it"
    assert await _claim(store, "c") is None
    taker = f"r{next(number for number, some in enumerate(found) if some)}"
    unknown = model.Outcome("unknown", "the process died")
    async with store.begin() as tx:
        assert not await tx.executions.finish(held.id, "a", examples.DONE, NOW), "its first owner is too late"
        assert await tx.executions.finish(held.id, taker, unknown, NOW)


async def test_after_a_take_over_nobody_may_write_not_even_the_same_process(store: engine.Database) -> None:
    await examples.queued(store)
    held = await _claim(store)
    assert held is not None
    late = NOW + LEASE
    async with store.begin() as tx:
        assert await tx.executions.orphans("a", late, LEASE) == [held]
        assert not await tx.executions.renew(held.id, "a", late + LEASE, late)


async def test_an_orphan_whose_taker_dies_is_taken_over_again(store: engine.Database) -> None:
    await examples.queued(store)
    held = await _claim(store)
    assert held is not None
    async with store.begin() as tx:
        assert await tx.executions.orphans("b", NOW + LEASE, LEASE) == [held]
        assert await tx.executions.orphans("c", NOW + 2 * LEASE - SECOND, LEASE) == []
        again = await tx.executions.orphans("c", NOW + 2 * LEASE, LEASE)
    assert [(one.id, one.owner) for one in again] == [(held.id, "b")]


async def test_an_unseen_end_is_given_to_one_at_a_time_until_it_is_settled(store: engine.Database) -> None:
    await examples.queued(store)
    held = await _claim(store)
    assert held is not None
    unseen, seen = model.Outcome("unknown", "no answer", unseen=True), model.Outcome("unknown", "there", written=True)
    async with store.begin() as tx:
        assert await tx.executions.finish(held.id, "a", unseen, NOW)
        assert await tx.executions.unseen("b", NOW, NOW, LEASE) is None, "too long ago"
        taken = await tx.executions.unseen("b", NOW, NOW - SECOND, LEASE)
        assert taken is not None
        assert (taken.id, taken.owner, taken.outcome) == (held.id, "b", unseen)
        assert await tx.executions.unseen("c", NOW + LEASE - SECOND, NOW - SECOND, LEASE) is None
        assert await tx.executions.unseen("c", NOW + LEASE, NOW - SECOND, LEASE) is not None
        assert not await tx.executions.settle(held.id, "b", seen), "it was taken over"
        assert await tx.executions.settle(held.id, "c", seen)
        assert not await tx.executions.settle(held.id, "c", unseen), "once"
        assert await tx.executions.unseen("d", NOW + 2 * LEASE, NOW - SECOND, LEASE) is None


async def test_an_end_that_was_seen_is_not_looked_for(store: engine.Database) -> None:
    await examples.queued(store)
    held = await _claim(store)
    assert held is not None
    async with store.begin() as tx:
        assert await tx.executions.finish(held.id, "a", examples.DONE, NOW)
        assert await tx.executions.unseen("b", NOW, NOW - SECOND, LEASE) is None


# --- verifications --------------------------------------------------------------------------------------------------


async def _verifying(store: engine.Database) -> int:
    queued = await examples.queued(store)
    async with store.begin() as tx:
        await tx.verifications.start(queued.proposal_id, NOW)
        await tx.verifications.start(queued.proposal_id, NOW + SECOND)
    return queued.proposal_id


async def _look(store: engine.Database, owner: str, now: datetime) -> proposals.Verification | None:
    async with store.begin() as tx:
        return await tx.verifications.claim(owner, now, LEASE)


async def test_one_replica_verifies(store: engine.Database) -> None:
    proposal_id = await _verifying(store)
    claimed = await asyncio.gather(*(_look(store, f"r{number}", NOW) for number in range(30)))
    taken = [one for one in claimed if one is not None]
    assert len(taken) == 1
    assert (taken[0].proposal_id, taken[0].status, taken[0].started_at) == (proposal_id, "pending", NOW)


async def test_its_owner_looks_again_after_a_part_of_the_lease_and_others_after_all_of_it(
    store: engine.Database,
) -> None:
    await _verifying(store)
    assert await _look(store, "a", NOW) is not None
    assert await _look(store, "a", NOW) is None, "no busy loop"
    again = NOW + LEASE / 6
    assert await _look(store, "a", again - SECOND) is None
    assert await _look(store, "a", again) is not None
    assert await _look(store, "b", again + LEASE - SECOND) is None
    taken = await _look(store, "b", again + LEASE)
    assert taken is not None
    assert taken.owner == "b"


async def test_a_look_is_saved_by_its_owner_while_it_is_pending(store: engine.Database) -> None:
    await _verifying(store)
    mine = await _look(store, "a", NOW)
    assert mine is not None
    seen = replace(mine, progress="1 of 3 ready")
    ended = replace(seen, status="verified", reason="held for 60 s", finished_at=NOW + SECOND)
    async with store.begin() as tx:
        assert await tx.verifications.save(seen)
        assert not await tx.verifications.save(replace(ended, owner="b"))
        assert await tx.verifications.save(ended)
        assert not await tx.verifications.save(replace(ended, status="not-verified"))
        card = await tx.cards.incident(1)
    assert await _look(store, "a", NOW + examples.DAY) is None
    assert card is not None
    assert card.remedy is not None
    assert card.remedy.verification == ended
