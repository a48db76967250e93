"""Namespaces: what every one holds from the start, and how one empties when it is deleted.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
"""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.cluster.manager import Key
from demo.cluster.objects import is_deleting, name_of, namespace_of
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL, TABLE
from demo.cluster.store import Change


@dataclass
class Namespaces:
    registry: Registry

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "namespaces" and change.kind != "DELETED":
            yield ("", name_of(change.after))
        elif change.kind == "DELETED" and namespace_of(change.after):
            yield ("", namespace_of(change.after))

    def sync(self, key: Key) -> None:
        namespace = self.registry.store.find("namespaces", *key)
        if namespace is None:
            return
        if is_deleting(namespace):
            self._empty(key[1])
            return
        metadata = {"namespace": key[1]}
        if self.registry.store.find("serviceaccounts", key[1], "default") is None:
            self.registry.create(BY_PLURAL["serviceaccounts"], {"metadata": metadata | {"name": "default"}})
        if self.registry.store.find("configmaps", key[1], "kube-root-ca.crt") is None:
            bundle = {"metadata": metadata | {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "(of the simulation)"}}
            self.registry.create(BY_PLURAL["configmaps"], bundle)

    def _empty(self, name: str) -> None:
        left = 0
        for resource in TABLE:
            if not resource.namespaced or resource.view_of:
                continue
            for obj in self.registry.store.all(resource.storage, name):
                left += 1
                if not is_deleting(obj):
                    self.registry.delete(resource, name, name_of(obj), DeleteOptions())
        if not left:
            self.registry.store.remove("namespaces", "", name)
