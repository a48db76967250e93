"""What is broken in a snapshot: the explicit table of failure kinds, and the one call that asks them all.

Called by `bot.flow.triage` once a sweep. Pure: the time is the snapshot's. The catalogue is open: a new family is a
module of `k8s.detectors` and a line in `DETECTORS`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from k8s import folding, indexing, model, symptoms
from k8s.detectors import (
    configuration,
    crashes,
    images,
    initialising,
    jobs,
    memory,
    nodes,
    readiness,
    rollouts,
    scheduling,
)

KindInfo = symptoms.KindInfo
fold = folding.fold

DETECTORS: tuple[model.Detector, ...] = (
    nodes,
    images,
    configuration,
    initialising,
    memory,
    crashes,
    scheduling,
    readiness,
    jobs,
    rollouts,
)

KINDS: Mapping[str, KindInfo] = {
    info.kind: info
    for family in (
        nodes.KINDS,
        images.KINDS,
        configuration.KINDS,
        initialising.KINDS,
        memory.KINDS,
        crashes.KINDS,
        scheduling.KINDS,
        readiness.KINDS,
        jobs.KINDS,
        rollouts.KINDS,
    )
    for info in family
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a person may set per kind; kinds that are not named keep their defaults."""

    disabled: frozenset[str] = frozenset()
    graces: Mapping[str, timedelta] = field(default_factory=dict)
    severities: Mapping[str, model.Severity] = field(default_factory=dict)
    """A severity set here holds whatever the detector would have said (also instead of its P1 for no ready replica)."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What one snapshot shows."""

    findings: tuple[model.Finding, ...]
    """All that are not muted, each pod on its own; cause before symptom."""
    muted: int
    """How many findings a person has asked to be silent about."""
    problems: tuple[model.Problem, ...]
    """The findings folded: what becomes incidents, worst first."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Kind → one sentence, where its detector broke off: the absence of its findings says nothing."""


def detect(
    snapshot: model.Snapshot, options: Options | None = None, *, detectors: Sequence[model.Detector] = DETECTORS
) -> Detection:
    """Asks every detector. Never raises for what is in a snapshot; findings are emitted at any age, `grace` on each."""
    options = options or Options()
    index = indexing.Index(snapshot)
    findings: list[model.Finding] = []
    errors: dict[str, str] = {}
    for detector in detectors:
        wanted = [kind for kind in detector.kinds if kind not in options.disabled]
        if wanted:
            found, error = _ask(detector, snapshot, index)
            findings += (finding for finding in found if finding.kind in wanted)
            errors |= dict.fromkeys(wanted, error) if error else {}
    heard = [_adjusted(finding, options) for finding in findings if not index.muted(finding)]
    heard.sort(key=folding.order)
    return Detection(
        findings=tuple(heard),
        muted=len(findings) - len(heard),
        problems=fold(heard, index),
        errors=errors,
    )


def reads(kind: str) -> tuple[str, ...]:
    """The snapshot lists that a kind rests on; KeyError for a kind that is not in the catalogue.

    Where one of them is degraded (`Snapshot.saw`), the absence of the kind's findings says nothing.
    """
    for detector in DETECTORS:
        if kind in detector.kinds:
            return detector.reads
    raise KeyError(kind)


def _ask(detector: model.Detector, snapshot: model.Snapshot, index: model.Index) -> tuple[list[model.Finding], str]:
    """What one detector finds, and why it broke off, if it did: what it found until then is kept.

    THE boundary of detection: one odd object must not blind the other detectors.
    """
    found: list[model.Finding] = []
    try:
        found.extend(detector.detect(snapshot, index))
    except Exception as error:  # noqa: BLE001 - whatever a detector trips over, the others still have to be asked
        return found, f"The detector broke off with {type(error).__name__}."
    return found, ""


def _adjusted(finding: model.Finding, options: Options) -> model.Finding:
    grace = options.graces.get(finding.kind, finding.grace)
    severity = options.severities.get(finding.kind, finding.severity)
    if grace == finding.grace and severity == finding.severity:
        return finding
    return dataclasses.replace(finding, grace=grace, severity=severity)
