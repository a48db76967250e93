"""A model's view of what `/watch why` shows: by the same evidence and budget as an incident's, and asked for once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot import ledger
from bot.domain import consultations, diagnoses, inquiries, ports
from bot.evidence import looking, ranking
from bot.llm import advisor, client
from demo import model as standin
from demo.cluster import scenarios
from tests.bot.flow import test_advising as advising
from tests.bot.flow import worlds
from tests.bot.llm import making

CEILINGS = consultations.Ceilings(1_000_000, 1_000_000, 1_000_000)
SAYS = making.report(
    cause="The process ends with a KeyError for DB_URL [E2].",
    claims=[{"text": "the log names it", "quote": "KeyError: 'DB_URL'", "cites": ["E2"]}],
)


@contextlib.asynccontextmanager
async def priced(
    world: worlds.World, *answers: standin.Answer, ceilings: consultations.Ceilings = CEILINGS
) -> AsyncIterator[tuple[worlds.Replica, standin.StandIn]]:
    """A replica with the product's own advisor and ledger, over a stand-in of the API."""
    async with standin.StandIn(answers) as api:
        over = client.Client(standin.KEY, api.url)
        plain = await world.replica("plain")
        paying = ledger.Ledger(plain.database, ceilings, world.clock, ports.Unmetered())

        def look(brief: consultations.Brief) -> ports.Looking:
            eyes = world.eyes
            return looking.Looking(
                brief, eyes.reader, eyes.selected, plain.database, world.clock, plain.wired.rules.policy
            )

        made = advisor.Advisor(
            over, look, paying, making.PRICES, ranking.fit, advisor.Options(making.LARGE), monotonic=lambda: 0.0
        )
        try:
            yield await world.replica("a", advisor=made), api
        finally:
            await over.close()
        assert api.faults == []


async def seen(replica: worlds.Replica) -> inquiries.Inquiry:
    found = await replica.pipeline.why("payments/api")
    assert replica.pipeline.may_view(found)
    return found


async def test_a_look_is_paid_by_its_watch_and_neither_another_look_nor_the_incident_asks_again(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    async with priced(world, standin.says(SAYS)) as (replica, api):
        watch = await world.watch(replica)
        first = await replica.pipeline.view(await seen(replica))
        assert first.opinion is not None
        assert not first.reused
        assert "KeyError" in first.opinion.cause
        assert await world.live(replica) == [], "nothing is opened by a look"
        async with replica.database.begin() as tx:
            costs = await tx.calls.costs(world.clock() - worlds.RULES.lease, world.clock() + worlds.RULES.lease)
            spent = await tx.calls.spent(world.clock(), watch_id=watch.id)
        assert [(line.name, line.calls) for line in costs.by_watch] == [(watch.name, 1)]
        assert [line.name for line in costs.by_incident] == ["no incident"]
        assert spent.watch_day == costs.total.cost > 0

        again = await replica.pipeline.view(await seen(replica))
        assert again.reused
        incident = await world.diagnosed(replica)
        assert await replica.pipeline.advise_next()
        card = await replica.card(incident.id)
        assert len(api.requests) == 1
    assert card.advice is not None
    assert card.advice.opinion is not None
    assert card.advice_cost is None
    for opinion in (again.opinion, card.advice.opinion):
        assert opinion is not None
        assert "KeyError" in opinion.cause


async def test_at_a_ceiling_the_rules_stand_and_it_is_said(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    async with priced(world, ceilings=consultations.Ceilings(10**9, 0, 10**9)) as (replica, api):
        await world.watch(replica)
        view = await replica.pipeline.view(await seen(replica))
        assert api.requests == []
    assert view.opinion is None
    assert view.why == "The model was not asked: the budget of $0.00 for this watch today is used up"


async def test_an_opinion_of_an_incident_answers_a_look_at_the_same_evidence(begin: worlds.Begin) -> None:
    twin = advising.Twin()
    world, replica, incident = await advising.advised(begin, twin)
    assert await replica.pipeline.advise_next()
    watch = await world.watch(replica)
    card = await replica.card(incident)
    assert card.diagnosis is not None
    found = inquiries.Found(twin.asked[0].problem, card.diagnosis, card.evidence)
    view = await replica.pipeline.view(
        inquiries.Inquiry(worlds.CLUSTER, card.incident.subject, found=(found,), watch=watch)
    )
    assert view.reused
    assert view.opinion is not None
    assert len(twin.asked) == 1


async def test_people_who_ask_the_same_at_once_share_one_answer(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    twin = advising.Twin(held=asyncio.Event())
    replica = await world.replica("a", advisor=twin)
    await world.watch(replica)
    found = await seen(replica)
    asking = [asyncio.create_task(replica.pipeline.view(found)) for _ in range(3)]
    await twin.begun.wait()
    asking[0].cancel()
    await asyncio.wait(asking[:1])
    assert twin.held is not None
    twin.held.set()
    views = await asyncio.gather(*asking[1:])
    assert views[0] == views[1]
    assert views[0].opinion is not None
    brief = twin.asked.pop()
    assert twin.asked == []
    assert (brief.incident_id, brief.cluster) == (None, worlds.CLUSTER)
    assert brief.key
    assert brief.dossier == diagnoses.Dossier(found.found[0].evidence)


async def test_the_end_of_the_process_ends_what_is_asked(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    twin = advising.Twin(held=asyncio.Event())
    replica = await world.replica("a", advisor=twin)
    await world.watch(replica)
    asking = asyncio.create_task(replica.pipeline.view(await seen(replica)))
    await twin.begun.wait()
    await replica.pipeline.stop()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert twin.cancelled == 1


@pytest.mark.parametrize("twin", [advising.Twin(model=""), advising.Twin()])
async def test_nobody_is_asked_without_a_model_or_where_nothing_is_wrong(begin: worlds.Begin, twin: Any) -> None:
    world = await begin([scenarios.crash_loop()] if not twin.model else scenarios.healthy())
    replica = await world.replica("a", advisor=twin)
    await world.watch(replica)
    name = world.cluster.list("deployments")[0]["metadata"]
    found = await replica.pipeline.why(f"{name['namespace']}/{name['name']}")
    assert bool(found.found) == (not twin.model)
    assert not replica.pipeline.may_view(found)
    assert twin.asked == []


async def test_what_has_an_incident_has_its_view_on_the_card(begin: worlds.Begin) -> None:
    twin = advising.Twin()
    _, replica, _ = await advising.advised(begin, twin)
    found = await replica.pipeline.why("payments/api")
    assert found.card is not None
    assert not replica.pipeline.may_view(found)
