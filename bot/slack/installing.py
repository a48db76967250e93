"""Where this app is installed, and that what comes from elsewhere gets no further than its first door.

There is one workspace (or one Enterprise Grid organisation) and one token. Which one, only Slack can say: `auth.test`,
asked at the start until it answers; until then what Slack says of our own posts will do. Each payload names a team;
Bolt finds it (`context.team_id`), in events of shared channels that of the installation. What names another one, or
none, is acknowledged, logged, and reaches no listener. As long as the own one is not known nothing is decided: the
press fails visibly in Slack, and can be repeated.

`bot.main` makes one `Installation` and the app around it. https://docs.slack.dev/reference/methods/auth.test.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack import calling
from bot.slack.blocks import modals

_LOG = structlog.get_logger(__name__)

PATIENCE = 0.5
"""Seconds that a payload waits for Slack to say where this is installed: of three, deciding may take two."""
AGAIN = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries at the start; the last one again and again."""
FOREIGN = "This Watchkeeper belongs to another Slack workspace. Nothing was done."
UNKNOWN = "Slack has not said yet which workspace this app is installed in, so nothing was done. Try again in a minute."


@dataclass(frozen=True, slots=True)
class Place:
    """Of an installation: its team, or, where it is installed in a whole organisation, that."""

    team: str
    organisation: str = ""
    whole: bool = False
    """Installed in the organisation, so in each of its teams."""

    def holds(self, team: str, organisation: str) -> bool:
        if self.whole:
            return bool(self.organisation) and organisation == self.organisation
        return bool(self.team) and team == self.team


class Installation:
    """One per process."""

    def __init__(self, slack: calling.Calling) -> None:
        self._slack = slack
        self._place: Place | None = None
        self._seen: Place | None = None

    async def learn(self) -> None:
        """Until it is known; a Slack that is away is waited for."""
        tries = 0
        while self._place is None:
            try:
                self._place = await self._asked()
            except calling.SlackFault as error:
                _LOG.warning("slack.workspace_unknown", error=str(error))
                await asyncio.sleep(AGAIN[min(tries, len(AGAIN) - 1)])
                tries += 1

    def posted_in(self, team: str) -> None:
        """Our token has posted a message, and Slack says that it is in this team."""
        self._seen = Place(team)

    async def gate(
        self, context: AsyncBoltContext, body: dict[str, Any], next_: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse:
        """Bolt's middleware before all listeners; the names of its arguments are Bolt's."""
        place = self._place or self._seen or await self._now()
        if place is None:
            return _answer(body, UNKNOWN) or BoltResponse(status=503, body="")
        team, organisation = str(context.team_id or ""), str(context.enterprise_id or "")
        if place.holds(team, organisation):
            return await next_()
        _LOG.warning("slack.foreign_payload", team=team[:40], organisation=organisation[:40], kind=_kind(body))
        return _answer(body, FOREIGN) or BoltResponse(status=200, body="")

    async def _now(self) -> Place | None:
        with contextlib.suppress(calling.SlackFault, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                self._place = await self._asked()
        return self._place

    async def _asked(self) -> Place:
        told = await self._slack.whoami()
        return Place(
            str(told.get("team_id") or ""),
            str(told.get("enterprise_id") or ""),
            bool(told.get("is_enterprise_install")),
        )


def bolt(client: AsyncWebClient, installation: Installation, *, signing_secret: str, signed: bool) -> AsyncApp:
    """The app that listeners are registered at. `signed`: payloads come over HTTP, and their signatures are checked."""
    app = AsyncApp(
        client=client,
        authorize=_nobody_looked_up,
        signing_secret=signing_secret,
        request_verification_enabled=signed,
    )
    app.middleware(installation.gate)
    return app


async def _nobody_looked_up(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
    """There is one token, which only the publisher uses; whose payload it is, the gate asks.

    Bolt's own way is to ask `auth.test` at the first press. Where Slack's Web API is unwell at that moment, it would
    keep the press back and tell the person that the app is no longer installed.
    """
    return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)


def _kind(body: Mapping[str, Any]) -> str:
    return str(body.get("type") or ("command" if "command" in body else ""))[:40]


def _answer(body: Mapping[str, Any], told: str) -> BoltResponse | None:
    """Where the acknowledgement itself can carry a sentence: commands and windows."""
    if "command" in body:
        return BoltResponse(status=200, body={"response_type": "ephemeral", "text": told})
    if body.get("type") == "view_submission":
        return BoltResponse(status=200, body={"response_action": "update", "view": modals.notice("Not here", told)})
    return None
