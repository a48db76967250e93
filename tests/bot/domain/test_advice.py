"""Every class of what stands around workloads has its own advice, and what is shared is told as that."""

import pytest

from bot.domain import advice, diagnoses
from bot.flow import diagnosing
from k8s import detection, model, sharing
from tests.bot.domain import examples
from tests.k8s.detectors import around
from tests.k8s.detectors import builders as b
from tests.k8s.detectors import examples as catalogue

EMPTY = diagnoses.Dossier((), {}, None)
CLASSES = {
    "ServiceNoEndpoints": {"no-match", "no-pods", "not-ready"},
    "IngressBroken": {"Service", "port", "IngressClass", "Secret"},
    "PVCPending": {"lost", "no-class", "no-such-class", "quota", "denied", "unreachable", "failed"},
    "QuotaExhausted": {"refuses", "full"},
    "WebhookBroken": {"no-service", "not-ready"},
    "CertificateExpiring": {"expires", "expired"},
    "RestartGrowth": {"growth"},
    "MemoryGrowth": {"growth", "urgent"},
    "LogErrors": {"new", "more"},
}

AROUND = sorted(CLASSES)


def test_every_class_has_advice_and_there_is_none_for_a_class_that_nobody_finds() -> None:
    assert {kind: {name for each, name in advice.ADVICE if each == kind} for kind in AROUND} == CLASSES
    assert set(advice.SHARED) == sharing.KINDS


@pytest.mark.parametrize("kind", AROUND)
def test_the_example_of_a_kind_gets_its_advice_and_no_action(kind: str) -> None:
    every = detection.Options(enabled=frozenset(detection.KINDS))
    found = detection.detect(catalogue.EXAMPLES[kind].broken, every).findings
    finding = next(finding for finding in found if finding.kind == kind)
    given = advice.of(kind, finding.facts)
    assert given is not None
    diagnosis = diagnosing.diagnose(model.Problem(finding.owner, (finding,), finding.severity), EMPTY, b.NOW)
    assert (diagnosis.confidence, diagnosis.next_step, diagnosis.candidates) == (given.confidence, given.next_step, ())
    assert diagnosis.cause.startswith(finding.message.rstrip("."))


@pytest.mark.parametrize("kind", AROUND)
def test_a_class_that_only_another_version_knows_gets_the_plain_finding(kind: str) -> None:
    shown = examples.problem(examples.finding(kind, facts={"class": "of-tomorrow"}))
    diagnosis = diagnosing.diagnose(shown, EMPTY, b.NOW)
    assert diagnosis.confidence == "low"
    assert diagnosis.candidates == ()


def test_the_provisioners_words_are_told_once() -> None:
    said = "rpc error: no capacity in zone a."
    claim = around.claim()
    lists = b.snapshot(persistentvolumeclaims=[claim], events=[around.provisioning_failed(claim, said)])
    (problem,) = detection.detect(lists).problems
    diagnosis = diagnosing.diagnose(problem, EMPTY, b.NOW)
    assert diagnosis.cause.count("no capacity in zone a") == 1


@pytest.mark.parametrize("kind", sorted(sharing.KINDS))
def test_a_shared_cause_is_told_with_how_many_it_breaks_and_nothing_is_proposed(kind: str) -> None:
    facts = {"members": "Deployment api, Deployment web", "owners": "2", "missing": "ConfigMap settings"}
    subject = model.ResourceRef(kind, "" if kind == "Registry" else "shop", "settings")
    shown = examples.problem(examples.finding("ConfigError", facts=facts, message="It is away."), subject=subject)
    healthy = diagnoses.Dossier((), {"healthy_revision": "3", "rollout_diff": "settings added"}, None)
    diagnosis = diagnosing.diagnose(shown, healthy, b.NOW)
    assert diagnosis.cause == "It is away."
    assert diagnosis.reason == "2 workloads fail for this very reason at the same time"
    assert (diagnosis.next_step, diagnosis.candidates) == (advice.SHARED[kind], ())
