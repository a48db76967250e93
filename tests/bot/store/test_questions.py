"""Questions as rows: one a message, answered by one replica, and in their order."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain import consultations, diagnoses
from bot.store import engine
from k8s import model
from tests.bot.store import examples

LEASE = timedelta(seconds=30)
OTHER = model.ResourceRef("Deployment", "payments", "other", "uid-other")
ANSWER = consultations.Answer(
    "A restart would read the same settings [E1].",
    "rules",
    (1,),
    ("1 claim without evidence was removed",),
    (diagnoses.Evidence(1, "log", "Log", "KeyError: 'DB_URL'"),),
    state="open",
)


def _question(incident_id: int, ts: str = "5.1", **changes: Any) -> consultations.Question:
    values: dict[str, Any] = {
        "id": 0,
        "incident_id": incident_id,
        "channel": "C1",
        "thread_ts": "1.0",
        "ts": ts,
        "user": "U1",
        "text": "why not restart?",
        "state": "wanted",
        "asked_at": examples.NOW,
    }
    return consultations.Question(**{**values, **changes})


async def _ask(store: engine.Database, incident_id: int, ts: str = "5.1") -> consultations.Question | None:
    async with store.begin() as tx:
        return await tx.questions.ask(_question(incident_id, ts))


async def _asked(store: engine.Database, incident_id: int, ts: str = "5.1") -> consultations.Question:
    kept = await _ask(store, incident_id, ts)
    assert kept is not None
    return kept


async def _claim(store: engine.Database, owner: str = "a", after: timedelta = timedelta()) -> Any:
    async with store.begin() as tx:
        return await tx.questions.claim(owner, examples.NOW + after, LEASE)


async def _finish(store: engine.Database, one: consultations.Question, owner: str = "a") -> bool:
    done = replace(one, state="answered", answered_at=examples.NOW, answer=ANSWER)
    async with store.begin() as tx:
        return await tx.questions.finish(done, owner)


async def test_a_message_asks_once_however_often_it_is_told(store: engine.Database) -> None:
    about = await examples.opened(store)
    told = await asyncio.gather(*(_ask(store, about.id) for _ in range(8)))
    assert [one is not None for one in told].count(True) == 1
    assert await _ask(store, about.id, "5.2") is not None


async def test_what_was_asked_and_answered_is_read_as_it_was(store: engine.Database) -> None:
    about = await examples.opened(store)
    asked = await _asked(store, about.id)
    assert asked == replace(_question(about.id), id=asked.id)
    assert (await _claim(store)).id == asked.id
    assert await _finish(store, asked)
    async with store.begin() as tx:
        kept = await tx.questions.get(asked.id)
        card = await tx.cards.answer(asked.id)
        assert await tx.cards.answer(asked.id + 1) is None
    assert kept == replace(asked, state="answered", answered_at=examples.NOW, answer=ANSWER)
    assert card is not None
    assert (card.question, card.incident.id) == (kept, about.id)


async def test_of_two_replicas_one_answers(store: engine.Database) -> None:
    about = await examples.opened(store)
    await _ask(store, about.id)
    taken = await asyncio.gather(*(_claim(store, owner) for owner in "abcdef"))
    assert sum(one is not None for one in taken) == 1


async def test_questions_of_one_incident_are_answered_in_their_order_and_others_need_not_wait(
    store: engine.Database,
) -> None:
    about = await examples.opened(store)
    other = await examples.opened(store, subject=OTHER, fingerprint="f2")
    first, second = await _asked(store, about.id, "5.1"), await _asked(store, about.id, "5.2")
    elsewhere = await _asked(store, other.id, "5.3")
    assert (await _claim(store, "a")).id == first.id
    assert (await _claim(store, "b")).id == elsewhere.id
    assert await _claim(store, "c") is None
    assert await _finish(store, first)
    assert (await _claim(store, "c")).id == second.id


async def test_what_a_dead_replica_had_is_taken_over_and_its_own_answer_comes_too_late(store: engine.Database) -> None:
    about = await examples.opened(store)
    asked = await _asked(store, about.id)
    assert await _claim(store, "a") is not None
    assert await _claim(store, "b", LEASE / 2) is None
    async with store.begin() as tx:
        assert await tx.questions.renew(asked.id, "a", examples.NOW + 2 * LEASE)
        assert not await tx.questions.renew(asked.id, "b", examples.NOW + 9 * LEASE)
    assert await _claim(store, "b", LEASE) is None
    assert (await _claim(store, "b", 2 * LEASE)).id == asked.id
    assert not await _finish(store, asked, "a")
    assert await _finish(store, asked, "b")
    assert not await _finish(store, asked, "b")
    assert await _claim(store, "c", 9 * LEASE) is None


async def test_the_newest_answered_ones_come_oldest_first(store: engine.Database) -> None:
    about = await examples.opened(store)
    for number in range(4):
        asked = await _asked(store, about.id, f"5.{number}")
        await _claim(store)
        await _finish(store, asked)
    await _ask(store, about.id, "6.0")
    async with store.begin() as tx:
        found = await tx.questions.of_incident(about.id, 3)
    assert [one.ts for one in found] == ["5.1", "5.2", "5.3"]


async def test_an_answer_is_found_as_part_of_its_thread(store: engine.Database) -> None:
    about = await examples.opened(store)
    asked = await _asked(store, about.id)
    async with store.begin() as tx:
        await tx.views.want("answer", channel="C1", question_id=asked.id, due=examples.NOW)
        view = await tx.views.claim("a", examples.NOW, LEASE)
        assert view is not None
        assert (view.kind, view.thread_ts, view.channel) == ("answer", "1.0", "C1")
        await tx.views.shown(view.id, version=1, ts="7.0", channel="C1", now=examples.NOW, next_due=examples.NOW)
        assert await tx.views.incident_of("C1", "7.0") == about.id
