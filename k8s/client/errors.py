"""What can go wrong between us and an API server, in our own words.

    ClusterError
    ├── ConfigurationError   a kubeconfig, context, user or credential that cannot be used
    ├── Unreachable          no answer: refused, no route, bad TLS, timed out, dropped
    ├── Unauthorized         401
    ├── Forbidden            403 by access rules
    ├── NotFound             404
    ├── Conflict             409: a precondition (uid, resourceVersion) did not hold
    ├── Gone                 410: a list's continue token is too old
    ├── Rejected             400, 413, 415, 422, and an admission plugin's 403
    │   └── Held             429 of an eviction that a disruption budget forbids
    ├── Throttled            any other 429
    ├── ServerFault          5xx
    └── Malformed            an answer that is not what the API promises

Raised by `k8s.client`, caught everywhere else: exceptions of the SDK, of aiohttp, of ssl and of timeouts never leave
the client layer (`translated`). Messages carry the server's own words (a Status object's `message`), never a request's
body, a header or a token. Status codes: "API conventions", section "HTTP status codes", in kubernetes/community.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec
import yaml
from kubernetes.aio.client import exceptions as _exceptions
from kubernetes.aio.config import config_exception as _config_exception

_MESSAGE_CAP = 2000
"""Characters kept of a server's message: a validation error can repeat a whole object."""


_ACCESS_RULES = re.compile(r'User "[^"]*" cannot ')
_ANONYMOUS = 'User "system:anonymous"'
_PLAIN = b"Client sent an HTTP request to an HTTPS server"
"""What Go's server answers, with 400 and as plain text."""

_UNKNOWN_ISSUER = "it is not signed by the kubeconfig's certificate-authority (or, without one, by one of the system's)"
_OTHER_NAME = "the server's URL should have a name of its certificate, or tls-server-name should say one"
_REFUSED = "these credentials are wrong, expired or revoked: renew the kubeconfig's token, certificate or plugin login"
_NO_CREDENTIALS = "the request had no credentials: the kubeconfig's user has no token and no certificate that is taken"


class ClusterError(Exception):
    """Base of all. `what` is what was being done ("list pods in payments"), `message` is why it failed."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(what, message)
        self.what = what
        self.message = message

    def __str__(self) -> str:
        return f"{self.what}: {self.message}"


class ConfigurationError(ClusterError):
    """The way to the cluster is described wrongly; nothing was sent."""


class Unreachable(ClusterError):
    """No answer came. `sent` is False only where the request cannot have reached the server."""

    def __init__(self, what: str, message: str, *, sent: bool = True) -> None:
        super().__init__(what, message)
        self.sent = sent


class Unauthorized(ClusterError):
    """The server does not know who we are."""


class Forbidden(ClusterError):
    """The server knows who we are, and that identity may not do this."""


class NotFound(ClusterError):
    """No such object, or no such resource on this server."""


class Conflict(ClusterError):
    """The object is not the one, or not in the version, that the request rested on. Nothing was written."""


class Gone(ClusterError):
    """A continue token or a resourceVersion is too old. `resume` continues an (inconsistent) list, where given."""

    def __init__(self, what: str, message: str, *, resume: str = "") -> None:
        super().__init__(what, message)
        self.resume = resume


class Rejected(ClusterError):
    """The server understood and refused: validation, quota or admission. `message` is its words."""


class Held(Rejected):
    """A PodDisruptionBudget forbids an eviction for now: later it may be otherwise. `budget` is the server's words."""

    def __init__(self, what: str, message: str, *, budget: str = "") -> None:
        super().__init__(what, message)
        self.budget = budget


class Throttled(ClusterError):
    """Too many requests; `retry_after` in seconds."""

    def __init__(self, what: str, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(what, message)
        self.retry_after = retry_after


class Malformed(ClusterError):
    """The answer is not JSON, or not an object of the API."""


class ServerFault(ClusterError):
    """The server, or something before it, broke. Whether a write was done is not known."""


class _ListMeta(msgspec.Struct, rename="camel"):
    continue_: str | None = msgspec.field(name="continue", default=None)


class _Cause(msgspec.Struct, rename="camel"):
    reason: str | None = None
    message: str | None = None


class _Details(msgspec.Struct, rename="camel"):
    retry_after_seconds: float | None = None
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct, rename="camel"):
    """metav1.Status, the body of every error of an API server."""

    kind: str = ""
    message: str | None = None
    metadata: _ListMeta | None = None
    details: _Details | None = None


def _parsed(body: bytes) -> _Status:
    """The Status in an error's body, or an empty one: proxies answer with HTML, aggregated servers with anything."""
    try:
        status = msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Status()
    return status if status.kind == "Status" else _Status()


