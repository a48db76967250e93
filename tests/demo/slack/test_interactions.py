"""What people do besides pressing buttons of messages, and what they cannot do."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from demo.slack import ANA, BEN, BOT_USER, ONCALL, PAYMENTS, NotShown, SlackError, SlackStandIn
from demo.slack.state import im_id
from tests.demo.slack.conftest import Connect, actions, app_of, button, connector, modal, section, text_field


def menu(action_id: str, *values: str) -> dict[str, Any]:
    options = [{"text": {"type": "plain_text", "text": value}, "value": value} for value in values]
    return {"type": "static_select", "action_id": action_id, "options": options}


async def test_a_menu_in_a_modal_reports_itself_and_what_was_entered_elsewhere(
    slack: SlackStandIn, client: AsyncWebClient, connect: Connect
) -> None:
    app = app_of(slack)
    seen_by_app: list[dict[str, Any]] = []

    @app.action("open")
    async def opened(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await client.views_open(
            trigger_id=body["trigger_id"], view=modal(text_field("reason"), *actions(menu("cluster", "eu", "us")))
        )

    @app.action("cluster")
    async def chosen(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        seen_by_app.append(body)
        view = modal(section(f"in {body['actions'][0]['selected_option']['value']}"), text_field("reason"))
        await client.views_push(trigger_id=body["trigger_id"], view=view)

    await connect(app)
    ts = (await client.chat_postMessage(channel=ONCALL, text="x", blocks=actions(button("open"))))["ts"]
    first = await (await slack.press(ANA, ONCALL, ts, "open")).modal()
    pressed = await slack.press_view(ANA, first["id"], "cluster", value="us", values={"reason": "because"})
    assert (pressed.ack.ok, pressed.error) == (True, None)
    top = await slack.wait_for(lambda: (view := slack.view(ANA)) and view["previous_view_id"] and view)
    assert "in us" in str(top)
    values = seen_by_app[0]["view"]["state"]["values"]
    assert values["reason"]["text"]["value"] == "because"
    assert values["buttons"]["cluster"]["selected_option"]["value"] == "us"
    assert seen_by_app[0]["container"] == {"type": "view", "view_id": first["id"]}
    assert "response_url" not in seen_by_app[0]


async def test_a_silent_app_is_trouble_in_a_modal_and_a_note_at_home(
    slack: SlackStandIn, client: AsyncWebClient
) -> None:
    trigger = slack.service.views.new_trigger(ANA).id
    view = (await client.views_open(trigger_id=trigger, view=modal(*actions(button("next")))))["view"]
    assert (await slack.press_view(ANA, view["id"], "next")).error == "We had some trouble connecting. Try again?"
    await client.views_publish(user_id=ANA, view={"type": "home", "blocks": actions(button("refresh"))})
    assert (await slack.press_home(ANA, "refresh")).error == "This app did not respond."


async def test_nobody_acts_on_what_they_do_not_have(slack: SlackStandIn, client: AsyncWebClient) -> None:
    trigger = slack.service.views.new_trigger(ANA).id
    view = (await client.views_open(trigger_id=trigger, view=modal()))["view"]
    await client.views_publish(user_id=ANA, view={"type": "home", "blocks": actions(button("refresh"))})
    slack.archive(PAYMENTS)
    for attempt in (
        slack.submit_view(BEN, view["id"], {"reason": "x"}),
        slack.press_view(ANA, view["id"], "nowhere"),
        slack.press_home(BEN, "refresh"),
        slack.press_home(ANA, "nowhere"),
        slack.say(ANA, ONCALL, "x", thread_ts="1.000000"),
        slack.say(ANA, PAYMENTS, "x"),
        slack.command(ANA, "C0NOWHERE", "/watch"),
        slack.command(BOT_USER, ONCALL, "/watch"),
    ):
        with pytest.raises(NotShown):
            await attempt


async def test_an_ephemeral_is_pressed_by_its_reader_only(slack: SlackStandIn, client: AsyncWebClient) -> None:
    await client.chat_postEphemeral(channel=ONCALL, user=ANA, text="x", blocks=actions(button("ok")))
    ts = slack.ephemerals(ANA)[0]["ts"]
    with pytest.raises(NotShown):
        await slack.press(BEN, ONCALL, ts, "ok")
    assert (await slack.press(ANA, ONCALL, ts, "ok")).ack.status == "no_connection"


async def test_an_option_that_is_not_offered_cannot_be_chosen(slack: SlackStandIn, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=ONCALL, text="x", blocks=actions(menu("m", "a"))))["ts"]
    with pytest.raises(SlackError, match="invalid_arguments"):
        await slack.press(ANA, ONCALL, ts, "m", value="b")


async def test_an_answer_that_slack_refuses_is_reported_to_the_person(slack: SlackStandIn, connect: Connect) -> None:
    app = app_of(slack)

    @app.command("/watch")
    async def watch(ack: Any) -> None:
        await ack(text="x", blocks=[section("x" * 3_001)])

    await connect(app)
    seen = await slack.command(ANA, ONCALL, "/watch")
    assert seen.ephemerals[0]["text"] == '/watch failed with the error "invalid_blocks"'


async def test_an_app_that_subscribed_hears_messages_of_its_channels_and_direct_ones() -> None:
    async with SlackStandIn(subscriptions=["message.channels", "message.im"]) as slack:
        app = app_of(slack)
        heard = []

        @app.event("message")
        async def message(event: dict[str, Any]) -> None:
            heard.append((event["channel_type"], event["text"], event.get("thread_ts")))

        async with connector(slack) as connect:
            await connect(app)
            said = await slack.say(ANA, ONCALL, "one")
            await slack.say(ANA, ONCALL, "two", thread_ts=said.ts)
            await slack.say(ANA, im_id(ANA), "three")
    assert heard == [("channel", "one", None), ("channel", "two", said.ts), ("im", "three", None)]


async def test_people_react_and_take_it_back(slack: SlackStandIn) -> None:
    said = await slack.say(ANA, ONCALL, "x")
    assert said.ts is not None
    await slack.people.react(BEN, ONCALL, said.ts, "eyes")
    assert slack.message(ONCALL, said.ts)["reactions"][0]["users"] == [BEN]
    await slack.people.react(BEN, ONCALL, said.ts, "eyes")
    assert "reactions" not in slack.message(ONCALL, said.ts)


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": ONCALL, "blocks": "[{"}, "invalid_blocks_format"),
        ("chat.postMessage", {"channel": ONCALL, "blocks": "{}"}, "invalid_blocks_format"),
        ("chat.postMessage", {"channel": ONCALL, "text": "x", "attachments": "5"}, "invalid_attachments"),
        ("chat.postMessage", {"channel": ONCALL, "text": "x", "metadata": "5"}, "invalid_metadata_format"),
        ("chat.update", {"channel": ONCALL, "ts": "1.000000"}, "message_not_found"),
        ("conversations.history", {"channel": ONCALL, "limit": "many"}, "invalid_limit"),
        ("conversations.history", {"channel": ONCALL, "limit": "-1"}, "invalid_limit"),
        ("conversations.history", {"channel": ONCALL, "oldest": "then"}, "invalid_ts_latest"),
        ("conversations.replies", {"channel": ONCALL, "ts": "1.000000"}, "thread_not_found"),
        ("conversations.open", {}, "users_list_not_supplied"),
        ("conversations.open", {"users": "U0NOBODY"}, "user_not_found"),
        ("users.lookupByEmail", {"email": "nobody@harbour.example"}, "users_not_found"),
        ("views.open", {"trigger_id": "1", "view": "[]"}, "invalid_arguments"),
        ("views.update", {"view": "{}"}, "invalid_arguments"),
        ("files.getUploadURLExternal", {"filename": "x", "length": "0"}, "invalid_arguments"),
        ("files.completeUploadExternal", {}, "invalid_arguments"),
        ("api.test", {"error": "my_error"}, "my_error"),
    ],
)
async def test_wrong_arguments_are_named(
    client: AsyncWebClient, method: str, arguments: dict[str, str], error: str
) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(method, data=arguments)
    assert caught.value.response["error"] == error
