"""What a story may ask of the cluster that it is told on, whichever it is.

Everything that the Kubernetes API itself offers is asked of `Ground.admin`, the same everywhere. What is here differs
from one cluster to another, or saves the stories words. Implemented by `simulated.Simulated` and `real.Real`.
"""

import abc
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from k8s import workloads
from tests.grounds import admin as admins
from tests.grounds import behaviours
from tests.grounds.admin import Object

Feature = Literal["kubelet", "behaviours", "restart", "nodes", "journal"]
"""kubelet: containers really run. behaviours: they really do, or are played, what their behaviour says. restart: the
API server can be stopped. nodes: there are several. journal: what the bot wrote is on record."""
Identity = Literal["reader", "writer"]
"""The two of deploy/rbac.yaml that the bot has."""

OLD_ENOUGH = workloads.SETTLED.total_seconds() + 6.0
"""Seconds after which a revision that serves counts as one to go back to."""


class Lacking(Exception):
    """A story asked a ground for what it has not: mark the story with `needs`."""


@dataclass(frozen=True, slots=True)
class Write:
    """A request of the bot's writing identity that was meant to change something."""

    verb: str
    """As RBAC names it: patch, update, create, delete, deletecollection; of a command in a container, which is asked
    for by WebSocket, get."""
    resource: str
    """`deployments`, `deployments/scale`, `pods` …"""
    name: str
    user: str
    status: int
    """The HTTP status of the answer."""
    impersonated: str = ""
    """In whose name `user` asked; empty: in its own."""


