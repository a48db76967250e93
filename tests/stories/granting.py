"""A writing identity with exactly the roles that `watchkeeper rbac` prints, on whichever ground, and changes of them.

On a real cluster the printed documents are applied as they are, but for the namespace of the service account, which is
the story's. The simulated cluster keeps no roles as objects: there the same rules are bound to its writer.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from bot import access_page
from demo.cluster import access as simulated_access
from k8s import access, policy
from k8s.client import connection, reader
from tests import grounds
from tests.grounds import admin, simulated

Object = dict[str, Any]
ROLES = ("Role", "ClusterRole")
BINDINGS = ("RoleBinding", "ClusterRoleBinding")


class Writer:
    """The identity. `keys` are all rights that the printed roles give it."""

    def __init__(self, ground: grounds.Ground, folder: Path, rules: policy.Policy, impersonated: Sequence[str]) -> None:
        self._ground = ground
        self._folder = folder
        self._prefix = f"wk-{secrets.token_hex(3)}"
        wanted = access_page.Wanted(self._prefix, impersonated=tuple(impersonated))
        printed = [each for each in yaml.safe_load_all(access_page.text(rules, wanted)) if each]
        self._documents = [each for each in printed if not each["metadata"]["name"].endswith("-reader")]
        self._given: dict[str, list[Object]] = {}
        self.reader: reader.Reader
        self.over: connection.Connection

    @classmethod
    @contextlib.asynccontextmanager
    async def made(
        cls,
        ground: grounds.Ground,
        folder: Path,
        rules: policy.Policy | None = None,
        impersonated: Sequence[str] = (),
    ) -> AsyncIterator["Writer"]:
        """With all of its roles; what is in no namespace is removed afterwards."""
        found = cls(ground, folder, rules or policy.Policy(), impersonated)
        try:
            found.over = await connection.Connection.open(await found._identity())
            found.reader = reader.Reader(found.over)
            await found.has(found.roles)
            yield found
        finally:
            if hasattr(found, "over"):
                await found.over.close()
            await found._remove()

    @property
    def roles(self) -> dict[str, list[Object]]:
        """Name of each printed role → its rules."""
        return {each["metadata"]["name"]: each["rules"] for each in self._documents if each["kind"] in ROLES}

    def without(self, key: access.Key) -> dict[str, list[Object]]:
        return {name: [part for rule in rules for part in _split(rule, key)] for name, rules in self.roles.items()}

    async def has(self, roles: dict[str, list[Object]]) -> None:
        """These roles instead of those before, and it is waited until the authorizer goes by them."""
        before, self._given = self._given, roles
        if isinstance(self._ground, simulated.Simulated):
            self._ground.cluster.access.bindings[simulated.WRITER] = [
                simulated_access.Binding(name, tuple(map(_as_rule, rules)), 'User "writer"')
                for name, rules in roles.items()
            ]
            return
        for document in self._documents:
            name = document["metadata"]["name"]
            if document["kind"] in ROLES and before.get(name) != roles[name]:
                await self._ground.admin.apply({**document, "rules": roles[name]})
        for key in _keys(roles) ^ _keys(before):
            await self._settled(key, allowed=key in _keys(roles))

    async def _settled(self, key: access.Key, *, allowed: bool) -> None:
        group, resource, verb = key
        space = "" if resource in ("nodes", "users", "groups") else self._ground.namespace

        async def followed() -> bool:
            return await self.reader.can_i(verb, resource, space, group=group, name=_named(self.roles, key)) == allowed

        await self._ground.admin.until(followed, what=f"the writer may{'' if allowed else ' not'} {verb} {resource}")

    async def _identity(self) -> connection.ClusterAccess:
        settings = self._ground.settings()
        if isinstance(self._ground, simulated.Simulated):
            return connection.ClusterAccess("here", Path(settings["KUBECONFIG"]), "demo", user=simulated.WRITER)
        for document in self._documents:
            if document["kind"] not in (*ROLES, "Namespace"):
                await self._ground.admin.create(self._moved(document))
        path = self._ground.admin.path("ServiceAccount", f"{self._prefix}-writer", None, "token")
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        config = _read(Path(settings["WRITER_KUBECONFIG"]))
        token = (await self._ground.admin.ask("POST", path, body=request))["status"]["token"]
        config["users"][0]["user"] = {"token": token}
        kubeconfig = self._folder / "granted.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        return connection.ClusterAccess("here", kubeconfig)

    def _moved(self, document: Object) -> Object:
        """Its service account is in the story's namespace."""
        moved = yaml.safe_load(yaml.safe_dump(document))
        if document["kind"] == "ServiceAccount":
            moved["metadata"]["namespace"] = self._ground.namespace
        for subject in moved.get("subjects") or ():
            subject["namespace"] = self._ground.namespace
        return dict(moved)

    async def _remove(self) -> None:
        if isinstance(self._ground, simulated.Simulated):
            return
        for document in self._documents:
            if document["kind"] in ("ClusterRole", "ClusterRoleBinding"):
                with contextlib.suppress(admin.Refused):
                    await self._ground.admin.delete(document["kind"], document["metadata"]["name"], "")


