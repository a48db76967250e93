"""Two people, a reason, a user group, an edit: what is seen on the card at each step, and what is done in the end."""

from pathlib import Path

import pytest

from demo import slack
from demo.cluster import scenarios
from demo.cluster.pieces import Piece, Step
from tests.stories import telling
from tests.stories import world as worlds

pytestmark = pytest.mark.story

APPROVE, EDIT, REJECT = "wk:approve", "wk:edit", "wk:reject"
APPROVE_WITH_REASON = "wk:approve-why"
TWO = "approvals: 2, reason_required: false"
VERIFIED = "SELECT state = 'verified' FROM proposal WHERE kind = 'remedy' ORDER BY id DESC LIMIT 1"


def policy(folder: Path, tier: str, more: str = "") -> str:
    """A policy file that asks the same of every tier."""
    tiers = "".join(f"  {name}: {{{tier}}}\n" for name in ("low", "medium", "high"))
    file = folder / "policy.yaml"
    file.write_text(f"version: 1\ntiers:\n{tiers}{more}")
    return str(file)


def twice_released() -> Piece:
    """As `crash_loop`, with a release between the first one and the one that broke it."""
    first, broken = scenarios.crash_loop().steps
    louder = {"name": "api", "env": [{"name": "LOG_LEVEL", "value": "debug"}]}
    patch = {"spec": {"template": {"spec": {"containers": [louder]}}}}
    between = Step(scenarios.DAY, lambda cluster: _ignored(cluster.patch("deployments", "api", "payments", patch)))
    return Piece("released twice", (first, between, broken))


def _ignored(_made: object) -> None:
    """A step gives nothing back."""


async def press(world: worlds.World, parent: worlds.Message, user: str, action: str = APPROVE) -> slack.Seen:
    return await world.slack.press(user, slack.ONCALL, parent["ts"], action)


async def answer(seen: slack.Seen) -> str:
    return worlds.text_of(await seen.ephemeral())


async def done(world: worlds.World, writes: int = 1) -> None:
    await world.eventually_row(VERIFIED)
    assert len(world.cluster.journal.writes) == writes


async def test_two_people_approve_one_after_the_other(begin: worlds.Start, tmp_path: Path) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot(POLICY_FILE=policy(tmp_path, TWO))
    parent = await world.proposed("payments/api")
    assert f"2 of <@{slack.ANA}>, <@{slack.BEN}> must approve" in world.now(parent)

    await press(world, parent, slack.ANA)
    await telling.shows(world, parent, f"*1 of 2*: <@{slack.ANA}>, waiting for another approver")
    assert {APPROVE, REJECT} <= set(worlds.buttons(world.shown(parent)))
    again = await answer(await press(world, parent, slack.ANA))
    assert again == "Your approval counts already: 1 of 2. Somebody else must approve it too."
    assert await world.value("SELECT count(*) FROM execution") == 0
    assert world.cluster.journal.attempts == []

    await press(world, parent, slack.BEN)
    await done(world)
    await telling.shows(world, parent, f"approved by <@{slack.ANA}> and <@{slack.BEN}>")
    steps = f"*Approved* by <@{slack.ANA}> (1 of 2)", f"*Approved* by <@{slack.BEN}> (2 of 2)"
    await world.eventually(lambda: all(step in world.thread(parent) for step in steps), what="both in the thread")


async def test_a_rejection_after_the_first_approval_ends_it(begin: worlds.Start, tmp_path: Path) -> None:
    world = await begin([scenarios.crash_loop()])
    await world.start_bot(POLICY_FILE=policy(tmp_path, TWO))
    parent = await world.proposed("payments/api")
    await press(world, parent, slack.ANA)
    await telling.shows(world, parent, "*1 of 2*")
    seen = await press(world, parent, slack.BEN, REJECT)
    view = await seen.modal(callback_id="wk:reject-reason")
    assert (await world.slack.submit_view(slack.BEN, view["id"], {"wk:reason": "a migration runs"})).errors == {}
    await telling.shows(world, parent, f"*Rejected* by <@{slack.BEN}>", "a migration runs")
    assert APPROVE not in worlds.buttons(world.shown(parent))
    assert await world.value("SELECT count(*) FROM execution") == 0


