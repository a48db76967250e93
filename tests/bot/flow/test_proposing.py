"""Proposing and the worker before it: a fresh look, one exact action that passes every check, or why there is none."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from bot import errors
from bot.domain import diagnoses, incidents, proposals
from bot.flow import examining, proposing
from demo.cluster import Fault, scenarios
from k8s import guardrails, indexing, model
from k8s import policy as rulebook
from tests.bot.flow import worlds

DENIED_HERE = rulebook.Ruleset(rules=(rulebook.Rule(effect="deny", name="not here", clusters=(worlds.CLUSTER,)),))
ELSEWHERE = rulebook.Ruleset(rules=(rulebook.Rule(effect="deny", name="not there", clusters=("elsewhere",)),))


async def draft(
    replica: worlds.Replica, *actions: model.Action, mode: guardrails.Mode = "approve"
) -> proposing.Drafted:
    """What becomes of these candidates for the first incident."""
    async with replica.database.begin() as tx:
        (incident, *_) = await tx.incidents.live(worlds.CLUSTER)
    candidates = [diagnoses.Candidate(action, "a test speaks for it") for action in actions]
    return await proposing.draft(replica.wired, incident, mode, candidates)


async def rows(replica: worlds.Replica, incident_id: int) -> Sequence[proposals.Proposal]:
    async with replica.database.begin() as tx:
        return await tx.proposals.of_incident(incident_id)


async def test_a_proposal_says_exactly_what_would_be_done(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.proposed(bot)
    assert proposal.action == model.RolloutUndo(incident.subject, 1)
    assert proposal.kubectl == "kubectl -n payments rollout undo deployment/api --to-revision=1"
    assert proposal.inverse == model.RolloutUndo(incident.subject, 2)
    assert proposal.digest == model.digest(proposal.operations, proposal.pins, worlds.POLICY.hash)
    assert proposal.policy == worlds.POLICY.hash
    assert proposal.expires_at - proposal.created_at == worlds.RULES.proposal_ttl
    assert any(line.startswith("+ ") and "v2.3.0" in line for line in proposal.diff)
    assert {operation.target.uid for operation in proposal.operations} == {incident.subject.uid}
    assert world.writes == []
    assert len(world.cluster.journal.dry_runs) == 1
    assert await bot.wanted() == {"parent": 1, "evidence": 1, "progress": 1}


async def test_the_first_candidate_that_passes_is_proposed_and_why_the_others_are_not(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    away = model.ResourceRef("Deployment", "payments", "nothing-like-it", "uid")
    found = await draft(
        bot,
        model.RolloutUndo(incident.subject, 99),
        model.Scale(incident.subject, 0),
        model.RolloutRestart(away),
        model.RolloutRestart(incident.subject),
        model.RolloutUndo(incident.subject, 1),
    )
    assert found.proposal is not None
    assert found.proposal.action == model.RolloutRestart(incident.subject)
    for name in ("rollout-undo", "scale", "rollout-restart"):
        assert any(reason.startswith(f"{name} was considered: ") for reason in found.refused)
    assert any("99" in reason for reason in found.refused)


async def test_what_the_record_speaks_against_is_proposed_by_nobody_but_a_person(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    before = replace(
        incident,
        fingerprint="before",
        state="resolved",
        since=incident.since - timedelta(days=30),
        opened_at=incident.since - timedelta(days=30),
        resolved_at=incident.opened_at,
        diagnosis_wanted=False,
    )
    async with bot.database.begin() as tx:
        assert await tx.incidents.open(before) is not None
    undo = diagnoses.Candidate(model.RolloutUndo(incident.subject, 1), "a test speaks for it")
    found = await proposing.draft(bot.wired, incident, "approve", [undo])
    assert found.proposal is None
    (why,) = found.refused
    assert why.startswith("rollout-undo was considered: Revision 1 was failing when it was replaced: WK-")
    asked = await proposing.draft(bot.wired, incident, "approve", [undo], proposer="U0ANA")
    assert asked.proposal is not None
    back = await proposing.draft(bot.wired, incident, "approve", [undo], kind="undo")
    assert back.proposal is not None


async def test_another_workload_than_the_incidents_own_is_not_touched(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom()])
    bot = await world.replica()
    first, second = await world.sweep(bot)
    other = first.subject if first.subject.name == "indexer" else second.subject
    api = next(one for one in (first, second) if one.subject.name == "api")
    made = await proposing.draft(bot.wired, api, "approve", [diagnoses.Candidate(model.RolloutRestart(other), "x")])
    assert made.proposal is None
    assert made.refused


async def test_what_admission_would_refuse_is_not_offered_and_its_words_are_told(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    world.cluster.deny_admission(
        lambda _operation, resource, _obj: resource.plural == "deployments", "images must be signed"
    )
    incident = await world.diagnosed(bot)
    card = await bot.card(incident.id)
    assert card.remedy is None
    (reason,) = card.refused
    assert reason.startswith("rollout-undo was considered: the API server would refuse it: ")
    assert "images must be signed" in reason


async def test_what_the_writing_identity_may_not_do_is_not_even_tried_and_the_right_is_named(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    world.cluster.forbid("writer", "patch", "deployments")
    incident = await world.diagnosed(bot)
    card = await bot.card(incident.id)
    assert card.remedy is None
    lacking = "The bot's writing identity may not patch deployments.apps in namespace payments."
    assert card.refused == (f"rollout-undo was considered: {lacking}",)
    assert world.cluster.journal.dry_runs == []


async def test_where_its_rights_cannot_be_asked_for_nothing_is_offered(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    world.cluster.faults.add(Fault(path="/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", status=500))
    found = await draft(bot, model.RolloutUndo(incident.subject, 1))
    assert (found.proposal, found.away) == (None, True)
    assert world.cluster.journal.dry_runs == []


async def test_why_an_earlier_candidate_was_turned_down_is_not_kept_beside_a_proposal(begin: worlds.Begin) -> None:
    """It would be shown as the reason why there is none, once that proposal has ended."""
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    found = await draft(bot, model.RolloutUndo(incident.subject, 99), model.RolloutRestart(incident.subject))
    assert found.refused
    diagnosis = diagnoses.Diagnosis("a cause", (), "low", "a reason", "a step")
    await proposing.publish(bot.wired, incident, diagnosis, (), found)
    card = await bot.card(incident.id)
    assert (card.refused, card.remedy is not None) == ((), True)


async def test_a_watch_that_only_observes_diagnoses_and_proposes_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident = await world.diagnosed(bot, mode="observe")
    card = await bot.card(incident.id)
    assert card.diagnosis is not None
    assert (card.mode, card.remedy) == ("observe", None)
    assert card.refused == ("rollout-undo was considered: this watch only observes",)
    assert world.cluster.journal.dry_runs == []


async def test_read_only_proposes_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica(hands=lambda _: None)
    incident = await world.diagnosed(bot)
    card = await bot.card(incident.id)
    assert card.remedy is None
    assert card.refused == ("rollout-undo was considered: read-only: nothing is changed in any cluster from here",)


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (guardrails.Policy(), "Nobody may approve"),
        (guardrails.Policy(approvers=(worlds.ANA,), protected_namespaces=("pay*",)), "payments"),
        (guardrails.Policy(approvers=(worlds.ANA,), read_only=True), "Read-only"),
        (guardrails.Policy(approvers=(worlds.ANA,), rulesets=(DENIED_HERE,)), "deny rule not here"),
    ],
)
async def test_what_the_policy_denies_is_not_offered(begin: worlds.Begin, policy: guardrails.Policy, why: str) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica(rules=replace(worlds.RULES, policy=policy))
    incident = await world.diagnosed(bot)
    card = await bot.card(incident.id)
    assert card.remedy is None
    assert why in " ".join(card.refused)


async def test_what_decided_and_what_raised_the_risk_are_in_the_trail_and_on_the_card(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    production = (rulebook.Places(clusters=(worlds.CLUSTER,)),)
    tiers = rulebook.Tiers(medium=rulebook.Tier(approvers=(rulebook.Approvers(users=(worlds.BEN,), groups=("S1",)),)))
    policy = msgspec.structs.replace(worlds.POLICY, rulesets=(ELSEWHERE,), production=production, tiers=tiers)
    bot = await world.replica(rules=replace(worlds.RULES, policy=policy))
    (incident,) = await world.sweep(bot)
    drafted = await draft(bot, model.RolloutRestart(incident.subject))
    assert drafted.proposal is not None
    assert drafted.proposal.risk == "medium"
    assert drafted.proposal.warnings[0].startswith("Of medium risk: ")
    assert "This is production." in drafted.proposal.warnings[0]
    assert drafted.decided["rule"] == "default ask"
    assert "This is production." in str(drafted.decided["because"])
    await world.diagnosed(bot)
    async with bot.database.begin() as tx:
        page = await tx.trail.page(incident_id=incident.id, limit=100)
    (made,) = [entry.event.data for entry in page.entries if entry.event.tag == "proposal:made"]
    assert made["rule"] == "default ask"
    assert (await bot.card(incident.id)).approvers == (worlds.ANA, worlds.BEN, "S1")


async def test_a_cluster_that_goes_away_meanwhile_is_named(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    world.cluster.faults.unreachable = True
    found = await draft(bot, model.RolloutUndo(incident.subject, 1))
    assert found.proposal is None
    assert found.refused[0].startswith("rollout-undo was considered: the cluster did not answer: ")


async def test_the_same_again_within_the_cooldown_is_not_offered(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.proposed(bot)
    restart = model.RolloutRestart(incident.subject)
    await world.acted(bot, incident, restart)
    await world.cluster.settle()
    found = await draft(bot, restart)
    assert found.proposal is None
    assert "a moment ago: wait" in found.refused[0]
    world.clock.passed += worlds.POLICY.cooldown
    assert (await draft(bot, restart)).proposal is not None


async def rolled_out_again(world: worlds.World, number: int) -> None:
    """Another revision, as broken as the one before: the same remedy rests on something else now."""
    env = [{"name": "LOG_LEVEL", "value": f"debug-{number}"}]
    change = {"spec": {"template": {"spec": {"containers": [{"name": "api", "env": env}]}}}}
    world.cluster.patch("deployments", "api", "payments", change)
    await world.cluster.settle()


async def test_an_open_proposal_that_would_be_made_anew_just_so_stands(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, old = await world.proposed(bot)
    await bot.pipeline.propose_again(incident.id, worlds.ANA)
    assert await bot.pipeline.diagnose_next()
    assert list(await rows(bot, incident.id)) == [old]
    assert (await bot.pipeline.approve(worlds.press(old))).counted


async def test_a_newer_proposal_takes_the_place_of_an_open_one(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, old = await world.proposed(bot)
    await rolled_out_again(world, 1)
    await bot.pipeline.propose_again(incident.id, worlds.ANA)
    assert await bot.pipeline.diagnose_next()
    assert [row.state for row in await rows(bot, incident.id)] == ["superseded", "proposed"]
    answer = await bot.pipeline.approve(worlds.press(old))
    assert answer.ending == "moved-on"
    assert (await bot.told(incident.id, "proposal:superseded")).proposal_id == old.id


async def test_a_proposal_that_would_be_made_just_the_same_stands_and_can_still_be_pressed(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, old = await world.proposed(bot)
    await bot.pipeline.propose_again(incident.id, worlds.ANA)
    assert await bot.pipeline.diagnose_next()
    assert [row.id for row in await rows(bot, incident.id)] == [old.id]
    assert (await bot.pipeline.approve(worlds.press(old))).counted


async def test_nothing_is_proposed_while_an_approved_action_is_under_way(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    async with bot.database.begin() as tx:
        current = await tx.incidents.get(incident.id)
        assert current is not None
        await tx.incidents.save(replace(current, diagnosis_wanted=True))
    assert await bot.pipeline.diagnose_next()
    assert [row.state for row in await rows(bot, incident.id)] == ["approved"]
    assert (await bot.trail(incident.id)).count("diagnosis:made") == 2


async def test_an_approval_and_a_newer_proposal_at_the_same_moment_leave_one_that_counts(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, old = await world.proposed(a)
    for number in range(4):
        await rolled_out_again(world, number)
        await a.pipeline.propose_again(incident.id, worlds.ANA)
        answer, _ = await asyncio.gather(a.pipeline.approve(worlds.press(old)), b.pipeline.diagnose_next())
        states = [row.state for row in await rows(a, incident.id)]
        assert len([state for state in states if state in ("proposed", "approved")]) == 1
        assert answer.counted == (states[-1] == "approved")
        assert answer.ending in ("counted", "moved-on")
        if answer.counted:
            break
        old = (await rows(a, incident.id))[-1]


async def test_what_nobody_answers_expires_once_and_is_shown(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.bad_image()])
    a, b = await world.replica("a"), await world.replica("b")
    await world.diagnosed(a)
    await a.wanted()
    assert await proposing.expire(a.wired) == 0
    world.clock.passed += worlds.RULES.proposal_ttl
    ended = await asyncio.gather(*(proposing.expire(replica.wired) for replica in (a, b, a)))
    assert sum(ended) == 2
    assert await a.wanted() == {"parent": 2, "progress": 2}
    for incident in await world.live(a):
        assert (await a.remedy(incident.id)).state == "expired"
        assert (await a.trail(incident.id))[-1] == "proposal:expired"


# --- the worker before it -------------------------------------------------------------------------------------------


async def test_what_a_sweep_saw_change_while_it_was_diagnosed_is_diagnosed_again(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    async with bot.database.begin() as tx:
        changed = replace(incident, causes=(*incident.causes, "OOMKilled:app"), diagnosis_wanted=True)
        await tx.incidents.save(changed)
    found = diagnoses.Diagnosis("what was so a moment ago", (), "low", "", "")
    await proposing.publish(bot.wired, incident, found, (), proposing.Drafted(None))
    assert (await bot.card(incident.id)).incident.diagnosis_wanted
    await proposing.publish(bot.wired, changed, found, (), proposing.Drafted(None))
    assert not (await bot.card(incident.id)).incident.diagnosis_wanted


async def test_a_diagnosis_of_what_was_resolved_meanwhile_is_dropped(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    async with bot.database.begin() as tx:
        await tx.incidents.save(incidents.resolve(incident, "gone", world.clock()))
    found = diagnoses.Diagnosis("too late", (), "low", "", "")
    await proposing.publish(bot.wired, incident, found, (), proposing.Drafted(None))
    assert (await bot.card(incident.id)).diagnosis is None
    await proposing.publish(bot.wired, replace(incident, id=999), found, (), proposing.Drafted(None))
    assert await bot.trail(incident.id) == ["incident:opened"]


async def test_a_problem_that_is_gone_on_a_fresh_look_is_not_diagnosed(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    world.cluster.delete("deployments", "api", "payments")
    await world.until(lambda: world.cluster.list("pods", "payments") == [])
    assert await bot.pipeline.diagnose_next()
    card = await bot.card(incident.id)
    assert (card.diagnosis, card.remedy, card.incident.state) == (None, None, "open")
    assert not await bot.pipeline.diagnose_next()
    for _ in range(2):
        world.clock.advance(minutes=1)
        await world.sweep(bot)
    assert await world.live(bot) == []


async def test_a_problem_that_was_gone_on_a_fresh_look_is_diagnosed_once_a_sweep_sees_it_again(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    mute = {"metadata": {"annotations": {indexing.IGNORE: "true"}}}
    world.cluster.patch("deployments", "api", "payments", mute)
    assert await bot.pipeline.diagnose_next()
    assert (await bot.card(incident.id)).diagnosis is None
    world.cluster.patch("deployments", "api", "payments", {"metadata": {"annotations": {indexing.IGNORE: None}}})
    assert not await bot.pipeline.diagnose_next()
    await world.sweep(bot)
    assert await bot.pipeline.diagnose_next()
    card = await bot.card(incident.id)
    assert card.diagnosis is not None
    assert card.remedy is not None


async def test_what_a_fresh_look_showed_in_part_is_diagnosed_again_once_a_sweep_sees_all_of_it(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    (first, *others) = incident.kinds
    assert others, "the story needs two kinds"
    world.cluster.patch("deployments", "api", "payments", {"metadata": {"annotations": {indexing.IGNORE: first}}})
    assert await bot.pipeline.diagnose_next()
    before = (await bot.card(incident.id)).diagnosis
    world.cluster.patch("deployments", "api", "payments", {"metadata": {"annotations": {indexing.IGNORE: None}}})
    await world.sweep(bot)
    assert await bot.pipeline.diagnose_next()
    after = (await bot.card(incident.id)).diagnosis
    assert before is not None
    assert after is not None
    assert after.cause != before.cause
    await world.sweep(bot)
    assert not await bot.pipeline.diagnose_next(), "nothing is news any more"


async def test_a_diagnosis_that_met_an_outage_is_tried_again_when_its_lease_has_run_out(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    world.cluster.faults.unreachable = True
    with pytest.raises(errors.ClusterUnavailable):
        await bot.pipeline.diagnose_next()
    world.cluster.faults.clear()
    assert not await bot.pipeline.diagnose_next()
    world.clock.passed += worlds.RULES.lease
    assert await bot.pipeline.diagnose_next()
    assert (await bot.card(incident.id)).diagnosis is not None


async def test_two_replicas_diagnose_an_incident_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    (incident,) = await world.sweep(a)
    done = await asyncio.gather(*(replica.pipeline.diagnose_next() for replica in (a, b, a, b)))
    assert sorted(done) == [False, False, False, True]
    assert (await a.trail(incident.id)).count("diagnosis:made") == 1


async def test_a_cluster_half_away_is_diagnosed_from_what_there_is_and_the_rest_is_named(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    world.cluster.forbid("reader", "get", "pods/log")
    assert await bot.pipeline.diagnose_next()
    card = await bot.card(incident.id)
    assert card.diagnosis is not None
    assert card.diagnosis.confidence != "high"
    assert [missing.partition(":")[0] for missing in card.diagnosis.missing] == ["the current log", "the previous log"]


async def test_the_problem_of_a_node_is_looked_for_in_the_whole_cluster(begin: worlds.Begin) -> None:
    world = await begin([scenarios.node_lost()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    assert incident.subject.kind == "Node"
    problem = await examining.problem_of(bot.wired, incident)
    assert problem is not None
    assert problem.subject.same(incident.subject)


# --- one look, with nothing stored ----------------------------------------------------------------------------------


async def test_one_look_finds_diagnoses_and_works_out_without_writing_or_storing_anything(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.oom(), scenarios.unschedulable()])
    bot = await world.replica(store=None, hands=lambda _: None)
    look = await bot.pipeline.look_once(worlds.CLUSTER, model.Scope(), diagnose=True)
    assert (look.cluster, look.status, look.nodes) == (worlds.CLUSTER, "issues", 3)
    named = {one.problem.subject.short: one for one in look.examined}
    assert set(named) == {"payments/api", "search/indexer", "batch/report-builder"}
    api = named["payments/api"]
    assert api.diagnosis is not None
    assert api.evidence
    (remedy,) = api.remedies
    assert remedy.plan.kubectl.endswith("--to-revision=1")
    (more,) = named["search/indexer"].remedies
    assert more.plan.kubectl.endswith("set resources deployment/indexer --containers=indexer --limits=memory=384Mi")
    assert named["batch/report-builder"].remedies == ()
    assert world.cluster.journal.attempts == []
    assert world.cluster.journal.dry_runs == []


async def test_one_look_without_diagnosis_only_tells_what_is_found(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica(store=None)
    look = await bot.pipeline.look_once(worlds.CLUSTER, model.Scope(("payments",)), diagnose=False)
    assert look.findings
    assert [one.diagnosis for one in look.examined] == [None]
    empty = await bot.pipeline.look_once(worlds.CLUSTER, model.Scope(("web",)), diagnose=False)
    assert (empty.status, empty.findings) == ("ok", ())


async def test_one_look_says_why_a_candidate_is_no_remedy(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica(store=None)

    def eager(problem: model.Problem, _dossier: diagnoses.Dossier, _now: object) -> diagnoses.Diagnosis:
        tried: list[model.Action] = [model.RolloutUndo(problem.subject, 99), model.Scale(problem.subject, 0)]
        candidates = tuple(diagnoses.Candidate(action, "x") for action in tried)
        return diagnoses.Diagnosis("c", (), "low", "r", "n", candidates=candidates)

    look = await examining.look(bot.wired, worlds.CLUSTER, model.Scope(), eager)
    (examined,) = look.examined
    assert examined.remedies == ()
    assert len(examined.refused) >= 2
    world.cluster.faults.add(Fault(path=worlds.API, status=500))
    look = await examining.look(bot.wired, worlds.CLUSTER, model.Scope(), eager)
    assert look.examined[0].refused[0].startswith("rollout-undo: ")


async def test_one_look_offers_nothing_for_what_is_protected(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    protected = {"metadata": {"labels": {}, "annotations": {"watchkeeper.io/protected": "true"}}}
    world.cluster.patch("deployments", "api", "payments", protected)
    look = await bot.pipeline.look_once(worlds.CLUSTER, model.Scope(), diagnose=True)
    assert look.examined[0].remedies == ()
    assert "protected" in " ".join(look.examined[0].refused)
    assert await world.live(bot) == []
    assert world.clock() - look.taken_at < timedelta(minutes=1)


async def test_a_problem_that_could_not_be_looked_for_is_not_taken_to_be_gone(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    (incident,) = await world.sweep(bot)
    world.cluster.delete("deployments", "api", "payments")
    world.cluster.forbid("reader", "list", "pods")
    with pytest.raises(errors.ClusterUnavailable, match=r"demo could not be looked at whole \(pods: "):
        await bot.pipeline.diagnose_next()
    assert (await bot.card(incident.id)).incident.diagnosis_wanted
