"""What a rendered message is: the arguments of chat.postMessage and chat.update that concern its content."""

from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]
"""One block, element or attachment, as Slack's JSON."""
View = dict[str, Any]
"""A modal or an App Home tab, as Slack's JSON."""


@dataclass(frozen=True, slots=True)
class Message:
    """`text` is never empty: it is what a phone notification and a screen reader get."""

    text: str
    blocks: tuple[Block, ...] = ()
    attachments: tuple[Block, ...] = ()
    metadata: Block | None = None

    def arguments(self) -> dict[str, Any]:
        """For chat.postMessage, chat.update and chat.postEphemeral. Empty lists are sent, so that an edit removes."""
        content: dict[str, Any] = {
            "text": self.text,
            "blocks": list(self.blocks),
            "attachments": list(self.attachments),
        }
        if self.metadata is not None:
            content["metadata"] = self.metadata
        return content
