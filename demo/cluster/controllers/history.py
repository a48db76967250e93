"""ControllerRevisions: the revisions of StatefulSets and DaemonSets, found again when a template returns.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/history/controller_history.go
"""

from dataclasses import dataclass

from demo.cluster.controllers.pods import strip_nulls
from demo.cluster.controllers.revisions import template_hash
from demo.cluster.objects import Object, clone, name_of, namespace_of, owner_reference, uid_of
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PLURAL, Resource

REVISIONS = BY_PLURAL["controllerrevisions"]
HASH = "controller-revision-hash"


@dataclass
class History:
    """The revisions of one kind of workload."""

    registry: Registry
    resource: Resource

    def list(self, owner: Object) -> "list[Object]":
        """Oldest first."""
        found = self.registry.store.owned("controllerrevisions", uid_of(owner))
        return sorted(found, key=lambda each: int(each["revision"]))

    def current(self, owner: Object) -> Object:
        """The revision of the owner's template now: made, or found again with a new number."""
        known = self.list(owner)
        data = {"spec": {"template": {**strip_nulls(owner["spec"]["template"]), "$patch": "replace"}}}
        number = max((int(each["revision"]) for each in known), default=0) + 1
        for each in known:
            if each["data"] == data:
                if int(each["revision"]) == number - 1:
                    return each
                return self.registry.store.replace("controllerrevisions", {**clone(each), "revision": number})
        hashed = template_hash(owner["spec"]["template"])
        labels = dict((owner["spec"]["template"].get("metadata") or {}).get("labels") or {})
        metadata = {
            "name": f"{name_of(owner)}-{hashed}",
            "namespace": namespace_of(owner),
            "labels": labels | {HASH: hashed if self.resource.kind == "DaemonSet" else f"{name_of(owner)}-{hashed}"},
            "ownerReferences": [owner_reference(owner, self.resource.api_version, self.resource.kind)],
        }
        return self.registry.create(REVISIONS, {"metadata": metadata, "data": data, "revision": number})

    def trim(self, owner: Object, kept: set[str]) -> None:
        """Drop the oldest beyond revisionHistoryLimit that no pod uses."""
        unused = [each for each in self.list(owner) if each["metadata"]["labels"][HASH] not in kept]
        for each in unused[: max(0, len(unused) - owner["spec"].get("revisionHistoryLimit", 10))]:
            self.registry.delete(REVISIONS, namespace_of(each), name_of(each), DeleteOptions())


def template_of(revision: Object) -> Object:
    """The pod template that a revision holds."""
    template = dict(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    return template


def hash_of(obj: Object) -> str:
    """The revision label of a pod or of a revision."""
    return str((obj["metadata"].get("labels") or {}).get(HASH, ""))
