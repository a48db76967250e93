"""Slack messages as rows: who publishes what, when, and that nothing asked for is lost."""

import asyncio
from datetime import datetime, timedelta

from bot.domain import ports
from bot.store import engine, querying, views
from tests.bot.store import examples

NOW, LEASE, SECOND = examples.NOW, examples.LEASE, examples.SECOND
COALESCE = timedelta(seconds=10)


class Desk:
    """What the pipeline and the publisher do with the views of one incident, each in a transaction of its own."""

    def __init__(self, store: engine.Database, incident_id: int) -> None:
        self.store = store
        self.incident_id = incident_id

    async def want(
        self, kind: ports.ViewKind = "parent", due: datetime = NOW, channel: str = "C1", *, paced: bool = False
    ) -> None:
        async with self.store.begin() as tx:
            await tx.views.want(kind, channel=channel, incident_id=self.incident_id, due=due, paced=paced)

    async def claim(self, now: datetime = NOW, owner: str = "a") -> ports.View | None:
        return await examples.view(self.store, owner, now)

    async def take(self, now: datetime = NOW) -> ports.View:
        found = await self.claim(now)
        assert found is not None
        return found

    async def shown(self, view: ports.View, ts: str = "1.1", now: datetime = NOW) -> None:
        async with self.store.begin() as tx:
            await tx.views.shown(
                view.id, version=view.wanted, ts=ts, channel=view.channel, now=now, next_due=now + COALESCE
            )

    async def first_due(self, begin: datetime = NOW) -> int | None:
        """In how many seconds the next claim succeeds; None within a minute: never. Nothing stays claimed."""
        for seconds in range(61):
            async with self.store._connection() as connection:
                queries = querying.Queries(connection)
                found = await views.Views(queries).claim("x", begin + seconds * SECOND, LEASE)
            if found is not None:
                return seconds
        return None


async def _desk(store: engine.Database) -> Desk:
    return Desk(store, (await examples.opened(store)).id)


