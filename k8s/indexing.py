"""Look-ups over one snapshot: who owns what, which events are about it, what is ready, what is muted.

Built once a sweep by `k8s.detection` and shared by the detectors. Every map is made at its first use, so a cluster
without trouble pays for none of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol, TypeVar

from k8s import custom, model, objects, ruling, symptoms

IGNORE = "watchkeeper.io/ignore"
"""Annotation (or label): `true`, or a comma list of failure kinds, on the object that a finding is about, on the
workload that it belongs to, or on its namespace."""

HASH_LABEL = "pod-template-hash"

MAX_DEPTH = 8
"""Owners followed upwards; the deepest real chain is three, a circle is a broken cluster."""

_NONE: frozenset[str] = frozenset()
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_Key = tuple[str, str, str]
_ChildT = TypeVar("_ChildT", objects.Pod, objects.Workload)
_UNPLACED = frozenset({"Namespace", "Node", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"})


class _Marked(Protocol):
    """Whatever a person can annotate."""

    @property
    def metadata(self) -> objects.Meta: ...


class Index:
    """`model.Index` over a snapshot. Keeps the snapshot alive; lives as long as one sweep."""

    def __init__(self, snapshot: model.Snapshot) -> None:
        self._snapshot = snapshot
        self._sorted_events: dict[_Key, list[objects.Event]] = {}

    @property
    def taken_at(self) -> datetime:
        return self._snapshot.taken_at

    def top_owner(self, kind: str, meta: objects.Meta) -> model.ResourceRef:
        """The top owner by controller references; where an owner was not seen, the chain ends with its reference.

        A static pod is "owned" by its node (https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/): it
        is its own top owner, as the node is not what is broken.
        """
        top = symptoms.reference(kind, meta)
        parent = _controller(meta)
        for _ in range(MAX_DEPTH):
            if parent is None or parent.kind == "Node":
                break
            top = model.ResourceRef(parent.kind, meta.namespace, parent.name, parent.uid)
            above = self._metas.get(parent.uid)
            if above is None:
                return self._deployment_of(meta, parent) or top
            parent = _controller(above)
        return top

    def _deployment_of(self, meta: objects.Meta, replicaset: objects.OwnerReference) -> model.ResourceRef | None:
        """The Deployment of a ReplicaSet that was not seen (it is new, or may not be listed), by the name that its
        controller gave it: the Deployment's and the hash that its pods are labelled with. One problem must not become
        another one because less is seen.
        https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label
        """
        name, dash, hashed = replicaset.name.rpartition("-")
        if replicaset.kind != "ReplicaSet" or not dash or (meta.labels or {}).get(HASH_LABEL) != hashed:
            return None
        deployment = self._workloads.get(("Deployment", meta.namespace, name))
        return None if deployment is None else symptoms.reference("Deployment", deployment.metadata)

    def events(self, ref: model.ResourceRef, reasons: Sequence[str] = ()) -> Sequence[objects.Event]:
        """Warning events about the object, newest first; those of an earlier object of the same name are left out."""
        key = _key(ref)
        if key not in self._sorted_events:
            events = self._events.get(key, [])
            events.sort(key=lambda event: objects.last_seen(event) or _LONG_AGO, reverse=True)
            self._sorted_events[key] = events
        return [
            event
            for event in self._sorted_events[key]
            if (not reasons or event.reason in reasons) and _meant(event.involved_object, ref)
        ]

    def ready(self, owner: model.ResourceRef) -> tuple[int, int] | None:
        workload = self.workload(owner)
        if workload is None:
            return None
        if owner.kind == "DaemonSet":
            return workload.status.number_ready or 0, workload.status.desired_number_scheduled or 0
        return workload.status.ready_replicas or 0, symptoms.desired(workload)

    def node_ready(self, name: str) -> bool:
        return name not in self._nodes_not_ready

    @cached_property
    def troubled(self) -> Sequence[objects.Pod]:
        return [pod for pod in self._snapshot.pods if symptoms.troubled(pod)]

    def pods(self, controller: model.ResourceRef) -> Sequence[objects.Pod]:
        return self._pods.get(_key(controller), ())

    def pods_on(self, node: str) -> int:
        return self._pods_on[node]

    def replicasets(self, controller: model.ResourceRef) -> Sequence[objects.Workload]:
        return self._replicasets.get(_key(controller), ())

    def workload(self, ref: model.ResourceRef) -> objects.Workload | None:
        return self._workloads.get(_key(ref))

    def muted(self, finding: model.Finding) -> bool:
        """Whether a person has asked for silence about this kind, on the object, its top owner or its namespace."""
        if not self._mutes:
            return False
        keys = [_key(finding.resource), _key(finding.owner)]
        if finding.resource.namespace:
            keys.append(("Namespace", "", finding.resource.namespace))
        return any(not self._mutes.get(key, _NONE).isdisjoint(("true", finding.kind.lower())) for key in keys)

    @cached_property
    def _metas(self) -> dict[str, objects.Meta]:
        """Whatever can own and be owned, by uid."""
        snapshot = self._snapshot
        workloads = (snapshot.replicasets, snapshot.deployments, snapshot.statefulsets, snapshot.daemonsets)
        metas = {item.metadata.uid: item.metadata for items in workloads for item in items}
        metas |= {job.metadata.uid: job.metadata for job in snapshot.jobs}
        metas.pop("", None)
        return metas

    @cached_property
    def _workloads(self) -> dict[_Key, objects.Workload]:
        return {
            (kind, item.metadata.namespace, item.metadata.name): item
            for kind, items in _workload_lists(self._snapshot)
            for item in items
        }

    @cached_property
    def _events(self) -> dict[_Key, list[objects.Event]]:
        grouped: dict[_Key, list[objects.Event]] = defaultdict(list)
        for event in self._snapshot.events:
            about = event.involved_object
            namespace = "" if about.kind == "Node" else about.namespace or event.metadata.namespace
            grouped[(about.kind, namespace, about.name)].append(event)
        return dict(grouped)

    @cached_property
    def _nodes_not_ready(self) -> frozenset[str]:
        conditions = (
            (node.metadata.name, objects.condition(node.status.conditions, "Ready")) for node in self._snapshot.nodes
        )
        return frozenset(name for name, condition in conditions if condition is not None and condition.status != "True")

    @cached_property
    def _pods(self) -> dict[_Key, list[objects.Pod]]:
        return _by_controller(self._snapshot.pods)

    @cached_property
    def _pods_on(self) -> Counter[str]:
        unfinished = (pod for pod in self._snapshot.pods if pod.status.phase not in ("Succeeded", "Failed"))
        return Counter(pod.spec.node_name for pod in unfinished if pod.spec.node_name)

    @cached_property
    def _replicasets(self) -> dict[_Key, list[objects.Workload]]:
        grouped = _by_controller(self._snapshot.replicasets)
        for siblings in grouped.values():
            siblings.sort(key=_revision)
        return grouped

    @cached_property
    def _mutes(self) -> dict[_Key, frozenset[str]]:
        snapshot = self._snapshot
        lists: list[tuple[str, Iterable[_Marked]]] = [
            ("Namespace", snapshot.namespaces),
            ("Node", snapshot.nodes),
            ("Pod", snapshot.pods),
            ("Job", snapshot.jobs),
            ("CronJob", snapshot.cronjobs),
            *_workload_lists(snapshot),
            ("Service", snapshot.services),
            ("Ingress", snapshot.ingresses),
            ("PersistentVolumeClaim", snapshot.persistentvolumeclaims),
            ("ResourceQuota", snapshot.resourcequotas),
            ("HorizontalPodAutoscaler", snapshot.horizontalpodautoscalers),
            ("PodDisruptionBudget", snapshot.poddisruptionbudgets),
            ("ValidatingWebhookConfiguration", snapshot.validatingwebhookconfigurations),
            ("MutatingWebhookConfiguration", snapshot.mutatingwebhookconfigurations),
            ("Secret", snapshot.secrets),
        ]
        mutes: dict[_Key, frozenset[str]] = {}
        for kind, items in lists:
            for item in items:
                meta = item.metadata
                asked = (meta.annotations or {}).get(IGNORE) or (meta.labels or {}).get(IGNORE)
                if asked:
                    words = frozenset(word.strip().lower() for word in asked.split(","))
                    mutes[(kind, "" if kind in _UNPLACED else meta.namespace, meta.name)] = words
        for name, listed in snapshot.custom.items():
            api_version, _, kind = name.rpartition("/")
            called = custom.name_of(ruling.Wanted(api_version, kind))
            for meta in map(custom.metadata, listed):
                asked = (meta.annotations or {}).get(IGNORE) or (meta.labels or {}).get(IGNORE)
                if asked:
                    mutes[(called, meta.namespace, meta.name)] = frozenset(
                        word.strip().lower() for word in asked.split(",")
                    )
        return mutes


def _workload_lists(snapshot: model.Snapshot) -> Iterator[tuple[str, Sequence[objects.Workload]]]:
    yield "Deployment", snapshot.deployments
    yield "ReplicaSet", snapshot.replicasets
    yield "StatefulSet", snapshot.statefulsets
    yield "DaemonSet", snapshot.daemonsets


def _key(ref: model.ResourceRef) -> _Key:
    return ref.kind, ref.namespace, ref.name


def _controller(meta: objects.Meta) -> objects.OwnerReference | None:
    """The one owner that manages the object (https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/)."""
    for owner in meta.owner_references or ():
        if owner.controller and owner.name:
            return owner
    return None


def _by_controller(items: Iterable[_ChildT]) -> dict[_Key, list[_ChildT]]:
    grouped: dict[_Key, list[_ChildT]] = defaultdict(list)
    for item in items:
        controller = _controller(item.metadata)
        if controller is not None:
            grouped[(controller.kind, item.metadata.namespace, controller.name)].append(item)
    return dict(grouped)


def _revision(replicaset: objects.Workload) -> tuple[int, str]:
    text = (replicaset.metadata.annotations or {}).get(symptoms.REVISION, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0, replicaset.metadata.creation_timestamp or ""


def _meant(about: objects.ObjectReference, ref: model.ResourceRef) -> bool:
    """Whether an event speaks of this object, not of an earlier one of its name. Of a node the uid may be its name."""
    return not about.uid or not ref.uid or about.uid == ref.uid or ref.kind == "Node"
