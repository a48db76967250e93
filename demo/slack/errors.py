"""The one way in which the stand-in refuses an API call.

Raised by the limits, the state and the method handlers; turned into Slack's JSON by `web_api`.
"""

from typing import Any


class SlackError(Exception):
    """A refusal with Slack's own error code, for instance `channel_not_found`.

    `messages` becomes `response_metadata.messages`, `extra` is merged into the answer beside `ok` and `error`.
    """

    def __init__(self, code: str, messages: list[str] | None = None, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages or []
        self.extra = extra

    def answer(self) -> dict[str, Any]:
        """The body of the answer, as Slack words it."""
        body: dict[str, Any] = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            body["response_metadata"] = {"messages": self.messages}
        return body
