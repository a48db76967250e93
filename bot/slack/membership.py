"""Who is in which user group and channel of the policy, as Slack said lately. Implements `ports.Directory`.

`bot.main` makes one and lets it refresh in the background, so that a press finds the answer in memory. What could not
be read for longer than the time to live is not known any more, and who is not known to be in it is not: whoever was
thrown out of a group approves nothing after that time, and while Slack is away nobody is let in.

https://docs.slack.dev/reference/methods/usergroups.users.list and …/conversations.members.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from bot.domain import ports
from bot.slack import calling
from k8s import guardrails

_LOG = structlog.get_logger(__name__)

PATIENCE = 1.5
"""Seconds that a press waits for what is not in memory: Slack waits three for the acknowledgement."""
AGAIN = timedelta(seconds=10)
"""What could not be read is not asked for again before."""
_WORDS: Mapping[str, str] = {
    "missing_scope": "the Slack app lacks a scope for it, install it again with the current manifest",
    "no_such_subteam": "there is no such user group",
    "subteam_not_found": "there is no such user group",
    "channel_not_found": "there is no such channel, or it is private and the bot is not in it",
    "too_many_members": "it has more members than are read",
}


class Directory:
    """One per process. `places`: the user groups (`S…`) and channels of the policy, kept fresh by `refresh`."""

    def __init__(
        self, slack: calling.Calling, places: Sequence[str], *, clock: ports.Clock, time_to_live: timedelta
    ) -> None:
        self._slack = slack
        self._places = tuple(places)
        self._clock = clock
        self._lives = time_to_live
        self._known: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._failed: dict[str, tuple[datetime, str]] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}

    @property
    def faults(self) -> Mapping[str, str]:
        """What could not be read when it was last tried, and why."""
        return {place: why for place, (_, why) in self._failed.items()}

    def fault(self, place: str) -> str:
        return self.faults.get(place, "")

    async def of(self, places: Sequence[str]) -> guardrails.Members:
        await self._read([place for place in places if not self._since(self._read_at(place), self._lives)], PATIENCE)
        return {place: self._known[place][1] for place in places if self._since(self._read_at(place), self._lives)}

    async def refresh(self) -> None:
        """Reads again what has lived for half of its time."""
        await self._read([one for one in self._places if not self._since(self._read_at(one), self._lives / 2)], None)

    async def close(self) -> None:
        """Ends what is still being read."""
        left = tuple(self._reading.values())
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _read_at(self, place: str) -> datetime | None:
        return self._known[place][0] if place in self._known else None

    def _since(self, moment: datetime | None, span: timedelta) -> bool:
        """Whether this was less than a span ago. A clock that was set back makes nothing young again."""
        return moment is not None and timedelta(0) <= self._clock() - moment < span

    async def _read(self, places: Sequence[str], patience: float | None) -> None:
        """Each place once at a time, however many ask; those that just failed are left alone for a while."""
        tried = {place: at for place, (at, _) in self._failed.items()}
        wanted = [place for place in dict.fromkeys(places) if not self._since(tried.get(place), AGAIN)]
        tasks = [self._reading.get(place) or self._begun(place) for place in wanted]
        if tasks:
            await asyncio.wait(tasks, timeout=patience)

    def _begun(self, place: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._ask(place))
        self._reading[place] = task
        task.add_done_callback(lambda _: self._reading.pop(place, None))
        return task

    async def _ask(self, place: str) -> None:
        ask = self._slack.group_members if place.startswith("S") else self._slack.channel_members
        try:
            found = await ask(place)
        except calling.SlackFault as error:
            self._fail(place, error)
        else:
            self._known[place] = (self._clock(), found)
            self._failed.pop(place, None)

    def _fail(self, place: str, error: calling.SlackFault) -> None:
        """Slack's own no ends what was known at once; an outage only lets it grow old."""
        why = str(error)
        if isinstance(error, calling.Refused):
            self._known.pop(place, None)
            why = _WORDS.get(error.code, why)
        self._failed[place] = (self._clock(), why)
        _LOG.warning("members.not_read", place=place, error=str(error))
