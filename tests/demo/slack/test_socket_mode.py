"""A real Bolt app over Socket Mode: commands, presses, modals, events, several replicas."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError
from slack_sdk.web.async_client import AsyncWebClient

from demo.slack import ANA, BEN, BOT_USER, CHLOE, GENERAL, ONCALL, NotShown, SlackStandIn
from tests.demo.slack.conftest import Connect, actions, app_of, button, modal, section, text_field


async def post_buttons(client: AsyncWebClient, *buttons: dict[str, Any]) -> str:
    answer = await client.chat_postMessage(
        channel=ONCALL, text="", attachments=[{"color": "#a30200", "fallback": "incident", "blocks": actions(*buttons)}]
    )
    return str(answer["ts"])


async def test_a_command_is_answered_with_its_acknowledgement_and_by_its_response_url(
    slack: SlackStandIn, connect: Connect
) -> None:
    app = app_of(slack)
    payloads = []

    @app.command("/watch")
    async def watch(ack: Any, body: dict[str, Any], respond: Any) -> None:
        payloads.append(body)
        await ack(f"looking at {body['text']}")
        await respond(text="all quiet")

    await connect(app)
    seen = await slack.command(ANA, ONCALL, "/watch", "status prod-eu")
    await slack.wait_for(lambda: len(seen.ephemerals) == 2)
    assert {e["text"] for e in seen.ephemerals} == {"looking at status prod-eu", "all quiet"}
    assert slack.ephemerals(BEN) == []
    assert payloads[0]["channel_name"] == "oncall"
    assert payloads[0]["user_id"] == ANA


async def test_an_answer_in_the_channel_shows_the_command_too(slack: SlackStandIn, connect: Connect) -> None:
    app = app_of(slack)

    @app.command("/watch")
    async def watch(ack: Any) -> None:
        await ack(text="here it is", response_type="in_channel")

    await connect(app)
    await slack.command(ANA, ONCALL, "/watch", "report")
    assert [m["text"] for m in slack.messages(ONCALL)] == ["/watch report", "here it is"]


async def test_a_press_carries_its_message_and_the_message_can_be_replaced(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect
) -> None:
    app = app_of(slack)
    bodies = []

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        bodies.append(body)
        await respond(text="approved", attachments=[], replace_original=True)

    await connect(app)
    ts = await post_buttons(client, button("approve", "Approve", value="i-7", style="primary"))
    seen = await slack.press(ANA, ONCALL, ts, "approve")
    assert seen.ack.ok
    await slack.wait_for(lambda: slack.message(ONCALL, ts)["text"] == "approved")
    body = bodies[0]
    assert body["container"]["type"] == "message_attachment"
    assert body["container"]["message_ts"] == ts
    assert body["actions"][0]["value"] == "i-7"
    assert body["actions"][0]["block_id"] == "buttons"
    assert body["message"]["attachments"][0]["color"] == "a30200"
    assert "attachments" not in slack.message(ONCALL, ts)


async def test_menus_send_what_was_chosen(slack: SlackStandIn, client: AsyncWebClient, connect: Connect) -> None:
    app = app_of(slack)
    chosen = []

    @app.action("snooze")
    async def snooze(ack: Any, action: dict[str, Any]) -> None:
        await ack()
        chosen.append(action["selected_option"]["value"])

    @app.action("more")
    async def more(ack: Any, action: dict[str, Any]) -> None:
        await ack()
        chosen.append(action["selected_option"]["value"])

    await connect(app)
    options = [{"text": {"type": "plain_text", "text": t}, "value": t} for t in ("30m", "4h")]
    snooze_menu = {"type": "static_select", "action_id": "snooze", "options": options}
    ts = await post_buttons(client, snooze_menu, {"type": "overflow", "action_id": "more", "options": options})
    await slack.press(ANA, ONCALL, ts, "snooze", value="4h")
    await slack.press(ANA, ONCALL, ts, "more", value="30m")
    assert chosen == ["4h", "30m"]


async def test_only_what_is_shown_can_be_pressed(slack: SlackStandIn, client: AsyncWebClient) -> None:
    ts = await post_buttons(client, button("approve"))
    for user, channel, stamp, action in (
        (ANA, ONCALL, ts, "reject"),
        (ANA, ONCALL, "1.000000", "approve"),
        (ANA, GENERAL, ts, "approve"),
        (BOT_USER, ONCALL, ts, "approve"),
    ):
        with pytest.raises(NotShown):
            await slack.press(user, channel, stamp, action)


async def test_a_forged_press_reaches_the_app_without_any_such_button(slack: SlackStandIn, connect: Connect) -> None:
    app = app_of(slack)
    values = []

    @app.action("approve")
    async def approve(ack: Any, action: dict[str, Any], body: dict[str, Any]) -> None:
        await ack()
        values.append((action["value"], body["user"]["id"], body["container"]["message_ts"]))

    await connect(app)
    assert (await slack.forge(CHLOE, ONCALL, "1.000000", "approve", value="i-666")).ack.ok
    assert values == [("i-666", CHLOE, "1.000000")]


async def test_two_hundred_presses_at_once_are_all_delivered(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect
) -> None:
    """None is lost and none comes twice. How soon an app answers is its own matter: a busy machine has its time."""
    app = app_of(slack)
    slack.service.delivery.ack_seconds = 60.0
    presses: Counter[str] = Counter()

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        presses[body["user"]["id"]] += 1

    await connect(app)
    ts = await post_buttons(client, button("approve"))
    seen = await slack.press_concurrently([(user, ONCALL, ts, "approve") for user in (ANA, BEN) for _ in range(100)])
    assert all(one.ack.ok for one in seen)
    assert presses == {ANA: 100, BEN: 100}


def with_modal(slack: SlackStandIn, submitted: Any) -> Any:
    app = app_of(slack)

    @app.action("reject")
    async def reject(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(notify_on_close=True))

    app.view("reason")(submitted)
    return app


async def open_modal(slack: SlackStandIn, client: AsyncWebClient) -> str:
    ts = await post_buttons(client, button("reject"))
    seen = await slack.press(ANA, ONCALL, ts, "reject")
    return str((await seen.modal())["id"])


async def test_a_modal_is_checked_by_slack_then_by_the_app_then_closed(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect
) -> None:
    reasons = []

    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        reason = view["state"]["values"]["reason"]["text"]["value"]
        reasons.append(reason)
        if len(reason) < 5:
            await ack(response_action="errors", errors={"reason": "Say a little more."})
        else:
            await ack()

    await connect(with_modal(slack, submitted))
    view_id = await open_modal(slack, client)
    assert (await slack.submit_view(ANA, view_id)).errors == {"reason": "Please complete this required field."}
    assert reasons == []
    assert (await slack.submit_view(ANA, view_id, {"reason": "no"})).errors == {"reason": "Say a little more."}
    assert slack.view(ANA) is not None
    done = await slack.submit_view(ANA, view_id, {"reason": "it heals itself"})
    assert (done.errors, done.error, slack.view(ANA)) == ({}, None, None)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"response_action": "update", "view": modal(section("next"), callback_id="next")}, "next"),
        ({"response_action": "push", "view": modal(text_field("x"), callback_id="over")}, "over"),
        ({"response_action": "clear"}, None),
    ],
)
async def test_a_submission_can_change_the_stack(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect, answer: dict[str, Any], shown: str | None
) -> None:
    async def submitted(ack: Any) -> None:
        await ack(**answer)

    await connect(with_modal(slack, submitted))
    seen = await slack.submit_view(ANA, await open_modal(slack, client), {"reason": "x"})
    assert seen.error is None
    view = slack.view(ANA)
    assert (view and view["callback_id"]) == shown


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nowhere": "?"}},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "dance"},
    ],
)
async def test_an_answer_that_makes_no_sense_is_trouble(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect, answer: dict[str, Any]
) -> None:
    async def submitted(ack: Any) -> None:
        await ack(answer)

    await connect(with_modal(slack, submitted))
    seen = await slack.submit_view(ANA, await open_modal(slack, client), {"reason": "x"})
    assert seen.error == "We had some trouble connecting. Try again?"
    assert slack.view(ANA) is not None


async def test_closing_a_modal_is_told_to_the_app_that_asked_for_it(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect
) -> None:
    async def submitted(ack: Any) -> None:
        await ack()

    app = with_modal(slack, submitted)
    closed = []

    @app.view_closed("reason")  # type: ignore[untyped-decorator]
    async def on_close(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        closed.append(body["is_cleared"])

    await connect(app)
    await slack.close_view(ANA, await open_modal(slack, client), clear=True)
    assert closed == [True]
    assert slack.view(ANA) is None


async def test_home_and_mentions_are_events(slack: SlackStandIn, connect: Connect) -> None:
    app = app_of(slack)

    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: AsyncWebClient) -> None:
        view = {"type": "home", "blocks": actions(button("refresh"))}
        await client.views_publish(user_id=event["user"], view=view)

    @app.action("refresh")
    async def refresh(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        view = {"type": "home", "blocks": [section("refreshed")]}
        await client.views_publish(user_id=body["user"]["id"], hash=body["view"]["hash"], view=view)

    @app.event("app_mention")
    async def mentioned(event: dict[str, Any], say: Any) -> None:
        await say(text="because", thread_ts=event.get("thread_ts", event["ts"]))

    await connect(app)
    assert (await slack.open_home(ANA)).ack.ok
    await slack.wait_for(lambda: slack.home(ANA))
    assert (await slack.press_home(ANA, "refresh")).ack.ok
    await slack.wait_for(lambda: "refreshed" in str(slack.home(ANA)))
    said = await slack.say(BEN, ONCALL, f"<@{BOT_USER}> why?")
    reply = await slack.wait_for(lambda: said.ts and slack.replies(ONCALL, said.ts))
    assert reply[0]["text"] == "because"


async def test_messages_are_told_only_to_an_app_that_subscribed(slack: SlackStandIn) -> None:
    await slack.say(ANA, ONCALL, "hello")
    assert slack.deliveries == []


async def test_replicas_share_the_work_and_one_envelope_can_reach_both(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect
) -> None:
    served: Counter[int] = Counter()

    def replica(number: int) -> Any:
        app = app_of(slack)

        @app.action("approve")
        async def approve(ack: Any) -> None:
            await ack()
            served[number] += 1

        return app

    await connect(replica(1))
    await connect(replica(2))
    ts = await post_buttons(client, button("approve"))
    await slack.press_concurrently([(ANA, ONCALL, ts, "approve")] * 40)
    assert served[1] + served[2] == 40
    assert min(served.values()) > 0
    before = Counter(served)
    acks = await slack.redeliver(to_every_connection=True)
    assert len(acks) == 2
    assert served - before == {1: 1, 2: 1}


async def test_the_app_reconnects_when_it_is_asked_to_and_when_it_is_cut_off(
    slack: SlackStandIn, connect: Connect
) -> None:
    app = app_of(slack)

    @app.command("/watch")
    async def watch(ack: Any) -> None:
        await ack("here")

    await connect(app, ping_interval=1)
    await slack.request_disconnect()
    await slack.wait_connected()
    assert (await slack.command(ANA, ONCALL, "/watch")).ack.ok
    await slack.drop_sockets()
    await slack.wait_connected()
    assert (await slack.command(ANA, ONCALL, "/watch")).ack.ok


async def test_a_ticket_opens_one_socket(slack: SlackStandIn) -> None:
    client = AsyncWebClient(token=slack.app_token, base_url=slack.api_url)
    address = (await client.apps_connections_open(app_token=slack.app_token))["url"]
    async with ClientSession() as session:
        async with session.ws_connect(address) as socket:
            hello = await socket.receive_json()
            assert hello["type"] == "hello"
        with pytest.raises(WSServerHandshakeError):
            await session.ws_connect(address)


async def test_an_unacknowledged_event_is_retried_with_its_number(slack: SlackStandIn) -> None:
    client = AsyncWebClient(token=slack.app_token, base_url=slack.api_url)
    address = (await client.apps_connections_open(app_token=slack.app_token))["url"]
    async with ClientSession() as session, session.ws_connect(address) as socket:
        await socket.receive_json()
        slack.service.delivery.ack_seconds = 0.05
        opening = asyncio.create_task(slack.open_home(ANA))
        first, second = await socket.receive_json(), await socket.receive_json()
        await socket.send_json({"envelope_id": second["envelope_id"]})
        await opening
    assert (first["retry_attempt"], second["retry_attempt"]) == (0, 1)
    assert first["payload"]["event_id"] == second["payload"]["event_id"]
