"""conversations.*, users.* and usergroups.*: who is there and what was said.

Called by `web_api` only. Source: docs.slack.dev/reference/methods/conversations.history and its neighbours.
"""

from demo.slack.errors import SlackError
from demo.slack.ids import BOT_USER
from demo.slack.model import Channel, Json, Message
from demo.slack.service import Args, Handler, Service, page_of
from demo.slack.state import im_id


async def list_(service: Service, args: Args) -> Json:
    """conversations.list: public channels, and direct messages when `types` asks for them."""
    types = args.text("types", "public_channel").split(",")
    wanted = [
        channel
        for channel in service.workspace.channels.values()
        if ("im" if channel.is_im else "public_channel") in types
        and not (channel.is_archived and args.flag("exclude_archived"))
    ]
    page, cursor = page_of(wanted, args, default=100, most=1_000)
    return {"ok": True, "channels": [c.to_json() for c in page], "response_metadata": {"next_cursor": cursor}}


async def info(service: Service, args: Args) -> Json:
    """conversations.info."""
    return {"ok": True, "channel": service.workspace.channel(args.required("channel")).to_json()}


def _readable(service: Service, args: Args) -> Channel:
    channel = service.workspace.channel(args.required("channel"))
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _in_range(messages: list[Message], args: Args) -> list[Message]:
    oldest, latest, inclusive = args.text("oldest"), args.text("latest"), args.flag("inclusive")
    low, high = _number(oldest or "0"), _number(latest or "inf")

    def fits(message: Message) -> bool:
        ts = float(message.ts)
        return low <= ts <= high if inclusive else low < ts < high

    return [message for message in messages if fits(message)]


def _number(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        raise SlackError("invalid_ts_latest") from None


def _shown(service: Service, messages: list[Message], args: Args) -> list[Json]:
    with_metadata = args.flag("include_all_metadata")
    shown = []
    for message in messages:
        body = service.workspace.message_json(message)
        if with_metadata and message.metadata:
            body["metadata"] = message.metadata
        shown.append(body)
    return shown


async def history(service: Service, args: Args) -> Json:
    """conversations.history: newest first, without replies (but with those sent to the channel too)."""
    channel = _readable(service, args)
    top_level = [m for m in channel.messages.values() if not m.is_reply or m.broadcast]
    wanted = sorted(_in_range(top_level, args), key=lambda m: float(m.ts), reverse=True)
    page, cursor = page_of(wanted, args, default=100, most=999)
    pins = sum(1 for m in channel.messages.values() if m.pinned_by)
    answer: Json = {"ok": True, "messages": _shown(service, page, args), "has_more": bool(cursor), "pin_count": pins}
    return answer | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})


async def replies(service: Service, args: Args) -> Json:
    """conversations.replies: the parent, then the replies, oldest first. Raises `thread_not_found`."""
    channel = _readable(service, args)
    asked = channel.messages.get(args.required("ts"))
    if asked is None:
        raise SlackError("thread_not_found")
    parent = channel.messages.get(asked.thread_ts or asked.ts, asked)
    thread = [channel.messages[ts] for ts in parent.replies]
    page, cursor = page_of([parent, *_in_range(thread, args)], args, default=1_000, most=1_000)
    answer: Json = {"ok": True, "messages": _shown(service, page, args), "has_more": bool(cursor)}
    return answer | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})


async def members(service: Service, args: Args) -> Json:
    """conversations.members."""
    channel = service.workspace.channel(args.required("channel"))
    page, cursor = page_of(sorted(channel.members), args, default=100, most=1_000)
    return {"ok": True, "members": page, "response_metadata": {"next_cursor": cursor}}


async def join(service: Service, args: Args) -> Json:
    """conversations.join."""
    channel = service.workspace.channel(args.required("channel"))
    if channel.is_archived:
        raise SlackError("is_archived")
    if channel.is_im:
        raise SlackError("method_not_supported_for_channel_type")
    already = BOT_USER in channel.members
    service.workspace.set_member(channel.id, BOT_USER, member=True)
    answer: Json = {"ok": True, "channel": channel.to_json()}
    return answer | ({"warning": "already_in_channel"} if already else {})


async def open_(service: Service, args: Args) -> Json:
    """conversations.open: the direct message with one person."""
    users = args.text("users").split(",") if args.text("users") else []
    if not users and args.text("channel"):
        channel = service.workspace.channel(args.text("channel"))
    elif len(users) != 1:
        raise SlackError("too_many_users" if users else "users_list_not_supplied")
    else:
        channel_id = im_id(users[0])
        if channel_id not in service.workspace.channels:
            raise SlackError("user_not_found")
        channel = service.workspace.channels[channel_id]
    return {"ok": True, "channel": channel.to_json() if args.flag("return_im") else {"id": channel.id}}


async def user_info(service: Service, args: Args) -> Json:
    """users.info."""
    user = service.workspace.users.get(args.required("user"))
    if user is None:
        raise SlackError("user_not_found")
    return {"ok": True, "user": user.to_json()}


async def user_list(service: Service, args: Args) -> Json:
    """users.list."""
    page, cursor = page_of(list(service.workspace.users.values()), args, default=1_000, most=1_000)
    return {"ok": True, "members": [u.to_json() for u in page], "response_metadata": {"next_cursor": cursor}}


async def user_by_email(service: Service, args: Args) -> Json:
    """users.lookupByEmail; raises `users_not_found`, as Slack does here."""
    email = args.required("email").lower()
    for user in service.workspace.users.values():
        if user.email == email:
            return {"ok": True, "user": user.to_json()}
    raise SlackError("users_not_found")


async def group_list(service: Service, args: Args) -> Json:
    """usergroups.list; the members only when asked for."""
    groups = [group.to_json() for group in service.workspace.groups.values()]
    if not args.flag("include_users"):
        for group in groups:
            del group["users"]
    return {"ok": True, "usergroups": groups}


async def group_users(service: Service, args: Args) -> Json:
    """usergroups.users.list; raises `no_such_subteam`."""
    group = service.workspace.groups.get(args.required("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"ok": True, "users": list(group.users)}


METHODS: dict[str, tuple[Handler, str]] = {
    "conversations.list": (list_, "channels:read"),
    "conversations.info": (info, "channels:read"),
    "conversations.history": (history, "channels:history"),
    "conversations.replies": (replies, "channels:history"),
    "conversations.members": (members, "channels:read"),
    "conversations.join": (join, "channels:join"),
    "conversations.open": (open_, "im:write"),
    "users.info": (user_info, "users:read"),
    "users.list": (user_list, "users:read"),
    "users.lookupByEmail": (user_by_email, "users:read.email"),
    "usergroups.list": (group_list, "usergroups:read"),
    "usergroups.users.list": (group_users, "usergroups:read"),
}
