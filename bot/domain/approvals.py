"""What a press came to: counted, or an honest word about why not. Used by the approving stage and the buttons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.domain import proposals
from k8s import policy

Ending = Literal[
    "counted",
    "again",
    "own",
    "not-allowed",
    "no-right",
    "late",
    "expired",
    "moved-on",
    "lapsed",
    "unknown-button",
    "unavailable",
]
"""no-right: the cluster would not let this person's own identity do it. again: this person's approval was counted
before. own: who asked for it may not approve it. lapsed: it can be approved no more, and was superseded for that."""


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


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of an edit: an answer as to a press, or what is wrong with what was entered."""

    answer: Answer
    faults: Mapping[str, str] = field(default_factory=dict)
    """Name of a field → a sentence; empty where nothing is wrong with any."""


def stamp(moment: datetime) -> str:
    """Slack date markup: every reader sees their own local time; the fallback is UTC."""
    return f"<!date^{int(moment.timestamp())}^{{time_secs}}|{moment:%H:%M:%S} UTC>"


def mention(approver: str) -> str:
    """A user, or somebody of a user group or a channel."""
    if approver.startswith("S"):
        return f"<!subteam^{approver}>"
    return f"<#{approver}>" if approver.startswith(("C", "G")) else f"<@{approver}>"


def places(rules: policy.Policy) -> tuple[str, ...]:
    """All user groups and channels that the policy asks approvers of."""
    asked = (circle for tier in policy.TIERS for circle in policy.circles(rules, tier))
    return tuple(dict.fromkeys(place for circle in asked for place in circle.places))


def unread(faults: Mapping[str, str]) -> str:
    """A sentence for each of these user groups and channels, whose members are not known: they count as empty."""
    return " ".join(
        f"Who is in {mention(place)} could not be read{f': {fault}' if fault else ''}."
        for place, fault in faults.items()
    )


def late(row: proposals.Proposal, made: Sequence[proposals.Decision] = ()) -> Answer:
    """The answer to a press on a proposal that is no longer open: what happened, by whom, when."""
    decision = made[-1] if made else None
    people = " and ".join(mention(one.user) for one in made if decision and one.verdict == decision.verdict)
    by = "" if decision is None else f" by {people} at {stamp(decision.at)}"
    begun = f"was approved{by}" if made else "was begun by itself"
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
            return Answer("late", f"This {begun} and is under way. Your press changed nothing.")
        case "verified" | "not-verified" | "worse" | "undone":
            return Answer("late", f"This {begun} and is done ({row.state}). Your press changed nothing.")
        case _:
            return Answer("late", f"This {begun} and ended as {row.state}. Your press changed nothing.")
