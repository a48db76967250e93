"""`/watch`: every answer is for the asker's eyes only; what makes incidents tells them in their own channel."""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import commands, doors, pipeline, ticks
from bot.domain import cards
from bot.slack.blocks import answers, limits, messages

Respond = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A subcommand, by whom and where."""

    command: commands.Command
    user: str
    channel: str


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to `/watch`."""
    app.command("/watch")(_Listener(held).listen)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held
        self._answers: Mapping[str, Callable[[_Asked], Awaitable[messages.Message]]] = {
            "help": self._help,
            "status": self._status,
            "now": self._now,
            "incidents": self._incidents,
            "show": self._show,
            "list": self._list,
            "add": self._add,
            "pause": self._pause,
            "resume": self._resume,
            "remove": self._remove,
            "audit": self._audit,
            "report": self._report,
        }

    async def listen(self, ack: Callable[[], Awaitable[object]], command: dict[str, Any], respond: Respond) -> None:
        await ack()
        async with doors.guarded("/watch", functools.partial(_say, respond)):
            try:
                parsed = commands.parse(str(command.get("text") or ""))
                asked = _Asked(parsed, str(command["user_id"]), str(command["channel_id"]))
                answer = await self._answers[parsed.name](asked)
            except commands.NotUnderstood as error:
                answer = _not_understood(error)
            await _whisper(respond, answer)

    async def _help(self, _asked: _Asked) -> messages.Message:
        return answers.help_page(list(commands.FORMS.values()))

    async def _status(self, asked: _Asked) -> messages.Message:
        found = await self._held.pipeline.status(asked.command.rest)
        return answers.status(self._with_ticks(found), asked.command.rest)

    async def _now(self, asked: _Asked) -> messages.Message:
        return _joined([_swept(one) for one in await self._held.pipeline.sweep_now(asked.command.rest)])

    async def _incidents(self, asked: _Asked) -> messages.Message:
        which = asked.command.rest.lower()
        titles = {"mine": "Your incidents", "24h": "Incidents of the last 24 h"}
        found = await self._held.pipeline.list_incidents(which, asked.user)
        return answers.incident_list(found, titles.get(which, "Open incidents"))

    async def _show(self, asked: _Asked) -> messages.Message:
        return answers.show(await self._held.pipeline.show(commands.needed(asked.command)))

    async def _list(self, _asked: _Asked) -> messages.Message:
        found = await self._held.pipeline.status()
        return answers.watch_list(self._with_ticks(found).watches)

    async def _add(self, asked: _Asked) -> messages.Message:
        new = commands.new_watch(asked.command.rest, asked.user, asked.channel, self._held.timezone)
        channel = await self._held.publisher.channel_named(new.channel)
        if channel is None:
            return answers.not_found("channel that I can see named", new.channel)
        added = await self._held.pipeline.add_watch(replace(new, channel=channel))
        return answers.said(f"Watch `{added.name}` added: cluster `{added.cluster}`, told in <#{added.channel}>.")

    async def _pause(self, asked: _Asked) -> messages.Message:
        watch = await self._held.pipeline.pause_watch(commands.needed(asked.command), asked.user)
        return answers.said(f"Watch `{watch.name}` is paused. Its open incidents stay as they are until it is resumed.")

    async def _resume(self, asked: _Asked) -> messages.Message:
        watch = await self._held.pipeline.resume_watch(commands.needed(asked.command), asked.user)
        return answers.said(f"Watch `{watch.name}` is active again.")

    async def _remove(self, asked: _Asked) -> messages.Message:
        watch, closed = await self._held.pipeline.remove_watch(commands.needed(asked.command), asked.user)
        return answers.said(f"Watch `{watch.name}` is removed; {closed} of its incidents were closed.")

    async def _audit(self, asked: _Asked) -> messages.Message:
        return answers.audit_page(await self._held.pipeline.audit_page(asked.command.rest))

    async def _report(self, asked: _Asked) -> messages.Message:
        if asked.command.rest.lower() not in ("", "now"):
            raise commands.NotUnderstood(
                f"/watch report {asked.command.rest}", "/watch report now", "/watch report now"
            )
        now = self._held.clock()
        made = await self._held.pipeline.report(asked.channel, now, asked.user)
        return answers.said("The report is being posted here." if made else "A report was just made here.")

    def _with_ticks(self, found: cards.Status) -> cards.Status:
        now = self._held.clock()
        return replace(
            found,
            watches=tuple(
                replace(one, next_tick=ticks.following(one.watch.cron, one.watch.timezone, now))
                for one in found.watches
            ),
        )


def _swept(one: pipeline.SweptNow) -> messages.Message:
    if one.sweep is None:
        return answers.said(f"Watch `{one.watch.name}` could not look: {one.error}")
    return answers.swept(one.watch, one.sweep, one.found)


def _joined(parts: Sequence[messages.Message]) -> messages.Message:
    """One message of several, within Slack's limits."""
    if not parts:
        return answers.said("Nothing was swept.")
    return limits.message(" · ".join(part.text for part in parts), [block for part in parts for block in part.blocks])


def _not_understood(error: commands.NotUnderstood) -> messages.Message:
    if not error.why:
        return answers.not_understood(error.typed, error.nearest, error.usage)
    nearest = f" Did you mean `{error.nearest}`?" if error.nearest else ""
    return answers.said(f"{error.why}{nearest} Type: `{error.usage}`")


async def _say(respond: Respond, text: str) -> None:
    await _whisper(respond, answers.said(text))


async def _whisper(respond: Respond, message: messages.Message) -> None:
    content = message.arguments()
    content.pop("metadata", None)
    await respond(**content, response_type="ephemeral", replace_original=False)
