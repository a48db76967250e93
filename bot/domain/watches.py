"""A watch (what is swept, when, and where it is told) and a sweep (one look of it).

Used by the sweeping stage, the `/watch` commands and the schedules.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from k8s import detection, guardrails, model

State = Literal["active", "paused", "removed"]
SweepStatus = Literal["running", "ok", "issues", "partial", "failed"]
"""ok: nothing found. issues: findings. partial: something could not be listed. failed: could not look at all."""
Trigger = Literal["schedule", "command", "start"]


@dataclass(frozen=True, slots=True)
class Kinds:
    """What holds of failure kinds for one watch alone. A kind that is not named here is as the settings say."""

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    """None of those that are `on`."""
    graces: Mapping[str, timedelta] = field(default_factory=dict)
    severities: Mapping[str, model.Severity] = field(default_factory=dict)

    @property
    def named(self) -> tuple[str, ...]:
        """Every kind that something is said of."""
        return tuple(dict.fromkeys((*self.on, *self.off, *self.graces, *self.severities)))

    def over(self, options: detection.Options) -> detection.Options:
        """The settings' options with the watch's own word in their place, for the kinds that it names."""
        return replace(
            options,
            enabled=options.enabled.difference(self.off).union(self.on),
            disabled=options.disabled.difference(self.on).union(self.off),
            graces={**options.graces, **self.graces},
            severities={**options.severities, **self.severities},
        )

    def changed(self, said: "Kinds", forgotten: Collection[str] = ()) -> "Kinds":
        """After `said`, which holds where both speak; of those `forgotten` nothing is said any more."""
        before = self.without(forgotten)
        return Kinds(
            on=_joined(before.on, said.on, said.off),
            off=_joined(before.off, said.off, said.on),
            graces={**before.graces, **said.graces},
            severities={**before.severities, **said.severities},
        )

    def without(self, kinds: Collection[str]) -> "Kinds":
        return Kinds(
            on=tuple(kind for kind in self.on if kind not in kinds),
            off=tuple(kind for kind in self.off if kind not in kinds),
            graces={kind: grace for kind, grace in self.graces.items() if kind not in kinds},
            severities={kind: severity for kind, severity in self.severities.items() if kind not in kinds},
        )

    @property
    def parts(self) -> Mapping[str, list[str]]:
        """Option of `/watch` → its entries as they are written there; without options that say nothing."""
        said = {
            "on": list(self.on),
            "off": list(self.off),
            "grace": [f"{kind}={_span(grace)}" for kind, grace in self.graces.items()],
            "severity": [f"{kind}={severity}" for kind, severity in self.severities.items()],
        }
        return {option: entries for option, entries in said.items() if entries}

    def __str__(self) -> str:
        """As it is written behind `/watch kinds name`: `off JobFailed grace NotReady=10m`."""
        return " ".join(f"{option} {','.join(entries)}" for option, entries in self.parts.items())


def _joined(before: tuple[str, ...], more: tuple[str, ...], less: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(kind for kind in dict.fromkeys((*before, *more)) if kind not in less)


def _span(span: timedelta) -> str:
    """As a person writes it: `10m`, `90s`, `1.5s`."""
    seconds = span.total_seconds()
    units = (("d", 86400), ("h", 3600), ("m", 60))
    unit, length = next((one for one in units if seconds and seconds % one[1] == 0), ("s", 1))
    return f"{seconds / length:g}{unit}"


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
    kinds: Kinds = Kinds()


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
    kinds: Kinds = Kinds()


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


def summarise(
    snapshot: model.Snapshot, findings: int, problems: int, risks: int = 0, errors: Mapping[str, str] | None = None
) -> tuple[SweepStatus, str]:
    """The status of a sweep and the one line that tells it. Risks are told and change no status.

    `errors`: the kinds whose detectors broke off, of which not all was seen either.
    """
    seen = f"{len(snapshot.pods)} pods on {len(snapshot.nodes)} nodes"
    unseen = sorted({*snapshot.degraded, *(errors or {})})
    gaps = f"; not seen whole: {', '.join(unseen)}" if unseen else ""
    if unseen:
        status: SweepStatus = "partial"
    else:
        status = "issues" if findings else "ok"
    if not findings:
        told = "nothing is broken"
    else:
        told = f"{findings} finding{'s' * (findings != 1)} in {problems} incident{'s' * (problems != 1)}"
    told += f"; {risks} risk{'s' * (risks != 1)}" if risks else ""
    return status, f"{seen}: {told}{gaps}"
