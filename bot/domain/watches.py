"""A watch (what is swept, when, and where it is told) and a sweep (one look of it).

Used by the sweeping stage, the `/watch` commands and the schedules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from k8s import guardrails, model

State = Literal["active", "paused", "removed"]
SweepStatus = Literal["running", "ok", "issues", "partial", "failed"]
"""ok: nothing found. issues: findings. partial: something could not be listed. failed: could not look at all."""
Trigger = Literal["schedule", "command", "start"]


@dataclass(frozen=True, slots=True)
class Watch:
    id: int
    name: str
    cluster: str
    scope: model.Scope
    cron: str
    timezone: str
    """IANA name; the cron expression is read in it."""
    channel: str
    """Slack channel id that incidents of this watch are told in."""
    mode: guardrails.Mode
    state: State
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewWatch:
    """A watch that a person asks for, before it has an id."""

    name: str
    cluster: str
    scope: model.Scope
    cron: str
    timezone: str
    channel: str
    mode: guardrails.Mode
    created_by: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """One look at one watch's cluster. `slot` is the tick that it answers; None for one that a person asked for."""

    id: int
    watch_id: int
    slot: datetime | None
    trigger: Trigger
    status: SweepStatus
    started_at: datetime
    finished_at: datetime | None = None
    pods: int = 0
    nodes: int = 0
    findings: int = 0
    muted: int = 0
    seconds: float = 0.0
    summary: str = ""
    degraded: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


def summarise(snapshot: model.Snapshot, findings: int, problems: int) -> tuple[SweepStatus, str]:
    """The status of a sweep and the one line that tells it."""
    seen = f"{len(snapshot.pods)} pods on {len(snapshot.nodes)} nodes"
    gaps = "" if not snapshot.degraded else f"; not seen whole: {', '.join(sorted(snapshot.degraded))}"
    if snapshot.degraded:
        status: SweepStatus = "partial"
    else:
        status = "issues" if findings else "ok"
    if not findings:
        told = "nothing is broken"
    else:
        told = f"{findings} finding{'s' * (findings != 1)} in {problems} incident{'s' * (problems != 1)}"
    return status, f"{seen}: {told}{gaps}"
