"""What people do: press, choose, type a command, submit a modal, open the app's home, write a message.

Called by `standin.SlackStandIn` (tests) and by `control` (the web page and tests in other processes): both go the same
way. Everything here may run concurrently with itself.

What a person sees when the app is silent: docs.slack.dev/interactivity/handling-user-interaction (three seconds), and
the wording of Slack's clients.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.slack import forms, payloads
from demo.slack.delivery import Ack
from demo.slack.errors import SlackError
from demo.slack.ids import BOT_USER, SLACKBOT, TEAM_ID
from demo.slack.model import Channel, Ephemeral, Json, Message
from demo.slack.response_urls import show
from demo.slack.service import Service
from demo.slack.state import Change, Workspace, im_id
from demo.slack.views import View

NO_RESPONSE = "This app did not respond."
MODAL_TROUBLE = "We had some trouble connecting. Try again?"
NOT_SENT = Ack("not_sent")
EVENT_RETRIES = ((0.0, "http_timeout"), (60.0, "http_timeout"), (300.0, "http_timeout"))
SUBSCRIPTIONS = frozenset(["app_home_opened", "app_mention", "message.im"])


class NotShown(LookupError):
    """The person tried to use what is not on their screen: no such message, button, view or channel."""


async def wait_until(workspace: Workspace, condition: Callable[[], Any], within: float) -> Any:
    """Wait until `condition` returns something true after some change, and return it. Raises TimeoutError."""
    changed = asyncio.Event()
    unlisten = workspace.listen(lambda _: changed.set())
    try:
        async with asyncio.timeout(within):
            while not (found := condition()):
                await changed.wait()
                changed.clear()
            return found
    finally:
        unlisten()


@dataclass
class Seen:
    """What a person saw of one interaction.

    `error` is Slack's own complaint (the app was silent, or answered nonsense), `errors` are the inline errors of a
    modal by block_id, `ts` is the message that was written. `ephemerals` and `view` are live: they show what came
    since.
    """

    id: str
    user: str
    workspace: Workspace = field(repr=False)
    service: Service = field(repr=False)
    ack: Ack = NOT_SENT
    error: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    ts: str | None = None
    since: int = 0

    @property
    def ephemerals(self) -> list[Json]:
        """What only this person was shown since, without the answers to their other commands and presses."""
        mine = [e for e in self.workspace.ephemerals if e.user == self.user and e.number > self.since]
        return [e.to_json() for e in mine if e.interaction in (None, self.id)]

    @property
    def view(self) -> Json | None:
        """The modal that the person has before them."""
        stack = self.service.views.stack(self.user)
        return stack[-1].to_json() if stack else None

    async def ephemeral(self, within: float = 5) -> Json:
        """The first ephemeral message, waiting for it. Raises TimeoutError."""
        found: list[Json] = await wait_until(self.workspace, lambda: self.ephemerals, within)
        return found[0]

    async def modal(self, within: float = 5, *, callback_id: str | None = None) -> Json:
        """The open modal, waiting for it (with this callback_id, if given). Raises TimeoutError."""

        def opened() -> Json | None:
            view = self.view
            return view if view and callback_id in (None, view["callback_id"]) else None

        found: Json = await wait_until(self.workspace, opened, within)
        return found

    def to_json(self) -> Json:
        """As the control endpoints answer it."""
        ack = {"status": self.ack.status, "payload": self.ack.payload, "connection": self.ack.connection}
        return {
            "id": self.id,
            "ok": not self.error and not self.errors,
            "ack": ack,
            "error": self.error,
            "errors": self.errors,
            "ts": self.ts,
            "ephemerals": self.ephemerals,
            "view": self.view,
        }


class Interactions:
    """People at work. Every method returns once the app has acknowledged, or has failed to."""

    def __init__(self, service: Service, subscriptions: frozenset[str] = SUBSCRIPTIONS) -> None:
        self.service = service
        self.workspace = service.workspace
        self.subscriptions = set(subscriptions)
        self._retries: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """End the retries of events."""
        for task in tuple(self._retries):
            task.cancel()
        await asyncio.gather(*self._retries, return_exceptions=True)

    # Messages

    async def press(
        self, user: str, channel: str, ts: str, action_id: str, *, block_id: str | None = None, value: Any = None
    ) -> Seen:
        """Press a button, or choose `value` in a menu, of a message that this person can see. Raises `NotShown`."""
        place, source = self._visible(user, channel, ts)
        content = {"blocks": source.blocks, "attachments": source.attachments}
        found = forms.find(forms.all_blocks(content), action_id, block_id)
        if found is None:
            raise NotShown(f"message {ts} has no element {action_id}")
        block, element = found
        action = payloads.action(element, block["block_id"], value, self._action_ts())
        return await self._message_action(user, place, source, ts, action)

    async def forge(
        self, user: str, channel: str, ts: str, action_id: str, *, value: str | None = None, **action: Any
    ) -> Seen:
        """Press a button that is not there (any more): the app gets a well-formed press of whatever is asked for."""
        place = self.workspace.channel(channel)
        source = self.workspace.ephemeral(channel, ts) or place.messages.get(ts)
        entry: Json = {"action_id": action_id, "block_id": "forged", "type": "button", "action_ts": self._action_ts()}
        entry["text"] = {"type": "plain_text", "text": "Forged", "emoji": True}
        if value is not None:
            entry["value"] = value
        return await self._message_action(user, place, source, ts, entry | action)

    async def _message_action(
        self, user: str, channel: Channel, source: Message | Ephemeral | None, ts: str, action: Json
    ) -> Seen:
        seen = self._begin(user)
        payload = payloads.message_actions(self.service, user, channel, source, ts, action, seen.id)
        seen.ack = await self.service.delivery.send("interactive", payload)
        if not seen.ack.ok:
            seen.error = NO_RESPONSE
            data = {"channel": channel.id, "ts": ts, "action_id": action["action_id"], "error": NO_RESPONSE}
            self.workspace.publish(Change("press_failed", data, user=user, channel=channel.id))
        return seen

    async def command(self, user: str, channel: str, name: str, text: str = "") -> Seen:
        """Type a slash command in a channel."""
        place = self._entered(user, channel)
        seen = self._begin(user)
        payload = payloads.command(self.service, user, place, name, text, seen.id)
        seen.ack = await self.service.delivery.send("slash_commands", payload)
        if not seen.ack.ok:
            code = "operation_timeout" if seen.ack.status == "timeout" else "dispatch_failed"
            seen.error = f'{name} failed with the error "{code}"'
            self._slackbot(user, place, f'`{name}` failed with the error "{code}"', seen)
        elif seen.ack.payload:
            self._command_answer(user, place, f"{name} {text}".rstrip(), seen)
        return seen

    def _command_answer(self, user: str, channel: Channel, typed: str, seen: Seen) -> None:
        """What came with the acknowledgement is shown; in the channel, the command is shown above it."""
        body = seen.ack.payload
        if body.get("response_type") == "in_channel":
            self.workspace.post(channel, Message(self.workspace.next_ts(channel), channel.id, user, typed))
        try:
            show(self.workspace, user, channel.id, body, seen.id)
        except SlackError as error:
            seen.error = f'{typed} failed with the error "{error.code}"'
            self._slackbot(user, channel, seen.error, seen)

    def _slackbot(self, user: str, channel: Channel, text: str, seen: Seen) -> None:
        ts = self.workspace.next_ts(channel)
        self.workspace.show_ephemeral(Ephemeral(ts, channel.id, user, SLACKBOT, text, interaction=seen.id))

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Seen:
        """Write a message; the app hears of it where it is subscribed and a member."""
        place = self._entered(user, channel)
        if thread_ts is not None and thread_ts not in place.messages:
            raise NotShown(f"{channel} has no thread {thread_ts}")
        seen = self._begin(user)
        message = Message(self.workspace.next_ts(place), channel, user, text, thread_ts=thread_ts)
        self.workspace.post(place, message)
        seen.ts = message.ts
        if BOT_USER in place.members:
            await self._tell_of_message(place, message, seen)
        return seen

    async def _tell_of_message(self, channel: Channel, message: Message, seen: Seen) -> None:
        event: Json = {"user": message.user, "text": message.text, "ts": message.ts, "channel": channel.id}
        event |= {"team": TEAM_ID, "event_ts": message.ts, "blocks": [_as_rich_text(message.text)]}
        if message.thread_ts:
            event["thread_ts"] = message.thread_ts
        channel_type = "im" if channel.is_im else "channel"
        if f"message.{channel_type}" in self.subscriptions or "message.channels" in self.subscriptions:
            seen.ack = await self.event({"type": "message", "channel_type": channel_type, **event})
        if f"<@{BOT_USER}>" in message.text and not channel.is_im and "app_mention" in self.subscriptions:
            seen.ack = await self.event({"type": "app_mention", **event})

    async def delete_message(self, channel: str, ts: str) -> None:
        """Delete any message, as an administrator may."""
        self.workspace.delete(self.workspace.message(channel, ts))

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        """Add or take back a reaction."""
        self._entered(user, channel)
        message = self.workspace.message(channel, ts)
        users = message.reactions.setdefault(name, [])
        (users.remove if user in users else users.append)(user)
        if not users:
            del message.reactions[name]
        self.workspace.touch(message)

    # Views

    async def open_home(self, user: str, tab: str = "home") -> Seen:
        """Open the app's home (or its messages) tab."""
        seen = self._begin(user)
        event: Json = {"type": "app_home_opened", "user": user, "channel": im_id(user), "tab": tab}
        event["event_ts"] = self._action_ts()
        home = self.service.views.homes.get(user)
        if home is not None and tab == "home":
            event["view"] = home.to_json()
        if "app_home_opened" in self.subscriptions:
            seen.ack = await self.event(event)
        return seen

    async def press_home(self, user: str, action_id: str, *, block_id: str | None = None, value: Any = None) -> Seen:
        """Press a button, or choose `value` in a menu, of this person's home tab."""
        home = self.service.views.homes.get(user)
        if home is None:
            raise NotShown(f"{user} has no home tab")
        return await self._view_action(user, home, action_id, block_id, value, {})

    async def press_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Any = None,
        values: Mapping[str, Any] | None = None,
    ) -> Seen:
        """Press a button or use a menu inside a modal, with `values` filled in elsewhere in it."""
        return await self._view_action(user, self._open_view(user, view_id), action_id, block_id, value, values or {})

    async def _view_action(
        self, user: str, view: View, action_id: str, block_id: str | None, value: Any, values: Mapping[str, Any]
    ) -> Seen:
        found = forms.find(view.content["blocks"], action_id, block_id)
        if found is None:
            raise NotShown(f"view {view.id} has no element {action_id}")
        block, element = found
        view.values = forms.state(view.content["blocks"], values, view.values)
        action = payloads.action(element, block["block_id"], value, self._action_ts())
        if forms.initial(element) is not None:
            entry = {"type": element["type"], **forms.entered(element, value)}
            view.values.setdefault(block["block_id"], {})[action_id] = entry
        seen = self._begin(user)
        payload = payloads.view_actions(self.service, user, view, action)
        seen.ack = await self.service.delivery.send("interactive", payload)
        if not seen.ack.ok:
            seen.error = NO_RESPONSE if view.is_home else MODAL_TROUBLE
        return seen

    async def submit_view(self, user: str, view_id: str, values: Mapping[str, Any] | None = None) -> Seen:
        """Fill a modal in and submit it.

        Slack's client checks first (required, length, number): its objections come back in `errors`, and the app hears
        nothing. `values`: see `forms.state`.
        """
        view = self._open_view(user, view_id)
        view.values = forms.state(view.content["blocks"], values or {}, view.values)
        seen = self._begin(user)
        seen.errors = forms.complaints(view.content["blocks"], view.values)
        if seen.errors:
            return seen
        seen.ack = await self.service.delivery.send("interactive", payloads.view_submission(self.service, user, view))
        if not seen.ack.ok:
            seen.error = MODAL_TROUBLE
            return seen
        try:
            seen.errors = self._apply_submission(view, seen.ack.payload)
        except SlackError:
            seen.error = MODAL_TROUBLE
        return seen

    def _apply_submission(self, view: View, answer: Json) -> dict[str, str]:
        """Do what `response_action` says; returns inline errors. Raises `SlackError` when the answer makes no sense."""
        action = answer.get("response_action")
        if action == "errors":
            fields = {block["block_id"] for block in view.content["blocks"] if block["type"] == "input"}
            errors: dict[str, str] = answer.get("errors") or {}
            if not errors or not set(errors) <= fields:
                raise SlackError("invalid_arguments")
            return errors
        if action == "update":
            self.service.views.update(view, answer.get("view") or {})
        elif action == "push":
            self.service.views.push(view.user, answer.get("view") or {})
        elif action == "clear":
            self.service.views.close(view, all_of_them=True)
        elif action is None:
            self.service.views.close(view)
        else:
            raise SlackError("invalid_arguments")
        return {}

    async def close_view(self, user: str, view_id: str, *, clear: bool = False) -> Seen:
        """Close a modal, or with `clear` (the X) the whole stack; apps that asked for it are told."""
        view = self._open_view(user, view_id)
        closed = self.service.views.close(view, all_of_them=clear)
        seen = self._begin(user)
        for one in reversed(closed):
            if one.content.get("notify_on_close"):
                payload = payloads.view_closed(self.service, user, one, cleared=clear)
                seen.ack = await self.service.delivery.send("interactive", payload)
        return seen

    # Events

    async def event(self, body: Json) -> Ack:
        """Send an event; when it is not acknowledged, Slack's three retries follow in the background."""
        payload = payloads.event(self.service, body)
        ack = await self.service.delivery.send("events_api", payload)
        if not ack.ok:
            task = asyncio.create_task(self._retry(payload))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)
        return ack

    async def _retry(self, payload: Json) -> None:
        for number, (seconds, reason) in enumerate(EVENT_RETRIES, start=1):
            await asyncio.sleep(seconds)
            ack = await self.service.delivery.send("events_api", payload, retry=(number, reason))
            if ack.ok:
                return

    # Helpers

    def _begin(self, user: str) -> Seen:
        if user not in self.workspace.users or self.workspace.users[user].is_bot:
            raise NotShown(f"{user} is not a person of this workspace")
        since = self.workspace.ephemeral_count
        interaction = self.workspace.serial("I")
        return Seen(interaction, user, self.workspace, self.service, since=since)

    def _entered(self, user: str, channel_id: str) -> Channel:
        channel = self.workspace.channels.get(channel_id)
        if channel is None or user not in channel.members:
            raise NotShown(f"{user} is not in {channel_id}")
        if channel.is_archived:
            raise NotShown(f"{channel_id} is archived")
        return channel

    def _visible(self, user: str, channel_id: str, ts: str) -> tuple[Channel, Message | Ephemeral]:
        channel = self.workspace.channels.get(channel_id)
        if channel is None or user not in channel.members:
            raise NotShown(f"{user} is not in {channel_id}")
        ephemeral = self.workspace.ephemeral(channel_id, ts)
        source = ephemeral if ephemeral and ephemeral.user == user else channel.messages.get(ts)
        if source is None:
            raise NotShown(f"{channel_id} has no message {ts}")
        return channel, source

    def _open_view(self, user: str, view_id: str) -> View:
        for view in self.service.views.stack(user):
            if view.id == view_id:
                return view
        raise NotShown(f"{user} has no open view {view_id}")

    def _action_ts(self) -> str:
        return f"{self.service.clock():.6f}"


def _as_rich_text(text: str) -> Json:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "block_id": "rt", "elements": [section]}
