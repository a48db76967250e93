"""A picture of a cluster that is kept up to date change by change, and what of it a change has touched.

The fast path between two sweeps: `k8s.following` feeds it from watches, `k8s.judging` looks at what was touched. Of a
pod that simply runs it keeps a name and whose it is, so that a large cluster is not held twice; of everything else it
keeps what the detectors read. Pure: no clock, no I/O.

A list marks nothing as touched, only a change after it does: what a list shows is for the next sweep to judge.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from k8s import model, objects, symptoms
from k8s.indexing import HASH_LABEL, IGNORE, MAX_DEPTH


@dataclass(frozen=True, slots=True)
class Kind:
    """One list that is followed."""

    name: str
    kind: str
    type: type[Any]
    namespaced: bool = True
    field_selector: str = ""


KINDS: Mapping[str, Kind] = {
    each.name: each
    for each in (
        Kind("namespaces", "Namespace", objects.Namespace, namespaced=False),
        Kind("nodes", "Node", objects.Node, namespaced=False),
        Kind("pods", "Pod", objects.Pod),
        Kind("deployments", "Deployment", objects.Workload),
        Kind("replicasets", "ReplicaSet", objects.Workload),
        Kind("statefulsets", "StatefulSet", objects.Workload),
        Kind("daemonsets", "DaemonSet", objects.Workload),
        Kind("jobs", "Job", objects.Job),
        Kind("cronjobs", "CronJob", objects.CronJob),
        Kind("events", "Event", objects.Event, field_selector="type=Warning"),
    )
}
"""What breaks, whatever can own it, and whatever a person can mute it on: less would make one problem two."""

OWNERS = ("replicasets", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs")
_OWNED = (*OWNERS, "pods")
_LIST_OF = {each.kind: each.name for each in KINDS.values()}

EVENTS = 20_000
"""Events kept, the newest to come: as many as a sweep keeps."""
MARKS = 20_000
"""Subjects that wait to be judged; what is touched beyond that is left to the next sweep."""
_SHARED = 100_000
"""Parts that pods have in common, held to be shared."""

_BENIGN = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Why a container waits that is only on its way."""

K = TypeVar("K")
V = TypeVar("V")
Key = tuple[str, str]
"""What is judged as one: ("owner", uid of a top owner, or of a pod without one) or ("node", its name)."""


def identity(meta: objects.Meta) -> str:
    """What tells one object from another; as `k8s.client.changes` has it."""
    return meta.uid or f"{meta.namespace}/{meta.name}"


def controller(meta: objects.Meta) -> objects.OwnerReference | None:
    """The owner that manages the object; a static pod is its own, as its node is not what is broken."""
    for owner in meta.owner_references or ():
        if owner.controller and owner.name:
            return None if owner.kind == "Node" else owner
    return None


def plain(pod: objects.Pod) -> bool:
    """Whether no detector can find anything on this pod: it simply runs and serves, or has simply ended well."""
    meta, status = pod.metadata, pod.status
    if meta.deletion_timestamp or IGNORE in (meta.annotations or ()) or IGNORE in (meta.labels or ()):
        return False
    if symptoms.troubled(pod):
        return False
    if status.phase == "Succeeded":
        return not status.ephemeral_container_statuses and _ended_well(status)
    return symptoms.ready(pod)


def _ended_well(status: objects.PodStatus) -> bool:
    """Whether no container of a pod that has ended was started again, or ended with an error."""
    for one in (*(status.init_container_statuses or ()), *(status.container_statuses or ())):
        if one.restart_count or (one.last_state is not None and one.last_state.terminated):
            return False
        if one.state is not None and one.state.terminated is not None and one.state.terminated.exit_code:
            return False
    return True


