"""One look at a cluster with neither Slack nor database: what `watchkeeper sweep` finds and prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain import diagnoses, watches
from k8s import model


@dataclass(frozen=True, slots=True)
class Seen:
    """A fresh look at one incident's problem."""

    problem: model.Problem | None
    """None where it is gone."""
    moving: str = ""
    """What its workload still waits for, in a few words: what is hidden for a moment is not gone. Empty: settled."""
    lacking: str = ""
    """What is not shown yet although nothing is found (`k8s.verification_kinds`); empty where all is."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A candidate that passes the catalogue and the default policy, worked out against the cluster; never executed."""

    plan: model.Plan
    why: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A problem, and, with `--diagnose`, what is known about it."""

    problem: model.Problem
    evidence: tuple[diagnoses.Evidence, ...] = ()
    diagnosis: diagnoses.Diagnosis | None = None
    remedies: tuple[Remedy, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    cluster: str
    taken_at: datetime
    status: watches.SweepStatus
    summary: str
    pods: int
    nodes: int
    seconds: float
    findings: tuple[model.Finding, ...]
    examined: tuple[Examined, ...]
    muted: int = 0
    degraded: Mapping[str, str] = field(default_factory=dict)
    risks: tuple[model.Finding, ...] = ()
    """What is only told: it is no part of the findings and makes nothing unhealthy."""
