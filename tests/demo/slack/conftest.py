"""A running stand-in, clients for it, and a Bolt app as the bot builds one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from demo.slack import SlackStandIn

Connect = Callable[..., Awaitable[None]]


class Clock:
    """Time that a test moves."""

    def __init__(self, now: float = 1_763_700_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn() as standin:
        yield standin


@pytest.fixture
async def impatient() -> AsyncIterator[SlackStandIn]:
    """A stand-in whose app has a fifth of a second to acknowledge."""
    async with SlackStandIn(ack_seconds=0.2) as standin:
        yield standin


@pytest.fixture
def client(slack: SlackStandIn) -> AsyncWebClient:
    return client_of(slack)


def client_of(slack: SlackStandIn, **options: Any) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, **options)


def app_of(slack: SlackStandIn) -> AsyncApp:
    return AsyncApp(client=client_of(slack), signing_secret=slack.signing_secret)


@pytest.fixture
async def connect(slack: SlackStandIn) -> AsyncIterator[Connect]:
    """Connects Bolt apps to `slack` by Socket Mode, and closes them."""
    async with connector(slack) as opened:
        yield opened


@asynccontextmanager
async def connector(slack: SlackStandIn) -> AsyncIterator[Connect]:
    handlers: list[Any] = []

    async def connect(app: AsyncApp, ping_interval: float = 10) -> None:
        handler: Any = AsyncSocketModeHandler(app, slack.app_token, web_client=app.client, ping_interval=ping_interval)
        handlers.append(handler)
        await handler.connect_async()
        await slack.wait_connected(len(handlers))

    try:
        yield connect
    finally:
        for handler in handlers:
            await handler.close_async()


def button(action_id: str, label: str = "Press", **details: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": label}, **details}


def actions(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "actions", "block_id": "buttons", "elements": list(elements)}]


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def text_field(block_id: str, **details: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "text", **details}
    return {"type": "input", "block_id": block_id, "label": {"type": "plain_text", "text": "Why"}, "element": element}


def modal(*blocks: dict[str, Any], callback_id: str = "reason", **details: Any) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": {"type": "plain_text", "text": "Reason"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": list(blocks) or [text_field("reason")],
        **details,
    }
