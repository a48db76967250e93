"""Faults to order, and the journal that proves what was called."""

import time

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from demo.slack import ONCALL, SlackStandIn
from tests.demo.slack.conftest import client_of


async def test_a_rate_limit_says_when_to_come_back_and_the_sdk_does(slack: SlackStandIn) -> None:
    client = client_of(slack, retry_handlers=[AsyncRateLimitErrorRetryHandler()])
    slack.faults.ratelimit("chat.postMessage", retry_after=1)
    started = time.monotonic()
    await client.chat_postMessage(channel=ONCALL, text="x")
    assert time.monotonic() - started >= 1
    first, second = slack.journal.calls("chat.postMessage")
    assert (first.status, first.fault, first.ok) == (429, "ratelimited", False)
    assert second.ok
    assert len(slack.messages(ONCALL)) == 1


async def test_without_a_retry_handler_a_rate_limit_is_an_error(slack: SlackStandIn, client: AsyncWebClient) -> None:
    slack.faults.ratelimit(times=2, retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert caught.value.response.status_code == 429
    assert caught.value.response["error"] == "ratelimited"
    assert caught.value.response.headers["Retry-After"] == "7"


async def test_server_errors_and_api_errors(slack: SlackStandIn, client: AsyncWebClient) -> None:
    slack.faults.http_error("chat.*", status=503)
    slack.faults.api_error("chat.postMessage", "fatal_error")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ONCALL, text="x")
    assert caught.value.response.status_code == 503
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ONCALL, text="x")
    assert caught.value.response["error"] == "fatal_error"
    assert slack.messages(ONCALL) == []
    assert (await client.chat_postMessage(channel=ONCALL, text="x"))["ok"]


async def test_a_dropped_response_leaves_the_message_posted(slack: SlackStandIn) -> None:
    slack.faults.drop_response("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client_of(slack, retry_handlers=[]).chat_postMessage(channel=ONCALL, text="x")
    assert [m["text"] for m in slack.messages(ONCALL)] == ["x"]
    assert slack.journal[-1].ok
    assert slack.journal[-1].fault == "drop_response"


async def test_the_sdk_by_itself_posts_twice_when_a_response_is_dropped(slack: SlackStandIn) -> None:
    slack.faults.drop_response("chat.postMessage")
    await client_of(slack).chat_postMessage(channel=ONCALL, text="x")
    assert len(slack.messages(ONCALL)) == 2


async def test_a_dropped_request_was_not_made(slack: SlackStandIn) -> None:
    slack.faults.drop_request("chat.postMessage")
    await client_of(slack).chat_postMessage(channel=ONCALL, text="x")
    assert len(slack.messages(ONCALL)) == 1
    assert [call.fault for call in slack.journal] == ["drop_request", None]


async def test_a_delayed_call_is_made_late(slack: SlackStandIn, client: AsyncWebClient) -> None:
    slack.faults.delay("chat.postMessage", seconds=0.2)
    started = time.monotonic()
    await client.chat_postMessage(channel=ONCALL, text="x")
    assert time.monotonic() - started >= 0.2


async def test_the_journal_holds_arguments_and_results_but_no_token(
    slack: SlackStandIn, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel=ONCALL, text="x")
    await client.auth_test()
    call = slack.journal.calls("chat.postMessage")[0]
    assert call.args["text"] == "x"
    assert call.result["ts"] == slack.messages(ONCALL)[0]["ts"]
    assert slack.bot_token not in str([entry.to_json() for entry in slack.journal])
    assert len(slack.journal) == 2
    slack.journal.clear()
    assert len(slack.journal) == 0
