"""What goes to a model and what comes back, as values of our own, so that `bot.llm.client` alone knows the SDK.

A request is the JSON body of the Messages API (https://platform.claude.com/docs/en/api/messages): what is stored of it
is what is sent. Errors say in a sentence for the card why there is no answer.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.domain import consultations

Json = dict[str, Any]
Stop = Literal["end_turn", "tool_use", "max_tokens", "pause_turn", "refusal", "other"]
"""other: any that we know nothing of. max_tokens: also where the context is full."""


@dataclass(frozen=True, slots=True)
class Call:
    """One tool that the model wants to use."""

    id: str
    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `content` goes back as it came where the conversation goes on: thinking is bound to it."""

    content: Sequence[Json]
    stop: Stop
    usage: consultations.Usage

    @property
    def text(self) -> str:
        return "".join(str(block.get("text", "")) for block in self.content if block.get("type") == "text")

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(
            Call(str(block.get("id", "")), str(block.get("name", "")), dict(block.get("input") or {}))
            for block in self.content
            if block.get("type") == "tool_use"
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One request, without credentials."""

    model: str
    system: str
    tools: Sequence[Json]
    schema: Json
    """Of the final answer."""
    messages: tuple[Json, ...] = ()
    max_tokens: int = 8192
    last: bool = False
    """Whether it has to answer now: no tool is to be had."""

    @property
    def body(self) -> Json:
        """The stable part comes first and is cached up to the end of `system`. No temperature: models refuse one."""
        found: Json = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "tools": list(self.tools),
            "system": [{"type": "text", "text": self.system, "cache_control": {"type": "ephemeral"}}],
            "messages": list(self.messages),
            "output_config": {"format": {"type": "json_schema", "schema": self.schema}},
        }
        return {**found, "tool_choice": {"type": "none"}} if self.last else found

    @property
    def text(self) -> str:
        return json.dumps(self.body, ensure_ascii=False)


class Failed(Exception):
    """There is no answer. The text is half a sentence: `the model has no view: …` goes on with it."""

    why = "it failed"
    billed = False
    """Whether it may have been paid for without our knowing how much."""

    def __init__(self, detail: str = "", usage: consultations.Usage | None = None) -> None:
        super().__init__(self.why)
        self.detail = detail
        """For the log: the provider's own words."""
        self.usage = usage or consultations.Usage()
        """Of an answer that came and is of no use."""

    @property
    def name(self) -> str:
        """As it is counted and stored."""
        return type(self).__name__


class BadKey(Failed):
    why = "the API key was not accepted"


class SpendLimit(Failed):
    why = "the account's own spending limit is reached"


class RateLimited(Failed):
    why = "too many requests were made of the account"


class Overloaded(Failed):
    why = "it is overloaded"


class TimedOut(Failed):
    why = "it took too long"
    billed = True


class Unreachable(Failed):
    why = "its address could not be reached"


class Refused(Failed):
    why = "the API refused the request"


class Declined(Failed):
    why = "it declined to answer"


class CutOff(Failed):
    why = "its answer was cut off"


class Malformed(Failed):
    why = "its answer could not be read"
