"""Risks: off by default, told when they are on, and nobody's incident."""

import dataclasses

import pytest

from k8s import detection, model
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b

ON = detection.Options(enabled=frozenset({"Risk"}))
SOLID = {
    "name": "app",
    "image": "registry.example/app:1",
    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "128Mi"}},
    "readinessProbe": {"periodSeconds": 10},
}


def _risks(**lists: list[b.Json]) -> dict[str, list[str]]:
    """Object → the words for its risks."""
    found = detection.detect(b.snapshot(**lists), ON)
    assert not found.errors
    assert {finding.kind for finding in found.risks} <= {"Risk"}
    return {str(finding.owner): finding.facts["risks"].split(",") for finding in found.risks}


def _web(container: b.Json = SOLID, **more: object) -> dict[str, list[b.Json]]:
    pod = b.pod(labels=a.WEB, spec={"containers": [container]})
    deployment = a.templated(b.deployment(**more))  # type: ignore[arg-type]
    return {"pods": [pod], "replicasets": [b.replicaset()], "deployments": [deployment]}


def test_it_is_off_by_default_and_a_person_turns_it_on_and_off_again() -> None:
    shown = b.snapshot(**_web(SOLID | {"image": "app:latest"}))
    assert detection.detect(shown).risks == ()
    assert len(detection.detect(shown, ON).risks) == 1
    both = dataclasses.replace(ON, disabled=frozenset({"Risk"}))
    assert detection.detect(shown, both).risks == ()


def test_a_risk_is_no_finding_and_makes_no_problem() -> None:
    found = detection.detect(b.snapshot(**_web()), ON)
    assert len(found.risks) == 1
    assert (found.findings, found.problems) == ((), ())
    assert found.risks[0].severity == "P3"


def test_a_workload_that_lacks_nothing_has_no_risk() -> None:
    assert _risks(**_web(), poddisruptionbudgets=[b.budget()]) == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "app:latest"}, ["latest"]),
        ({"image": "registry.example:5000/app"}, ["latest"]),
        ({"image": "app@sha256:abc"}, []),
        ({"image": "registry.example:5000/app:1"}, []),
        ({"image": ""}, []),
        ({"readinessProbe": None}, ["no-probe"]),
        ({"resources": None}, ["no-limits", "no-requests"]),
        ({"resources": {"limits": {"cpu": "1"}}}, ["no-limits"]),
        ({"resources": {"limits": {"memory": "1Gi"}}}, []),
    ],
)
def test_what_a_container_lacks(change: b.Json, words: list[str]) -> None:
    found = _risks(**_web(SOLID | change), poddisruptionbudgets=[b.budget()])
    assert found == ({"Deployment/shop/web": words} if words else {})


def test_one_replica_is_a_risk_unless_an_autoscaler_decides() -> None:
    alone = _web(replicas=1, ready=1)
    assert _risks(**alone) == {"Deployment/shop/web": ["one-replica"]}
    assert _risks(**alone, horizontalpodautoscalers=[b.autoscaler(current=1)]) == {}


@pytest.mark.parametrize(
    ("selector", "covered"),
    [
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Sometimes"}]}, False),
    ],
)
def test_a_budget_covers_what_its_selector_matches(selector: b.Json, covered: bool) -> None:
    found = _risks(**_web(), poddisruptionbudgets=[b.budget(selector=selector)])
    assert found == ({} if covered else {"Deployment/shop/web": ["no-budget"]})


def test_without_a_right_to_budgets_none_is_missed() -> None:
    whole = dataclasses.replace(b.snapshot(**_web()), unread={"poddisruptionbudgets": "no right"})
    assert detection.detect(whole, ON).risks == ()


def test_an_autoscaler_at_its_maximum_and_a_quota_that_is_nearly_full() -> None:
    nearly = a.quota(hard={"pods": "100", "cpu": "10"}, used={"pods": "91", "cpu": "9"})
    found = _risks(horizontalpodautoscalers=[b.autoscaler(current=10)], resourcequotas=[nearly])
    assert found == {
        "HorizontalPodAutoscaler/shop/web": ["at-maximum"],
        "ResourceQuota/shop/compute": ["quota-nearly-full"],
    }
    full = a.quota(hard={"pods": "100"}, used={"pods": "100"})
    fixed = b.autoscaler(current=3, most=3, spec={"minReplicas": 3})
    assert _risks(horizontalpodautoscalers=[fixed, b.autoscaler(current=9)], resourcequotas=[full]) == {}


def test_a_risk_can_be_muted_where_it_is() -> None:
    lists = _web()
    lists["deployments"][0]["metadata"]["annotations"] = {"watchkeeper.io/ignore": "risk"}
    found = detection.detect(b.snapshot(**lists), ON)
    assert (found.risks, found.muted) == ((), 1)


def test_a_partial_look_tells_what_it_saw() -> None:
    whole = b.snapshot(**_web(replicas=1, ready=1))
    seen = dataclasses.replace(whole, degraded={"pods": "cut"}, scope=model.Scope(("shop",)))
    assert len(detection.detect(seen, ON).risks) == 1
