"""What stands behind a Service: its endpoints, the pods that its selector matches, and what it may have meant.

Pure. Called by `k8s.detectors` of Services and webhooks, once a snapshot. Only Services that look broken cost anything
more than a look at their EndpointSlices: the pods of their namespaces are then grouped by labels, in one pass.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from k8s import model, objects, surroundings, symptoms

READS = ("services", "endpointslices", "pods", "deployments", "replicasets", "statefulsets", "daemonsets")
"""The lists without which the absence of endpoints says nothing."""

SERVICE_NAME = "kubernetes.io/service-name"
"""Label of an EndpointSlice: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ownership"""

_OWN_LABELS = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
        "job-name",
        "controller-uid",
    }
)
"""Labels that controllers give to single pods or revisions: no Service means them unless it names them."""

_COMPARED = 200
"""Values of one label, those of most pods first, that a selector's value is compared with."""

_Labels = frozenset[tuple[str, str]]
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Backing:
    """What a Service without a ready endpoint has behind it."""

    pods: tuple[objects.Pod, ...] = ()
    """Those that its selector matches and that have a life before them."""
    owner: model.ResourceRef | None = None
    """The workload that these pods (or, where there are none, the pods to come) belong to."""
    resting: bool = False
    """Whether nothing is behind it on purpose: a workload scaled to zero, or a Job that is done."""
    serving: bool = False
    """Whether one of the pods is ready all the same: its endpoint is on the way."""


