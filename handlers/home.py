"""App Home: the viewer's dashboard, drawn when it is opened (and, by `doors`, after a press in it)."""

from typing import Any

import structlog
from slack_bolt.app.async_app import AsyncApp

from bot import doors

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
        async with doors.guarded(self._held, "home", _logged):
            await doors.draw_home(self._held, str(event["user"]))


async def _logged(text: str) -> None:
    """Nobody is there to be told: the tab stays as it was."""
    _LOG.warning("home.not_drawn", why=text)
