"""The only code that writes to a cluster. `k8s.executor` alone imports it (an import contract), after its checks.

One method, one operation, never repeated here. Every write carries the uid and, where given, the resourceVersion that
it rests on, so that an object that was recreated or changed in between is answered with a conflict and not overwritten:
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

import copy
import dataclasses
from typing import Any

from k8s import model
from k8s.client import connection, errors, resources, running

FIELD_MANAGER = "watchkeeper"
"""Our name in `metadata.managedFields`: shows anyone who looks who changed what."""

_MERGE = "application/merge-patch+json"
_JSON = "application/json-patch+json"


class Writer:
    """Writes to one cluster through one connection, best one with an identity of its own."""

    def __init__(self, over: connection.Connection) -> None:
        self._connection = over

    @property
    def cluster(self) -> str:
        return self._connection.name

    async def apply(
        self,
        op: model.Operation,
        *,
        resource_version: str | None,
        dry_run: bool,
        as_user: model.Identity | None,
    ) -> model.Json:
        """Sends one operation and returns the object (or Scale, or Status) that the server answers with.

        `as_user`: in whose name, None in our own; the server's audit log then names them, and asks for their rights.
        `dry_run` goes through admission and validation without being stored. Raises Conflict where uid or
        resourceVersion do not hold, Rejected and Forbidden where the server says no; after Unreachable (with `sent`)
        and ServerFault nobody knows whether it was written. Raises ValueError for an operation without a uid or a
        sensible body: such a one was never judged. A creation is bound to no version: its name is what is new.
        """
        if not op.target.uid:
            raise ValueError(f"{op.verb} without the uid of {op.target}")
        query = [("fieldManager", FIELD_MANAGER)] if op.verb in ("patch", "scale", "resize", "create") else []
        query += [("dryRun", "All")] if dry_run else []
        what = f"{'try to ' if dry_run else ''}{op.verb} {op.target.kind} {op.target.short}"
        request = dataclasses.replace(_request(op, what, query, resource_version), as_user=as_user)
        body = await self._connection.send(request)
        async with errors.translated(what):
            answer = connection.as_json(body)
        if answer.get("kind") == "Status" and answer.get("status") == "Failure":
            # An eviction that asks two budgets is refused in the body of a 201.
            raise errors.Rejected(what, str(answer.get("message") or "the server refused it"))
        return answer

    async def run(self, op: model.Operation, *, as_user: model.Identity | None) -> running.Ran:
        """Runs the command of an `exec`, once; there is no dry run, and no uid that the server would compare.

        Raises Rejected, Forbidden and NotFound where nothing was run; after Unreachable (with `sent`) and ServerFault
        nobody knows. Raises ValueError for an operation without a uid or a sensible body.
        """
        if not op.target.uid or op.verb != "exec" or op.target.kind != "Pod":
            raise ValueError(f"not a well-formed operation: {op.verb} on {op.target}")
        return await running.run(
            self._connection, op, as_user=as_user, what=f"run a command in {op.target.kind} {op.target.short}"
        )


def _request(
    op: model.Operation, what: str, query: list[tuple[str, str]], resource_version: str | None
) -> connection.Request:
    ref, body = op.target, copy.deepcopy(op.body)
    match (op.verb, op.patch_type, body):
        case ("patch", "merge", dict()):
            path = resources.path_of(ref)
            return connection.Request(what, "PATCH", path, query, _pinned(body, ref, resource_version), _MERGE)
        case ("patch" | "resize", "json", list()):
            guard = _guard(ref, resource_version)
            path = resources.path_of(ref, "resize" if op.verb == "resize" else "")
            return connection.Request(what, "PATCH", path, query, [*guard, *body], _JSON)
        case ("scale", None, dict()):
            path = resources.path_of(ref, "scale")
            return connection.Request(what, "PATCH", path, query, _pinned(body, ref, resource_version), _MERGE)
        case ("delete" | "force-delete", None, None):
            options = _options(ref, query, resource_version)
            if op.verb == "force-delete":
                options["gracePeriodSeconds"] = 0
            if ref.kind != "Pod":
                # Of a Job the server's own default leaves the pods behind.
                options["propagationPolicy"] = "Background"
            return connection.Request(what, "DELETE", resources.path_of(ref), query, options)
        case ("evict", None, None):
            # https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
            eviction: model.Json = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": ref.name, "namespace": ref.namespace},
                "deleteOptions": _options(ref, query, resource_version),
            }
            return connection.Request(what, "POST", resources.path_of(ref, "eviction"), query, eviction)
        case ("create", None, {"kind": str(kind), "metadata": {"name": str(), "namespace": ref.namespace}}):
            path = resources.named(kind).path(ref.namespace)
            return connection.Request(what, "POST", path, query, body)
        case _:
            raise ValueError(f"not a well-formed operation: {op.verb}/{op.patch_type} on {ref}")


def _options(ref: model.ResourceRef, query: list[tuple[str, str]], resource_version: str | None) -> model.Json:
    preconditions = {"uid": ref.uid} | ({"resourceVersion": resource_version} if resource_version else {})
    options: model.Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
    if ("dryRun", "All") in query:
        # Where a body has the options, the server ignores those of the query: without this the pod would go.
        options["dryRun"] = ["All"]
    return options


def _pinned(body: dict[str, Any], ref: model.ResourceRef, resource_version: str | None) -> dict[str, Any]:
    """A merge patch that only fits this object in this version: a differing uid or resourceVersion is a conflict."""
    metadata = dict(body.get("metadata") or {}) | {"uid": ref.uid}
    if resource_version:
        metadata["resourceVersion"] = resource_version
    return {**body, "metadata": metadata}


def _guard(ref: model.ResourceRef, resource_version: str | None) -> list[dict[str, Any]]:
    """The same for a JSON patch. The version is replaced, not tested: a failed test is answered like a broken patch,
    an old version as the conflict that it is."""
    guard = [{"op": "test", "path": "/metadata/uid", "value": ref.uid}]
    if resource_version:
        guard.append({"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version})
    return guard