class Serving:
    """The Services of a snapshot and what is behind them."""

    def __init__(self, snapshot: model.Snapshot, index: model.Index) -> None:
        self._snapshot = snapshot
        self._index = index

    def service(self, namespace: str, name: str) -> surroundings.Service | None:
        return self._services.get((namespace, name))

    def ready(self, service: surroundings.Service) -> bool:
        """Whether anything answers: an endpoint that is ready, or one that still serves while it goes away."""
        return (service.metadata.namespace, service.metadata.name) in self._answering

    def selecting(self, service: surroundings.Service) -> bool:
        """Whether it is a Service whose endpoints Kubernetes keeps by a selector, and which promises ready ones.

        Headless ones are asked by those who know what to expect of them, and some publish pods that are not ready.
        """
        spec = service.spec
        plain = spec.type != "ExternalName" and spec.cluster_ip != "None" and not spec.publish_not_ready_addresses
        return plain and bool(spec.selector) and not service.metadata.deletion_timestamp

    def behind(self, service: surroundings.Service) -> Backing:
        namespace, selector = service.metadata.namespace, service.spec.selector or {}
        groups = self._pods.get(namespace, {})
        matched = [pod for labels, pods in groups.items() if selector.items() <= labels for pod in pods]
        living = sorted((pod for pod in matched if symptoms.living(pod)), key=lambda pod: pod.metadata.name)
        if living:
            serving = any(symptoms.ready(pod) for pod in living)
            return Backing(tuple(living), self._owner(living), serving=serving)
        workloads = [
            (ref, wanted) for ref, labels, wanted in self._workloads.get(namespace, ()) if selector.items() <= labels
        ]
        wanting = sorted(ref for ref, wanted in workloads if wanted)
        resting = not wanting and (bool(workloads) or any(self._of_job(pod) for pod in matched))
        return Backing((), wanting[0] if wanting else None, resting)

    def nearest(self, service: surroundings.Service) -> tuple[str, int] | None:
        """The selector that would match pods and is nearest to this one, and how many; None where none is near.

        One label may differ: by a slip in its value (`app=webb`), or by its key (`name=web` for `app=web`).
        """
        selector = service.spec.selector or {}
        groups = self._living.get(service.metadata.namespace, {})
        best: tuple[int, str] | None = None
        for key, value in sorted(selector.items()):
            rest = [item for item in selector.items() if item[0] != key]
            found: Counter[tuple[str, str]] = Counter()
            for labels, living in groups.items():
                if living and all(item in labels for item in rest):
                    found.update(dict.fromkeys(labels, living))
            for (near_key, near_value), number in _near(key, value, found, {item[0] for item in rest}):
                told = ",".join(f"{name}={text}" for name, text in sorted([*rest, (near_key, near_value)]))
                if best is None or (-number, told) < best:
                    best = (-number, told)
        return None if best is None else (best[1], -best[0])

    def _owner(self, pods: Sequence[objects.Pod]) -> model.ResourceRef:
        """The top owner of most of these pods."""
        owners = Counter(self._index.top_owner("Pod", pod.metadata) for pod in pods)
        return min(owners, key=lambda ref: (-owners[ref], ref))

    def _of_job(self, pod: objects.Pod) -> bool:
        return self._index.top_owner("Pod", pod.metadata).kind in ("Job", "CronJob")

    @cached_property
    def _services(self) -> dict[_Key, surroundings.Service]:
        return {(item.metadata.namespace, item.metadata.name): item for item in self._snapshot.services}

    @cached_property
    def _answering(self) -> frozenset[_Key]:
        """Services with an endpoint that takes requests. Null counts as ready; who goes away serves as the last one."""
        return frozenset(
            (item.metadata.namespace, (item.metadata.labels or {}).get(SERVICE_NAME, ""))
            for item in self._snapshot.endpointslices
            if any(_answers(endpoint) for endpoint in item.endpoints or ())
        )

    @cached_property
    def _broken(self) -> Sequence[surroundings.Service]:
        return [item for item in self._snapshot.services if self.selecting(item) and not self.ready(item)]

    @cached_property
    def _pods(self) -> Mapping[str, Mapping[_Labels, Sequence[objects.Pod]]]:
        """By namespace and labels, where a Service looks broken. Alike pods of a workload share their labels."""
        named = {key for service in self._broken for key in service.spec.selector or ()}
        left_out = _OWN_LABELS - named
        places = {service.metadata.namespace for service in self._broken}
        grouped: dict[str, dict[_Labels, list[objects.Pod]]] = {place: defaultdict(list) for place in places}
        for pod in self._snapshot.pods:
            groups = grouped.get(pod.metadata.namespace)
            if groups is not None:
                labels = pod.metadata.labels or {}
                groups[frozenset(item for item in labels.items() if item[0] not in left_out)].append(pod)
        return grouped

    @cached_property
    def _living(self) -> Mapping[str, Mapping[_Labels, int]]:
        """How many of these pods have a life before them."""
        return {
            place: {labels: sum(symptoms.living(pod) for pod in pods) for labels, pods in groups.items()}
            for place, groups in self._pods.items()
        }

    @cached_property
    def led_to(self) -> frozenset[tuple[str, str]]:
        """(namespace, name) of the Services that an Ingress sends requests to: there somebody is meant to come."""
        return frozenset(
            (ingress.metadata.namespace, backend.name)
            for ingress in self._snapshot.ingresses
            for backend in surroundings.backends(ingress)
        )

    @cached_property
    def _workloads(self) -> Mapping[str, Sequence[tuple[model.ResourceRef, _Labels, int]]]:
        """By namespace: each workload with the labels of its pods and how many of them it wants."""
        places = {service.metadata.namespace for service in self._broken}
        found: dict[str, list[tuple[model.ResourceRef, _Labels, int]]] = defaultdict(list)
        snapshot = self._snapshot
        for kind, items in (
            ("Deployment", snapshot.deployments),
            ("StatefulSet", snapshot.statefulsets),
            ("DaemonSet", snapshot.daemonsets),
            ("ReplicaSet", snapshot.replicasets),
        ):
            for item in items:
                if item.metadata.namespace in places and not (kind == "ReplicaSet" and item.metadata.owner_references):
                    found[item.metadata.namespace].append(_workload(kind, item))
        return found


def _workload(kind: str, item: objects.Workload) -> tuple[model.ResourceRef, _Labels, int]:
    wanted = item.status.desired_number_scheduled or 0 if kind == "DaemonSet" else symptoms.desired(item)
    template = item.spec.template
    labels = template.metadata.labels if template is not None else item.metadata.labels
    return symptoms.reference(kind, item.metadata), frozenset((labels or {}).items()), wanted


def _answers(endpoint: surroundings.Endpoint) -> bool:
    conditions = endpoint.conditions
    if conditions is None or conditions.ready is not False:
        return True
    return bool(conditions.serving and conditions.terminating)


def _near(
    key: str, value: str, found: Mapping[tuple[str, str], int], taken: set[str]
) -> list[tuple[tuple[str, str], int]]:
    """The labels that may be meant by `key=value`: a value like it under the same key, else itself under another."""
    values = sorted((-number, text) for (name, text), number in found.items() if name == key)
    close = difflib.get_close_matches(value, [text for _, text in values[:_COMPARED]], n=1, cutoff=0.6)
    if close:
        return [((key, close[0]), found[key, close[0]])]
    elsewhere = [(label, number) for label, number in found.items() if label[1] == value and label[0] not in taken]
    return sorted(elsewhere)
