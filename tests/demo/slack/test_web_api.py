"""The Web API as slack_sdk calls it."""

from typing import Any

import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import SectionBlock
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

from demo.slack import ANA, BEN, BOT_ID, BOT_USER, CHLOE, GENERAL, ONCALL, ONCALL_SRE, PAYMENTS, SlackStandIn
from tests.demo.slack.conftest import Clock, actions, button, client_of, section


def code(caught: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(caught.value.response["error"])


async def test_auth_test_names_the_bot(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["user_id"], answer["bot_id"]) == (BOT_USER, BOT_ID)


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth")])
async def test_a_wrong_token_is_refused(slack: SlackStandIn, token: str, error: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        await AsyncWebClient(token=token, base_url=slack.api_url).auth_test()
    assert code(caught) == error


async def test_each_token_opens_only_its_own_doors(slack: SlackStandIn, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.apps_connections_open(app_token=slack.bot_token)
    assert code(caught) == "not_allowed_token_type"
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test(token=slack.app_token)
    assert code(caught) == "not_allowed_token_type"


async def test_a_missing_scope_is_named(slack: SlackStandIn, client: AsyncWebClient) -> None:
    slack.service.scopes.discard("chat:write")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ONCALL, text="x")
    assert code(caught) == "missing_scope"
    assert caught.value.response["needed"] == "chat:write"


async def test_an_unknown_method_is_refused(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.api_call("chat.shout")
    assert code(caught) == "unknown_method"


async def test_json_form_and_query_are_read_alike(slack: SlackStandIn, client: AsyncWebClient) -> None:
    blocks = '[{"type": "divider"}]'
    await client.api_call("chat.postMessage", json={"channel": ONCALL, "text": "one", "blocks": [{"type": "divider"}]})
    await client.api_call("chat.postMessage", data={"channel": ONCALL, "text": "two", "blocks": blocks})
    await client.api_call("chat.postMessage", params={"channel": ONCALL, "text": "three", "blocks": blocks})
    assert [m["text"] for m in slack.messages(ONCALL)] == ["one", "two", "three"]
    assert all(m["blocks"][0]["type"] == "divider" for m in slack.messages(ONCALL))


async def test_a_posted_message_comes_back_as_slack_shows_it(client: AsyncWebClient) -> None:
    attachment = {"color": "#a30200", "blocks": [*actions(button("approve", value="7")), section("cause")]}
    answer = await client.chat_postMessage(channel="#oncall", text="down", attachments=[attachment])
    shown = answer["message"]
    assert answer["channel"] == ONCALL
    assert shown["attachments"][0]["color"] == "a30200"
    assert shown["attachments"][0]["id"] == 1
    assert shown["attachments"][0]["blocks"][1]["block_id"]
    assert (shown["bot_id"], shown["user"]) == (BOT_ID, BOT_USER)


async def test_timestamps_are_unique_and_ascending_while_the_clock_stands_still(clock: Clock) -> None:
    async with SlackStandIn(clock=clock) as slack:
        client = client_of(slack)
        stamps = [(await client.chat_postMessage(channel=ONCALL, text="x"))["ts"] for _ in range(5)]
        elsewhere = (await client.chat_postMessage(channel=PAYMENTS, text="x"))["ts"]
    assert stamps[:2] == ["1763700000.000000", "1763700000.000100"]
    assert sorted(set(stamps)) == stamps
    assert elsewhere == stamps[0]


async def test_posting_where_the_bot_may_not_is_refused(slack: SlackStandIn, client: AsyncWebClient) -> None:
    slack.archive(PAYMENTS)
    for channel, error in ((GENERAL, "not_in_channel"), (PAYMENTS, "is_archived"), ("C0NOWHERE", "channel_not_found")):
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel=channel, text="x")
        assert code(caught) == error


async def test_invalid_blocks_say_where_and_why(client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ONCALL, text="x", blocks=[section("x" * 3_001)])
    assert code(caught) == "invalid_blocks"
    assert "must be less than 3001 characters" in caught.value.response["response_metadata"]["messages"][0]


async def test_sdk_models_and_metadata_are_understood(client: AsyncWebClient) -> None:
    metadata = Metadata("incident", {"id": "i-1"})
    posted = await client.chat_postMessage(
        channel=ONCALL, text="x", blocks=[SectionBlock(text="hi")], metadata=metadata
    )
    without = await client.conversations_history(channel=ONCALL)
    assert "metadata" not in without["messages"][0]
    history = await client.conversations_history(
        channel=ONCALL, include_all_metadata=True, oldest=posted["ts"], inclusive=True
    )
    assert history["messages"][0]["metadata"] == {"event_type": "incident", "event_payload": {"id": "i-1"}}


async def test_update_keeps_what_is_not_sent_and_removes_what_is_emptied(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=ONCALL, text="a", blocks=[section("b")], attachments=[{"text": "c"}])
    kept = await client.chat_update(channel=ONCALL, ts=posted["ts"], text="d")
    assert kept["message"]["text"] == "d"
    assert kept["message"]["blocks"]
    assert kept["message"]["attachments"]
    assert kept["message"]["edited"]["user"] == BOT_USER
    emptied = await client.chat_update(channel=ONCALL, ts=posted["ts"], text="d", blocks=[], attachments=[])
    assert "blocks" not in emptied["message"]
    assert "attachments" not in emptied["message"]


async def test_update_and_delete_work_on_own_messages_only(slack: SlackStandIn, client: AsyncWebClient) -> None:
    said = await slack.say(ANA, ONCALL, "mine")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=ONCALL, ts=said.ts or "", text="x")
    assert code(caught) == "cant_update_message"
    with pytest.raises(SlackApiError) as caught:
        await client.chat_delete(channel=ONCALL, ts=said.ts or "")
    assert code(caught) == "cant_delete_message"
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=ONCALL, ts="1.000000", text="x")
    assert code(caught) == "message_not_found"


