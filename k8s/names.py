"""Says whether a text may stand as an object's name in a path, a kubectl line or a plan.

The rules are https://kubernetes.io/docs/concepts/overview/working-with-objects/names/: a namespace is an RFC 1123
label, the names of the kinds that we act on are RFC 1123 subdomains. Called by `remedies` and `kubectl`.
"""

import re
from datetime import datetime

from k8s import model

MADE_FROM = "watchkeeper.io/made-from"
"""Label of what is created from here: the uid of the object that it was made from."""
NEW = "<name>"
"""In the words of a kubectl line: the name of what is created."""

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_UID = re.compile(r"[A-Za-z0-9-]{0,64}")
_CLUSTER_WIDE = frozenset(("Node",))
_MAX_LABEL = 63
_MAX_SUBDOMAIN = 253
_MADE = re.compile(r"-(?:manual|again)-[0-9a-f]{8}")


def is_label(name: str) -> bool:
    """An RFC 1123 label: what a namespace is called."""
    return len(name) <= _MAX_LABEL and _LABEL.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """An RFC 1123 subdomain: what a workload or a pod is called."""
    return len(name) <= _MAX_SUBDOMAIN and all(_LABEL.fullmatch(part) for part in name.split("."))


def made(source: str, word: str, at: datetime) -> str:
    """The name of what is made of `source` at that moment: the same on every replica and at every try.

    At most 63 characters, as a Job's name becomes a label of its pods.
    """
    tail = f"-{word}-{int(at.timestamp()):08x}"
    return _MADE.sub("", source)[: _MAX_LABEL - len(tail)].rstrip("-.") + tail


def fault(ref: model.ResourceRef) -> tuple[str, str] | None:
    """The first field of a reference that cannot be a name, and what is wrong with it; None if well."""
    if ref.kind in _CLUSTER_WIDE:
        if ref.namespace:
            return "namespace", f"a {ref.kind} is in no namespace"
    elif not is_label(ref.namespace):
        return "namespace", f"{ref.namespace!r} is not a namespace's name"
    if not is_subdomain(ref.name):
        return "name", f"{ref.name!r} is not an object's name"
    if _UID.fullmatch(ref.uid) is None:
        return "uid", f"{ref.uid!r} is not a uid"
    return None
