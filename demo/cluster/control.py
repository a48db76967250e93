"""The control endpoints under /_test: another process reads the journal, adds faults, and breaks nodes.

Only requests whose Host header names the loopback are answered, so that no web page can reach them by a DNS trick.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from demo.cluster.errors import ApiError
from demo.cluster.faults import Fault

if TYPE_CHECKING:
    from demo.cluster.cluster import SimulatedCluster

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Work = Callable[[dict[str, Any]], Any]
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def routes(cluster: "SimulatedCluster") -> dict[tuple[str, str], Handler]:
    """(method, path) -> handler."""
    control = _Control(cluster)
    return {
        ("GET", "/_test/journal"): _handler(control.journal),
        ("DELETE", "/_test/journal"): _handler(control.clear_journal),
        ("GET", "/_test/faults"): _handler(control.faults),
        ("POST", "/_test/faults"): _handler(control.add_fault),
        ("DELETE", "/_test/faults"): _handler(control.clear_faults),
        ("POST", "/_test/unreachable"): _handler(control.unreachable),
        ("POST", "/_test/compact"): _handler(control.compact),
        ("POST", "/_test/access"): _handler(control.access),
        ("POST", "/_test/nodes"): _handler(control.nodes),
        ("POST", "/_test/apply"): _handler(control.apply),
        ("POST", "/_test/patch"): _handler(control.patch),
        ("POST", "/_test/delete"): _handler(control.delete),
        ("POST", "/_test/images"): _handler(control.images),
        ("POST", "/_test/settle"): control.settle,
        ("GET", "/_test/kubeconfig"): control.kubeconfig,
    }


def _guard(request: web.Request) -> None:
    host = request.host.rpartition(":")[0] or request.host
    if host not in _LOOPBACK:
        raise web.HTTPForbidden(text="only from the loopback\n")


def _handler(work: Work) -> Handler:
    """A handler that decodes the body and encodes the answer; mistakes of the caller are 400s."""

    async def handle(request: web.Request) -> web.StreamResponse:
        _guard(request)
        raw = await request.read()
        try:
            answer = work(msgspec.json.decode(raw) if raw else {})
        except ApiError as error:
            return _json(error.status(), error.code)
        except (KeyError, TypeError, ValueError, msgspec.DecodeError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        return _json(answer)

    return handle


def _json(body: Any, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=code, content_type="application/json")


class _Control:
    def __init__(self, cluster: "SimulatedCluster") -> None:
        self._cluster = cluster

    def journal(self, _: dict[str, Any]) -> Any:
        return [entry.as_json() for entry in self._cluster.journal]

    def clear_journal(self, _: dict[str, Any]) -> Any:
        self._cluster.journal.clear()
        return {}

    def faults(self, _: dict[str, Any]) -> Any:
        return [fault.as_json() for fault in self._cluster.faults.active]

    def add_fault(self, body: dict[str, Any]) -> Any:
        return self._cluster.faults.add(Fault.from_json(body)).as_json()

    def clear_faults(self, _: dict[str, Any]) -> Any:
        self._cluster.faults.clear()
        return {}

    def unreachable(self, body: dict[str, Any]) -> Any:
        self._cluster.faults.unreachable = bool(body.get("on", True))
        return {"on": self._cluster.faults.unreachable}

    def compact(self, _: dict[str, Any]) -> Any:
        self._cluster.compact()
        return {"revision": self._cluster.store.revision}

    def access(self, body: dict[str, Any]) -> Any:
        change = self._cluster.allow if body.get("allow") else self._cluster.forbid
        change(body["user"], body["verb"], body["resource"], body.get("namespace"))
        return {}

    def nodes(self, body: dict[str, Any]) -> Any:
        """{"name": …, "do": "lose" | "recover" | "fail" | "press" | "relieve", "kind": …, "evict": […]}."""
        nodes, name, kind = self._cluster.nodes, body["name"], body.get("kind", "MemoryPressure")
        actions: dict[str, Callable[[], None]] = {
            "lose": lambda: nodes.lose(name),
            "recover": lambda: nodes.recover(name),
            "fail": lambda: nodes.fail(name),
            "press": lambda: nodes.press(name, kind, body.get("evict", ())),
            "relieve": lambda: nodes.relieve(name, kind),
        }
        actions[body["do"]]()
        return {}

    def apply(self, body: dict[str, Any]) -> Any:
        return self._cluster.apply(body)

    def patch(self, body: dict[str, Any]) -> Any:
        """{"kind": "deployments", "name": …, "namespace": …, "patch": …, "type": "strategic"}."""
        kind = body.get("type", "strategic")
        return self._cluster.patch(body["kind"], body["name"], body.get("namespace", ""), body["patch"], type=kind)

    def delete(self, body: dict[str, Any]) -> Any:
        self._cluster.delete(body["kind"], body["name"], body.get("namespace", ""), grace=body.get("grace"))
        return {}

    def images(self, body: dict[str, Any]) -> Any:
        """{"repository": "shop/web", "tags": ["v2"]}: publish a healthy server under these tags."""
        self._cluster.images.publish(body["repository"], *body["tags"])
        return {}

    async def settle(self, request: web.Request) -> web.StreamResponse:
        _guard(request)
        try:
            await self._cluster.settle(float(request.query.get("timeout", "10")))
        except TimeoutError:
            return _json({"settled": False}, 504)
        return _json({"settled": True})

    async def kubeconfig(self, request: web.Request) -> web.StreamResponse:
        _guard(request)
        return web.Response(text=self._cluster.kubeconfig(request.query.get("user", "reader")))
