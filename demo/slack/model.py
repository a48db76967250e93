"""What a workspace is made of: people, channels, messages, files.

Pure values that `state.Workspace` keeps and changes; every one knows how Slack's Web API would show it.
Called by `state`, `views` and the method handlers.
"""

from dataclasses import dataclass, field
from typing import Any

from demo.slack.ids import APP_ID, BOT_ID, BOT_USER, TEAM_ID

Json = dict[str, Any]


@dataclass(frozen=True)
class User:
    """A person or the bot. `role` is a note for the reader of the page; who may approve is the bot's own setting."""

    id: str
    name: str
    real_name: str
    email: str = ""
    role: str = ""
    tz: str = "Europe/Madrid"
    is_bot: bool = False

    def to_json(self) -> Json:
        """As users.info shows it."""
        profile = {"real_name": self.real_name, "display_name": self.name, "title": self.role, "team": TEAM_ID}
        if self.email:
            profile["email"] = self.email
        if self.is_bot:
            profile |= {"api_app_id": APP_ID, "bot_id": BOT_ID}
        return {
            "id": self.id,
            "team_id": TEAM_ID,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": False,
            "tz": self.tz,
            "tz_label": self.tz,
            "tz_offset": 3600,
            "profile": profile,
            "is_bot": self.is_bot,
            "is_admin": False,
            "is_owner": False,
            "is_app_user": False,
            "updated": 1_700_000_000,
        }


@dataclass(frozen=True)
class UserGroup:
    """A user group such as @oncall-sre."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...]

    def to_json(self) -> Json:
        """As usergroups.list shows it."""
        return {
            "id": self.id,
            "team_id": TEAM_ID,
            "is_usergroup": True,
            "name": self.name,
            "handle": self.handle,
            "description": "",
            "is_external": False,
            "date_delete": 0,
            "users": list(self.users),
            "user_count": len(self.users),
        }


@dataclass
class Message:
    """One message, of a person, of the bot or of Slackbot. `ts` names it within its channel."""

    ts: str
    channel: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    thread_ts: str | None = None
    subtype: str | None = None
    edited: Json | None = None
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    pinned_by: str | None = None
    replies: list[str] = field(default_factory=list)
    broadcast: bool = False
    unfurl_links: bool = False
    mrkdwn: bool = True

    @property
    def is_reply(self) -> bool:
        """True for what is shown in a thread and not (only) in the channel."""
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass
class Ephemeral:
    """A message that only `user` sees, until the page is reloaded. It has no history in Slack's API."""

    ts: str
    channel: str
    user: str
    author: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    interaction: str | None = None
    number: int = 0

    def to_json(self) -> Json:
        """As the page and the tests see it."""
        body: Json = {"type": "message", "subtype": "ephemeral", "ts": self.ts, "channel": self.channel}
        body |= {"user": self.author, "text": self.text, "is_ephemeral": True, "for": self.user}
        if self.blocks:
            body["blocks"] = self.blocks
        if self.attachments:
            body["attachments"] = self.attachments
        if self.thread_ts:
            body["thread_ts"] = self.thread_ts
        if self.interaction:
            body["interaction"] = self.interaction
        return body


@dataclass
class Channel:
    """A public channel, or a direct message between `im_user` and the bot."""

    id: str
    name: str
    members: set[str]
    topic: str = ""
    is_archived: bool = False
    im_user: str | None = None
    created: int = 1_700_000_000
    messages: dict[str, Message] = field(default_factory=dict)
    last_tick: int = 0

    @property
    def is_im(self) -> bool:
        """True for a direct message."""
        return self.im_user is not None

    def to_json(self) -> Json:
        """As conversations.info shows it to the bot."""
        body: Json = {"id": self.id, "created": self.created, "is_archived": self.is_archived, "is_org_shared": False}
        body |= {"context_team_id": TEAM_ID, "updated": self.created * 1000, "is_im": self.is_im}
        if self.is_im:
            return body | {"user": self.im_user, "is_user_deleted": False, "priority": 0}
        return body | {
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": True,
            "is_group": False,
            "is_mpim": False,
            "is_private": False,
            "is_general": self.name == "general",
            "is_shared": False,
            "is_member": BOT_USER in self.members,
            "num_members": len(self.members),
            "creator": "U0ANA0001",
            "topic": {"value": self.topic, "creator": "", "last_set": 0},
            "purpose": {"value": "", "creator": "", "last_set": 0},
        }


@dataclass
class File:
    """An uploaded file; `content` is None until the upload arrived, `shared` once it was completed."""

    id: str
    name: str
    length: int
    user: str
    title: str = ""
    alt_text: str = ""
    snippet_type: str = ""
    content: bytes | None = None
    completed: bool = False
    created: int = 0
    channels: list[str] = field(default_factory=list)
    shares: dict[str, list[Json]] = field(default_factory=dict)
