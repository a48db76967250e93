"""Read models: what one message shows, and how few queries that takes."""

from dataclasses import replace
from datetime import timedelta
from typing import Literal

import sqlalchemy as sa

from bot.domain import cards, incidents, proposals
from bot.store import engine
from k8s import model
from tests.bot.store import examples

NOW = examples.NOW
Verdict = Literal["approve", "reject"]


async def _card(store: engine.Database, incident_id: int) -> cards.IncidentCard:
    async with store.begin() as tx:
        found = await tx.cards.incident(incident_id)
    assert found is not None
    return found


async def _ended(
    store: engine.Database, row: proposals.Proposal, state: proposals.State, verdict: Verdict | None = None
) -> None:
    async with store.begin() as tx:
        assert await tx.proposals.move(row.id, "proposed", state, NOW)
        if verdict is not None:
            await tx.proposals.decide(proposals.Decision(row.id, "U1", verdict, "why", NOW))


async def test_an_incident_with_nothing_around_it(store: engine.Database) -> None:
    kept = await examples.opened(store)
    assert await _card(store, kept.id) == cards.IncidentCard(kept, "approve", (), recurrences=1, watch_name="prod")
    async with store.begin() as tx:
        assert await tx.cards.incident(999) is None


async def test_the_newest_diagnosis_is_shown_with_its_evidence_and_what_was_refused(store: engine.Database) -> None:
    kept = await examples.opened(store)
    async with store.begin() as tx:
        await tx.diagnoses.save(kept.id, examples.diagnosis(cause="first"), examples.EVIDENCE[:1], ("no",), NOW)
        await tx.diagnoses.save(kept.id, examples.diagnosis(), examples.EVIDENCE, ("undo: unproven",), NOW)
    card = await _card(store, kept.id)
    assert card.diagnosis == examples.diagnosis()
    assert card.evidence == examples.EVIDENCE
    assert card.refused == ("undo: unproven",)


async def test_a_diagnosis_may_rest_on_no_evidence(store: engine.Database) -> None:
    kept = await examples.opened(store)
    async with store.begin() as tx:
        await tx.diagnoses.save(kept.id, examples.diagnosis(candidates=(), cites=()), (), (), NOW)
    card = await _card(store, kept.id)
    assert card.evidence == ()
    assert card.diagnosis == examples.diagnosis(candidates=(), cites=())


async def test_the_newest_remedy_its_undo_and_the_decided_ones_before(store: engine.Database) -> None:
    kept = await examples.opened(store)
    rejected = await examples.proposed(store, kept.id)
    await _ended(store, rejected, "rejected", "reject")
    await _ended(store, await examples.proposed(store, kept.id), "superseded")
    remedy = await examples.proposed(store, kept.id)
    await _ended(store, remedy, "approved", "approve")
    async with store.begin() as tx:
        await tx.executions.queue(remedy.id, examples.PERMIT, NOW)
        claimed = await tx.executions.claim("a", NOW, examples.LEASE)
        await tx.verifications.start(remedy.id, NOW)
    stale = await examples.proposed(store, kept.id, kind="undo", undo_of=remedy.id)
    await _ended(store, stale, "expired")
    undo = await examples.proposed(store, kept.id, kind="undo", undo_of=remedy.id)
    card = await _card(store, kept.id)
    decision = proposals.Decision(remedy.id, "U1", "approve", "why", NOW)
    assert card.remedy == cards.ProposalCard(
        replace(remedy, state="approved"),
        decision,
        claimed,
        proposals.Verification(remedy.id, "pending", NOW),
    )
    assert card.undo == cards.ProposalCard(undo)
    assert card.history == (
        cards.ProposalCard(
            replace(rejected, state="rejected"), proposals.Decision(rejected.id, "U1", "reject", "why", NOW)
        ),
    )


async def test_an_undo_of_an_earlier_remedy_is_not_the_undo_of_the_newest(store: engine.Database) -> None:
    kept = await examples.opened(store)
    first = await examples.proposed(store, kept.id)
    await _ended(store, first, "rejected", "reject")
    await examples.proposed(store, kept.id, kind="undo", undo_of=first.id)
    await examples.proposed(store, kept.id)
    assert (await _card(store, kept.id)).undo is None


