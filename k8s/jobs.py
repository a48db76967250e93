"""What the remedies of Jobs share: how one ended, and a new one that is made of a template.

What is made from here carries the uid of the object that it was made of as a label (`names.MADE_FROM`), so that it is
found again whatever its name. Shared by the modules of `k8s.actions`, which do not know each other, and by `checks`.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from k8s import fields, model, names, templates

End = Literal["", "complete", "failed"]

_CONTROLLERS = frozenset(
    ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
)
"""Labels that the server gives to the pods of one very Job.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-selector"""
_KEYS = {"apiVersion", "kind", "metadata", "spec"}
_METADATA = {"name", "namespace", "labels", "annotations", "ownerReferences"}


def ended(job: model.Json | None) -> End:
    """How it ended; "" as long as it has not."""
    if fields.text(fields.condition(job, "Complete"), "status") == "True":
        return "complete"
    return "failed" if fields.text(fields.condition(job, "Failed"), "status") == "True" else ""


def why(job: model.Json) -> str:
    """The reason of a failure: `BackoffLimitExceeded`."""
    return fields.text(fields.condition(job, "Failed"), "reason") or "Failed"


def bare(template: model.Json) -> model.Json:
    """A pod template without what ties it to one very Job."""
    found = copy.deepcopy(template)
    for key in ("labels", "annotations"):
        if isinstance(kept := fields.value(found, "metadata", key), dict):
            found["metadata"][key] = {name: text for name, text in kept.items() if name not in _CONTROLLERS}
    return found


def new(source: model.ResourceRef, name: str, spec: model.Json, metadata: Mapping[str, object]) -> model.Json:
    """A Job that is made of `source`, which has a uid. `metadata`: its labels, annotations and owners."""
    labels = metadata.get("labels")
    kept = {key: text for key, text in (labels if isinstance(labels, dict) else {}).items() if key not in _CONTROLLERS}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            **{key: value for key, value in metadata.items() if value},
            "name": name,
            "namespace": source.namespace,
            "labels": {**kept, names.MADE_FROM: source.uid},
        },
        "spec": copy.deepcopy(spec),
    }


def shaped(operation: model.Operation, source: model.ResourceRef, word: str) -> bool:
    """Whether it creates one Job, made of this very object and named after it. What it runs is held by the digest."""
    body = operation.body
    if operation.verb != "create" or operation.patch_type is not None or not isinstance(body, dict):
        return False
    metadata = fields.mapping(body, "metadata")
    name = fields.text(metadata, "name")
    stem, _, stamp = name.rpartition(f"-{word}-")
    return (
        (set(body), body.get("apiVersion"), body.get("kind")) == (_KEYS, "batch/v1", "Job")
        and set(metadata) <= _METADATA
        and fields.text(metadata, "namespace") == source.namespace
        and fields.labels(body).get(names.MADE_FROM) == operation.target.uid != ""
        and names.is_subdomain(name)
        and bool(stem)
        and source.name.startswith(stem)
        and len(stamp) == len("00000000")
        and isinstance(fields.value(body, "spec", "template", "spec"), dict)
        and all(owner.get("kind") == "CronJob" for owner in fields.items(body, "metadata", "ownerReferences"))
    )


def made(target: model.Target) -> Iterator[model.Json]:
    """The Jobs that were made of the object from here."""
    uid = fields.uid(target.object)
    for each in target.extras:
        if each.get("kind") == "Job" and uid and fields.labels(each).get(names.MADE_FROM) == uid:
            yield each


def running(target: model.Target) -> Sequence[str]:
    """The names of those of them that have not ended."""
    return [fields.text(job, "metadata", "name") for job in made(target) if not ended(job)]


def created(operations: Sequence[model.Operation], target: model.Target) -> bool:
    """Whether what these operations create is there: by its name, and of this very object."""
    here = {fields.text(job, "metadata", "name") for job in made(target)}
    wanted = {fields.text(op.body, "metadata", "name") for op in operations if op.verb == "create"}
    return bool(wanted) and wanted <= here


def template_hash(spec: model.Json) -> str:
    """Of all that the new Job would be: a pin."""
    return templates.digest(spec)
