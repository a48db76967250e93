"""Who wrote an object and when, by `metadata.managedFields`: metadata alone, so that no value is ever looked at.

Pure. Called by `changes_before`. What the API server keeps there, and when it moves a time:
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management.
"""

from dataclasses import dataclass
from datetime import datetime

from k8s import fields, model

MACHINERY = frozenset(
    {"kube-controller-manager", "kube-scheduler", "kube-apiserver", "kubelet", "cloud-controller-manager"}
)
"""Managers whose writes follow from what somebody else changed: never the one who changed it."""


@dataclass(frozen=True, slots=True)
class Write:
    """The newest write of one manager: a person's tool (`kubectl-edit`), or a controller (`argocd-controller`)."""

    manager: str
    operation: str
    """`Update`, or `Apply` for a server-side apply."""
    at: datetime
    subresource: str
    """Empty, `status` or `scale`."""
    owned: model.Json
    """The fields that it has set, as a tree of names (`f:data`), never their values."""

    @property
    def by(self) -> str:
        """As a person would name it."""
        return f"{self.manager} (server-side apply)" if self.operation == "Apply" else self.manager

    def touches(self, *path: str) -> bool:
        """Whether it has set something at or below this path; yes as well where the server does not say what it set."""
        if not self.owned:
            return True
        tree: object = self.owned
        for step in path:
            if not isinstance(tree, dict) or f"f:{step}" not in tree:
                return False
            tree = tree[f"f:{step}"]
            if not tree:  # owned as a whole
                return True
        return True

    def names(self, *path: str) -> tuple[str, ...]:
        """The names of the fields that it has set right below this path, sorted."""
        tree = fields.mapping(self.owned, *(f"f:{step}" for step in path))
        return tuple(sorted(key.removeprefix("f:") for key in tree if key.startswith("f:") and len(key) > 2))


def writes(obj: object) -> tuple[Write, ...]:
    """The writes of people, their tools and foreign controllers, newest first; not the cluster's own bookkeeping."""
    found: list[Write] = []
    for entry in fields.items(obj, "metadata", "managedFields"):
        manager, subresource = fields.text(entry, "manager"), fields.text(entry, "subresource")
        at = fields.moment(entry, "time")
        if at is None or not manager or manager in MACHINERY or subresource == "status":
            continue
        operation = fields.text(entry, "operation")
        found.append(Write(manager, operation, at, subresource, fields.mapping(entry, "fieldsV1")))
    return tuple(sorted(found, key=lambda write: (write.at, write.manager), reverse=True))


def last(obj: object, *paths: tuple[str, ...]) -> Write | None:
    """The newest write that touches one of these paths; None where nobody is known to have written there."""
    return next((write for write in writes(obj) if any(write.touches(*path) for path in paths)), None)
