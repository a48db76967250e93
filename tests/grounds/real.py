"""A real cluster as a ground: one that tests/cluster starts, or any other that a kubeconfig names.

Each story gets a namespace of its own, and in it a reader, a writer and an approver with exactly the rights of
deploy/rbac.yaml, by roles of their own, so that a story may take a right away. Stories run beside each other on it.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from tests.cluster import cluster as clusters
from tests.cluster import images, places
from tests.grounds import admin, behaviours, ground, manifests
from tests.grounds.admin import Object, Objects

_RBAC = Path(__file__).resolve().parents[2] / "deploy" / "rbac.yaml"
_ROLES = "rbac.authorization.k8s.io"
_NETWORK_BUSYBOX = {"v1": "busybox:1.36.1", "v2": "busybox:1.36.0", "v3": "busybox:1.35.0"}
"""What a cluster that is not ours pulls instead of the images that ours is given."""
Person = Literal["reader", "writer", "approver"]
PEOPLE: tuple[Person, ...] = ("reader", "writer", "approver")
_CONTEXT = "real"


class Real(ground.Ground):
    """Opened by `open`."""

    name = "real"
    speed = 1.0

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.namespace = f"wk-{secrets.token_hex(3)}"
        self._folder = folder
        self._where = places.of(kubeconfig)
        self._rights: dict[Person, Objects] = {}
        self._more: list[tuple[str, str]] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, kubeconfig: Path, folder: Path) -> AsyncIterator[Self]:
        """A fresh namespace with its identities; all of it is removed afterwards."""
        found = cls(kubeconfig, folder)
        async with admin.Admin.open(kubeconfig, namespace=found.namespace) as found.admin:
            nodes = await found.admin.list("Node")
            found.node_names = tuple(node["metadata"]["name"] for node in nodes)
            found.features = frozenset(found._features(nodes))
            try:
                await found._move_in(kubeconfig)
                approver = folder / "approver.kubeconfig"
                async with admin.Admin.open(approver, namespace=found.namespace) as found.approver:
                    yield found
            finally:
                await found._move_out()

    def _features(self, nodes: Objects) -> list[ground.Feature]:
        played = any("kwok" in node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes)
        features: list[ground.Feature] = [] if played else ["kubelet"]
        if self._where is not None:
            features += ["restart", "journal"]
        if len(nodes) > 1:
            features += ["nodes"]
        return features

    # --- identities

    async def _move_in(self, kubeconfig: Path) -> None:
        await self.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        account = self.admin.path("ServiceAccount", "default")
        await self.admin.until(lambda: self._is_there(account), what="the namespace has its account for pods")
        shipped = {role["metadata"]["name"]: role["rules"] for role in _shipped() if role["kind"] == "ClusterRole"}
        for who in PEOPLE:
            self._rights[who] = shipped[f"watchkeeper-{who}"]
            for obj in self._identity(who):
                await self.admin.create(obj)
            path = self.admin.path("ServiceAccount", _account(who), self.namespace, "token")
            request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            token = (await self.admin.ask("POST", path, body=request))["status"]["token"]
            _write_kubeconfig(kubeconfig, self._folder / f"{who}.kubeconfig", who, token)

    async def _is_there(self, path: str) -> bool:
        try:
            await self.admin.ask("GET", path)
        except admin.Refused as refused:
            if refused.status != 404:
                raise
            return False
        return True

    def _identity(self, who: Person) -> Objects:
        """The reader sees the whole cluster; the others act in the namespace alone, as deploy/rbac.yaml offers."""
        name = f"{_account(who)}-{self.namespace}"
        everywhere = who == "reader"
        binding: Object = {
            "apiVersion": f"{_ROLES}/v1",
            "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": _ROLES, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": _account(who), "namespace": self.namespace}],
        }
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _account(who)}}
        return [account, self._role(who), binding]

    def _role(self, who: Person) -> Object:
        name = f"{_account(who)}-{self.namespace}"
        rules = self._rights[who]
        return {"apiVersion": f"{_ROLES}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}

    async def _move_out(self) -> None:
        """What is in no namespace goes by name; the rest goes with the namespace, which nobody has to wait for."""
        gone = [("ClusterRole", f"{_account(who)}-{self.namespace}") for who in PEOPLE]
        gone += [("ClusterRoleBinding", f"{_account('reader')}-{self.namespace}")]
        gone += [(kind, self.namespace) for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy")]
        for kind, name in (*gone, *self._more, ("Namespace", self.namespace)):
            with contextlib.suppress(admin.Refused):
                await self.admin.delete(kind, name, "", grace=0)

    # --- what a story begins with

    def settings(self) -> dict[str, str]:
        return {
            "KUBECONFIG": str(self._folder / "reader.kubeconfig"),
            "WRITER_KUBECONFIG": str(self._folder / "writer.kubeconfig"),
            "CONTEXTS": _CONTEXT,
            "INCLUDE_NAMESPACES": self.namespace,
        }

    def container(
        self, behaviour: behaviours.Behaviour, *, name: str = "app", version: str = "v1", **fields: Any
    ) -> Object:
        image = f"{images.REPOSITORY}:{version}" if self._where is not None else _NETWORK_BUSYBOX[version]
        return manifests.container(name, image, command=("sh", "-c", behaviour.script()), **fields)

    def missing_image(self) -> str:
        """A host that no resolver knows: https://www.rfc-editor.org/rfc/rfc6761#section-6.4"""
        return f"registry.invalid/{self.namespace}/app:v9"

    async def established(self, *objects: Object) -> None:
        """Their time begins when the controllers have seen them, which just after an outage takes a while."""
        workloads = [each for each in objects if each["kind"] in ground.ROLLED_OUT]
        for each in objects:
            await self.admin.apply(each)
        for each in workloads:
            await self.observed(each["kind"], each["metadata"]["name"])
        async with self.earlier():
            for each in workloads:
                await self.rolled_out(each["kind"], each["metadata"]["name"])

    # --- what goes wrong

    async def bind(self, role: str) -> None:
        name = f"bound-{role}-{self.namespace}"
        rules = next(each["rules"] for each in _shipped() if _is_role(each, role))
        api, everywhere = f"{_ROLES}/v1", role in ground.EVERYWHERE
        account = {"kind": "ServiceAccount", "name": _account("writer"), "namespace": self.namespace}
        await self._make({"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
        await self._make(
            {
                "apiVersion": api,
                "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": _ROLES, "kind": "ClusterRole", "name": name},
                "subjects": [account],
            }
        )

        async def followed() -> bool:
            asked = [(verb, plural) for rule in rules for plural in rule["resources"] for verb in rule["verbs"]]
            return all([await self._may("writer", verb, plural) for verb, plural in asked])

        await self.admin.until(followed, what=f"the writer has what {role} gives")

    def haunt(self, node: str) -> None:
        """No kubelet goes by this name."""

    async def _make(self, obj: Object) -> None:
        """What is in no namespace does not go with it."""
        await self.admin.create(obj)
        if not admin.KINDS[obj["kind"]].namespaced:
            self._more.append((obj["kind"], obj["metadata"]["name"]))

    async def forbid(self, who: ground.Identity, verb: str, resource: str) -> None:
        self._rights[who] = [part for rule in self._rights[who] for part in _without(rule, verb, resource)]
        await self._change_rights(who, verb, resource, allowed=False)

    async def allow(self, who: ground.Identity, verb: str, resource: str) -> None:
        rule = {"apiGroups": [_group(resource)], "resources": [resource], "verbs": [verb]}
        self._rights[who] = [*self._rights[who], rule]
        await self._change_rights(who, verb, resource, allowed=True)

    async def _change_rights(self, who: ground.Identity, verb: str, resource: str, *, allowed: bool) -> None:
        """The authorizer follows the change of a role within moments, by a watch: it is asked until it has."""
        role = await self.admin.replace(self._role(who))
        assert role["rules"] == self._rights[who]

        async def followed() -> bool:
            return await self._may(who, verb, resource) == allowed

        await self.admin.until(followed, what=f"the {who} may{'' if allowed else ' not'} {verb} {resource}")

    async def _may(self, who: ground.Identity, verb: str, resource: str) -> bool:
        """https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access"""
        plural, _, subresource = resource.partition("/")
        asked = {"namespace": self.namespace, "verb": verb, "group": _group(resource), "resource": plural}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{self.namespace}:{_account(who)}",
                "resourceAttributes": {**asked, "subresource": subresource},
            },
        }
        answer = await self.admin.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)
        return bool(answer["status"]["allowed"])

    async def refuse(self, resource: str, message: str) -> None:
        kind = next(kind for kind in admin.KINDS.values() if kind.plural == resource)
        group, _, version = kind.api.rpartition("/")
        rule = {"apiGroups": [group], "apiVersions": [version], "operations": ["UPDATE"], "resources": [resource]}
        here = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        policy = {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": here},
            "validations": [{"expression": "false", "message": message}],
        }
        await self._admit("ValidatingAdmissionPolicy", policy)
        await self._admit(
            "ValidatingAdmissionPolicyBinding", {"policyName": self.namespace, "validationActions": ["Deny"]}
        )
        await self.admin.until(lambda: self._refuses(kind), what="the policy is in force")

    async def _admit(self, kind: str, spec: Object) -> None:
        api = admin.KINDS[kind].api
        await self.admin.create({"apiVersion": api, "kind": kind, "metadata": {"name": self.namespace}, "spec": spec})

    async def _refuses(self, kind: admin.Kind) -> bool:
        """Whether an update that changes nothing, of any of these objects, is refused."""
        name = next(name for name, each in admin.KINDS.items() if each == kind)
        first = (await self.admin.list(name))[0]["metadata"]["name"]
        try:
            await self.admin.ask(
                "PATCH",
                self.admin.path(name, first),
                {"dryRun": "All"},
                body={"metadata": {"annotations": {"probe": secrets.token_hex(2)}}},
                content_type="application/merge-patch+json",
            )
        except admin.Refused:
            return True
        return False

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """A kubelet is back within seconds. Controllers, and what plays nodes, come back one by one within minutes, as
        long as each has waited by then: they are started anew, so that the story can go on."""
        cluster = self._cluster()
        late = ["kube-controller-manager", "kube-scheduler", *([] if self.has("kubelet") else ["kwok"])]
        await asyncio.to_thread(cluster.stop, "kube-apiserver")
        try:
            yield
        finally:
            await asyncio.to_thread(cluster.start, "kube-apiserver")
            for each in late:
                await asyncio.to_thread(cluster.stop, each)
                await asyncio.to_thread(cluster.start, each)

    @contextlib.asynccontextmanager
    async def silence(self) -> AsyncIterator[str]:
        """Where nodes are played, all of them are silent at once."""
        cluster = self._cluster()
        agent = "kubelet" if self.has("kubelet") else "kwok"
        await asyncio.to_thread(cluster.stop, agent)
        try:
            yield self.node_names[0]
        finally:
            await asyncio.to_thread(cluster.start, agent)

    async def expire(self) -> None:
        """Compacts etcd, and starts the API server anew, whose cache would know the old versions still."""
        cluster = self._cluster()
        await self.admin.apply(manifests.config_map("later"))  # the newest version is never compacted
        await asyncio.to_thread(cluster.compact)
        async with self.away():
            pass

    async def exec(self, pod: str, *argv: str) -> str:
        return await self.admin.exec(pod, *argv)

    def _cluster(self) -> clusters.Cluster:
        if self._where is None:
            raise ground.Lacking("its API server is not ours to stop")
        return clusters.Cluster(self._where)

    # --- what was done

    async def attempts(self) -> list[ground.Write]:
        """From the API server's audit log, which is written before a request is answered."""
        events = await self._of_the_writer()
        return [_write(event) for event in events if _is_write(event, self.namespace)]

    async def asked(self) -> list[ground.Write]:
        return [_write(event) for event in await self._of_the_writer() if event["stage"] != "RequestReceived"]

    async def _of_the_writer(self) -> Objects:
        if self._where is None:
            raise ground.Lacking("its audit log is not ours to read")
        return await asyncio.to_thread(self._from_audit_log, self._where.audit_log)

    def _from_audit_log(self, path: Path) -> Objects:
        user = f"system:serviceaccount:{self.namespace}:{_account('writer')}"
        found = []
        with path.open() as log:
            for line in log:
                if user in line:
                    event = json.loads(line)
                    if event["user"]["username"] == user:
                        found.append(event)
        return found


