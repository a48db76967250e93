"""Every call of Slack's Web API: its ways to fail become a few words that the publisher can act on.

SlackFault
├── Paused        429: this method is not called again before `until`; nothing was done
├── Unanswered    no answer, or one with no meaning (timeout, broken connection, 5xx): it may have been done
└── Refused       Slack said no, by `code`; nothing was done

Used by `publisher`; `client` makes the one that `bot.main` shares with Bolt. What must not be done twice is called
without any retry; the rest may be retried by the SDK after a broken connection.
"""

import copy
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pydantic
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot import errors
from bot.domain import ports
from bot.slack import ids
from bot.slack.blocks import messages

CALL_SECONDS = 10
"""Slack answers within one; a call that takes longer is lost."""
LOOK_BACK = timedelta(seconds=60)
"""How far Slack's clock may be from ours."""
PAGE = 200
PAGES = 10
"""Of history, when a lost post is looked for; more is not said in a channel between a post and its second try."""

_SILENT = {"unfurl_links": False, "unfurl_media": False}


class SlackFault(errors.WatchkeeperError):
    """Base of all; the text is for the log and for readiness."""


class Paused(SlackFault):
    def __init__(self, method: str, until: datetime) -> None:
        super().__init__(f"Slack asks for a pause of {method} until {until:%H:%M:%S} UTC")
        self.until = until


class Unanswered(SlackFault):
    pass


class Refused(SlackFault):
    def __init__(self, method: str, code: str, detail: str = "") -> None:
        super().__init__(f"{method}: {code}{f' ({detail})' if detail else ''}")
        self.code = code


def client(token: pydantic.SecretStr | None, base_url: str) -> AsyncWebClient:
    """A client for this workspace. `base_url` ends in `/api/`: Slack's, a stand-in's, GovSlack's, a proxy's."""
    made = AsyncWebClient(
        token=None if token is None else token.get_secret_value(), base_url=base_url, timeout=CALL_SECONDS
    )
    if urllib.parse.urlsplit(base_url).hostname in {"127.0.0.1", "localhost", "::1"}:
        made.proxy = None  # the environment's proxy cannot reach this host's own loopback
    return made


def _nothing(_method: str, _answer: str) -> None:
    """Counts nothing."""


