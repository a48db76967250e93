"""ImagePull: a container cannot have its image. Called by `k8s.detection`."""

import re
from collections.abc import Iterator
from datetime import timedelta

from k8s import containers, model, objects, phrases, symptoms

IMAGE_PULL = symptoms.KindInfo(
    kind="ImagePull",
    severity="P2",
    grace=timedelta(seconds=30),
    doc="https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff",
    condition="a container cannot have its image",
    unless="P3 for a debugging container",
)
KINDS = (IMAGE_PULL,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("pods",)

REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""Waiting reasons of the kubelet (pkg/kubelet/images/types.go); `ContainerCreating` is a pull in progress."""

_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("bad-name", re.compile(r"invalid ?image ?name|invalid reference format|(couldn't|failed to) parse")),
    ("rate-limited", re.compile(r"too ?many ?requests|rate limit")),
    (
        "unauthorised",
        re.compile(r"unauthori[sz]ed|denied|forbidden|authori[sz]ation failed|authentication required|no basic auth"),
    ),
    (
        "unreachable",
        re.compile(
            r"no such host|i/o timeout|timed? ?out|connection (refused|reset)|deadline exceeded|no route to host|x509"
            r"|certificate|tls:|server misbehaving|network is unreachable|service unavailable|bad gateway|\beof\b"
            r"|registryunavailable|internal server error"
        ),
    ),
    (
        "not-found",
        re.compile(r"not found|manifest unknown|name unknown|does not exist|no such image|no match for platform"),
    ),
)

_SAYINGS = {
    "not-found": "the registry {registry} has no such image or tag",
    "unauthorised": "the registry {registry} refuses it (no permission, or no such repository)",
    "unreachable": "the registry {registry} cannot be reached or does not answer",
    "rate-limited": "the registry {registry} has limited the rate of pulls",
    "bad-name": "the name is not a valid image reference",
    "never-pull": "it is not on the node and the pull policy is Never",
    "unknown": "the registry {registry} did not deliver it",
}


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: not-found, unauthorised, unreachable, rate-limited, bad-name, never-pull or unknown."""
    now = snapshot.taken_at
    for pod in index.troubled:
        if not symptoms.living(pod):
            continue
        for container in containers.of(pod):
            if container.waiting_reason not in REASONS:
                continue
            events = symptoms.container_events(pod, container, index, ("Failed", "InspectFailed", "ErrImageNeverPull"))
            answer, kind = _answer(container, events)
            registry = phrases.clip(phrases.registry(container.image))
            since = symptoms.earliest(now, *map(symptoms.first_seen, events))
            yield symptoms.pod_finding(
                IMAGE_PULL,
                pod,
                index,
                since=since if events else symptoms.earliest(now, symptoms.unready_since(pod)),
                message=f"{container.title} of pod {pod.metadata.name} cannot pull "
                f"{phrases.clip(container.image) or 'its image'}: {_SAYINGS[kind].format(registry=registry)}.",
                cause=container.image,
                container=container,
                facts={"reason": container.waiting_reason, "class": kind, "registry": registry, "answer": answer},
                severity=symptoms.container_severity(IMAGE_PULL, container),
            )


def _answer(container: containers.Container, events: list[objects.Event]) -> tuple[str, str]:
    """(the registry's words, their class): from the state, else, while it backs off, from the newest telling event."""
    if container.waiting_reason == "ErrImageNeverPull":
        return phrases.clip(container.waiting.message if container.waiting else ""), "never-pull"
    said = [container.waiting.message or "" if container.waiting else "", *(event.message or "" for event in events)]
    for text in said:
        kind = _classify(text, container.image)
        if kind != "unknown":
            return phrases.clip(text), kind
    kind = _classify(container.waiting_reason, "")
    return phrases.clip(next(filter(None, said), "")), kind


def _classify(text: str, image: str) -> str:
    """The image's own name is taken out first: it may hold any word."""
    words = text[:4096].replace(image, " ") if image else text[:4096]
    lowered = words.lower()
    return next((kind for kind, pattern in _CLASSES if pattern.search(lowered)), "unknown")