def _account(who: Person) -> str:
    return f"watchkeeper-{who}"


def _group(resource: str) -> str:
    plural = resource.partition("/")[0]
    return next(kind.api.rpartition("/")[0] for kind in admin.KINDS.values() if kind.plural == plural)


def _shipped() -> Objects:
    return [each for each in yaml.safe_load_all(_RBAC.read_text()) if each is not None]


def _is_role(obj: Object, name: str) -> bool:
    return bool(obj["kind"] == "ClusterRole" and obj["metadata"]["name"] == name)


def _without(rule: Object, verb: str, resource: str) -> Objects:
    """A rule as rules that say the same but for one right."""
    if resource not in rule["resources"] or verb not in rule["verbs"]:
        return [rule]
    others = [each for each in rule["resources"] if each != resource]
    verbs = [each for each in rule["verbs"] if each != verb]
    parts = [{**rule, "resources": others}] if others else []
    return parts + ([{**rule, "resources": [resource], "verbs": verbs}] if verbs else [])


def _write_kubeconfig(source: Path, target: Path, user: str, token: str) -> None:
    """The cluster of the source's current context, with a token instead of its user."""
    config = yaml.safe_load(source.read_text())
    context = next(each for each in config["contexts"] if each["name"] == config["current-context"])
    cluster = next(each for each in config["clusters"] if each["name"] == context["context"]["cluster"])
    found = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": _CONTEXT,
        "clusters": [{"name": "here", "cluster": cluster["cluster"]}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": _CONTEXT, "context": {"cluster": "here", "user": user}}],
    }
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(found))


def _is_write(event: Mapping[str, Any], namespace: str) -> bool:
    asked = event.get("objectRef") or {}
    concerned = asked.get("namespace") == namespace or asked.get("resource") == "nodes"
    return event["stage"] in ("ResponseComplete", "Panic") and concerned and not _dry_run(event)


def _dry_run(event: Mapping[str, Any]) -> bool:
    """Of a delete that has options in its body, the API server reads none from the query."""
    options = event.get("requestObject") or {}
    if event["verb"] == "delete" and options:
        return bool(options.get("dryRun"))
    return "dryRun=" in event["requestURI"]


def _write(event: Mapping[str, Any]) -> ground.Write:
    """https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/"""
    asked = event["objectRef"]
    plural = "/".join(part for part in (asked["resource"], asked.get("subresource")) if part)
    status = int((event.get("responseStatus") or {}).get("code", 0))
    other = (event.get("impersonatedUser") or {}).get("username", "")
    return ground.Write(event["verb"], plural, asked.get("name", ""), event["user"]["username"], status, other)
