"""`@watchkeeper …`: in an incident's thread a question, answered there; elsewhere `why`, or what can be asked."""

import functools
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot import doors
from bot.domain import inquiries
from bot.slack import mentions
from bot.slack.blocks import answers, messages

HELP = (
    "Mention me in the thread of an incident and ask, for example `why not just restart?`, `what changed?`, `who may "
    "approve?`. Elsewhere: `@watchkeeper why namespace/name`. `/watch help` lists the rest."
)


def register(app: AsyncApp, held: doors.Doors) -> None:
    """Listens to mentions of the bot."""
    app.event("app_mention")(_Listener(held).heard)


class _Listener:
    def __init__(self, held: doors.Doors) -> None:
        self._held = held

    async def heard(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """Slack is answered by then, and tells again where that answer was lost: a message asks once all the same."""
        mention = mentions.mention(event, body)
        if mention is None:
            return
        whisper = functools.partial(self._whisper, mention)
        async with doors.guarded(self._held, "mention", lambda text: whisper(answers.said(text))):
            if not mentions.has_words(mention.text):
                await whisper(answers.said(HELP))
            elif not (mention.thread_ts and await self._held.pipeline.hear(mention)):
                await whisper(await self._elsewhere(mention.text, whisper))

    async def _elsewhere(self, text: str, whisper: doors.Tell) -> messages.Message:
        """Outside of the threads of incidents."""
        word, _, rest = text.partition(" ")
        if word.lower() != "why" or not rest.strip():
            return answers.said(HELP)
        return await doors.why(self._held, rest.strip(" ?`"), whisper)

    async def _whisper(self, mention: inquiries.Mention, message: messages.Message) -> None:
        await self._held.publisher.whisper(mention.channel, mention.user, message, mention.thread_ts)
