"""The one place that talks to the Messages API. All else of `bot.llm` sees values and errors of our own.

Retries are the SDK's (429, 5xx, broken connections; it heeds `retry-after`), within the time that is left. The key and
the address are those of the settings, never of the environment.
"""

import asyncio
import json

import anthropic

from bot.domain import consultations
from bot.llm import messages

REQUEST_SECONDS = 60.0
RETRIES = 2
_STOPS: dict[str | None, messages.Stop] = {
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "pause_turn": "pause_turn",
    "refusal": "refusal",
}
_SPENDING = ("enforced_spend_limit_reached", "spend_limit", "credit balance")


class Client:
    """One connection pool, for as long as the process runs."""

    def __init__(self, key: str, base_url: str, *, seconds: float = REQUEST_SECONDS, retries: int = RETRIES) -> None:
        self._over = anthropic.AsyncAnthropic(api_key=key, base_url=base_url, timeout=seconds, max_retries=retries)

    async def close(self) -> None:
        await self._over.close()

    async def create(self, request: messages.Request, seconds: float) -> messages.Reply:
        """One answer within this time, retries included. Raises messages.Failed, and nothing else of the network."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                answer = await self._over.messages.with_raw_response.create(**request.body)
                return _reply(answer.http_response.content)
        except TimeoutError:
            raise messages.TimedOut from None
        except anthropic.AnthropicError as error:
            raise _failed(error) from error


def _reply(raw: bytes) -> messages.Reply:
    """Read by our own rules: the SDK lets an answer of any shape through. Raises messages.Malformed."""
    try:
        found = json.loads(raw)
        content = found["content"]
        usage = _usage(found["usage"])
        stop = _STOPS.get(found.get("stop_reason"), "other")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise messages.Malformed("the answer is not of the API's shape") from None
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise messages.Malformed("the answer has no content", usage)
    if any(not isinstance(block.get("input"), dict) for block in content if block.get("type") == "tool_use"):
        raise messages.Malformed("a tool's input is no object", usage)
    return messages.Reply(content, stop, usage)


def _usage(told: dict[str, object]) -> consultations.Usage:
    def count(name: str) -> int:
        number = told.get(name)
        return number if isinstance(number, int) and number > 0 else 0

    return consultations.Usage(
        count("input_tokens"),
        count("output_tokens"),
        count("cache_creation_input_tokens"),
        count("cache_read_input_tokens"),
    )


def _failed(error: anthropic.AnthropicError) -> messages.Failed:
    """The SDK's error as one of ours. The provider's words are kept for the log, never a key."""
    detail = str(error)[:300]
    match error:
        case anthropic.APITimeoutError():
            return messages.TimedOut(detail)
        case anthropic.APIConnectionError():
            return messages.Unreachable(detail)
        case anthropic.APIResponseValidationError():
            return messages.Malformed(detail)
        case anthropic.APIStatusError():
            return _of_status(error, detail)
        case _:
            return messages.Refused(detail)


def _of_status(error: anthropic.APIStatusError, detail: str) -> messages.Failed:
    told = f"{error.error_code or ''} {error.api_message or ''}".lower()
    status = error.status_code
    if status == 402 or any(word in told for word in _SPENDING):
        return messages.SpendLimit(detail)
    if status in (401, 403):
        return messages.BadKey(detail)
    if status == 429:
        return messages.RateLimited(detail)
    if status in (408, 504):
        return messages.TimedOut(detail)
    if status >= 500:
        return messages.Overloaded(detail)
    return messages.Refused(detail)
