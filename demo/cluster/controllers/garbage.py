"""The garbage collector: what belonged to a deleted object is deleted too, in the background, foreground or not at all.

Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.errors import ApiError
from demo.cluster.manager import Key
from demo.cluster.objects import Object, clone, is_deleting, name_of, namespace_of, uid_of
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


@dataclass
class GarbageCollector:
    """Keys are (storage, namespace/name) of objects that wait for their dependents, or ('', uid) of deleted owners."""

    registry: Registry

    def keys(self, change: Change) -> Iterable[Key]:
        if change.kind == "DELETED":
            yield ("", uid_of(change.after))
            for reference in change.after["metadata"].get("ownerReferences") or []:
                yield ("waiting", reference["uid"])
        elif is_deleting(change.after):
            finalizers = change.after["metadata"].get("finalizers") or []
            if FOREGROUND in finalizers or ORPHAN in finalizers:
                yield (change.storage, f"{namespace_of(change.after)}/{name_of(change.after)}")

    def sync(self, key: Key) -> None:
        storage, rest = key
        if storage == "":
            for kind, dependent in self.registry.store.dependents(rest):
                self._collect(kind, dependent, rest)
        elif storage == "waiting":
            for each in BY_PLURAL:
                for owner in self.registry.store.each(each):
                    if uid_of(owner) == rest and is_deleting(owner):
                        self._finalize(each, owner)
                        return
        else:
            namespace, _, name = rest.partition("/")
            owner_found = self.registry.store.find(storage, namespace, name)
            if owner_found is not None:
                self._finalize(storage, owner_found)

    def _finalize(self, storage: str, owner: Object) -> None:
        finalizers = owner["metadata"].get("finalizers") or []
        dependents = self.registry.store.dependents(uid_of(owner))
        if ORPHAN in finalizers:
            for kind, dependent in dependents:
                self._release(kind, dependent, uid_of(owner))
            self._drop(storage, owner, ORPHAN)
        elif FOREGROUND in finalizers:
            for kind, dependent in dependents:
                if not is_deleting(dependent):
                    self._delete(kind, dependent, "Foreground")
            if not self.registry.store.dependents(uid_of(owner)):
                self._drop(storage, owner, FOREGROUND)

    def _collect(self, storage: str, dependent: Object, owner_uid: str) -> None:
        """Delete what has no living owner left; drop the reference otherwise."""
        references = dependent["metadata"].get("ownerReferences") or []
        others = [each for each in references if each["uid"] != owner_uid]
        if any(self.registry.store.uid_exists(each["uid"]) for each in others):
            self._release(storage, dependent, owner_uid)
        elif not is_deleting(dependent):
            self._delete(storage, dependent, "Background")

    def _release(self, storage: str, dependent: Object, owner_uid: str) -> None:
        changed = clone(dependent)
        kept = [each for each in changed["metadata"].get("ownerReferences") or [] if each["uid"] != owner_uid]
        changed["metadata"]["ownerReferences"] = kept
        if not kept:
            del changed["metadata"]["ownerReferences"]
        self.registry.store.replace(storage, changed)

    def _delete(self, storage: str, obj: Object, propagation: str) -> None:
        options = DeleteOptions(propagation=propagation if storage != "pods" else "")
        try:
            self.registry.delete(BY_PLURAL[storage], namespace_of(obj), name_of(obj), options)
        except ApiError as error:
            if error.code != 404:
                raise

    def _drop(self, storage: str, owner: Object, finalizer: str) -> None:
        changed = clone(owner)
        kept = [each for each in changed["metadata"]["finalizers"] if each != finalizer]
        changed["metadata"]["finalizers"] = kept
        self.registry.store.replace(storage, changed)
        if not kept:
            self.registry.store.remove(storage, namespace_of(owner), name_of(owner))
