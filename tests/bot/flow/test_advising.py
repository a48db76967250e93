"""A model's opinion beside the rules': asked once, stored, shown; and whatever goes wrong, the rules' card stands.

The model is a twin of `ports.Advisor` that says what a test gives it; the rest is real, with a simulated cluster.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot import errors
from bot.domain import cards, consultations, diagnoses, incidents
from bot.slack.blocks import incident as incident_blocks
from bot.slack.blocks import opinion as opinion_blocks
from demo.cluster import Fault, scenarios
from k8s import model
from tests.bot.flow import worlds

Says = Callable[[consultations.Brief], consultations.Result]
LEASE = timedelta(seconds=6)


def opinion(brief: consultations.Brief, **changes: Any) -> diagnoses.Opinion:
    piece = brief.dossier.evidence[0]
    values: dict[str, Any] = {
        "cause": f"The variable is gone since the last rollout [{piece.label}].",
        "kind": brief.rules.kind,
        "claims": (diagnoses.Claim("the state says so", piece.body.splitlines()[0], (piece.number,)),),
        "agreement": "agrees",
        "confidence": "high",
        "reason": "rules, model and evidence agree",
        "next_step": "Put it back.",
        "model": "twin-large",
        "prompt": "v1",
    }
    return diagnoses.Opinion(**{**values, **changes})


def agrees(brief: consultations.Brief) -> consultations.Result:
    return consultations.Result(opinion(brief))


def away(_brief: consultations.Brief) -> consultations.Result:
    return consultations.Result(None, "The model did not answer: it is overloaded")


@dataclass
class Twin:
    """Says what it is given, and keeps what it was asked."""

    says: Says = agrees
    model: str = "twin-large+v1"
    asked: list[consultations.Brief] = field(default_factory=list)
    held: asyncio.Event | None = None
    """Where set, it thinks until somebody sets it."""
    cancelled: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def advise(self, brief: consultations.Brief, /) -> consultations.Result:
        self.asked.append(brief)
        self.begun.set()
        if self.held is not None:
            try:
                await self.held.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return self.says(brief)

    async def answer(
        self, _brief: consultations.Brief, _question: consultations.Question, _before: Sequence[consultations.Turn], /
    ) -> consultations.Answer | str:
        return "no"


async def advised(begin: worlds.Begin, twin: Twin, **changes: Any) -> tuple[worlds.World, worlds.Replica, int]:
    """A crash loop that the rules have diagnosed, with a model set that was not asked yet."""
    world = await begin([scenarios.crash_loop()])
    ana = await world.replica("a", advisor=twin, **changes)
    incident = await world.diagnosed(ana)
    return world, ana, incident.id


def shown(card: cards.IncidentCard) -> str:
    return str(incident_blocks.parent(card).arguments())


async def test_the_rules_card_is_there_before_the_model_is_asked(begin: worlds.Begin) -> None:
    twin = Twin()
    _, ana, incident = await advised(begin, twin)
    before = await ana.card(incident)
    assert twin.asked == []
    assert before.diagnosis is not None
    assert before.remedy is not None
    assert before.advice is not None
    assert before.advice.state == "wanted"
    assert "The model is being asked" in shown(before)
    assert (await ana.wanted()).get("opinion") is None

    assert await ana.pipeline.advise_next()
    assert not await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert len(twin.asked) == 1
    brief = twin.asked[0]
    assert brief.dossier.evidence == before.evidence, "what the rules saw, not what is there now"
    assert brief.rules == before.diagnosis
    assert (brief.incident_id, brief.cluster, brief.language) == (incident, worlds.CLUSTER, "en")
    assert card.advice is not None
    assert card.advice.opinion == opinion(brief)
    assert "rules and model agree" in shown(card)
    assert "being asked" not in shown(card)
    assert card.diagnosis == before.diagnosis
    assert card.remedy == before.remedy
    assert await ana.wanted() == {"parent": 1, "opinion": 1}
    told = await ana.told(incident, "diagnosis:advised")
    assert (told.data["model"], told.data["agreement"], told.data["calls"]) == ("twin-large", "agrees", 0)


async def test_a_gap_that_lowers_nothing_for_the_rules_lowers_nothing_for_the_model(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    world.cluster.forbid("reader", "list", "limitranges")
    twin = Twin()
    ana = await world.replica("a", advisor=twin)
    incident = await world.diagnosed(ana)
    await ana.pipeline.advise_next()
    dossier = twin.asked[0].dossier
    assert dossier.missing == ()
    assert dossier.beside == ("LimitRanges: the bot may not read them",)
    found = (await ana.card(incident.id)).diagnosis
    assert found is not None
    assert found.unseen == dossier.beside


async def test_another_cause_is_shown_beside_that_of_the_rules(begin: worlds.Begin) -> None:
    def differs(brief: consultations.Brief) -> consultations.Result:
        changes = {"agreement": "differs", "confidence": "low", "cause": "The Secret is gone [E1].", "reason": "no"}
        return consultations.Result(opinion(brief, **changes))

    _, ana, incident = await advised(begin, Twin(differs))
    await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert card.diagnosis is not None
    words = shown(card)
    assert "*Cause, by the rules:*" in words
    assert "*By the model:* The Secret is gone [E1]." in words
    assert "Confidence low (rules and model differ)" in words
    assert card.remedy is not None
    assert card.remedy.proposal.state == "proposed"


async def test_a_model_that_is_away_leaves_the_rules_card_and_says_why_once(begin: worlds.Begin) -> None:
    twin = Twin(away)
    _, ana, incident = await advised(begin, twin)
    before = await ana.card(incident)
    assert await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert card.advice is not None
    assert (card.advice.state, card.advice.opinion) == ("none", None)
    assert "it is overloaded" in shown(card)
    assert (card.diagnosis, card.remedy) == (before.diagnosis, before.remedy)
    assert not await ana.pipeline.advise_next(), "no second try"
    assert len(twin.asked) == 1
    assert (await ana.wanted()).get("opinion") is None
    assert (await ana.told(incident, "diagnosis:not-advised")).data["why"] == card.advice.why


async def test_an_earlier_opinion_does_not_stand_below_a_diagnosis_that_it_is_not_about(begin: worlds.Begin) -> None:
    twin = Twin()
    world, ana, incident = await advised(begin, twin)
    await ana.pipeline.advise_next()
    await ana.wanted()
    twin.says = away
    twin.model = "twin-larger+v1"
    world.clock.advance(minutes=7)
    await ana.pipeline.propose_again(incident, worlds.ANA)
    assert await ana.pipeline.diagnose_next()
    assert await ana.pipeline.advise_next()
    assert (await ana.wanted())["opinion"] == 1
    told = str(opinion_blocks.message(await ana.card(incident)).arguments())
    assert "it is overloaded" in told
    assert "agrees" not in told


async def test_nobody_is_asked_where_no_model_is_set(begin: worlds.Begin) -> None:
    twin = Twin(model="")
    _, ana, incident = await advised(begin, twin)
    assert not await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert card.advice is None
    assert "model" not in shown(card).lower()
    assert twin.asked == []


async def test_the_same_evidence_is_not_asked_about_again(begin: worlds.Begin) -> None:
    twin = Twin()
    world, ana, incident = await advised(begin, twin)
    await ana.pipeline.advise_next()
    world.clock.advance(minutes=7)
    await ana.pipeline.propose_again(incident, worlds.ANA)
    assert await ana.pipeline.diagnose_next()
    assert await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert len(twin.asked) == 1
    assert card.advice is not None
    assert card.advice.opinion is not None
    assert card.advice.reused_of is not None
    assert "nothing was asked anew" in str(opinion_blocks.message(card).arguments())
    assert (await ana.told(incident, "diagnosis:advised")).data["reused_of"] == card.advice.reused_of

    world.clock.advance(days=7)
    await ana.pipeline.propose_again(incident, worlds.ANA)
    assert await ana.pipeline.diagnose_next()
    assert await ana.pipeline.advise_next()
    assert len(twin.asked) == 2, "an opinion of a week ago is asked for anew"


async def test_a_dead_replica_is_followed_by_one_other_and_by_no_third(begin: worlds.Begin) -> None:
    twin = Twin(held=asyncio.Event())
    rules = replace(worlds.RULES, lease=LEASE)
    world, ana, incident = await advised(begin, twin, rules=rules)

    async def dies(owner: str) -> None:
        replica = await world.replica(owner, advisor=twin, rules=rules)
        twin.begun.clear()
        thinking = asyncio.create_task(replica.pipeline.advise_next())
        async with asyncio.timeout(30):
            await twin.begun.wait()
        thinking.cancel()
        await asyncio.gather(thinking, return_exceptions=True)
        world.clock.advance(seconds=20)

    await dies("b")
    await dies("c")
    assert await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert len(twin.asked) == 2
    assert twin.cancelled == 2, "nothing goes on thinking for a replica that is gone"
    assert card.advice is not None
    assert card.advice.state == "none"
    assert "both times" in card.advice.why


async def test_while_the_model_thinks_the_question_stays_one_replicas_own(begin: worlds.Begin) -> None:
    twin = Twin(held=asyncio.Event())
    rules = replace(worlds.RULES, lease=timedelta(seconds=12))
    world, ana, incident = await advised(begin, twin, rules=rules)
    other = await world.replica("b", advisor=twin, rules=rules)
    thinking = asyncio.create_task(ana.pipeline.advise_next())
    async with asyncio.timeout(60):
        await twin.begun.wait()
        seen = {await _lease(ana, incident)}
        while len(seen) < 3:  # taken, and renewed twice
            assert not await other.pipeline.advise_next()
            seen.add(await _lease(ana, incident))
            await asyncio.sleep(0.1)
    assert twin.held is not None
    twin.held.set()
    assert await thinking
    assert len(twin.asked) == 1


async def _lease(replica: worlds.Replica, incident: int) -> object:
    """Read past the store: it is no part of what a stage may see."""
    async with replica.database._connection() as connection:
        return await connection.scalar(
            sa.text("SELECT lease_until FROM advice WHERE incident_id = :incident"), {"incident": incident}
        )


async def test_an_incident_that_ended_meanwhile_gets_no_open_question(begin: worlds.Begin) -> None:
    twin = Twin(held=asyncio.Event())
    _, ana, incident = await advised(begin, twin)
    await ana.wanted()
    thinking = asyncio.create_task(ana.pipeline.advise_next())
    async with asyncio.timeout(30):
        await twin.begun.wait()
    async with ana.database.begin() as tx:
        await tx.incidents.lock(worlds.CLUSTER)
        current = await tx.incidents.get(incident)
        assert current is not None
        await tx.incidents.save(_resolved(current, ana))
    assert twin.held is not None
    twin.held.set()
    assert await thinking
    card = await ana.card(incident)
    assert card.advice is not None
    assert card.advice.state == "done"
    assert await ana.wanted() == {}
    assert "agree" not in shown(card)


def _resolved(current: incidents.Incident, replica: worlds.Replica) -> incidents.Incident:
    return replace(current, state="resolved", resolved_at=replica.wired.clock(), resolution="It is gone.")


async def test_a_cluster_that_is_away_is_one_try_and_no_storm(begin: worlds.Begin) -> None:
    twin = Twin()
    world, ana, incident = await advised(begin, twin)
    world.cluster.faults.add(Fault(path="/", status=503))
    assert await ana.pipeline.advise_next()
    world.cluster.faults.clear()
    card = await ana.card(incident)
    assert twin.asked == []
    assert card.advice is not None
    assert card.advice.state == "none"
    assert card.advice.why.startswith("The model was not asked:")


# --- what it speaks for


def scaling(brief: consultations.Brief) -> consultations.Result:
    action = model.Scale(brief.problem.subject, 4)
    changes = {"candidates": (diagnoses.Candidate(action, "more of them <!channel> help"),), "agreement": "differs"}
    return consultations.Result(opinion(brief, **changes))


async def test_what_the_rules_propose_stands_and_the_models_wish_is_told_without_a_button(begin: worlds.Begin) -> None:
    world, ana, incident = await advised(begin, Twin(scaling))
    before = await ana.remedy(incident)
    await ana.pipeline.advise_next()
    assert await ana.remedy(incident) == before
    told = str(opinion_blocks.message(await ana.card(incident)).arguments())
    assert "*The model would rather:*" in told
    assert "button" not in told
    assert "<!channel>" not in told
    assert world.writes == []


async def test_where_the_rules_have_nothing_it_is_proposed_by_the_same_way(begin: worlds.Begin) -> None:
    world, ana, incident = await advised(begin, Twin(scaling))
    async with ana.database.begin() as tx:
        proposal = (await tx.proposals.of_incident(incident))[0]
        assert await tx.proposals.move(proposal.id, "proposed", "superseded", world.clock())
    assert await ana.pipeline.advise_next()
    row = await ana.remedy(incident)
    assert row.id != proposal.id
    assert isinstance(row.action, model.Scale)
    assert row.action.replicas == 4
    assert row.state == "proposed"
    assert row.why.startswith("the model speaks for it:")
    assert row.proposer == ""
    told = await ana.told(incident, "proposal:made")
    assert (told.data["proposer"], told.data["digest"]) == ("model", row.digest)
    assert (await ana.told(incident, "proposal:advised")).actor == "model"
    async with ana.database.begin() as tx:
        assert await tx.alone.get(row.id) is None, "never announced to be done by itself"
    assert world.writes == []


async def test_in_read_only_mode_the_model_is_asked_and_nothing_is_proposed(begin: worlds.Begin) -> None:
    _, ana, incident = await advised(begin, Twin(scaling), hands=lambda _: None)
    assert await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert card.remedy is None
    told = await ana.told(incident, "diagnosis:advised")
    assert any("read-only" in one for one in told.data["refused"])
    assert "*The model would:*" in str(opinion_blocks.message(card).arguments())


async def test_what_the_policy_forbids_is_not_proposed_whoever_speaks_for_it(begin: worlds.Begin) -> None:
    def wild(brief: consultations.Brief) -> consultations.Result:
        elsewhere = model.ResourceRef("Deployment", "kube-system", "coredns", "u")
        action = model.RolloutRestart(elsewhere)
        return consultations.Result(opinion(brief, candidates=(diagnoses.Candidate(action, "trust me"),)))

    world, ana, incident = await advised(begin, Twin(wild))
    async with ana.database.begin() as tx:
        proposal = (await tx.proposals.of_incident(incident))[0]
        assert await tx.proposals.move(proposal.id, "proposed", "superseded", world.clock())
    await ana.pipeline.advise_next()
    assert (await ana.remedy(incident)).id == proposal.id, "nothing new"
    assert (await ana.told(incident, "diagnosis:advised")).data["refused"]
    assert world.writes == []


async def test_what_a_person_rejected_is_not_proposed_again_by_the_model(begin: worlds.Begin) -> None:
    def undoing(brief: consultations.Brief) -> consultations.Result:
        wanted = brief.rules.candidates[0]
        return consultations.Result(opinion(brief, candidates=(wanted,)))

    _, ana, incident = await advised(begin, Twin(undoing))
    row = await ana.remedy(incident)
    assert (await ana.pipeline.reject(worlds.press(row, reason="not now"))).counted
    await ana.pipeline.advise_next()
    after = await ana.remedy(incident)
    assert (after.id, after.state) == (row.id, "rejected")


async def test_a_bug_of_the_advisor_is_met_by_the_worker_and_the_card_stands(begin: worlds.Begin) -> None:
    def broken(_brief: consultations.Brief) -> consultations.Result:
        raise ZeroDivisionError

    world, ana, incident = await advised(begin, Twin(broken))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await ana.pipeline.advise_next()
        world.clock.advance(minutes=1)
    assert await ana.pipeline.advise_next()
    card = await ana.card(incident)
    assert card.advice is not None
    assert card.advice.state == "none"
    with pytest.raises(errors.NotPossible):
        await ana.pipeline.show("WK-999")
