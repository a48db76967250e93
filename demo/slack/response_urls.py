"""The response_url that comes with a command or a press: five answers within thirty minutes.

Called by `interactions` (which hands the URLs out) and by `web_api` (which receives the answers).
Source: docs.slack.dev/interactivity/handling-user-interaction#message_responses.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from demo.slack.errors import SlackError
from demo.slack.ids import BOT_USER, TEAM_ID
from demo.slack.limits import check_message
from demo.slack.model import Ephemeral, Json, Message
from demo.slack.state import Workspace

USES = 5
SECONDS = 1_800


@dataclass
class ResponseUrl:
    """Where an answer goes. `message_ts` is the message that was pressed, if any."""

    secret: str
    user: str
    channel: str
    interaction: str
    expires: float
    message_ts: str | None = None
    uses: int = 0


class ResponseUrls:
    """The URLs that were handed out."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._by_secret: dict[str, ResponseUrl] = {}

    def new(self, user: str, channel: str, interaction: str, message_ts: str | None = None) -> str:
        """A URL for one interaction."""
        secret = secrets.token_hex(12)
        expires = self.workspace.clock() + SECONDS
        self._by_secret[secret] = ResponseUrl(secret, user, channel, interaction, expires, message_ts)
        return f"{self.workspace.root}actions/{TEAM_ID}/{secret}"

    def answer(self, secret: str, body: Json) -> None:
        """Do what an answer asks for. Raises `SlackError`: expired_url, used_url, or what chat.postMessage raises."""
        url = self._by_secret.get(secret)
        if url is None or self.workspace.clock() > url.expires:
            raise SlackError("expired_url")
        if url.uses >= USES:
            raise SlackError("used_url")
        if body.get("delete_original"):
            self._delete_original(url)
        elif body.get("replace_original"):
            self._replace_original(url, body)
        else:
            show(self.workspace, url.user, url.channel, body, url.interaction)
        url.uses += 1

    def _delete_original(self, url: ResponseUrl) -> None:
        ephemeral = self.workspace.ephemeral(url.channel, url.message_ts or "")
        if ephemeral is not None:
            self.workspace.remove_ephemeral(ephemeral)
        else:
            self.workspace.delete(self.workspace.message(url.channel, url.message_ts or ""))

    def _replace_original(self, url: ResponseUrl, body: Json) -> None:
        content = _content(self.workspace, body)
        ephemeral = self.workspace.ephemeral(url.channel, url.message_ts or "")
        if ephemeral is not None:
            self.workspace.remove_ephemeral(ephemeral)
            ephemeral.text, ephemeral.blocks, ephemeral.attachments = content
            ephemeral.interaction = url.interaction
            self.workspace.show_ephemeral(ephemeral)
            return
        message = self.workspace.message(url.channel, url.message_ts or "")
        message.text, message.blocks, message.attachments = content
        message.edited = {"user": BOT_USER, "ts": f"{int(self.workspace.clock())}.000000"}
        self.workspace.touch(message)


def show(workspace: Workspace, user: str, channel_id: str, body: Json, interaction: str) -> None:
    """Show an answer to one person, or in the channel when it says `response_type: in_channel`."""
    text, blocks, attachments = _content(workspace, body)
    channel = workspace.channel(channel_id)
    thread_ts = body.get("thread_ts")
    ts = workspace.next_ts(channel)
    if body.get("response_type") == "in_channel":
        message = Message(ts, channel_id, BOT_USER, text, blocks, attachments, thread_ts=thread_ts)
        workspace.post(channel, message)
    else:
        workspace.show_ephemeral(
            Ephemeral(ts, channel_id, user, BOT_USER, text, blocks, attachments, thread_ts, interaction)
        )


def _content(workspace: Workspace, body: Json) -> tuple[str, list[Any], list[Any]]:
    text = str(body.get("text") or "")
    check_message(text, body.get("blocks"), body.get("attachments"))
    return text, workspace.complete_blocks(body.get("blocks")), workspace.complete_attachments(body.get("attachments"))
