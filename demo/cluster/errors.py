"""The errors of an API server: a `Status` object each, with the sentences that a real one writes.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ and
https://kubernetes.io/docs/reference/using-api/api-concepts/ . Raised by `api`, `access`, `patches` and `watching`;
turned into a response by `server` only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from demo.cluster.objects import Object
from demo.cluster.resources import Resource

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


@dataclass(frozen=True)
class Cause:
    """One reason in `details.causes`: a field with what is wrong with it."""

    reason: str
    message: str
    field: str = ""

    def as_json(self) -> Object:
        full = {"reason": self.reason, "message": self.message, "field": self.field}
        return {k: v for k, v in full.items() if v}


class ApiError(Exception):
    """An answer that is not 2xx."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Object | None = None,
        *,
        retry_after: int | None = None,
        metadata: Object | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.retry_after = retry_after
        self.metadata = metadata or {}

    @property
    def terminating(self) -> bool:
        """Whether it is because the namespace is being deleted; controllers keep silent about that."""
        return any(each.get("reason") == "NamespaceTerminating" for each in (self.details or {}).get("causes") or ())

    def status(self) -> Object:
        """The body of the response."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if not self.reason:
            del body["reason"]
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def _details(resource: Resource, name: str) -> Object:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {k: v for k, v in details.items() if v}


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def unfit_patch(patch: str, why: str) -> ApiError:
    """A patch whose result is no object of the type. `patch` is what the server shows of it."""
    cause = Cause("FieldValueInvalid", f'Invalid value: "{patch}": {why}', "patch")
    details = {"causes": [cause.as_json()]}
    return ApiError(422, "Invalid", f' "" is invalid: patch: {cause.message}', details)


def page_not_found() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name))


def conflict(resource: Resource, name: str, why: str = MODIFIED, qualified: str = "") -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified or resource.qualified} "{name}": {why}'
    details = _details(resource, name)
    if qualified:
        details["kind"] = qualified.partition(".")[0]
    return ApiError(409, "Conflict", message, details)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str, causes: Sequence[Cause] = ()) -> ApiError:
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    details = _details(resource, name)
    if causes:
        details["causes"] = [cause.as_json() for cause in causes]
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def forbidden_path(user: str, verb: str, path: str) -> ApiError:
    return ApiError(403, "Forbidden", f'forbidden: User "{user}" cannot {verb} path "{path}"', {})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with one cause a field: `Deployment.apps "x" is invalid: spec.replicas: Invalid value: …`."""
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details: Object = {"name": name, "group": resource.group, "kind": resource.kind}
    details = {k: v for k, v in details.items() if v}
    details["causes"] = [cause.as_json() for cause in causes]
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', details)


def patch_not_applicable() -> ApiError:
    """What a JSON patch answers when a `test` fails or a path is missing: the real server gives no detail."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def unsupported_media_type(supported: str) -> ApiError:
    message = f"the body of the request was in an unknown format - accepted media types include: {supported}"
    return ApiError(415, "UnsupportedMediaType", message)


def unsupported_patch_type() -> ApiError:
    """What the router answers before anybody has looked at the patch."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def not_acceptable() -> ApiError:
    message = "only the following media types are accepted: application/json"
    return ApiError(406, "NotAcceptable", message)


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def too_many_requests(message: str, retry_after: int = 0, causes: Sequence[Cause] = ()) -> ApiError:
    details: Object = {}
    if causes:
        details["causes"] = [cause.as_json() for cause in causes]
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", message, details, retry_after=retry_after or None)


def internal(message: str) -> ApiError:
    causes = [{"message": message}]
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": causes})


def expired(message: str, continue_token: str = "") -> ApiError:
    metadata = {"continue": continue_token} if continue_token else {}
    return ApiError(410, "Expired", message, metadata=metadata)


def gateway_timeout(message: str, causes: Sequence[Cause]) -> ApiError:
    details: Object = {"causes": [cause.as_json() for cause in causes], "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", message, details, retry_after=1)
