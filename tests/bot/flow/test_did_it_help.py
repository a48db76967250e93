"""Did it help: worse has its own name, what came back goes on in its thread, what did not help is remembered."""

import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain import diagnoses, incidents, memory, proposals
from bot.flow import examining, verifying
from demo.cluster import programs, scenarios
from k8s import guardrails, model
from tests.bot.flow import worlds

NODES = ("worker-1", "worker-2", "worker-3")


def cordon(world: worlds.World) -> None:
    for name in NODES:
        world.cluster.patch("nodes", name, "", {"spec": {"unschedulable": True}})


def ready(world: worlds.World) -> bool:
    """Whether its one pod is, by the status of the Deployment."""
    return bool(world.cluster.get("deployments", "indexer", "search")["status"].get("readyReplicas"))


async def serving(world: worlds.World) -> None:
    """Until the pod runs again, through as many back-offs as that takes."""
    for _ in range(60):
        with contextlib.suppress(TimeoutError):
            await world.cluster.wait_for(lambda: ready(world), timeout=0.5)
            return
        world.clock.advance(seconds=10)
    raise AssertionError(str(world.cluster.pods("search", "indexer")))


def restarts(world: worlds.World) -> int:
    """How often the kubelet has started its one pod's container again."""
    statuses = world.cluster.pods("search", "indexer")[0]["status"].get("containerStatuses") or [{}]
    return int(statuses[0].get("restartCount", 0))


async def harmed(world: worlds.World, bot: worlds.Replica) -> incidents.Incident:
    """The one pod runs again after an OOM kill; it is restarted, and no node takes the new one."""
    await serving(world)
    incident = await world.diagnosed(bot)
    world.cluster.images.publish("search/indexer", "v1.9.2", program=programs.HEALTHY)
    strategy = {"type": "Recreate", "rollingUpdate": None}
    world.cluster.patch("deployments", "indexer", "search", {"spec": {"strategy": strategy}})
    before = restarts(world)
    for _ in range(60):  # the run that grows is killed once more, however slow this machine is
        if restarts(world) > before:
            break
        world.clock.advance(seconds=10)
        with contextlib.suppress(TimeoutError):
            await world.cluster.wait_for(lambda: restarts(world) > before, timeout=0.5)
    assert restarts(world) > before
    await serving(world)
    cordon(world)
    await world.acted(bot, incident, model.RolloutRestart(incident.subject))
    await world.until(lambda: not ready(world))
    world.clock.passed += worlds.RULES.verify_timeout
    return incident


async def test_fewer_ready_than_before_is_worse_and_calls_the_approver(begin: worlds.Begin) -> None:
    world = await begin([scenarios.oom(ago=45.0)], speed=20.0)
    bot = await world.replica()
    incident = await harmed(world, bot)
    await bot.wanted()
    assert await bot.pipeline.verify_next()
    card = await bot.card(incident.id)
    assert card.remedy is not None
    assert card.remedy.verification is not None
    assert (card.remedy.proposal.state, card.remedy.verification.status) == ("worse", "worse"), (
        card.remedy.verification.before,
        card.remedy.verification.reason,
    )
    assert card.remedy.verification.reason.startswith("0 of 1 pod are ready now, 1 was before. After 10 min ")
    assert card.incident.live
    tags = await bot.trail(incident.id)
    assert tags[-2:] == ["proposal:worse", "undo:refused"]
    assert (await bot.wanted()) == {"parent": 1, "progress": 1, "worse": 1}
    assert card.incident.diagnosis_wanted, "nothing can be taken back, so another remedy is looked for"


def verification(card: Any) -> proposals.Verification:
    assert card.remedy is not None
    assert card.remedy.verification is not None
    found: proposals.Verification = card.remedy.verification
    return found