async def test_a_view_is_taken_when_it_is_due_and_not_before(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want(due=NOW + SECOND)
    assert await desk.claim() is None
    found = await desk.take(NOW + SECOND)
    assert (found.kind, found.incident_id, found.channel, found.ts) == ("parent", desk.incident_id, "C1", "")
    assert (found.wanted, found.shown, found.thread_ts, found.posting_since, found.attempts) == (1, 0, "", None, 0)
    assert found.key


async def test_of_many_replicas_one_publishes_a_view(store: engine.Database, postgres_url: str) -> None:
    desk = await _desk(store)
    await desk.want()
    other = engine.Database(postgres_url)
    claimed = await asyncio.gather(*(examples.view((store, other)[n % 2], f"r{n}") for n in range(60)))
    await other.close()
    assert sum(one is not None for one in claimed) == 1


async def test_a_view_whose_publisher_died_is_taken_over_when_the_lease_runs_out(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    first = await desk.take()
    async with store.begin() as tx:
        await tx.views.posting(first.id, NOW)
        await tx.views.posting(first.id, NOW + SECOND)
    assert await desk.claim(NOW + LEASE - SECOND, "b") is None
    second = await desk.take(NOW + LEASE)
    assert second.id == first.id
    assert second.posting_since == NOW, "since the first try: its post may be there"
    assert second.key == first.key


async def test_what_is_shown_is_not_taken_again(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    await desk.shown(await desk.take())
    assert await desk.claim(NOW + examples.DAY) is None
    await desk.want(due=NOW)
    again = await desk.take()
    assert (again.ts, again.wanted, again.shown, again.posting_since) == ("1.1", 2, 1, None)


async def test_many_changes_that_nobody_has_shown_yet_are_one_edit(store: engine.Database) -> None:
    desk = await _desk(store)
    await asyncio.gather(*(desk.want(due=NOW + number * SECOND) for number in range(20)))
    found = await desk.take()
    assert found.wanted == 20
    await desk.shown(found)
    assert await desk.claim(NOW + examples.DAY) is None


async def test_an_earlier_wish_brings_a_later_one_forward_and_not_the_other_way_round(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want(due=NOW + 20 * SECOND)
    await desk.want(due=NOW + 5 * SECOND)
    await desk.want(due=NOW + 30 * SECOND)
    assert await desk.first_due() == 5


async def test_replies_wait_for_their_parent_and_go_into_its_thread(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want("evidence", NOW - SECOND, channel="C-late")
    await desk.want("progress", NOW - SECOND)
    assert await desk.claim() is None
    await desk.want("parent", NOW)
    parent = await desk.take()
    assert parent.kind == "parent"
    assert await desk.claim() is None, "not while the parent is being posted"
    await desk.shown(parent, "7.7")
    replies = [await desk.take(), await desk.take()]
    assert [(one.kind, one.thread_ts, one.channel) for one in replies] == [
        ("evidence", "7.7", "C1"), ("progress", "7.7", "C1"),
    ]  # fmt: skip
    assert await desk.claim() is None


async def test_a_parent_goes_before_replies_that_are_due_for_longer(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    await desk.shown(await desk.take())
    await desk.want("evidence", NOW - examples.HOUR)
    await desk.want("parent", NOW)
    assert [(await desk.take()).kind for _ in range(2)] == ["parent", "evidence"]


async def test_a_change_in_the_background_waits_for_the_pace_of_the_message(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want(paced=True)
    await desk.shown(await desk.take())
    await desk.want(due=NOW + SECOND, paced=True)
    assert await desk.first_due() == 10


async def test_a_press_is_shown_at_once_whatever_the_pace(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    await desk.shown(await desk.take())
    await desk.want(due=NOW + SECOND, paced=True)
    await desk.want(due=NOW + 2 * SECOND)
    assert await desk.first_due() == 2


async def test_a_press_while_slack_is_being_told_is_shown_right_after(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    taken = await desk.take()
    await desk.want(due=NOW + SECOND)
    await desk.want(due=NOW + SECOND, paced=True)
    await desk.shown(taken, now=NOW + 2 * SECOND)
    assert await desk.first_due(NOW + 2 * SECOND) == 0
    assert (await desk.take(NOW + 2 * SECOND)).wanted == 3


async def test_a_change_in_the_background_while_slack_is_being_told_waits_its_turn(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    taken = await desk.take()
    await desk.want(due=NOW + SECOND, paced=True)
    await desk.shown(taken, now=NOW + 2 * SECOND)
    assert await desk.first_due(NOW + 2 * SECOND) == 10


async def test_a_later_wish_while_slack_is_being_told_is_not_before_the_pace(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    taken = await desk.take()
    await desk.want(due=NOW + 5 * SECOND)
    await desk.shown(taken, now=NOW + SECOND)
    assert await desk.first_due(NOW + SECOND) == 10


async def test_a_version_that_was_shown_late_leaves_the_newer_one_wanted(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    await desk.want()
    taken = await desk.take()
    async with store.begin() as tx:
        await tx.views.shown(taken.id, version=1, ts="1.1", channel="C1", now=NOW, next_due=NOW + COALESCE)
    assert await desk.first_due() == 10


async def test_a_slow_publisher_does_not_take_a_newer_version_back(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    slow = await desk.take()
    late = NOW + LEASE
    await desk.want(due=late)
    quick = await desk.take(late)
    await desk.shown(quick, "1.1", late)
    await desk.shown(slow, "1.1", late + SECOND)
    assert await desk.claim(NOW + examples.DAY) is None


async def test_a_failure_is_tried_again_when_it_says_and_not_before(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    taken = await desk.take()
    async with store.begin() as tx:
        await tx.views.posting(taken.id, NOW)
    await desk.want(due=NOW)
    async with store.begin() as tx:
        await tx.views.failed(taken.id, "ratelimited", NOW + 7 * SECOND)
    assert await desk.first_due() == 7
    again = await desk.take(NOW + 7 * SECOND)
    assert (again.attempts, again.posting_since) == (1, NOW)
    await desk.shown(again)
    await desk.want()
    assert (await desk.take()).attempts == 0


async def test_a_press_after_a_failure_is_tried_at_once(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    taken = await desk.take()
    async with store.begin() as tx:
        await tx.views.failed(taken.id, "is_archived", NOW + 50 * SECOND)
    await desk.want(due=NOW + 2 * SECOND)
    assert await desk.first_due() == 2


async def test_a_lost_parent_is_posted_anew_with_all_its_replies(store: engine.Database) -> None:
    desk = await _desk(store)
    kinds: tuple[ports.ViewKind, ...] = ("parent", "evidence", "progress")
    for kind in kinds:
        await desk.want(kind)
    keys = set()
    for number in range(3):
        taken = await desk.take()
        keys.add(taken.key)
        await desk.shown(taken, f"{number}.0")
    assert await desk.claim(NOW + examples.DAY) is None
    async with store.begin() as tx:
        assert await tx.views.incident_of("C1", "0.0") == desk.incident_id
    await desk.want()
    lost = await desk.take()
    async with store.begin() as tx:
        await tx.views.lost(lost.id, NOW)
        assert await tx.views.incident_of("C1", "0.0") is None
    parent = await desk.take()
    assert (parent.kind, parent.ts) == ("parent", "")
    assert parent.key not in keys, "the old post is not taken for the new one"
    assert await desk.claim() is None, "the replies wait for the new thread"
    await desk.shown(parent, "9.0")
    replies = [await desk.take() for _ in range(2)]
    assert {(one.kind, one.ts, one.thread_ts) for one in replies} == {("evidence", "", "9.0"), ("progress", "", "9.0")}


async def test_a_lost_reply_is_posted_anew_alone(store: engine.Database) -> None:
    desk = await _desk(store)
    for kind in ("parent", "evidence", "progress"):
        await desk.want(kind)
    taken = {}
    for _ in range(3):
        one = await desk.take()
        taken[one.kind] = one
        await desk.shown(one, f"{one.kind}.0")
    async with store.begin() as tx:
        await tx.views.lost(taken["evidence"].id, NOW)
        await tx.views.lost(999, NOW)
    again = await desk.take()
    assert (again.kind, again.ts, again.thread_ts) == ("evidence", "", "parent.0")
    assert await desk.claim() is None


async def test_a_message_stays_in_the_channel_that_it_was_posted_in(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    await desk.want(channel="C2")
    first = await desk.take()
    assert first.channel == "C2"
    await desk.shown(first)
    await desk.want(channel="C3")
    assert (await desk.take()).channel == "C2"


async def test_a_thread_leads_to_its_incident(store: engine.Database) -> None:
    desk = await _desk(store)
    await desk.want()
    await desk.shown(await desk.take(), "5.5")
    async with store.begin() as tx:
        assert await tx.views.incident_of("C1", "5.5") == desk.incident_id
        assert await tx.views.incident_of("C2", "5.5") is None
        assert await tx.views.incident_of("C1", "") is None


async def test_a_report_is_a_message_of_its_own(store: engine.Database) -> None:
    async with store.begin() as tx:
        report = await tx.reports.claim("C1", NOW, NOW - examples.DAY, NOW, "")
        assert report is not None
        await tx.views.want("report", channel="C1", report_id=report, due=NOW)
        await tx.views.want("report", channel="C1", report_id=report, due=NOW)
        found = await tx.views.claim("a", NOW, LEASE)
        assert found is not None
        assert (found.kind, found.report_id, found.incident_id, found.wanted) == ("report", report, None, 2)
        await tx.views.lost(found.id, NOW)
        again = await tx.views.claim("a", NOW, LEASE)
        assert again is not None
        assert again.id == found.id
        assert await tx.views.claim("a", NOW, LEASE) is None
