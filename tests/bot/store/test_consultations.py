"""Asking a model as rows: one question at a time, one opinion a diagnosis, and money that no replicas spend twice."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain import consultations, diagnoses
from bot.store import consultations as consulting
from bot.store import engine
from k8s import model
from tests.bot.store import examples

NOW, LEASE, SECOND, HOUR = examples.NOW, examples.LEASE, examples.SECOND, examples.HOUR
DAY, CLUSTER = timedelta(days=1), "prod-eu"
CEILINGS = consultations.Ceilings(incident=1_000_000, watch_day=2_000_000, day=3_000_000)
OPINION = diagnoses.Opinion(
    cause="DB_URL is not set [E1].",
    kind="missing-variable",
    claims=(diagnoses.Claim("the log says so", "KeyError: 'DB_URL'", (1,)),),
    agreement="agrees",
    confidence="high",
    reason="rules, model and evidence agree",
    next_step="Put it back.",
    unknown=("who removed it",),
    candidates=(diagnoses.Candidate(model.RolloutUndo(examples.WORKLOAD, 3), "it has DB_URL"),),
    dropped=("1 claim without evidence was removed",),
    evidence=(diagnoses.Evidence(3, "tool", "events", "Back-off"),),
    model="claude-sonnet-5-5",
    prompt="abc",
)


async def diagnosed(store: engine.Database, count: int = 1, key: str = "k") -> list[int]:
    """An incident for each, with a diagnosis about which a model is to be asked; the ids of the diagnoses."""
    made = []
    for number in range(count):
        incident = await examples.opened(
            store, subject=model.ResourceRef("Deployment", "payments", f"api-{number}", f"u{number}")
        )
        async with store.begin() as tx:
            made.append(await tx.diagnoses.save(incident.id, examples.diagnosis(), examples.EVIDENCE, (), NOW))
            await tx.advice.want(made[-1], incident.id, key, NOW)
    return made


async def claim(store: engine.Database, owner: str = "a", now: datetime = NOW) -> consultations.Advice | None:
    async with store.begin() as tx:
        return await tx.advice.claim(owner, now, LEASE)


async def finished(store: engine.Database, one: consultations.Advice, owner: str = "a", **changes: Any) -> bool:
    values = {"state": "done", "opinion": OPINION, "finished_at": NOW + SECOND, **changes}
    async with store.begin() as tx:
        return await tx.advice.finish(replace(one, **values), owner)


async def test_a_diagnosis_and_its_evidence_are_read_as_they_were_stored(store: engine.Database) -> None:
    (diagnosis,) = await diagnosed(store)
    async with store.begin() as tx:
        assert await tx.diagnoses.get(diagnosis) == (examples.diagnosis(), list(examples.EVIDENCE))
        assert await tx.diagnoses.get(diagnosis + 1) is None


async def test_an_opinion_comes_back_as_it_was_stored(store: engine.Database) -> None:
    (diagnosis,) = await diagnosed(store)
    taken = await claim(store)
    assert taken is not None
    assert (taken.diagnosis_id, taken.state, taken.attempts) == (diagnosis, "running", 1)
    assert await finished(store, taken)
    async with store.begin() as tx:
        kept = await tx.advice.of_diagnosis(diagnosis)
        card = await tx.cards.incident(taken.incident_id)
    assert kept == replace(taken, state="done", opinion=OPINION, finished_at=NOW + SECOND)
    assert card is not None
    assert card.advice == kept
    assert card.advice_cost is None


async def test_of_many_replicas_one_takes_a_question(store: engine.Database, postgres_url: str) -> None:
    await diagnosed(store)
    other = engine.Database(postgres_url)
    taken = await asyncio.gather(*(claim((store, other)[number % 2], f"r{number}") for number in range(30)))
    await other.close()
    assert [one is not None for one in taken].count(True) == 1


async def test_a_question_that_is_being_asked_is_not_asked_beside_it(store: engine.Database) -> None:
    await diagnosed(store, 3, "same")
    first = await claim(store)
    assert first is not None
    assert await claim(store, "b") is None, "the same evidence waits for the answer"
    assert await finished(store, first)
    second = await claim(store, "b")
    assert second is not None
    assert second.id != first.id
    async with store.begin() as tx:
        known = await tx.advice.same(CLUSTER, "same", NOW - HOUR)
    assert known is not None
    assert known.id == first.id


async def test_other_questions_do_not_wait(store: engine.Database) -> None:
    await diagnosed(store, 1, "one")
    incident = await examples.opened(store, subject=model.ResourceRef("Deployment", "payments", "web", "u-web"))
    async with store.begin() as tx:
        diagnosis = await tx.diagnoses.save(incident.id, examples.diagnosis(), (), (), NOW)
        await tx.advice.want(diagnosis, incident.id, "other", NOW)
    assert await claim(store) is not None
    assert await claim(store, "b") is not None


async def test_what_a_dead_replica_asked_is_taken_over_when_its_lease_is_over(store: engine.Database) -> None:
    await diagnosed(store)
    first = await claim(store)
    assert first is not None
    assert await claim(store, "b", NOW + LEASE - SECOND) is None
    async with store.begin() as tx:
        assert await tx.advice.renew(first.id, "a", NOW + 2 * LEASE)
        assert not await tx.advice.renew(first.id, "b", NOW + 2 * LEASE)
    assert await claim(store, "b", NOW + LEASE + SECOND) is None
    second = await claim(store, "b", NOW + 2 * LEASE)
    assert second is not None
    assert (second.id, second.attempts) == (first.id, 2)
    assert not await finished(store, first), "whoever lost it has no say"
    async with store.begin() as tx:
        assert not await tx.advice.renew(first.id, "a", NOW + 5 * LEASE)
    assert await finished(store, second, "b")
    assert not await finished(store, second, "b")


async def test_a_newer_diagnosis_takes_the_place_of_a_question_that_nobody_has_begun(store: engine.Database) -> None:
    (old,) = await diagnosed(store)
    async with store.begin() as tx:
        before = await tx.advice.of_diagnosis(old)
        assert before is not None
        new = await tx.diagnoses.save(before.incident_id, examples.diagnosis(), (), (), NOW)
        await tx.advice.want(new, before.incident_id, "k2", NOW + SECOND)
        await tx.advice.want(new, before.incident_id, "k3", NOW + SECOND)
        passed = await tx.advice.of_diagnosis(old)
    assert passed is not None
    assert (passed.state, passed.finished_at) == ("none", NOW + SECOND)
    assert "newer diagnosis" in passed.why
    taken = await claim(store)
    assert taken is not None
    assert (taken.diagnosis_id, taken.key) == (new, "k2")
    assert await claim(store, "b") is None


@pytest.mark.parametrize(
    ("age", "changes", "found"),
    [(HOUR, {}, True), (-HOUR, {}, False), (HOUR, {"state": "none", "opinion": None, "why": "no"}, False)],
)
async def test_only_a_given_opinion_that_is_not_too_old_answers_again(
    store: engine.Database, age: timedelta, changes: dict[str, Any], found: bool
) -> None:
    await diagnosed(store)
    taken = await claim(store)
    assert taken is not None
    await finished(store, taken, **changes)
    async with store.begin() as tx:
        known = await tx.advice.same(CLUSTER, "k", NOW + SECOND - age)
        assert (known is not None) == found
        assert await tx.advice.same("elsewhere", "k", NOW - DAY) is None
        assert await tx.advice.same(CLUSTER, "other", NOW - DAY) is None


async def test_what_was_reused_is_not_reused_on_and_on(store: engine.Database) -> None:
    await diagnosed(store, 2)
    first = await claim(store)
    assert first is not None
    await finished(store, first)
    second = await claim(store)
    assert second is not None
    await finished(store, second, reused_of=first.id, finished_at=NOW + DAY)
    async with store.begin() as tx:
        assert await tx.advice.same(CLUSTER, "k", NOW + HOUR) is None


# --- money


def new_call(**changes: Any) -> consultations.NewCall:
    values: dict[str, Any] = {
        "purpose": "diagnosis",
        "cluster": "prod-eu",
        "model": "claude-sonnet-5-5",
        "prompt": "abc",
        "sent": '{"messages": []}',
        "estimate": 100_000,
        **changes,
    }
    return consultations.NewCall(**values)


async def reserve(
    store: engine.Database, now: datetime = NOW, ceilings: consultations.Ceilings = CEILINGS, **changes: Any
) -> int | str:
    async with store.begin() as tx:
        return await tx.calls.reserve(new_call(**changes), ceilings, now)


async def finish(store: engine.Database, call: int | str, cost: int, now: datetime = NOW, error: str = "") -> None:
    assert isinstance(call, int)
    usage = consultations.Usage(1000, 200, 30, 4)
    async with store.begin() as tx:
        await tx.calls.finish(call, usage, cost, now, stop="end_turn", received='["ok"]', error=error)


async def place(store: engine.Database) -> tuple[int, int]:
    """(incident, watch)"""
    incident = await examples.opened(store)
    return incident.id, incident.watch_id


async def test_replicas_that_reserve_at_once_do_not_break_a_ceiling(store: engine.Database, postgres_url: str) -> None:
    incident, watch = await place(store)
    other = engine.Database(postgres_url)
    ends = await asyncio.gather(
        *(
            reserve((store, other)[number % 2], incident_id=incident, watch_id=watch, estimate=150_000)
            for number in range(40)
        )
    )
    await other.close()
    assert sum(isinstance(end, int) for end in ends) == 6, "six times $0.15, of $1.00 for an incident"
    refused = {end for end in ends if isinstance(end, str)}
    assert refused == {"The model was not asked: the budget of $1.00 for this incident is used up"}
    async with store.begin() as tx:
        assert await tx.calls.spent(NOW, incident, watch) == consultations.Spent(900_000, 900_000, 900_000)


async def test_what_a_call_really_cost_takes_the_place_of_what_was_set_aside(store: engine.Database) -> None:
    incident, watch = await place(store)
    where: dict[str, Any] = {"incident_id": incident, "watch_id": watch}
    first = await reserve(store, estimate=900_000, **where)
    assert isinstance(await reserve(store, estimate=200_000, **where), str)
    await finish(store, first, 12_345)
    await finish(store, first, 999_999)
    async with store.begin() as tx:
        assert await tx.calls.spent(NOW, incident, watch) == consultations.Spent(12_345, 12_345, 12_345)
    assert isinstance(await reserve(store, estimate=200_000, **where), int)


async def test_a_call_that_never_ended_counts_for_a_day(store: engine.Database) -> None:
    incident, watch = await place(store)
    await reserve(store, incident_id=incident, watch_id=watch, estimate=500_000)
    async with store.begin() as tx:
        assert (await tx.calls.spent(NOW + DAY - SECOND, incident, watch)).incident == 500_000
        assert (await tx.calls.spent(NOW + DAY, incident, watch)).incident == 0


async def test_a_day_is_one_of_utc_and_an_incident_is_counted_over_its_whole_life(store: engine.Database) -> None:
    incident, watch = await place(store)
    late = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    await finish(store, await reserve(store, late, incident_id=incident, watch_id=watch), 70_000, late)
    async with store.begin() as tx:
        assert await tx.calls.spent(late, incident, watch) == consultations.Spent(70_000, 70_000, 70_000)
        after = await tx.calls.spent(late + SECOND, incident, watch)
        assert after == consultations.Spent(70_000, 0, 0)
        assert await tx.calls.spent(late) == consultations.Spent(0, 0, 70_000)


@pytest.mark.parametrize(
    ("ceilings", "of"),
    [
        (consultations.Ceilings(0, 10**9, 10**9), "this incident"),
        (consultations.Ceilings(10**9, 0, 10**9), "this watch today"),
        (consultations.Ceilings(10**9, 10**9, 0), "today"),
    ],
)
async def test_each_ceiling_holds_by_itself(store: engine.Database, ceilings: consultations.Ceilings, of: str) -> None:
    incident, watch = await place(store)
    end = await reserve(store, ceilings=ceilings, incident_id=incident, watch_id=watch)
    assert end == f"The model was not asked: the budget of $0.00 for {of} is used up"
    async with store.begin() as tx:
        assert await tx.calls.of_incident(incident, 10) == []


async def test_costs_are_told_by_watch_incident_model_and_day(store: engine.Database) -> None:
    incident, watch = await place(store)
    where: dict[str, Any] = {"incident_id": incident, "watch_id": watch}
    await finish(store, await reserve(store, NOW - DAY, **where), 30_000, NOW - DAY)
    await finish(store, await reserve(store, NOW, model="claude-haiku-5-5", **where), 500, NOW, error="overloaded")
    await finish(store, await reserve(store, NOW), 1_000, NOW)
    await finish(store, await reserve(store, NOW - 9 * DAY), 77_777, NOW - 9 * DAY)
    async with store.begin() as tx:
        told = await tx.calls.costs(NOW - 7 * DAY, NOW + SECOND)
        nothing = await tx.calls.costs(NOW + DAY, NOW + 2 * DAY)
    assert (told.total.calls, told.total.cost, told.total.failed) == (3, 31_500, 1)
    assert told.total.usage == consultations.Usage(3000, 600, 90, 12)
    assert [(one.name, one.cost) for one in told.by_incident] == [(f"WK-{incident}", 30_500), ("no incident", 1_000)]
    assert [(one.name, one.calls) for one in told.by_watch] == [("prod", 2), ("no watch", 1)]
    assert [(one.name, one.cost) for one in told.by_model] == [
        ("claude-sonnet-5-5", 31_000),
        ("claude-haiku-5-5", 500),
    ]
    assert [(one.name, one.cost) for one in told.by_day] == [
        (f"{NOW - DAY:%Y-%m-%d}", 30_000),
        (f"{NOW:%Y-%m-%d}", 1_500),
    ]
    assert (nothing.total.calls, nothing.by_day) == (0, ())


async def test_what_was_sent_is_told_oldest_first_and_forgotten_in_time(store: engine.Database) -> None:
    incident, _ = await place(store)
    for number in range(3):
        at = NOW + number * HOUR
        await finish(store, await reserve(store, at, incident_id=incident, sent=f"request {number}"), 5, at)
    async with store.begin() as tx:
        kept = await tx.calls.of_incident(incident, 2)
        assert [one.sent for one in kept] == ["request 1", "request 2"]
        assert (kept[0].received, kept[0].stop, kept[0].cost) == ('["ok"]', "end_turn", 5)
        assert await tx.calls.forget(NOW + HOUR) == 1
        assert await tx.calls.forget(NOW + HOUR) == 0
        assert [one.sent for one in await tx.calls.of_incident(incident, 9)] == ["", "request 1", "request 2"]
        assert (await tx.calls.spent(NOW, incident)).incident == 15


async def test_what_an_opinion_took_is_summed_from_its_own_requests(store: engine.Database) -> None:
    await diagnosed(store)
    taken = await claim(store)
    assert taken is not None
    early = await reserve(store, NOW - HOUR, incident_id=taken.incident_id)
    await finish(store, early, 1, NOW - HOUR)
    await finish(store, await reserve(store, NOW + SECOND, incident_id=taken.incident_id, purpose="question"), 7)
    await finish(store, await reserve(store, NOW + SECOND, incident_id=taken.incident_id), 40)
    await reserve(store, NOW + SECOND, incident_id=taken.incident_id, estimate=200)
    async with store.begin() as tx:
        spent = await tx.advice.spent(taken.id)
    assert spent == consultations.CostLine("advice", 2, consultations.Usage(1000, 200, 30, 4), 240, 0)


# --- asked for no incident


async def test_an_answer_for_no_incident_is_found_by_its_watch_and_key(store: engine.Database) -> None:
    incident, watch = await place(store)
    await finish(store, await reserve(store, watch_id=watch, key="k1", sent='{"a": 1}'), 10)
    await finish(store, await reserve(store, watch_id=watch, key="k1", sent='{"a": 2}'), 10)
    await finish(store, await reserve(store, watch_id=watch, key="k1"), 0, error="Overloaded")
    await finish(store, await reserve(store, watch_id=watch, incident_id=incident, key="k2"), 10)
    async with store.begin() as tx:
        found = await tx.calls.answered(watch, "k1", NOW - HOUR)
        assert found is not None
        assert (found.sent, found.prompt, found.stop) == ('{"a": 2}', "abc", "end_turn")
        for elsewhere in ((watch + 1, "k1", NOW - HOUR), (watch, "k", NOW - HOUR), (watch, "%", NOW - HOUR)):
            assert await tx.calls.answered(*elsewhere) is None
        assert await tx.calls.answered(watch, "k1", NOW + HOUR) is None
        assert await tx.calls.answered(watch, "k2", NOW - HOUR) is None, "that of an incident is kept with its advice"
        await tx.calls.forget(NOW + HOUR)
        assert await tx.calls.answered(watch, "k1", NOW - HOUR) is None


async def test_what_is_being_asked_is_not_asked_beside_it_and_is_waited_for_only_so_long(
    store: engine.Database, postgres_url: str
) -> None:
    _, watch = await place(store)
    other = engine.Database(postgres_url)
    ends = await asyncio.gather(*(reserve((store, other)[n % 2], watch_id=watch, key="k1") for n in range(6)))
    await other.close()
    (first,) = [end for end in ends if isinstance(end, int)]
    assert {end for end in ends if isinstance(end, str)} == {consulting.BEING_ASKED}
    assert isinstance(await reserve(store, watch_id=watch, key="k2"), int)
    assert isinstance(await reserve(store, watch_id=watch, key="k1", now=NOW + timedelta(minutes=3)), int)
    await finish(store, first, 10)
    assert isinstance(await reserve(store, watch_id=watch), int), "without a key nothing is the same"
