"""The workspace: who is in it, what was said, and who is told when something changes.

Holds no socket and no task; the method handlers, the interactions and the page read and change it. Every change is
published to the listeners (the browsers, and tests that wait for something) as a `Change`.
"""

import copy
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from demo.slack import files
from demo.slack.errors import SlackError
from demo.slack.ids import (
    ANA,
    APP_ID,
    BEN,
    BOT_ID,
    BOT_USER,
    CHLOE,
    GENERAL,
    ONCALL,
    ONCALL_SRE,
    PAYMENTS,
    SLACKBOT,
    TEAM_ID,
)
from demo.slack.model import Channel, Ephemeral, File, Json, Message, User, UserGroup

Clock = Callable[[], float]
COLOURS = {"good": "2eb886", "warning": "daa038", "danger": "a30200"}
NO_PREVIEW = "[no preview available]"

PEOPLE = (
    User(ANA, "ana.ruiz", "Ana Ruiz", "ana@harbour.example", "On call, may approve"),
    User(BEN, "ben.okafor", "Ben Okafor", "ben@harbour.example", "SRE, may approve", "Europe/London"),
    User(CHLOE, "chloe.lind", "Chloe Lind", "chloe@harbour.example", "Developer, may not approve", "Europe/Stockholm"),
)
BOTS = (User(BOT_USER, "watchkeeper", "Watchkeeper", is_bot=True), User(SLACKBOT, "slackbot", "Slackbot", is_bot=True))


@dataclass(frozen=True)
class Change:
    """Something that a browser may have to redraw. `user` limits it to one person, `channel` to those who see it."""

    kind: str
    data: Json = field(default_factory=dict)
    user: str | None = None
    channel: str | None = None


def im_id(user: str) -> str:
    """The direct message channel between a person and the bot."""
    return f"D{user[1:]}"


