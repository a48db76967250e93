"""What a forged or foreign payload comes to: nothing is done, it is told and recorded, and the bot lives on."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pydantic
import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot import pipeline
from bot.domain import audit, proposals
from bot.slack import calling, ids, installing
from demo import slack
from demo.slack.ids import TEAM_ID
from handlers import asking, buttons, commands, home, modals
from k8s import guardrails
from tests.bot.flow import worlds
from tests.bot.store import examples
from tests.handlers import holding

HOUR = timedelta(hours=1)
NOTHING = "belongs to no proposal"
VALUES = (
    "", "1", "-1:" + "0" * 16, "0:" + "0" * 16, "1:-", "1:" + "0" * 15, "1:" + "0" * 17, "1:" + "G" * 16,
    "9" * 17 + ":" + "0" * 16, "9" * 400 + ":" + "0" * 16, "1:" + "0" * 16 + "\n", "١:" + "0" * 16,
    "1; DROP TABLE proposal;--", "1:0' OR '1'='1", "{}", '{"id": 1}', "\x00", "1:%s", "null", "x" * 2_000,
)  # fmt: skip
METADATA = (
    "", "{}", "[]", "null", "x", "\x00", '{"proposal_id": "1; drop"}', '{"proposal_id": 1}',
    '{"proposal_id": -1, "digest": "0000000000000000"}',
    '{"proposal_id": 0, "digest": "0000000000000000"}',
    '{"proposal_id": 99999999999999999999999999, "digest": "0000000000000000"}',
    '{"proposal_id": 9223372036854775807, "digest": "0000000000000000"}',
    '{"proposal_id": 9223372036854775808, "digest": "0000000000000000"}',
    '{"proposal_id": 1, "digest": ""}',
    '{"proposal_id": 1, "digest": "%"}',
    '{"proposal_id": 1, "digest": "0000000000000000", "team": "T0OTHER"}',
    '{"proposal_id": 1, "digest": "\\u0000"}',
)  # fmt: skip


def _body(value: Any, **more: Any) -> dict[str, Any]:
    action = {"type": "button", "action_id": ids.APPROVE, "value": value}
    return {
        "user": {"id": slack.ANA},
        "channel": {"id": slack.ONCALL},
        "trigger_id": "1.2",
        "actions": [action],
        **more,
    }


async def _real(room: holding.Room) -> proposals.Proposal:
    """An open proposal, of which a good press would be more than a press on nothing."""
    now = room.clock()
    return await examples.proposed(room.replica.database, created_at=now, expires_at=now + HOUR)


async def _nothing_done(room: holding.Room, row: proposals.Proposal) -> None:
    async with room.replica.database.begin() as tx:
        after = await tx.proposals.get(row.id)
        assert after is not None
        assert after.state == "proposed"
        assert await tx.proposals.decisions(row.id) == []
        assert await tx.executions.claim("test", room.clock(), worlds.RULES.lease) is None


async def _refusals(room: holding.Room) -> list[audit.Event]:
    """What the trail has of presses, oldest first; every chain is whole."""
    found = []
    async with room.replica.database.begin() as tx:
        for head in await tx.trail.heads():
            assert await tx.trail.verify(head.chain) is None
            found += [entry.event for entry in await tx.trail.batch(head.chain, 0, head.seq)]
    return [event for event in found if event.tag.startswith("press:")]


async def test_a_value_that_no_card_has_is_a_press_on_nothing(room: holding.Room) -> None:
    row = await _real(room)
    for number, value in enumerate(VALUES, 1):
        acks = holding.Acks()
        await buttons._Listener(room.held).approve(acks, _body(value))
        assert acks.given == [{}], value
        assert room.told(slack.ANA).count(NOTHING) == number, value
    refused = {(one.actor, one.proposal_id, one.data["ending"]) for one in await _refusals(room)}
    assert refused == {(slack.ANA, None, "unknown-button")}
    assert len(await _refusals(room)) == len(VALUES)
    await _nothing_done(room, row)


@pytest.mark.parametrize("value", [None, 7, ["1:2"], {"id": 1}])
async def test_a_value_of_another_type_is_a_press_on_nothing(room: holding.Room, value: Any) -> None:
    row = await _real(room)
    await buttons._Listener(room.held).approve(holding.Acks(), _body(value))
    assert NOTHING in room.told(slack.ANA)
    await _nothing_done(room, row)


async def test_a_digest_of_another_proposal_is_a_press_on_nothing(room: holding.Room) -> None:
    row = await _real(room)
    await buttons._Listener(room.held).approve(holding.Acks(), _body(ids.value(row.id, "f" * 64)))
    assert NOTHING in room.told(slack.ANA)
    (refused,) = await _refusals(room)
    assert refused.data["claimed"] == row.id
    await _nothing_done(room, row)


@pytest.mark.parametrize(
    "forged",
    [
        {"message": {"ts": "1.0", "user": slack.BEN, "blocks": [{"elements": [{"user_id": slack.BEN}]}]}},
        {"message": {"ts": "1.0", "metadata": {"event_type": "wk", "event_payload": {"user": {"id": slack.BEN}}}}},
        {"user_id": slack.BEN, "actor": slack.BEN, "message": {"ts": "1.0", "bot_id": "B0OTHER", "app_id": "A0OTHER"}},
        {"state": {"values": {"user": {"id": {"selected_user": slack.BEN}}}}, "message": {"ts": "1.0"}},
    ],
    ids=["in blocks", "in metadata", "in a message of another app", "in a form"],
)
async def test_who_presses_is_who_slack_says_it_is_and_nobody_named_elsewhere(
    room: holding.Room, forged: dict[str, Any]
) -> None:
    """The button is on a message that is none of ours: its value is good, and who presses is no approver."""
    row = await _real(room)
    body = _body(ids.value(row.id, row.digest), **forged) | {"user": {"id": slack.CHLOE, "team_id": "T0OTHER"}}
    only_ben = replace(worlds.RULES, policy=guardrails.Policy(approvers=(slack.BEN,)))
    held = room.with_pipeline(pipeline.Pipeline(replace(room.replica.wired, rules=only_ben)))
    await buttons._Listener(held).approve(holding.Acks(), body)
    assert "Only approvers may decide on this." in room.told(slack.CHLOE)
    (refused,) = await _refusals(room)
    assert (refused.actor, refused.data["ending"]) == (slack.CHLOE, "not-allowed")
    await _nothing_done(room, row)


@pytest.mark.parametrize("form", ["reject", "approve", "edit"])
async def test_a_window_whose_metadata_was_tampered_with_decides_nothing(room: holding.Room, form: str) -> None:
    row, view = await _real(room), await room.modal(slack.ANA)
    state = {"values": {ids.REASON_BLOCK: {ids.REASON_INPUT: {"value": "it is on fire"}}}}
    for metadata in METADATA:
        acks = holding.Acks()
        listener = modals._Listener(room.held)
        await getattr(listener, form)(acks, _body(""), {**view, "private_metadata": metadata, "state": state})
        assert NOTHING in str(acks.given[0]["view"]), metadata
    assert {event.data["ending"] for event in await _refusals(room)} <= {"unknown-button"}
    await _nothing_done(room, row)


@pytest.mark.parametrize("button", ["acknowledge", "propose"])
async def test_a_button_of_an_incident_that_nobody_knows_says_so(room: holding.Room, button: str) -> None:
    row = await _real(room)
    values = ("", "-1:-", "99999:-", "9" * 18 + ":-", "77:" + "0" * 16, "1; DROP TABLE incident")
    for number, value in enumerate(values, 1):
        await getattr(buttons._Listener(room.held), button)(holding.Acks(), _body(value))
        assert room.told(slack.ANA).count("belongs to no incident") == number, value
    await _nothing_done(room, row)


# --- of another workspace, through Bolt as `bot.main` makes it

OTHER = "T0OTHER001"
FOREIGN_TEAMS = (OTHER, "", TEAM_ID.lower(), f"{TEAM_ID} ", f"{TEAM_ID},{OTHER}")


async def _app(room: holding.Room, token: str = "") -> tuple[AsyncApp, installing.Installation]:
    """All listeners behind the gate, as they are in the bot; with another token, it never learns where it is."""
    web = calling.client(pydantic.SecretStr(token or room.slack.bot_token), room.slack.api_url)
    installation = installing.Installation(calling.Calling(web, room.clock))
    app = installing.bolt(calling.client(None, room.slack.api_url), installation, signing_secret="", signed=False)
    for door in (commands, buttons, asking, modals, home):
        door.register(app, room.held)
    if not token:
        await installation.learn()
    return app, installation


async def _sent(app: AsyncApp, body: dict[str, Any]) -> BoltResponse:
    answer = await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
    assert answer is not None
    return answer


def _pressed(row: proposals.Proposal, team: str | None, **more: Any) -> dict[str, Any]:
    user = {"id": slack.ANA, "team_id": team}
    where = {"type": "block_actions", "team": {"id": team} if team else None, "user": user}
    body = _body(ids.value(row.id, row.digest), **where)
    body["actions"][0] |= {"block_id": "b", "action_ts": "1.0"}
    return body | more


async def test_a_press_of_another_workspace_reaches_no_listener(room: holding.Room) -> None:
    """Its value is good and its presser has the id of an approver: of somebody else, who is in another workspace."""
    row = await _real(room)
    app, _ = await _app(room)
    for team in FOREIGN_TEAMS:
        assert (await _sent(app, _pressed(row, team))).status == 200, team
    assert room.told(slack.ANA) == ""
    assert await _refusals(room) == []
    await _nothing_done(room, row)


@pytest.mark.parametrize("type_", ["message_action", "shortcut"])
async def test_a_shortcut_of_another_workspace_reaches_no_listener(room: holding.Room, type_: str) -> None:
    row = await _real(room)
    app, _ = await _app(room)
    body = _pressed(row, OTHER) | {"type": type_, "callback_id": "wk:ask", "message": {"ts": "1.0", "text": "x"}}
    assert (await _sent(app, body)).status == 200
    assert room.slack.view(slack.ANA) is None
    await _nothing_done(room, row)


@pytest.mark.parametrize("form", [ids.APPROVE_REASON, ids.REJECT_REASON, ids.EDIT_FORM])
async def test_a_window_of_another_workspace_says_so_and_decides_nothing(room: holding.Room, form: str) -> None:
    row = await _real(room)
    app, _ = await _app(room)
    metadata = ids.private_metadata(ids.Pressed(row.id, row.digest[:16], slack.ONCALL, "1.0"))
    state = {"values": {ids.REASON_BLOCK: {ids.REASON_INPUT: {"value": "it is on fire"}}}}
    view = {"id": "V1", "type": "modal", "callback_id": form, "private_metadata": metadata, "state": state}
    body = _pressed(row, OTHER) | {"type": "view_submission", "view": view}
    answer = await _sent(app, body)
    assert installing.FOREIGN in str(answer.body)
    await _nothing_done(room, row)


async def test_a_command_of_another_workspace_learns_nothing(room: holding.Room) -> None:
    app, _ = await _app(room)
    body = {"command": "/watch", "text": "status", "user_id": slack.ANA, "channel_id": slack.ONCALL, "team_id": OTHER}
    answer = await _sent(app, body)
    assert installing.FOREIGN in str(answer.body)
    assert room.told(slack.ANA) == ""


async def test_a_press_of_this_workspace_counts_behind_the_same_gate(room: holding.Room) -> None:
    """Without it the others would pass because nothing ever gets through."""
    row = await _real(room)
    app, _ = await _app(room)
    await _sent(app, _pressed(row, TEAM_ID))
    refused = [one.data["ending"] for one in await _refusals(room)]
    assert refused == ["not-allowed"], "the stand-in's Ana is no approver by the policy of the tests"


async def test_an_action_of_another_app_is_nobodys(room: holding.Room) -> None:
    row = await _real(room)
    app, _ = await _app(room)
    body = _pressed(row, TEAM_ID)
    for name in ("approve", "wk:approve:2", "xwk:approve", "WK:APPROVE", f"{ids.APPROVE} ", ""):
        body["actions"][0]["action_id"] = name
        assert (await _sent(app, body)).status == 404, name
    assert await _refusals(room) == []
    await _nothing_done(room, row)


async def test_while_the_own_workspace_is_not_known_a_press_fails_visibly_and_can_be_repeated(
    room: holding.Room,
) -> None:
    row = await _real(room)
    app, installation = await _app(room, token="xoxb-not-ours")
    assert (await _sent(app, _pressed(row, TEAM_ID))).status == 503
    assert await _refusals(room) == []
    installation.posted_in(TEAM_ID)
    assert (await _sent(app, _pressed(row, OTHER))).status == 200
    assert await _refusals(room) == []
    await _sent(app, _pressed(row, TEAM_ID))
    assert len(await _refusals(room)) == 1
    await _nothing_done(room, row)


@pytest.mark.parametrize(
    ("place", "team", "organisation", "ours"),
    [
        (installing.Place("T1"), "T1", "", True),
        (installing.Place("T1", "E1"), "T1", "E1", True),
        (installing.Place("T1", "E1"), "T2", "E1", False),
        (installing.Place("T1", "E1", whole=True), "T2", "E1", True),
        (installing.Place("T1", "E1", whole=True), "T1", "E2", False),
        (installing.Place("", ""), "", "", False),
        (installing.Place("", "", whole=True), "", "", False),
    ],
)
def test_what_is_ours_is_the_team_or_the_whole_organisation(
    place: installing.Place, team: str, organisation: str, ours: bool
) -> None:
    assert place.holds(team, organisation) is ours