class Calling:
    """The calls, with pauses kept by method. `called(method, answer)` counts each: `ok`, or what went wrong."""

    def __init__(
        self,
        web: AsyncWebClient,
        clock: ports.Clock,
        called: Callable[[str, str], None] | None = None,
        posted_in: Callable[[str], None] | None = None,
    ) -> None:
        """`posted_in` is told the team of each message that was posted, where Slack says it."""
        self._web = web
        self._once = copy.copy(web)
        self._once.retry_handlers = []
        self._clock = clock
        self._called = called or _nothing
        self._posted_in = posted_in
        self._pauses: dict[str, datetime] = {}

    async def _call(self, method: str, calling: Callable[[], Awaitable[AsyncSlackResponse]]) -> Mapping[str, Any]:
        until = self._pauses.get(method)
        if until is not None and self._clock() < until:
            raise Paused(method, until)
        try:
            response = await calling()
        except SlackApiError as error:
            raise self._fault(method, error) from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
            self._called(method, "unanswered")
            raise Unanswered(f"{method}: {type(error).__name__} {error}".rstrip()) from error
        self._called(method, "ok")
        return response.data if isinstance(response.data, dict) else {}

    def _fault(self, method: str, error: SlackApiError) -> SlackFault:
        """What an answer that is not ok means. slack_sdk hands over its own response, or aiohttp's for a broken one."""
        response = error.response
        status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
        data = getattr(response, "data", None)
        code = str(data.get("error") or "") if isinstance(data, dict) else ""
        if status == 429 or code in {"ratelimited", "rate_limited"}:
            until = self._clock() + timedelta(seconds=_retry_after(getattr(response, "headers", {})))
            self._pauses[method] = until
            self._called(method, "ratelimited")
            return Paused(method, until)
        if not code or status >= 500 or code in _OUTAGES:
            self._called(method, "unanswered")
            return Unanswered(f"{method}: HTTP {status} {code}".rstrip())
        self._called(method, code)
        told = data.get("response_metadata") if isinstance(data, dict) else None
        detail = "; ".join(map(str, told.get("messages", ())))[:500] if isinstance(told, dict) else ""
        return Refused(method, code, detail)

    # --- messages

    async def post(self, channel: str, message: messages.Message, thread_ts: str = "") -> tuple[str, str]:
        """(channel id, ts). Never retried here: the caller finds out whether it was done."""
        arguments = message.arguments() | _SILENT | ({"thread_ts": thread_ts} if thread_ts else {})
        answer = await self._call("chat.postMessage", lambda: self._once.chat_postMessage(channel=channel, **arguments))
        self._ours(answer.get("message") or {})
        return str(answer.get("channel") or channel), str(answer["ts"])

    async def edit(self, channel: str, ts: str, message: messages.Message) -> None:
        await self._call("chat.update", lambda: self._web.chat_update(channel=channel, ts=ts, **message.arguments()))

    async def whisper(self, channel: str, user: str, message: messages.Message, thread_ts: str = "") -> None:
        """To one person in a channel, while they look."""
        arguments = message.arguments() | ({"thread_ts": thread_ts} if thread_ts else {})
        await self._call(
            "chat.postEphemeral",
            lambda: self._once.chat_postEphemeral(channel=channel, user=user, **arguments),
        )

    async def find(self, channel: str, key: str, since: datetime, thread_ts: str = "") -> str:
        """The ts of our message with this key in its metadata, posted since then; empty where there is none."""
        oldest = f"{(since - LOOK_BACK).timestamp():.6f}"
        cursor = ""
        for _ in range(PAGES):
            asked: dict[str, Any] = {"channel": channel, "oldest": oldest, "inclusive": True, "limit": PAGE}
            asked |= {"include_all_metadata": True} | ({"cursor": cursor} if cursor else {})
            answer = await self._page(asked, thread_ts)
            found = next((one for one in answer.get("messages", ()) if ids.key_of(one) == key), None)
            if found is not None:
                self._ours(found)
                return str(found["ts"])
            cursor = _next(answer)
            if not cursor:
                break
        return ""

    def _ours(self, message: Mapping[str, Any]) -> None:
        """A message that our token posted; Slack tells of most in which team."""
        if self._posted_in is not None and (team := message.get("team")):
            self._posted_in(str(team))

    async def _page(self, asked: dict[str, Any], thread_ts: str) -> Mapping[str, Any]:
        if not thread_ts:
            return await self._call("conversations.history", lambda: self._web.conversations_history(**asked))
        return await self._call("conversations.replies", lambda: self._web.conversations_replies(ts=thread_ts, **asked))

    async def permalink(self, channel: str, ts: str) -> str:
        answer = await self._call(
            "chat.getPermalink", lambda: self._web.chat_getPermalink(channel=channel, message_ts=ts)
        )
        return str(answer.get("permalink") or "")

    # --- modals, home, channels

    async def open_view(self, trigger_id: str, view: messages.View) -> str:
        answer = await self._call("views.open", lambda: self._once.views_open(trigger_id=trigger_id, view=view))
        return str(answer["view"]["id"])

    async def update_view(self, view_id: str, view: messages.View) -> None:
        await self._call("views.update", lambda: self._web.views_update(view_id=view_id, view=view))

    async def publish_home(self, user: str, view: messages.View) -> None:
        await self._call("views.publish", lambda: self._web.views_publish(user_id=user, view=view))

    async def whoami(self) -> Mapping[str, Any]:
        """Which workspace and bot the token is of."""
        return await self._call("auth.test", self._web.auth_test)

    async def channel_exists(self, channel: str) -> bool:
        """Whether this id is a channel that can be seen."""
        await self._call("conversations.info", lambda: self._web.conversations_info(channel=channel))
        return True

    async def channels(self) -> Mapping[str, str]:
        """Name → id of all channels that can be seen."""
        found: dict[str, str] = {}
        cursor = ""
        for _ in range(50):
            asked = {"types": "public_channel,private_channel", "exclude_archived": True, "limit": 1000}
            answer = await self._listed(asked | ({"cursor": cursor} if cursor else {}))
            found |= {str(one["name"]): str(one["id"]) for one in answer.get("channels", ()) if one.get("name")}
            cursor = _next(answer)
            if not cursor:
                break
        return found

    async def group_members(self, group: str) -> frozenset[str]:
        """User ids in a user group (`S…`), without deactivated ones."""
        answer = await self._call(
            "usergroups.users.list", lambda: self._web.usergroups_users_list(usergroup=group, include_disabled=False)
        )
        return frozenset(map(str, answer.get("users", ())))

    async def channel_members(self, channel: str) -> frozenset[str]:
        """User ids in a channel. Raises Refused (`too_many_members`) where there are more than 20,000."""
        found: set[str] = set()
        cursor = ""
        for _ in range(20):
            answer = await self._membership(
                {"channel": channel, "limit": 1000} | ({"cursor": cursor} if cursor else {})
            )
            found |= set(map(str, answer.get("members", ())))
            cursor = _next(answer)
            if not cursor:
                return frozenset(found)
        raise Refused("conversations.members", "too_many_members")

    async def _membership(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        return await self._call("conversations.members", lambda: self._web.conversations_members(**asked))

    async def _listed(self, asked: dict[str, Any]) -> Mapping[str, Any]:
        return await self._call("conversations.list", lambda: self._web.conversations_list(**asked))


_OUTAGES = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org", "accesslimited"}
)
"""Codes that say that Slack itself is unwell: whether the call was made is not known."""


def _retry_after(headers: Mapping[str, Any]) -> float:
    """Seconds of the Retry-After header; half a minute where it says nothing of use."""
    named = {str(name).lower(): value for name, value in headers.items()}.get("retry-after", "")
    value = named[0] if isinstance(named, list) and named else named
    try:
        return min(max(float(value), 0.0), 3600.0)
    except (TypeError, ValueError):
        return 30.0


def _next(answer: Mapping[str, Any]) -> str:
    told = answer.get("response_metadata")
    return str(told.get("next_cursor") or "") if isinstance(told, dict) else ""
