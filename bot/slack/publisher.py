"""Makes Slack show what the rows say: the only caller of Slack's Web API (through `calling`).

`bot.main` runs `turn` over and over; `handlers` use the rest. A view is leased, rendered from rows, posted or edited,
and noted as shown. A post happens once: the intent is committed before it, the view's key travels in the message's
metadata, and where an answer was lost (a crash, a timeout, a 5xx) the message is looked for before anything is posted
again.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain import cards, ports, rules
from bot.slack import calling, ids
from bot.slack.blocks import answering, incident, messages, opinion, report, text, thread

_LOG = structlog.get_logger(__name__)

BLOCKED_RETRY = timedelta(minutes=3)
"""For a channel that has to be mended by people: archived, or nobody invited the bot."""
REPLY_RETRY = timedelta(seconds=5)
SLOWEST_RETRY = timedelta(minutes=2)
LOST = frozenset({"message_not_found", "cant_update_message"})
ORPHANED = frozenset({"thread_not_found", "message_not_found"})
BROKEN = frozenset(
    {
        *("invalid_blocks", "invalid_blocks_format", "invalid_attachments", "msg_blocks_too_long", "msg_too_long"),
        *("too_many_attachments", "invalid_metadata_format", "metadata_too_large", "no_text"),
    }
)
"""Slack refuses what we rendered: a bug, which must not silence an incident."""
BLOCKED: Mapping[str, str] = {
    "is_archived": "the channel is archived",
    "not_in_channel": "the bot is not in the channel: type /invite @watchkeeper there",
    "channel_not_found": "there is no such channel, or it is private and the bot is not in it",
    "missing_scope": "the Slack app lacks a scope: install it again with the current manifest",
    "restricted_action": "a setting of the workspace forbids the bot to post there",
    "invalid_auth": "the bot token is not valid",
    "not_authed": "there is no bot token",
    "token_revoked": "the bot token was revoked",
    "account_inactive": "the app was removed from the workspace",
}
PERSON_NOT_THERE = frozenset({"user_not_in_channel", "not_in_channel", "channel_not_found", "is_archived"})
RENDERING_BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{2,}", re.ASCII)
_LINKED_CHANNEL = re.compile(r"<#([CG][A-Z0-9]+)(?:\|[^>]*)?>", re.ASCII)
_KNOWN_LINKS = 500


class Publisher:
    """One per process; any number of processes on one store."""

    def __init__(
        self,
        client: AsyncWebClient,
        store: ports.Store,
        *,
        rules: rules.Rules,
        clock: ports.Clock,
        owner: str,
        called: Callable[[str, str], None] | None = None,
        posted_in: Callable[[str], None] | None = None,
    ) -> None:
        """`called(method, answer)` counts every call of the Web API; `posted_in(team)` is told where a post is."""
        self._slack = calling.Calling(client, clock, called, posted_in)
        self._store = store
        self._rules = rules
        self._clock = clock
        self._owner = owner
        self._faults: dict[str, str] = {}
        self._links: dict[tuple[str, str], str] = {}

    @property
    def faults(self) -> Mapping[str, str]:
        """Channel → what is wrong with it, for readiness; empty where all is well."""
        return dict(self._faults)

    # --- views

    async def turn(self) -> bool:
        """Shows at most one view; False where nothing was due. Raises `errors.StoreUnavailable`."""
        claimed_at = self._clock()
        async with self._store.begin() as tx:
            view = await tx.views.claim(self._owner, claimed_at, self._rules.lease)
        if view is None:
            return False
        deadline = claimed_at + self._rules.lease * 0.6
        try:
            async with asyncio.timeout((deadline - claimed_at).total_seconds()):
                await self._show(view, deadline)
        except TimeoutError:
            if self._clock() < claimed_at + self._rules.lease:  # later, it is another one's
                await self._failed(view, "it took longer than its lease allows", self._backoff(view))
        except calling.Paused as error:
            await self._failed(view, str(error), error.until)
        except calling.Unanswered as error:
            _LOG.warning("view.unanswered", view=view.id, kind=view.kind, incident=view.incident_id, error=str(error))
            await self._failed(view, str(error), self._backoff(view))
        except calling.Refused as error:
            await self._refused(view, error)
        return True

    async def _show(self, view: ports.View, deadline: datetime) -> None:
        message = replace(await self._rendered(view), metadata=ids.metadata(view.key))
        ts = view.ts or await self._lost_and_found(view)
        try:
            await self._put(view, ts, message, deadline)
        except calling.Refused as error:
            if error.code not in BROKEN:
                raise
            _LOG.error("view.not_accepted", incident=view.incident_id, view=view.id, kind=view.kind, error=str(error))
            plain = messages.Message(_plain(view, message.text), metadata=message.metadata)
            await self._put(view, ts, plain, deadline)

    async def _put(self, view: ports.View, ts: str, message: messages.Message, deadline: datetime) -> None:
        """Edits the message, or posts it where there is none."""
        channel = view.channel
        if ts:
            await self._slack.edit(channel, ts, message)
        else:
            async with self._store.begin() as tx:
                await tx.views.posting(view.id, self._clock())
            if self._clock() >= deadline:  # this process was suspended: another one may have the view by now
                raise TimeoutError
            channel, ts = await self._slack.post(channel, message, view.thread_ts)
        self._faults.pop(view.channel, None)
        now = self._clock()
        async with self._store.begin() as tx:
            await tx.views.shown(
                view.id, version=view.wanted, ts=ts, channel=channel, now=now, next_due=now + self._rules.coalesce
            )

    async def _lost_and_found(self, view: ports.View) -> str:
        """The ts of a post whose answer never came; empty where it never happened."""
        if view.posting_since is None:
            return ""
        channel = view.channel
        if not _CHANNEL.fullmatch(channel):  # a name, which posts but cannot be read
            channel = await self.channel_named(channel) or channel
        try:
            return await self._slack.find(channel, view.key, view.posting_since, view.thread_ts)
        except calling.Refused as error:
            # Silence would be worse than a second message, and where Slack refuses this it mostly refuses a post too.
            _LOG.warning("view.cannot_look_back", incident=view.incident_id, channel=view.channel, error=str(error))
            return ""

    async def _refused(self, view: ports.View, error: calling.Refused) -> None:
        now = self._clock()
        if view.ts and error.code in LOST:
            _LOG.info("view.deleted_in_slack", view=view.id, kind=view.kind, incident=view.incident_id)
            async with self._store.begin() as tx:
                await tx.views.lost(view.id, now)
        elif view.thread_ts and error.code in ORPHANED:
            await self._orphaned(view, str(error))
        else:
            known = BLOCKED.get(error.code)
            self._faults[view.channel] = known or str(error)
            _LOG.warning("view.refused", channel=view.channel, incident=view.incident_id, error=str(error))
            await self._failed(view, str(error), now + BLOCKED_RETRY if known else self._backoff(view))

    async def _orphaned(self, view: ports.View, error: str) -> None:
        """The thread is gone: asks for the parent, whose own edit finds that out and makes all of it anew."""
        now = self._clock()
        async with self._store.begin() as tx:
            await tx.views.want("parent", channel=view.channel, incident_id=view.incident_id, due=now)
            await tx.views.failed(view.id, error, now + REPLY_RETRY)

    async def _failed(self, view: ports.View, error: str, retry_at: datetime) -> None:
        async with self._store.begin() as tx:
            await tx.views.failed(view.id, error[:500], retry_at)

    def _backoff(self, view: ports.View) -> datetime:
        """2, 4, 8 … seconds, at most SLOWEST_RETRY."""
        return self._clock() + min(timedelta(seconds=2 ** (min(view.attempts, 10) + 1)), SLOWEST_RETRY)

    # --- rendering

    async def _rendered(self, view: ports.View) -> messages.Message:
        """The view as the rows are now. A bug in the rendering is logged, and the bare fact is shown instead."""
        try:
            if view.report_id is not None:
                return await self._report(view.report_id)
            if view.question_id is not None:
                return await self._answer(view.question_id)
            return await self._incident(view)
        except RENDERING_BUGS:
            _LOG.exception("view.not_rendered", incident=view.incident_id, view=view.id, kind=view.kind)
            return messages.Message(_plain(view, ""))

    async def _report(self, report_id: int) -> messages.Message:
        async with self._store.begin() as tx:
            found = await tx.reports.load(report_id)
        if found is None:
            raise LookupError(f"report {report_id} is not in the record")
        return report.message(found)

    async def _answer(self, question_id: int) -> messages.Message:
        async with self._store.begin() as tx:
            found = await tx.cards.answer(question_id)
        if found is None:
            raise LookupError(f"question {question_id} is not in the record")
        return answering.answer(found)

    async def _incident(self, view: ports.View) -> messages.Message:
        async with self._store.begin() as tx:
            card = None if view.incident_id is None else await tx.cards.incident(view.incident_id)
        if card is None:
            raise LookupError(f"incident {view.incident_id} is not in the record")
        card = cards.under(card, self._rules.policy)
        match view.kind:
            case "evidence":
                return thread.evidence(card)
            case "opinion":
                return opinion.message(card)
            case "progress":
                return thread.progress(card)
            case "recovery":
                return thread.recovery(card)
            case "worse":
                return thread.worse(card)
            case "breaker":
                return thread.breaker(card)
            case _:
                return incident.parent(await self._linked(card))

    async def _linked(self, card: cards.IncidentCard) -> cards.IncidentCard:
        """With the permalink of the episode before, where that was told in Slack."""
        if card.previous_link or not card.previous_ts:
            return card
        place = (card.previous_channel, card.previous_ts)
        if place not in self._links:
            try:
                link = await self._slack.permalink(*place)
            except calling.SlackFault as error:
                _LOG.info("permalink.not_found", incident=card.incident.id, error=str(error))
                return card
            if len(self._links) >= _KNOWN_LINKS:
                self._links.clear()
            self._links[place] = link
        return replace(card, previous_link=self._links[place])

    # --- people

    async def whisper(self, channel: str, user: str, message: messages.Message, thread_ts: str = "") -> None:
        """Only to this person: where they are, else by direct message. Never raises: there is nobody else to tell."""
        try:
            if not channel or channel == user or not await self._whispered(channel, user, message, thread_ts):
                await self._slack.post(user, message)
        except calling.SlackFault as error:
            _LOG.warning("whisper.failed", channel=channel, error=str(error))

    async def _whispered(self, channel: str, user: str, message: messages.Message, thread_ts: str) -> bool:
        """False where this person (or the bot) is not in that channel."""
        try:
            await self._slack.whisper(channel, user, message, thread_ts)
        except calling.Refused as error:
            if error.code in PERSON_NOT_THERE:
                return False
            raise
        return True

    async def open_modal(self, trigger_id: str, view: messages.View) -> str | None:
        """The view's id; None where the trigger had expired (3 s), or Slack did not answer."""
        try:
            return await self._slack.open_view(trigger_id, view)
        except calling.SlackFault as error:
            _LOG.warning("modal.not_opened", error=str(error))
            return None

    async def update_modal(self, view_id: str, view: messages.View) -> None:
        """A modal that was closed meanwhile is no fault."""
        try:
            await self._slack.update_view(view_id, view)
        except calling.SlackFault as error:
            _LOG.info("modal.not_updated", error=str(error))

    async def home(self, user: str, view: messages.View) -> None:
        try:
            await self._slack.publish_home(user, view)
        except calling.SlackFault as error:
            _LOG.warning("home.not_published", error=str(error))

    async def channel_named(self, named: str) -> str | None:
        """The id of `#name`, `name`, `<#C…|name>` or an id; None where there is none that can be seen."""
        words = named.strip()
        linked = _LINKED_CHANNEL.fullmatch(words)
        try:
            if linked is not None or _CHANNEL.fullmatch(words):
                channel = linked[1] if linked is not None else words
                return channel if await self._slack.channel_exists(channel) else None
            return (await self._slack.channels()).get(words.removeprefix("#").lower())
        except calling.SlackFault as error:
            _LOG.warning("channel.not_resolved", named=named, error=str(error))
            return None


def _plain(view: ports.View, told: str) -> str:
    """What is said where the message itself cannot be: the fact, and how to see the rest. No blocks, no markup."""
    if view.question_id is not None:
        return told or "The answer could not be drawn; the log says why."
    if view.incident_id is None:
        return told or "The report could not be drawn; the log says why."
    name = f"WK-{view.incident_id}"
    fact = told or text.notification(f"{name}: an incident")
    return f"{fact}\nThis message could not be drawn; the log says why. Type /watch show {name}"
