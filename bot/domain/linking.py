"""One cause in several clusters: which incidents of others began at the same time for the same reason.

Pure. `bot.store.cards` asks it for what a card tells, `bot.flow.triage` for whose card has to be drawn anew. Each
incident keeps its thread, its channel and its approvals: the link is a line to read, and nothing is decided by it.
"""

import re
from collections.abc import Iterable
from datetime import timedelta

from bot.domain import incidents

WITHIN = timedelta(minutes=10)
"""A registry that ends or a bad image that is rolled out reaches all clusters in minutes; more apart is coincidence."""
MOST = 3
"""Told on a card."""

_GENERATED = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5,10}\b")
"""The ends of names that Kubernetes makes: https://pkg.go.dev/k8s.io/apimachinery/pkg/util/rand#SafeEncodeString."""
_CHANGING = re.compile(r"\b[0-9a-f]{8,}\b|\d+")


def signs(incident: incidents.Incident) -> frozenset[str]:
    """What names its cause beyond its cluster: the registry, an image that cannot be pulled, or what the very same
    workload fails with, without numbers and generated names."""
    subject = incident.subject
    found = {f"registry {subject.name}"} if subject.kind == "Registry" else set()
    for one in incident.causes:
        kind, _, cause = one.partition(":")
        if kind == "ImagePull" and cause:
            found.add(f"image {cause}")
    if subject.kind != "Node" and incident.headline:
        text = _CHANGING.sub("#", _GENERATED.sub("-#", incident.headline))
        found.add(f"{subject.kind}/{subject.namespace}/{subject.name} {incident.kinds[:1]} {text}")
    return frozenset(found)


def linked(incident: incidents.Incident, others: Iterable[incidents.Incident]) -> tuple[incidents.Incident, ...]:
    """Those of other clusters that began within WITHIN and share a sign, the oldest first."""
    mine = signs(incident)
    found = [
        other
        for other in others
        if other.cluster != incident.cluster
        and abs(other.opened_at - incident.opened_at) <= WITHIN
        and not mine.isdisjoint(signs(other))
    ]
    return tuple(sorted(found, key=lambda one: (one.opened_at, one.id)))
