"""Since when a finding has been seen without a gap."""

import asyncio
from datetime import timedelta

from bot.store import engine
from k8s import model
from tests.bot.store import examples

KEY = "uid-api:CrashLoopBackOff:exit 1"


async def _sweep(store: engine.Database) -> int:
    watch = await examples.watched(store)
    async with store.begin() as tx:
        sweep = await tx.sweeps.claim(watch.id, None, "command", "a", examples.NOW)
    assert sweep is not None
    return sweep.id


async def test_the_first_sight_stands_while_it_is_seen(store: engine.Database) -> None:
    sweep = await _sweep(store)
    for minutes in (0, 1, 2):
        now = examples.NOW + timedelta(minutes=minutes)
        async with store.begin() as tx:
            assert await tx.findings.observe("prod-eu", [examples.problem()], sweep, now) == {KEY: examples.NOW}


async def test_a_finding_that_was_forgotten_begins_anew(store: engine.Database) -> None:
    sweep = await _sweep(store)
    later = examples.NOW + examples.HOUR
    async with store.begin() as tx:
        await tx.findings.observe("prod-eu", [examples.problem()], sweep, examples.NOW)
        await tx.findings.observe("other", [examples.problem()], sweep, examples.NOW)
        await tx.findings.forget("prod-eu", later - examples.MINUTE)
        assert await tx.findings.observe("prod-eu", [examples.problem()], sweep, later) == {KEY: later}
        assert await tx.findings.observe("other", [examples.problem()], sweep, later) == {KEY: examples.NOW}


async def test_findings_of_one_kind_and_cause_are_one(store: engine.Database) -> None:
    sweep = await _sweep(store)
    nameless = model.ResourceRef("Node", "", "n1")
    problems = [
        examples.problem(examples.finding("a"), examples.finding("b"), examples.finding("c", "exit 2")),
        examples.problem(subject=nameless),
    ]
    async with store.begin() as tx:
        seen = await tx.findings.observe("prod-eu", problems, sweep, examples.NOW)
    assert set(seen) == {KEY, "uid-api:CrashLoopBackOff:exit 2", "Node/n1:CrashLoopBackOff:exit 1"}


async def test_a_replica_whose_clock_is_behind_does_no_harm(store: engine.Database) -> None:
    sweep = await _sweep(store)
    async with store.begin() as tx:
        await tx.findings.observe("prod-eu", [examples.problem()], sweep, examples.NOW)
        behind = examples.NOW - examples.MINUTE
        assert await tx.findings.observe("prod-eu", [examples.problem()], sweep, behind) == {KEY: examples.NOW}


async def test_thousands_of_findings_are_stored_at_once(store: engine.Database) -> None:
    sweep = await _sweep(store)
    many = [
        examples.problem(subject=model.ResourceRef("Deployment", "a", f"d{number}", f"uid-{number}"))
        for number in range(4_500)
    ]
    async with store.begin() as tx:
        assert len(await tx.findings.observe("prod-eu", many, sweep, examples.NOW)) == 4_500


async def test_what_postgres_cannot_keep_is_replaced_and_still_found_by_its_name(store: engine.Database) -> None:
    sweep = await _sweep(store)
    odd = examples.problem(examples.finding(cause="exit\x00 \ud800"))
    async with store.begin() as tx:
        seen = await tx.findings.observe("prod-eu", [odd], sweep, examples.NOW)
    assert seen == {"uid-api:CrashLoopBackOff:exit\x00 \ud800": examples.NOW}


async def test_sweeps_that_see_the_same_at_once_do_not_block_each_other_for_ever(store: engine.Database) -> None:
    sweep = await _sweep(store)
    subjects = [model.ResourceRef("Deployment", "a", f"d{number}", f"uid-{number}") for number in range(50)]

    async def observe(number: int) -> None:
        order = subjects if number % 2 else subjects[::-1]
        async with store.begin() as tx:
            problems = [examples.problem(subject=subject) for subject in order]
            await tx.findings.observe("prod-eu", problems, sweep, examples.NOW)

    await asyncio.gather(*(observe(number) for number in range(20)))
