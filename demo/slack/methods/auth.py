"""auth.test, api.test and apps.connections.open.

Called by `web_api` only.
"""

from demo.slack.errors import SlackError
from demo.slack.ids import APP_ID, BOT_ID, BOT_USER, TEAM_ID, TEAM_NAME
from demo.slack.model import Json
from demo.slack.service import Args, Handler, Service


async def api_test(_: Service, args: Args) -> Json:
    """api.test: says back what it was told; `error` makes it fail."""
    if args.text("error"):
        raise SlackError(args.text("error"), args=args.values)
    return {"ok": True, "args": args.values}


async def auth_test(service: Service, _: Args) -> Json:
    """auth.test."""
    return {
        "ok": True,
        "url": service.workspace.root,
        "team": TEAM_NAME,
        "team_id": TEAM_ID,
        "user": "watchkeeper",
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "is_enterprise_install": False,
    }


async def connections_open(service: Service, _: Args) -> Json:
    """apps.connections.open: the address of one websocket."""
    ticket = service.delivery.new_ticket()
    address = service.workspace.root.replace("http://", "ws://", 1)
    return {"ok": True, "url": f"{address}link/?ticket={ticket}&app_id={APP_ID}"}


METHODS: dict[str, tuple[Handler, str]] = {
    "api.test": (api_test, ""),
    "auth.test": (auth_test, ""),
    "apps.connections.open": (connections_open, "connections:write"),
}