def _read(kubeconfig: Path) -> Object:
    return dict(yaml.safe_load(kubeconfig.read_text()))


def _keys(roles: dict[str, list[Object]]) -> set[access.Key]:
    return set(keys(rule for rules in roles.values() for rule in rules))


def keys(rules: Iterable[Object]) -> Iterable[access.Key]:
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield group, resource, verb


def _named(roles: dict[str, list[Object]], key: access.Key) -> str:
    """A name that the rule of this right is for; empty where it is for all."""
    for rules in roles.values():
        for rule in rules:
            if key in keys([rule]):
                return str((rule.get("resourceNames") or [""])[0])
    return ""


def _split(rule: Object, key: access.Key) -> list[Object]:
    """The rule as rules that say the same but for one right."""
    if key not in keys([rule]):
        return [rule]
    group, resource, verb = key
    others = [each for each in rule["resources"] if each != resource]
    verbs = [each for each in rule["verbs"] if each != verb]
    assert rule["apiGroups"] == [group]
    parts = [{**rule, "resources": others}] if others else []
    return parts + ([{**rule, "resources": [resource], "verbs": verbs}] if verbs else [])


def _as_rule(rule: Object) -> simulated_access.PolicyRule:
    return simulated_access.PolicyRule(
        tuple(rule["apiGroups"]),
        tuple(rule["resources"]),
        tuple(rule["verbs"]),
        names=tuple(rule.get("resourceNames") or ()),
    )


@contextlib.asynccontextmanager
async def impersonating(ground: grounds.Ground, user: str, group: str) -> AsyncIterator[None]:
    """Inside, the writer of the ground may ask in the name of this user of this group, and of nobody else."""
    rules = [
        {"apiGroups": [""], "resources": [plural], "verbs": ["impersonate"], "resourceNames": [name]}
        for plural, name in (("users", user), ("groups", group))
    ]
    if isinstance(ground, simulated.Simulated):
        given = simulated_access.Binding("impersonator", tuple(map(_as_rule, rules)), 'User "writer"')
        ground.cluster.access.bindings[simulated.WRITER].append(given)
        yield
        return
    roles, name = "rbac.authorization.k8s.io", f"wk-impersonator-{ground.namespace}"
    account = {"kind": "ServiceAccount", "name": "watchkeeper-writer", "namespace": ground.namespace}
    role = {"apiVersion": f"{roles}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    binding = {
        "apiVersion": f"{roles}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": roles, "kind": "ClusterRole", "name": name},
        "subjects": [account],
    }
    for each in (role, binding):
        await ground.admin.create(each)
    try:
        yield
    finally:
        for each in (binding, role):
            await ground.admin.delete(str(each["kind"]), name, "")


async def give_group(ground: grounds.Ground, group: str, verb: str, resource: str) -> None:
    """A right in the story's namespace, to whoever is in this group."""
    api = next(kind.api for kind in admin.KINDS.values() if kind.plural == resource)
    rule: Object = {"apiGroups": [api.rpartition("/")[0]], "resources": [resource], "verbs": [verb]}
    if isinstance(ground, simulated.Simulated):
        given = simulated_access.Binding("group", (_as_rule(rule),), f'Group "{group}"', ground.namespace)
        ground.cluster.access.bindings[f"{simulated_access.GROUP}{group}"] = [given]
        return
    roles = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{roles}/v1", "kind": "Role", "metadata": {"name": "group"}, "rules": [rule]}
    subject = {"apiGroup": roles, "kind": "Group", "name": group}
    binding = {
        "apiVersion": f"{roles}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "group"},
        "roleRef": {"apiGroup": roles, "kind": "Role", "name": "group"},
        "subjects": [subject],
    }
    for each in (role, binding):
        await ground.admin.create(each)
