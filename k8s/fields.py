"""Reads fields out of raw API objects without ever raising: what is missing or of an odd type reads as empty.

The remedies work on whole JSON objects (a template must be put back byte for byte, with fields that we have never
heard of), so there are no typed models to lean on. Called by `workloads`, `templates`, `targets`, `actions`,
`guardrails` and `verification`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from k8s import model, objects


def value(obj: object, *path: str) -> Any:
    """What stands at this path, or None where any step of it is missing or is not an object."""
    for step in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(step)
    return obj


def text(obj: object, *path: str) -> str:
    """The string at this path, or ""."""
    found = value(obj, *path)
    return found if isinstance(found, str) else ""


def number(obj: object, *path: str) -> int | None:
    """The integer at this path, or None. A boolean is no number, though Python says so."""
    found = value(obj, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def count(obj: object, *path: str) -> int:
    """The integer at this path, or 0: the API server leaves zero counts out."""
    return number(obj, *path) or 0


def mapping(obj: object, *path: str) -> model.Json:
    """The object at this path, or an empty one."""
    found = value(obj, *path)
    return found if isinstance(found, dict) else {}


def items(obj: object, *path: str) -> list[model.Json]:
    """The objects of the list at this path; whatever else stands in it is left out."""
    found = value(obj, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts(obj: object, *path: str) -> dict[str, str]:
    """The string-to-string map at this path: labels, annotations, selectors."""
    return {key: entry for key, entry in mapping(obj, *path).items() if isinstance(entry, str)}


def moment(obj: object, *path: str) -> datetime | None:
    """The timestamp at this path, aware; None where there is none that can be read."""
    return objects.moment(text(obj, *path))


def condition(obj: object, kind: str) -> model.Json:
    """The condition of this type from `status.conditions`, or an empty object."""
    return next((entry for entry in items(obj, "status", "conditions") if text(entry, "type") == kind), {})


def labels(obj: object) -> dict[str, str]:
    return texts(obj, "metadata", "labels")


def annotations(obj: object) -> dict[str, str]:
    return texts(obj, "metadata", "annotations")


def uid(obj: object) -> str:
    return text(obj, "metadata", "uid")


def controller(obj: object) -> model.ResourceRef | None:
    """The controlling owner (`controller: true`; there is at most one), in the object's own namespace."""
    for owner in items(obj, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            namespace = text(obj, "metadata", "namespace")
            return model.ResourceRef(text(owner, "kind"), namespace, text(owner, "name"), text(owner, "uid"))
    return None


def deleting(obj: object) -> bool:
    """Whether the object is on its way out."""
    return bool(text(obj, "metadata", "deletionTimestamp"))
