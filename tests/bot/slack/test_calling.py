"""What Slack answers, or does not, becomes one of three words: paused, unanswered, refused."""

from datetime import timedelta

import aiohttp
import pydantic
import pytest
from aiohttp import web

from bot.slack import calling
from bot.slack.blocks import answers
from tests.bot.slack import desks

HELLO = answers.said("Hello.")


async def _asked(answer: web.Response) -> calling.SlackFault:
    """The fault that a server makes which answers everything with this."""

    async def any_method(_request: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_route("*", "/api/{method}", any_method)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        client = calling.client(pydantic.SecretStr("xoxb-1"), f"http://127.0.0.1:{port}/api/")
        with pytest.raises(calling.SlackFault) as caught:
            await calling.Calling(client, desks.Clock()).post("C1", HELLO)
    finally:
        await runner.cleanup()
    return caught.value


@pytest.mark.parametrize(
    ("after", "seconds"), [("7", 7), ("0.5", 0.5), ("-3", 0), ("99999", 3600), ("soon", 30), (None, 30)]
)
async def test_a_pause_lasts_as_long_as_slack_says(after: str | None, seconds: float) -> None:
    headers = {} if after is None else {"Retry-After": after}
    fault = await _asked(web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers))
    assert isinstance(fault, calling.Paused)
    assert fault.until == desks.START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "answer",
    [
        (500, "<html>sorry</html>", "text/html"),
        (200, "{not json", "application/json"),
        (200, "", "text/plain"),
        (200, '{"ok": false, "error": "fatal_error"}', "application/json"),
        (503, '{"ok": false, "error": "service_unavailable"}', "application/json"),
    ],
)
async def test_an_answer_without_a_meaning_is_no_answer(answer: tuple[int, str, str]) -> None:
    status, body, kind = answer
    fault = await _asked(web.Response(status=status, text=body, content_type=kind))
    assert isinstance(fault, calling.Unanswered)


async def test_a_refusal_has_slacks_code_and_its_words() -> None:
    told = {"messages": ["[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]}
    fault = await _asked(web.json_response({"ok": False, "error": "invalid_blocks", "response_metadata": told}))
    assert isinstance(fault, calling.Refused)
    assert fault.code == "invalid_blocks"
    assert "json-pointer:/blocks/0/text/text" in str(fault)


async def test_nobody_there_is_no_answer(unused_tcp_port: int) -> None:
    client = calling.client(None, f"http://127.0.0.1:{unused_tcp_port}/api/")
    with pytest.raises(calling.Unanswered):
        await calling.Calling(client, desks.Clock()).post("C1", HELLO)


def test_the_environments_proxy_is_not_asked_for_this_hosts_own_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert calling.client(None, "http://127.0.0.1:8900/api/").proxy is None
    assert calling.client(None, "https://slack.com/api/").proxy == "http://proxy.example:3128"


def test_no_fault_is_an_sdk_exception() -> None:
    for fault in (calling.Paused, calling.Unanswered, calling.Refused):
        assert issubclass(fault, calling.SlackFault)
        assert not issubclass(fault, aiohttp.ClientError)
