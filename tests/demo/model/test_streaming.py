"""What the stand-in streams, read by the SDK that would read the API's own."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anthropic
import pytest
from anthropic.types import Message, MessageParam

from demo import model

ASKED: list[MessageParam] = [{"role": "user", "content": "why?"}]
TEXT = "Die Änderung [E2] nahm DB_URL weg — und das war’s.\n\nEnd: \x00 \u2028 {" + "x" * 60


@contextlib.asynccontextmanager
async def asking(*answers: model.Answer) -> AsyncIterator[tuple[model.StandIn, anthropic.AsyncAnthropic]]:
    async with model.StandIn(answers) as standin:
        sdk = anthropic.AsyncAnthropic(api_key=model.KEY, base_url=standin.url, max_retries=0, timeout=60.0)
        async with sdk:
            yield standin, sdk
        assert standin.faults == []


async def streamed(sdk: anthropic.AsyncAnthropic, events: list[str] | None = None) -> Message:
    async with sdk.messages.stream(model="m", max_tokens=99, messages=ASKED) as stream:
        async for event in stream:
            if events is not None:
                events.append(event.type)
        return await stream.get_final_message()


async def whole(sdk: anthropic.AsyncAnthropic) -> Message:
    return await sdk.messages.create(model="m", max_tokens=99, messages=ASKED)


def told(message: Message) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude={"id"}, exclude_none=True)


@pytest.mark.parametrize(
    "answer",
    [
        model.says(TEXT),
        model.says({"cause": "the variable", "claims": []}),
        model.says(""),
        model.uses(("get", {"kind": "Pod", "name": "ä\n"}), ("top", {}), thinking="let me look at the pod first"),
        model.cut_off(),
        model.pauses(),
        model.declines(),
        model.says("x", usage={"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 5}),
    ],
)
async def test_a_stream_put_together_is_the_answer_that_comes_whole(answer: model.Answer) -> None:
    async with asking(answer, answer) as (_, sdk):
        first, second = told(await streamed(sdk)), told(await whole(sdk))
    for one in (first, second):
        for block in one["content"]:
            block.pop("id", None)
        one["usage"].pop("cache_creation_input_tokens", None)
    assert first == second
    assert first["stop_reason"] == answer.stop


async def test_events_come_in_the_order_of_the_api() -> None:
    events: list[str] = []
    async with asking(model.uses(("get", {"name": "api"}), thinking="hm")) as (standin, sdk):
        await streamed(sdk, events)
        assert standin.requests[0]["stream"] is True
    kinds = [event for event in events if "_" in event]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert kinds[1:-2].count("content_block_start") == kinds[1:-2].count("content_block_stop") == 2
    assert kinds.index("content_block_delta") > kinds.index("content_block_start")


async def test_each_event_is_one_line_of_data_and_a_ping_is_among_them() -> None:
    body = {"model": "m", "max_tokens": 9, "messages": ASKED, "stream": True}
    headers = {"authorization": f"Bearer {model.KEY}", "anthropic-version": "2023-06-01"}
    async with (
        model.StandIn([model.says(TEXT)]) as standin,
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{standin.url}v1/messages", json=body) as answer,
    ):
        assert answer.content_type == "text/event-stream"
        frames = (await answer.read()).decode().split("\n\n")
    assert frames.pop() == ""
    for frame in frames:
        event, data = frame.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == event.removeprefix("event: ")
    assert "event: ping" in frames[1]


async def test_an_error_in_the_midst_of_a_stream_ends_it() -> None:
    events: list[str] = []
    async with asking(model.interrupted(), model.interrupted()) as (_, sdk):
        with pytest.raises(anthropic.APIStatusError) as streaming:
            await streamed(sdk, events)
        with pytest.raises(anthropic.APIStatusError) as at_once:
            await whole(sdk)
    assert "content_block_delta" in events
    assert "message_stop" not in events
    assert "overloaded_error" in str(streaming.value)
    assert at_once.value.status_code == 529


async def test_a_stream_that_breaks_off_in_an_event_is_no_answer() -> None:
    events: list[str] = []
    async with asking(model.breaks_off()) as (_, sdk):
        with pytest.raises(Exception, match="peer closed connection"):  # of the SDK's transport, and none of its own
            await streamed(sdk, events)
    assert events[0] == "message_start"
    assert "message_stop" not in events


@pytest.mark.parametrize("answer", [model.overloaded(), model.rate_limited(), model.garbage(status=502)])
async def test_a_stream_that_never_begins_is_an_error(answer: model.Answer) -> None:
    async with asking(answer) as (_, sdk):
        with pytest.raises(anthropic.APIStatusError):
            await streamed(sdk)


async def test_a_stream_that_falls_silent_is_left_by_its_client() -> None:
    async with asking(model.hangs()) as (standin, sdk):
        task = asyncio.create_task(streamed(sdk))
        async with asyncio.timeout(60):
            await standin.waiting.wait()
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
