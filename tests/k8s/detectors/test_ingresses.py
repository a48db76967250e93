"""Ingresses that lead to nowhere: what they miss, and what they may have meant."""

import pytest

from k8s import detection
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b

KIND = "IngressBroken"


def test_a_service_that_does_not_exist_is_named_with_the_nearest() -> None:
    finding = b.only(KIND, ingresses=[a.ingress(to="wbe")], services=[a.service()])
    assert finding.message == "Ingress web leads to Service wbe, which does not exist (did you mean web?)."
    assert (finding.cause, finding.severity) == ("Service wbe missing", "P2")
    assert finding.facts == {"missing_kind": "Service", "missing_name": "wbe", "hosts": "shop.example"}
    assert finding.owner.kind == finding.resource.kind == "Ingress"


def test_a_service_of_another_namespace_does_not_count() -> None:
    other = a.service() | {"metadata": b.meta("web", "other")}
    assert b.only(KIND, ingresses=[a.ingress()], services=[other]).cause == "Service web missing"


@pytest.mark.parametrize(
    ("port", "cause"),
    [
        ({"number": 8080}, "port 8080 of Service web missing"),
        ({"name": "https"}, "port https of Service web missing"),
        ({"name": "http"}, ""),
        ({"number": 80}, ""),
        ({}, ""),
        ({"name": None, "number": None}, ""),
    ],
)
def test_a_port_that_the_service_does_not_offer(port: b.Json, cause: str) -> None:
    found = b.findings(KIND, ingresses=[a.ingress(port=port)], services=[a.service(selector={})])
    assert [finding.cause for finding in found] == ([cause] if cause else [])
    if cause:
        assert found[0].message.endswith("which offers 80 (http).")


def test_the_default_backend_counts_and_equal_faults_are_one() -> None:
    backend = {"service": {"name": "gone", "port": {"number": 80}}}
    twice = a.ingress(to="gone", defaultBackend=backend)
    assert len(b.findings(KIND, ingresses=[twice], services=[a.service()])) == 1


def test_a_class_that_does_not_exist() -> None:
    shown = a.ingress(ingressClassName="ngnix")
    there = {"services": [a.service(selector={})], "ingressclasses": [{"metadata": {"name": "nginx"}}]}
    finding = b.only(KIND, ingresses=[shown], **there)
    assert finding.message == "Ingress web has the class ngnix, which does not exist (did you mean nginx?)."


def test_a_tls_secret_that_does_not_exist() -> None:
    shown = a.ingress(tls=["web-tsl", "web-tls", "other/copied"])
    finding = b.only(KIND, ingresses=[shown], services=[a.service(selector={})], secrets=[a.secret(None)])
    assert finding.cause == "Secret web-tsl missing"
    assert finding.message == (
        "Ingress web takes its certificate from Secret web-tsl, and there is no such Secret of type kubernetes.io/tls"
        " (did you mean web-tls?)."
    )


@pytest.mark.parametrize(("age", "silent"), [(599, True), (600, False)])
def test_an_issuer_of_certificates_is_given_ten_minutes(age: float, silent: bool) -> None:
    shown = a.ingress(tls=["web-tls"])
    shown["metadata"] = b.meta("web", age=age, annotations={"cert-manager.io/issuer": "ca"})
    assert (b.findings(KIND, ingresses=[shown], services=[a.service(selector={})]) == []) is silent


BROKEN = b.snapshot(
    ingresses=[a.ingress(to="gone", tls=["gone-tls"], ingressClassName="gone-class")], services=[a.service()]
)


@pytest.mark.parametrize("how", ["degraded", "unread"])
@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("services", set()),
        ("ingresses", set()),
        ("secrets", {"Service gone missing", "IngressClass gone-class missing"}),
        ("ingressclasses", {"Service gone missing", "Secret gone-tls missing"}),
        ("pods", {"Service gone missing", "Secret gone-tls missing", "IngressClass gone-class missing"}),
    ],
)
def test_only_what_was_seen_whole_can_be_missing(how: str, name: str, left: set[str]) -> None:
    seen = a.gap(BROKEN, how, name)
    assert {finding.cause for finding in detection.detect(seen).findings if finding.kind == KIND} == left


@pytest.mark.parametrize(
    ("cause", "lists"),
    [
        ("Service gone missing", ("ingresses", "services")),
        ("IngressClass gone missing", ("ingresses", "services", "ingressclasses")),
        ("Secret gone missing", ("ingresses", "services", "secrets")),
    ],
)
def test_each_cause_rests_on_its_lists(cause: str, lists: tuple[str, ...]) -> None:
    assert detection.reads(KIND, cause) == lists


def test_odd_ingresses_say_nothing() -> None:
    odd = [
        {},
        {"metadata": b.meta("a"), "spec": {"rules": None, "tls": None, "defaultBackend": None}},
        {"metadata": b.meta("b"), "spec": {"rules": [{"http": None}, {"http": {"paths": None}}], "tls": [{}]}},
        {"metadata": b.meta("c"), "spec": {"rules": [{"http": {"paths": [{"backend": {"resource": {}}}]}}]}},
        {"metadata": b.meta("d"), "spec": {"defaultBackend": {"service": {"name": ""}}}},
    ]
    assert b.findings(KIND, ingresses=odd, services=[]) == []
