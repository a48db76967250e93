"""What people see when the app does not acknowledge in time, and what its response URLs allow."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_sdk.webhook.async_client import AsyncWebhookClient

from demo.slack import ANA, ONCALL, SlackStandIn
from tests.demo.slack.conftest import Clock, Connect, actions, app_of, button, client_of, connector, modal, section


@pytest.fixture
async def slow(impatient: SlackStandIn) -> AsyncIterator[Connect]:
    async with connector(impatient) as opened:
        yield opened


async def test_without_a_connection_a_command_fails_at_once(slack: SlackStandIn) -> None:
    seen = await slack.command(ANA, ONCALL, "/watch", "status")
    assert seen.error == '/watch failed with the error "dispatch_failed"'
    assert [e["text"] for e in seen.ephemerals] == ['`/watch` failed with the error "dispatch_failed"']


async def test_a_silent_app_is_reported_by_command_press_and_modal(impatient: SlackStandIn, slow: Connect) -> None:
    app, client = app_of(impatient), client_of(impatient)

    async def too_late(ack: Any) -> None:
        await asyncio.sleep(0.4)
        await ack()

    @app.action("open")
    async def opened(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    app.command("/watch")(too_late)
    app.action("approve")(too_late)
    app.view("reason")(too_late)
    await slow(app)
    ts = (await client.chat_postMessage(channel=ONCALL, text="x", blocks=actions(button("approve"), button("open"))))[
        "ts"
    ]

    command = await impatient.command(ANA, ONCALL, "/watch")
    assert command.ephemerals[0]["text"] == '`/watch` failed with the error "operation_timeout"'
    press = await impatient.press(ANA, ONCALL, ts, "approve")
    assert (press.ack.status, press.error) == ("timeout", "This app did not respond.")
    view = await (await impatient.press(ANA, ONCALL, ts, "open")).modal()
    submission = await impatient.submit_view(ANA, view["id"], {"reason": "x"})
    assert submission.error == "We had some trouble connecting. Try again?"
    assert impatient.view(ANA) is not None
    await asyncio.sleep(0.4)


async def test_a_response_url_may_be_used_five_times_within_thirty_minutes(clock: Clock) -> None:
    async with SlackStandIn(clock=clock) as slack:
        urls = slack.service.response_urls
        url = AsyncWebhookClient(urls.new(ANA, ONCALL, "i1"))
        for _ in range(5):
            assert (await url.send(text="x")).body == "ok"
        sixth = await url.send(text="x")
        assert (sixth.status_code, sixth.body) == (404, "used_url")
        late = AsyncWebhookClient(urls.new(ANA, ONCALL, "i2"))
        clock.now += 1_801
        assert (await late.send(text="x")).body == "expired_url"
        assert len(slack.ephemerals(ANA)) == 5


async def test_a_response_url_refuses_what_a_message_may_not_hold(slack: SlackStandIn) -> None:
    url = slack.service.response_urls.new(ANA, ONCALL, "i1")
    refused = await AsyncWebhookClient(url).send(blocks=[section("x" * 3_001)])
    assert (refused.status_code, refused.body) == (400, "invalid_blocks")
    assert (await AsyncWebhookClient(url).send()).body == "no_text"


async def test_an_ephemeral_can_be_replaced_and_deleted_by_the_press_in_it(
    slack: SlackStandIn, connect: Connect
) -> None:
    app, client = app_of(slack), client_of(slack)

    @app.action("replace")
    async def replace(ack: Any, respond: Any, body: dict[str, Any]) -> None:
        await ack()
        assert "message" not in body
        await respond(text="second", blocks=actions(button("delete")), replace_original=True)

    @app.action("delete")
    async def delete(ack: Any, respond: Any) -> None:
        await ack()
        await respond(delete_original=True)

    await connect(app)
    await client.chat_postEphemeral(channel=ONCALL, user=ANA, text="first", blocks=actions(button("replace")))
    ts = slack.ephemerals(ANA)[0]["ts"]
    await slack.press(ANA, ONCALL, ts, "replace")
    await slack.wait_for(lambda: [e["text"] for e in slack.ephemerals(ANA)] == ["second"])
    await slack.press(ANA, ONCALL, ts, "delete")
    await slack.wait_for(lambda: slack.ephemerals(ANA) == [])


async def test_a_response_in_the_channel_can_go_to_a_thread(slack: SlackStandIn) -> None:
    parent = (await client_of(slack).chat_postMessage(channel=ONCALL, text="x"))["ts"]
    url = slack.service.response_urls.new(ANA, ONCALL, "i1", parent)
    body = {"response_type": "in_channel", "text": "in thread", "thread_ts": parent}
    async with ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.status == 200
    assert [m["text"] for m in slack.replies(ONCALL, parent)] == ["in thread"]
