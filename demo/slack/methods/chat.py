"""chat.*, reactions.* and pins.*: everything that changes what stands in a channel.

Called by `web_api` only. Source: docs.slack.dev/reference/methods/chat.postMessage and its neighbours.
"""

from typing import Any

from demo.slack.errors import SlackError
from demo.slack.ids import BOT_USER
from demo.slack.limits import UPDATE_TEXT, check_message
from demo.slack.model import Channel, Ephemeral, Json, Message
from demo.slack.service import Args, Handler, Service


def _content(args: Args) -> tuple[list[Any] | None, list[Any] | None]:
    return args.list("blocks", "invalid_blocks_format"), args.list("attachments", "invalid_attachments")


def _warned(answer: Json, warnings: list[str]) -> Json:
    if warnings:
        answer |= {"warning": ",".join(warnings), "response_metadata": {"warnings": warnings}}
    return answer


def _thread(channel: Channel, args: Args) -> str | None:
    """The parent that a reply goes to; a reply to a reply goes to the same parent, as in Slack."""
    thread_ts = args.text("thread_ts")
    if not thread_ts:
        return None
    parent = channel.messages.get(thread_ts)
    if parent is None:
        raise SlackError("thread_not_found")
    return parent.thread_ts if parent.is_reply else thread_ts


async def post_message(service: Service, args: Args) -> Json:
    """chat.postMessage."""
    workspace = service.workspace
    channel = workspace.channel_for_posting(args.required("channel"))
    blocks, attachments = _content(args)
    metadata = args.json("metadata", "invalid_metadata_format")
    warnings = check_message(args.text("text"), blocks, attachments, metadata)
    message = Message(
        ts=workspace.next_ts(channel),
        channel=channel.id,
        user=BOT_USER,
        text=args.text("text"),
        blocks=workspace.complete_blocks(blocks),
        attachments=workspace.complete_attachments(attachments),
        metadata=metadata,
        thread_ts=_thread(channel, args),
        unfurl_links=args.flag("unfurl_links"),
        mrkdwn=args.flag("mrkdwn", default=True),
    )
    if message.is_reply and args.flag("reply_broadcast"):
        message.broadcast, message.subtype = True, "thread_broadcast"
    workspace.post(channel, message)
    shown = workspace.message_json(message)
    return _warned({"ok": True, "channel": channel.id, "ts": message.ts, "message": shown}, warnings)


def _own_message(service: Service, args: Args, refusal: str) -> Message:
    channel = service.workspace.channel(args.required("channel"))
    if channel.is_archived:
        raise SlackError("is_archived")
    message = service.workspace.message(channel.id, args.required("ts"))
    if message.subtype == "tombstone":
        raise SlackError("message_not_found")
    if message.user != BOT_USER:
        raise SlackError(refusal)
    return message


async def update(service: Service, args: Args) -> Json:
    """chat.update. What is not sent stays; an empty list removes blocks or attachments."""
    workspace = service.workspace
    message = _own_message(service, args, "cant_update_message")
    blocks, attachments = _content(args)
    metadata = args.json("metadata", "invalid_metadata_format")
    text = args.text("text") if args.has("text") else message.text
    if not any(args.has(name) for name in ("text", "blocks", "attachments")):
        raise SlackError("no_text")
    new_blocks = message.blocks if blocks is None else blocks
    new_attachments = message.attachments if attachments is None else attachments
    warnings = check_message(text, new_blocks, new_attachments, metadata, longest_text=UPDATE_TEXT)
    was = (message.text, message.blocks)
    message.text = text
    if blocks is not None:
        message.blocks = workspace.complete_blocks(blocks)
    if attachments is not None:
        message.attachments = workspace.complete_attachments(attachments)
    if metadata is not None:
        message.metadata = metadata
    if was != (message.text, message.blocks):
        message.edited = {"user": BOT_USER, "ts": f"{int(service.clock())}.000000"}
    workspace.touch(message)
    shown = workspace.message_json(message)
    answer = {"ok": True, "channel": message.channel, "ts": message.ts, "text": message.text, "message": shown}
    return _warned(answer, warnings)


async def delete(service: Service, args: Args) -> Json:
    """chat.delete."""
    message = _own_message(service, args, "cant_delete_message")
    service.workspace.delete(message)
    return {"ok": True, "channel": message.channel, "ts": message.ts}


async def post_ephemeral(service: Service, args: Args) -> Json:
    """chat.postEphemeral: to a member of the channel, while they look."""
    workspace = service.workspace
    channel = workspace.channel_for_posting(args.required("channel"))
    user = args.required("user")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    blocks, attachments = _content(args)
    warnings = check_message(args.text("text"), blocks, attachments)
    ephemeral = Ephemeral(
        ts=workspace.next_ts(channel),
        channel=channel.id,
        user=user,
        author=BOT_USER,
        text=args.text("text"),
        blocks=workspace.complete_blocks(blocks),
        attachments=workspace.complete_attachments(attachments),
        thread_ts=_thread(channel, args),
    )
    workspace.show_ephemeral(ephemeral)
    return _warned({"ok": True, "message_ts": ephemeral.ts}, warnings)


async def get_permalink(service: Service, args: Args) -> Json:
    """chat.getPermalink: an address that the web page understands."""
    message = service.workspace.message(args.required("channel"), args.required("message_ts"))
    link = f"{service.workspace.root}archives/{message.channel}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={message.channel}"
    return {"ok": True, "channel": message.channel, "permalink": link}


def _marked(service: Service, args: Args) -> Message:
    channel = service.workspace.channel(args.required("channel"))
    if channel.is_archived:
        raise SlackError("is_archived")
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    return service.workspace.message(channel.id, args.required("timestamp"))


async def add_reaction(service: Service, args: Args) -> Json:
    """reactions.add."""
    message, name = _marked(service, args), args.required("name")
    users = message.reactions.setdefault(name, [])
    if BOT_USER in users:
        raise SlackError("already_reacted")
    users.append(BOT_USER)
    service.workspace.touch(message)
    return {"ok": True}


async def remove_reaction(service: Service, args: Args) -> Json:
    """reactions.remove."""
    message, name = _marked(service, args), args.required("name")
    if BOT_USER not in message.reactions.get(name, []):
        raise SlackError("no_reaction")
    message.reactions[name].remove(BOT_USER)
    if not message.reactions[name]:
        del message.reactions[name]
    service.workspace.touch(message)
    return {"ok": True}


async def add_pin(service: Service, args: Args) -> Json:
    """pins.add."""
    message = _marked(service, args)
    if message.pinned_by:
        raise SlackError("already_pinned")
    message.pinned_by = BOT_USER
    service.workspace.touch(message)
    return {"ok": True}


async def remove_pin(service: Service, args: Args) -> Json:
    """pins.remove."""
    message = _marked(service, args)
    if not message.pinned_by:
        raise SlackError("no_pin")
    message.pinned_by = None
    service.workspace.touch(message)
    return {"ok": True}


METHODS: dict[str, tuple[Handler, str]] = {
    "chat.postMessage": (post_message, "chat:write"),
    "chat.update": (update, "chat:write"),
    "chat.delete": (delete, "chat:write"),
    "chat.postEphemeral": (post_ephemeral, "chat:write"),
    "chat.getPermalink": (get_permalink, ""),
    "reactions.add": (add_reaction, "reactions:write"),
    "reactions.remove": (remove_reaction, "reactions:write"),
    "pins.add": (add_pin, "pins:write"),
    "pins.remove": (remove_pin, "pins:write"),
}
