"""The simulated cluster as a ground: in this process, twenty times faster than life, with no container that runs."""

import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import yaml

from demo.cluster import ApiError, SimulatedCluster, access
from demo.cluster.api import parse_path
from demo.cluster.journal import Entry
from demo.cluster.objects import name_of, namespace_of
from demo.cluster.resources import Resource, resource
from tests.grounds import admin, behaviours, ground, manifests
from tests.grounds.admin import Object

SPEED = 20.0
WRITER, APPROVER = "writer", "approver"
_RBAC = Path(__file__).parents[2] / "deploy" / "rbac.yaml"
_NOWHERE = "registry.invalid"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Simulated(ground.Ground):
    """Opened by `open`. `cluster` is for stories that are told on the simulation alone."""

    name = "simulated"
    features = frozenset({"behaviours", "restart", "nodes", "journal"})

    def __init__(self, folder: Path, speed: float = SPEED) -> None:
        self.speed = speed
        self._behind = timedelta()
        self.namespace = f"wk-{secrets.token_hex(3)}"
        self.cluster = SimulatedCluster("empty", speed=speed, clock=lambda: datetime.now(UTC) - self._behind)
        self._kubeconfig = folder / "kubeconfig"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path, speed: float = SPEED) -> AsyncIterator[Self]:
        """A cluster of its own, closed again. None of its controllers may have failed meanwhile."""
        found = cls(folder, speed)
        async with found.cluster as cluster:
            cluster.write_kubeconfig(found._kubeconfig)
            found.node_names = tuple(name_of(node) for node in cluster.list("nodes"))
            approver = found._make_approver(folder / "approver.kubeconfig")
            async with (
                admin.Admin.open(found._kubeconfig, "demo-admin", found.namespace) as found.admin,
                admin.Admin.open(approver, namespace=found.namespace) as found.approver,
            ):
                await found.admin.create(manifests.namespace(found.namespace))
                yield found
        assert cluster.manager.failures == []

    def _make_approver(self, kubeconfig: Path) -> Path:
        """One more user of the cluster, with the rights of the ClusterRole watchkeeper-approver in the namespace."""
        token = f"{APPROVER}-{secrets.token_hex(12)}"
        users = self.cluster.access
        users.tokens[token] = APPROVER
        rules = _rules_of("watchkeeper-approver")
        users.bindings[APPROVER] = [access.Binding(APPROVER, rules, f'User "{APPROVER}"', self.namespace)]
        config = yaml.safe_load(self.cluster.kubeconfig("admin"))
        next(each for each in config["users"] if each["name"] == "admin")["user"] = {"token": token}
        kubeconfig.write_text(yaml.safe_dump(config))
        return kubeconfig

    def settings(self) -> dict[str, str]:
        return {
            "KUBECONFIG": str(self._kubeconfig),
            "CONTEXTS": "demo",
            "WRITER_USER": WRITER,
            "INCLUDE_NAMESPACES": self.namespace,
        }

    def container(
        self, behaviour: behaviours.Behaviour, *, name: str = "app", version: str = "v1", **fields: Any
    ) -> Object:
        """With an image of this behaviour alone, which is published now."""
        mark = hashlib.sha256(repr(behaviour.args).encode()).hexdigest()[:6]
        repository = f"grounds/{behaviour.name}-{mark}"
        self.cluster.images.publish(repository, version, program=behaviour.program())
        return manifests.container(name, f"{repository}:{version}", **fields)

    def missing_image(self) -> str:
        self.cluster.images.make_unreachable(_NOWHERE)
        return f"{_NOWHERE}/{self.namespace}/app:v9"

    @contextlib.asynccontextmanager
    async def earlier(self, seconds: float = ground.OLD_ENOUGH) -> AsyncIterator[None]:
        """The cluster's clock is behind meanwhile."""
        self._behind = timedelta(seconds=2 * seconds)
        try:
            yield
        finally:
            self._behind = timedelta()

    async def bind(self, role: str) -> None:
        if role != ground.WRITER:  # which it has everywhere here
            self.cluster.bind(WRITER, role, "" if role in ground.EVERYWHERE else self.namespace)

    def haunt(self, node: str) -> None:
        self.cluster.nodes.kubelets.cut_off.add(node)

    async def forbid(self, who: ground.Identity, verb: str, resource: str) -> None:
        self.cluster.forbid(who, verb, resource, self._place(resource))

    async def allow(self, who: ground.Identity, verb: str, resource: str) -> None:
        self.cluster.allow(who, verb, resource, self._place(resource))

    def _place(self, plural: str) -> str | None:
        """Where a right is taken: in the story's namespace, or everywhere for what is in none."""
        return self.namespace if resource(plural.partition("/")[0]).namespaced else None

    async def refuse(self, resource: str, message: str) -> None:
        """In the words and with the code (422) of a ValidatingAdmissionPolicy that gives no reason of its own."""

        def policy(operation: str, kind: Resource, obj: Object) -> bool:
            if operation != "UPDATE" or kind.plural != resource or namespace_of(obj) != self.namespace:
                return False
            told = f"ValidatingAdmissionPolicy 'story' with binding 'story' denied request: {message}"
            raise ApiError(422, "Invalid", f'{kind.qualified} "{name_of(obj)}" is forbidden: {told}')

        self.cluster.deny_admission(policy, message)

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Every connection is closed at once."""
        self.cluster.faults.unreachable = True
        try:
            yield
        finally:
            self.cluster.faults.unreachable = False

    @contextlib.asynccontextmanager
    async def silence(self) -> AsyncIterator[str]:
        name = self.node_names[0]
        self.cluster.nodes.lose(name)
        try:
            yield name
        finally:
            self.cluster.nodes.recover(name)

    async def expire(self) -> None:
        self.cluster.compact()

    async def exec(self, pod: str, *argv: str) -> str:
        return await self.admin.exec(pod, *argv)

    async def attempts(self) -> list[ground.Write]:
        entries = (entry for entry in self.cluster.journal.attempts if entry.user == WRITER)
        return [found for entry in entries if (found := self._write(entry)) is not None]

    async def asked(self) -> list[ground.Write]:
        entries = (entry for entry in self.cluster.journal if entry.user == WRITER and entry.method in _VERBS)
        return [ground.Write(_VERBS[entry.method], entry.path, "", entry.user, entry.status) for entry in entries]

    def _write(self, entry: Entry) -> ground.Write | None:
        target = parse_path(entry.path)
        if target is None or (target.namespace != self.namespace and target.resource.plural != "nodes"):
            return None
        plural = f"{target.resource.plural}/{target.subresource}" if target.subresource else target.resource.plural
        made = entry.body if isinstance(entry.body, dict) and not target.name else {}
        name = target.name or str(made.get("metadata", {}).get("name", ""))
        verb = _VERBS.get(entry.method, "get") if target.name or entry.method != "DELETE" else "deletecollection"
        return ground.Write(verb, plural, name, entry.user, entry.status, entry.impersonated)


def _rules_of(role: str) -> tuple[access.PolicyRule, ...]:
    """The rules of a ClusterRole of deploy/rbac.yaml."""
    documents = yaml.safe_load_all(_RBAC.read_text())
    found = next(each for each in documents if each["kind"] == "ClusterRole" and each["metadata"]["name"] == role)
    return tuple(
        access.PolicyRule(tuple(rule["apiGroups"]), tuple(rule["resources"]), tuple(rule["verbs"]))
        for rule in found["rules"]
    )
