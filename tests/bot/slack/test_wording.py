"""How an incident is called and what is said of it, where its subject is no workload."""

import pytest

from bot.slack.blocks import wording
from k8s import detection, model, sharing
from tests.bot.slack import building


@pytest.mark.parametrize(
    ("ref", "kind", "told"),
    [
        ("Deployment/shop/web", "CrashLoopBackOff", "shop/web is crash-looping"),
        ("ConfigMap/shop/app", "ConfigError", "ConfigMap shop/app is missing or incomplete"),
        ("Secret/shop/db", "StuckCreating", "Secret shop/db is missing or incomplete"),
        ("Secret/shop/tls", "CertificateExpiring", "Secret shop/tls is about to lose its certificate"),
        ("Registry//registry.example", "ImagePull", "registry registry.example is not serving images"),
        ("PersistentVolumeClaim/shop/d", "PVCPending", "PersistentVolumeClaim shop/d is without its volume"),
        ("ResourceQuota/shop/compute", "ReplicasMissing", "ResourceQuota shop/compute is out of quota"),
        ("ValidatingWebhookConfiguration//guard", "WebhookBroken", "webhook guard is refusing requests"),
        ("Node//worker-1", "NodeNotReady", "node worker-1 is not ready"),
    ],
)
def test_the_subject_and_its_trouble(ref: str, kind: str, told: str) -> None:
    incident = building.incident(subject=model.ResourceRef(*ref.split("/")), kinds=(kind,))
    assert f"{wording.subject(incident)} {wording.trouble(incident)}" == told


@pytest.mark.parametrize("kind", [kind for kind in detection.KINDS if not detection.report_only(kind)])
def test_every_kind_that_opens_incidents_has_its_words(kind: str) -> None:
    assert not wording.trouble(building.incident(kinds=(kind,))).startswith("has ")


@pytest.mark.parametrize("kind", sorted(sharing.KINDS))
def test_whatever_shows_a_shared_cause_the_words_are_of_what_is_shared(kind: str) -> None:
    told = {
        wording.trouble(building.incident(subject=model.ResourceRef(kind, "shop", "x"), kinds=(each,)))
        for each in ("ConfigError", "StuckCreating", "ImagePull", "RolloutStuck")
    }
    assert len(told) == 1


@pytest.mark.parametrize(
    ("kinds", "ready", "said"),
    [
        (("NotReady", "RolloutStuck"), 3, "is stuck in a rollout"),
        (("NotReady", "RolloutStuck"), 2, "is running but not ready"),
        (("NotReady",), 3, "is running but not ready"),
        (("SomethingNew",), 3, "has SomethingNew"),
        ((), 3, "has a problem"),
    ],
)
def test_a_headline_does_not_contradict_its_count(kinds: tuple[str, ...], ready: int, said: str) -> None:
    assert wording.trouble(building.incident(kinds=kinds, ready=ready, desired=3)) == said


def test_what_is_over_is_told_as_past() -> None:
    assert wording.trouble(building.resolved()) == "was crash-looping"