async def test_a_graver_finding_after_the_action_is_worse_although_the_rollout_is_well(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    await world.cluster.settle()
    world.clock.advance(minutes=6)
    turn = await verifying.take(bot.wired)
    assert turn is not None
    mild = replace(turn, verification=replace(turn.verification, before=proposals.Before(0, "P2")))
    grave = model.Finding(
        "NotReady", "P1", incident.subject, incident.subject, "No pod serves.", world.clock(), "probe"
    )

    async def seen(*_: Any) -> Any:
        looked = await examining.seen(bot.wired, incident)
        return replace(looked, problem=model.Problem(incident.subject, (grave,), "P1"))

    after = await verifying.look(bot.wired, mild, seen)
    assert (after.status, after.reason) == ("worse", "It is graver than before (P1, it was P2): No pod serves.")
    same = await verifying.look(bot.wired, turn, seen)
    assert same.status == "pending"
    assert same.progress.endswith("; but still found: No pod serves.")


async def test_what_is_not_shown_yet_keeps_it_from_being_verified(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    await world.cluster.settle()
    world.clock.advance(minutes=6)
    turn = await verifying.take(bot.wired)
    assert turn is not None

    async def seen(*_: Any) -> Any:
        return replace(await examining.seen(bot.wired, incident), lacking="the log of container app was not read since")

    after = await verifying.look(bot.wired, turn, seen)
    assert after.status == "pending"
    assert after.progress.endswith("; but the log of container app was not read since")
    world.clock.passed += worlds.RULES.verify_timeout
    after = await verifying.look(bot.wired, turn, seen)
    assert (after.status, after.reason) == ("not-verified", "the log of container app was not read since")


# --- the way back -----------------------------------------------------------------------------------------------------


async def test_why_there_is_no_undo_is_said_also_where_the_policy_refuses_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    policy = guardrails.Policy(approvers=worlds.POLICY.approvers, protected_namespaces=("payments",))
    strict = await world.replica("a", rules=replace(worlds.RULES, policy=policy))
    card = await world.verified(strict, incident.id)
    assert card.undo is None
    assert verification(card).status == "verified"
    assert "payments" in verification(card).no_undo
    assert "was considered" not in verification(card).no_undo
    assert (await bot.told(incident.id, "undo:refused")).data["why"] == verification(card).no_undo


async def test_nothing_is_said_of_an_undo_that_nobody_needs(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    card = await world.verified(bot, incident.id)
    assert (card.undo is not None, verification(card).no_undo) == (True, "")


# --- quiet, and what comes back ---------------------------------------------------------------------------------------


async def broken_again(world: worlds.World) -> None:
    """A rollout by hand takes the variable away once more."""
    gone = {"containers": [{"name": "api", "env": [{"$patch": "delete", "name": "DB_URL"}]}]}
    world.cluster.patch("deployments", "api", "payments", {"spec": {"template": {"spec": gone}}})
    await world.cluster.settle()
    await world.until(lambda: all(_backing_off(pod) for pod in world.cluster.pods("payments", "api")))


def _backing_off(pod: dict[str, Any]) -> bool:
    (status,) = pod["status"].get("containerStatuses") or [{}]
    return bool(((status.get("state") or {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff")


async def fixed(world: worlds.World, bot: worlds.Replica) -> int:
    incident, _ = await world.executed(bot)
    card = await world.verified(bot, incident.id)
    assert card.incident.state == "resolved"
    return incident.id


async def test_a_new_failure_short_after_a_verified_action_goes_on_in_the_same_thread(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident_id = await fixed(world, bot)
    await bot.wanted()
    world.clock.advance(minutes=4)
    await broken_again(world)
    (again,) = await world.sweep(bot)
    assert (again.id, again.state, again.diagnosis_wanted) == (incident_id, "open", True)
    assert (again.resolution, again.resolved_at) == ("", None)
    assert "incident:reopened" in await bot.trail(incident_id)
    told = await bot.told(incident_id, "incident:reopened")
    assert told.data["after"] == (await bot.remedy(incident_id)).kubectl
    assert told.data["minutes"] in (4, 5)
    back = verification(await bot.card(incident_id)).came_back_at
    assert back is not None
    assert (await bot.wanted()) == {"parent": 1, "progress": 1, "recovery": 1}
    await world.sweep(bot)
    assert verification(await bot.card(incident_id)).came_back_at == back
    while await bot.pipeline.diagnose_next():
        pass
    card = await bot.card(incident_id)
    assert card.remedy is not None
    assert card.remedy.proposal.state == "proposed"
    (tried,) = card.tries
    assert (tried.action, tried.state) == ("rollout-undo", "verified")
    assert timedelta(minutes=4) <= (tried.held or timedelta()) < timedelta(minutes=6)


async def test_what_comes_back_after_the_quiet_phase_is_a_new_episode(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident_id = await fixed(world, bot)
    world.clock.passed += worlds.RULES.quiet_after_fix
    await broken_again(world)
    (again,) = await world.sweep(bot)
    assert again.id != incident_id
    assert again.previous_id == incident_id
    (tried,) = (await bot.card(again.id)).tries
    assert tried.held is not None
    assert tried.held >= worlds.RULES.quiet_after_fix


async def test_the_length_of_the_quiet_phase_is_set_by_people(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica("a", rules=replace(worlds.RULES, quiet_after_fix=timedelta(minutes=1)))
    incident_id = await fixed(world, bot)
    world.clock.advance(minutes=2)
    await broken_again(world)
    (again,) = await world.sweep(bot)
    assert again.id != incident_id


async def test_an_old_kill_opens_nothing_and_a_new_one_goes_on(begin: worlds.Begin) -> None:
    """The same pod, whose last end is all that tells: before the fix it is old, after it news."""
    world = await begin([scenarios.oom(ago=45.0)], speed=20.0)
    bot = await world.replica()
    incident = await world.diagnosed(bot)
    world.cluster.images.publish("search/indexer", "v1.9.2", program=programs.HEALTHY)
    await world.until(lambda: ready(world))
    async with bot.database.begin() as tx:
        await tx.incidents.lock(worlds.CLUSTER)
        ended = incidents.resolve(incident, f"{incidents.FIXED} kubectl scale.", world.clock.advance(seconds=2))
        await tx.incidents.save(ended)
    assert await world.sweep(bot) == []


# --- memory -----------------------------------------------------------------------------------------------------------


async def failed_restarts(world: worlds.World, bot: worlds.Replica, times: int) -> int:
    """So many restarts of a crash loop, which cannot help: the incident's id."""
    incident, _ = await world.proposed(bot)
    for _ in range(times):
        await world.acted(bot, incident, model.RolloutRestart(incident.subject))
        card = await world.verified(bot, incident.id)
        assert verification(card).status == "not-verified"
        world.clock.advance(hours=1)
        while await bot.pipeline.diagnose_next():
            pass
    return incident.id


async def test_two_restarts_that_did_not_help_are_remembered_for_this_workload_and_kind(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident_id = await failed_restarts(world, bot, 2)
    card = await bot.card(incident_id)
    assert [(one.action, one.state, one.held) for one in card.tries] == [("rollout-restart", "not-verified", None)] * 2
    undo = diagnoses.Candidate(model.RolloutUndo(card.incident.subject, 1), "it worked")
    restart = diagnoses.Candidate(model.RolloutRestart(card.incident.subject), "a new process")
    found = (restart, undo)
    assert (await bot.pipeline._remembered(card.incident, found)).candidates == (undo, restart)
    alone = await bot.pipeline._remembered(card.incident, (restart,))
    assert alone.candidates == ()
    assert "any of 2 times" in alone.dropped[0]
    other = replace(card.incident, kinds=("ImagePull",))
    assert (await bot.pipeline._remembered(other, found)).candidates == (restart, undo)


async def test_what_lies_further_back_than_a_month_is_forgotten(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident_id = await failed_restarts(world, bot, 2)
    card = await bot.card(incident_id)
    world.clock.passed += memory.SPAN
    restart = diagnoses.Candidate(model.RolloutRestart(card.incident.subject), "a new process")
    found = (restart,)
    assert (await bot.pipeline._remembered(card.incident, found)).candidates == (restart,)
