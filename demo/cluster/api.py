"""The verbs of the API on resources: what a request that may pass answers, without HTTP around it.

`server` parses and authorises, then calls `Api.answer`; watches and logs are in `watching` and `logs`. Source:
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from demo.cluster import errors, subresources
from demo.cluster.objects import Object, clone, name_of, namespace_of, uid_of
from demo.cluster.patches import STRATEGIC_PATCH, apply_patch
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_PATH, Resource
from demo.cluster.schema import MisfitError, decode
from demo.cluster.selectors import parse_fields, parse_labels, selected
from demo.cluster.views import event_from_v1, event_to_v1

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OBJECT_ON_DELETE = ("pods", "services", "persistentvolumeclaims", "serviceaccounts", "resourcequotas", "namespaces")
_NEWEST = -1
"""The revision in the token that comes with a 410: it goes on behind the last object, in the newest state."""
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True)
class Target:
    """What a path names."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass
class Request:
    """One request, parsed."""

    method: str
    target: Target
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    accept: str = ""
    manager: str = "unknown"
    """Who writes, for managedFields."""

    @property
    def is_watch(self) -> bool:
        return self.method == "GET" and not self.target.subresource and self.query.get("watch") in ("1", "true")

    @property
    def verb(self) -> str:
        """As RBAC names it."""
        if self.method == "GET":
            if self.is_watch:
                return "watch"
            return "get" if self.target.name else "list"
        if self.method == "DELETE" and not self.target.name:
            return "deletecollection"
        return _VERBS.get(self.method, self.method.lower())

    @property
    def dry_run(self) -> bool:
        """Of a DELETE that has options in its body, the server reads none from the query."""
        if self.method == "DELETE" and isinstance(self.body, dict) and self.body:
            return bool(self.body.get("dryRun") == ["All"])
        return self.query.get("dryRun") == "All"


def parse_path(path: str) -> Target | None:
    """`/api/v1/…` or `/apis/group/version/…` as a target; None when it is no resource path."""
    parts = [part for part in path.split("/") if part]
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif len(parts) >= 3 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and (group, version, rest[2]) in BY_PATH:
        namespace, rest = rest[1], rest[2:]
    if not rest or len(rest) > 3:
        return None
    resource = BY_PATH.get((group, version, rest[0]))
    if resource is None or (namespace and not resource.namespaced):
        return None
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if resource.plural == "namespaces" and name:
        namespace = name
    if (resource.namespaced and name and not namespace) or (subresource and subresource not in resource.subresources):
        return None
    return Target(resource, namespace, name, subresource)


def unserved_target(path: str) -> Target | None:
    """What a path that is not served would name, for its authorization; None outside of /api and /apis.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#request-attributes .
    """
    parts = [part for part in path.split("/") if part]
    groupless = parts[:1] == ["api"]
    rest = parts[2:] if groupless else parts[3:]
    if not rest or parts[0] not in ("api", "apis"):
        return None
    group, version = ("", parts[1]) if groupless else (parts[1], parts[2])
    namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 1 else ""
    if namespace and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    name, subresource = [*rest[1:3], "", ""][:2]
    return Target(Resource(group, version, rest[0], rest[0]), namespace, name, subresource)


