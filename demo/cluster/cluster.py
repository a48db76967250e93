"""The simulated cluster as one object: everything is put together here, and tests and the demo hold on to it."""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from demo.cluster import control, scenarios
from demo.cluster.access import Access
from demo.cluster.admission import Admission, Denial, Predicate
from demo.cluster.api import Api
from demo.cluster.controllers import all_controllers
from demo.cluster.controllers.nodes import Nodes
from demo.cluster.faults import Faults
from demo.cluster.images import Images
from demo.cluster.journal import Journal
from demo.cluster.kubelet.nodeagent import NodeAgent
from demo.cluster.manager import Manager
from demo.cluster.objects import Object, clone, name_of, namespace_of, rfc3339
from demo.cluster.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, apply_patch
from demo.cluster.pieces import Piece
from demo.cluster.recorder import Recorder
from demo.cluster.registry import DeleteOptions, Registry
from demo.cluster.resources import BY_KIND, BY_PLURAL, Resource, resource
from demo.cluster.scheduler import Scheduler
from demo.cluster.server import Server
from demo.cluster.store import Store
from demo.cluster.timeline import Clock, Timeline, wall_clock
from demo.cluster.watching import Watches

_PATCH_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}
Condition = Callable[[], bool]
Objects = list[Object]
USERS = ("reader", "writer", "forbidden", "admin")


