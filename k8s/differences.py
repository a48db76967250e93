"""What a dry run would change, as lines for people: `k8s.executor` compares the object with the server's answer.

Pure. Only fields that people set are compared; what the server counts or keeps for itself is left out. Values are
redacted with the name that they belong to, since a password shows its nature by its name; those of environment
variables are not shown at all.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from k8s import model, redact

_SERVER_KEEPS = frozenset(("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"))
_LONGEST = 200
"""Characters of one value; a ConfigMap in an annotation can be a megabyte."""
_VARIABLE = re.compile(r"(?:^|[.\]])env(?:\[[^\]]*\]|\.\w+)\.value$")
"""The path of an environment variable's value: whatever its name, it may be a secret."""
_MISSING: Any = object()


def lines(before: model.Json, after: model.Json) -> tuple[str, ...]:
    """`- path: old` and `+ path: new` of every field that differs, in the order of the paths; empty where none does."""
    return tuple(_compared("", _mine(before), _mine(after)))


def _mine(obj: model.Json) -> model.Json:
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _SERVER_KEEPS}
    return {key: value for key, value in obj.items() if key not in ("status", "metadata")} | {"metadata": metadata}


def _compared(path: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _members(path, old, new)
    elif (pair := _by_name(old, new)) is not None:
        yield from _members(path, *pair)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _compared(f"{path}[{index}]", left, right)
    else:
        yield from _leaves("-", path, old)
        yield from _leaves("+", path, new)


def _members(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(old.keys() | new.keys()):
        yield from _compared(_step(path, key), old.get(key, _MISSING), new.get(key, _MISSING))


def _leaves(sign: str, path: str, value: Any) -> Iterator[str]:
    """One line for each plain value below `value`; none for a missing one."""
    if value is _MISSING:
        return
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _leaves(sign, _step(path, key), value[key])
    elif (pair := _by_name(value, value)) is not None and value:
        yield from _leaves(sign, path, pair[0])
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(sign, f"{path}[{index}]", item)
    else:
        yield f"{sign} {path}: {_shown(path, value)}"


def _by_name(old: Any, new: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Two lists of named things (containers, variables, volumes) as maps, where both are such and no name is twice."""
    left, right = _named(old), _named(new)
    return None if left is None or right is None else (left, right)


def _named(value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, list):
        return None
    names = [item.get("name") if isinstance(item, Mapping) else None for item in value]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return None
    return {
        str(name): {key: each for key, each in item.items() if key != "name"}
        for name, item in zip(names, value, strict=True)
    }


def _step(path: str, key: str) -> str:
    plain = key.replace("_", "").isalnum() and not key.isupper()
    if not path:
        return key
    return f"{path}.{key}" if plain else f"{path}[{key}]"


def _shown(path: str, value: Any) -> str:
    if _VARIABLE.search(path):
        return "[redacted:value]"
    text = value if isinstance(value, str) and value.isprintable() and value else msgspec.json.encode(value).decode()
    named = _innermost(path)
    masked = redact.redact(f"{named}={text}")
    kept = masked.removeprefix(f"{named}=") if masked.startswith(f"{named}=") else masked
    return kept if len(kept) <= _LONGEST else f"{kept[:_LONGEST]}…"


def _innermost(path: str) -> str:
    """The name that a value goes by: of an environment variable the variable's, else the last step."""
    steps: Sequence[str] = [step for step in path.replace("]", "").replace("[", ".").split(".") if step]
    last = steps[-1] if steps else ""
    return steps[-2] if last == "value" and len(steps) > 1 else last
