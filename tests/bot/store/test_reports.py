"""A channel's report: claimed once, and counted from rows that are in its period and channel."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from bot.domain import cards, incidents, proposals
from bot.store import engine
from k8s import model
from tests.bot.store import examples

UNTIL = examples.NOW
SINCE = UNTIL - examples.DAY
HOUR = examples.HOUR


async def _report(store: engine.Database, channel: str = "C1") -> cards.Report:
    async with store.begin() as tx:
        report_id = await tx.reports.claim(channel, UNTIL, SINCE, UNTIL, "U1")
        assert report_id is not None
        found = await tx.reports.load(report_id)
    assert found is not None
    return found


async def _incident(
    store: engine.Database, name: str, opened: float, resolved: float | None = None, **changes: object
) -> incidents.Incident:
    """Hours are counted from the beginning of the period."""
    kept = await examples.opened(
        store,
        subject=model.ResourceRef("Deployment", "a", name, f"uid-{name}"),
        opened_at=SINCE + opened * HOUR,
        **changes,
    )
    if resolved is not None:
        kept = incidents.resolve(kept, "gone", SINCE + resolved * HOUR)
        async with store.begin() as tx:
            await tx.incidents.save(kept)
    return kept


async def test_a_report_is_claimed_by_one_replica(store: engine.Database) -> None:
    async def claim(channel: str) -> int | None:
        async with store.begin() as tx:
            return await tx.reports.claim(channel, UNTIL, SINCE, UNTIL, "")

    claimed = await asyncio.gather(*(claim("C1") for _ in range(30)))
    assert sum(one is not None for one in claimed) == 1
    assert await claim("C2") is not None
    async with store.begin() as tx:
        assert await tx.reports.load(999) is None


async def test_where_nothing_happened_it_is_silent(store: engine.Database) -> None:
    found = await _report(store)
    assert found == cards.Report(found.id, "C1", SINCE, UNTIL, "U1")
    assert found.silent


async def test_incidents_are_counted_in_the_period_and_the_channel(store: engine.Database) -> None:
    await _incident(store, "fixed", 1, 3)
    await _incident(store, "at-the-start", 0, 5)
    await _incident(store, "before", -30, -26)
    await _incident(store, "day-before", -20, 1)
    still = await _incident(store, "still", 2)
    severe = await _incident(store, "after", 23, 25)
    await _incident(store, "too-late", 24)
    await _incident(store, "elsewhere", 2, channel="C2")
    found = await _report(store)
    assert (found.opened, found.resolved, found.opened_before) == (4, 3, 1)
    assert found.still_open == (still, severe)
    assert found.mttr_seconds == ((2 + 5 + 21) / 3) * 3600
    assert found.mtta_seconds is None
    assert not found.silent


async def test_the_time_to_acknowledge_is_a_mean(store: engine.Database) -> None:
    for name, minutes in (("a", 10), ("b", 20)):
        kept = await _incident(store, name, 1)
        taken = incidents.acknowledge(kept, "U1", kept.opened_at + timedelta(minutes=minutes))
        async with store.begin() as tx:
            await tx.incidents.save(taken)
    assert (await _report(store)).mtta_seconds == 15 * 60


async def test_the_noisiest_come_first(store: engine.Database) -> None:
    for episode in range(3):
        await _incident(store, "loud", 1 + episode, 1.5 + episode)
    await _incident(store, "b", 1, 2)
    await _incident(store, "a", 1, 2)
    await examples.opened(store, subject=model.ResourceRef("Node", "", "n1", "uid-n1"), opened_at=SINCE)
    for number in range(5):
        await _incident(store, f"z{number}", 1, 2)
    found = await _report(store)
    assert found.noisiest == (("a/loud", 3), ("a/a", 1), ("a/b", 1), ("a/z0", 1), ("a/z1", 1))


async def test_actions_are_counted_by_how_they_ended(store: engine.Database) -> None:
    now = SINCE + HOUR
    kept = await _incident(store, "a", 1)

    async def end(
        *steps: proposals.State,
        verdict: Literal["approve", "reject"] | None = None,
        kind: str = "remedy",
        of: int | None = None,
    ) -> int:
        row = await examples.proposed(store, kept.id, kind=kind, undo_of=of)
        before: proposals.State = "proposed"
        async with store.begin() as tx:
            if verdict is not None:
                await tx.proposals.decide(proposals.Decision(row.id, "U1", verdict, "", now))
            for after in steps:
                assert await tx.proposals.move(row.id, before, after, now)
                before = after
            if "executing" in steps:
                status = "succeeded" if "succeeded" in steps else steps[-1]
                queued = await tx.executions.queue(row.id, examples.PERMIT, now)
                await tx.executions.claim("a", now, examples.LEASE)
                outcome = replace_status(examples.DONE, status)
                assert await tx.executions.finish(queued.id, "a", outcome, now)
            if "verified" in steps:
                await tx.verifications.start(row.id, now)
                looked = await tx.verifications.claim("a", now, examples.LEASE)
                assert looked is not None
                await tx.verifications.save(replace(looked, status="verified", finished_at=now))
        return row.id

    await end("rejected", verdict="reject")
    await end("expired")
    await end("superseded")
    await end("approved", "executing", "stale", verdict="approve")
    helped = await end("approved", "executing", "succeeded", "verified", "undone", verdict="approve")
    await end("approved", "executing", "succeeded", verdict="approve", kind="undo", of=helped)
    found = await _report(store)
    assert found.actions == {
        "approved": 2, "expired": 1, "rejected": 1, "stale": 1, "undone": 1, "verified": 1,
    }  # fmt: skip
    assert (await _report(store, "C2")).actions == {}


def replace_status(outcome: model.Outcome, status: str) -> model.Outcome:
    return model.Outcome(status, outcome.detail, outcome.pre_image)  # type: ignore[arg-type]


async def test_sweeps_are_counted_and_what_they_muted(store: engine.Database) -> None:
    watch = await examples.watched(store)
    other = await examples.watched(store, name="elsewhere", channel="C2")
    async with store.begin() as tx:
        for hour, status, muted in ((1, "ok", 5), (2, "issues", 3), (3, "failed", 0), (25, "ok", 9)):
            at = SINCE + hour * HOUR
            swept = await tx.sweeps.claim(watch.id, at, "schedule", "a", at)
            assert swept is not None
            ended = replace(swept, status=status, finished_at=at, muted=muted)  # type: ignore[arg-type]
            await tx.sweeps.finish(ended)
        await tx.sweeps.claim(other.id, SINCE, "schedule", "a", SINCE)
    found = await _report(store)
    assert (found.sweeps, found.failed_sweeps, found.muted) == (3, 1, 3)


async def test_the_channels_are_those_of_watches_that_are_not_removed(store: engine.Database) -> None:
    for name, channel in (("a", "C2"), ("b", "C1"), ("c", "C2"), ("d", ""), ("e", "C9")):
        await examples.watched(store, name=name, channel=channel)
    async with store.begin() as tx:
        gone = await tx.watches.named("e")
        assert gone is not None
        await tx.watches.set_state(gone.id, ("active",), "removed")
        assert await tx.reports.channels() == ["C1", "C2"]
