"""Executing: done once and with its true end, whatever breaks: the object, the policy, the line, the process."""

import asyncio
from dataclasses import replace

import pytest

from bot import errors
from bot.domain import cards, ports, proposals
from bot.flow import examining, executing
from demo.cluster import Fault, scenarios
from k8s import guardrails, model
from tests.bot.flow import worlds


async def ended(replica: worlds.Replica, incident_id: int) -> tuple[proposals.State, model.Outcome]:
    """The state of the remedy and the outcome of its execution."""
    card = await replica.card(incident_id)
    assert card.remedy is not None
    assert card.remedy.execution is not None
    assert card.remedy.execution.outcome is not None
    assert card.remedy.execution.state == "done"
    return card.remedy.proposal.state, card.remedy.execution.outcome


async def verification(replica: worlds.Replica, incident_id: int) -> proposals.Verification | None:
    card = await replica.card(incident_id)
    assert isinstance(card.remedy, cards.ProposalCard)
    return card.remedy.verification


async def job(replica: worlds.Replica) -> executing.Job:
    taken = await executing.take(replica.wired)
    assert taken is not None
    return taken


async def test_what_was_approved_is_done_and_is_to_be_verified(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    await bot.wanted()
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert (state, outcome.status) == ("succeeded", "succeeded")
    assert outcome.pre_image is not None
    (write,) = world.writes
    assert (write.method, write.path, write.user) == ("PATCH", worlds.API, "writer")
    found = await verification(bot, incident.id)
    assert found is not None
    assert found.status == "pending"
    assert await bot.wanted() == {"parent": 1, "progress": 1}
    assert (await bot.trail(incident.id))[-2:] == ["execution:started", "execution:ended"]


async def test_nothing_approved_is_nothing_to_do(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    await world.proposed(bot)
    assert not await bot.pipeline.execute_next()
    assert world.writes == []


async def test_an_object_that_changed_since_is_stale_says_what_moved_and_is_looked_at_again(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    container = {"name": "api", "image": "payments/api:v2.3.2"}
    world.cluster.patch("deployments", "api", "payments", {"spec": {"template": {"spec": {"containers": [container]}}}})
    await world.cluster.settle()
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert (state, outcome.status) == ("stale", "stale")
    assert outcome.moved
    assert world.writes == []
    assert (await bot.told(incident.id, "execution:ended")).data["moved"] == list(outcome.moved)
    assert (await bot.card(incident.id)).incident.diagnosis_wanted
    assert await verification(bot, incident.id) is None


async def test_what_somebody_else_has_done_already_is_not_done_again(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.approved(bot)
    body = proposal.operations[0].body
    world.cluster.patch("deployments", "api", "payments", body, type=proposal.operations[0].patch_type or "")
    assert await bot.pipeline.execute_next()
    state, _ = await ended(bot, incident.id)
    assert state == "already-fixed"
    assert world.writes == []


async def test_a_policy_that_changed_since_the_press_refuses(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    frozen = guardrails.Policy(approvers=worlds.POLICY.approvers, protected_namespaces=("payments",))
    strict = await world.replica("b", rules=replace(worlds.RULES, policy=frozen))
    assert await strict.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert (state, outcome.status) == ("refused", "refused")
    assert "payments" in outcome.detail
    assert world.writes == []


async def test_a_replica_that_is_read_only_refuses(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    reader = await world.replica("b", hands=lambda _: None)
    assert await reader.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert (state, outcome.detail) == ("refused", "Read-only: nothing is changed in any cluster from here.")


async def test_a_permit_that_lay_too_long_permits_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    world.clock.advance(minutes=5, seconds=1)
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert state == "refused"
    assert "expired" in outcome.detail
    assert world.writes == []


async def test_a_cluster_that_forbids_it_has_it_refused_and_the_right_is_named(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    world.cluster.forbid("writer", "patch", "deployments")
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert state == "refused"
    assert outcome.detail == "The bot's writing identity may not patch deployments.apps in namespace payments."
    assert world.writes == []


async def test_a_cluster_that_is_away_fails_it_with_nothing_written(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    world.cluster.faults.unreachable = True
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert state == "failed"
    assert outcome.detail.startswith("The cluster did not answer: ")
    assert world.writes == []
    assert not (await bot.card(incident.id)).incident.diagnosis_wanted


# --- answers that never come ----------------------------------------------------------------------------------------


async def test_a_write_whose_answer_was_lost_is_unknown_is_found_there_and_verified(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    world.drop_the_write("after")
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert state == "unknown"
    assert outcome.detail.endswith("Looked at the cluster: the change is there, and is being verified.")
    card = await world.verified(bot, incident.id)
    assert card.remedy is not None
    assert (card.remedy.proposal.state, card.incident.state) == ("verified", "resolved")
    assert len(world.writes) == 1


async def test_a_write_that_never_arrived_is_unknown_is_not_found_and_not_repeated(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    world.drop_the_write("before")
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert state == "unknown"
    assert outcome.detail.endswith("Looked at the cluster: the change is not there.")
    assert await verification(bot, incident.id) is None
    assert (await bot.card(incident.id)).incident.diagnosis_wanted
    world.clock.advance(minutes=5)
    assert not await bot.pipeline.execute_next()
    assert world.writes == []


class GoesAway:
    """A hand whose cluster goes away with its answer to the write. Behind `ports.Hand`."""

    def __init__(self, hand: ports.Hand | None) -> None:
        assert hand is not None
        self.execute = hand.execute

    async def look(self, *_: object) -> bool | None:
        raise errors.ClusterUnavailable("read Deployment payments/api: could not connect")


async def cut_off(world: worlds.World, when: str) -> tuple[worlds.Replica, worlds.Replica, int]:
    """A replica that is cut off while it writes and cannot look either, another one that can, and the incident."""
    well = await world.replica("well")
    cut = await world.replica("cut", hands=lambda cluster: GoesAway(well.wired.hands(cluster)))
    incident, _ = await world.approved(well)
    world.drop_the_write(when)
    assert await cut.pipeline.execute_next()
    state, outcome = await ended(cut, incident.id)
    assert (state, outcome.written, outcome.unseen) == ("unknown", None, True)
    assert "The cluster could not be looked at" in outcome.detail
    return cut, well, incident.id


@pytest.mark.parametrize(("when", "written"), [("after", True), ("before", False)])
async def test_a_lost_answer_of_a_cluster_that_went_away_is_looked_for_when_it_answers_again(
    begin: worlds.Begin, when: str, written: bool
) -> None:
    world = await begin([scenarios.crash_loop()])
    cut, well, incident = await cut_off(world, when)
    before = (await ended(cut, incident))[1]
    assert await cut.pipeline.execute_next(), "it is asked again at once"
    assert not await well.pipeline.execute_next(), "and then after a lease"
    assert (await ended(cut, incident))[1] == before, "nothing is said where nothing was seen"

    world.clock.passed += worlds.RULES.lease
    assert await well.pipeline.execute_next()
    state, outcome = await ended(well, incident)
    assert (state, outcome.written, outcome.unseen) == ("unknown", written, False)
    there = "there, and is being verified" if written else "not there"
    assert outcome.detail.endswith(f"It answers again. Looked at the cluster: the change is {there}.")
    assert (await well.told(incident, "execution:looked-at")).data["written"] is written
    assert (await well.wanted())["parent"] >= 1
    if written:
        assert (await world.verified(well, incident)).incident.state == "resolved"
    else:
        assert await verification(well, incident) is None
        assert (await well.card(incident)).incident.diagnosis_wanted
    world.clock.advance(minutes=5)
    assert not await well.pipeline.execute_next()
    assert len(world.writes) == written


async def test_a_dead_replicas_write_is_looked_for_too_when_the_cluster_answers_again(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    well = await world.replica("well")
    cut = await world.replica("cut", hands=lambda cluster: GoesAway(well.wired.hands(cluster)))
    incident, _ = await world.approved(well)
    await executing.do(well.wired, await job(well), examining.gone)
    world.clock.passed += worlds.RULES.lease
    assert await cut.pipeline.execute_next()
    assert (await ended(cut, incident.id))[1].unseen
    assert await well.pipeline.execute_next()
    assert (await ended(well, incident.id))[1].written
    assert (await world.verified(well, incident.id)).incident.state == "resolved"
    assert len(world.writes) == 1


async def test_two_replicas_settle_it_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    _, well, incident = await cut_off(world, "after")
    other = await world.replica("other")
    assert sorted(await asyncio.gather(executing.settle(well.wired), executing.settle(other.wired))) == [False, True]
    assert (await well.trail(incident)).count("execution:looked-at") == 1


async def test_a_cluster_that_stays_away_is_not_looked_at_for_ever(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    _, well, _ = await cut_off(world, "after")
    world.clock.passed += executing.LOOKED_FOR
    assert not await well.pipeline.execute_next()


async def test_a_fresh_proposal_after_an_unknown_end_ends_when_the_first_turns_out_to_have_helped(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, first = await world.approved(bot)
    world.drop_the_write("after")
    assert await bot.pipeline.execute_next()
    async with bot.database.begin() as tx:
        second = await tx.proposals.add(replace(first, state="proposed", expires_at=world.clock.advance(minutes=1)))
    for _ in range(20):
        world.clock.advance(seconds=20)
        await world.cluster.settle()
        await bot.pipeline.verify_next()
    assert not (await bot.card(incident.id)).incident.live
    assert [row.state for row in await rows(bot, incident.id) if row.kind == "remedy"] == ["verified", "superseded"]
    assert (await bot.told(incident.id, "proposal:superseded")).proposal_id == second.id


async def rows(replica: worlds.Replica, incident_id: int) -> list[proposals.Proposal]:
    async with replica.database.begin() as tx:
        return list(await tx.proposals.of_incident(incident_id))


# --- replicas that die, freeze and wake -----------------------------------------------------------------------------


async def test_two_replicas_take_an_execution_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    await world.approved(a)
    taken = await asyncio.gather(*(executing.take(replica.wired) for replica in (a, b, a, b)))
    assert len([one for one in taken if one is not None]) == 1


async def test_what_a_dead_replica_left_before_writing_is_never_executed_again(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, _ = await world.approved(a)
    await job(a)
    assert not await b.pipeline.execute_next()
    world.clock.passed += worlds.RULES.lease
    assert await b.pipeline.execute_next()
    state, outcome = await ended(b, incident.id)
    assert state == "unknown"
    assert outcome.detail == (
        "The process that executed this died before it could say how it ended. "
        "Looked at the cluster: the change is not there. It is not tried again."
    )
    for _ in range(3):
        world.clock.advance(minutes=5)
        assert not await b.pipeline.execute_next()
        assert not await a.pipeline.execute_next()
    assert world.writes == []
    assert (await b.card(incident.id)).incident.diagnosis_wanted


async def test_what_a_dead_replica_had_written_is_found_and_verified_and_written_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, _ = await world.approved(a)
    done = await executing.do(a.wired, await job(a), examining.gone)
    assert done.status == "succeeded"
    world.clock.passed += worlds.RULES.lease
    assert await b.pipeline.execute_next()
    state, outcome = await ended(b, incident.id)
    assert state == "unknown"
    assert "the change is there, and is being verified" in outcome.detail
    card = await world.verified(b, incident.id)
    assert card.incident.state == "resolved"
    assert len(world.writes) == 1
    assert (await b.trail(incident.id)).count("execution:ended") == 1


async def test_two_replicas_take_over_an_orphan_once(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b, c = await world.replica("a"), await world.replica("b"), await world.replica("c")
    incident, _ = await world.approved(a)
    await job(a)
    world.clock.passed += worlds.RULES.lease
    done = await asyncio.gather(*(executing.orphans(replica.wired) for replica in (b, c)))
    assert sum(done) == 1
    assert (await b.trail(incident.id)).count("execution:ended") == 1


async def test_an_owner_that_froze_and_wakes_after_it_was_taken_over_writes_nothing(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, _ = await world.approved(a)
    taken = await job(a)
    world.slow_dry_run(0.6)
    frozen = asyncio.create_task(executing.do(a.wired, taken, examining.gone))
    await world.until(lambda: any(entry.dry_run for entry in list(world.cluster.journal)[-1:]))
    world.clock.passed += worlds.RULES.lease
    assert await b.pipeline.execute_next()
    woken = await frozen
    assert woken.status == "refused"
    assert not await executing.finish(a.wired, taken, woken)
    state, outcome = await ended(b, incident.id)
    assert (state, outcome.status) == ("unknown", "unknown")
    assert world.writes == []


async def test_an_owner_whose_lease_ran_out_unnoticed_writes_nothing_either(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    taken = await job(bot)
    world.clock.passed += worlds.RULES.lease
    done = await executing.do(bot.wired, taken, examining.gone)
    assert done.status == "refused"
    assert await executing.finish(bot.wired, taken, done)
    assert (await ended(bot, incident.id))[0] == "refused"
    assert world.writes == []


async def test_the_lease_is_renewed_as_long_as_it_takes(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    brisk = replace(worlds.RULES, lease=worlds.RULES.lease / 20)  # a busy machine renews late: not by a second
    a, b = await world.replica("a", rules=brisk), await world.replica("b", rules=brisk)
    incident, _ = await world.approved(a)
    world.slow_dry_run(4)
    working = asyncio.create_task(a.pipeline.execute_next())
    while not working.done():
        assert await executing.orphans(b.wired) == 0
        await asyncio.sleep(0.1)
    assert (await ended(a, incident.id))[0] == "succeeded"
    assert len(world.writes) == 1


class Unanswered:
    """A hand whose cluster does not answer, told as `bot.clusters` tells it. Behind `ports.Hand`."""

    async def execute(self, *_: object, **__: object) -> model.Outcome:
        raise errors.ClusterUnavailable("get Deployment payments/api: timed out")


async def test_a_hand_that_gets_no_answer_has_written_nothing_and_it_is_said(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    cut_off = await world.replica("b", hands=lambda _: Unanswered())
    assert await cut_off.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert state == "failed"
    assert outcome.detail == "The cluster did not answer: get Deployment payments/api: timed out"
    assert world.writes == []


class Broken:
    """A store that is away for one owner's lease, as after a network split: behind `ports.Store`."""

    def begin(self) -> "Broken":
        return self

    async def __aenter__(self) -> ports.Tx:
        raise errors.StoreUnavailable("The database does not answer: connection refused")

    async def __aexit__(self, *_: object) -> None: ...


async def test_with_the_record_away_nothing_is_written(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    await world.approved(bot)
    taken = await job(bot)
    cut_off = await world.replica("a", store=Broken())
    assert (await executing.do(cut_off.wired, taken, examining.gone)).status == "refused"
    assert world.writes == []


async def test_an_orphan_is_told_as_it_is_where_the_cluster_cannot_be_looked_at(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    await job(bot)
    world.clock.passed += worlds.RULES.lease
    world.cluster.faults.unreachable = True
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert state == "unknown"
    assert "The cluster could not be looked at: " in outcome.detail


async def test_an_orphan_whose_target_is_gone_says_so(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    await job(bot)
    world.clock.passed += worlds.RULES.lease
    world.cluster.delete("deployments", "api", "payments")
    assert await bot.pipeline.execute_next()
    assert "the target is gone" in (await ended(bot, incident.id))[1].detail


async def test_an_orphan_in_read_only_mode_is_not_looked_at_and_it_is_said(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    await job(bot)
    world.clock.passed += worlds.RULES.lease
    reader = await world.replica("b", hands=lambda _: None)
    assert await reader.pipeline.execute_next()
    assert "Read-only now, so the cluster was not looked at." in (await ended(bot, incident.id))[1].detail


@pytest.mark.parametrize("delay", [0.0, 0.05])
async def test_a_workload_that_keeps_changing_its_status_is_written_once(begin: worlds.Begin, delay: float) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    if delay:
        world.cluster.faults.add(Fault(path=worlds.API, method="GET", delay=delay))
    world.cluster.patch_status("deployments", "api", "payments", {"collisionCount": 1})
    assert await bot.pipeline.execute_next()
    assert (await ended(bot, incident.id))[0] == "succeeded"
    assert len(world.writes) == 1


# --- the problem is gone by then --------------------------------------------------------------------------------------


async def recovers(world: worlds.World) -> None:
    """Somebody scales it to nothing: nothing is broken, and the template that the proposal pins is as it was."""
    world.cluster.patch("deployments", "api", "payments", {"spec": {"replicas": 0}})
    await world.cluster.settle()


async def test_what_is_gone_by_the_time_of_the_press_is_left_alone(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.approved(bot)
    await recovers(world)
    assert await bot.pipeline.execute_next()
    state, outcome = await ended(bot, incident.id)
    assert (state, outcome.detail) == ("already-fixed", "The problem is gone: nothing was done.")
    assert world.writes == []
    assert await verification(bot, incident.id) is None
    assert (await bot.told(incident.id, "execution:ended")).data["status"] == "already-fixed"


async def test_what_is_hidden_for_a_moment_is_not_gone(begin: worlds.Begin) -> None:
    """Pods that were just started show no failure yet: the same measure by which sweeps end an incident."""
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.approved(bot)
    seen = await examining.seen(bot.wired, incident)
    assert (seen.problem is not None, seen.lacking) == (True, "")
    moving = await examining.seen(bot.wired, replace(incident, subject=proposal.action.workload))
    assert moving.moving
    assert not await examining.gone(bot.wired, incident, None)


async def test_an_undo_is_done_also_where_nothing_is_wrong(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    card = await world.verified(bot, incident.id)
    assert card.undo is not None
    world.clock.advance(minutes=1)
    assert (await bot.pipeline.approve(worlds.press(card.undo.proposal, worlds.BEN))).counted
    assert await bot.pipeline.execute_next()
    assert len(world.writes) == 2


async def test_what_was_there_before_the_write_is_kept_with_the_verification(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    found = await verification(bot, incident.id)
    assert found is not None
    assert found.before == proposals.Before(ready=0, severity="P1")
