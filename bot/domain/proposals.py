"""A proposal: one exact action, what it would do, and the life that it has from Approve to verified.

The state machine here is the only list of which state may follow which; the store applies it by compare-and-set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from k8s import model

State = Literal[
    "proposed", "approved", "executing", "succeeded", "verified", "not-verified", "worse", "undone",
    "rejected", "expired", "superseded", "stale", "already-fixed", "refused", "failed", "stopped", "unknown",
]  # fmt: skip

FOLLOWS: Mapping[State, frozenset[State]] = {
    "proposed": frozenset({"approved", "rejected", "expired", "superseded"}),
    "approved": frozenset({"executing"}),
    "executing": frozenset({"succeeded", "stale", "already-fixed", "refused", "failed", "stopped", "unknown"}),
    # What was half done is looked at: its end stays what it is called, unless the rest came by itself.
    "stopped": frozenset({"verified", "undone"}),
    "unknown": frozenset({"verified", "not-verified", "worse", "undone"}),
    "succeeded": frozenset({"verified", "not-verified", "worse"}),
    "verified": frozenset({"undone"}),
    "not-verified": frozenset({"undone"}),
    "worse": frozenset({"undone"}),
    "undone": frozenset(),
    "rejected": frozenset(),
    "expired": frozenset(),
    "superseded": frozenset(),
    "stale": frozenset(),
    "already-fixed": frozenset(),
    "refused": frozenset(),
    "failed": frozenset(),
}
RUNNING: frozenset[State] = frozenset({"approved", "executing", "succeeded"})
"""A person said yes and the end is not known yet: no buttons, no second proposal."""
Check = Literal["pending", "verified", "not-verified", "worse"]
"""How a verification stands. worse: it did not help, and less works than before the write."""


@dataclass(frozen=True, slots=True)
class Proposal:
    id: int
    incident_id: int
    kind: Literal["remedy", "undo"]
    undo_of: int | None
    """For an undo: the proposal whose effect it takes back."""
    action: model.Action
    planned_at: datetime
    operations: tuple[model.Operation, ...]
    pins: Mapping[str, str]
    digest: str
    policy: str
    """Hash of the policy under which it was judged."""
    kubectl: str
    summary: str
    why: str
    risk: model.RiskTier
    blast: model.BlastRadius
    inverse: model.Action | None
    irreversible: str
    diff: tuple[str, ...]
    """From the server-side dry run, redacted."""
    warnings: tuple[str, ...]
    state: State
    created_at: datetime
    expires_at: datetime
    proposer: str = ""
    """Who asked for it or changed it: a Slack user id; empty where Watchkeeper itself proposes it."""
    rule: str = ""
    """Which rule of the policy lets it through."""
    tier_reasons: tuple[str, ...] = ()
    """Why it is of its tier."""
    approvals: int = 1
    """So many different people must approve it."""
    reason_required: bool = False
    """Each of them has to say why."""


@dataclass(frozen=True, slots=True)
class Decision:
    proposal_id: int
    user: str
    verdict: Literal["approve", "reject"]
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Execution:
    """The one execution of an approved proposal. `owner` holds it until `lease_until`, renewed by heartbeat."""

    id: int
    proposal_id: int
    state: Literal["queued", "executing", "done"]
    permit: model.Permit
    owner: str = ""
    lease_until: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: model.Outcome | None = None
    progress: model.Progress | None = None
    """Of one in steps, while it runs."""
    stop_by: str = ""
    """Who asked it to stop: a Slack user id."""


@dataclass(frozen=True, slots=True)
class Before:
    """How things were right before the write: what `worse` is measured by. None: not known."""

    ready: int | None = None
    severity: model.Severity | None = None


UNMEASURED = Before()


@dataclass(frozen=True, slots=True)
class Verification:
    proposal_id: int
    status: Check
    started_at: datetime
    progress: str = ""
    """Such as `2 of 3 rolled out, 2 ready`."""
    reason: str = ""
    finished_at: datetime | None = None
    owner: str = ""
    lease_until: datetime | None = None
    before: Before = UNMEASURED
    no_undo: str = ""
    """Why no Undo is on offer at its end, in one sentence; empty where one is."""
    came_back_at: datetime | None = None
    """When the problem was seen again, in the same thread, after this had solved it."""


def may_follow(before: State, after: State) -> bool:
    return after in FOLLOWS[before]
