"""What a client asks before it works: versions, groups, the resources of a group, health.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from typing import Any

from demo.cluster.objects import Object
from demo.cluster.resources import GROUPS, TABLE, Resource

VERSION = {
    "major": "1",
    "minor": "34",
    "emulationMajor": "1",
    "emulationMinor": "34",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "33",
    "gitVersion": "v1.34.4",
    "gitCommit": "74cdb4273ef2ae6ce1a8a9f8dea3c9a0c8b4d1a7",
    "gitTreeState": "clean",
    "buildDate": "2025-08-13T14:15:43Z",
    "goVersion": "go1.24.5",
    "compiler": "gc",
    "platform": "linux/amd64",
}
HEALTH = ("/healthz", "/readyz", "/livez")
_SUBRESOURCE_VERBS = {
    "status": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "resize": ["get", "patch", "update"],
    "log": ["get"],
    "eviction": ["create"],
    "exec": ["create", "get"],
}
_SUBRESOURCE_KINDS = {
    "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
    "eviction": {"group": "policy", "version": "v1", "kind": "Eviction"},
    "exec": {"kind": "PodExecOptions"},
}


def discover(path: str, address: str) -> Any:
    """The body for a discovery path, or None when it is none."""
    path = path.rstrip("/") or "/"
    if path == "/":
        return {"paths": ["/api", "/api/v1", "/apis", *(f"/apis/{g}/{v}" for g, v in GROUPS), *HEALTH, "/version"]}
    if path == "/version":
        return VERSION
    if path == "/api":
        servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g, v) for g, v in GROUPS]}
    if path == "/api/v1":
        return _resources("", "v1")
    parts = path.split("/")[2:]
    if len(parts) == 1:
        found = next((each for each in GROUPS if each[0] == parts[0]), None)
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(*found)} if found else None
    if len(parts) == 2 and (parts[0], parts[1]) in GROUPS:
        return _resources(parts[0], parts[1])
    return None


def _group(group: str, version: str) -> Object:
    each = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [each], "preferredVersion": each}


def _resources(group: str, version: str) -> Object:
    rows = [row for each in TABLE if (each.group, each.version) == (group, version) for row in _rows(each)]
    api_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": rows}


def _rows(resource: Resource) -> list[Object]:
    row: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        row["shortNames"] = list(resource.short)
    rows = [row]
    for name in resource.subresources:
        kind = _SUBRESOURCE_KINDS.get(name, {"kind": resource.kind})
        entry = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        rows.append(entry | kind | {"verbs": _SUBRESOURCE_VERBS[name]})
    return rows
