"""Whatever goes wrong on the way to an API server arrives as one of our own errors, with the server's words."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import yaml
from aiohttp import web
from kubernetes.aio.client import exceptions
from kubernetes.aio.config import config_exception

from k8s import model
from k8s.client import connection, errors, reader
from tests.k8s.client import servers

POD = model.ResourceRef("Pod", "payments", "api-1")


@pytest.fixture
async def server() -> AsyncIterator[servers.Server]:
    async with servers.serving() as running:
        yield running


async def failure(server: servers.Server, folder: Path) -> errors.ClusterError:
    async with servers.connected(server, folder) as over:
        with pytest.raises(errors.ClusterError) as caught:
            await reader.Reader(over).get(POD)
    return caught.value


async def _drop(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def _half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"kind":')
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, errors.Rejected),
        (404, errors.NotFound),
        (405, errors.NotFound),
        (409, errors.Conflict),
        (410, errors.Gone),
        (413, errors.Rejected),
        (422, errors.Rejected),
        (429, errors.Throttled),
        (500, errors.ServerFault),
        (503, errors.ServerFault),
        (504, errors.ServerFault),
    ],
)
async def test_each_http_status_has_its_error_with_the_servers_words(
    server: servers.Server, tmp_path: Path, code: int, kind: type[errors.ClusterError]
) -> None:
    server.answer = servers.status(code, "the words of the server")
    error = await failure(server, tmp_path)
    assert type(error) is kind
    assert error.message == "the words of the server"
    assert str(error) == "read Pod payments/api-1: the words of the server"


async def test_a_401_tells_what_may_be_wrong_with_the_credentials(server: servers.Server, tmp_path: Path) -> None:
    server.answer = servers.status(401, "Unauthorized")
    error = await failure(server, tmp_path)
    assert type(error) is errors.Unauthorized
    assert error.message.startswith("Unauthorized; these credentials are wrong, expired or revoked: renew")


async def test_a_403_for_nobody_tells_that_there_were_no_credentials(server: servers.Server, tmp_path: Path) -> None:
    words = 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group ""'
    server.answer = servers.status(403, words)
    error = await failure(server, tmp_path)
    assert type(error) is errors.Forbidden
    assert error.message.startswith(f"{words}; the request had no credentials")


async def test_plain_http_to_a_tls_port_is_told(server: servers.Server, tmp_path: Path) -> None:
    """As net/http of Go answers it."""

    async def go(request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, text="Client sent an HTTP request to an HTTPS server.\n")

    server.answer = go
    error = await failure(server, tmp_path)
    assert type(error) is errors.Rejected
    assert error.message == "the server speaks HTTPS, and the kubeconfig's server says http://"


async def test_a_403_by_access_rules_is_forbidden(server: servers.Server, tmp_path: Path) -> None:
    words = 'pods "api-1" is forbidden: User "system:serviceaccount:x:y" cannot get resource "pods" in API group ""'
    server.answer = servers.status(403, words)
    assert type(await failure(server, tmp_path)) is errors.Forbidden


@pytest.mark.parametrize(
    "words",
    [
        'pods "api-1" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10',
        'pods "api-1" is forbidden: violates PodSecurity "restricted:latest": privileged',
        'admission webhook "policy.example.com" denied the request: no changes on Fridays',
    ],
)
async def test_a_403_by_admission_is_a_rejection_with_its_words(
    server: servers.Server, tmp_path: Path, words: str
) -> None:
    server.answer = servers.status(403, words)
    error = await failure(server, tmp_path)
    assert type(error) is errors.Rejected
    assert error.message == words


async def test_a_403_without_a_status_body_is_forbidden(server: servers.Server, tmp_path: Path) -> None:
    async def html(request: web.Request) -> web.StreamResponse:
        return web.Response(status=403, text="<html>a proxy says no</html>", content_type="text/html")

    server.answer = html
    error = await failure(server, tmp_path)
    assert type(error) is errors.Forbidden
    assert error.message == "the server answered HTTP 403"


async def test_throttling_tells_how_long_to_wait(server: servers.Server, tmp_path: Path) -> None:
    server.answer = servers.always({"kind": "Status", "message": "slow down"}, 429, {"Retry-After": "17"})
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 17.0


async def test_throttling_by_the_status_alone_tells_how_long_to_wait(server: servers.Server, tmp_path: Path) -> None:
    server.answer = servers.status(429, "slow down", details={"retryAfterSeconds": 9})
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 9.0


async def test_an_eviction_that_a_budget_forbids_is_refused_and_not_throttled(
    server: servers.Server, tmp_path: Path
) -> None:
    budget = "The disruption budget api needs 2 healthy pods and has 2 currently"
    details = {"causes": [{"reason": "DisruptionBudget", "message": budget}]}
    server.answer = servers.status(
        429, "Cannot evict pod as it would violate the pod's disruption budget.", details=details
    )
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Held)
    assert isinstance(error, errors.Rejected)
    assert error.budget == budget
    assert error.message == f"Cannot evict pod as it would violate the pod's disruption budget. {budget}"


async def test_gone_carries_the_token_that_goes_on(server: servers.Server, tmp_path: Path) -> None:
    server.answer = servers.status(410, "too old", metadata={"continue": "newer"})
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Gone)
    assert error.resume == "newer"


async def test_a_dropped_connection_is_unreachable_and_may_have_been_sent(
    server: servers.Server, tmp_path: Path
) -> None:
    server.answer = _drop
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Unreachable)
    assert error.sent


async def test_no_answer_in_time_is_unreachable_and_may_have_been_sent(server: servers.Server, tmp_path: Path) -> None:
    server.answer = _hang
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Unreachable)
    assert error.message == "no answer in time"
    assert error.sent


async def test_an_answer_that_breaks_off_is_unreachable(server: servers.Server, tmp_path: Path) -> None:
    server.answer = _half
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Unreachable)
    assert error.message == "the answer broke off"


async def test_a_refused_connection_was_never_sent(tmp_path: Path) -> None:
    async with servers.serving() as server:
        pass
    error = await failure(server, tmp_path)
    assert isinstance(error, errors.Unreachable)
    assert not error.sent


async def test_plain_http_behind_an_https_address_is_unreachable_and_not_sent(
    server: servers.Server, tmp_path: Path
) -> None:
    server_url = server.url.replace("http:", "https:")
    access = connection.ClusterAccess("prod-eu", servers.kubeconfig(tmp_path, server_url))
    over = await connection.Connection.open(access, servers.QUICK)
    try:
        with pytest.raises(errors.Unreachable) as caught:
            await reader.Reader(over).get(POD)
    finally:
        await over.close()
    assert not caught.value.sent
    assert server.seen == []


@pytest.mark.parametrize("body", ["not json", "[1, 2]", '"text"', '{"kind": '])
async def test_an_answer_that_is_no_object_is_malformed(server: servers.Server, tmp_path: Path, body: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    server.answer = answer
    assert type(await failure(server, tmp_path)) is errors.Malformed


async def test_a_long_message_is_cut(server: servers.Server, tmp_path: Path) -> None:
    server.answer = servers.status(422, "x" * 50_000)
    assert len((await failure(server, tmp_path)).message) == 2000


async def test_sdk_exceptions_never_leave_the_client_layer() -> None:
    """Every family of exceptions that the SDK, its transport, TLS, timeouts and decoders raise."""
    request = aiohttp.RequestInfo(url=None, method="GET", headers=None, real_url=None)  # type: ignore[arg-type]
    key: object = aiohttp.client_reqrep.ConnectionKey("api.example.com", 443, True, True, None, None, None)
    refused = ConnectionRefusedError(111, "Connection refused")
    foreign: list[BaseException] = [
        exceptions.ApiException(status=500, reason="boom"),
        exceptions.ApiException(status=0, reason="not sent"),
        exceptions.NotFoundException(status=404),
        exceptions.ApiValueError("bad argument"),
        exceptions.ApiTypeError("bad type"),
        config_exception.ConfigException("no token"),
        yaml.YAMLError("broken"),
        TimeoutError(),
        aiohttp.ServerTimeoutError(),
        aiohttp.ConnectionTimeoutError(),
        aiohttp.SocketTimeoutError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientConnectorError(key, refused),  # type: ignore[arg-type]
        aiohttp.ClientConnectorDNSError(key, refused),  # type: ignore[arg-type]
        aiohttp.ClientConnectorSSLError(key, refused),
        aiohttp.ClientConnectorCertificateError(key, ssl.CertificateError("self-signed")),  # type: ignore[arg-type]
        aiohttp.ClientOSError(32, "Broken pipe"),
        aiohttp.ClientPayloadError("cut"),
        aiohttp.ClientResponseError(request, ()),
        aiohttp.TooManyRedirects(request, ()),
        aiohttp.InvalidURL("http://"),
        aiohttp.ClientError("else"),
        ssl.SSLError("handshake"),
        ConnectionResetError(),
        OSError(24, "Too many open files"),
        asyncio.IncompleteReadError(b"", 1),
        msgspec.DecodeError("truncated"),
        msgspec.ValidationError("expected str"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ]
    for exception in foreign:
        with pytest.raises(errors.ClusterError) as caught:
            async with errors.translated("ask the cluster"):
                raise exception
        assert caught.value.what == "ask the cluster", repr(exception)
        assert caught.value.message
        assert caught.value.__cause__ is None


async def test_our_own_errors_and_cancellation_pass_through() -> None:
    ours = errors.NotFound("read", "none")
    with pytest.raises(errors.NotFound) as caught:
        async with errors.translated("ask"):
            raise ours
    assert caught.value is ours
    with pytest.raises(asyncio.CancelledError):
        async with errors.translated("ask"):
            raise asyncio.CancelledError


async def test_a_mistake_of_ours_is_not_dressed_up_as_the_clusters() -> None:
    with pytest.raises(ZeroDivisionError):
        async with errors.translated("ask"):
            raise ZeroDivisionError


async def test_no_error_tells_a_token_or_a_body(server: servers.Server, tmp_path: Path) -> None:
    for answer in (_drop, _hang, _half, servers.status(500, "boom")):
        server.answer = answer
        error = await failure(server, tmp_path)
        assert "reading-token" not in repr(error)
        assert "reading-token" not in str(error)
