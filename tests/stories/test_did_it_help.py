"""Did it help: a press that comes after the recovery, and a fix that does not hold."""

import pytest

from demo import slack
from demo.cluster import scenarios
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = pytest.mark.story

STATE = "SELECT state FROM proposal WHERE kind = 'remedy' ORDER BY id LIMIT 1"


async def test_a_press_after_the_recovery_changes_nothing_and_says_so(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    # The template, on which the proposal rests, is as it was: only a fresh look shows that nothing is broken any more.
    world.cluster.patch("deployments", "api", "payments", {"spec": {"replicas": 0}})
    await world.cluster.wait_for(lambda: not world.cluster.pods("payments", "api"))
    await telling.approve(world, parent)
    await world.eventually_row("SELECT state = 'already-fixed' FROM proposal")
    await telling.shows(world, parent, "*Already fixed*: The problem is gone: nothing was done")
    assert world.cluster.journal.writes == []
    await telling.healed(world, parent)
    assert worlds.buttons(world.shown(parent)) == {}


async def test_a_fix_that_does_not_hold_goes_on_in_its_own_thread_and_is_remembered(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await telling.proposed(world, "payments/api")
    await telling.approve(world, parent)
    await telling.verified(world, parent)
    assert await world.value(STATE) == "verified"

    gone = {"containers": [{"name": "api", "env": [{"$patch": "delete", "name": "DB_URL"}]}]}
    world.cluster.patch("deployments", "api", "payments", {"spec": {"template": {"spec": gone}}})

    def again() -> bool | None:
        return not telling.green(world, parent) or None

    await telling.sweeping(world, again, "the parent is red again")
    await world.eventually(lambda: "*Came back* " in world.thread(parent), what="the thread says that it came back")
    await world.eventually(lambda: "is broken again" in world.thread(parent), what="the reply on recovery is set right")
    assert [one["ts"] for one in world.parents("payments/api")] == [parent["ts"]]

    # The cooldown of the policy holds the same action back for now; the memory is shown all the same.
    await telling.shows(world, parent, "*Came back* ", "No action is proposed now", "helped the one time here; held ")
    show = await world.slack.command(slack.ANA, slack.ONCALL, "/watch", "show WK-1")
    assert "helped the one time here; held " in worlds.text_of(await show.ephemeral(within=telling.ANSWERED))
