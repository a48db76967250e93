"""Admission webhooks that do not answer: what the API server does then, and where nothing can be seen."""

import dataclasses

import pytest

from k8s import detection, model
from k8s.detectors import webhooks
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b

KIND = "WebhookBroken"
HOOK = {"app": "hook"}
UNREADY = b.pod("hook-1", [b.running(ready=False)], owner=b.controlled("StatefulSet", "hook"), labels=HOOK)


def test_a_service_that_does_not_exist_refuses_what_it_is_asked_about() -> None:
    finding = b.only(KIND, validatingwebhookconfigurations=[a.webhook()])
    assert finding.severity == "P1"
    assert finding.message == (
        "Webhook guard.example.com of ValidatingWebhookConfiguration guard does not answer: its Service shop/hook does"
        " not exist, so what it is asked about is refused."
    )
    assert str(finding.owner) == "ValidatingWebhookConfiguration/guard"


@pytest.mark.parametrize(("policy", "severity"), [("Fail", "P1"), (None, "P1"), ("Ignore", "P3")])
@pytest.mark.parametrize("name", ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"])
def test_the_failure_policy_decides_how_bad_it_is(policy: str | None, severity: str, name: str) -> None:
    finding = b.only(KIND, **{name: [a.webhook(policy=policy)]})
    assert finding.severity == severity
    assert ("pass unchecked" in finding.message) is (severity == "P3")


def test_a_service_without_a_ready_endpoint_folds_into_the_workload_behind_it() -> None:
    found = detection.detect(
        b.snapshot(
            validatingwebhookconfigurations=[a.webhook()],
            services=[a.service("hook", HOOK)],
            endpointslices=[a.endpoints(False, of="hook")],
            pods=[UNREADY],
        )
    )
    (problem,) = found.problems
    assert problem.subject == model.ResourceRef("StatefulSet", "shop", "hook", "uid-hook")
    assert problem.kinds == ("ServiceNoEndpoints", KIND)
    assert problem.severity == "P1"


def test_a_webhook_whose_workload_is_at_zero_refuses_all_the_same() -> None:
    resting = a.templated(b.deployment("hook", replicas=0, ready=0), HOOK)
    lists = {"services": [a.service("hook", HOOK)], "deployments": [resting]}
    assert b.findings("ServiceNoEndpoints", **lists) == []
    assert b.only(KIND, validatingwebhookconfigurations=[a.webhook()], **lists).owner.name == "guard"


def test_webhooks_of_one_configuration_that_call_one_service_are_one_finding() -> None:
    both = a.webhook()
    both["webhooks"] += [both["webhooks"][0] | {"name": "also.example.com", "failurePolicy": "Ignore"}]
    finding = b.only(KIND, validatingwebhookconfigurations=[both])
    assert finding.message.startswith("Webhook also.example.com and 1 more of")
    assert finding.severity == "P1"


def test_a_ready_pod_whose_endpoint_is_on_its_way_is_enough() -> None:
    pod = b.pod("hook-1", labels=HOOK)
    lists = {"services": [a.service("hook", HOOK)], "pods": [pod]}
    assert b.findings(KIND, validatingwebhookconfigurations=[a.webhook()], **lists) == []


def test_a_namespace_out_of_scope_was_not_looked_at() -> None:
    whole = b.snapshot(validatingwebhookconfigurations=[a.webhook(namespace="kube-guard")])
    assert detection.detect(whole).findings
    assert not detection.detect(dataclasses.replace(whole, scope=model.Scope(("shop",)))).findings


@pytest.mark.parametrize("name", webhooks.reads)
@pytest.mark.parametrize("how", ["degraded", "unread"])
def test_nothing_is_said_where_a_list_that_it_rests_on_was_not_seen(name: str, how: str) -> None:
    whole = b.snapshot(validatingwebhookconfigurations=[a.webhook()])
    assert not detection.detect(a.gap(whole, how, name)).findings


def test_it_must_hold_for_its_grace_by_sweeps_where_no_time_is_told() -> None:
    assert b.only(KIND, validatingwebhookconfigurations=[a.webhook()]).since == b.NOW


def test_odd_configurations_say_nothing() -> None:
    odd: list[b.Json] = [
        {},
        {"metadata": {"name": "a"}, "webhooks": None},
        {"metadata": {"name": "b"}, "webhooks": [{"name": "x", "clientConfig": {"service": None, "url": None}}]},
        {"metadata": {"name": "c"}, "webhooks": [{"clientConfig": {"service": {"namespace": "", "name": ""}}}, {}]},
    ]
    assert b.findings(KIND, mutatingwebhookconfigurations=odd) == []