async def test_update_refuses_long_text_that_posting_lets_through(client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel=ONCALL, text="x" * 4_001)
    assert posted["response_metadata"]["warnings"] == ["message_truncated"]
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=ONCALL, ts=posted["ts"], text="x" * 4_001)
    assert code(caught) == "msg_too_long"


async def test_threads_are_counted_and_read_in_order(slack: SlackStandIn, client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel=ONCALL, text="parent"))["ts"]
    first = (await client.chat_postMessage(channel=ONCALL, text="one", thread_ts=parent))["ts"]
    await slack.say(BEN, ONCALL, "two", thread_ts=parent)
    await client.chat_postMessage(channel=ONCALL, text="three", thread_ts=first, reply_broadcast=True)
    thread = await client.conversations_replies(channel=ONCALL, ts=parent)
    assert [m["text"] for m in thread["messages"]] == ["parent", "one", "two", "three"]
    assert thread["messages"][0]["reply_count"] == 3
    assert thread["messages"][0]["reply_users"] == [BOT_USER, BEN]
    history = await client.conversations_history(channel=ONCALL)
    assert [m["text"] for m in history["messages"]] == ["three", "parent"]
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ONCALL, text="x", thread_ts="1.000000")
    assert code(caught) == "thread_not_found"


async def test_a_deleted_parent_leaves_a_tombstone_and_a_lone_message_nothing(
    slack: SlackStandIn, client: AsyncWebClient
) -> None:
    parent = (await client.chat_postMessage(channel=ONCALL, text="parent"))["ts"]
    await client.chat_postMessage(channel=ONCALL, text="reply", thread_ts=parent)
    lone = (await client.chat_postMessage(channel=ONCALL, text="lone"))["ts"]
    await slack.delete_message(ONCALL, parent)
    await slack.delete_message(ONCALL, lone)
    assert [m["subtype"] for m in slack.messages(ONCALL)] == ["tombstone"]
    for ts in (parent, lone):
        with pytest.raises(SlackApiError) as caught:
            await client.chat_update(channel=ONCALL, ts=ts, text="x")
        assert code(caught) == "message_not_found"


async def test_history_is_paged_and_bounded(client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel=ONCALL, text=str(n)))["ts"] for n in range(5)]
    seen = []
    async for page in await client.conversations_history(channel=ONCALL, limit=2):
        seen += [m["ts"] for m in page["messages"]]
    assert seen == stamps[::-1]
    between = await client.conversations_history(channel=ONCALL, oldest=stamps[1], latest=stamps[3])
    assert [m["ts"] for m in between["messages"]] == [stamps[2]]
    inclusive = await client.conversations_history(channel=ONCALL, oldest=stamps[1], latest=stamps[3], inclusive=True)
    assert len(inclusive["messages"]) == 3
    with pytest.raises(SlackApiError) as caught:
        await client.conversations_history(channel=ONCALL, cursor="nonsense")
    assert code(caught) == "invalid_cursor"


async def test_people_channels_and_groups_can_be_looked_up(client: AsyncWebClient) -> None:
    assert (await client.users_info(user=ANA))["user"]["real_name"] == "Ana Ruiz"
    assert (await client.users_lookupByEmail(email="ben@harbour.example"))["user"]["id"] == BEN
    assert {u["id"] for u in (await client.users_list())["members"]} >= {ANA, BEN, CHLOE, BOT_USER}
    assert (await client.usergroups_users_list(usergroup=ONCALL_SRE))["users"] == [ANA, BEN]
    assert "users" not in (await client.usergroups_list())["usergroups"][0]
    channels = {c["name"]: c for c in (await client.conversations_list())["channels"]}
    assert channels["oncall"]["is_member"]
    assert not channels["general"]["is_member"]
    assert BOT_USER in (await client.conversations_members(channel=ONCALL))["members"]
    for call in (client.users_info(user="U0NOBODY"), client.usergroups_users_list(usergroup="S0NONE")):
        with pytest.raises(SlackApiError):
            await call