class Ground(abc.ABC):
    """One cluster and a namespace in it that is the story's own."""

    name: Literal["simulated", "real"]
    namespace: str
    """Fresh for the story, and gone after it."""
    node_names: tuple[str, ...]
    features: frozenset[Feature]
    """Asked by `has`."""
    admin: admins.Admin
    """Its own namespace is the story's."""
    approver: admins.Admin
    """A person who approves, with the rights that deploy/rbac.yaml offers for one, in the story's namespace."""
    speed: float
    """How many times faster the cluster's own waits (back-off, deadlines) are than on a real one."""

    @property
    def patience(self) -> float:
        """How many times longer its changes may take than those of the simulated cluster."""
        return 3.0 if self.name == "real" else 1.0

    def has(self, feature: Feature) -> bool:
        """Where containers run, they do what their behaviour says."""
        return feature in self.features or (feature == "behaviours" and "kubelet" in self.features)

    # --- what a story begins with

    @abc.abstractmethod
    def settings(self) -> dict[str, str]:
        """How bots reach it, without the prefix: kubeconfigs, context, namespace, cluster name."""

    @abc.abstractmethod
    def container(
        self, behaviour: behaviours.Behaviour, *, name: str = "app", version: str = "v1", **fields: Any
    ) -> Object:
        """A container that does this. Another `version` is another template; `fields` as in `manifests.container`."""

    @abc.abstractmethod
    def missing_image(self) -> str:
        """A reference that can never be pulled: nobody answers for its registry, a name under .invalid (RFC 2606)."""

    async def rolled_out(self, kind: str, name: str, within: float = admins.WITHIN) -> Object:
        """The Deployment, StatefulSet or DaemonSet, as soon as all of its pods are of its newest revision and ready."""

        async def done() -> Object | None:
            workload = await self.admin.get(kind, name)
            return workload if _rolled_out(workload) else None

        return await self.admin.until(done, within, f"{kind} {name} is rolled out")

    async def observed(self, kind: str, name: str) -> None:
        """Waits until its controller has taken up the workload as it is now: its revision is the newest one's."""

        async def done() -> bool:
            workload = await self.admin.get(kind, name)
            seen = (workload.get("status") or {}).get("observedGeneration", 0)
            return bool(seen >= workload["metadata"]["generation"])

        await self.admin.until(done, what=f"the controller has taken up {kind} {name}")

    async def established(self, *objects: Object) -> None:
        """Applies them, and lets those that are workloads run for so long that they count as good ones."""
        async with self.earlier():
            for each in objects:
                await self.admin.apply(each)
            for each in objects:
                if each["kind"] in ROLLED_OUT:
                    await self.rolled_out(each["kind"], each["metadata"]["name"])

    @contextlib.asynccontextmanager
    async def earlier(self, seconds: float = OLD_ENOUGH) -> AsyncIterator[None]:
        """What is done inside is older than this afterwards. On a real cluster that is waited for."""
        begun = time.monotonic()
        yield
        await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))

    @abc.abstractmethod
    async def bind(self, role: str) -> None:
        """Gives the bot's writer one of the optional roles of deploy/rbac.yaml: `watchkeeper-writer-jobs` in the
        namespace, `watchkeeper-writer-nodes` in the whole cluster; and `WRITER`, which it has in the namespace, in the
        whole cluster as well."""

    @contextlib.asynccontextmanager
    async def ghost(self) -> AsyncIterator[str]:
        """A node (its name is given) that no machine stands behind, with no room for pods; gone afterwards.

        It is ready at first, and its status says what the story writes into it. On a real cluster its controller finds
        it silent after a while (`node-monitor-grace-period`). Everybody sees it: stories with one are `alone`.
        """
        name = self.ghostly
        self.haunt(name)
        status = {"capacity": {"pods": "0"}, "allocatable": {"pods": "0"}}
        made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}, "status": status}
        await self.admin.create(made)
        await self.report(name)
        try:
            yield name
        finally:
            await self.admin.delete("Node", name, "")

    @property
    def ghostly(self) -> str:
        """The name of the story's ghost."""
        return f"ghost-{self.namespace}"

    @abc.abstractmethod
    def haunt(self, node: str) -> None:
        """Sees to it that nothing runs what is put on this node."""

    async def report(self, node: str, *, since: timedelta = timedelta(0), **conditions: str) -> None:
        """What is known of a ghost (type → status) for so long: unless told otherwise, it is ready."""
        when = (datetime.now(UTC) - since).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = [
            {"type": kind, "status": status, "reason": kind, "lastHeartbeatTime": when, "lastTransitionTime": when}
            for kind, status in {"Ready": "True", **conditions}.items()
        ]
        await self.admin.patch("Node", node, {"status": {"conditions": told}}, "", subresource="status")

    # --- what goes wrong

    @abc.abstractmethod
    async def forbid(self, who: Identity, verb: str, resource: str) -> None:
        """Takes a right of deploy/rbac.yaml away; resource `deployments`, `pods/log` …"""

    @abc.abstractmethod
    async def allow(self, who: Identity, verb: str, resource: str) -> None:
        """Gives it back."""

    @abc.abstractmethod
    async def refuse(self, resource: str, message: str) -> None:
        """An admission policy of the namespace refuses every update of these (`deployments`) with this message."""

    @abc.abstractmethod
    def away(self) -> AbstractAsyncContextManager[None]:
        """The API server is stopped inside, and is back with all that it knew afterwards. Feature `restart`."""

    @abc.abstractmethod
    def silence(self) -> AbstractAsyncContextManager[str]:
        """A node (its name is given) reports nothing inside, as one whose machine is lost. Feature `restart`."""

    @abc.abstractmethod
    async def expire(self) -> None:
        """Resource versions and continue tokens of before are 410 Gone from now on."""

    @abc.abstractmethod
    async def exec(self, pod: str, *argv: str) -> str:
        """What a command prints that a person runs in a pod by `kubectl exec`. Feature `behaviours`."""

    # --- what was done

    @abc.abstractmethod
    async def attempts(self) -> list[Write]:
        """All writes that the bot's writing identity asked for in the namespace and of nodes, in order; dry runs are
        none.

        Feature `journal`.
        """

    @abc.abstractmethod
    async def asked(self) -> list[Write]:
        """All that the bot's writing identity ever asked for but reads: dry runs too, and reviews of its own rights.

        Feature `journal`.
        """

    async def writes(self) -> list[Write]:
        """Those that were carried out. A command that is run in a container switches protocols."""
        return [each for each in await self.attempts() if 200 <= each.status < 300 or each.status == 101]

    async def wrote(self, *expected: str) -> None:
        """Fails unless the bot carried out just these, in this order: `patch deployments api`. Needs no `journal`:
        where nothing is on record, it can say nothing."""
        if self.has("journal"):
            done = [f"{each.verb} {each.resource} {each.name}" for each in await self.writes()]
            assert done == list(expected), f"what the bot wrote: {done}"

    async def untouched(self) -> None:
        """Fails where the bot so much as tried to write. As `wrote`, it says nothing where nothing is on record."""
        if self.has("journal"):
            tried = await self.attempts()
            assert tried == [], f"what the bot tried to write: {tried}"


WRITER = "watchkeeper-writer"
EVERYWHERE = frozenset({WRITER, "watchkeeper-writer-nodes"})
"""Roles that `bind` gives in the whole cluster."""
ROLLED_OUT = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def _rolled_out(workload: Object) -> bool:
    """The steps of `kubectl rollout status`, in one."""
    spec, status = workload["spec"], workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    if workload["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        counts = [status.get(name, 0) for name in ("updatedNumberScheduled", "numberReady", "numberAvailable")]
        return bool(wanted) and counts == [wanted] * 3
    wanted = spec.get("replicas", 1)
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return [status.get(name, 0) for name in names] == [wanted] * 4
