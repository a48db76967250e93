"""Whatever a value of ours holds comes back equal, or with the replaced characters that Postgres cannot keep."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain import diagnoses, incidents, proposals
from bot.store import engine
from k8s import model
from tests import postgres
from tests.bot.store import examples

# What Postgres keeps as it is; what it does not is tested by itself below.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
refs = st.builds(model.ResourceRef, texts, texts, texts, texts)
numbers = st.integers(-(2**53), 2**53)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)
objects = st.dictionaries(texts, values, max_size=3)
actions = st.one_of(
    st.builds(model.RolloutRestart, refs),
    st.builds(model.RolloutUndo, refs, numbers),
    st.builds(model.DeletePod, refs, refs),
    st.builds(model.Scale, refs, numbers),
)
operations = st.builds(
    model.Operation,
    st.sampled_from(("patch", "scale", "delete")),
    refs,
    st.sampled_from(("merge", "json", None)),
    st.none() | objects | st.lists(objects, max_size=2),
)
tuples = st.lists(texts, max_size=3).map(tuple)
proposed = st.builds(
    proposals.Proposal,
    id=st.just(0),
    incident_id=st.just(1),
    kind=st.just("remedy"),
    undo_of=st.none(),
    action=actions,
    planned_at=times,
    operations=st.lists(operations, max_size=3).map(tuple),
    pins=st.dictionaries(texts, texts, max_size=3),
    digest=texts,
    policy=texts,
    kubectl=texts,
    summary=texts,
    why=texts,
    risk=st.sampled_from(("low", "medium", "high")),
    blast=st.builds(model.BlastRadius, numbers, numbers, numbers, st.none() | numbers, texts),
    inverse=st.none() | actions,
    irreversible=texts,
    diff=tuples,
    warnings=tuples,
    state=st.just("superseded"),
    created_at=times,
    expires_at=times,
)
opened = st.builds(
    incidents.Incident,
    id=st.just(0),
    fingerprint=texts,
    episode=st.integers(1, 99),
    cluster=texts,
    subject=refs,
    kinds=tuples,
    causes=tuples,
    severity=st.sampled_from(("P1", "P2", "P3")),
    state=st.just("resolved"),
    headline=texts,
    watch_id=st.just(1),
    channel=texts,
    since=times,
    opened_at=times,
    last_seen_at=times,
    ready=st.none() | numbers,
    desired=st.none() | numbers,
    clear_sweeps=st.integers(0, 9),
    clear_since=st.none() | times,
    acknowledged_at=st.none() | times,
    acknowledged_by=texts,
    resolved_at=times,
    resolution=texts,
    previous_id=st.none(),
    flapping=st.booleans(),
    diagnosis_wanted=st.booleans(),
)
found = st.builds(
    diagnoses.Diagnosis, texts, st.lists(numbers, max_size=3).map(tuple), st.sampled_from(("high", "medium", "low")),
    texts, texts, st.sampled_from(("rules", "model")),
    st.lists(st.builds(diagnoses.Candidate, actions, texts), max_size=3).map(tuple), tuples, beside=tuples,
)  # fmt: skip
outcomes = st.builds(
    model.Outcome,
    st.sampled_from(("succeeded", "stale", "already-fixed", "refused", "failed", "unknown")),
    texts,
    st.none() | objects,
    tuples,
)
modest = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Shelf:
    """Puts a value in and takes it out again, in a loop that lives as long as all examples of a test."""

    def __init__(self, runner: asyncio.Runner, store: engine.Database) -> None:
        self._runner = runner
        self._store = store

    def incident(self, given: incidents.Incident) -> incidents.Incident | None:
        async def keep() -> incidents.Incident | None:
            async with self._store.begin() as tx:
                kept = await tx.incidents.open(given)
                assert kept is not None
                again = await tx.incidents.get(kept.id)
            assert again == kept
            return again

        return self._runner.run(keep())

    def proposal(self, given: proposals.Proposal) -> proposals.Proposal | None:
        async def keep() -> proposals.Proposal | None:
            async with self._store.begin() as tx:
                return await tx.proposals.get((await tx.proposals.add(given)).id)

        return self._runner.run(keep())

    def diagnosis(self, given: diagnoses.Diagnosis) -> diagnoses.Diagnosis | None:
        async def keep() -> diagnoses.Diagnosis | None:
            async with self._store.begin() as tx:
                await tx.diagnoses.save(1, given, (), (), examples.NOW)
                card = await tx.cards.incident(1)
            return None if card is None else card.diagnosis

        return self._runner.run(keep())

    def outcome(self, given: model.Outcome) -> model.Outcome | None:
        async def keep() -> model.Outcome | None:
            row = await examples.proposed(self._store, 1)
            async with self._store.begin() as tx:
                queued = await tx.executions.queue(row.id, examples.PERMIT, examples.NOW)
                await tx.executions.claim("a", examples.NOW, examples.LEASE)
                assert await tx.executions.finish(queued.id, "a", given, examples.NOW)
                await tx.proposals.move(row.id, "proposed", "superseded", examples.NOW)
                card = await tx.cards.incident(1)
            assert card is not None
            assert card.remedy is not None
            assert card.remedy.execution is not None
            return card.remedy.execution.outcome

        return self._runner.run(keep())


@pytest.fixture
def shelf(postgres_server: postgres.Server) -> Iterator[Shelf]:
    with asyncio.Runner() as runner:
        database = postgres_server.database()
        store = engine.Database(runner.run(database.__aenter__()))
        runner.run(_with_an_incident(store))
        yield Shelf(runner, store)
        runner.run(store.close())
        runner.run(database.__aexit__(None, None, None))


async def _with_an_incident(store: engine.Database) -> None:
    await examples.opened(store)


@modest
@given(value=opened)
def test_an_incident_comes_back_equal(shelf: Shelf, value: incidents.Incident) -> None:
    kept = shelf.incident(value)
    assert kept is not None
    assert replace(kept, id=0) == value


@modest
@given(value=proposed)
def test_a_proposal_comes_back_equal_and_so_does_its_digest(shelf: Shelf, value: proposals.Proposal) -> None:
    kept = shelf.proposal(value)
    assert kept is not None
    assert replace(kept, id=0) == value
    assert model.digest(kept.operations, kept.pins, "p") == model.digest(value.operations, value.pins, "p")


@modest
@given(value=found)
def test_a_diagnosis_comes_back_equal(shelf: Shelf, value: diagnoses.Diagnosis) -> None:
    assert shelf.diagnosis(value) == value


@modest
@given(value=outcomes)
def test_an_outcome_comes_back_equal(shelf: Shelf, value: model.Outcome) -> None:
    assert shelf.outcome(value) == value


async def test_what_postgres_cannot_keep_is_replaced_everywhere(store: engine.Database) -> None:
    odd, kept = "a\x00b\ud800c", "a\ufffdb\ufffdc"
    one = await examples.opened(store, headline=odd, kinds=(odd,), subject=model.ResourceRef(odd, odd, odd, odd))
    assert one.headline == kept
    assert one.kinds == (kept,)
    assert one.subject == model.ResourceRef(kept, kept, kept, kept)
    async with store.begin() as tx:
        assert await tx.incidents.open(examples.incident(subject=one.subject, watch_id=one.watch_id)) is None
    row = await examples.proposed(
        store, one.id, pins={odd: odd}, operations=(model.Operation("patch", one.subject, "merge", {odd: [odd]}),)
    )
    assert row.pins == {kept: kept}
    assert row.operations[0].body == {kept: [kept]}


async def test_an_action_that_is_not_of_the_catalogue_is_not_read(store: engine.Database) -> None:
    row = await examples.proposed(store)
    wrong = '{"action": "run-shell", "command": "rm -rf /"}'
    async with store._connection() as connection:
        tampered = sa.text("UPDATE proposal SET action = CAST(:wrong AS jsonb)")
        await connection.execute(tampered, {"wrong": wrong})
        await connection.commit()
    async with store.begin() as tx:
        with pytest.raises(msgspec.ValidationError, match="run-shell"):
            await tx.proposals.get(row.id)
