"""The client over HTTP: what comes back, and each way in which nothing does."""

from collections.abc import AsyncIterator

import pytest

from bot.domain import consultations
from bot.llm import client, messages
from demo import model as standin
from demo.model import KEY, StandIn

REQUEST = messages.Request(
    "claude-sonnet-5-5",
    "You read.",
    [],
    {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    ({"role": "user", "content": [{"type": "text", "text": "Well?"}]},),
)


@pytest.fixture
async def api() -> AsyncIterator[StandIn]:
    async with StandIn() as model:
        yield model


@pytest.fixture
async def over(api: StandIn) -> AsyncIterator[client.Client]:
    made = client.Client(KEY, api.url, seconds=100, retries=1)
    yield made
    await made.close()


async def test_an_answer_comes_back_with_its_stop_and_what_it_used(api: StandIn, over: client.Client) -> None:
    usage = {"input_tokens": 5, "output_tokens": 7, "cache_creation_input_tokens": 11, "cache_read_input_tokens": 13}
    api.then(standin.says({"a": 1}, usage=usage))
    reply = await over.create(REQUEST, 100)
    assert (reply.text, reply.stop, reply.calls) == ('{"a": 1}', "end_turn", ())
    assert reply.usage == consultations.Usage(5, 7, 11, 13)


async def test_what_is_sent_is_the_body_of_the_request_and_nothing_more(api: StandIn, over: client.Client) -> None:
    api.then(standin.says("{}"))
    await over.create(REQUEST, 100)
    assert api.requests == [REQUEST.body]
    assert "temperature" not in api.requests[0]
    assert api.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_the_stable_part_is_read_from_the_cache_the_second_time(api: StandIn, over: client.Client) -> None:
    api.then(standin.says("{}"), standin.says("{}"))
    first, second = (await over.create(REQUEST, 100)).usage, (await over.create(REQUEST, 100)).usage
    assert first.written > 0
    assert (first.read, second.written) == (0, 0)
    assert second.read == first.written


async def test_calls_of_tools_come_with_their_input_beside_the_thinking(api: StandIn, over: client.Client) -> None:
    api.then(standin.uses(("get", {"kind": "Pod"}), ("top", {}), thinking="hm"))
    reply = await over.create(REQUEST, 100)
    assert reply.stop == "tool_use"
    assert [(call.name, dict(call.input)) for call in reply.calls] == [("get", {"kind": "Pod"}), ("top", {})]
    assert reply.content[0]["signature"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (standin.fails(401, "authentication_error"), messages.BadKey),
        (standin.fails(403, "permission_error"), messages.BadKey),
        (standin.fails(400, "invalid_request_error", "max_tokens: too large"), messages.Refused),
        (standin.fails(400, "invalid_request_error", "Your credit balance is too low"), messages.SpendLimit),
        (standin.fails(402, "billing_error"), messages.SpendLimit),
        (standin.fails(404, "not_found_error", "model: claude-none"), messages.Refused),
        (standin.fails(413, "request_too_large"), messages.Refused),
        (standin.garbage(), messages.Malformed),
        (standin.garbage(b'{"content": "no list", "usage": {}}'), messages.Malformed),
        (standin.garbage(b'{"content": [], "usage": null}'), messages.Malformed),
        (standin.garbage(b'{"content": [{"type": "tool_use", "input": 3}], "usage": {}}'), messages.Malformed),
        (standin.garbage(b"[" * 100_000), messages.Malformed),
        (standin.garbage(b"\xff\xfe"), messages.Malformed),
    ],
)
async def test_what_is_no_answer_has_its_own_error(
    api: StandIn, over: client.Client, answer: standin.Answer, expected: type[messages.Failed]
) -> None:
    api.then(answer)
    with pytest.raises(messages.Failed) as caught:
        await over.create(REQUEST, 100)
    assert type(caught.value) is expected
    assert KEY not in f"{caught.value} {caught.value.detail}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (standin.rate_limited(), messages.RateLimited),
        (
            standin.fails(429, "rate_limit_error", "monthly limit", code="enforced_spend_limit_reached"),
            messages.SpendLimit,
        ),
        (standin.overloaded(), messages.Overloaded),
        (standin.fails(500, "api_error"), messages.Overloaded),
        (standin.fails(504, "timeout_error"), messages.TimedOut),
        (standin.breaks_off(), messages.Unreachable),
    ],
)
async def test_what_may_pass_is_tried_again_and_then_told(
    api: StandIn, over: client.Client, answer: standin.Answer, expected: type[messages.Failed]
) -> None:
    api.then(answer, answer)
    with pytest.raises(messages.Failed) as caught:
        await over.create(REQUEST, 100)
    assert type(caught.value) is expected
    assert len(api.requests) == 2


async def test_an_overload_that_passes_is_not_told(api: StandIn, over: client.Client) -> None:
    api.then(standin.overloaded(), standin.says("{}"))
    assert (await over.create(REQUEST, 100)).stop == "end_turn"


async def test_silence_ends_with_the_time_that_is_left(api: StandIn, over: client.Client) -> None:
    api.then(standin.hangs())
    with pytest.raises(messages.TimedOut):
        await over.create(REQUEST, 0.3)


async def test_an_address_without_a_server_is_told_as_such() -> None:
    async with StandIn() as gone:
        url = gone.url
    over = client.Client(KEY, url, seconds=100, retries=0)
    with pytest.raises(messages.Unreachable):
        await over.create(REQUEST, 100)
    await over.close()


async def test_a_wrong_key_is_refused_by_the_server(api: StandIn) -> None:
    over = client.Client("another-key", api.url, retries=0)
    with pytest.raises(messages.BadKey):
        await over.create(REQUEST, 100)
    await over.close()


@pytest.mark.parametrize(
    ("stop", "expected"),
    [("model_context_window_exceeded", "max_tokens"), ("stop_sequence", "end_turn"), ("brand_new", "other")],
)
async def test_each_reason_to_stop_is_one_that_we_know(
    api: StandIn, over: client.Client, stop: str, expected: str
) -> None:
    api.then(standin.Answer(({"type": "text", "text": "{}"},), stop))
    assert (await over.create(REQUEST, 100)).stop == expected
