"""One cluster and one identity: opens the way to an API server and sends every request that Watchkeeper makes to it.

`bot` opens connections (a reading one per cluster, a writing one where it may act) and hands them to `reader.Reader`
and `writer.Writer`, the only two who send, and to `watching.Stream`, which listens. Timeouts, bounded concurrency,
fresh credentials and the translation of errors are here, so that none of them can forget these. Nothing here logs
bodies, headers or tokens.
"""

import asyncio
import contextlib
import difflib
import ipaddress
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import multidict
import yaml
from kubernetes.aio import client as _client
from kubernetes.aio.config import incluster_config as _incluster
from kubernetes.aio.config import kube_config as _kube_config

from k8s import model
from k8s.client import errors

# The SDK is not typed: it is Any from here on, and only here.
_sdk: Any = _client
_loading: Any = _kube_config
_in_cluster: Any = _incluster

_REFRESH_S = 60.0
"""How often tokens in files or from plugins are asked for again. Projected tokens live 10 min or more."""
_REFRESH_ENDLESS_S = 600.0
"""The same for a plugin that does not say when its token expires: each time is a process."""
_PLUGIN_TIMEOUT_S = 30.0

_PIECE = 65536
"""Most bytes of a stream at a time: some ten ordinary pods, less than a millisecond of decoding."""
_PROBES = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A silent peer is asked for a sign of life after 30 s and given up 30 s later (tcp(7)), where the system can do it."""


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """How to reach one cluster as one identity."""

    name: str
    """What people call the cluster."""
    kubeconfig: Path | None = None
    """None: the usual place of kubectl (`$KUBECONFIG`, else `~/.kube/config`)."""
    context: str | None = None
    """None: the kubeconfig's current context."""
    in_cluster: bool = False
    """Use the service account of the pod that we run in; the three above are then not read."""
    user: str | None = None
    """Another user of the kubeconfig than the context's, as `kubectl --user`: the writing identity."""
    service_account: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    """Where the kubelet puts `token` and `ca.crt`."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What one call may cost."""

    connect_s: float = 5.0
    """Seconds until a connection stands."""
    read_s: float = 30.0
    """Seconds until an answer is there, whole. A page of 500 pods takes well under one."""
    concurrency: int = 8
    """Requests at the same time to one cluster; API Priority and Fairness gives one user few seats."""
    retries: int = 2
    """Further attempts of a read after 429, 502, 503 or 504. Writes are never repeated here."""
    longest_pause_s: float = 5.0
    """A server that asks for a longer pause than this gets no second attempt now."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `what` completes "could not …" in messages."""

    what: str
    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    as_user: model.Identity | None = None
    """In whose name: sent as impersonation headers, for which this identity needs the right to `impersonate`."""
    keep_tail: int | None = None
    """Keep only this many last bytes of the answer (logs), however long it is."""


@dataclass(slots=True)
class _Credentials:
    """The SDK's loader of a kubeconfig, asked again from time to time so that short-lived tokens stay fresh."""

    access: ClusterAccess
    configuration: Any
    loader: Any = None
    loaded_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def load(self) -> None:
        """Reads everything anew. Raises ConfigurationError."""
        what = f"open cluster {self.access.name}"
        if self.access.in_cluster:
            _load_in_cluster(self.access, self.configuration, what)
            return
        self.loader, command = _loader(self.access, what)
        await self._take(what)
        if command and not getattr(self.loader, "token", None) and not getattr(self.loader, "cert_file", None):
            raise errors.ConfigurationError(what, f"the credential plugin {command!r} gave no credentials")

    async def _take(self, what: str) -> None:
        """Runs the plugin or reads the token's file, and puts what they say into the configuration."""
        async with errors.translated(what):
            try:
                async with asyncio.timeout(_PLUGIN_TIMEOUT_S):
                    await self.loader.load_and_set(self.configuration)
            except TimeoutError:
                raise errors.ConfigurationError(what, "the credential plugin did not answer") from None
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                # The SDK's loader trusts the file's shape; what it trips over is a fault of the file.
                reason = f"{_where(self.access)} cannot be used ({type(error).__name__})"
                raise errors.ConfigurationError(what, reason) from None
        self.loaded_at = time.monotonic()

    async def refresh(self, *, force: bool = False) -> None:
        """Reads what may have been rotated, at most every minute; `force` after a 401."""
        if self.access.in_cluster:
            return  # the SDK's own hook re-reads the projected token
        async with self.lock:
            age = time.monotonic() - self.loaded_at
            endless = hasattr(self.loader, "token") and self._plugin_without_expiry()
            if force and age > 1.0:
                await self.load()
            elif age > (_REFRESH_ENDLESS_S if endless else _REFRESH_S):
                await self._take(f"refresh the credentials of {self.access.name}")

    def _plugin_without_expiry(self) -> bool:
        return bool(getattr(self.loader, "plugin", "")) and not hasattr(self.loader, "exec_plugin_expiry")


