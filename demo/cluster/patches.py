"""The three patch formats of the API: JSON patch, merge patch and strategic merge patch.

Pure: a document and a patch give a new document or an `ApiError`. Sources: RFC 6902, RFC 7386 and
https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/ ; the merge keys of lists
are those of the `patchMergeKey` tags in https://github.com/kubernetes/api/blob/master/core/v1/types.go .
"""

from typing import Any

from demo.cluster.errors import ApiError, bad_request, patch_not_applicable, unsupported_patch_type
from demo.cluster.objects import Object, clone

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
SUPPORTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)

_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "resourceClaims": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
    "podIPs": "ip",
    "topologySpreadConstraints": "topologyKey",
    "ownerReferences": "uid",
    "conditions": "type",
    "addresses": "type",
    "secrets": "name",
}
_PRIMITIVE_MERGED = frozenset({"finalizers"})
_RETAIN_KEYS = frozenset({"strategy", "volumes"})


def apply_patch(document: Object, patch: Any, content_type: str) -> Object:
    """The patched copy. 415 for an unknown format, 400 for a malformed patch, 422 when it does not fit."""
    if content_type == JSON_PATCH:
        if not isinstance(patch, list):
            raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
        return json_patch(document, patch)
    if content_type not in (MERGE_PATCH, STRATEGIC_PATCH):
        raise unsupported_patch_type()
    if not isinstance(patch, dict):
        raise bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}")
    merged = merge_patch(document, patch) if content_type == MERGE_PATCH else strategic_merge(document, patch)
    result: Object = merged
    return result


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null deletes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return clone(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return clone(merged)


def json_patch(document: Object, operations: list[Any]) -> Object:
    """RFC 6902, all or nothing."""
    root: Any = clone(document)
    for operation in operations:
        if not isinstance(operation, dict) or "op" not in operation or "path" not in operation:
            raise bad_request("Invalid JSON Patch: an operation needs op and path")
        try:
            root = _operate(root, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise patch_not_applicable() from error
    if not isinstance(root, dict):
        raise patch_not_applicable()
    return root


def _operate(root: Any, operation: Object) -> Any:
    op, path = operation["op"], _pointer(operation["path"])
    if op == "test":
        if _read(root, path) != operation.get("value"):
            raise ValueError("test failed")
        return root
    if op == "add":
        return _add(root, path, clone(operation["value"]))
    if op == "remove":
        return _remove(root, path)
    if op == "replace":
        _read(root, path)
        return _replace(root, path, clone(operation["value"]))
    if op in ("move", "copy"):
        source = _pointer(operation["from"])
        value = clone(_read(root, source))
        return _add(_remove(root, source) if op == "move" else root, path, value)
    raise bad_request(f"Unexpected kind: {op}")


def _pointer(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise ValueError(path)
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _index(step: str, length: int) -> int:
    if step != "0" and (not step.isdigit() or step.startswith("0")):
        raise ValueError(step)
    if int(step) >= length:
        raise IndexError(step)
    return int(step)


def _read(node: Any, path: list[str]) -> Any:
    for step in path:
        node = node[_index(step, len(node))] if isinstance(node, list) else node[step]
    return node


def _add(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _read(root, path[:-1])
    if isinstance(parent, list):
        parent.insert(len(parent) if path[-1] == "-" else _index(path[-1], len(parent) + 1), value)
    else:
        parent[path[-1]] = value
    return root


def _replace(root: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _read(root, path[:-1])
    if isinstance(parent, list):
        parent[_index(path[-1], len(parent))] = value
    else:
        parent[path[-1]] = value
    return root


def _remove(root: Any, path: list[str]) -> Any:
    parent = _read(root, path[:-1])
    if isinstance(parent, list):
        del parent[_index(path[-1], len(parent))]
    else:
        del parent[path[-1]]
    return root


def strategic_merge(target: Any, patch: Any, name: str = "", inside: str = "") -> Any:
    """Strategic merge of one value: `name` is its member name, `inside` that of the object or list around it."""
    if isinstance(patch, dict):
        return _merge_objects(target if isinstance(target, dict) else {}, patch, name)
    if isinstance(patch, list):
        return _merge_lists(target if isinstance(target, list) else [], patch, name, inside)
    return clone(patch)


def _merge_objects(target: Object, patch: Object, name: str) -> Any:
    directive = patch.get("$patch")
    if directive == "delete":
        return {}
    if directive == "replace":
        return clone({k: v for k, v in patch.items() if k != "$patch"})
    if directive not in (None, "merge"):
        raise _invalid_directive(directive)
    merged = dict(target)
    if "$retainKeys" in patch and name in _RETAIN_KEYS:
        merged = {k: v for k, v in merged.items() if k in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            merged[field] = [each for each in merged.get(field) or [] if each not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = strategic_merge(merged.get(key), value, key, name)
    for key, value in patch.items():
        if key.startswith("$setElementOrder/"):
            field = key.partition("/")[2]
            if isinstance(merged.get(field), list):
                merged[field] = _ordered(merged[field], value, _merge_key(field, name))
    return clone(merged)


def _merge_key(name: str, inside: str) -> str:
    """The key that identifies an element of the list `name`, or "" when the list is atomic."""
    if name == "ports":
        return "containerPort" if inside in ("containers", "initContainers", "ephemeralContainers") else "port"
    return _MERGE_KEYS.get(name, "")


def _merge_lists(target: list[Any], patch: list[Any], name: str, inside: str) -> list[Any]:
    if name in _PRIMITIVE_MERGED:
        return [*target, *(each for each in patch if each not in target)]
    key = _merge_key(name, inside)
    if not key:
        return [clone(each) for each in patch if not _is_directive(each)]
    if any(isinstance(each, dict) and each.get("$patch") == "replace" for each in patch):
        return [clone(each) for each in patch if not _is_directive(each)]
    merged = [clone(each) for each in target]
    for element in patch:
        if not isinstance(element, dict) or key not in element:
            raise bad_request(f"map: {element!r} does not contain declared merge key: {key}")
        position = next((i for i, each in enumerate(merged) if each.get(key) == element[key]), None)
        if element.get("$patch") == "delete":
            merged = [each for each in merged if each.get(key) != element[key]]
        elif position is None:
            merged.append(strategic_merge({}, element, name, inside))
        else:
            merged[position] = strategic_merge(merged[position], element, name, inside)
    return merged


def _is_directive(element: Any) -> bool:
    return isinstance(element, dict) and set(element) == {"$patch"}


def _ordered(elements: list[Any], order: list[Any], key: str) -> list[Any]:
    wanted = [each.get(key) if isinstance(each, dict) else each for each in order]

    def rank(element: Any) -> int:
        value = element.get(key) if isinstance(element, dict) else element
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(elements, key=rank)


def _invalid_directive(directive: Any) -> ApiError:
    return bad_request(f'invalid value for "$patch": {directive}')
