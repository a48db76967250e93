"""Questions in a thread: kept once, answered once, from the record; by the rules where no model answers."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot import errors
from bot.domain import consultations, inquiries
from bot.flow import questioning
from demo.cluster import Fault, scenarios
from k8s import model
from tests.bot.flow import worlds

THREAD = "100.0"
Answer = consultations.Answer | str


class Advisor:
    """A model that answers what the test tells it to, and notes what it was asked."""

    model = "small@v1"

    def __init__(self, *answers: Answer | Callable[[], Any]) -> None:
        self.asked: list[tuple[consultations.Brief, consultations.Question, Sequence[consultations.Turn]]] = []
        self._answers = list(answers)

    async def advise(self, _brief: consultations.Brief) -> consultations.Result:
        return consultations.Result(None)

    async def answer(
        self, brief: consultations.Brief, question: consultations.Question, before: Sequence[consultations.Turn]
    ) -> Answer:
        self.asked.append((brief, question, before))
        found = self._answers.pop(0)
        if callable(found):
            return await found()  # type: ignore[no-any-return]
        return found


def _by_model(text: str = "The model says so [E1].") -> consultations.Answer:
    return consultations.Answer(text, "model", (1,), model="small", prompt="v1")


async def _told(replica: worlds.Replica, incident_id: int) -> None:
    """Its parent stands in Slack, so that it has a thread."""
    now = replica.wired.clock()
    async with replica.database.begin() as tx:
        await tx.views.want("parent", channel=worlds.CHANNEL, incident_id=incident_id, due=now)
        while (view := await tx.views.claim("test", now, replica.wired.rules.lease)) is not None:
            ts = THREAD if view.kind == "parent" else f"{view.id}.5"
            await tx.views.shown(view.id, version=view.wanted, ts=ts, channel=worlds.CHANNEL, now=now, next_due=now)


def _mention(text: str, ts: str = "200.1", thread: str = THREAD, user: str = worlds.CHLOE) -> inquiries.Mention:
    return inquiries.Mention(worlds.CHANNEL, thread, ts, user, text)


async def _begun(begin: worlds.Begin, **changes: Any) -> tuple[worlds.World, worlds.Replica, int]:
    world = await begin([scenarios.crash_loop()])
    replica = await world.replica("a", **changes)
    incident = await world.diagnosed(replica)
    await _told(replica, incident.id)
    return world, replica, incident.id


async def _questions(replica: worlds.Replica, incident_id: int) -> list[consultations.Question]:
    async with replica.database.begin() as tx:
        return list(await tx.questions.of_incident(incident_id, 100))


async def _answered(replica: worlds.Replica, incident_id: int, text: str, ts: str = "200.1") -> consultations.Answer:
    assert await replica.pipeline.hear(_mention(text, ts))
    assert await replica.pipeline.answer_next()
    found = (await _questions(replica, incident_id))[-1]
    assert found.ts == ts
    assert found.answer is not None
    return found.answer


async def test_a_question_is_answered_in_its_thread_from_the_evidence(begin: worlds.Begin) -> None:
    _, replica, incident_id = await _begun(begin)
    card = await replica.card(incident_id)
    assert card.diagnosis is not None
    answer = await _answered(replica, incident_id, "why not just restart?")
    assert answer.by == "rules"
    assert card.diagnosis.cause.split(" [E")[0][:40] in answer.text
    assert answer.cites
    assert {piece.number for piece in answer.evidence} == set(answer.cites)
    assert all(piece in card.evidence for piece in answer.evidence)
    assert answer.state == "open"
    assert answer.why == ""
    assert (await replica.wanted())["answer"] == 1
    assert "question:answered" in await replica.trail(incident_id)
    assert not await replica.pipeline.answer_next()


async def test_slack_tells_of_a_message_again_and_two_replicas_hear_it(begin: worlds.Begin) -> None:
    world, replica, incident_id = await _begun(begin)
    other = await world.replica("b")
    mention = _mention("what changed?")
    assert all(await asyncio.gather(*(one.pipeline.hear(mention) for one in (replica, other, replica, other))))
    turns = await asyncio.gather(*(one.pipeline.answer_next() for one in (replica, other)))
    assert sorted(turns) == [False, True]
    assert len(await _questions(replica, incident_id)) == 1


async def test_questions_of_many_are_each_answered_in_the_order_they_came(begin: worlds.Begin) -> None:
    world, replica, incident_id = await _begun(begin)
    other = await world.replica("b")
    for number in range(5):
        await replica.pipeline.hear(
            _mention(f"since when, please ({number})?", f"200.{number}", user=f"U0ASKER{number}")
        )
    while any(await asyncio.gather(replica.pipeline.answer_next(), other.pipeline.answer_next())):
        pass
    found = await _questions(replica, incident_id)
    assert [one.user for one in found] == [f"U0ASKER{number}" for number in range(5)]
    times = [one.answered_at for one in found]
    assert times == sorted(times, key=str)
    assert all(one.answer is not None and "It began" in one.answer.text for one in found)


async def test_a_mention_outside_of_an_incidents_thread_is_no_question(begin: worlds.Begin) -> None:
    _, replica, incident_id = await _begun(begin)
    for thread in ("", "999.9"):
        assert not await replica.pipeline.hear(_mention("why?", thread=thread))
    assert await _questions(replica, incident_id) == []


async def test_a_secret_in_a_question_is_not_kept_and_a_long_one_is_cut(begin: worlds.Begin) -> None:
    _, replica, incident_id = await _begun(begin)
    secret = "hunter" + "2hunter2"
    await _answered(replica, incident_id, f"is DB_PASSWORD={secret} wrong? " + "x" * 40_000)
    kept = (await _questions(replica, incident_id))[0].text
    assert secret not in kept
    assert "[redacted" in kept
    assert kept.endswith(questioning.CUT)
    assert len(kept) < questioning.LONGEST + 100


async def test_an_answer_tells_the_state_at_its_time(begin: worlds.Begin) -> None:
    _, replica, incident_id = await _begun(begin)
    await replica.pipeline.hear(_mention("is it fixed?"))
    async with replica.database.begin() as tx:
        current = await tx.incidents.get(incident_id)
        assert current is not None
        now = replica.wired.clock()
        await tx.incidents.save(replace(current, state="resolved", resolved_at=now, resolution="The problem is gone."))
    assert await replica.pipeline.answer_next()
    answer = (await _questions(replica, incident_id))[0].answer
    assert answer is not None
    assert answer.state == "resolved"
    assert "It is over since" in answer.text


async def test_whether_an_action_is_possible_is_looked_up_and_an_away_cluster_is_said(begin: worlds.Begin) -> None:
    world, replica, incident_id = await _begun(begin)
    assert "*Other action…*" in (await _answered(replica, incident_id, "can we restart it?")).text
    world.cluster.faults.add(Fault(path="/apis", drop="before"))
    answer = await _answered(replica, incident_id, "can we restart it?", "200.2")
    assert "could not be looked up" in answer.text


async def test_an_action_that_the_catalogue_has_not_for_it_is_said(begin: worlds.Begin) -> None:
    _, replica, incident_id = await _begun(begin)
    answer = await _answered(replica, incident_id, "should we drain it?")
    assert "nothing in the catalogue does that for a Deployment" in answer.text


# --- with a model -----------------------------------------------------------------------------------------------------


async def test_a_model_answers_with_the_thread_before_it(begin: worlds.Begin) -> None:
    advisor = Advisor(_by_model("Since the rollout [E1]."), _by_model("No, not at all [E1]."))
    _, replica, incident_id = await _begun(begin, advisor=advisor)
    assert (await _answered(replica, incident_id, "what is the trigger here?")).text == "Since the rollout [E1]."
    answer = await _answered(replica, incident_id, "and does a restart help?", "200.2")
    assert (answer.by, answer.state) == ("model", "open")
    brief, question, before = advisor.asked[1]
    assert before == [consultations.Turn("what is the trigger here?", "Since the rollout [E1].")]
    assert question.text == "and does a restart help?"
    assert brief.dossier.evidence == (await replica.card(incident_id)).evidence
    assert (brief.incident_id, brief.cluster, brief.problem.subject.name) == (incident_id, worlds.CLUSTER, "api")
    event = await replica.told(incident_id, "question:answered")
    assert (event.data["by"], event.data["model"], event.data["prompt"]) == ("model", "small", "v1")


async def test_where_the_model_cannot_the_rules_answer_and_say_why(begin: worlds.Begin) -> None:
    advisor = Advisor("The model is overloaded")
    _, replica, incident_id = await _begun(begin, advisor=advisor)
    answer = await _answered(replica, incident_id, "what changed?")
    assert (answer.by, answer.why) == ("rules", "The model is overloaded")
    assert answer.text


async def test_the_same_question_from_the_same_evidence_is_not_asked_of_the_model_twice(begin: worlds.Begin) -> None:
    advisor = Advisor(_by_model(), _by_model("Another [E1]."))
    _, replica, incident_id = await _begun(begin, advisor=advisor)
    first = await _answered(replica, incident_id, "what is the trigger here?")
    again = await _answered(replica, incident_id, "What is  the trigger here?", "200.2")
    assert again == first
    assert len(advisor.asked) == 1
    assert (await _answered(replica, incident_id, "and who is behind it?", "200.3")).text == "Another [E1]."


async def test_what_a_dead_replica_began_is_answered_by_another_and_a_late_answer_is_dropped(
    begin: worlds.Begin,
) -> None:
    thinking, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> consultations.Answer:
        thinking.set()
        await go_on.wait()
        return _by_model("too late")

    world, replica, incident_id = await _begun(begin, advisor=Advisor(slow))
    other = await world.replica("b", advisor=Advisor(_by_model("in time [E1]")))
    await replica.pipeline.hear(_mention("what is the trigger?"))
    turn = asyncio.create_task(replica.pipeline.answer_next())
    await thinking.wait()
    assert not await other.pipeline.answer_next()
    world.clock.advance(seconds=31)
    assert await other.pipeline.answer_next()
    go_on.set()
    assert await turn
    answer = (await _questions(replica, incident_id))[0].answer
    assert answer is not None
    assert answer.text == "in time [E1]"
    assert (await replica.wanted())["answer"] == 1


async def test_a_question_that_waited_too_long_costs_no_money(begin: worlds.Begin) -> None:
    advisor = Advisor()
    world, replica, incident_id = await _begun(begin, advisor=advisor)
    await replica.pipeline.hear(_mention("what changed?"))
    world.clock.advance(minutes=11)
    assert await replica.pipeline.answer_next()
    answer = (await _questions(replica, incident_id))[0].answer
    assert answer is not None
    assert (answer.by, advisor.asked) == ("rules", [])
    assert "waited too long" in answer.why


# --- /watch why -------------------------------------------------------------------------------------------------------


async def test_why_of_what_has_an_incident_shows_it(begin: worlds.Begin) -> None:
    world, replica, incident_id = await _begun(begin)
    for words in ("payments/api", "payments/deployment/api", "demo/payments/api", "demo/payments/Deployments/api"):
        found = await replica.pipeline.why(words)
        assert found.card is not None
        assert found.card.incident.id == incident_id
    pod = world.cluster.list("pods", "payments")[0]["metadata"]["name"]
    shown = (await replica.pipeline.why(f"payments/{pod}")).card
    assert shown is not None
    assert shown.incident.id == incident_id


async def test_why_diagnoses_what_nobody_has_flagged_and_opens_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    replica = await world.replica("a")
    await world.watch(replica)
    found = await replica.pipeline.why("payments/api")
    assert found.card is None
    assert [one.problem.subject.name for one in found.found] == ["api"]
    assert "[E" in found.found[0].diagnosis.cause
    assert found.found[0].evidence
    assert list(await world.live(replica)) == []


async def test_why_of_what_is_well_says_so_by_facts(begin: worlds.Begin) -> None:
    world = await begin(scenarios.healthy())
    replica = await world.replica("a")
    await world.watch(replica)
    name = world.cluster.list("deployments")[0]["metadata"]
    found = await replica.pipeline.why(f"{name['namespace']}/{name['name']}")
    assert (found.card, found.found) == (None, ())
    told = "; ".join(found.facts)
    assert "ready" in told
    assert "no restarts in 24 h" in told
    assert "last rollout" in told
    assert f"namespace {name['namespace']}" in found.looked


async def test_why_of_what_is_not_there_or_not_watched_says_what_is(begin: worlds.Begin) -> None:
    world, replica, _ = await _begun(begin)
    with pytest.raises(errors.NotPossible, match="Did you mean `api`"):
        await replica.pipeline.why("payments/apu")
    with pytest.raises(errors.NotPossible, match="There is no namespace `paymens`"):
        await replica.pipeline.why("paymens/api")
    with pytest.raises(errors.NotPossible, match="names no workload"):
        await replica.pipeline.why("api")
    await world.watch(replica, "narrow", scope=model.Scope(("web",)))
    await replica.pipeline.remove_watch(worlds.CLUSTER, worlds.ANA)
    with pytest.raises(errors.NotPossible, match="No active watch looks at namespace `payments`"):
        await replica.pipeline.why("payments/api")


async def test_why_where_the_cluster_is_away_says_so(begin: worlds.Begin) -> None:
    world, replica, _ = await _begun(begin)
    world.cluster.faults.add(Fault(path="/api", drop="before"))
    with pytest.raises(errors.ClusterUnavailable):
        await replica.pipeline.why("payments/api")
