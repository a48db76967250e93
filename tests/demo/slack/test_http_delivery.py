"""The same Bolt app behind a request URL, with Slack's signatures."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from slack_bolt.async_app import AsyncApp

from demo.slack import ANA, ONCALL, SlackStandIn
from demo.slack.delivery import signature_headers
from tests.demo.slack.conftest import actions, app_of, button, client_of, section


class Site:
    """A Bolt app on a local port."""

    def __init__(self, app: AsyncApp) -> None:
        self.app = app
        self.url = ""
        self.headers: list[dict[str, str]] = []

    async def start(self) -> None:
        application = self.app.web_app(path="/slack/events")
        application.middlewares.append(self._note)
        self.runner = web.AppRunner(application, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/slack/events"

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        response: web.StreamResponse = await handler(request)
        return response


@pytest.fixture
async def site(slack: SlackStandIn) -> AsyncIterator[Site]:
    made = Site(app_of(slack))
    await made.start()
    yield made
    await made.runner.cleanup()


async def test_the_request_url_is_verified_before_it_is_used(slack: SlackStandIn, site: Site) -> None:
    await slack.use_http(site.url)
    with pytest.raises(RuntimeError, match="challenge"):
        await slack.use_http(site.url.replace("/slack/events", "/elsewhere"))


async def test_commands_presses_and_events_arrive_signed(slack: SlackStandIn, site: Site) -> None:
    client = client_of(slack)

    @site.app.command("/watch")
    async def watch(ack: Any, command: dict[str, Any]) -> None:
        await ack(f"echo {command['text']}")

    @site.app.action("approve")
    async def approve(ack: Any, respond: Any) -> None:
        await ack()
        await respond("noted")

    @site.app.event("app_home_opened")
    async def opened(event: dict[str, Any]) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [section("home")]})

    await slack.use_http(site.url)
    assert (await (await slack.command(ANA, ONCALL, "/watch", "ümlaut & <b>")).ephemeral())[
        "text"
    ] == "echo ümlaut & <b>"
    ts = (await client.chat_postMessage(channel=ONCALL, text="x", blocks=actions(button("approve"))))["ts"]
    assert (await (await slack.press(ANA, ONCALL, ts, "approve")).ephemeral())["text"] == "noted"
    assert (await slack.open_home(ANA)).ack.ok
    await slack.wait_for(lambda: slack.home(ANA))
    assert all("X-Slack-Signature" in headers for headers in site.headers)


async def test_bolt_refuses_a_wrong_signature(slack: SlackStandIn, site: Site) -> None:
    body = '{"type": "event_callback"}'
    headers = signature_headers(body, slack.service.clock(), secret="another")
    async with ClientSession() as session, session.post(site.url, data=body, headers=headers) as answer:
        assert answer.status == 401


async def test_a_request_url_that_is_gone_fails_as_slack_fails(slack: SlackStandIn, site: Site) -> None:
    await slack.use_http(site.url)
    await site.runner.cleanup()
    seen = await slack.command(ANA, ONCALL, "/watch")
    assert seen.ack.status == "no_connection"
    assert seen.ephemerals[0]["text"] == '`/watch` failed with the error "dispatch_failed"'


async def test_an_http_error_is_no_acknowledgement(slack: SlackStandIn, site: Site) -> None:
    await slack.use_http(site.url)
    seen = await slack.command(ANA, ONCALL, "/unheard-of")
    assert (seen.ack.status, seen.ack.http_status) == ("http_error", 404)
