"""The objects of the cluster with one counter of revisions and a log of changes, as etcd and the watch cache keep them.

Objects in the store are never changed in place: a write puts a new dict under the key. Readers may therefore hold what
they got. `api` writes for users, controllers and the kubelet for themselves; everybody hears of changes by `subscribe`.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from demo.cluster.objects import (
    SAFE_ALPHABET_SIZE,
    Object,
    name_of,
    namespace_of,
    random_suffix,
    rfc3339,
    uid_of,
)
from demo.cluster.timeline import Timeline

Key = tuple[str, str]
LOG_LENGTH = 5000
SNAPSHOTS = 64


@dataclass(frozen=True)
class Change:
    """One entry of the log. `before` is None for ADDED; for DELETED `after` is the last state with its new revision."""

    revision: int
    kind: str
    storage: str
    after: Object
    before: Object | None


class Store:
    """All objects by storage name ('pods') and (namespace, name)."""

    def __init__(self, timeline: Timeline, rng: random.Random) -> None:
        self._timeline = timeline
        self._rng = rng
        self._objects: dict[str, dict[Key, Object]] = {}
        self._owned: dict[str, set[tuple[str, Key]]] = {}
        self._snapshots: dict[tuple[str, int], list[Object]] = {}
        self._subscribers: list[Callable[[Change], None]] = []
        self.log: deque[Change] = deque(maxlen=LOG_LENGTH)
        self.revision = 1000
        self.compacted = 0
        """Watches from before this revision are answered 410."""

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        self._subscribers.append(listener)

    def unsubscribe(self, listener: Callable[[Change], None]) -> None:
        self._subscribers.remove(listener)

    def find(self, storage: str, namespace: str, name: str) -> Object | None:
        return self._objects.get(storage, {}).get((namespace, name))

    def all(self, storage: str, namespace: str = "") -> list[Object]:
        """In the order of their keys; all namespaces when it is empty."""
        objects = self._objects.get(storage, {})
        return [objects[key] for key in sorted(objects) if not namespace or key[0] == namespace]

    def each(self, storage: str) -> Iterator[Object]:
        """In no useful order; do not write while iterating."""
        return iter(self._objects.get(storage, {}).values())

    def owned(self, storage: str, owner_uid: str) -> list[Object]:
        """What has an owner reference to that UID, in the order of keys."""
        keys = sorted(key for kind, key in self._owned.get(owner_uid, ()) if kind == storage)
        objects = self._objects.get(storage, {})
        return [objects[key] for key in keys]

    def dependents(self, owner_uid: str) -> list[tuple[str, Object]]:
        entries = sorted(self._owned.get(owner_uid, ()))
        return [(storage, self._objects[storage][key]) for storage, key in entries]

    def uid_exists(self, uid: str) -> bool:
        return any(uid_of(obj) == uid for objects in self._objects.values() for obj in objects.values())

    def new_uid(self) -> str:
        bits = f"{self._rng.getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"

    def new_suffix(self) -> str:
        return random_suffix(self._rng.randrange(SAFE_ALPHABET_SIZE) for _ in range(5))

    def stamp(self, obj: Object) -> None:
        """The metadata that the server itself gives to a new object."""
        metadata = obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + self.new_suffix()
        metadata["uid"] = self.new_uid()
        metadata["creationTimestamp"] = rfc3339(self._timeline.now())

    def add(self, storage: str, obj: Object) -> Object:
        """Keep a new object (stamped before); gives it back with its resourceVersion."""
        key = (namespace_of(obj), name_of(obj))
        self._put(storage, key, obj)
        self._index(storage, key, obj)
        self._publish("ADDED", storage, obj, None)
        return obj

    def replace(self, storage: str, obj: Object) -> Object:
        """Put a new state over the old one. A state equal to the old one changes nothing, as in a real server."""
        key = (namespace_of(obj), name_of(obj))
        before = self._objects[storage][key]
        obj["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        if obj == before:
            return before
        if obj["metadata"].get("ownerReferences") != before["metadata"].get("ownerReferences"):
            self._unindex(storage, key, before)
            self._index(storage, key, obj)
        self._put(storage, key, obj)
        self._publish("MODIFIED", storage, obj, before)
        return obj

    def remove(self, storage: str, namespace: str, name: str) -> Object | None:
        key = (namespace, name)
        before = self._objects.get(storage, {}).pop(key, None)
        if before is None:
            return None
        self._unindex(storage, key, before)
        self.revision += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.revision)}}
        self._publish("DELETED", storage, last, before)
        return last

    def compact(self) -> None:
        """Forget the past: older watches and continue tokens expire."""
        self.revision += 1
        self.compacted = self.revision
        self.log.clear()
        self._snapshots.clear()

    def snapshot(self, storage: str, revision: int) -> list[Object] | None:
        """What a list at that revision saw, if it is still kept."""
        return self._snapshots.get((storage, revision))

    def keep_snapshot(self, storage: str, revision: int, objects: list[Object]) -> None:
        self._snapshots[(storage, revision)] = objects
        while len(self._snapshots) > SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]

    def _put(self, storage: str, key: Key, obj: Object) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self._objects.setdefault(storage, {})[key] = obj

    def _publish(self, kind: str, storage: str, after: Object, before: Object | None) -> None:
        if len(self.log) == LOG_LENGTH:
            self.compacted = max(self.compacted, self.log[0].revision)
        change = Change(self.revision, kind, storage, after, before)
        self.log.append(change)
        for listener in tuple(self._subscribers):
            listener(change)

    def _index(self, storage: str, key: Key, obj: Object) -> None:
        for reference in obj["metadata"].get("ownerReferences") or []:
            self._owned.setdefault(reference["uid"], set()).add((storage, key))

    def _unindex(self, storage: str, key: Key, obj: Object) -> None:
        for reference in obj["metadata"].get("ownerReferences") or []:
            entries = self._owned.get(reference["uid"], set())
            entries.discard((storage, key))
            if not entries:
                self._owned.pop(reference["uid"], None)
