"""Which ConfigMaps and Secrets a pod template refers to, and which of its containers get something of them.

Pure. Called by `bot.evidence`, which asks whether these were changed. All the places where a template names one:
https://kubernetes.io/docs/concepts/configuration/configmap/#using-configmaps, …/secret/#using-a-secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from k8s import fields, model

Kind = Literal["ConfigMap", "Secret"]

_CLUSTER_OWNED = frozenset({"kube-root-ca.crt"})
"""Put into every namespace and pod by the cluster itself."""
_SOURCES: tuple[tuple[Kind, str, str], ...] = (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName"))


@dataclass(frozen=True, slots=True)
class Reference:
    """One ConfigMap or Secret of a pod template."""

    kind: Kind
    name: str
    containers: frozenset[str]
    """Those that get something of it; empty where that is not known, or where it is for pulling images."""
    pulls: bool = False
    """A pull secret: it matters before a container runs, never to one that runs."""


def of(template: model.Json) -> tuple[Reference, ...]:
    """All that a template (or a pod: anything with such a `spec`) refers to, by kind and name."""
    used: dict[tuple[Kind, str], set[str]] = {}
    pulls = {
        name for entry in fields.items(template, "spec", "imagePullSecrets") if (name := fields.text(entry, "name"))
    }
    for kind, name, containers in (*_by_environment(template), *_by_volume(template)):
        used.setdefault((kind, name), set()).update(containers)
    found = [Reference(kind, name, frozenset(containers)) for (kind, name), containers in used.items()]
    found += [Reference("Secret", name, frozenset(), pulls=True) for name in pulls if ("Secret", name) not in used]
    return tuple(sorted(found, key=lambda each: (each.kind, each.name)))


def _containers(template: model.Json) -> Iterator[model.Json]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from fields.items(template, "spec", key)


def _by_environment(template: model.Json) -> Iterator[tuple[Kind, str, frozenset[str]]]:
    for container in _containers(template):
        user = frozenset({fields.text(container, "name")})
        for entry in fields.items(container, "env"):
            yield from _named("ConfigMap", fields.text(entry, "valueFrom", "configMapKeyRef", "name"), user)
            yield from _named("Secret", fields.text(entry, "valueFrom", "secretKeyRef", "name"), user)
        for entry in fields.items(container, "envFrom"):
            yield from _named("ConfigMap", fields.text(entry, "configMapRef", "name"), user)
            yield from _named("Secret", fields.text(entry, "secretRef", "name"), user)


def _by_volume(template: model.Json) -> Iterator[tuple[Kind, str, frozenset[str]]]:
    for volume in fields.items(template, "spec", "volumes"):
        name = fields.text(volume, "name")
        users = frozenset(
            fields.text(container, "name")
            for container in _containers(template)
            if any(fields.text(mount, "name") == name for mount in fields.items(container, "volumeMounts"))
        )
        for kind, key, by in _SOURCES:
            yield from _named(kind, fields.text(volume, key, by), users)
            for source in fields.items(volume, "projected", "sources"):
                yield from _named(kind, fields.text(source, key, "name"), users)


def _named(kind: Kind, name: str, users: frozenset[str]) -> Iterator[tuple[Kind, str, frozenset[str]]]:
    if name and name not in _CLUSTER_OWNED:
        yield kind, name, users