async def test_the_bot_can_join_and_open_a_direct_message(slack: SlackStandIn, client: AsyncWebClient) -> None:
    await client.conversations_join(channel=GENERAL)
    assert (await client.chat_postMessage(channel=GENERAL, text="x"))["ok"]
    channel = (await client.conversations_open(users=ANA))["channel"]["id"]
    assert (await client.chat_postMessage(channel=ANA, text="direct"))["channel"] == channel
    assert slack.messages(channel)[0]["text"] == "direct"


async def test_reactions_and_pins(slack: SlackStandIn, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=ONCALL, text="x"))["ts"]
    await client.reactions_add(channel=ONCALL, timestamp=ts, name="eyes")
    await client.pins_add(channel=ONCALL, timestamp=ts)
    assert slack.message(ONCALL, ts)["reactions"] == [{"name": "eyes", "users": [BOT_USER], "count": 1}]
    assert slack.message(ONCALL, ts)["pinned_to"] == [ONCALL]
    for again, error in (
        (client.reactions_add(channel=ONCALL, timestamp=ts, name="eyes"), "already_reacted"),
        (client.pins_add(channel=ONCALL, timestamp=ts), "already_pinned"),
    ):
        with pytest.raises(SlackApiError) as caught:
            await again
        assert code(caught) == error
    await client.reactions_remove(channel=ONCALL, timestamp=ts, name="eyes")
    await client.pins_remove(channel=ONCALL, timestamp=ts)
    assert "reactions" not in slack.message(ONCALL, ts)


async def test_ephemerals_are_seen_by_one_member_and_are_not_in_the_history(
    slack: SlackStandIn, client: AsyncWebClient
) -> None:
    await client.chat_postEphemeral(channel=ONCALL, user=CHLOE, text="you may not")
    assert [e["text"] for e in slack.ephemerals(CHLOE)] == ["you may not"]
    assert slack.ephemerals(ANA) == []
    assert (await client.conversations_history(channel=ONCALL))["messages"] == []
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postEphemeral(channel=ONCALL, user="U0NOBODY", text="x")
    assert code(caught) == "user_not_in_channel"


async def test_files_upload_v2_shares_a_text_with_its_preview(slack: SlackStandIn, client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel=ONCALL, text="x"))["ts"]
    content = "\n".join(f"line {n}" for n in range(100))
    answer = await client.files_upload_v2(
        content=content, filename="api.log", title="api log", channel=ONCALL, thread_ts=parent, initial_comment="E1"
    )
    reply = slack.replies(ONCALL, parent)[0]
    file = reply["files"][0]
    assert reply["text"] == "E1"
    assert file["shares"]["public"][ONCALL][0]["ts"] == reply["ts"]
    assert file["title"] == "api log"
    assert file["preview"].startswith("line 0\n")
    assert file["preview_is_truncated"]
    assert slack.file_content(answer["file"]["id"]).decode() == content
    async with ClientSession() as session, session.get(file["url_private"]) as got:
        assert await got.text() == content
        assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert (await client.files_info(file=file["id"]))["file"]["mimetype"] == "text/plain"


async def test_several_files_and_pictures_go_into_one_message(slack: SlackStandIn, client: AsyncWebClient) -> None:
    uploads: list[dict[str, Any]] = [
        {"content": b"\x89PNG\r\n\x1a\n", "filename": "chart.png"},
        {"content": "a: 1", "filename": "pod.yaml"},
    ]
    await client.files_upload_v2(file_uploads=uploads, channel=ONCALL)
    files = slack.messages(ONCALL)[0]["files"]
    assert [f["mimetype"] for f in files] == ["image/png", "text/plain"]
    assert [f["mode"] for f in files] == ["hosted", "snippet"]


async def test_a_file_is_not_shared_before_it_was_uploaded(client: AsyncWebClient) -> None:
    issued = await client.files_getUploadURLExternal(filename="a.txt", length=3)
    with pytest.raises(SlackApiError) as caught:
        await client.files_completeUploadExternal(files=[{"id": issued["file_id"]}], channel_id=ONCALL)
    assert code(caught) == "file_not_found"
    with pytest.raises(SlackApiError):
        await client.files_info(file=issued["file_id"])


async def test_permalinks_lead_to_the_page(slack: SlackStandIn, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel=ONCALL, text="x"))["ts"]
    link = (await client.chat_getPermalink(channel=ONCALL, message_ts=ts))["permalink"]
    assert link == f"{slack.url}archives/{ONCALL}/p{ts.replace('.', '')}"
    async with ClientSession() as session, session.get(link) as page:
        assert page.status == 200
