"""Certificates that end soon: how soon is bad, whose certificate counts, and that no key is needed for it."""

import base64
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8s import detection
from tests.k8s.detectors import around as a
from tests.k8s.detectors import builders as b

KIND = "CertificateExpiring"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def _found(left: timedelta, life: timedelta = timedelta(days=365)) -> list[tuple[str, str]]:
    lists = {"ingresses": [a.ingress(tls=["web-tls"])], "services": [a.service(selector={})]}
    found = b.findings(KIND, secrets=[a.secret(a.certificate(left, life))], **lists)
    return [(finding.severity, finding.message) for finding in found]


@pytest.mark.parametrize(
    ("left", "severity", "told"),
    [
        (30 * DAY, "", ""),
        (30 * DAY - MINUTE, "P3", "expires in 29 d"),
        (7 * DAY, "P3", "expires in 7 d"),
        (7 * DAY - MINUTE, "P2", "expires in 6 d"),
        (DAY, "P2", "expires in 24 h"),
        (DAY - MINUTE, "P1", "expires in 23 h"),
        (timedelta(0), "P1", "expired 0 s ago"),
        (-3 * DAY, "P1", "expired 3 d ago"),
    ],
)
def test_the_nearer_the_end_the_worse(left: timedelta, severity: str, told: str) -> None:
    found = _found(left)
    assert [each for each, _ in found] == ([severity] if severity else [])
    if found:
        ends = f"{b.NOW + left:%Y-%m-%d %H:%M} UTC"
        assert found[0][1] == f"The certificate in Secret web-tls, shown for shop.example, {told}: on {ends}."


@pytest.mark.parametrize(
    ("left", "severity"), [(48 * HOUR, ""), (47 * HOUR, "P3"), (23 * HOUR, "P2"), (11 * HOUR, "P1")]
)
def test_what_is_made_for_six_days_is_looked_at_in_its_last_third(left: timedelta, severity: str) -> None:
    assert [each for each, _ in _found(left, 6 * DAY)] == ([severity] if severity else [])


def test_it_is_told_from_the_last_third_of_its_life_on_and_renewal_is_given_an_hour() -> None:
    for age, mature in ((59 * MINUTE, False), (61 * MINUTE, True)):
        pem = a.certificate(30 * DAY - age)
        lists = {"ingresses": [a.ingress(tls=["web-tls"])], "services": [a.service(selector={})]}
        finding = b.only(KIND, secrets=[a.secret(pem)], **lists)
        assert abs(finding.since - (b.NOW - age)) <= timedelta(seconds=1)
        assert (b.NOW - finding.since >= finding.grace) is mature


def test_only_the_first_certificate_of_the_chain_counts() -> None:
    chain = a.certificate(90 * DAY) + a.certificate(-DAY, name="an old authority")
    lists = {"ingresses": [a.ingress(tls=["web-tls"])], "services": [a.service(selector={})]}
    assert b.findings(KIND, secrets=[a.secret(chain)], **lists) == []


def test_one_secret_of_several_ingresses_is_one_finding_with_all_hosts() -> None:
    other = a.ingress("api", tls=["web-tls"])
    other["spec"]["tls"][0]["hosts"] = ["api.example"]
    lists = {"ingresses": [a.ingress(tls=["web-tls"]), other], "services": [a.service(selector={})]}
    finding = b.only(KIND, secrets=[a.secret(a.certificate(2 * DAY))], **lists)
    assert finding.facts["hosts"] == "api.example, shop.example"
    assert str(finding.owner) == "Secret/shop/web-tls"


def test_without_hosts_the_secret_alone_is_told() -> None:
    shown = a.ingress(tls=["web-tls"])
    shown["spec"]["tls"][0]["hosts"] = None
    finding = b.only(
        KIND, ingresses=[shown], services=[a.service(selector={})], secrets=[a.secret(a.certificate(2 * DAY))]
    )
    assert finding.message.startswith("The certificate in Secret web-tls expires in 2 d: ")
    assert "hosts" not in finding.facts


@pytest.mark.parametrize("name", ["secrets", "ingresses"])
@pytest.mark.parametrize("how", ["degraded", "unread"])
def test_nothing_is_said_where_a_list_that_it_rests_on_was_not_seen(name: str, how: str) -> None:
    whole = a.EXAMPLES[KIND][0]
    assert not detection.detect(a.gap(whole, how, name)).findings


@settings(deadline=None, max_examples=60)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode())))
def test_what_is_no_certificate_says_nothing(text: str) -> None:
    odd = {"metadata": b.meta("web-tls"), "data": {"tls.crt": text}}
    lists = {"ingresses": [a.ingress(tls=["web-tls"])], "services": [a.service(selector={})]}
    assert b.findings(KIND, secrets=[odd], **lists) == []


# The library warns of what a later version of it will refuse; a certificate that it only warns of is read.
@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_certificate_with_flipped_bytes_breaks_nothing_off(data: st.DataObject) -> None:
    body = bytearray(base64.b64decode("".join(a.certificate(2 * DAY).splitlines()[1:-1])))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    encoded = base64.b64encode(body).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n"
    lists = {"ingresses": [a.ingress(tls=["web-tls"])], "services": [a.service(selector={})]}
    b.findings(KIND, secrets=[a.secret(pem)], **lists)


def test_secrets_without_data_or_with_far_too_much_say_nothing() -> None:
    lists = {"ingresses": [a.ingress(tls=["web-tls"])], "services": [a.service(selector={})]}
    long = a.certificate(2 * DAY) * 400
    for odd in (a.secret(None), a.secret(""), a.secret(long), {"metadata": b.meta("web-tls"), "data": {}}):
        assert b.findings(KIND, secrets=[odd], **lists) == []
