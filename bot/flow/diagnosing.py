"""Diagnosing by rules: from a dossier to a cause whose every claim cites its evidence.

Pure, and complete without any model: no key, the same card. One rule a failure kind, in an explicit table; the rules
themselves are in `bot.causes`, by family.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from bot.causes import (
    blaming,
    cases,
    configuration,
    controllers,
    crashes,
    ending,
    images,
    memory,
    nodes,
    readiness,
    runs,
    scaling,
    scheduling,
    told,
)
from bot.domain import advice, diagnoses
from k8s import model, redact

RULES: Mapping[str, cases.Rule] = {
    "CrashLoopBackOff": crashes.crash,
    "OOMKilled": memory.killed,
    "ImagePull": images.pull,
    "ConfigError": configuration.container,
    "InitFailing": crashes.crash,
    "Unschedulable": scheduling.unschedulable,
    "RolloutStuck": controllers.rollout,
    "ReplicasMissing": controllers.replicas,
    "NotReady": readiness.unready,
    "JobFailed": runs.job,
    "NodeNotReady": nodes.condition,
    "NodePressure": nodes.condition,
    "StuckCreating": configuration.pod,
    "LivenessRestarts": crashes.liveness,
    "Evicted": told.around,
    "StuckTerminating": ending.stuck,
    "StatefulSetStuck": controllers.statefulset,
    "DaemonSetIncomplete": told.around,
    "CronJobBroken": runs.cronjob,
    "HPABroken": scaling.autoscaler,
    "PDBBlocking": told.around,
    "ServiceNoEndpoints": told.around,
    "IngressBroken": told.around,
    "PVCPending": told.around,
    "QuotaExhausted": told.around,
    "WebhookBroken": told.around,
    "CertificateExpiring": told.around,
    "RestartGrowth": crashes.restarting,
    "MemoryGrowth": memory.growing,
    "LogErrors": told.around,
    "Risk": told.plain,
}
"""Failure kind → its rule: every kind of `k8s.detection.KINDS` has one."""


def diagnose(problem: model.Problem, dossier: diagnoses.Dossier, now: datetime) -> diagnoses.Diagnosis:
    """What the rules make of it. Never raises for a kind without a rule of its own: it gets the plain finding."""
    verdict = _verdict(cases.Case(_plain(problem), replace(dossier, facts=_unlabelled(dossier.facts)), now))
    reason = verdict.reason
    confidence = verdict.confidence
    if dossier.missing and confidence == "high":
        confidence, reason = "medium", f"{reason}; but some evidence could not be read"
    labels = {piece.label: piece.number for piece in dossier.evidence}
    return diagnoses.Diagnosis(
        cause=redact.redact(verdict.cause),
        cites=tuple(number for label, number in labels.items() if f"[{label}]" in verdict.cause),
        confidence=confidence,
        reason=redact.redact(reason),
        next_step=redact.redact(verdict.next_step),
        candidates=verdict.candidates,
        missing=dossier.missing,
        kind=verdict.kind,
        beside=dossier.beside,
    )


def _plain(problem: model.Problem) -> model.Problem:
    """What was found, without anything that plays evidence: messages and facts quote pods, logs and events."""
    return replace(
        problem,
        findings=tuple(
            replace(finding, message=cases.unlabelled(finding.message), facts=_unlabelled(finding.facts))
            for finding in problem.findings
        ),
    )


def _unlabelled(facts: Mapping[str, str]) -> Mapping[str, str]:
    return {name: cases.unlabelled(text) for name, text in facts.items()}


def _verdict(case: cases.Case) -> cases.Verdict:
    facts = case.finding.facts
    if case.problem.subject.kind in advice.SHARED and "members" in facts:
        return told.shared(case)
    rule = told.own if "rule" in facts else RULES.get(case.finding.kind, told.plain)
    return _without_going_back(case, blaming.with_change(case, rule(case)))


def _without_going_back(case: cases.Case, verdict: cases.Verdict) -> cases.Verdict:
    """Says why the revision is not put back that else were, where it is known to have failed."""
    why = case.fact("refuted")
    if not why:
        return verdict
    undone = any(isinstance(candidate.action, model.RolloutUndo) for candidate in verdict.candidates)
    return replace(verdict, next_step=f"{verdict.next_step} {why}{'' if undone else ' So no undo is proposed.'}")
