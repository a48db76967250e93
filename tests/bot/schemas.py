"""As much of JSON Schema as docs/sweep.schema.json uses; an unknown keyword is an error, so that none is ignored."""

import re
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip
_NOTES = {"$schema", "title", "$defs"}
_KNOWN = _NOTES | {
    "$ref", "type", "enum", "pattern", "minimum", "minItems", "items", "properties", "required", "additionalProperties",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "$") -> list[str]:
    """Where the value does not follow the schema; empty where it does."""
    root = schema if root is None else root
    if unknown := set(schema) - _KNOWN:
        raise ValueError(f"{at}: this check does not know {unknown}")
    if "$ref" in schema:
        return faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    found = [f"{at}: {reason}" for reason in _own(value, schema)]
    if found:
        return found
    if isinstance(value, dict):
        return _inside_object(value, schema, root, at)
    if isinstance(value, list):
        return [fault for i, item in enumerate(value) for fault in faults(item, schema["items"], root, f"{at}[{i}]")]
    return []


def _own(value: Any, schema: dict[str, Any]) -> list[str]:
    found = []
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if not any(_is(value, name) for name in names):
            found.append(f"{value!r} is no {' or '.join(names)}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{value!r} is none of {schema['enum']}")
    if not found and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{value!r} does not match {schema['pattern']}")
    if not found and "minimum" in schema and value < schema["minimum"]:
        found.append(f"{value!r} is less than {schema['minimum']}")
    if not found and "minItems" in schema and len(value) < schema["minItems"]:
        found.append("too few items")
    return found


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (not isinstance(value, bool) or name == "boolean")


def _inside_object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> list[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, inner in value.items():
        if name in properties:
            found += faults(inner, properties[name], root, f"{at}.{name}")
        elif others is False:
            found.append(f"{at}: {name} is not allowed")
        elif isinstance(others, dict):
            found += faults(inner, others, root, f"{at}.{name}")
    return found
