"""Which list of the API holds objects of a kind that is not in our table, and what not every server has: API discovery.

Called by `k8s.client.reader`, for `k8s.gathering` and for the targets of actions. https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

import re
from collections.abc import MutableMapping

import msgspec

from k8s.client import connection, errors, resources

_PLURAL = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class _Row(msgspec.Struct):
    name: str = ""
    kind: str = ""
    namespaced: bool = False


class _Rows(msgspec.Struct):
    """metav1.APIResourceList."""

    resources: list[_Row] | None = None


Known = MutableMapping[tuple[str, str], resources.Resource]


async def resource(over: connection.Connection, api_version: str, kind: str, known: Known) -> resources.Resource:
    """The list of this kind, from `known` where it is there. Raises NotFound where the server has no such kind."""
    found = known.get((api_version, kind))
    if found is None:
        found = known[api_version, kind] = await _asked(over, api_version, kind)
    return found


async def serves(over: connection.Connection, name: str) -> bool:
    """Whether the server says that it has this resource of the core group, also a subresource (`pods/resize`).

    Where it may not be asked, it does not say so. Raises ClusterError.
    """
    what = f"ask whether the server has {name}"
    try:
        body = await over.send(connection.Request(what, "GET", "/api/v1"))
    except (errors.NotFound, errors.Forbidden):
        return False
    async with errors.translated(what):
        return any(row.name == name for row in msgspec.json.decode(body, type=_Rows).resources or ())


async def _asked(over: connection.Connection, api_version: str, kind: str) -> resources.Resource:
    what = f"list {kind} ({api_version})"
    group, _, version = api_version.rpartition("/")
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        body = await over.send(connection.Request(what, "GET", path))
    except errors.NotFound:
        raise errors.NotFound(what, f"this cluster does not serve {api_version}") from None
    async with errors.translated(what):
        rows = msgspec.json.decode(body, type=_Rows).resources or []
    for row in rows:
        if row.kind == kind and _PLURAL.fullmatch(row.name):  # a subresource has a slash in its name
            return resources.Resource(kind, row.name, group, version, namespaced=row.namespaced)
    raise errors.NotFound(what, f"this cluster has no kind {kind} in {api_version}")