class Workspace:
    """Everything that Slack would keep on its side. One instance per stand-in; used from one event loop."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.root = ""
        self.users = {user.id: user for user in (*PEOPLE, *BOTS)}
        everyone = {user.id for user in PEOPLE}
        channels = [
            Channel(ONCALL, "oncall", everyone | {BOT_USER}, "Incidents, one thread each. Watchkeeper posts here."),
            Channel(PAYMENTS, "payments", everyone | {BOT_USER}, "The payments team"),
            Channel(GENERAL, "general", set(everyone), "Company-wide announcements"),
            *(Channel(im_id(user.id), "", {user.id, BOT_USER}, im_user=user.id) for user in PEOPLE),
        ]
        self.channels = {channel.id: channel for channel in channels}
        self.groups = {ONCALL_SRE: UserGroup(ONCALL_SRE, "oncall-sre", "On-call SRE", (ANA, BEN))}
        self.ephemerals: list[Ephemeral] = []
        self.ephemeral_count = 0
        self.files: dict[str, File] = {}
        self._listeners: list[Callable[[Change], None]] = []
        self._serial = itertools.count(1)

    # Listening

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on every change, until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, change: Change) -> None:
        """Tell every listener."""
        for listener in tuple(self._listeners):
            listener(change)

    def serial(self, prefix: str) -> str:
        """A new identifier, unique in this workspace, of Slack's looks: a letter and ten digits or capitals."""
        return f"{prefix}0{next(self._serial):09d}"

    # Channels and people

    def channel(self, channel_id: str) -> Channel:
        """By id; raises `channel_not_found`."""
        if channel_id not in self.channels:
            raise SlackError("channel_not_found")
        return self.channels[channel_id]

    def channel_for_posting(self, target: str) -> Channel:
        """By id, by `#name`, or by a person's id (their direct message); it must be open to the bot."""
        by_name = {f"#{c.name}": c.id for c in self.channels.values() if c.name}
        target = by_name.get(target) or by_name.get(f"#{target}") or target
        if target in self.users and not self.users[target].is_bot:
            target = im_id(target)
        channel = self.channel(target)
        if channel.is_archived:
            raise SlackError("is_archived")
        if BOT_USER not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def archive(self, channel_id: str, *, archived: bool = True) -> None:
        """Archive a channel, as its people may at any time."""
        channel = self.channel(channel_id)
        channel.is_archived = archived
        self.publish(Change("channel", self.channel_json(channel), channel=channel_id))

    def set_member(self, channel_id: str, user: str, *, member: bool) -> None:
        """Invite someone to a channel, or remove them."""
        channel = self.channel(channel_id)
        (channel.members.add if member else channel.members.discard)(user)
        self.publish(Change("channel", self.channel_json(channel), channel=channel_id))

    def channel_json(self, channel: Channel) -> Json:
        """A channel as the page sees it."""
        return channel.to_json() | {"members": sorted(channel.members), "bot_is_member": BOT_USER in channel.members}

    # Messages

    def next_ts(self, channel: Channel) -> str:
        """A new `ts`: seconds and microseconds, later than any other in its channel."""
        tick = max(int(self.clock() * 1_000_000), channel.last_tick + 100)
        channel.last_tick = tick
        return f"{tick // 1_000_000}.{tick % 1_000_000:06d}"

    def message(self, channel_id: str, ts: str) -> Message:
        """One message; raises `channel_not_found` or `message_not_found`."""
        message = self.channel(channel_id).messages.get(ts)
        if message is None:
            raise SlackError("message_not_found")
        return message

    def post(self, channel: Channel, message: Message) -> Message:
        """Add a message, link it to its thread, tell the browsers."""
        channel.messages[message.ts] = message
        if message.is_reply and message.thread_ts in channel.messages:
            parent = channel.messages[message.thread_ts]
            parent.thread_ts = parent.ts
            parent.replies.append(message.ts)
            self.touch(parent)
        self.touch(message)
        return message

    def touch(self, message: Message) -> None:
        """Tell the browsers that a message is new or has changed."""
        self.publish(Change("message", self.message_json(message, full=True), channel=message.channel))

    def delete(self, message: Message) -> None:
        """Remove a message. A parent with replies stays as Slack's tombstone, so that its thread can be read."""
        channel = self.channel(message.channel)
        if message.replies:
            message.subtype, message.text = "tombstone", "This message was deleted."
            message.blocks, message.attachments, message.files = [], [], []
            message.user, message.metadata, message.reactions = SLACKBOT, None, {}
            self.touch(message)
            return
        del channel.messages[message.ts]
        self.publish(Change("message_deleted", {"channel": channel.id, "ts": message.ts}, channel=channel.id))
        parent = channel.messages.get(message.thread_ts or "")
        if message.is_reply and parent is not None:
            parent.replies.remove(message.ts)
            self.touch(parent)

    def message_json(self, message: Message, *, full: bool = False) -> Json:
        """As conversations.history shows it; `full` adds the metadata and what only the page needs."""
        body: Json = {"type": "message", "ts": message.ts, "user": message.user, "text": message.text, "team": TEAM_ID}
        optional = {
            "subtype": message.subtype,
            "thread_ts": message.thread_ts,
            "blocks": message.blocks,
            "attachments": message.attachments,
            "edited": message.edited,
            "files": [files.to_json(self.files[f], self.root) for f in message.files],
            "reactions": [{"name": n, "users": u, "count": len(u)} for n, u in message.reactions.items()],
            "metadata": message.metadata if full else None,
            "pinned_to": [message.channel] if message.pinned_by else None,
        }
        body |= {key: value for key, value in optional.items() if value}
        if message.user == BOT_USER:
            body |= {"bot_id": BOT_ID, "app_id": APP_ID, "bot_profile": BOT_PROFILE}
        if message.is_reply:
            body["parent_user_id"] = self._author_of(message.channel, message.thread_ts)
        elif message.replies:
            body |= self._thread_summary(message)
        if full:
            body |= {"channel": message.channel, "broadcast": message.broadcast}
        return copy.deepcopy(body)

    def _author_of(self, channel_id: str, ts: str | None) -> str:
        parent = self.channels[channel_id].messages.get(ts or "")
        return parent.user if parent else ""

    def _thread_summary(self, message: Message) -> Json:
        channel = self.channels[message.channel]
        authors = list(dict.fromkeys(channel.messages[ts].user for ts in message.replies))
        return {
            "reply_count": len(message.replies),
            "reply_users": authors,
            "reply_users_count": len(authors),
            "latest_reply": message.replies[-1],
            "is_locked": False,
            "subscribed": False,
        }

    # Ephemerals

    def show_ephemeral(self, ephemeral: Ephemeral) -> Ephemeral:
        """Show a message to one person."""
        self.ephemeral_count += 1
        ephemeral.number = self.ephemeral_count
        self.ephemerals.append(ephemeral)
        self.publish(Change("ephemeral", ephemeral.to_json(), user=ephemeral.user, channel=ephemeral.channel))
        return ephemeral

    def ephemeral(self, channel_id: str, ts: str) -> Ephemeral | None:
        """A message that one person sees, if it is still shown."""
        return next((e for e in self.ephemerals if (e.channel, e.ts) == (channel_id, ts)), None)

    def remove_ephemeral(self, ephemeral: Ephemeral) -> None:
        """Take it away from its reader."""
        if ephemeral in self.ephemerals:
            self.ephemerals.remove(ephemeral)
            data = {"channel": ephemeral.channel, "ts": ephemeral.ts}
            self.publish(Change("ephemeral_removed", data, user=ephemeral.user, channel=ephemeral.channel))

    # Content

    def complete_blocks(self, blocks: Iterable[Json] | None) -> list[Json]:
        """A copy of the blocks in which every block and element has an id, as Slack makes them up when they miss."""
        completed = copy.deepcopy(list(blocks or []))
        for block in completed:
            block.setdefault("block_id", self.serial("b"))
            elements = block.get("elements", []) if block.get("type") == "actions" else []
            for element in (*elements, block.get("accessory"), block.get("element")):
                if isinstance(element, dict) and element.get("type") != "image":
                    element.setdefault("action_id", self.serial("a"))
        return completed

    def complete_attachments(self, attachments: Iterable[Json] | None) -> list[Json]:
        """A copy of the attachments with what Slack adds: numbers, a fallback, colours without `#`."""
        completed = []
        for number, attachment in enumerate(attachments or [], start=1):
            entry = copy.deepcopy(dict(attachment)) | {"id": number}
            if entry.get("blocks"):
                entry["blocks"] = self.complete_blocks(entry["blocks"])
            entry["fallback"] = entry.get("fallback") or entry.get("text") or NO_PREVIEW
            if entry.get("color"):
                entry["color"] = COLOURS.get(entry["color"], str(entry["color"]).removeprefix("#"))
            completed.append(entry)
        return completed


BOT_PROFILE: Json = {
    "id": BOT_ID,
    "app_id": APP_ID,
    "user_id": BOT_USER,
    "name": "Watchkeeper",
    "deleted": False,
    "team_id": TEAM_ID,
    "updated": 1_700_000_000,
    "icons": {},
}
