"""What a press came to: counted, or an honest word about why not. Used by the approving stage and the buttons."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.domain import proposals

Ending = Literal["counted", "not-allowed", "late", "expired", "moved-on", "unknown-button", "unavailable"]


@dataclass(frozen=True, slots=True)
class Press:
    """A button as it arrived. Only the row id and the digest on the card are taken from it; both are checked."""

    user: str
    proposal_id: int
    digest: str
    """First DIGEST_SHOWN hex digits of the digest of what the person saw."""
    reason: str = ""


DIGEST_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What the presser is told, only to them; empty text where the card itself tells enough."""

    ending: Ending
    text: str = ""

    @property
    def counted(self) -> bool:
        return self.ending == "counted"


def stamp(moment: datetime) -> str:
    """Slack date markup: every reader sees their own local time; the fallback is UTC."""
    return f"<!date^{int(moment.timestamp())}^{{time_secs}}|{moment:%H:%M:%S} UTC>"


def late(row: proposals.Proposal, decision: proposals.Decision | None) -> Answer:
    """The answer to a press on a proposal that is no longer open: what happened, by whom, when."""
    by = "" if decision is None else f" by <@{decision.user}> at {stamp(decision.at)}"
    match row.state:
        case "rejected":
            reason = "" if decision is None or not decision.reason else f": {decision.reason}"
            return Answer("late", f"This was rejected{by}{reason}. Your press changed nothing.")
        case "expired":
            return Answer(
                "expired", f"This proposal expired at {stamp(row.expires_at)}. Press *Propose again* for a fresh one."
            )
        case "superseded":
            return Answer("moved-on", "A newer proposal took the place of this one. Look at the card as it is now.")
        case "approved" | "executing" | "succeeded":
            return Answer("late", f"This was approved{by} and is under way. Your press changed nothing.")
        case "verified" | "not-verified" | "undone":
            return Answer("late", f"This was approved{by} and is done ({row.state}). Your press changed nothing.")
        case _:
            return Answer("late", f"This was approved{by} and ended as {row.state}. Your press changed nothing.")