class Api:
    """Requests in, (status code, body) out; `errors.ApiError` for everything that is not 2xx."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store

    def answer(self, request: Request) -> tuple[int, Object]:
        target, verb = request.target, request.verb
        if target.subresource:
            return self._subresource(request)
        if verb not in target.resource.verbs or not _fits(verb, target):
            raise errors.method_not_allowed()
        if request.query.get("dryRun", "All") != "All":
            raise _bad_dry_run(verb, request.query["dryRun"])
        if verb == "list":
            return 200, self.page(request)
        if verb == "get":
            return 200, self.present(target.resource, self._get(target), request.accept)
        if verb == "create":
            return 201, self._create(request)
        if verb == "update":
            return 200, self._update(request)
        if verb == "patch":
            return 200, self._patch(request)
        if verb == "delete":
            return self._delete(request)
        if verb == "deletecollection":
            return 200, self._delete_collection(request)
        raise errors.method_not_allowed()

    def _get(self, target: Target) -> Object:
        return self._registry.get(target.resource, target.namespace, target.name)

    def present(self, resource: Resource, obj: Object, accept: str = "") -> Object:
        """The object as this version of the API shows it, with apiVersion and kind."""
        if resource.view_of:
            obj = event_to_v1(obj)
        if "as=PartialObjectMetadata" in accept:
            return {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": obj["metadata"],
            }
        return {"kind": resource.kind, "apiVersion": resource.api_version, **obj}

    def page(self, request: Request) -> Object:
        """One page. The pages of one list are cut from the snapshot of its first page."""
        resource, query = request.target.resource, request.query
        limit = _number(query.get("limit")) or 0
        start, fresh = 0, True
        if token := query.get("continue"):
            revision, start, objects, fresh = self._continue(request, token)
        else:
            self._check_revision(query)
            revision, objects = self._store.revision, self._select(request)
        if limit and len(objects) - start > limit and fresh:
            self._store.keep_snapshot(_snapshot_key(request), revision, objects)
        page = objects[start : start + limit] if limit else objects[start:]
        metadata: Object = {"resourceVersion": str(revision)}
        remaining = len(objects) - start - len(page)
        if remaining:
            metadata["continue"] = _token(revision, start + len(page), _place(page[-1]))
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = remaining
        if "as=PartialObjectMetadata" in request.accept:
            items = [self.present(resource, each, request.accept) for each in page]
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            }
        items = [event_to_v1(each) for each in page] if resource.view_of else page
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": metadata,
            "items": items,
        }

    def _select(self, request: Request) -> list[Object]:
        target, query = request.target, request.query
        by_label = parse_labels(query["labelSelector"]) if query.get("labelSelector") else None
        by_field = parse_fields(query["fieldSelector"], target.resource.storage) if query.get("fieldSelector") else None
        objects = self._store.all(target.resource.storage, target.namespace if target.resource.namespaced else "")
        if by_label is None and by_field is None:
            return objects
        return [each for each in objects if selected(each, by_label, by_field)]

    def _continue(self, request: Request, token: str) -> tuple[int, int, list[Object], bool]:
        """(revision, where the page begins, the whole list, whether that is seen anew)."""
        try:
            decoded = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            revision, start, place = int(decoded["rv"]), int(decoded["start"]), list(decoded["after"])
        except (ValueError, KeyError, TypeError, binascii.Error, msgspec.DecodeError) as error:
            why = "continue key is not valid: illegal base64 data at input byte 0"
            raise errors.bad_request(f"invalid continue token: {why}") from error
        if revision == _NEWEST:
            newest = self._select(request)
            return self._store.revision, sum(_place(each) <= place for each in newest), newest, True
        objects = self._store.snapshot(_snapshot_key(request), revision)
        if objects is None:
            raise errors.expired(_TOO_OLD, _token(_NEWEST, start, place))
        return revision, start, objects, False

    def _check_revision(self, query: Mapping[str, str]) -> None:
        wanted = query.get("resourceVersion") or "0"
        if not wanted.isdigit():
            raise errors.bad_request(f"invalid resource version {wanted!r}: strconv.ParseUint: parsing: invalid syntax")
        if int(wanted) > self._store.revision:
            text = f"Too large resource version: {wanted}, current: {self._store.revision}"
            raise errors.gateway_timeout(f"Timeout: {text}", [errors.Cause("ResourceVersionTooLarge", text)])
        exact = query.get("resourceVersionMatch") == "Exact"
        if exact and int(wanted) != self._store.revision:
            raise errors.expired(f"The resourceVersion for the provided list is too old: {wanted}")

    def _create(self, request: Request) -> Object:
        target = request.target
        body = self._body(request)
        if target.resource.namespaced:
            _check_namespace(body, target.namespace)
        if target.resource.view_of:
            body = event_from_v1(body)
        created = self._registry.create(target.resource, body, dry_run=request.dry_run, manager=request.manager)
        return self.present(target.resource, created)

    def _update(self, request: Request) -> Object:
        target, body = request.target, self._body(request)
        _check_name(body, target)
        if target.resource.namespaced:
            _check_namespace(body, target.namespace)
        current = self._get(target)
        uid = body["metadata"].get("uid")
        if uid and uid != uid_of(current):
            why = (
                f"StorageError: invalid object, Code: 4, Key: {_etcd_key(target)}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
                f"UID in object meta: {uid_of(current)}"
            )
            raise errors.conflict(target.resource, target.name, why)
        updated = self._registry.update(target.resource, body, dry_run=request.dry_run, manager=request.manager)
        return self.present(target.resource, updated)

    def _patch(self, request: Request, subresource: str = "") -> Object:
        target = request.target
        current = self._get(target)
        document = {"kind": target.resource.kind, "apiVersion": target.resource.api_version, **current}
        patched = apply_patch(document, request.body, request.content_type)
        try:
            patched = decode(target.resource, patched, request.query.get("fieldValidation", "Warn"))
        except MisfitError as error:
            raise errors.unfit_patch(_shown_patch(request, patched), error.why) from error
        patched.setdefault("metadata", {})
        if patched["metadata"].get("name") != target.name or namespace_of(patched) != namespace_of(current):
            raise errors.bad_request(
                f"the name of the object ({name_of(patched)}) does not match the name on the URL ({target.name})"
            )
        updated = self._registry.update(
            target.resource, patched, dry_run=request.dry_run, subresource=subresource, manager=request.manager
        )
        return self.present(target.resource, updated)

    def _delete(self, request: Request) -> tuple[int, Object]:
        target, options = request.target, delete_options(request)
        obj, gone = self._registry.delete(target.resource, target.namespace, target.name, options)
        if target.resource.storage in _OBJECT_ON_DELETE or not gone:
            accepted = not gone and options.propagation in ("Foreground", "Orphan")
            return (202 if accepted else 200), self.present(target.resource, obj)
        details = {"name": name_of(obj), "group": target.resource.group, "kind": target.resource.plural}
        details = {k: v for k, v in details.items() if v} | {"uid": uid_of(obj)}
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _delete_collection(self, request: Request) -> Object:
        resource, options = request.target.resource, delete_options(request)
        objects = self._select(request)
        for each in objects:
            self._registry.delete(resource, namespace_of(each), name_of(each), options)
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": str(self._store.revision)},
            "items": objects,
        }

    def _subresource(self, request: Request) -> tuple[int, Object]:
        target = request.target
        if target.subresource == "scale":
            return subresources.scale(self._registry, request)
        if target.subresource == "eviction" and request.verb == "create":
            return subresources.evict(self._registry, request)
        if target.subresource in ("status", "resize"):
            if request.verb == "get":
                return 200, self.present(target.resource, self._get(target))
            if request.verb == "patch":
                return 200, self._patch(request, target.subresource)
            if request.verb == "update":
                body = self._body(request)
                updated = self._registry.update(
                    target.resource,
                    body,
                    dry_run=request.dry_run,
                    subresource=target.subresource,
                    manager=request.manager,
                )
                return 200, self.present(target.resource, updated)
        raise errors.method_not_allowed()

    def _body(self, request: Request) -> Object:
        body, resource = request.body, request.target.resource
        if not isinstance(body, dict):
            raise errors.bad_request(_not_an_object(resource, body))
        kind, version = body.get("kind", resource.kind), body.get("apiVersion", resource.api_version)
        if (kind, version) != (resource.kind, resource.api_version):
            raise errors.bad_request(
                f"{kind} in version {version!r} cannot be handled as a {resource.kind}: "
                f"the object provided is unrecognized"
            )
        body = decode(resource, clone(body), request.query.get("fieldValidation", "Warn"))
        body.setdefault("metadata", {})
        return body


_GO_KINDS = {str: "string", list: "array", bool: "bool", int: "number", float: "number"}


def _not_an_object(resource: Resource, body: Any) -> str:
    """JSON that is no object, in the words of Go's decoder, with the body as hexadecimal digits."""
    given = _GO_KINDS.get(type(body), "null")
    wanted = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
    why = f"json parse error: json: cannot unmarshal {given} into Go value of type {wanted}"
    shown = msgspec.json.encode(body).hex()
    unknown = f"the object provided is unrecognized (must be of type {resource.kind})"
    return f"{unknown}: couldn't get version/kind; {why} ({shown})"


