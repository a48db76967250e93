"""Revisions of a Deployment: which ReplicaSet is the new one, their numbers, hashes and annotations.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/util/deployment_util.go
"""

import json

from demo.cluster.controllers.rollout import max_surge
from demo.cluster.objects import Object, annotations_of, clone, fnv32a, name_of, safe_encode

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM)


def template_hash(template: Object) -> str:
    """The pod-template-hash of a template: the same template always has the same."""
    text = json.dumps(_without_hash(template), sort_keys=True)
    return safe_encode(str(fnv32a(text.encode())))


def _without_hash(template: Object) -> Object:
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if v is not None}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def same_template(left: Object, right: Object) -> bool:
    return _without_hash(left) == _without_hash(right)


def age_order(replica_set: Object) -> tuple[str, int, str]:
    revision = revision_of(replica_set)
    return replica_set["metadata"]["creationTimestamp"], revision, name_of(replica_set)


def revision_of(obj: Object) -> int:
    return int(annotations_of(obj).get(REVISION, "0") or 0)


def find_new(deployment: Object, replica_sets: list[Object]) -> Object | None:
    """The oldest ReplicaSet whose template is the Deployment's."""
    template = deployment["spec"]["template"]
    same = [each for each in sorted(replica_sets, key=age_order) if same_template(each["spec"]["template"], template)]
    return same[0] if same else None


def annotated(deployment: Object, replica_set: Object, revision: int, *, exists: bool) -> Object:
    """A copy of `replica_set` with its Deployment's annotations, and `revision` when that is higher than its own."""
    changed: Object = clone(replica_set)
    annotations = changed["metadata"].setdefault("annotations", {})
    for key, value in annotations_of(deployment).items():
        if key not in _NOT_COPIED:
            annotations[key] = value
    old = annotations.get(REVISION, "")
    if not old or int(old) < revision:
        annotations[REVISION] = str(revision)
        if old:
            history = annotations.get(HISTORY, "")
            annotations[HISTORY] = f"{history},{old}" if history else old
    if not exists:
        set_sizes(changed, deployment)
    return changed


def set_sizes(replica_set: Object, deployment: Object) -> bool:
    """Note how large the Deployment wants to be and may be; whether that is news."""
    annotations = replica_set["metadata"].setdefault("annotations", {})
    wanted = deployment["spec"].get("replicas", 1)
    sizes = {DESIRED: str(wanted), MAXIMUM: str(wanted + max_surge(deployment))}
    changed = any(annotations.get(key) != value for key, value in sizes.items())
    annotations.update(sizes)
    return changed