def suspect(pod: objects.Pod) -> bool:
    """Whether a pod shows what may be found before its next sweep; one that is only starting, or not ready, does not:
    such kinds have long graces."""
    status = pod.status
    if status.phase == "Failed" or status.reason:
        return True
    scheduled = objects.condition(status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return True
    lists = (status.init_container_statuses, status.container_statuses, status.ephemeral_container_statuses)
    return any(_failing(one) for each in lists for one in each or ())


def _failing(status: objects.ContainerStatus) -> bool:
    if status.last_state is not None and status.last_state.terminated is not None:
        return True
    state = status.state
    if state is None:
        return False
    if state.waiting is not None and (state.waiting.reason or "") not in _BENIGN:
        return True
    return state.terminated is not None and bool(state.terminated.exit_code)


def unwell(node: objects.Node) -> bool:
    """Whether a node says anything but that it is ready."""
    for condition in node.status.conditions or ():
        if (condition.status == "True") is not (condition.type == "Ready"):
            return True
    return False


class Slimming:
    """Takes off an object what no detector will ask of it. One for each stream: `slim` is its `keep`."""

    def __init__(self) -> None:
        self._specs: dict[str | None, objects.PodSpec] = {}
        self._statuses: dict[tuple[str | None, bool], objects.PodStatus] = {}
        self._owners: dict[str, tuple[list[objects.OwnerReference] | None, dict[str, str] | None, str]] = {}

    def pod(self, found: objects.Pod) -> objects.Pod:
        """A plain one keeps its name, its owner, its node and that it is well, most of it shared with others."""
        if not plain(found):
            return found
        meta = found.metadata
        owners, labels, namespace = self._owner(meta)
        slim = objects.Meta(
            name=meta.name,
            namespace=namespace,
            uid=meta.uid,
            creation_timestamp=meta.creation_timestamp,
            owner_references=owners,
            labels=labels,
        )
        return objects.Pod(metadata=slim, spec=self._spec(found.spec.node_name), status=self._status(found))

    def workload(self, found: objects.Workload) -> objects.Workload:
        """Of a ReplicaSet: there are ten times as many as Deployments, most of them of the past."""
        meta = found.metadata
        kept = {name: text for name, text in (meta.annotations or {}).items() if name in (symptoms.REVISION, IGNORE)}
        meta.annotations = kept or None
        found.spec.template = None
        return found

    def _owner(self, meta: objects.Meta) -> tuple[list[objects.OwnerReference] | None, dict[str, str] | None, str]:
        owner, hashed = controller(meta), (meta.labels or {}).get(HASH_LABEL)
        labels = {HASH_LABEL: hashed} if hashed else None
        if owner is None or not owner.uid:
            return meta.owner_references, labels, meta.namespace
        known = self._owners.get(key := f"{owner.uid}/{meta.namespace}/{hashed}")
        return known or _shared(self._owners, key, ([owner], labels, meta.namespace))

    def _spec(self, node: str | None) -> objects.PodSpec:
        return self._specs.get(node) or _shared(self._specs, node, objects.PodSpec(node_name=node))

    def _status(self, found: objects.Pod) -> objects.PodStatus:
        ready = symptoms.ready(found)
        key = (found.status.phase, ready)
        if key not in self._statuses:
            conditions = [objects.Condition(type="Ready", status="True" if ready else "False")]
            self._statuses[key] = objects.PodStatus(phase=found.status.phase, conditions=conditions)
        return self._statuses[key]


def _shared(held: dict[K, V], key: K, made: V) -> V:
    if len(held) >= _SHARED:
        held.clear()
    return held.setdefault(key, made)


class Picture:
    """All that is followed of one cluster, and the keys that changes have touched."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self._lists: dict[str, dict[str, Any]] = {name: {} for name in KINDS}
        self._lists["events"] = OrderedDict()
        self._children: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in _OWNED}
        """List → uid of a controller → identities of what it controls."""
        self._on_node: dict[str, set[str]] = defaultdict(set)
        self._about: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._suspects: set[str] = set()
        self._touched: OrderedDict[Key, None] = OrderedDict()
        self.marks = 0
        """How often anything was touched, ever: it stands still where the cluster does."""
        self.left = 0
        """Touched subjects that found no room, and were left to the sweeps."""

    def __len__(self) -> int:
        return sum(map(len, self._lists.values()))

    def all(self, name: str) -> Mapping[str, Any]:
        """What is known of a list, by identity."""
        return self._lists[name]

    # --- what happens

    def listed(self, name: str, place: str | None, found: Sequence[Any]) -> Iterator[None]:
        """Takes a whole list (of one namespace, or of all) slice by slice: run it to its end. It marks nothing."""
        there = {identity(each.metadata) for each in found}
        held = self._lists[name]
        gone = [key for key, each in held.items() if key not in there and place in (None, each.metadata.namespace)]
        for number, key in enumerate(gone):
            self._drop(name, key)
            if number % 500 == 499:
                yield
        for number, each in enumerate(found):
            self._put(name, each)
            if number % 500 == 499:
                yield

    def changed(self, name: str, found: Any) -> None:
        """Marks whom it concerns, where it says anything new that a detector may find."""
        before = self._put(name, found)
        for key in self._concerns(name, found, before):
            self.touch(key)

    def removed(self, name: str, found: Any) -> None:
        """What is gone is no finding: it only is no more."""
        self._drop(name, identity(found.metadata))

    def touch(self, key: Key) -> None:
        self.marks += 1
        if key not in self._touched and len(self._touched) >= MARKS:
            self.left += 1
            return
        self._touched[key] = None

    @property
    def touched(self) -> int:
        return len(self._touched)

    def take(self, most: int) -> list[Key]:
        """The keys touched longest ago, which are touched no more."""
        return [self._touched.popitem(last=False)[0] for _ in range(min(most, len(self._touched)))]

    # --- who belongs to whom

    def root(self, meta: objects.Meta) -> Key | None:
        """The key of an object's top owner; None where one on the way is not known yet, though it is of a list that is
        followed: it is about to come, and judged without it a problem would seem another one."""
        key = identity(meta)
        owner = controller(meta)
        for _ in range(MAX_DEPTH):
            if owner is None:
                break
            key = owner.uid or f"{owner.kind}/{meta.namespace}/{owner.name}"
            name = _LIST_OF.get(owner.kind)
            above = self._lists[name].get(owner.uid) if name in OWNERS else None
            if above is None:
                return None if name in OWNERS else ("owner", key)
            owner = controller(above.metadata)
        return "owner", key

    def suspects(self, most: int) -> list[Key]:
        """The keys of pods that show something at this moment: with whom a cause may be shared."""
        found: dict[Key, None] = {}
        for uid in self._suspects:
            pod = self._lists["pods"][uid]
            key = self.root(pod.metadata)
            if key is not None:
                found[key] = None
                if len(found) >= most:
                    break
        return list(found)

    # --- a part of it

    def part(self, keys: Iterable[Key], now: datetime, scope: model.Scope, unread: Mapping[str, str]) -> model.Snapshot:
        """A snapshot of these keys alone: their whole families, with their nodes, namespaces and events.

        `unread`: what it cannot speak of. Nobody may take for a fact that something is not in it.
        """
        taken: dict[str, dict[str, Any]] = {name: {} for name in KINDS}
        for kind, key in keys:
            if kind == "node":
                self._take_node(key, taken, scope)
            else:
                self._take_family(key, taken, scope)
        for name in {pod.spec.node_name for pod in taken["pods"].values() if pod.spec.node_name}:
            for node in self._named("nodes", name):
                taken["nodes"][identity(node.metadata)] = node
        self._take_around(taken)
        lists: dict[str, Any] = {name: list(found.values()) for name, found in taken.items()}
        return model.Snapshot(self.cluster, now, scope, unread=unread, **lists)

    def _take_family(self, key: str, taken: dict[str, dict[str, Any]], scope: model.Scope) -> None:
        for name in _OWNED:
            if (top := self._lists[name].get(key)) is not None and scope.includes(top.metadata.namespace):
                taken[name][key] = top
        waiting, seen = [key], {key}
        while waiting:
            above = waiting.pop()
            for name in _OWNED:
                for child in self._children[name].get(above, ()):
                    found = self._lists[name][child]
                    if child in seen or not scope.includes(found.metadata.namespace):
                        continue
                    seen.add(child)
                    taken[name][child] = found
                    if name != "pods":
                        waiting.append(child)

    def _take_node(self, name: str, taken: dict[str, dict[str, Any]], scope: model.Scope) -> None:
        """The node with all its pods (they are counted), and the families of those that show something."""
        for node in self._named("nodes", name):
            taken["nodes"][identity(node.metadata)] = node
        for uid in self._on_node.get(name, ()):
            pod = self._lists["pods"][uid]
            if not scope.includes(pod.metadata.namespace):
                continue
            taken["pods"][uid] = pod
            root = self.root(pod.metadata) if uid in self._suspects else None
            if root is not None:
                self._take_family(root[1], taken, scope)

    def _take_around(self, taken: dict[str, dict[str, Any]]) -> None:
        events, spaces = taken["events"], set()
        for name in (*_OWNED, "nodes"):
            for each in taken[name].values():
                meta = each.metadata
                spaces.add(meta.namespace)
                about = (KINDS[name].kind, meta.namespace, meta.name)
                for event in self._about.get(about, ()):
                    events[event] = self._lists["events"][event]
        for space in spaces:
            for found in self._named("namespaces", space):
                taken["namespaces"][identity(found.metadata)] = found

    def _named(self, name: str, wanted: str) -> list[Any]:
        """Of a list outside of namespaces: those of this name."""
        return [self._lists[name][key] for key in self._about.get((KINDS[name].kind, "#", wanted), ())]

    # --- keeping it

    def _concerns(self, name: str, found: Any, before: Any) -> Iterator[Key]:
        match name:
            case "pods":
                if suspect(found) and (before is None or before.status != found.status):
                    yield self._root_or_itself(found.metadata)
            case "nodes":
                if unwell(found) and (before is None or before.status.conditions != found.status.conditions):
                    yield "node", found.metadata.name
            case "deployments" | "replicasets" | "jobs":
                if _condemned(found) and (before is None or before.status.conditions != found.status.conditions):
                    yield self._root_or_itself(found.metadata)
            case "events":
                about = self._involved(found)
                if about is not None:
                    yield about
        if before is None and name in _OWNED and self._told_of(name, found):
            yield self._root_or_itself(found.metadata)

    def _told_of(self, name: str, found: Any) -> bool:
        """Whether an event about it was heard of before the object itself: streams do not wait for each other."""
        if name == "pods" and plain(found):
            return False
        meta = found.metadata
        about = self._about.get((KINDS[name].kind, meta.namespace, meta.name), ())
        return any(self._lists["events"][event].involved_object.uid == meta.uid for event in about)

    def _root_or_itself(self, meta: objects.Meta) -> Key:
        """Where the top owner is not known yet, the object itself: `settled` finds its owner when it is judged."""
        return self.root(meta) or ("owner", identity(meta))

    def settled(self, key: Key) -> Key | None:
        """The key that is judged for a touched one, now that more may be known; None while its owner is missing."""
        if key[0] == "node":
            return key
        for name in _OWNED:
            found = self._lists[name].get(key[1])
            if found is not None:
                return self.root(found.metadata)
        return key

    def _involved(self, event: objects.Event) -> Key | None:
        about = event.involved_object
        name = _LIST_OF.get(about.kind)
        if name not in _OWNED:
            return None
        found = self._lists[name].get(about.uid)
        if found is None or (name == "pods" and plain(found)):
            return None
        return self._root_or_itself(found.metadata)

    def _put(self, name: str, found: Any) -> Any:
        key = identity(found.metadata)
        held = self._lists[name]
        before = held.get(key)
        if before is not None:
            self._unlink(name, key, before)
        held[key] = found
        self._link(name, key, found)
        if name == "events":
            if before is not None:
                self._lists["events"].move_to_end(key)  # type: ignore[attr-defined]
            elif len(held) > EVENTS:
                self._drop(name, next(iter(held)))
        return before

    def _drop(self, name: str, key: str) -> None:
        before = self._lists[name].pop(key, None)
        if before is not None:
            self._unlink(name, key, before)

    def _link(self, name: str, key: str, found: Any) -> None:
        if name in _OWNED:
            owner = controller(found.metadata)
            if owner is not None and owner.uid:
                self._children[name][owner.uid].add(key)
        if name == "pods":
            if found.spec.node_name:
                self._on_node[found.spec.node_name].add(key)
            if suspect(found):
                self._suspects.add(key)
        elif name in ("events", "nodes", "namespaces"):
            self._about[_about(name, found)].add(key)

    def _unlink(self, name: str, key: str, found: Any) -> None:
        if name in _OWNED:
            owner = controller(found.metadata)
            if owner is not None and owner.uid:
                _discard(self._children[name], owner.uid, key)
        if name == "pods":
            _discard(self._on_node, found.spec.node_name or "", key)
            self._suspects.discard(key)
        elif name in ("events", "nodes", "namespaces"):
            _discard(self._about, _about(name, found), key)


def _about(name: str, found: Any) -> tuple[str, str, str]:
    """Under what an event (by whom it is about), a node or a namespace (by its name) is looked up."""
    if name != "events":
        return KINDS[name].kind, "#", found.metadata.name
    about = found.involved_object
    return about.kind, "" if about.kind == "Node" else about.namespace or found.metadata.namespace, about.name


def _discard(groups: dict[Any, set[str]], group: Any, key: str) -> None:
    members = groups.get(group)
    if members is not None:
        members.discard(key)
        if not members:
            del groups[group]


def _condemned(found: Any) -> bool:
    """Whether a controller says that it cannot: a failed rollout, pods that it may not make, a Job given up."""
    for condition in found.status.conditions or ():
        if condition.type == "Progressing" and condition.status == "False":
            return True
        if condition.type in ("ReplicaFailure", "Failed") and condition.status == "True":
            return True
    return False
