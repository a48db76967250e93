"""A person picks an action for an incident: what may be asked for, what takes whose place, and what is refused."""

from typing import Any

import pytest

from bot import errors
from bot.domain import choices, forms, incidents, proposals, rules
from bot.flow import asking
from demo.cluster import scenarios
from k8s import guardrails, model
from k8s import policy as rulebook
from tests.bot.flow import worlds

ANA, BEN, CHLOE = worlds.ANA, worlds.BEN, worlds.CHLOE
TWO = rulebook.Tier(approvals=2, self_approval=False)
STRICT = guardrails.Policy(approvers=(ANA, BEN), tiers=rulebook.Tiers(low=TWO, medium=TWO, high=TWO))


async def _begun(
    world: worlds.World, policy: guardrails.Policy = worlds.POLICY, **changes: Any
) -> tuple[worlds.Replica, incidents.Incident, proposals.Proposal]:
    bot = await world.replica(rules=rules.Rules(policy=policy), **changes)
    incident, proposal = await world.proposed(bot)
    return bot, incident, proposal


async def _why(bot: worlds.Replica, incident: incidents.Incident) -> tuple[str, str, str]:
    told = await bot.told(incident.id, "press:refused")
    return told.actor, str(told.data["button"]), str(told.data["why"])


async def test_what_is_asked_for_takes_the_place_of_what_the_rules_propose(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, old = await _begun(world)
    assert (await bot.pipeline.approve(worlds.press(old, CHLOE))).ending == "not-allowed"
    made = await bot.pipeline.ask_for(incident.id, model.Scale(incident.subject, 4), CHLOE)
    assert (made.answer.counted, made.faults) == (True, {})
    new = await bot.remedy(incident.id)
    assert (new.action, new.proposer, new.state) == (model.Scale(incident.subject, 4), CHLOE, "proposed")
    assert "--replicas=4" in new.kubectl
    told = await bot.told(incident.id, "proposal:asked")
    assert (told.actor, told.data["by"], told.data["digest"]) == (CHLOE, new.id, old.digest)
    assert (await bot.pipeline.approve(worlds.press(old))).ending == "moved-on"
    assert world.writes == []
    assert (await bot.pipeline.approve(worlds.press(new))).counted
    assert await bot.pipeline.execute_next()
    assert world.cluster.get("deployments", "api", "payments")["spec"]["replicas"] == 4
    assert len(world.writes) == 1


async def test_who_asked_does_not_approve_it_where_the_policy_says_so_and_approvals_of_the_old_one_lapse(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, old = await _begun(world, guardrails.Policy(approvers=(ANA, BEN, CHLOE), tiers=STRICT.tiers))
    assert (await bot.pipeline.approve(worlds.press(old, ANA))).counted
    assert (await bot.pipeline.ask_for(incident.id, model.Scale(incident.subject, 4), BEN)).answer.counted
    new = await bot.remedy(incident.id)
    assert (await bot.told(incident.id, "proposal:asked")).data["lapsed"] == [ANA]
    assert (await bot.pipeline.approve(worlds.press(new, BEN))).ending == "own"
    assert (await bot.pipeline.approve(worlds.press(new, ANA))).counted
    assert not await bot.pipeline.execute_next()
    assert (await bot.pipeline.approve(worlds.press(new, CHLOE))).counted
    assert await bot.pipeline.execute_next()
    assert world.cluster.get("deployments", "api", "payments")["spec"]["replicas"] == 4


async def test_what_others_approved_already_is_not_put_aside_by_somebody_who_may_not_approve_it(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, old = await _begun(world, STRICT)
    assert (await bot.pipeline.approve(worlds.press(old, ANA))).counted
    made = await bot.pipeline.ask_for(incident.id, model.RolloutRestart(incident.subject), CHLOE)
    assert made.answer.ending == "not-allowed"
    assert f"<@{ANA}> approved what is proposed now" in made.answer.text
    with pytest.raises(errors.NotPossible, match="approved what is proposed now"):
        await bot.pipeline.options(incident.id, CHLOE)
    assert (await bot.remedy(incident.id)).id == old.id
    assert (await _why(bot, incident))[:2] == (CHLOE, "other")


async def test_what_the_policy_or_the_catalogue_forbids_is_said_and_nothing_is_proposed(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    rule = rulebook.Rule(effect="deny", name="no scaling", actions=("scale",), source="policy.yaml:3")
    denying = guardrails.Policy(approvers=(ANA,), rulesets=(rulebook.Ruleset(rules=(rule,)),))
    bot, incident, old = await _begun(world, denying)
    other = model.ResourceRef("Deployment", "payments", "nowhere", "uid-of-another")
    for action, told in (
        (model.Scale(incident.subject, 4), "no scaling"),
        (model.RolloutResume(incident.subject), "is not paused"),
        (model.Scale(incident.subject, 0), "would stop the service"),
        (model.Scale(other, 3), "is gone"),
        (old.action, asking.SAME),
    ):
        made = await bot.pipeline.ask_for(incident.id, action, ANA)
        assert told in made.faults[""], action
        assert not made.answer.counted
        assert told in (await _why(bot, incident))[2]
    assert (await bot.remedy(incident.id)).id == old.id


@pytest.mark.parametrize("subject", ["workload", "node"])
async def test_another_workload_or_a_node_is_out_of_reach(begin: worlds.Begin, subject: str) -> None:
    world = await begin([scenarios.crash_loop(), scenarios.crash_loop("ledger", "payments")])
    bot, incident, old = await _begun(world)
    if subject == "workload":
        other = "ledger" if incident.subject.name == "api" else "api"
        uid = world.cluster.get("deployments", other, "payments")["metadata"]["uid"]
        action: model.Action = model.RolloutRestart(model.ResourceRef("Deployment", "payments", other, uid))
    else:
        node = world.cluster.list("nodes")[0]["metadata"]
        action = model.Cordon(model.ResourceRef("Node", "", node["name"], node["uid"]))
    made = await bot.pipeline.ask_for(incident.id, action, ANA)
    assert "outside of this incident" in made.faults[""]
    assert (await bot.remedy(incident.id)).id == old.id


async def test_nothing_is_asked_for_while_something_is_done_or_after_it_is_over(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, old = await _begun(world)
    assert (
        await bot.pipeline.ask_for(999, model.RolloutRestart(incident.subject), ANA)
    ).answer.ending == "unknown-button"
    assert (await bot.pipeline.approve(worlds.press(old))).counted
    made = await bot.pipeline.ask_for(incident.id, model.RolloutRestart(incident.subject), ANA)
    assert (made.answer.ending, "under way" in made.answer.text) == ("late", True)
    assert await bot.pipeline.execute_next()
    await world.verified(bot, incident.id)
    made = await bot.pipeline.ask_for(incident.id, model.RolloutRestart(incident.subject), ANA)
    assert (made.answer.ending, "is resolved" in made.answer.text) == ("late", True)
    assert len(world.writes) == 1


async def test_a_press_that_comes_while_it_is_worked_out_wins(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, old = await _begun(world)

    class Pressed:
        """Eyes during whose look somebody approves what is open."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.eyes, name)

        async def target(self, cluster: str, action: model.Action) -> model.Target:
            assert (await bot.pipeline.approve(worlds.press(old))).counted
            return await world.eyes.target(cluster, action)

    slow = await world.replica("b", eyes=Pressed())
    made = await slow.pipeline.ask_for(incident.id, model.Scale(incident.subject, 4), BEN)
    assert (made.answer.ending, made.answer.text) == ("late", asking.LATE)
    rows = [one.state async for one in _rows(bot, incident.id)]
    assert rows == ["approved"]


async def test_an_approval_that_comes_while_it_is_worked_out_is_not_lost(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, old = await _begun(world, STRICT)

    class Pressed:
        """Eyes during whose look somebody is the first of two to approve what is open."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.eyes, name)

        async def target(self, cluster: str, action: model.Action) -> model.Target:
            assert (await bot.pipeline.approve(worlds.press(old, ANA))).counted
            return await world.eyes.target(cluster, action)

    slow = await world.replica("b", eyes=Pressed(), rules=rules.Rules(policy=STRICT))
    made = await slow.pipeline.ask_for(incident.id, model.RolloutRestart(incident.subject), CHLOE)
    assert (made.answer.ending, made.answer.text) == ("late", asking.LATE)
    assert (await bot.remedy(incident.id)).id == old.id
    assert (await bot.pipeline.propose_again(incident.id, CHLOE)).ending == "not-allowed"
    assert (await bot.pipeline.approve(worlds.press(old, BEN))).counted


async def _rows(bot: worlds.Replica, incident_id: int) -> Any:
    async with bot.database.begin() as tx:
        for row in await tx.proposals.of_incident(incident_id):
            yield row


@pytest.mark.parametrize("mode", ["observe", "read-only"])
async def test_who_only_looks_asks_for_nothing(begin: worlds.Begin, mode: str) -> None:
    world = await begin([scenarios.crash_loop()])
    without: dict[str, Any] = {"hands": lambda _: None} if mode == "read-only" else {}
    bot = await world.replica(**without)
    incident = await world.diagnosed(bot, mode="observe" if mode == "observe" else "approve")
    made = await bot.pipeline.ask_for(incident.id, model.RolloutRestart(incident.subject), ANA)
    assert made.answer.ending == "not-allowed"
    with pytest.raises(errors.NotPossible):
        await bot.pipeline.options(incident.id, ANA)
    assert (await bot.card(incident.id)).remedy is None


async def test_what_a_watch_may_do_by_itself_is_not_done_by_itself_because_a_person_asks(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.replica()
    incident = await world.diagnosed(bot, mode="autonomous")
    made = await bot.pipeline.ask_for(incident.id, model.Scale(incident.subject, 4), ANA)
    assert made.answer.counted, made
    new = await bot.remedy(incident.id)
    assert (new.action, new.state, new.approvals) == (model.Scale(incident.subject, 4), "proposed", 1)
    assert not await bot.pipeline.execute_next()


async def test_the_menu_is_what_the_cluster_shows_now_and_what_is_entered_becomes_the_action(
    begin: worlds.Begin,
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, _ = await _begun(world)
    menu = await bot.pipeline.options(incident.id, CHLOE)
    offered = [one.name for one in menu.options]
    assert {"rollout-restart", "rollout-undo", "scale", "delete-pod", "annotate-mute"} <= set(offered)
    assert not {"rollout-pause", "rollout-resume", "cordon", "run-cronjob", "exec-command", "force-delete-pod"} & set(
        offered
    )
    filled = await bot.pipeline.fields_of(incident.id, "delete-pod", CHLOE)
    (field,) = filled.fields
    assert len(field.choices) == 3
    made = await bot.pipeline.ask_with(incident.id, "delete-pod", {choices.CHOICE: field.choices[0].value}, CHLOE)
    assert made.answer.counted, made
    assert (await bot.remedy(incident.id)).action.pod.name in field.choices[0].label  # type: ignore[union-attr]
    wrong = await bot.pipeline.ask_with(incident.id, "scale", {"replicas": "many"}, CHLOE)
    assert wrong.faults == {"replicas": "Give a whole number."}
    assert (await _why(bot, incident))[2] == "Give a whole number."
    denied = await bot.pipeline.ask_with(incident.id, "scale", {"replicas": "51"}, CHLOE)
    assert "more than the 50 that the policy allows" in denied.faults[""]


async def test_what_is_gone_by_now_is_said(begin: worlds.Begin) -> None:
    world = await begin([scenarios.crash_loop()])
    bot, incident, _ = await _begun(world)
    (field,) = (await bot.pipeline.fields_of(incident.id, "delete-pod", ANA)).fields
    pod = field.choices[0].label.partition(" ")[0]
    world.cluster.delete("pods", pod, "payments")
    await world.until(lambda: pod not in [one["metadata"]["name"] for one in world.cluster.list("pods", "payments")])
    made = await bot.pipeline.ask_with(incident.id, "delete-pod", {choices.CHOICE: field.choices[0].value}, ANA)
    assert made.faults == {choices.CHOICE: forms.GONE}
    world.cluster.delete("deployments", "api", "payments")
    with pytest.raises(errors.NotPossible, match="is gone"):
        await bot.pipeline.options(incident.id, ANA)