async def test_the_episode_before_is_named_and_where_it_was_told(store: engine.Database) -> None:
    first = await examples.opened(store)
    async with store.begin() as tx:
        await tx.incidents.save(incidents.resolve(first, "gone", NOW))
        await tx.views.want("parent", channel="C1", incident_id=first.id, due=NOW)
        view = await tx.views.claim("a", NOW, examples.LEASE)
        assert view is not None
        await tx.views.shown(view.id, version=1, ts="1.5", channel="C1", now=NOW, next_due=NOW)
    second = await examples.opened(store, episode=2, previous_id=first.id)
    card = await _card(store, second.id)
    assert (card.previous_name, card.previous_channel, card.previous_ts) == (first.name, "C1", "1.5")
    assert card.previous_link == ""


async def test_recurrences_are_episodes_of_the_thirty_days_before(store: engine.Database) -> None:
    for days in (40, 20, 10):
        past = await examples.opened(store, opened_at=NOW - timedelta(days=days))
        async with store.begin() as tx:
            await tx.incidents.save(incidents.resolve(past, "gone", past.opened_at + examples.HOUR))
    other = await examples.opened(store, cluster="prod-us", opened_at=NOW - examples.DAY)
    last = await examples.opened(store)
    assert (await _card(store, last.id)).recurrences == 3
    assert (await _card(store, other.id)).recurrences == 1


async def test_the_status_tells_of_watches_incidents_and_what_waits(store: engine.Database) -> None:
    empty = await examples.watched(store, name="b", cluster="prod-us", mode="observe")
    watch = await examples.watched(store, name="a")
    minor = await examples.opened(store, watch_id=watch.id, severity="P3")
    major = await examples.opened(
        store, watch_id=watch.id, subject=model.ResourceRef("Node", "", "n1", "uid-n1"), opened_at=NOW + examples.HOUR
    )
    gone = await examples.opened(store, watch_id=watch.id, subject=model.ResourceRef("Node", "", "n2", "uid-n2"))
    waiting = await examples.proposed(store, minor.id)
    await examples.proposed(store, major.id, expires_at=NOW + examples.SECOND)
    async with store.begin() as tx:
        await tx.incidents.save(incidents.resolve(gone, "gone", NOW - timedelta(hours=23)))
        swept = await tx.sweeps.claim(watch.id, NOW, "schedule", "a", NOW)
        assert swept is not None
        done = replace(swept, status="ok", finished_at=NOW)
        await tx.sweeps.finish(done)
        await tx.sweeps.claim(watch.id, NOW + examples.HOUR, "schedule", "a", NOW + examples.HOUR)
        status = await tx.cards.status(NOW + examples.MINUTE)
        elsewhere = await tx.cards.status(NOW, "prod-us")
        later = await tx.cards.status(NOW + 2 * examples.HOUR)
    assert status.watches == (cards.WatchStatus(watch, done, 2), cards.WatchStatus(empty))
    assert status.open == (major, minor), "the most severe first"
    assert status.waiting == (cards.ProposalCard(waiting),)
    assert status.resolved_24h == 1
    assert elsewhere == cards.Status((cards.WatchStatus(empty),), (), ())
    assert later.resolved_24h == 0
    assert later.waiting == ()


async def test_a_card_takes_as_many_queries_for_ten_proposals_as_for_one(store: engine.Database) -> None:
    kept = await examples.opened(store)
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    counts = []
    for _ in range(2):
        for _ in range(5):
            await _ended(store, await examples.proposed(store, kept.id), "rejected", "reject")
        sa.event.listen(store._engine.sync_engine, "before_cursor_execute", note)
        async with store.begin() as tx:
            await tx.cards.incident(kept.id)
            await tx.cards.status(NOW)
        sa.event.remove(store._engine.sync_engine, "before_cursor_execute", note)
        counts.append(len(asked))
        asked.clear()
    assert counts[0] == counts[1] <= 15
