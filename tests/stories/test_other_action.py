"""*Other action…*: a person knows better than the rules, and gets it under the very same rules."""

from pathlib import Path

import pytest

from bot.slack import ids
from demo import slack
from demo.cluster import scenarios
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = pytest.mark.story

RULES = """version: 1
tiers:
  low: {approvals: 1, self_approval: false}
  medium: {approvals: 1, self_approval: false}
  high: {approvals: 1, self_approval: false}
"""
STATE = "SELECT state FROM proposal WHERE kind = 'remedy' ORDER BY id DESC LIMIT 1"


def _limit(world: worlds.World) -> str:
    (container,) = world.cluster.get("deployments", "indexer", "search")["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])


async def test_a_person_sets_a_limit_somebody_else_approves_it_and_it_is_verified_and_taken_back(
    begin: worlds.Start, tmp_path: Path
) -> None:
    world = await begin([scenarios.oom()])
    (tmp_path / "policy.yaml").write_text(RULES)
    await world.start_bot(POLICY_FILE=str(tmp_path / "policy.yaml"))
    parent = await telling.told(world, "search/indexer")

    wrong = await telling.asks_for(world, parent, "set-resources", {"memory_limit": "plenty"})
    assert "give a quantity above zero" in wrong.errors["memory_limit"]
    view = world.slack.view(slack.BEN)
    assert view is not None
    seen = await world.slack.submit_view(
        slack.BEN, view["id"], {ids.ask_block("set-resources", "memory_limit"): "64Gi"}
    )
    assert "changes more than 4 times in one step" in seen.errors[ids.ASK_ACTION]
    limit = {ids.ask_block("set-resources", "memory_limit"): "1Gi"}
    assert (await world.slack.submit_view(slack.BEN, view["id"], limit)).errors == {}
    assert world.slack.view(slack.BEN) is None

    await telling.shows(world, parent, "--limits=memory=1Gi", f"Asked for by <@{slack.BEN}>, who may not approve")
    assert world.cluster.journal.writes == []
    own = await world.slack.press(slack.BEN, slack.ONCALL, parent["ts"], "wk:approve")
    assert worlds.text_of(await own.ephemeral()) == "You asked for this yourself, and somebody else must approve it."
    await telling.approve(world, parent, slack.ANA)
    await telling.verified(world, parent)
    assert (await world.value(STATE), _limit(world)) == ("verified", "1Gi")
    assert ids.OTHER not in worlds.buttons(world.shown(parent))
    await telling.undo(world, parent, slack.ANA)
    await telling.undone(world, parent)
    assert _limit(world) == "256Mi"
    assert await world.value("SELECT count(*) FROM audit WHERE tag = 'proposal:asked'") == 1
    assert (
        await world.value("SELECT count(*) FROM audit WHERE tag = 'press:refused' AND data->>'button' = 'other'") == 2
    )


async def test_what_is_picked_of_a_menu_is_what_is_proposed(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    pod = min(each["metadata"]["name"] for each in world.cluster.list("pods", "payments"))
    sent = await telling.asks_for(world, parent, "delete-pod", {"choice": pod}, slack.CHLOE)
    assert sent.errors == {}
    await telling.shows(world, parent, f"delete pod/{pod}", f"<@{slack.CHLOE}>")
    assert world.cluster.journal.attempts == []
