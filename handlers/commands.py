"""`/watch`: every answer is for the asker's eyes only; what makes incidents tells them in their own channel."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackClientError

from bot import commands, doors, pipeline, runbooks
from bot.domain import watches
from bot.slack.blocks import answering, answers, limits, messages, money, shelving

_LOG = structlog.get_logger(__name__)

OPENED = "Write it in the window. For a text of more than 3,000 characters, use a folder or a ConfigMap."
TOO_SLOW = "Slack did not open the window in time. Type it again."

Respond = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A subcommand, by whom and where."""

    command: commands.Command
    user: str
    channel: str
    tell: doors.Tell
    """For what comes before the answer."""
    trigger: str = ""
    """Opens a window, for three seconds."""


Answer = Callable[[_Asked], Awaitable[messages.Message]]


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to `/watch`."""
    app.command("/watch")(_Listener(held).listen)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held
        self._answers: Mapping[str, Answer] = {
            "help": self._help,
            "status": self._status,
            "now": self._now,
            "incidents": self._incidents,
            "show": self._show,
            "why": self._why,
            "runbook": self._runbook,
            "cost": self._cost,
            "policy": self._policy,
            "audit": self._audit,
            "report": self._report,
            **self._of_watches(),
        }

    def _of_watches(self) -> Mapping[str, Answer]:
        return {
            "list": self._list,
            "add": self._add,
            "kinds": self._kinds,
            "mode": self._mode,
            "breaker": self._breaker,
            "pause": self._pause,
            "resume": self._resume,
            "remove": self._remove,
        }

    async def listen(self, ack: Callable[[], Awaitable[object]], command: dict[str, Any], respond: Respond) -> None:
        await ack()
        user, channel = str(command["user_id"]), str(command["channel_id"])

        async def tell(message: messages.Message) -> None:
            if not await _responded(respond, message):
                await self._held.publisher.whisper(channel, user, message)

        async with doors.guarded(self._held, "/watch", lambda text: tell(answers.said(text))):
            text, trigger = (str(command.get(name) or "") for name in ("text", "trigger_id"))
            try:
                parsed = commands.parse(text)
                await tell(await self._answers[parsed.name](_Asked(parsed, user, channel, tell, trigger)))
            except commands.NotUnderstood as error:
                await tell(_not_understood(error))

    async def _help(self, _asked: _Asked) -> messages.Message:
        return answers.help_page(list(commands.FORMS.values()))

    async def _status(self, asked: _Asked) -> messages.Message:
        return answers.status(await doors.status(self._held, asked.command.rest), asked.command.rest)

    async def _now(self, asked: _Asked) -> messages.Message:
        return _joined([_swept(one) for one in await self._held.pipeline.sweep_now(asked.command.rest)])

    async def _incidents(self, asked: _Asked) -> messages.Message:
        which = asked.command.rest.lower()
        titles = {"mine": "Your incidents", "24h": "Incidents of the last 24 h"}
        found = await self._held.pipeline.list_incidents(which, asked.user)
        return answers.incident_list(found, titles.get(which, "Open incidents"))

    async def _show(self, asked: _Asked) -> messages.Message:
        name, page = commands.shown(asked.command)
        card = await self._held.pipeline.show(name)
        if page is None:
            return answers.show(card)
        return money.sent(card.incident.name, await self._held.pipeline.sent(card.incident, asked.user), page)

    async def _cost(self, asked: _Asked) -> messages.Message:
        held = self._held.pipeline
        return money.costs(await held.costs(asked.command.rest), held.model)

    async def _why(self, asked: _Asked) -> messages.Message:
        return await doors.why(self._held, commands.needed(asked.command), asked.tell)

    async def _runbook(self, asked: _Asked) -> messages.Message:
        word, _, rest = asked.command.rest.partition(" ")
        held = self._held.pipeline
        match word.lower(), rest.strip():
            case "" | "list", "":
                return answering.runbook_list(await held.runbooks())
            case "show", name if name:
                return answering.runbook(await held.runbook(name))
            case "remove", name if name:
                await held.remove_runbook(name, asked.user)
                return answers.said(f"Runbook `{name}` is removed.")
            case "add", typed:
                return await self._add_runbook(asked, typed)
        raise commands.not_as("runbook", asked.command.rest)

    async def _add_runbook(self, asked: _Asked, typed: str) -> messages.Message:
        """With no text, by a window: whoever typed it is told there what came of it."""
        try:
            entry = runbooks.typed(typed)
            if not entry.body:
                opened = await self._held.publisher.open_modal(asked.trigger, shelving.form(entry.name))
                return answers.said(OPENED if opened is not None else TOO_SLOW)
            new = runbooks.made(entry, asked.user, self._held.pipeline.own_kinds)
        except runbooks.Wrong as fault:
            raise commands.not_as("runbook", f"add {typed}", f"The runbook was not added: {fault}.") from fault
        changed = await self._held.pipeline.add_runbook(new)
        return answers.said(f"Runbook `{new.name}` is kept." if changed else f"`{new.name}` was there just like this.")

    async def _list(self, _asked: _Asked) -> messages.Message:
        return answers.watch_list((await doors.status(self._held)).watches)

    async def _add(self, asked: _Asked) -> messages.Message:
        own = self._held.pipeline.own_kinds
        new = commands.new_watch(asked.command.rest, asked.user, asked.channel, self._held.timezone, own)
        channel = await self._held.publisher.channel_named(new.channel)
        if channel is None:
            return answers.said(
                f"The watch was not added: I cannot see a channel `{new.channel}`. Is the name right? "
                "To a private channel, invite me first."
            )
        return answers.said(_added(await self._held.pipeline.add_watch(replace(new, channel=channel))))

    async def _kinds(self, asked: _Asked) -> messages.Message:
        rest = commands.needed(asked.command)
        name, said, forgotten = commands.kinds_of_watch(rest, self._held.pipeline.own_kinds)
        watch = await self._held.pipeline.change_kinds(name, said, forgotten, asked.user)
        if not watch.kinds.named:
            return answers.said(f"Watch `{watch.name}` goes by the settings for every failure kind.")
        asked_only = not said.named and not forgotten
        when = "" if asked_only else " It holds from the next sweep on."
        return answers.said(f"For watch `{watch.name}` alone: `{watch.kinds}`. All else is as in the settings.{when}")

    async def _mode(self, asked: _Asked) -> messages.Message:
        name, mode = commands.mode_of_watch(commands.needed(asked.command))
        watch = await self._held.pipeline.change_mode(name, mode, asked.user)
        return answers.said(f"Watch `{watch.name}` is in mode {watch.mode} now.{_warned(watch)}")

    async def _breaker(self, asked: _Asked) -> messages.Message:
        name = commands.breaker_of_watch(commands.needed(asked.command))
        return answers.said((await self._held.pipeline.close_breaker_of(name, asked.user)).text)

    async def _pause(self, asked: _Asked) -> messages.Message:
        watch = await self._held.pipeline.pause_watch(commands.needed(asked.command), asked.user)
        return answers.said(f"Watch `{watch.name}` is paused. Its open incidents stay as they are until it is resumed.")

    async def _resume(self, asked: _Asked) -> messages.Message:
        watch = await self._held.pipeline.resume_watch(commands.needed(asked.command), asked.user)
        return answers.said(f"Watch `{watch.name}` is active again.")

    async def _remove(self, asked: _Asked) -> messages.Message:
        watch, closed = await self._held.pipeline.remove_watch(commands.needed(asked.command), asked.user)
        left = {0: "It had no open incident.", 1: "Its open incident was closed."}
        return answers.said(
            f"Watch `{watch.name}` is removed. {left.get(closed, f'Its {closed} open incidents were closed.')}"
        )

    async def _policy(self, asked: _Asked) -> messages.Message:
        held = self._held.pipeline
        place = commands.policy_place(asked.command.rest, held.clusters)
        return answers.policy_page(held.policy, place, self._held.clock())

    async def _audit(self, asked: _Asked) -> messages.Message:
        return answers.audit_page(await self._held.pipeline.audit_page(asked.command.rest, asked.user))

    async def _report(self, asked: _Asked) -> messages.Message:
        if asked.command.rest.lower() not in ("", "now"):
            raise commands.NotUnderstood(f"report {asked.command.rest}", "", "/watch report now")
        told = await self._told_in()
        if asked.channel not in told:
            places = ", ".join(f"<#{channel}>" for channel in sorted(told))
            where = f"Ask for it in {places}." if told else "No watch is there yet: `/watch add`."
            return answers.said(f"No watch tells its incidents in this channel, so it has no report. {where}")
        made = await self._held.pipeline.report(told[asked.channel], self._held.clock(), asked.user)
        return answers.said("The report is being posted here." if made else "A report was just made here.")

    async def _told_in(self) -> Mapping[str, str]:
        """Channel id → as the watches write it: that of the settings may be a name."""
        written = await self._held.pipeline.report_channels()
        named = {one: await self._held.publisher.channel_named(one) for one in written if one.startswith("#")}
        return {named.get(one) or one: one for one in written}


def _added(watch: watches.Watch) -> str:
    """What a new watch will do, in one sentence."""
    scope = ", ".join((*watch.scope.include, *(f"!{glob}" for glob in watch.scope.exclude))) or "all namespaces"
    scope += f" with {watch.scope.labels}" if watch.scope.labels else ""
    kinds = f" For it alone: `{watch.kinds}`." if watch.kinds.named else ""
    return (
        f"Watch `{watch.name}` added: it looks at `{scope}` of cluster `{watch.cluster}` by `{watch.cron}` "
        f"({watch.timezone}), in mode {watch.mode}, and tells <#{watch.channel}>.{kinds}{_warned(watch)}"
    )


def _warned(watch: watches.Watch) -> str:
    """What an autonomous watch may do to the cluster without anybody, to whoever made it one."""
    if watch.mode != "autonomous":
        return ""
    return (
        f" *Warning:* in cluster `{watch.cluster}` it now changes things that nobody approves: what is of low risk, "
        "can be undone, and has helped before or is listed in the policy. Each is announced in its thread, with a Stop "
        "button. `/watch policy` says how often, `/watch mode "
        f"{watch.name} approve` ends it."
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


async def _responded(respond: Respond, message: messages.Message) -> bool:
    """By the command's own response_url, which works in every channel; False where Slack did not take it."""
    content = message.arguments()
    content.pop("metadata", None)
    try:
        answer = await respond(**content, response_type="ephemeral", replace_original=False)
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
        _LOG.warning("command.not_answered", error=f"{type(error).__name__} {error}")
        return False
    if answer.status_code != 200:
        _LOG.warning("command.not_answered", status=answer.status_code)
    return bool(answer.status_code == 200)
