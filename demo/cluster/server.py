"""HTTP around the simulated API: authentication, the journal, faults, and one response for every request.

An aiohttp application on a loopback port; `cluster` starts and stops it. JSON only, as the official clients ask for.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from demo.cluster import discovery, errors, resources, usage
from demo.cluster.access import ANONYMOUS, Access
from demo.cluster.api import Api, Request, parse_path, unserved_target
from demo.cluster.errors import ApiError
from demo.cluster.faults import Fault, Faults, make_odd
from demo.cluster.journal import WRITES, Entry, Journal
from demo.cluster.kubelet import execution
from demo.cluster.kubelet.logs import LogQuery, container_id, render
from demo.cluster.kubelet.nodeagent import NodeAgent
from demo.cluster.objects import Object, rfc3339_nano
from demo.cluster.watching import Watches

_JSON = "application/json"
_GROUPS = frozenset(group for group, _ in resources.GROUPS) | {""}
_LOG_OPTIONS = resources.Resource("", "v1", "podlogoptions", "PodLogOptions")


class _DropError(Exception):
    """The connection is to be closed without an answer."""


@dataclass
class Server:
    """The HTTP face of one cluster."""

    api: Api
    access: Access
    journal: Journal
    faults: Faults
    watches: Watches
    nodes: NodeAgent
    _runner: web.AppRunner | None = None
    _hanging: set["asyncio.Event"] = field(default_factory=set)
    url: str = ""

    async def start(self, host: str, port: int, control: Mapping[tuple[str, str], Any]) -> None:
        """Listen; `control` are the routes of the control endpoints."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        for (method, path), handler in control.items():
            app.router.add_route(method, path, handler)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        address = self._runner.addresses[0]
        self.url = f"http://{address[0]}:{address[1]}"

    async def stop(self) -> None:
        self.watches.close()
        for event in tuple(self._hanging):
            event.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        if self.faults.unreachable:
            return _drop(http)
        entry = Entry(
            number=len(self.journal) + 1,
            time=rfc3339_nano(self.nodes.timeline.now()),
            method=http.method,
            path=http.path,
            query=dict(http.query),
            user=ANONYMOUS,
            dry_run=http.query.get("dryRun") == "All",
            content_type=http.content_type,
        )
        self.journal.entries.append(entry)
        try:
            return await self._respond(http, entry)
        except ApiError as error:
            entry.status = error.code
            return _error(error)
        except _DropError:
            return _drop(http)

    async def _respond(self, http: web.Request, entry: Entry) -> web.StreamResponse:
        body = await self._read(http, entry)
        entry.user = self.access.user_of(http.headers.get("Authorization"))
        entry.impersonated, entry.groups = self.access.impersonate(entry.user, http.headers)
        fault = self.faults.take(http.method, http.path, entry.user, dict(http.query))
        if fault is not None:
            await self._suffer(fault)
        found = discovery.discover(http.path, http.host) if http.method == "GET" else None
        if http.path in discovery.HEALTH or found is not None:
            self.access.check_path(entry.acting, http.method.lower(), http.path)
            entry.status = 200
            return web.Response(text="ok") if found is None else _json(found)
        place = usage.namespace_asked(http.path) if self.nodes.registry.usage is not None else None
        if http.method == "GET" and place is not None:
            self.access.check(entry.acting, "list", usage.POD_METRICS, "", place, "", entry.groups)
            entry.status = 200
            return _json(usage.pod_metrics(self.nodes.registry, place))
        return await self._resource(http, entry, body, fault)

    async def _read(self, http: web.Request, entry: Entry) -> Any:
        if not http.can_read_body:
            return None
        raw = await http.read()
        if not raw:
            return None
        if "yaml" in http.content_type or "cbor" in http.content_type or "protobuf" in http.content_type:
            supported = (
                "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"
                if http.method == "PATCH"
                else _JSON
            )
            raise errors.unsupported_media_type(supported)
        try:
            body = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            raise errors.bad_request(f"couldn't get version/kind; json parse error: {error}") from error
        if http.method in WRITES:
            entry.body = body
            if isinstance(body, dict):
                options = body.get("deleteOptions") or {}
                if http.method == "DELETE":
                    entry.dry_run = body.get("dryRun") == ["All"] if body else entry.dry_run
                else:
                    entry.dry_run = entry.dry_run or options.get("dryRun") == ["All"]
        return body

    async def _suffer(self, fault: Fault) -> None:
        """What a fault does before the work."""
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.hang:
            event = asyncio.Event()
            self._hanging.add(event)
            try:
                await event.wait()
            finally:
                self._hanging.discard(event)
            raise _DropError
        if fault.drop == "before":
            raise _DropError
        if fault.expire_continue:
            raise errors.expired("The provided continue parameter is too old to display a consistent list result.")
        error = fault.error()
        if error is not None:
            raise error

    async def _resource(self, http: web.Request, entry: Entry, body: Any, fault: Fault | None) -> web.StreamResponse:
        target = parse_path(http.path)
        if target is None:
            unserved = unserved_target(http.path)
            self._authorize(entry, None if unserved is None else Request(http.method, unserved, dict(http.query)))
            if unserved is not None and unserved.resource.group in _GROUPS:
                raise errors.page_not_found()
            entry.status = 404
            return web.Response(status=404, text="404 page not found\n")
        accept = http.headers.get("Accept", "")
        if accept and "json" not in accept and "*" not in accept and target.subresource not in ("log", "exec"):
            raise errors.not_acceptable()
        agent = http.headers.get("User-Agent", "").partition("/")[0]
        manager = http.query.get("fieldManager") or agent or "unknown"
        request = Request(http.method, target, dict(http.query), body, http.content_type, accept, manager)
        if http.method not in ("GET", *WRITES):
            raise errors.method_not_allowed()
        self._authorize(entry, request)
        if target.subresource == "log":
            return self._log(request, entry)
        if target.subresource == "exec" and http.method in ("GET", "POST"):
            return await self._exec(http, request, entry)
        if request.is_watch:
            return await self._watch(http, request, entry)
        if target.resource.group == "authorization.k8s.io":
            code, answer = 201, self._review(request, entry)
        else:
            code, answer = self.api.answer(request)
        entry.status = code
        if fault is not None:
            if fault.drop == "after":
                entry.dropped = True
                raise _DropError
            if fault.odd and "items" in answer:
                answer = {**answer, "items": make_odd(answer["items"], fault.odd)}
            if fault.half_list:
                return await _half(http, answer)
        return _json(answer, code)

    def _authorize(self, entry: Entry, request: Request | None) -> None:
        """403 unless the user may do that; without a request it is a path that is no resource."""
        if request is None:
            self.access.check_path(entry.acting, entry.method.lower(), entry.path)
            return
        target = request.target
        # One namespace by name is asked for within itself: a Role in it may give it. `NewRequestInfo` in
        # staging/src/k8s.io/apiserver/pkg/endpoints/request/requestinfo.go of kubernetes/kubernetes.
        space = target.name if target.resource.plural == "namespaces" else target.namespace
        self.access.check(
            entry.acting, request.verb, target.resource, target.subresource, space, target.name, entry.groups
        )

    def _review(self, request: Request, entry: Entry) -> Object:
        if not isinstance(request.body, dict):
            raise errors.bad_request("the body of the request is not a review")
        resource = request.target.resource
        reviewed = self.access.review(entry.acting, resource, request.body, entry.groups)
        return {**reviewed, "kind": resource.kind, "apiVersion": resource.api_version}

    def _log(self, request: Request, entry: Entry) -> web.Response:
        target, query = request.target, LogQuery.parse(dict(request.query))
        pod = self.nodes.registry.get(target.resource, target.namespace, target.name)
        node = pod["spec"].get("nodeName")
        if not node:
            entry.status = 200
            return web.Response(text="")
        if node in self.nodes.cut_off:
            address = self.nodes.host_ip(node)
            path = f"/containerLogs/{target.namespace}/{target.name}/{query.container}"
            text = f'Get "https://{address}:10250{path}": dial tcp {address}:10250: connect: no route to host'
            raise ApiError(500, "InternalError", text)
        if causes := query.faults():
            raise errors.invalid(_LOG_OPTIONS, target.name, causes)
        lines = self.nodes.logs.lines(container_id(pod, query))
        entry.status = 200
        body = render(lines, query, self.nodes.timeline.now())
        return web.Response(body=body, content_type="text/plain")

    async def _exec(self, http: web.Request, request: Request, entry: Entry) -> web.StreamResponse:
        target = request.target
        pod = self.nodes.registry.get(target.resource, target.namespace, target.name)
        entry.status = 101
        response = await execution.serve(http, pod, self.nodes)
        entry.status = response.status
        return response

    async def _watch(self, http: web.Request, request: Request, entry: Entry) -> web.StreamResponse:
        stream = self.watches.prepare(request)
        entry.status = 200
        response = web.StreamResponse(headers={"Content-Type": _JSON})
        await response.prepare(http)
        events = stream()
        try:
            async for event in events:
                await response.write(msgspec.json.encode(event) + b"\n")
        except (ConnectionResetError, ConnectionError):
            return response
        finally:
            await events.aclose()
        return response


def _json(body: Any, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=code, content_type=_JSON)


def _error(error: ApiError) -> web.Response:
    response = _json(error.status(), error.code)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _drop(http: web.Request) -> web.Response:
    """Close the connection under the request; the response is never seen."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=500)


async def _half(http: web.Request, answer: Object) -> web.StreamResponse:
    """Half of the body, then the end of the connection."""
    body = msgspec.json.encode(answer)
    response = web.StreamResponse(headers={"Content-Type": _JSON, "Content-Length": str(len(body))})
    await response.prepare(http)
    await response.write(body[: len(body) // 2])
    if http.transport is not None:
        http.transport.close()
    return response
