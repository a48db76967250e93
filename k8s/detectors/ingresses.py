"""IngressBroken: an Ingress that leads to nowhere. Called by `k8s.detection`."""

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from k8s import model, objects, phrases, surroundings, symptoms

INGRESS_BROKEN = symptoms.KindInfo(
    kind="IngressBroken",
    severity="P2",
    grace=timedelta(seconds=60),
    doc="https://kubernetes.io/docs/concepts/services-networking/ingress/",
    condition="an Ingress names a Service, a port, a TLS Secret or a class that does not exist",
    also={"IngressClass ": ("ingressclasses",), "Secret ": ("secrets",)},
)
KINDS = (INGRESS_BROKEN,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("ingresses", "services")

_BY_ANNOTATION = "use-annotation"
"""A port name of the AWS controller: what is behind is in an annotation, and there is no such Service."""

_ISSUERS = (
    "cert-manager.io/",
    "acme.cert-manager.io/",
    "networking.gke.io/managed-certificates",
    "kubernetes.io/tls-acme",
)
_ISSUING = timedelta(minutes=10)
"""How long an issuer of certificates has to put the Secret of a new Ingress there."""


@dataclass(frozen=True, slots=True)
class _Names:
    """What there is, by namespace; None where it was not seen whole, so that nothing can be said to be missing."""

    services: Mapping[str, Mapping[str, surroundings.Service]]
    secrets: Mapping[str, Collection[str]] | None
    classes: Collection[str] | None


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:  # noqa: ARG001
    """One finding for each thing that an Ingress misses; `missing_kind` and `missing_name` in the facts."""
    if not snapshot.saw(reads) or not snapshot.ingresses:
        return
    there = _names(snapshot)
    for ingress in snapshot.ingresses:
        if not ingress.metadata.deletion_timestamp:
            yield from _backends(ingress, there, snapshot)
            yield from _class(ingress, there, snapshot)
            yield from _secrets(ingress, there, snapshot)


def _names(snapshot: model.Snapshot) -> _Names:
    services: dict[str, dict[str, surroundings.Service]] = defaultdict(dict)
    for service in snapshot.services:
        services[service.metadata.namespace][service.metadata.name] = service
    secrets: dict[str, set[str]] = defaultdict(set)
    for secret in snapshot.secrets:
        secrets[secret.metadata.namespace].add(secret.metadata.name)
    return _Names(
        services=services,
        secrets=secrets if snapshot.saw(("secrets",)) else None,
        classes={item.metadata.name for item in snapshot.ingressclasses} if snapshot.saw(("ingressclasses",)) else None,
    )


def _backends(ingress: surroundings.Ingress, there: _Names, snapshot: model.Snapshot) -> Iterator[model.Finding]:
    services = there.services.get(ingress.metadata.namespace, {})
    told: set[str] = set()
    for backend in surroundings.backends(ingress):
        port = backend.port or surroundings.ServiceBackendPort()
        if port.name == _BY_ANNOTATION:
            continue
        service = services.get(backend.name)
        if service is None:
            cause = f"Service {backend.name} missing"
            what = f"Service {backend.name}, which does not exist{_meant(backend.name, services)}"
            name = backend.name
        elif (wanted := _wanted(port)) and not _offers(service, port):
            offered = _offered(service)
            cause = f"port {wanted} of Service {backend.name} missing"
            what = f"port {wanted} of Service {backend.name}, which offers {offered or 'none'}"
            name = f"{backend.name}:{wanted}"
        else:
            continue
        if cause not in told:
            told.add(cause)
            facts = {"missing_kind": "Service" if service is None else "port", "missing_name": name}
            yield _finding(ingress, snapshot, f"leads to {what}", cause, facts | {"hosts": _hosts(ingress)})


def _wanted(port: surroundings.ServiceBackendPort) -> str:
    return port.name or (str(port.number) if port.number else "")


def _offers(service: surroundings.Service, port: surroundings.ServiceBackendPort) -> bool:
    """An ExternalName needs no ports: its requests go to wherever the name leads."""
    ports = service.spec.ports or []
    if service.spec.type == "ExternalName" and not ports:
        return True
    if port.name:
        return any(item.name == port.name for item in ports)
    return any(item.port == port.number for item in ports)


def _offered(service: surroundings.Service) -> str:
    ports = [f"{item.port} ({item.name})" if item.name else str(item.port) for item in service.spec.ports or ()]
    return phrases.clip(", ".join(ports))


def _class(ingress: surroundings.Ingress, there: _Names, snapshot: model.Snapshot) -> Iterator[model.Finding]:
    """The annotation that came before the field needs no object: only the field is looked at."""
    name = ingress.spec.ingress_class_name
    if name and there.classes is not None and name not in there.classes:
        told = f"has the class {phrases.clip(name)}, which does not exist{_meant(name, there.classes)}"
        facts = {"missing_kind": "IngressClass", "missing_name": name, "hosts": _hosts(ingress)}
        yield _finding(ingress, snapshot, told, f"IngressClass {name} missing", facts)


def _secrets(ingress: surroundings.Ingress, there: _Names, snapshot: model.Snapshot) -> Iterator[model.Finding]:
    if there.secrets is None or _issuing(ingress.metadata, snapshot):
        return
    secrets = there.secrets.get(ingress.metadata.namespace, ())
    names = {tls.secret_name for tls in ingress.spec.tls or () if tls.secret_name}
    for name in sorted(names):
        if "/" not in name and name not in secrets:
            told = f"takes its certificate from Secret {phrases.clip(name)}, and there is no such Secret of type"
            told += f" kubernetes.io/tls{_meant(name, secrets)}"
            facts = {"missing_kind": "Secret", "missing_name": name, "hosts": _hosts(ingress)}
            yield _finding(ingress, snapshot, told, f"Secret {name} missing", facts)


def _issuing(meta: objects.Meta, snapshot: model.Snapshot) -> bool:
    """Whether the certificates of a new Ingress may still be on their way."""
    created = objects.moment(meta.creation_timestamp)
    asked = any(key.startswith(_ISSUERS) for key in meta.annotations or ())
    return asked and created is not None and snapshot.taken_at - created < _ISSUING


def _meant(name: str, there: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(there), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _hosts(ingress: surroundings.Ingress) -> str:
    hosts = dict.fromkeys(rule.host for rule in ingress.spec.rules or () if rule.host)
    return phrases.clip(", ".join(hosts))


def _finding(
    ingress: surroundings.Ingress, snapshot: model.Snapshot, told: str, cause: str, facts: Mapping[str, str]
) -> model.Finding:
    ref = symptoms.reference("Ingress", ingress.metadata)
    return model.Finding(
        kind=INGRESS_BROKEN.kind,
        severity=INGRESS_BROKEN.severity,
        resource=ref,
        owner=ref,
        message=f"Ingress {ref.name} {told}.",
        # When what it names went away is not recorded anywhere: sweeps must see it for its grace.
        since=snapshot.taken_at,
        cause=cause,
        grace=INGRESS_BROKEN.grace,
        facts={name: text for name, text in facts.items() if text},
    )
