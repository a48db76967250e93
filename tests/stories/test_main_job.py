"""The main job from end to end: a real bot process, from the first sweep to a parent that turned green."""

import pytest

from demo import slack
from demo.cluster import scenarios
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = pytest.mark.story

SMTP = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "mailer-smtp", "namespace": "notify"},
    "data": {"password": ""},
}


async def test_a_crash_loop_is_told_approved_healed_and_verified(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")

    shown = world.now(parent)
    assert "DB_URL" in shown
    assert "kubectl -n payments rollout undo deployment/api --to-revision=1" in shown

    seen = await telling.approve(world, parent)
    assert seen.ack.ok
    await telling.verified(world, parent)

    assert len(world.cluster.journal.writes) == 1
    assert all(pod["status"]["phase"] == "Running" for pod in world.cluster.pods("payments", "api"))
    thread = world.thread(parent)
    assert f"<@{slack.ANA}>" in thread
    assert "verified" in thread.lower()
    assert set(worlds.buttons(world.shown(parent))) == {"wk:undo"}


async def test_every_broken_thing_has_one_thread_and_the_healthy_rest_has_none(begin: worlds.Start) -> None:
    world = await begin(scenarios.demo())
    await world.start_bot()
    await world.eventually(lambda: len(world.parents()) >= 6, what="six incidents")
    for name in (
        "payments/api",
        "web/storefront",
        "search/indexer",
        "batch/report-builder",
        "batch/ledger-export",
        "shop/recommender",
    ):
        assert len(world.parents(name)) == 1
    assert len(world.parents()) == 6


async def test_a_fix_that_does_not_help_is_not_called_one(begin: worlds.Start) -> None:
    """All pods run and none is ready: a restart may clear it, and here it does not."""
    world = await begin([scenarios.readiness_failing(says="ERROR GET /healthz 503: the workers are stuck")])
    await world.start_bot(VERIFY_TIMEOUT="10s")
    parent = await world.proposed("shop/recommender")
    assert "rollout restart" in world.now(parent)
    await telling.approve(world, parent)
    await world.eventually_row("SELECT count(*) FROM proposal WHERE state = 'not-verified'")
    await world.eventually(lambda: "not verified" in world.thread(parent).lower(), what="the thread says so")
    assert not telling.green(world, parent)
    assert len(world.cluster.journal.writes) == 1


async def test_undo_takes_back_what_was_done(begin: worlds.Start) -> None:
    world = await begin([scenarios.bad_image()])
    await world.start_bot()
    parent = await world.proposed("web/storefront")
    await telling.approve(world, parent)
    await telling.verified(world, parent)
    seen = await telling.undo(world, parent)
    assert seen.ack.ok
    await telling.undone(world, parent)
    assert len(world.cluster.journal.writes) == 2


async def test_who_may_not_approve_is_told_who_may_and_nothing_happens(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    seen = await telling.approve(world, parent, slack.CHLOE)
    note = worlds.text_of(await seen.ephemeral())
    assert f"<@{slack.ANA}>" in note
    assert f"<@{slack.BEN}>" in note
    assert world.cluster.journal.attempts == []
    assert await world.value("SELECT state FROM proposal") == "proposed"


async def test_a_rejection_asks_for_a_reason_keeps_it_and_shows_it(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    seen = await world.slack.press(slack.BEN, slack.ONCALL, parent["ts"], "wk:reject")
    view = await world.eventually(lambda: _asking(world), what="the modal asks for a reason")
    done = await world.slack.submit_view(slack.BEN, view["id"], {"wk:reason-text": "the new DSN comes at noon"})
    assert done.errors == {}
    assert seen.ack.ok
    await world.eventually(lambda: "the new DSN comes at noon" in world.now(parent) + world.thread(parent))
    old = worlds.value(parent, "wk:approve")
    late = await world.slack.forge(slack.ANA, slack.ONCALL, parent["ts"], "wk:approve", value=old)
    assert "rejected" in worlds.text_of(await late.ephemeral())
    assert world.cluster.journal.attempts == []


def _asking(world: worlds.World) -> dict[str, object] | None:
    view = world.slack.view(slack.BEN)
    return view if view is not None and view["callback_id"] == "wk:reject-reason" else None


async def test_a_change_from_outside_makes_the_proposal_stale_and_it_says_what_moved(begin: worlds.Start) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot()
    parent = await world.proposed("payments/api")
    world.cluster.patch(
        "deployments",
        "api",
        "payments",
        {"spec": {"template": {"metadata": {"annotations": {"team": "payments"}}}}},
    )
    await telling.approve(world, parent)
    await world.eventually_row("SELECT count(*) FROM proposal WHERE state = 'stale'")
    await world.eventually(lambda: "stale" in world.thread(parent).lower(), what="the thread says stale")
    assert world.cluster.journal.writes == []


async def test_a_pod_that_nobody_can_mend_by_button_has_none_and_says_what_to_do(begin: worlds.Start) -> None:
    world = await begin([scenarios.job_failed(), scenarios.unschedulable()])
    await world.start_bot()
    for name in ("batch/ledger-export", "batch/report-builder"):
        parent = await world.parent(name)
        await world.diagnosed(parent)
        assert "wk:approve" not in worlds.buttons(world.shown(parent))


async def test_acknowledge_is_shown_with_the_name_and_a_second_one_is_answered(begin: worlds.Start) -> None:
    world = await begin([scenarios.oom()])
    await world.start_bot()
    parent = await world.parent("search/indexer")
    await telling.offered(world, parent, "wk:ack")
    old = worlds.value(world.shown(parent), "wk:ack")
    await world.slack.press(slack.CHLOE, slack.ONCALL, parent["ts"], "wk:ack")
    await world.eventually(lambda: f"<@{slack.CHLOE}>" in world.now(parent), what="who has it")
    again = await world.slack.forge(slack.ANA, slack.ONCALL, parent["ts"], "wk:ack", value=old)
    assert f"<@{slack.CHLOE}>" in worlds.text_of(await again.ephemeral())


async def test_what_heals_by_itself_turns_green_after_two_good_sweeps(begin: worlds.Start) -> None:
    world = await begin([scenarios.config_error()])
    await world.start_bot()
    parent = await world.parent("notify/mailer")
    await world.eventually(lambda: "mailer-smtp" in world.now(parent), what="what is missing")
    world.cluster.apply(SMTP)
    await world.cluster.wait_for(lambda: _ready(world, "notify", "mailer"), 20)
    for _ in range(2):
        await telling.sweep(world)
    await telling.verified(world, parent)
    assert world.cluster.journal.attempts == []
    assert worlds.buttons(world.shown(parent)) == {}


def _ready(world: worlds.World, namespace: str, app: str) -> bool:
    """Whether every pod of the app is ready."""
    pods = world.cluster.pods(namespace, app)
    conditions = [one for pod in pods for one in pod["status"].get("conditions", ()) if one["type"] == "Ready"]
    return bool(pods) and all(one["status"] == "True" for one in conditions)
