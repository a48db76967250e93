"""What earlier revisions of a workload ran: the images and variables that may be put back, and what speaks for them.

Pure, over a freshly read `model.Target`. Called by `k8s.actions`, `k8s.standing` and whoever proposes such an action.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from k8s import fields, model, workloads

_DIGEST = re.compile(r"(?P<name>[^@]+)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Ran:
    """One image that an earlier revision ran in a container."""

    revision: int
    image: str
    """As that revision has it."""
    pinned: str
    """The same by digest: as that revision has it, or as its pods that are still there tell; "" where nothing tells."""
    health: workloads.Health

    @property
    def best(self) -> str:
        """By digest where that is known: a tag may have been moved since."""
        return self.pinned or self.image


def revision(target: model.Target, number: int) -> workloads.Revision | None:
    return next((each for each in workloads.revisions(target) if each.number == number), None)


def revisions(target: model.Target) -> tuple[workloads.Revision, ...]:
    """All but the current one, newest first."""
    current = workloads.current_revision(target)
    known = (each for each in workloads.revisions(target) if current is None or each.number != current.number)
    return tuple(reversed(tuple(known)))


def container(template: model.Json, name: str) -> model.Json:
    """The container of this name, an init container too; empty where it is not there."""
    spec = fields.mapping(template, "spec")
    listed = (*fields.items(spec, "containers"), *fields.items(spec, "initContainers"))
    return next((each for each in listed if fields.text(each, "name") == name), {})


def images(target: model.Target, name: str) -> tuple[Ran, ...]:
    """What this container ran in earlier revisions, newest first."""
    pairs = ((each, fields.text(container(each.template, name), "image")) for each in revisions(target))
    return tuple(
        Ran(each.number, image, _pinned(target, each, name, image), each.health) for each, image in pairs if image
    )


def ran(target: model.Target, name: str, image: str) -> tuple[Ran, ...]:
    """The earlier revisions that ran just this image in this container, newest first."""
    return tuple(each for each in images(target, name) if image and image in (each.image, each.pinned))


def _pinned(target: model.Target, of: workloads.Revision, name: str, image: str) -> str:
    if _DIGEST.fullmatch(image):
        return image
    holder: model.Json = {
        "metadata": {"name": of.holder.name, "uid": of.holder.uid, "labels": _labels(target, of.holder)}
    }
    digests = {
        found["digest"]
        for pod in workloads.revision_pods(target, holder)
        for status in _statuses(pod, name)
        if (found := _DIGEST.fullmatch(fields.text(status, "imageID").removeprefix("docker-pullable://")))
        and _full(found["name"]) == _full(_untagged(image))
    }
    return f"{_untagged(image)}@{digests.pop()}" if len(digests) == 1 else ""


def _labels(target: model.Target, holder: model.ResourceRef) -> dict[str, str]:
    return next((fields.labels(each) for each in target.revisions if fields.uid(each) == holder.uid != ""), {})


def _statuses(pod: model.Json, name: str) -> Iterator[model.Json]:
    for key in ("containerStatuses", "initContainerStatuses"):
        yield from (each for each in fields.items(pod, "status", key) if fields.text(each, "name") == name)


def _untagged(image: str) -> str:
    """The repository: without a tag, where a port of the registry is none."""
    start, slash, last = image.rpartition("/")
    return f"{start}{slash}{last.partition(':')[0]}"


def _full(repository: str) -> str:
    """As a container runtime writes it: `nginx` is `docker.io/library/nginx`.

    https://kubernetes.io/docs/concepts/containers/images/#image-names
    """
    first, slash, rest = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}"
    if "." in first or ":" in first or first == "localhost":
        return f"docker.io/{rest}" if first == "index.docker.io" else repository
    return f"docker.io/{repository}"


def variable(template: model.Json, name: str, called: str) -> tuple[model.Json, ...]:
    """The entries of this variable in a container; more than one where it is set twice, and then the last one holds."""
    listed = fields.items(container(template, name), "env")
    return tuple(each for each in listed if fields.text(each, "name") == called)