class Connection:
    """An open way to one cluster as one identity. Use `open`; always `close`."""

    def __init__(self, access: ClusterAccess, limits: CallLimits, credentials: _Credentials, api_client: Any) -> None:
        self.name = access.name
        self.api_client = api_client
        self._limits = limits
        self._credentials = credentials
        self._turns = asyncio.Semaphore(limits.concurrency)
        self._timeout = aiohttp.ClientTimeout(total=limits.read_s, sock_connect=limits.connect_s)

    @classmethod
    async def open(cls, access: ClusterAccess, limits: CallLimits = CallLimits()) -> "Connection":
        """Reads the configuration and the credentials; sends nothing to the cluster yet.

        Raises ConfigurationError, naming the file and, for an unknown context or user, the known ones.
        """
        configuration = _sdk.Configuration()
        credentials = _Credentials(access, configuration)
        await credentials.load()
        configuration.connection_pool_maxsize = 0  # `_turns` bounds the calls; streams stay open beside them
        configuration.proxy = _proxy(configuration)
        # Proxies are resolved above: aiohttp's own reading of the environment would also apply a .netrc file.
        configuration.client_session_kwargs = {"trust_env": False, "middlewares": (_sent_once, _heard_out)}
        async with errors.translated(f"open cluster {access.name}"):
            try:
                api_client = _sdk.ApiClient(configuration)
            except OSError as error:  # an unreadable or broken certificate
                reason = f"its certificates cannot be used ({error.strerror or type(error).__name__})"
                raise errors.ConfigurationError(f"open cluster {access.name}", reason) from None
        api_client.user_agent = "watchkeeper"
        return cls(access, limits, credentials, api_client)

    async def close(self) -> None:
        """Closes the sockets. Safe to call twice."""
        await self.api_client.close()

    @property
    def server(self) -> str:
        """The API server's URL, without user info."""
        parts = urllib.parse.urlsplit(self._credentials.configuration.host)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def forget_credentials(self) -> None:
        """The next request reads files and plugins anew: after something has told of a rotation."""
        self._credentials.loaded_at = float("-inf")

    async def version(self) -> str:
        """The server's version, e.g. `v1.34.1`. Raises ClusterError."""
        what = f"read the version of {self.name}"
        body = await self.send(Request(what, "GET", "/version"))
        async with errors.translated(what):
            return msgspec.json.decode(body, type=_Version).git_version

    async def send(self, request: Request) -> bytes:
        """Sends one request and reads the answer whole. Raises ClusterError.

        Reads are tried again when the server is busy. Writes are sent once: only the caller can tell whether a write
        whose answer is lost may be repeated. A 401 is tried once more with fresh credentials: it was not carried out.
        """
        attempts = 1 + (self._limits.retries if request.method == "GET" else 0)
        renewed = False
        while True:
            attempts -= 1
            try:
                async with self._turns:
                    return await self._send_once(request)
            except errors.Unauthorized:
                if renewed:
                    raise
                renewed, attempts = True, attempts + 1
                await self._renew()
            except (errors.Throttled, errors.ServerFault) as error:
                pause = error.retry_after if isinstance(error, errors.Throttled) else 0.2
                if attempts <= 0 or pause > self._limits.longest_pause_s:
                    raise
                await asyncio.sleep(pause)

    async def _renew(self) -> None:
        await self._credentials.refresh(force=True)
        configuration = self.api_client.configuration
        if configuration.cert_file:  # a plugin may have renewed a client certificate: new connections take it
            async with errors.translated(f"renew the certificate for {self.name}"):
                self.api_client.rest_client.ssl_context.load_cert_chain(configuration.cert_file, configuration.key_file)

    async def _send_once(self, request: Request) -> bytes:
        async with errors.translated(request.what), await self._answer(request, self._timeout) as response:
            if request.keep_tail is not None:
                return await _tail(response, request.keep_tail)
            return await _whole(response)

    async def _answer(self, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """The head of a good answer; its body is still to be read, and closed. Call inside `errors.translated`."""
        await self._credentials.refresh()
        method, url, headers, body, _ = await self.api_client.param_serialize(
            request.method,
            request.path,
            query_params=list(request.query),
            header_params={"Accept": request.accept, "Content-Type": request.content_type},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        if request.as_user is not None:
            headers = _in_the_name_of(request.as_user, headers)
        answer = await self.api_client.call_api(method, url, headers, body, _request_timeout=limits)
        response: aiohttp.ClientResponse = answer.response
        if 200 <= response.status < 300:
            return response
        async with response:
            text = await response.content.read(65536)
            raise errors.from_answer(request.what, response.status, text, response.headers)

    @contextlib.asynccontextmanager
    async def stream(self, request: Request, *, within_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of an answer that does not end by itself (a watch), in small pieces as they come.

        It takes a turn only until it stands, and is given up `within_s` seconds after it was begun. Leaving the block
        closes its socket at once. Raises ClusterError, also where its body is read inside the block.
        """
        async with errors.translated(request.what):
            response = await self._begin(request, aiohttp.ClientTimeout(within_s, sock_connect=self._limits.connect_s))
            try:
                _probe(response)
                yield response.content.iter_chunked(_PIECE)
            finally:
                response.close()

    @contextlib.asynccontextmanager
    async def conversation(
        self, request: Request, protocols: Sequence[str]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket that speaks one of these subprotocols, for as long as the block lasts. Raises ClusterError.

        It takes a turn only until it stands. What is read inside the block is the caller's to bound and to translate.
        """
        async with errors.translated(request.what), self._turns, asyncio.timeout(self._limits.read_s):
            try:
                socket = await self._upgrade(request, protocols)
            except errors.Unauthorized:
                await self._renew()
                socket = await self._upgrade(request, protocols)
        try:
            yield socket
        finally:
            await socket.close()

    async def _upgrade(self, request: Request, protocols: Sequence[str]) -> aiohttp.ClientWebSocketResponse:
        await self._credentials.refresh()
        _, url, headers, *_ = await self.api_client.param_serialize(
            request.method, request.path, query_params=list(request.query), auth_settings=["BearerToken"]
        )
        if request.as_user is not None:
            headers = _in_the_name_of(request.as_user, headers)
        client = self.api_client.rest_client
        if client.pool_manager is None:
            client.pool_manager = client._create_pool_manager()  # noqa: SLF001 - the SDK makes it with its first call
        session: aiohttp.ClientSession = client.pool_manager
        try:
            socket = await session.ws_connect(
                url, protocols=tuple(protocols), headers=headers, autoping=True, heartbeat=10.0, proxy=client.proxy
            )
        except _NotUpgradedError as answer:
            raise errors.from_answer(request.what, answer.status, answer.body, answer.headers) from None
        if socket.protocol not in protocols:
            await socket.close()
            raise errors.Rejected(request.what, f"the server speaks none of {', '.join(protocols)}")
        return socket

    async def _begin(self, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        async with self._turns, asyncio.timeout(self._limits.read_s):
            try:
                return await self._answer(request, limits)
            except errors.Unauthorized:
                await self._renew()
                return await self._answer(request, limits)


def _in_the_name_of(who: model.Identity, headers: Mapping[str, str]) -> multidict.CIMultiDict[str]:
    """A header for the user and one for each group. Raises ValueError for what no header can carry.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    for name in (who.user, *who.groups):
        if not name or not name.isascii() or not name.isprintable() or name != name.strip():
            raise ValueError(f"{name!r} is no name that a request could be sent in")
    found = multidict.CIMultiDict(headers)
    found["Impersonate-User"] = who.user
    for group in who.groups:
        found.add("Impersonate-Group", group)
    return found


class _Version(msgspec.Struct, rename="camel"):
    git_version: str


async def _sent_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a DELETE or PUT by itself after a dropped connection, as it does for all methods
    that HTTP calls idempotent: whether a write is repeated is never the transport's to decide. A GET that asks for a
    WebSocket is a write as well: it runs a command."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method == "GET" and "Sec-WebSocket-Key" not in request.headers:
            raise
        raise aiohttp.ClientConnectionError(type(error).__name__) from None


class _NotUpgradedError(Exception):
    """An answer to a request for a WebSocket that is none."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


async def _heard_out(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps the words of a refused WebSocket, which aiohttp drops: they say which right is missing."""
    response = await handler(request)
    if "Sec-WebSocket-Key" in request.headers and response.status != 101:
        async with response:
            raise _NotUpgradedError(response.status, await response.content.read(65536), response.headers)
    return response


def _probe(response: aiohttp.ClientResponse) -> None:
    """Has the system notice a peer that vanished without a word, as it does when a machine or a route is lost."""
    connection = response.connection
    if connection is None or connection.transport is None:
        return  # the answer was whole at once
    peer = connection.transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The body, joined as it comes: kept in pieces until its end, a list of 25 MB would need twice as much."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
    return bytes(body)


async def _tail(response: aiohttp.ClientResponse, keep: int) -> bytes:
    """The last `keep` bytes of an answer of any length, in bounded memory."""
    held = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        held += chunk
        if len(held) > 4 * keep:
            del held[:-keep]
    return bytes(held[-keep:])


# --- where the configuration comes from -------------------------------------------------------------------------------


def _where(access: ClusterAccess) -> str:
    return str(access.kubeconfig or _loading.KUBE_CONFIG_DEFAULT_LOCATION)


def _load_in_cluster(access: ClusterAccess, configuration: Any, what: str) -> None:
    loader = _in_cluster.InClusterConfigLoader(
        token_filename=str(access.service_account / "token"), cert_filename=str(access.service_account / "ca.crt")
    )
    try:
        loader.load_and_set(configuration)
    except (_in_cluster.ConfigException, OSError) as error:
        raise errors.ConfigurationError(what, f"not inside a cluster: {error}") from None


def _loader(access: ClusterAccess, what: str) -> tuple[Any, str]:
    """The SDK's loader for the wanted context and user, and the credential plugin's command ("" for none)."""
    where = _where(access)
    try:
        merged = _loading.KubeConfigMerger(where).config
    except (OSError, yaml.YAMLError, TypeError, AttributeError, KeyError, ValueError) as error:
        raise errors.ConfigurationError(what, f"{where} cannot be read ({type(error).__name__})") from None
    if merged is None:
        raise errors.ConfigurationError(what, f"there is no kubeconfig at {where}")
    document: Mapping[str, Any] = merged.value
    contexts = _by_name(document.get("contexts"), "context")
    users = _by_name(document.get("users"), "user")
    context = access.context or document.get("current-context") or ""
    if context not in contexts:
        raise errors.ConfigurationError(what, _unknown("context", context, contexts, where))
    if access.user is not None:
        if access.user not in users:
            raise errors.ConfigurationError(what, _unknown("user", access.user, users, where))
        contexts[context]["user"] = access.user
    plugin = (users.get(contexts[context].get("user") or "") or {}).get("exec") or {}
    try:
        loader = _loading.KubeConfigLoader(config_dict=merged, config_base_path=None, active_context=context)
    except (_loading.ConfigException, TypeError, AttributeError, KeyError) as error:
        reason = str(error) if isinstance(error, _loading.ConfigException) else type(error).__name__
        raise errors.ConfigurationError(what, f"{where} cannot be used: {reason}") from None
    loader.plugin = str(plugin.get("command") or "")
    return loader, loader.plugin


def current_context(kubeconfig: Path | None) -> str:
    """The name of the current context of a kubeconfig (None: kubectl's usual places). Raises ConfigurationError."""
    access = ClusterAccess("", kubeconfig)
    loader, _ = _loader(access, "read the kubeconfig")
    return str(loader.current_context["name"])


def check(access: ClusterAccess) -> None:
    """Whether the kubeconfig can be read and has the context and the user; runs no credential plugin, sends nothing.

    Raises ConfigurationError: what only a person can set right, as against a plugin or a cluster that is away.
    """
    if not access.in_cluster:
        _loader(access, f"open cluster {access.name}")


def _by_name(entries: Any, key: str) -> dict[str, dict[str, Any]]:
    """The named entries of a kubeconfig's list, leaving out what has no name or no body."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries or ():
        value = getattr(entry, "value", entry)
        if isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get(key), dict):
            found[value["name"]] = value[key]
    return found


def _unknown(noun: str, name: str, known: Mapping[str, Any], where: str) -> str:
    names = ", ".join(sorted(known)) or "none"
    if not name:
        return f"{where} has no current {noun}; known: {names}"
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{where} has no {noun} {name!r}; known: {names}.{hint}"


def _proxy(configuration: Any) -> str | None:
    """The proxy for this server: the kubeconfig's, else the environment's, never for a loopback address."""
    if configuration.proxy:
        return str(configuration.proxy)
    parts = urllib.parse.urlsplit(configuration.host)
    host = parts.hostname or ""
    if _loopback(host) or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def as_json(body: bytes) -> dict[str, Any]:
    """An answer that is one JSON object. Raises msgspec.DecodeError or ValueError (call inside `errors.translated`)."""
    return msgspec.json.decode(body, type=dict[str, Any])
