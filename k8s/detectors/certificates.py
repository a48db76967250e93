"""CertificateExpiring: the certificate of an Ingress that ends soon. Called by `k8s.detection`.

Only certificates are looked at: the key beside one is never read (`k8s.surroundings.CertificateData`).
"""

import base64
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from k8s import model, phrases, surroundings, symptoms

CERTIFICATE_EXPIRING = symptoms.KindInfo(
    kind="CertificateExpiring",
    severity="P3",
    grace=timedelta(hours=1),
    doc="https://kubernetes.io/docs/concepts/services-networking/ingress/#tls",
    condition="a certificate that an Ingress uses ends within 30 days, or a third of its life",
    unless="P2 within 7 days, P1 within one day and after its end",
)
"""The grace is for those that renew themselves: they do so just when the time begins that is looked at here."""

KINDS = (CERTIFICATE_EXPIRING,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("ingresses", "secrets")

_LIMITS: tuple[tuple[model.Severity, timedelta, int], ...] = (
    ("P1", timedelta(days=1), 12),
    ("P2", timedelta(days=7), 6),
    ("P3", timedelta(days=30), 3),
)
"""(severity, time left, and the part of its whole life that this is at most): a certificate made for a week is not late
for all its life."""

_LONGEST = 200_000
"""Characters of a chain that are decoded: the API server's own bound for a Secret is a megabyte."""


@dataclass(frozen=True, slots=True)
class _Certificate:
    begins: datetime
    ends: datetime


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:  # noqa: ARG001
    """Only of Secrets that an Ingress names. `class` in the facts: `expires` or `expired`."""
    if not snapshot.saw(reads) or not snapshot.secrets:
        return
    used = _used(snapshot)
    for secret in snapshot.secrets:
        hosts = used.get((secret.metadata.namespace, secret.metadata.name))
        if hosts is None or secret.metadata.deletion_timestamp:
            continue
        certificate = _read(secret)
        found = _limit(certificate, snapshot.taken_at) if certificate is not None else None
        if certificate is not None and found is not None:
            yield _finding(secret, certificate, found, hosts, snapshot)


def _used(snapshot: model.Snapshot) -> Mapping[tuple[str, str], set[str]]:
    """Secret → the hosts that it is shown for."""
    used: dict[tuple[str, str], set[str]] = defaultdict(set)
    for ingress in snapshot.ingresses:
        for tls in ingress.spec.tls or ():
            if tls.secret_name:
                used[ingress.metadata.namespace, tls.secret_name].update(tls.hosts or ())
    return used


def _read(secret: surroundings.TlsSecret) -> _Certificate | None:
    """The first certificate of the chain: the server's own (RFC 8446, 4.4.2). None for what is none."""
    text = secret.data.certificate if secret.data is not None else None
    if not text or len(text) > _LONGEST:
        return None
    try:
        first = x509.load_pem_x509_certificate(base64.b64decode(text, validate=True))
        return _Certificate(first.not_valid_before_utc, first.not_valid_after_utc)
    except (ValueError, x509.InvalidVersion):
        return None


def _limit(certificate: _Certificate, now: datetime) -> tuple[model.Severity, datetime] | None:
    """How bad it is, and when it came to be looked at: when the mildest limit was passed; None before that."""
    life = max(certificate.ends - certificate.begins, timedelta(0))
    left = certificate.ends - now
    for severity, span, part in _LIMITS:
        if left < min(span, life / part):
            _, widest, third = _LIMITS[-1]
            return severity, certificate.ends - min(widest, life / third)
    return None


def _finding(
    secret: surroundings.TlsSecret,
    certificate: _Certificate,
    found: tuple[model.Severity, datetime],
    hosts: set[str],
    snapshot: model.Snapshot,
) -> model.Finding:
    severity, since = found
    now, ends = snapshot.taken_at, certificate.ends
    ref = symptoms.reference("Secret", secret.metadata)
    names = phrases.clip(", ".join(sorted(hosts)), 200)
    shown = f", shown for {names}," if names else ""
    over = ends <= now
    span = phrases.duration(abs(ends - now))
    told = f"expired {span} ago" if over else f"expires in {span}"
    facts = {
        "class": "expired" if over else "expires",
        "expires": f"{ends:%Y-%m-%d %H:%M} UTC",
        "left": span,
        "hosts": names,
    }
    return model.Finding(
        kind=CERTIFICATE_EXPIRING.kind,
        severity=severity,
        resource=ref,
        owner=ref,
        message=f"The certificate in Secret {ref.name}{shown} {told}: on {ends:%Y-%m-%d %H:%M} UTC.",
        since=symptoms.earliest(now, since),
        cause="expired" if over else "expires",
        grace=CERTIFICATE_EXPIRING.grace,
        facts={name: text for name, text in facts.items() if text},
    )