def _seconds(headers: Mapping[str, str], status: _Status) -> float:
    """`Retry-After` in seconds (a date is not used by API servers), else what the Status says, else 1."""
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    if status.details is not None and status.details.retry_after_seconds:
        return status.details.retry_after_seconds
    return 1.0


def _held(status: _Status) -> str:
    """Which disruption budget forbids an eviction, in the server's words; empty where none is the reason.

    https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/#how-api-initiated-eviction-works
    """
    causes = (status.details.causes if status.details is not None else None) or []
    return " ".join(cause.message or "" for cause in causes if cause.reason == "DisruptionBudget").strip()


def from_answer(what: str, code: int, body: bytes, headers: Mapping[str, str]) -> ClusterError:
    """The error for an answer whose HTTP status is not 2xx."""
    status = _parsed(body)
    message = (status.message or f"the server answered HTTP {code}")[:_MESSAGE_CAP]
    if code == 400 and _PLAIN in body:
        return Rejected(what, "the server speaks HTTPS, and the kubeconfig's server says http://")
    if code == 401:
        return Unauthorized(what, f"{message}; {_REFUSED}")
    if code == 403 and _ANONYMOUS in message:
        return Forbidden(what, f"{message}; {_NO_CREDENTIALS}")
    if code == 403:
        # Access rules say `… is forbidden: User "x" cannot …`; quota, pod security and webhooks share the code.
        by_rules = not status.message or _ACCESS_RULES.search(message)
        return Forbidden(what, message) if by_rules else Rejected(what, message)
    if code == 410:
        return Gone(what, message, resume=(status.metadata.continue_ or "") if status.metadata else "")
    if code == 429 and (held := _held(status)):
        return Held(what, f"{message.rstrip('.')}. {held}"[:_MESSAGE_CAP], budget=held[:_MESSAGE_CAP])
    if code == 429:
        return Throttled(what, message, retry_after=_seconds(headers, status))
    if code >= 500:
        return ServerFault(what, message)
    plain: dict[int, type[ClusterError]] = {404: NotFound, 405: NotFound, 409: Conflict}
    if code >= 400:
        return plain.get(code, Rejected)(what, message)
    return Malformed(what, message)


@contextlib.asynccontextmanager
async def translated(what: str) -> AsyncIterator[None]:
    """Turns every exception of the SDK, aiohttp, asyncio timeouts, ssl and decoding into a `ClusterError`.

    Errors of ours and cancellation pass through. No text of the request (URL, headers, body) is kept.
    """
    try:
        yield
    except ClusterError:
        raise
    except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
        raise Unreachable(what, _unconnected(error), sent=False) from None
    except TimeoutError:
        raise Unreachable(what, "no answer in time") from None
    except (aiohttp.InvalidURL, _config_exception.ConfigException, yaml.YAMLError) as error:
        raise ConfigurationError(what, f"unusable configuration ({_first_line(error)})") from None
    except aiohttp.ClientPayloadError:
        raise Unreachable(what, "the answer broke off") from None
    except aiohttp.ServerDisconnectedError:
        raise Unreachable(what, "the server closed the connection without an answer") from None
    except (aiohttp.ClientConnectionError, ssl.SSLError, asyncio.IncompleteReadError) as error:
        raise Unreachable(what, f"the connection broke ({type(error).__name__})") from None
    except aiohttp.ClientError as error:
        raise Malformed(what, f"not a valid answer ({type(error).__name__})") from None
    except _exceptions.ApiException as error:
        raise _from_sdk(what, error) from None
    except _exceptions.OpenApiException as error:
        raise ConfigurationError(what, f"the client refused the call ({type(error).__name__})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(what, f"the answer could not be decoded ({_first_line(error)})") from None
    except OSError as error:
        raise Unreachable(what, f"{error.strerror or type(error).__name__}") from None


def _unconnected(error: Exception) -> str:
    """Why no connection came about, without the URL's user info or path."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "could not connect in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _untrusted(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"no TLS connection ({type(error.os_error).__name__})"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} could not be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"could not connect to {error.host}:{error.port} ({error.os_error.strerror or 'no route'})"
    return "could not connect"


def _untrusted(error: Exception) -> str:
    reason = str(getattr(error, "verify_message", "")) or _first_line(error)  # the one is set by OpenSSL alone
    hint = _OTHER_NAME if "mismatch" in reason else _UNKNOWN_ISSUER if "issuer" in reason or "self" in reason else ""
    return f"its certificate is not trusted ({reason.rstrip('.')})" + (f": {hint}" if hint else "")


def _from_sdk(what: str, error: Any) -> ClusterError:
    """An ApiException of the SDK; status 0 is its word for a request that it could not build."""
    code = error.status or 0
    if code == 0:
        return ConfigurationError(what, "the client could not build the request")
    return from_answer(what, code, (error.body or "").encode(), error.headers or {})


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
