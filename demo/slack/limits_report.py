"""Collects what is wrong with a payload, in the words and with the JSON pointers that Slack uses.

Used by the three `limits` modules only. Pure.
"""

from collections.abc import Collection, Mapping
from typing import Any

from demo.slack.errors import SlackError


class Report:
    """The problems found so far, as Slack writes them: `[ERROR] … [json-pointer:/blocks/0/text]`."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, problem: str, pointer: str) -> None:
        """Note one problem at one place."""
        self.messages.append(f"[ERROR] {problem} [json-pointer:{pointer}]")

    def raise_if_any(self, code: str) -> None:
        """Raise `SlackError(code)` when anything was found."""
        if self.messages:
            raise SlackError(code, messages=self.messages)

    def only_keys(self, value: Mapping[str, Any], allowed: Collection[str], pointer: str) -> None:
        """Slack refuses properties that it does not know."""
        for key in value:
            if key not in allowed:
                self.add(f"invalid additional property: {key}", pointer)

    def string(self, value: Any, pointer: str, longest: int, *, at_least: int = 1) -> None:
        """A string between `at_least` and `longest` characters."""
        if not isinstance(value, str):
            self.add("must provide a string", pointer)
        elif len(value) > longest:
            self.add(f"must be less than {longest + 1} characters", pointer)
        elif len(value) < at_least:
            self.add(f"must be more than {at_least - 1} characters", pointer)

    def text(self, value: Any, pointer: str, longest: int, *, plain_only: bool = False, at_least: int = 1) -> None:
        """A text object of Block Kit: plain_text, or mrkdwn where that is allowed."""
        if not isinstance(value, Mapping):
            self.add("must provide an object", pointer)
            return
        kinds = ("plain_text",) if plain_only else ("plain_text", "mrkdwn")
        if value.get("type") not in kinds:
            self.add("failed to match all allowed schemas", pointer)
            self.add(f"must be one of: {', '.join(kinds)}", f"{pointer}/type")
            return
        extra = ("emoji",) if value["type"] == "plain_text" else ("verbatim",)
        self.only_keys(value, ("type", "text", *extra), pointer)
        if "text" not in value:
            self.add("missing required field: text", pointer)
        else:
            self.string(value["text"], f"{pointer}/text", longest, at_least=at_least)

    def items(self, value: Any, pointer: str, most: int, *, at_least: int = 1) -> list[Any]:
        """A list within bounds; returns it, or an empty list when it is none."""
        if not isinstance(value, list):
            self.add("must provide an array", pointer)
            return []
        if len(value) > most:
            self.add(f"no more than {most} items allowed", pointer)
        elif len(value) < at_least:
            self.add(f"no less than {at_least} items allowed", pointer)
        return value
