"""Takes off a pod that simply runs what no detector will ask of it, so that a sweep of 50,000 pods stays small.

Called by `k8s.snapshot` for every page, right after its decoding. Nearly all pods of a cluster are well and were made
from the same few templates: what they have in common is held once. A pod that shows anything is kept as it is. The
detectors find the same as in the whole: `tests.k8s.test_slimming` holds that. Pure.
"""

from dataclasses import dataclass
from typing import TypeVar

from k8s import live, objects, usage

SHARED = 100_000
"""Parts held to be shared; beyond that they are forgotten, and held again as they come."""

_SAYING = frozenset({"Ready", "ContainersReady"})
"""Conditions that tell since when a pod does not serve."""

K = TypeVar("K")
V = TypeVar("V")
_Running = tuple[tuple[str, bool], ...]


@dataclass(slots=True)
class _Family:
    """What the pods of one controller have in common."""

    namespace: str
    owners: list[objects.OwnerReference] | None
    labels: dict[str, str] | None
    containers: list[objects.Container] | None
    inits: list[objects.Container] | None


class Slimming:
    """One for each sweep: it holds what is shared as long as the sweep lasts."""

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}
        self._statuses: dict[_Running, objects.PodStatus] = {}
        self._abouts: dict[tuple[str, str | None], objects.ObjectReference] = {}
        self._texts: dict[str, str] = {}

    def pod(self, found: objects.Pod) -> None:
        """Keeps, of a pod that simply runs or has simply ended, what it is, whose, where, and made of which images. Of
        every other nothing is lost."""
        meta, spec = found.metadata, found.spec
        self._share(meta, spec)
        if not live.plain(found):
            return
        mirror = (meta.annotations or {}).get(objects.MIRROR)
        meta.annotations = None if mirror is None else {objects.MIRROR: mirror}
        meta.resource_version, meta.finalizers = "", None
        spec.restart_policy = spec.scheduling_gates = spec.volumes = None
        found.status = self._running(found.status) if found.status.phase == "Running" else _ended(found.status)

    def event(self, found: objects.Event) -> None:
        """Holds once what events have in common: most are about few objects, and say few things. Nothing is lost."""
        about, text = found.involved_object, self._text
        known = _held(self._abouts, (about.uid, about.field_path), about)
        if known == about:
            found.involved_object = known
        found.metadata.namespace = text(found.metadata.namespace)
        for part in ("type", "reason", "message"):
            said = getattr(found, part)
            if said is not None:
                setattr(found, part, text(said))

    def metrics(self, found: usage.PodMetrics) -> None:
        """Holds the names of namespaces and containers once: a cluster has few of them. Nothing is lost."""
        found.metadata.namespace = self._text(found.metadata.namespace)
        for each in found.containers or ():
            each.name = self._text(each.name)

    def _share(self, meta: objects.Meta, spec: objects.PodSpec) -> None:
        """Holds once what of this pod is as its siblings have it. Compared part by part: a webhook may have changed one
        of them, and the pods of a StatefulSet are labelled with their names."""
        texts = self._texts
        if spec.node_name is not None:
            spec.node_name = texts.get(spec.node_name) or self._text(spec.node_name)
        if meta.creation_timestamp is not None:
            meta.creation_timestamp = texts.get(meta.creation_timestamp) or self._text(meta.creation_timestamp)
        owner = live.controller(meta)
        if owner is None or not owner.uid:
            return
        known = self._families.get(owner.uid)
        if known is None:
            made = _Family(meta.namespace, meta.owner_references, meta.labels, spec.containers, spec.init_containers)
            _held(self._families, owner.uid, made)
            return
        if known.namespace == meta.namespace:
            meta.namespace = known.namespace
        if known.owners == meta.owner_references:
            meta.owner_references = known.owners
        if known.labels == meta.labels:
            meta.labels = known.labels
        if known.containers == spec.containers:
            spec.containers = known.containers
        if known.inits == spec.init_containers:
            spec.init_containers = known.inits

    def _running(self, status: objects.PodStatus) -> objects.PodStatus:
        """That it is ready, and which of its containers run."""
        running = tuple(
            [
                (each.name, each.state is not None and each.state.running is not None)
                for each in status.container_statuses or ()
            ]
        )
        return self._statuses.get(running) or _held(self._statuses, running, _well(running))

    def _text(self, text: str) -> str:
        return _held(self._texts, text, text)


def _well(running: _Running) -> objects.PodStatus:
    return objects.PodStatus(
        phase="Running",
        conditions=[objects.Condition(type="Ready", status="True")],
        container_statuses=[
            objects.ContainerStatus(
                name=name, ready=True, state=objects.ContainerState(running=objects.Running()) if runs else None
            )
            for name, runs in running
        ],
    )


def _ended(status: objects.PodStatus) -> objects.PodStatus:
    """Of one that has ended well: when it stopped serving."""
    conditions = [each for each in status.conditions or () if each.type in _SAYING]
    return objects.PodStatus(phase=status.phase, start_time=status.start_time, conditions=conditions)


def _held(shared: dict[K, V], key: K, made: V) -> V:
    if len(shared) >= SHARED:
        shared.clear()
    return shared.setdefault(key, made)
