"""Changes one field of one container, of a pod template or a pod, by a JSON patch that fits it and this value only.

Shared by the modules of `k8s.actions`, which do not know each other. Paths go by position, so every patch first tests
the container's name: https://www.rfc-editor.org/rfc/rfc6902#section-4.6
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from k8s import fields, model, names, workloads

_LISTS = ("containers", "initContainers")
TEMPLATE = "/spec/template"
"""Where a workload has its pod template. A pod is like one itself, at no path."""
_TEST_NAME = re.compile(r"((?:/spec/template)?)(/spec/(?:containers|initContainers)/(?:0|[1-9][0-9]{0,3}))/name")


@dataclass(frozen=True, slots=True)
class Place:
    """One container of a template or a pod."""

    path: str
    """`/spec/template/spec/containers/0`; of a pod `/spec/containers/0`."""
    container: model.Json


def fault(container: str) -> tuple[str, str] | None:
    """Whether this can be a container's name: an RFC 1123 label."""
    return None if names.is_label(container) else ("container", f"{container!r} is not a container's name")


def place(template: model.Json, container: str, *, root: str = TEMPLATE) -> Place | None:
    """Where the container stands, init containers too; None where it is not there, or not once. Pods: no `root`."""
    found = [
        Place(f"{root}/spec/{key}/{index}", entry)
        for key in _LISTS
        for index, entry in _entries(template, key)
        if isinstance(entry, dict) and entry.get("name") == container
    ]
    return found[0] if len(found) == 1 else None


def _entries(template: model.Json, key: str) -> Sequence[tuple[int, Any]]:
    listed = fields.value(template, "spec", key)
    return list(enumerate(listed)) if isinstance(listed, list) else []


def missing(ref: model.ResourceRef, obj: model.Json, container: str) -> str:
    """The sentence for a container that is not there."""
    spec = fields.mapping(workloads.template(obj), "spec")
    names_here = [fields.text(entry, "name") for key in _LISTS for entry in fields.items(spec, key)]
    return f"{ref.kind} {ref.short} has no container {container} (it has {', '.join(names_here) or 'none'})."


def patch(where: Place, steps: Sequence[model.Json]) -> list[model.Json]:
    """The steps, whose paths are relative to the container, after the test of its name."""
    guard = {"op": "test", "path": f"{where.path}/name", "value": fields.text(where.container, "name")}
    return [guard, *({**step, "path": where.path + step["path"]} for step in steps)]


def steps(
    operation: model.Operation, container: str, *, verb: model.Verb = "patch", root: str = TEMPLATE
) -> list[model.Json] | None:
    """The steps of such a patch, with paths relative to the container again; None where it is no such patch."""
    body = operation.body
    if (operation.verb, operation.patch_type) != (verb, "json") or not isinstance(body, list) or not body:
        return None
    named = _TEST_NAME.fullmatch(fields.text(body[0], "path"))
    if named is None or named[1] != root or body[0] != {"op": "test", "path": named[0], "value": container}:
        return None
    here = named[1] + named[2]
    found: list[model.Json] = []
    for step in body[1:]:
        path = fields.text(step, "path")
        if not path.startswith(f"{here}/"):
            return None
        found.append({**step, "path": path.removeprefix(here)})
    return found