class SimulatedCluster:
    """A cluster behind a Kubernetes API on a loopback port.

    `scenario` is a name ('demo', 'healthy', 'empty') or pieces of `scenarios`. `speed` divides simulated durations:
    back-off, pulls, starts and deadlines run that many times faster, while timestamps stay those of `clock`.
    The same `seed` gives the same names and UIDs.
    """

    def __init__(
        self, scenario: str | Iterable[Piece] = "empty", *, speed: float = 1.0, clock: Clock = wall_clock, seed: int = 7
    ) -> None:
        rng = random.Random(seed)  # noqa: S311 - names, not secrets
        self._pieces = scenarios.by_name(scenario) if isinstance(scenario, str) else tuple(scenario)
        self.timeline = Timeline(speed, clock)
        self.store = Store(self.timeline, rng)
        self.admission = Admission(self.store)
        self.registry = Registry(self.store, self.timeline, self.admission)
        self.images = Images()
        self.journal = Journal()
        self.faults = Faults()
        tokens = {f"{user}-{secrets.token_hex(12)}": user for user in USERS}
        self._tokens = {user: token for token, user in tokens.items()}
        self.access = Access(tokens)
        self.recorder = Recorder(self.store, self.timeline)
        self.manager = Manager(self.timeline)
        self.timeline.after_callback = self.manager.drain
        self.kubelets = NodeAgent(self.registry, self.recorder, self.images, rng)
        self.nodes = Nodes(self.registry, self.recorder, self.manager, self.kubelets)
        self.manager.add(Scheduler(self.registry, self.recorder, self.manager))
        self.manager.add(self.kubelets)
        self.manager.add(self.nodes)
        for controller in all_controllers(self.registry, self.recorder, self.manager):
            self.manager.add(controller)
        self.store.subscribe(self.manager.on_change)
        api = Api(self.registry)
        self.watches = Watches(self.store, api)
        self._server = Server(api, self.access, self.journal, self.faults, self.watches, self.kubelets)
        self._live = False

    @property
    def url(self) -> str:
        """http://127.0.0.1:port; empty before `start`."""
        return self._server.url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Play the history of the scenario, then listen and let time run."""
        self._play_history()
        self.timeline.go_live(asyncio.get_running_loop())
        self._live = True
        self.nodes.begin_heartbeats()
        await self._server.start(host, port, control.routes(self))

    async def stop(self) -> None:
        """Close every connection and timer."""
        await self._server.stop()
        self.timeline.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _play_history(self) -> None:
        steps = sorted(
            (step for piece in (scenarios.base(), *self._pieces) for step in piece.steps), key=lambda step: -step.ago
        )
        span = max((step.ago for step in steps), default=0.0)
        self.timeline.begin_history(span)
        for step in steps:
            self.timeline.run_history(span - step.ago)
            step.do(self)
            self.manager.drain()
        self.timeline.run_history(span)
        self.recorder.expire()

    async def add(self, piece: Piece, *, wait: float = 10.0) -> None:
        """Bring a piece into the running cluster: its steps one after the other, each settled. History begins now."""
        for step in sorted(piece.steps, key=lambda each: -each.ago):
            step.do(self)
            await self.settle(wait)

    async def settle(self, timeout: float = 10.0, *, within: float = 20.0) -> None:  # noqa: ASYNC109 - the whole wait
        """Wait until nothing is about to change: no start, stop, pull or sync is due within so many simulated seconds.

        Waits of a back-off, deadlines and heartbeats do not count: a crash loop is settled between two starts.
        TimeoutError after `timeout` real seconds.
        """
        await asyncio.sleep(0.01)
        await self.wait_for(lambda: self.manager.idle and not self.timeline.pending(within), timeout)

    async def wait_for(self, condition: Condition, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - the whole wait
        """Wait until `condition()` is true; TimeoutError after `timeout` real seconds."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - the condition is any function, there is no event
                await asyncio.sleep(0.01)

    def kubeconfig(self, user: str = "reader") -> str:
        """A kubeconfig. Contexts: demo (the reader), demo-reader, demo-writer, demo-forbidden, demo-admin."""
        clusters = [{"name": "demo", "cluster": {"server": self.url}}]
        users = [{"name": name, "user": {"token": token}} for name, token in self._tokens.items()]
        contexts = [{"name": "demo", "context": {"cluster": "demo", "user": user}}]
        contexts += [{"name": f"demo-{name}", "context": {"cluster": "demo", "user": name}} for name in self._tokens]
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": "demo"}
        return yaml.safe_dump(body | {"clusters": clusters, "users": users, "contexts": contexts}, sort_keys=False)

    def write_kubeconfig(self, path: Path | str, user: str = "reader") -> Path:
        """Write `kubeconfig` to a file that only its owner may read."""
        target = Path(path)
        target.touch(mode=0o600)
        target.write_text(self.kubeconfig(user))
        return target

    def token(self, user: str) -> str:
        """The bearer token of a user."""
        return self._tokens[user]

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """A copy of an object by plural, kind or short name; `ApiError` 404."""
        found = resource(kind)
        return self._shown(found, self.registry.get(found, namespace, name))

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """As `get`, but None when there is none."""
        found = resource(kind)
        obj = self.store.find(found.storage, namespace, name)
        return None if obj is None else self._shown(found, obj)

    def list(self, kind: str, namespace: str = "") -> Objects:
        """Copies of all objects of a type, in one namespace or all."""
        found = resource(kind)
        return [self._shown(found, each) for each in self.store.all(found.storage, namespace)]

    def pods(self, namespace: str, app: str) -> Objects:
        """The pods with the label app=`app` that are not being deleted."""
        return [
            each
            for each in self.list("pods", namespace)
            if (each["metadata"].get("labels") or {}).get("app") == app
            and not each["metadata"].get("deletionTimestamp")
        ]

    def events(self, namespace: str, name: str = "", reason: str = "") -> Objects:
        """Events of a namespace, about objects whose name begins with `name`, with that reason."""
        return [
            each
            for each in self.list("events", namespace)
            if each["involvedObject"]["name"].startswith(name) and reason in ("", each["reason"])
        ]

    def apply(self, obj: Object) -> Object:
        """Create or replace, as an administrator would; a namespace that is missing is made."""
        found = BY_KIND[(obj["apiVersion"], obj["kind"])]
        namespace = namespace_of(obj)
        if namespace and self.store.find("namespaces", "", namespace) is None:
            self.registry.create(BY_PLURAL["namespaces"], {"metadata": {"name": namespace}})
        if self.store.find(found.storage, namespace, name_of(obj)) is None:
            return self._shown(found, self.registry.create(found, obj, manager="kubectl-client-side-apply"))
        return self._shown(found, self.registry.update(found, obj, manager="kubectl-client-side-apply"))

    def patch(self, kind: str, name: str, namespace: str, patch: Any, *, type: str = "strategic") -> Object:  # noqa: A002
        """Patch an object as an administrator would; `type` is json, merge or strategic."""
        found = resource(kind)
        patched = apply_patch(self.get(kind, name, namespace), patch, _PATCH_TYPES[type])
        return self._shown(found, self.registry.update(found, patched, manager="kubectl-edit"))

    def patch_status(self, kind: str, name: str, namespace: str, status: Object) -> Object:
        """Merge into the status, for what has no controller here (claims, autoscalers, ingresses)."""
        found = resource(kind)
        obj = self.get(kind, name, namespace)
        merged = apply_patch({"status": obj.get("status") or {}}, {"status": status}, MERGE_PATCH)
        return self._shown(found, self.registry.update_status(found, obj, merged["status"]))

    def delete(self, kind: str, name: str, namespace: str = "", *, grace: int | None = None) -> None:
        self.registry.delete(resource(kind), namespace, name, DeleteOptions(grace=grace))

    def _shown(self, found: Resource, obj: Object) -> Object:
        return {"apiVersion": found.api_version, "kind": found.kind, **clone(obj)}

    def forbid(self, user: str, verb: str, resource: str, namespace: str | None = None) -> None:
        """Take a right from a user: `forbid('reader', 'list', 'pods', 'payments')`; '*' for all."""
        self.access.forbid(user, verb, resource, namespace)

    def allow(self, user: str, verb: str, resource: str, namespace: str | None = None) -> None:
        """Give a right to a user, or give it back."""
        self.access.allow(user, verb, resource, namespace)

    def bind(self, user: str, role: str, namespace: str = "") -> None:
        """Give a user one of the optional roles of deploy/rbac.yaml: `bind('writer', 'watchkeeper-writer-jobs')`."""
        self.access.bind(user, role, namespace)

    def deny_admission(
        self, predicate: Predicate, message: str, *, webhook: str = "policy.example.com", code: int = 403
    ) -> None:
        """Refuse writes that `predicate(operation, resource, object)` matches, dry runs and controllers included."""
        self.admission.denials.append(Denial(predicate, message, webhook, code))

    def timestamp(self) -> str:
        """Now, as the API writes it; in the past while history is played."""
        return rfc3339(self.timeline.now())

    def compact(self) -> None:
        """Expire all continue tokens and old watches (410)."""
        self.store.compact()