async def test_the_second_press_after_a_change_of_policy_counts_for_nothing(
    begin: worlds.Start, tmp_path: Path
) -> None:
    world = await begin([scenarios.crash_loop()])
    bot = await world.start_bot(POLICY_FILE=policy(tmp_path, TWO))
    parent = await world.proposed("payments/api")
    await press(world, parent, slack.ANA)
    await telling.shows(world, parent, "*1 of 2*")
    await bot.stop()
    await world.start_bot(POLICY_FILE=policy(tmp_path, TWO, "limits: {max_replicas: 9}\n"))
    seen = await press(world, parent, slack.BEN)
    assert (await answer(seen)).startswith("The policy has changed since this was proposed. A fresh proposal is")
    await world.eventually_row("SELECT count(*) = 2 FROM proposal")
    await telling.offered(world, parent, APPROVE)
    await world.eventually(lambda: "1 of 2" not in world.now(parent), what="no approval on the fresh one")
    assert await world.value("SELECT count(*) FROM execution") == 0
    for user in (slack.BEN, slack.ANA):
        await press(world, parent, user)
    await done(world)


async def test_who_is_in_the_group_approves_with_a_reason_and_nobody_else_does(
    begin: worlds.Start, tmp_path: Path
) -> None:
    world = await begin([scenarios.crash_loop()])
    rules = policy(tmp_path, f"approvers: [{slack.ONCALL_SRE}], reason_required: true")
    await world.start_bot(POLICY_FILE=rules, APPROVERS="")
    parent = await telling.told(world, "payments/api")
    await telling.offered(world, parent, APPROVE_WITH_REASON)
    assert f"<!subteam^{slack.ONCALL_SRE}> may approve, with a reason" in world.now(parent)

    seen = await press(world, parent, slack.CHLOE, APPROVE_WITH_REASON)
    await world.eventually(lambda: "Only approvers may decide on this" in str(seen.view), what="why not")

    seen = await press(world, parent, slack.ANA, APPROVE_WITH_REASON)
    view = await seen.modal(callback_id="wk:approve-reason")
    assert "rollout undo" in str(view["blocks"])
    assert "Touches 3 pods" in str(view["blocks"])
    short = await world.slack.submit_view(slack.ANA, view["id"], {"wk:reason": "   "})
    assert set(short.errors) == {"wk:reason"}
    assert (await world.slack.submit_view(slack.ANA, view["id"], {"wk:reason": "it served for days"})).errors == {}
    await done(world)
    assert world.slack.view(slack.ANA) is None
    await world.eventually(lambda: "it served for days" in world.thread(parent), what="the reason in the thread")
    assert await world.value("SELECT permit->'reasons'->>0 FROM execution") == "it served for days"


async def test_a_group_that_may_not_be_read_lets_nobody_approve_and_the_card_says_why(
    begin: worlds.Start, tmp_path: Path
) -> None:
    world = await begin([scenarios.crash_loop()])
    world.slack.service.scopes.discard("usergroups:read")
    await world.start_bot(POLICY_FILE=policy(tmp_path, f"approvers: [{slack.ONCALL_SRE}]"), APPROVERS="")
    parent = await telling.told(world, "payments/api")
    await telling.shows(world, parent, "could not be read", "lacks a scope", "Nobody may approve")
    assert APPROVE not in worlds.buttons(world.shown(parent))
    assert await world.value("SELECT count(*) FROM proposal") == 0


async def test_an_edited_proposal_is_checked_and_approved_anew(begin: worlds.Start, tmp_path: Path) -> None:
    world = await begin([twice_released()])
    await world.start_bot(POLICY_FILE=policy(tmp_path, f"{TWO}, self_approval: false"), APPROVERS="*")
    parent = await world.proposed("payments/api")
    await press(world, parent, slack.ANA)
    await telling.shows(world, parent, "--to-revision=2", "*1 of 2*")

    seen = await press(world, parent, slack.CHLOE, EDIT)
    view = await seen.modal(callback_id="wk:edit-form")
    assert "2 · " in str(view["blocks"])
    same = await world.slack.submit_view(slack.CHLOE, view["id"], {"wk:edit:revision": "2"})
    assert same.errors == {"wk:edit:revision": "This is what is proposed already."}
    assert (await world.slack.submit_view(slack.CHLOE, view["id"], {"wk:edit:revision": "1"})).errors == {}

    text = await telling.shows(world, parent, "--to-revision=1", f"Asked for by <@{slack.CHLOE}>, who may not approve")
    assert "1 of 2" not in text
    own = await answer(await press(world, parent, slack.CHLOE))
    assert own == "You asked for this yourself, and somebody else must approve it."
    for user in (slack.ANA, slack.BEN):
        await press(world, parent, user)
    await done(world)
    assert await world.value("SELECT count(*) FROM audit WHERE tag = 'proposal:edited'") == 1
    (written,) = world.cluster.journal.writes
    assert "debug" not in str(written)
