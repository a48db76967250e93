"""metadata.managedFields: who wrote which fields of an object when, as far as something here reads it.

`registry` records every write of the types in `TRACKED`; what controllers write into a status leaves no entry. A list
is owned as a whole. Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management .
"""

from typing import Any

from demo.cluster.objects import Object

TRACKED = frozenset(
    {"configmaps", "secrets", "deployments", "statefulsets", "daemonsets", "horizontalpodautoscalers", "nodes"}
)
CONTROLLERS = "kube-controller-manager"
_OF_METADATA = ("labels", "annotations", "finalizers")


def record(obj: Object, before: Object | None, *, api_version: str, manager: str, subresource: str, now: str) -> None:
    """Set the entries of `obj`, which `manager` has just made of `before`.

    A field goes to whoever set it last. The time of an entry moves where its manager set something; to take a field
    away moves none.
    """
    owned = _set(_fields(obj), {} if before is None else _fields(before))
    kept: list[Object] = []
    mine: Object = {}
    key = (manager, "Update", api_version, subresource)
    for entry in (before or {"metadata": {}})["metadata"].get("managedFields") or []:
        tree = _present(entry["fieldsV1"], _fields(obj))
        if (entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", "")) == key:
            mine = entry | {"fieldsV1": tree}
        elif left := _without(tree, owned):
            kept.append(entry | {"fieldsV1": left})
    if owned:
        head: Object = {"manager": manager, "operation": "Update", "apiVersion": api_version, "time": now}
        mine = head | {"fieldsType": "FieldsV1", "fieldsV1": _union(mine.get("fieldsV1") or {}, owned)}
        mine |= {"subresource": subresource} if subresource else {}
    entries = [*kept, *([mine] if mine and mine["fieldsV1"] else [])]
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def _fields(obj: Object) -> Object:
    metadata = {name: obj["metadata"][name] for name in _OF_METADATA if obj["metadata"].get(name)}
    rest = {name: value for name, value in obj.items() if name != "metadata"}
    return rest | ({"metadata": metadata} if metadata else {})


def _set(after: Object, before: Object) -> Object:
    """What is new or other than before, as a tree of names."""
    tree: Object = {}
    for name, value in after.items():
        old = before.get(name)
        if value == old:
            continue
        below = _set(value, old if isinstance(old, dict) else {}) if isinstance(value, dict) else {}
        if below or not isinstance(value, dict) or not value:
            tree[f"f:{name}"] = below
    return tree


def _present(tree: Object, value: Any) -> Object:
    """Without the fields that are gone."""
    if not isinstance(value, dict):
        return {}
    found = {key: _present(below, value[key[2:]]) for key, below in tree.items() if key[2:] in value}
    return {key: below for key, below in found.items() if below or not tree[key]}


def _without(tree: Object, taken: Object) -> Object:
    left: Object = {}
    for key, below in tree.items():
        if key not in taken:
            left[key] = below
        elif below and (rest := _without(below, taken[key])):
            left[key] = rest
    return left


def _union(one: Object, other: Object) -> Object:
    return {key: _union(one.get(key) or {}, other.get(key) or {}) for key in sorted(one.keys() | other.keys())}
