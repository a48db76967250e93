"""Leases as rows: one owner at a time, whoever asks."""

import asyncio
from datetime import timedelta

from bot.store import engine
from tests.bot.store import examples

LEASE = timedelta(seconds=30)
NAME = "fast-path:prod"


async def _take(store: engine.Database, owner: str, after: timedelta = timedelta(), name: str = NAME) -> bool:
    async with store.begin() as tx:
        return await tx.leases.take(name, owner, examples.NOW + after, LEASE)


async def test_a_lease_is_its_owners_until_it_ends(store: engine.Database) -> None:
    assert await _take(store, "a")
    assert not await _take(store, "b")
    assert not await _take(store, "b", LEASE - timedelta(seconds=1))
    assert await _take(store, "b", LEASE)
    assert not await _take(store, "a", LEASE)


async def test_an_owner_renews_it(store: engine.Database) -> None:
    assert await _take(store, "a")
    assert await _take(store, "a", timedelta(seconds=20))
    assert not await _take(store, "b", timedelta(seconds=40))
    assert await _take(store, "b", timedelta(seconds=50))


async def test_leases_of_other_names_are_others(store: engine.Database) -> None:
    assert await _take(store, "a")
    assert await _take(store, "b", name="fast-path:stage")


async def test_what_is_given_back_can_be_taken_at_once_and_only_its_owner_gives_it_back(store: engine.Database) -> None:
    assert await _take(store, "a")
    async with store.begin() as tx:
        await tx.leases.give_back(NAME, "b")
    assert not await _take(store, "b")
    async with store.begin() as tx:
        await tx.leases.give_back(NAME, "a")
    assert await _take(store, "b")


async def test_of_many_who_ask_at_once_one_gets_it(store: engine.Database) -> None:
    taken = await asyncio.gather(*(_take(store, f"replica-{number}") for number in range(20)))
    assert sum(taken) == 1
