"""Verifying: it helped, it did not, or it cannot be said yet; whoever looks; and the way back that is offered."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import errors
from bot.domain import cards, incidents, proposals, watches
from bot.flow import verifying
from demo.cluster import Fault, scenarios
from k8s import detection, model
from tests.bot.flow import worlds


async def verification(replica: worlds.Replica, incident_id: int) -> proposals.Verification:
    card = await replica.card(incident_id)
    assert card.remedy is not None
    assert card.remedy.verification is not None
    return card.remedy.verification


async def restarted(world: worlds.World, bot: worlds.Replica) -> int:
    """A restart, which cannot help, was approved and done in the place of the undo: the incident's id."""
    incident, _ = await world.proposed(bot)
    await world.acted(bot, incident, model.RolloutRestart(incident.subject))
    return incident.id


async def test_it_is_pending_until_it_has_held_and_then_the_incident_is_resolved_and_undo_offered(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, proposal = await world.executed(bot)
    await world.cluster.settle()
    await bot.wanted()
    assert await bot.pipeline.verify_next()
    told = await verification(bot, incident.id)
    assert (told.status, told.finished_at) == ("pending", None)
    assert told.progress.startswith("3 of 3 rolled out, 3 ready")
    assert await bot.wanted() == {"progress": 1}
    assert not await bot.pipeline.verify_next()
    card = await world.verified(bot, incident.id)
    assert card.remedy is not None
    assert card.remedy.proposal.state == "verified"
    assert card.incident.resolution == f"Fixed by {proposal.kubectl}."
    assert card.remedy.verification is not None
    assert card.remedy.verification.reason.startswith("All ready for ")
    assert card.undo is not None
    undo = card.undo.proposal
    assert (undo.kind, undo.undo_of, undo.state) == ("undo", proposal.id, "proposed")
    assert undo.action == proposal.inverse
    assert undo.expires_at - undo.created_at == worlds.RULES.undo_ttl
    assert await bot.wanted() == {"parent": 1, "progress": 1, "recovery": 1}
    assert not await bot.pipeline.verify_next()


async def test_an_undo_that_cannot_be_worked_out_now_is_offered_later_and_not_lost(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    await world.cluster.settle()
    world.cluster.faults.add(Fault(user="writer", status=503))
    with pytest.raises(errors.ClusterUnavailable, match="the way back could not be worked out"):
        await world.verified(bot, incident.id)
    assert (await bot.card(incident.id)).incident.state == "open"
    world.cluster.faults.clear()
    card = await world.verified(bot, incident.id)
    assert card.incident.state == "resolved"
    assert card.undo is not None


async def test_the_wrong_action_is_not_verified_and_says_why(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident_id = await restarted(world, bot)
    card = await world.verified(bot, incident_id)
    assert card.remedy is not None
    assert card.remedy.proposal.state == "not-verified"
    assert card.remedy.verification is not None
    assert "CrashLoopBackOff" in card.remedy.verification.reason
    assert (card.incident.state, card.incident.resolution) == ("open", "")
    assert (await bot.trail(incident_id))[-2:] == ["proposal:not-verified", "undo:refused"]
    assert card.undo is None
    assert card.remedy.verification.no_undo == card.remedy.proposal.irreversible != ""
    assert card.incident.diagnosis_wanted
    assert (await bot.pipeline.propose_again(incident_id, worlds.ANA)).counted


async def test_what_does_not_come_back_in_time_is_not_verified(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    world.cluster.images.publish("payments/api", "v2.3.0", pull_seconds=100_000.0)
    for name in ("worker-1", "worker-2", "worker-3"):
        world.cluster.patch("nodes", name, "", {"spec": {"unschedulable": True}})
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    world.clock.advance(seconds=30)
    await bot.pipeline.verify_next()
    assert (await verification(bot, incident.id)).status == "pending"
    world.clock.passed += worlds.RULES.verify_timeout
    await bot.pipeline.verify_next()
    told = await verification(bot, incident.id)
    assert (told.status, (await bot.remedy(incident.id)).state) == ("not-verified", "not-verified")
    assert told.reason.startswith("After 10 min")
    assert (await bot.card(incident.id)).incident.live


async def test_a_cluster_that_is_away_proves_nothing_until_the_time_is_up(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    await world.cluster.settle()
    world.cluster.faults.unreachable = True
    world.clock.advance(minutes=2)
    await bot.pipeline.verify_next()
    told = await verification(bot, incident.id)
    assert (told.status, told.progress) == ("pending", "the cluster does not answer; still looking")
    world.clock.passed += worlds.RULES.verify_timeout + worlds.RULES.verify_hold_relapsing
    await bot.pipeline.verify_next()
    told = await verification(bot, incident.id)
    assert told.status == "not-verified"
    assert told.reason.startswith("the cluster could not be looked at in time: ")
    assert (await bot.card(incident.id)).incident.live


async def test_a_cluster_that_comes_back_is_verified_after_all(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    await world.cluster.settle()
    world.cluster.faults.unreachable = True
    world.clock.advance(minutes=2)
    await bot.pipeline.verify_next()
    world.cluster.faults.clear()
    card = await world.verified(bot, incident.id)
    assert card.incident.state == "resolved"


async def test_another_replica_goes_on_where_one_died(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, _ = await world.executed(a)
    await world.cluster.settle()
    left = await verifying.take(a.wired)
    assert left is not None
    assert not await b.pipeline.verify_next()
    card = await world.verified(b, incident.id)
    assert card.incident.state == "resolved"
    assert card.remedy is not None
    assert card.remedy.verification is not None
    assert card.remedy.verification.owner == "b"


async def test_a_look_that_was_overtaken_is_dropped(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    a, b = await world.replica("a"), await world.replica("b")
    incident, _ = await world.executed(a)
    await world.cluster.settle()
    slow = await verifying.take(a.wired)
    assert slow is not None
    card = await world.verified(b, incident.id)
    before = await b.trail(incident.id)
    late = verifying._ended(slow, "not-verified", "", "it saw an older state", world.clock())
    await verifying.record(a.wired, slow, late)
    assert await b.trail(incident.id) == before
    assert await verification(b, incident.id) == (card.remedy and card.remedy.verification)


async def test_a_failure_after_the_action_that_the_rollout_does_not_show_speaks_against_it(begin: worlds.Begin) -> None:
    world = await begin([scenarios.oom(ago=45.0)], speed=20.0)
    bot = await world.replica()
    incident = await _killed_again(world, bot)
    await bot.pipeline.verify_next()
    told = await verification(bot, incident.id)
    assert told.status == "pending"
    assert "; but still found: " in told.progress
    world.clock.passed += worlds.RULES.verify_timeout
    await bot.pipeline.verify_next()
    told = await verification(bot, incident.id)
    assert (told.status, (await bot.remedy(incident.id)).state) == ("not-verified", "not-verified")
    assert told.reason.startswith("still found: ")
    assert (await bot.card(incident.id)).incident.live


async def test_a_kind_that_is_turned_off_speaks_against_no_action(begin: worlds.Begin) -> None:
    world = await begin([scenarios.oom(ago=45.0)], speed=20.0)
    bot = await world.replica()
    incident = await _killed_again(world, bot)
    off = replace(worlds.RULES, kinds=detection.Options(disabled=frozenset(detection.KINDS)))
    other = await world.replica("b", rules=off)
    await other.pipeline.verify_next()
    assert (await verification(other, incident.id)).status == "verified"


async def test_a_kind_that_is_turned_off_for_its_watch_speaks_against_no_action(begin: worlds.Begin) -> None:
    world = await begin([scenarios.oom(ago=45.0)], speed=20.0)
    bot = await world.replica()
    incident = await _killed_again(world, bot)
    await bot.pipeline.change_kinds(worlds.CLUSTER, watches.Kinds(off=tuple(detection.KINDS)), (), worlds.ANA)
    await bot.pipeline.verify_next()
    assert (await verification(bot, incident.id)).status == "verified"


async def _killed_again(world: worlds.World, bot: worlds.Replica) -> incidents.Incident:
    """A pod too many was scaled away, which cannot help: the other one was OOM-killed after that, and held since."""
    world.cluster.patch("deployments", "indexer", "search", {"spec": {"replicas": 2}})
    await world.cluster.settle()
    incident = await world.diagnosed(bot)
    world.clock.advance(minutes=1)
    await world.acted(bot, incident, model.Scale(incident.subject, 1))
    await world.until(lambda: len(world.cluster.pods("search", "indexer")) == 1)
    acted = world.clock.advance(seconds=2)
    await world.until(lambda: _killed_since(world, acted))
    world.clock.passed += worlds.RULES.verify_hold_relapsing + timedelta(seconds=10)
    return incident


def _killed_since(world: worlds.World, moment: datetime) -> bool:
    """Whether the one pod was killed after this moment and runs again."""
    (status,) = world.cluster.pods("search", "indexer")[0]["status"]["containerStatuses"]
    ended = (status["lastState"].get("terminated") or {}).get("finishedAt") or ""
    return bool(status["ready"]) and ended > moment.strftime("%Y-%m-%dT%H:%M:%SZ")


# --- undo -----------------------------------------------------------------------------------------------------------


async def undone(world: worlds.World, bot: worlds.Replica) -> tuple[int, cards.ProposalCard]:
    """A verified remedy, and its undo was approved and done: the incident's id, and the undo."""
    incident, _ = await world.executed(bot)
    card = await world.verified(bot, incident.id)
    assert card.undo is not None
    world.clock.advance(minutes=1)
    assert (await bot.pipeline.approve(worlds.press(card.undo.proposal, worlds.BEN))).counted
    assert await bot.pipeline.execute_next()
    card = await bot.card(incident.id)
    assert card.undo is not None
    return incident.id, card.undo


async def test_undo_takes_it_back_and_the_remedy_is_called_undone(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    broken = world.cluster.get("deployments", "api", "payments")["spec"]["template"]
    incident_id, undo = await undone(world, bot)
    assert undo.proposal.state == "succeeded"
    assert (await bot.remedy(incident_id)).state == "undone"
    assert world.cluster.get("deployments", "api", "payments")["spec"]["template"] == broken
    assert len(world.writes) == 2
    told = await bot.told(incident_id, "proposal:undone")
    assert told.data["by"] == undo.proposal.id
    assert told.proposal_id == undo.proposal.undo_of
    for _ in range(6):
        world.clock.advance(seconds=20)
        await world.cluster.settle()
        await bot.pipeline.verify_next()
    card = await bot.card(incident_id)
    assert card.undo is not None
    assert card.undo.proposal.state == "not-verified"
    assert card.incident.state == "resolved"


async def test_what_an_undo_breaks_again_is_a_new_episode(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident_id, _ = await undone(world, bot)
    await world.cluster.settle()
    await world.until(lambda: all(_backing_off(pod) for pod in world.cluster.pods("payments", "api")))
    world.clock.advance(minutes=1)
    (again,) = await world.sweep(bot)
    assert again.id != incident_id
    assert (await bot.card(incident_id)).incident.state == "resolved"


def _backing_off(pod: dict[str, Any]) -> bool:
    (status,) = pod["status"].get("containerStatuses") or [{}]
    return bool(((status.get("state") or {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff")


async def test_an_undo_is_pressed_once_and_expires(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident, _ = await world.executed(bot)
    card = await world.verified(bot, incident.id)
    assert card.undo is not None
    world.clock.passed += worlds.RULES.undo_ttl
    await bot.pipeline.tidy()
    answer = await bot.pipeline.approve(worlds.press(card.undo.proposal))
    assert answer.ending == "expired"
    assert len(world.writes) == 1
    assert (await bot.told(incident.id, "proposal:expired")).data["kind"] == "undo"
    assert (await bot.remedy(incident.id)).state == "verified"
