"""What is broken in a snapshot: the explicit table of failure kinds, and the one call that asks them all.

Called by `bot.flow.triage` once a sweep. Pure: the time is the snapshot's. The catalogue is open: a new family is a
module of `k8s.detectors` and a line in `DETECTORS`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from k8s import custom, folding, indexing, model, redact, symptoms
from k8s.detectors import (
    autoscalers,
    budgets,
    certificates,
    claims,
    configuration,
    crashes,
    creating,
    cronjobs,
    daemonsets,
    evictions,
    growth,
    images,
    ingresses,
    initialising,
    jobs,
    liveness,
    log_errors,
    memory,
    nodes,
    quotas,
    readiness,
    restarts,
    risks,
    rollouts,
    scheduling,
    services,
    statefulsets,
    terminating,
    webhooks,
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
    creating,
    liveness,
    evictions,
    terminating,
    statefulsets,
    daemonsets,
    cronjobs,
    autoscalers,
    budgets,
    claims,
    quotas,
    services,
    ingresses,
    webhooks,
    certificates,
    restarts,
    growth,
    log_errors,
    risks,
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
        creating.KINDS,
        liveness.KINDS,
        evictions.KINDS,
        terminating.KINDS,
        statefulsets.KINDS,
        daemonsets.KINDS,
        cronjobs.KINDS,
        autoscalers.KINDS,
        budgets.KINDS,
        claims.KINDS,
        quotas.KINDS,
        services.KINDS,
        ingresses.KINDS,
        webhooks.KINDS,
        certificates.KINDS,
        restarts.KINDS,
        growth.KINDS,
        log_errors.KINDS,
        risks.KINDS,
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
    enabled: frozenset[str] = frozenset()
    """Kinds to look for that are off by default; `disabled` wins."""
    own: custom.Custom = custom.NONE
    """Detectors of somebody's own, asked beside those of the catalogue."""

    @property
    def kinds(self) -> Mapping[str, KindInfo]:
        """Every kind that can be found: the catalogue, then somebody's own."""
        return {**KINDS, **self.own.kinds}

    def looks_for(self, kind: str) -> bool:
        """Whether a kind is looked for; one that nobody knows is, unless it is turned off."""
        info = KINDS.get(kind) or self.own.kinds.get(kind)
        on = info is None or info.on or kind in self.enabled
        return on and kind not in self.disabled


@dataclass(frozen=True, slots=True)
class Detection:
    """What one snapshot shows."""

    findings: tuple[model.Finding, ...]
    """All that are not muted, each pod on its own; cause before symptom. Without those that are only told."""
    muted: int
    """How many findings a person has asked to be silent about."""
    problems: tuple[model.Problem, ...]
    """The findings folded: what becomes incidents, worst first."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Kind → one sentence, where its detector broke off: the absence of its findings says nothing."""
    risks: tuple[model.Finding, ...] = ()
    """Findings of kinds that are only told: they are nobody's incident."""


def detect(
    snapshot: model.Snapshot, options: Options | None = None, *, detectors: Sequence[model.Detector] = DETECTORS
) -> Detection:
    """Asks every detector. Never raises for what is in a snapshot; findings are emitted at any age, `grace` on each.

    Detectors of somebody's own are asked where the look was made for them: a part of a cluster lacks what they read.
    """
    options = options or Options()
    index = indexing.Index(snapshot)
    findings: list[model.Finding] = []
    errors: dict[str, str] = {}
    own = [one for one in options.own.detectors if snapshot.rests.keys() >= set(one.kinds)]
    for detector in (*detectors, *own):
        wanted = [kind for kind in detector.kinds if options.looks_for(kind)]
        if wanted:
            found, error = _ask(detector, snapshot, index)
            findings += (finding for finding in found if finding.kind in wanted)
            errors |= dict.fromkeys(wanted, error) if error else {}
    heard = [_adjusted(finding, options) for finding in findings if not index.muted(finding)]
    heard.sort(key=folding.order)
    told = {kind for kind, info in options.kinds.items() if info.report_only}
    broken = [finding for finding in heard if finding.kind not in told]
    return Detection(
        findings=tuple(broken),
        muted=len(findings) - len(heard),
        problems=fold(broken, index),
        errors=errors,
        risks=tuple(finding for finding in heard if finding.kind in told),
    )


def report_only(kind: str) -> bool:
    """Whether findings of a kind are told and never make an incident."""
    info = KINDS.get(kind)
    return info is not None and info.report_only


def reads(kind: str, cause: str = "") -> tuple[str, ...]:
    """The snapshot lists that a kind (and this cause of it) rests on; KeyError for one that is not in the catalogue.

    Where one of them is degraded or unread (`Snapshot.saw`), the absence of such findings says nothing.
    """
    for detector in DETECTORS:
        if kind in detector.kinds:
            also = [lists for start, lists in KINDS[kind].also.items() if cause.startswith(start)]
            return detector.reads + tuple(name for lists in also for name in lists)
    raise KeyError(kind)


def _ask(detector: model.Detector, snapshot: model.Snapshot, index: model.Index) -> tuple[list[model.Finding], str]:
    """What one detector finds, and why it broke off, if it did: what it found until then is kept.

    THE boundary of detection: one odd object must not blind the other detectors.
    """
    found: list[model.Finding] = []
    try:
        found.extend(detector.detect(snapshot, index))
    except custom.BrokeOff as error:
        return found, redact.redact(str(error))
    except Exception as error:  # noqa: BLE001 - whatever a detector trips over, the others still have to be asked
        return found, f"The detector broke off with {type(error).__name__}."
    return found, ""


def _adjusted(finding: model.Finding, options: Options) -> model.Finding:
    grace = options.graces.get(finding.kind, finding.grace)
    severity = options.severities.get(finding.kind, finding.severity)
    if grace == finding.grace and severity == finding.severity:
        return finding
    return dataclasses.replace(finding, grace=grace, severity=severity)