def _shown_patch(request: Request, patched: Object) -> str:
    """Of a strategic patch the server shows the patch, as Go prints a map; of the others what came of it, as JSON."""
    if request.content_type == STRATEGIC_PATCH:
        return _as_go(request.body)
    return msgspec.json.encode(patched).decode().replace("\\", "\\\\").replace('"', '\\"')


def _as_go(value: Any) -> str:
    """As Go's %v prints decoded JSON: map[spec:map[replicas:1]], keys in order."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_as_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_as_go, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def delete_options(request: Request) -> DeleteOptions:
    """From the body, or else, where there is none, from the query as kubectl's older versions send it."""
    body = request.body if isinstance(request.body, dict) else {}
    query = {} if body else request.query
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    orphan = body.get("orphanDependents")
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    return DeleteOptions(
        grace=_number(grace),
        propagation=propagation or ("Orphan" if orphan else ""),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run=request.dry_run,
    )


def _fits(verb: str, target: Target) -> bool:
    """Objects are created in a collection of one namespace, and changed by their name."""
    if verb == "create":
        return not target.name and bool(target.namespace or not target.resource.namespaced)
    return verb not in ("update", "patch") or bool(target.name)


def _number(value: Any) -> int | None:
    try:
        return None if value in (None, "") else int(value)
    except (TypeError, ValueError) as error:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax') from error


def _snapshot_key(request: Request) -> str:
    """What was listed: the same list of another namespace, or by another selector, has pages of its own."""
    target, query = request.target, request.query
    selectors = (query.get("labelSelector", ""), query.get("fieldSelector", ""))
    return "|".join((target.resource.qualified, target.namespace, *selectors))


def _place(obj: Object) -> list[str]:
    """Where it stands in a list: lists are in this order."""
    return [namespace_of(obj), name_of(obj)]


def _token(revision: int, start: int, after: list[str]) -> str:
    body = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": revision, "start": start, "after": after})
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _etcd_key(target: Target) -> str:
    return f"/registry/{target.resource.plural}/{target.namespace}/{target.name}"


def _check_name(body: Object, target: Target) -> None:
    name = body["metadata"].get("name")
    if name != target.name:
        raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")


def _check_namespace(body: Object, namespace: str) -> None:
    given = body["metadata"].setdefault("namespace", namespace)
    if given != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request "
            f"({given} != {namespace})"
        )


def _bad_dry_run(verb: str, value: str) -> errors.ApiError:
    kind = {"create": "CreateOptions", "patch": "PatchOptions", "update": "UpdateOptions"}.get(verb, "DeleteOptions")
    options = Resource("meta.k8s.io", "v1", kind.lower(), kind)
    text = f'Unsupported value: ["{value}"]: supported values: "All"'
    cause = errors.Cause("FieldValueNotSupported", text, "dryRun")
    return errors.invalid(options, "", [cause])
