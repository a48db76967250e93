"""What people see in Slack follows the rows, once, whatever Slack, the network or a process does meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

import demo.slack as stand_in
from bot.domain import cards, ports
from bot.slack import ids
from bot.slack.blocks import answers, modals
from bot.store import engine
from k8s import model
from tests.bot.slack import building, desks
from tests.bot.store import examples

ONCALL, PAYMENTS = stand_in.ONCALL, stand_in.PAYMENTS


class Bent:
    """The store, with something changed in each of its transactions."""

    def __init__(self, store: engine.Database, bend: Callable[[ports.Tx], None]) -> None:
        self._store = store
        self._bend = bend

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Tx]:
        async with self._store.begin() as tx:
            self._bend(tx)
            yield tx


def _words(message: dict[str, Any]) -> str:
    return str(message)


async def test_nothing_is_due_and_nothing_is_said(desk: desks.Desk) -> None:
    assert await desk.publishing().turn() is False
    assert desk.calls() == []


async def test_an_incident_is_one_message_with_its_evidence_and_progress_in_the_thread(desk: desks.Desk) -> None:
    made = await desk.incident()
    async with desk.store.begin() as tx:
        await tx.diagnoses.save(made.id, building.DIAGNOSIS, building.EVIDENCE, (), desk.clock())
        await tx.proposals.add(examples.proposal(made.id))
    await desk.run()
    (parent,) = desk.posts()
    assert "payments/api" in _words(parent)
    assert "Approve: roll back to revision 3" in _words(parent)
    evidence, progress = desk.thread()
    assert "KeyError" in _words(evidence)
    assert "Proposed" in _words(progress)
    assert [ids.key_of(one) != "" for one in (parent, evidence, progress)] == [True] * 3
    assert set(desk.counted) == {("chat.postMessage", "ok")}


async def test_a_change_is_an_edit_and_no_second_message(desk: desks.Desk) -> None:
    made = await desk.incident()
    one = desk.publishing()
    await desk.run(one)
    async with desk.store.begin() as tx:
        await tx.incidents.save(
            replace(made, state="acknowledged", acknowledged_by=stand_in.ANA, acknowledged_at=made.since)
        )
    await desk.want(made)
    await desk.run(one)
    (parent,) = desk.posts()
    assert f"Acknowledged* by <@{stand_in.ANA}>" in _words(parent)
    assert desk.calls("chat.update") == ["chat.update"]


async def test_background_changes_are_coalesced_and_presses_are_not(desk: desks.Desk) -> None:
    made = await desk.incident()
    one = desk.publishing()
    await desk.run(one)
    for _ in range(20):
        desk.clock.advance(0.4)
        await desk.want(made, paced=True)
        await desk.run(one)
    assert desk.calls("chat.update") == []
    desk.clock.advance(3)
    await desk.run(one)
    assert desk.calls("chat.update") == ["chat.update"]
    await desk.want(made)
    await desk.run(one)
    assert desk.calls("chat.update") == ["chat.update"] * 2


async def test_a_post_whose_answer_was_lost_is_found_again_and_not_repeated(desk: desks.Desk) -> None:
    made = await desk.incident(told=False)
    await desk.want(made)
    desk.slack.faults.drop_response("chat.postMessage")
    one = desk.publishing()
    await desk.run(one)
    await desk.later(one, 10)
    assert len(desk.posts()) == 1
    assert desk.calls("chat.postMessage") == ["chat.postMessage"]
    await desk.want(made)
    await desk.run(one)
    assert len(desk.posts()) == 1


async def test_a_reply_whose_answer_was_lost_is_found_again_in_its_thread(desk: desks.Desk) -> None:
    await desk.incident()
    one = desk.publishing()
    await one.turn()
    desk.slack.faults.drop_response("chat.postMessage", times=2)
    await desk.run(one)
    await desk.later(one, 20)
    assert len(desk.thread()) == 2
    assert "conversations.replies" in desk.calls()


async def test_a_post_that_never_arrived_is_made(desk: desks.Desk) -> None:
    await desk.incident()
    desk.slack.faults.drop_request("chat.postMessage")
    one = desk.publishing()
    await desk.run(one)
    assert desk.posts() == []
    await desk.later(one, 5)
    assert len(desk.posts()) == 1
    assert len(desk.thread()) == 2


async def test_a_process_that_died_between_the_post_and_its_note_leaves_no_second_message(
    desk: desks.Desk, postgres_url: str
) -> None:
    made = await desk.incident(told=False)
    await desk.want(made)
    dying = engine.Database(postgres_url)
    desk.slack.faults.delay("chat.postMessage", seconds=0.3)
    turning = asyncio.create_task(desk.publishing("dying", dying).turn())
    await desk.slack.wait_for(lambda: bool(desk.posts()) or None)
    turning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turning
    await dying.close()
    assert len(desk.posts()) == 1
    next_one = desk.publishing("two")
    await desk.run(next_one)
    assert desk.calls("chat.update") == []
    desk.clock.advance(desk.rules.lease.total_seconds() + 1)
    await desk.run(next_one)
    assert len(desk.posts()) == 1
    assert desk.calls("chat.postMessage") == ["chat.postMessage"]
    assert desk.calls("chat.update") == ["chat.update"]


async def test_a_process_that_was_suspended_leaves_the_post_to_another_one(desk: desks.Desk) -> None:
    made = await desk.incident(told=False)
    await desk.want(made)

    def suspended(tx: ports.Tx) -> None:
        noting = tx.views.posting

        async def slowly(view_id: int, now: datetime) -> None:
            await noting(view_id, now)
            desk.clock.advance(desk.rules.lease.total_seconds() + 1)

        tx.views.posting = slowly  # type: ignore[method-assign]

    assert await desk.publishing("slow", Bent(desk.store, suspended)).turn()
    assert desk.calls("chat.postMessage") == []
    await desk.run(desk.publishing("other"))
    assert len(desk.posts()) == 1


async def test_a_lost_post_is_found_behind_all_that_was_said_since(desk: desks.Desk) -> None:
    made = await desk.incident(told=False)
    await desk.want(made)
    desk.slack.faults.drop_response("chat.postMessage")
    one = desk.publishing()
    await desk.run(one)
    for number in range(210):
        await desk.slack.say(stand_in.BEN, ONCALL, f"talk {number}")
    await desk.later(one, 10)
    assert len(desk.posts()) == 1
    assert desk.calls("conversations.history") == ["conversations.history"] * 2


async def test_a_lost_post_in_a_channel_known_by_name_is_found(desk: desks.Desk) -> None:
    made = await desk.incident("#oncall", told=False)
    await desk.want(made)
    desk.slack.faults.drop_response("chat.postMessage")
    one = desk.publishing()
    await desk.run(one)
    await desk.later(one, 10)
    assert len(desk.posts()) == 1


async def test_where_looking_back_is_forbidden_an_incident_is_told_all_the_same(desk: desks.Desk) -> None:
    made = await desk.incident(told=False)
    await desk.want(made)
    desk.slack.faults.drop_request("chat.postMessage")
    desk.slack.faults.api_error("conversations.history", "missing_scope", times=9)
    one = desk.publishing()
    await desk.run(one)
    await desk.later(one, 10)
    assert len(desk.posts()) == 1


async def test_two_publishers_on_one_store_never_post_twice(desk: desks.Desk, postgres_url: str) -> None:
    for number in range(6):
        await desk.incident(
            fingerprint=f"f{number}", subject=model.ResourceRef("Deployment", "payments", f"a{number}", f"u{number}")
        )
    other = engine.Database(postgres_url)
    desk.slack.faults.drop_response("chat.postMessage", times=4)
    both = desk.publishing("one"), desk.publishing("two", other)
    for _ in range(8):
        await asyncio.gather(*(desk.run(one) for one in both))
        desk.clock.advance(10)
    await other.close()
    keys = [ids.key_of(one) for one in desk.posts()]
    assert len(keys) == len(set(keys)) == 6
    assert [len(desk.thread(which=number)) for number in range(6)] == [2] * 6


async def test_slacks_pause_is_kept_to_the_second(desk: desks.Desk) -> None:
    await desk.incident()
    desk.slack.faults.ratelimit("chat.postMessage", retry_after=7)
    one = desk.publishing()
    await desk.run(one)
    assert len(desk.calls("chat.postMessage")) == 1
    await desk.later(one, 6)
    assert len(desk.calls("chat.postMessage")) == 1
    await desk.later(one, 2)
    assert len(desk.posts()) == 1
    assert len(desk.thread()) == 2
    assert ("chat.postMessage", "ratelimited") in desk.counted


async def test_a_pause_of_posts_does_not_hold_back_edits(desk: desks.Desk) -> None:
    shown = await desk.incident(told=False)
    await desk.want(shown)
    one = desk.publishing()
    await desk.run(one)
    desk.slack.faults.ratelimit("chat.postMessage", retry_after=60)
    await desk.incident(fingerprint="f2", subject=building.API)
    await desk.want(shown)
    await desk.run(one)
    assert desk.calls("chat.update") == ["chat.update"]


@pytest.mark.parametrize("status", [500, 503])
async def test_an_outage_of_slack_is_waited_out(desk: desks.Desk, status: int) -> None:
    await desk.incident()
    desk.slack.faults.http_error("*", status=status, times=3)
    one = desk.publishing()
    await desk.run(one)
    assert desk.posts() == []
    await desk.later(one, 40)
    assert len(desk.posts()) == 1
    assert len(desk.thread()) == 2
    assert one.faults == {}


async def test_a_failed_edit_is_made_later(desk: desks.Desk) -> None:
    made = await desk.incident()
    one = desk.publishing()
    await desk.run(one)
    desk.slack.faults.http_error("chat.update")
    await desk.want(made)
    await desk.run(one)
    await desk.later(one, 5)
    assert desk.counted.count(("chat.update", "ok")) == 1


async def test_a_deleted_parent_is_posted_anew_with_its_replies(desk: desks.Desk) -> None:
    made = await desk.incident()
    one = desk.publishing()
    await desk.run(one)
    (first,) = desk.posts()
    await desk.slack.delete_message(ONCALL, first["ts"])
    await desk.want(made)
    await desk.run(one)
    await desk.later(one, 2)
    second = desk.posts()[-1]
    assert second["ts"] != first["ts"]
    assert len(desk.slack.replies(ONCALL, second["ts"])) == 2


async def test_a_reply_to_a_deleted_parent_brings_the_parent_back(desk: desks.Desk) -> None:
    made = await desk.incident(told=False)
    await desk.want(made)
    one = desk.publishing()
    await desk.run(one)
    (first,) = desk.posts()
    await desk.slack.delete_message(ONCALL, first["ts"])
    desk.slack.faults.api_error("chat.postMessage", "thread_not_found")
    await desk.want(made, "recovery")
    await desk.run(one)
    await desk.later(one, 10)
    second = desk.posts()[-1]
    assert second["ts"] != first["ts"]
    assert len(desk.slack.replies(ONCALL, second["ts"])) == 1


async def test_a_deleted_reply_is_posted_anew(desk: desks.Desk) -> None:
    made = await desk.incident()
    one = desk.publishing()
    await desk.run(one)
    _, progress = desk.thread()
    await desk.slack.delete_message(ONCALL, progress["ts"])
    await desk.want(made, "progress")
    await desk.run(one)
    assert len(desk.posts()) == 1
    assert len([reply for reply in desk.thread() if "metadata" in reply]) == 2


@pytest.mark.parametrize("case", ["archived", "not-invited", "no-such-channel"])
async def test_a_channel_that_people_must_mend_is_a_fault_and_others_go_on(desk: desks.Desk, case: str) -> None:
    if case == "archived":
        desk.slack.archive(ONCALL)
    elif case == "not-invited":
        desk.slack.set_bot_member(ONCALL, member=False)
    channel = "C0NOWHERE1" if case == "no-such-channel" else ONCALL
    await desk.incident(channel)
    await desk.incident(PAYMENTS, fingerprint="f2", subject=building.API)
    one = desk.publishing()
    await desk.run(one)
    assert set(one.faults) == {channel}
    assert len(desk.posts(PAYMENTS)) == 1
    if case == "no-such-channel":
        return
    before = len(desk.calls("chat.postMessage"))
    await desk.later(one, 60, step=10)
    assert len(desk.calls("chat.postMessage")) == before
    if case == "archived":
        desk.slack.archive(ONCALL, archived=False)
    else:
        desk.slack.set_bot_member(ONCALL, member=True)
    await desk.later(one, 180, step=10)
    assert len(desk.posts()) == 1
    assert one.faults == {}


async def test_a_message_that_slack_does_not_accept_is_said_plainly(desk: desks.Desk) -> None:
    made = await desk.incident(told=False)
    await desk.want(made)
    desk.slack.faults.api_error("chat.postMessage", "invalid_blocks")
    one = desk.publishing()
    await desk.run(one)
    (parent,) = desk.posts()
    assert not parent.get("blocks")
    assert f"/watch show {made.name}" in parent["text"]
    assert "payments/api is crash-looping" in parent["text"]
    await desk.want(made)
    await desk.run(one)
    (parent,) = desk.posts()
    assert parent["blocks"], "the next edit tries the whole message again"


async def test_a_row_that_cannot_be_drawn_is_said_plainly(desk: desks.Desk) -> None:
    """A severity that no rendering knows stands for a bug in the rendering."""
    made = await desk.incident(told=False)
    await desk.want(made)

    def spoiled(tx: ports.Tx) -> None:
        reading = tx.cards.incident

        async def read(incident_id: int) -> cards.IncidentCard | None:
            card = await reading(incident_id)
            assert card is not None
            return replace(card, incident=replace(card.incident, severity=cast("model.Severity", "P0")))

        tx.cards.incident = read  # type: ignore[method-assign]

    await desk.run(desk.publishing(store=Bent(desk.store, spoiled)))
    (parent,) = desk.posts()
    assert f"Type /watch show {made.name}" in parent["text"]


async def test_a_report_that_is_not_in_the_record_is_said_plainly(desk: desks.Desk) -> None:
    since = desk.clock() - timedelta(days=1)
    async with desk.store.begin() as tx:
        report_id = await tx.reports.claim(ONCALL, desk.clock(), since, desk.clock(), "")
        await tx.views.want("report", channel=ONCALL, report_id=report_id, due=desk.clock())

    def emptied(tx: ports.Tx) -> None:
        async def load(report_id: int) -> cards.Report | None:
            return None

        tx.reports.load = load  # type: ignore[method-assign]

    await desk.run(desk.publishing(store=Bent(desk.store, emptied)))
    assert "could not be drawn" in desk.posts()[0]["text"]


async def test_the_episode_before_is_linked_and_looked_up_once(desk: desks.Desk) -> None:
    first = await desk.incident(told=False)
    await desk.want(first)
    one = desk.publishing()
    await desk.run(one)
    async with desk.store.begin() as tx:
        await tx.incidents.save(replace(first, state="resolved", resolved_at=desk.clock(), resolution="It is gone."))
    second = await desk.incident(told=False, episode=2, previous_id=first.id)
    for _ in range(3):
        await desk.want(second)
        await desk.run(one)
    parent = desk.posts()[-1]
    assert f"|{first.name}>" in _words(parent)
    assert desk.calls("chat.getPermalink") == ["chat.getPermalink"]


async def test_a_report_is_posted_once(desk: desks.Desk) -> None:
    since = desk.clock() - timedelta(days=1)
    async with desk.store.begin() as tx:
        report_id = await tx.reports.claim(ONCALL, desk.clock(), since, desk.clock(), stand_in.ANA)
        await tx.views.want("report", channel=ONCALL, report_id=report_id, due=desk.clock())
    await desk.run()
    await desk.run()
    (report,) = desk.posts()
    assert "still open" in _words(report)


# --- people


async def test_a_whisper_is_seen_by_one_person_where_they_are(desk: desks.Desk) -> None:
    await desk.publishing().whisper(ONCALL, stand_in.ANA, answers.said("Only Ben may approve."))
    (note,) = desk.slack.ephemerals(stand_in.ANA, ONCALL)
    assert note["text"] == "Only Ben may approve."


@pytest.mark.parametrize("where", ["", "same", "not-there"])
async def test_a_whisper_goes_by_direct_message_where_there_is_no_channel(desk: desks.Desk, where: str) -> None:
    channel = {"": "", "same": stand_in.ANA, "not-there": "C0NOWHERE1"}[where]
    await desk.publishing().whisper(channel, stand_in.ANA, answers.said("It expired."))
    assert desk.calls("chat.postMessage") == ["chat.postMessage"]
    assert ("chat.postMessage", "ok") in desk.counted


async def test_nothing_of_slacks_failures_reaches_who_whispers_or_draws(desk: desks.Desk) -> None:
    one = desk.publishing()
    desk.slack.faults.http_error("*", times=100)
    await one.whisper(ONCALL, stand_in.ANA, answers.said("It expired."))
    await one.home(stand_in.ANA, modals.loading())
    await one.update_modal("V1", modals.loading())
    assert await one.open_modal("1.2", modals.loading()) is None
    assert await one.channel_named("#oncall") is None


async def test_a_modal_opens_only_while_its_trigger_lives(desk: desks.Desk) -> None:
    assert await desk.publishing().open_modal("1.2.dead", modals.loading()) is None


async def test_a_channel_is_known_by_its_name_its_link_and_its_id(desk: desks.Desk) -> None:
    one = desk.publishing()
    name = desk.slack.workspace.channels[ONCALL].name
    for named in (f"#{name}", name, ONCALL, f"<#{ONCALL}|{name}>", f" #{name} "):
        assert await one.channel_named(named) == ONCALL
    assert await one.channel_named("#no-such-channel") is None
    assert await one.channel_named("C0NOWHERE1") is None
