"""views.*: modals and the home tab.

Called by `web_api` only. Source: docs.slack.dev/reference/methods/views.open and its neighbours.
"""

from demo.slack.errors import SlackError
from demo.slack.limits import check_view
from demo.slack.model import Json
from demo.slack.service import Args, Handler, Service


def _view(args: Args) -> Json:
    """The view, checked first: a refused view does not use its trigger up."""
    view = args.json("view")
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: view"])
    check_view(view)
    return view


def _trigger_id(args: Args) -> str:
    return args.text("trigger_id") or args.required("interactivity_pointer")


async def open_(service: Service, args: Args) -> Json:
    """views.open, within three seconds of the interaction."""
    content = _view(args)
    trigger = service.views.exchange(_trigger_id(args))
    return {"ok": True, "view": service.views.open(trigger.user, content).to_json()}


async def push(service: Service, args: Args) -> Json:
    """views.push, from an interaction inside a modal."""
    content = _view(args)
    trigger = service.views.exchange(_trigger_id(args))
    if trigger.view is None:
        raise SlackError("not_found")
    return {"ok": True, "view": service.views.push(trigger.user, content).to_json()}


async def update(service: Service, args: Args) -> Json:
    """views.update; raises `not_found` or `hash_conflict`."""
    content = _view(args)
    if not args.text("view_id") and not args.text("external_id"):
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: view_id"])
    view = service.views.find(args.text("view_id"), args.text("external_id"))
    return {"ok": True, "view": service.views.update(view, content, args.text("hash")).to_json()}


async def publish(service: Service, args: Args) -> Json:
    """views.publish: the home tab of one person."""
    user = args.required("user_id")
    if user not in service.workspace.users:
        raise SlackError("user_not_found")
    return {"ok": True, "view": service.views.publish(user, _view(args), args.text("hash")).to_json()}


METHODS: dict[str, tuple[Handler, str]] = {
    "views.open": (open_, ""),
    "views.push": (push, ""),
    "views.update": (update, ""),
    "views.publish": (publish, ""),
}
