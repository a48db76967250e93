"""Memory of remedies: what was done for a workload and a kind of problem before, whether it helped, how long it held.

Pure. The record tells of the tries (`ports.Executions.tried`), the pipeline asks this in which order a diagnosis'
candidates are tried, and the card shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import diagnoses, proposals
from k8s import model

SPAN = timedelta(days=30)
"""What lies further back says little of the workload as it is."""
RESTARTS = frozenset({"rollout-restart", "restart-on-node", "delete-pod", "evict-pod", "force-delete-pod"})
"""Actions that change nothing but the process: they take a symptom away and leave its cause."""
ENOUGH = 2
"""A restart that did not help so often is not proposed before, or in the place of, what the cause needs."""
HELD = timedelta(minutes=30)
"""A fix that held for less than this has not helped: it has bought a pause."""


@dataclass(frozen=True, slots=True)
class Try:
    """One remedy that was done and looked at."""

    action: str
    """Its catalogue name."""
    state: proposals.State
    """How it ended: verified, not-verified, worse or undone."""
    at: datetime
    """When it was done."""
    held: timedelta | None = None
    """From verified to when the problem came back; None where it has not come back, or it was never verified."""

    @property
    def verified(self) -> bool:
        return self.state == "verified"

    @property
    def helped(self) -> bool:
        """Verified, and for more than a pause."""
        return self.verified and (self.held is None or self.held >= HELD)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one action here: it was verified `helped` of `tried` times."""

    action: str
    tried: int
    helped: int
    held: timedelta | None
    """How long it held when it helped last; None where it never did, or holds still."""


def record(tries: Sequence[Try], action: str) -> Record | None:
    """What these tries (oldest first) tell of one action; None where it was never tried."""
    mine = [one for one in tries if one.action == action]
    if not mine:
        return None
    verified = [one for one in mine if one.verified]
    return Record(action, len(mine), len(verified), verified[-1].held if verified else None)


def records(tries: Sequence[Try]) -> tuple[Record, ...]:
    """One for each action that was tried, in the order of their first try."""
    names = dict.fromkeys(one.action for one in tries)
    return tuple(found for name in names if (found := record(tries, name)) is not None)


def useless(tries: Sequence[Try], action: str) -> bool:
    """Whether an action is a restart that did not help often enough to be believed that it will not."""
    return action in RESTARTS and sum(one.action == action and not one.helped for one in tries) >= ENOUGH


@dataclass(frozen=True, slots=True)
class Ordered:
    """Candidates in the order in which they are to be worked out, and what was left out: sentences."""

    candidates: tuple[diagnoses.Candidate, ...]
    dropped: tuple[str, ...] = ()


def ordered(candidates: Sequence[diagnoses.Candidate], tries: Sequence[Try]) -> Ordered:
    """Restarts that did not help here come last; where there is nothing else to try, they are left out."""
    spent = [one for one in candidates if useless(tries, model.name_of(one.action))]
    rest = [one for one in candidates if one not in spent]
    if rest:
        return Ordered((*rest, *spent))
    return Ordered((), tuple(_left_out(tries, model.name_of(one.action)) for one in spent))


def _left_out(tries: Sequence[Try], action: str) -> str:
    mine = [one for one in tries if one.action == action]
    short = sum(one.verified and not one.helped for one in mine)
    failed = sum(not one.helped for one in mine)
    held = f" ({short} held for less than {int(HELD.total_seconds() // 60)} min)" if short else ""
    times = f"{failed} of {len(mine)} times" if len(mine) > failed else f"any of {len(mine)} times"
    return f"{action} was considered: it did not help here {times} in {SPAN.days} days{held}; the cause needs more"
