"""App Home: the viewer's dashboard, drawn when it is opened."""

from dataclasses import replace
from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp

from bot import doors, ticks
from bot.slack.blocks import home

_LOG = structlog.get_logger(__name__)


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to App Home being opened."""
    app.event("app_home_opened")(_Listener(held).opened)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def opened(self, event: dict[str, Any]) -> None:
        if event.get("tab") != "home":
            return
        async with doors.guarded("home", _logged):
            now = self._held.clock()
            found = await self._held.pipeline.status()
            shown = tuple(
                replace(one, next_tick=ticks.following(one.watch.cron, one.watch.timezone, now))
                for one in found.watches
            )
            user = str(event["user"])
            await self._held.publisher.home(user, home.page(replace(found, watches=shown), user))


async def _logged(text: str) -> None:
    """Nobody is there to be told: the tab stays as it was."""
    _LOG.warning("home.not_drawn", why=text)
