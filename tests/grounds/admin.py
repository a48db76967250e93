"""An administrator of a cluster: a small REST client with which stories break, mend and look at things.

It asks the Kubernetes API alone, so it is the same for every ground. It is no part of what is tested: the bot has
clients of its own. Paths: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
"""

import asyncio
import base64
import contextlib
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import aiohttp
import msgspec
import yaml

Object = dict[str, Any]
Objects = list[Object]
Patch = Literal["strategic", "merge", "json"]
T = TypeVar("T")

WITHIN = 120.0
"""Seconds that a change of the cluster is waited for: a kubelet's back-off is 10 s, 20 s, 40 s …"""
_POLL = 0.2
_TIMEOUT = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True)
class Kind:
    """Where the objects of a kind are: `api` is `v1` or `group/version`."""

    api: str
    plural: str
    namespaced: bool = True

    @property
    def root(self) -> str:
        return f"/api/{self.api}" if "/" not in self.api else f"/apis/{self.api}"


KINDS: Mapping[str, Kind] = {
    "Namespace": Kind("v1", "namespaces", namespaced=False),
    "Node": Kind("v1", "nodes", namespaced=False),
    "Pod": Kind("v1", "pods"),
    "Event": Kind("v1", "events"),
    "Service": Kind("v1", "services"),
    "ConfigMap": Kind("v1", "configmaps"),
    "Secret": Kind("v1", "secrets"),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "ResourceQuota": Kind("v1", "resourcequotas"),
    "LimitRange": Kind("v1", "limitranges"),
    "PersistentVolumeClaim": Kind("v1", "persistentvolumeclaims"),
    "Deployment": Kind("apps/v1", "deployments"),
    "ReplicaSet": Kind("apps/v1", "replicasets"),
    "StatefulSet": Kind("apps/v1", "statefulsets"),
    "DaemonSet": Kind("apps/v1", "daemonsets"),
    "ControllerRevision": Kind("apps/v1", "controllerrevisions"),
    "Job": Kind("batch/v1", "jobs"),
    "CronJob": Kind("batch/v1", "cronjobs"),
    "HorizontalPodAutoscaler": Kind("autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": Kind("policy/v1", "poddisruptionbudgets"),
    "Ingress": Kind("networking.k8s.io/v1", "ingresses"),
    "PriorityClass": Kind("scheduling.k8s.io/v1", "priorityclasses", namespaced=False),
    "Lease": Kind("coordination.k8s.io/v1", "leases"),
    "Role": Kind("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": Kind("rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRole": Kind("rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind("rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False),
    "ValidatingAdmissionPolicy": Kind(
        "admissionregistration.k8s.io/v1", "validatingadmissionpolicies", namespaced=False
    ),
    "ValidatingAdmissionPolicyBinding": Kind(
        "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings", namespaced=False
    ),
}


class Refused(Exception):
    """The API server answered, and the answer is no."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        """The HTTP status: 404, 409, 422 …"""
        self.reason = reason
        """The API's own word for it: NotFound, AlreadyExists, Invalid …"""
        self.message = message


class Unreachable(Exception):
    """No answer came."""


class Admin:
    """One connection as an administrator. Names without a namespace are those of `namespace`."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self._session = session
        self.namespace = namespace

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, kubeconfig: Path, context: str = "", namespace: str = "default") -> AsyncIterator[Self]:
        """Connects by a context of a kubeconfig (the current one when empty): token, or client certificate, and CA."""
        _, user = _access(kubeconfig, context)
        server, tls = way(kubeconfig, context)
        connector = aiohttp.TCPConnector(ssl=tls)
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        async with aiohttp.ClientSession(server, connector=connector, headers=headers, timeout=_TIMEOUT) as session:
            yield cls(session, namespace)

    # --- objects

    async def get(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """The object; Refused 404 where there is none."""
        return await self.ask("GET", self.path(kind, name, namespace))

    async def find(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """As `get`, but None where there is none."""
        try:
            return await self.get(kind, name, namespace)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def list(self, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = "") -> Objects:
        """All of a kind in a namespace (of all where it is ""), each with its kind and apiVersion as `get` has them."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        found = await self.ask(
            "GET", self.path(kind, "", namespace), {name: value for name, value in query.items() if value}
        )
        return [{"apiVersion": KINDS[kind].api, "kind": kind, **item} for item in found.get("items") or ()]

    async def create(self, obj: Object) -> Object:
        """Creates it, in this administrator's namespace where it names none."""
        placed = self._placed(obj)
        return await self.ask("POST", self.path(obj["kind"], "", placed["metadata"].get("namespace")), body=placed)

    async def apply(self, obj: Object) -> Object:
        """Creates it, or merges it into the one that is there: a list that is given replaces the whole list."""
        try:
            return await self.create(obj)
        except Refused as refused:
            if refused.reason != "AlreadyExists":
                raise
        placed = self._placed(obj)
        placed["metadata"].pop("resourceVersion", None)
        metadata = placed["metadata"]
        return await self.patch(obj["kind"], metadata["name"], placed, metadata.get("namespace"), how="merge")

    async def patch(
        self,
        kind: str,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        how: Patch = "strategic",
        subresource: str = "",
    ) -> Object:
        path = self.path(kind, name, namespace, subresource)
        flavour = "json-patch" if how == "json" else f"{'strategic-merge' if how == 'strategic' else how}-patch"
        return await self.ask("PATCH", path, body=patch, content_type=f"application/{flavour}+json")

    async def replace(self, obj: Object) -> Object:
        """Puts it in the place of the one that is there; Refused 409 where its resourceVersion is not the newest."""
        placed = self._placed(obj)
        metadata = placed["metadata"]
        return await self.ask("PUT", self.path(obj["kind"], metadata["name"], metadata.get("namespace")), body=placed)

    async def delete(self, kind: str, name: str, namespace: str | None = None, *, grace: int | None = None) -> None:
        """Deletes it; what it owns goes after it."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        await self.ask("DELETE", self.path(kind, name, namespace), body=options)

    async def evict(self, pod: str, namespace: str | None = None) -> None:
        """Asks for an eviction, as a drain does; Refused 429 where a disruption budget forbids it for now."""
        place = self.namespace if namespace is None else namespace
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": place}}
        await self.ask("POST", self.path("Pod", pod, place, "eviction"), body=body)

    async def exec(self, pod: str, *argv: str, container: str = "", namespace: str | None = None) -> str:
        """What a command prints that is run in a container, as `kubectl exec` does; Refused where its end is not 0.

        https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ and the sub-protocol
        v5.channel.k8s.io: the first byte of a message is its channel, 1 stdout, 2 stderr, 3 the end as a Status.
        """
        query = [("stdout", "true"), ("stderr", "true"), *(("command", word) for word in argv)]
        query += [("container", container)] if container else []
        path = self.path("Pod", pod, namespace, "exec").lstrip("/")
        said: dict[int, bytes] = {}
        try:
            async with self._session.ws_connect(path, params=query, protocols=("v5.channel.k8s.io",)) as socket:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.BINARY and message.data:
                        channel = message.data[0]
                        said[channel] = said.get(channel, b"") + message.data[1:]
        except aiohttp.WSServerHandshakeError as error:
            raise Refused(error.status, "", error.message) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"exec in {pod}: {type(error).__name__}: {error}") from error
        end = msgspec.json.decode(said.get(3) or b"{}", type=Object)
        if end.get("status") != "Success":
            raise Refused(0, str(end.get("reason", "")), str(end.get("message", "")) or "the connection broke off")
        return said.get(1, b"").decode(errors="replace") + said.get(2, b"").decode(errors="replace")

    # --- what is often asked for

    async def pods(self, app: str, namespace: str | None = None) -> Objects:
        """The pods with the label app=`app` that are not being deleted."""
        found = await self.list("Pod", namespace, labels=f"app={app}")
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    async def events(self, name: str = "", reason: str = "", namespace: str | None = None) -> Objects:
        """Events about objects whose name begins with `name`, with that reason."""
        return [
            event
            for event in await self.list("Event", namespace)
            if event["involvedObject"].get("name", "").startswith(name) and reason in ("", event.get("reason"))
        ]

    async def logs(self, pod: str, container: str = "", namespace: str | None = None, *, previous: bool = False) -> str:
        query = {"container": container} if container else {}
        if previous:
            query["previous"] = "true"
        status, body = await self._send("GET", self.path("Pod", pod, namespace, "log"), query)
        if status >= 400:
            raise _refusal(status, body)
        return body.decode(errors="replace")

    async def until(
        self, found: Callable[[], Awaitable[T | None]], within: float = WITHIN, what: str = "the cluster changes"
    ) -> T:
        """What `found` returns, as soon as it is true. Where no answer comes it asks again."""
        ends, last = time.monotonic() + within, ""
        while time.monotonic() < ends:
            try:
                answer = await found()
            except Unreachable as unreachable:
                last = str(unreachable)
            else:
                if answer:
                    return answer
                last = repr(answer)
            await asyncio.sleep(_POLL)
        raise AssertionError(f"not within {within:g} s: {what}; last: {last[:2000]}")

    # --- requests

    def path(self, kind: str, name: str = "", namespace: str | None = None, subresource: str = "") -> str:
        """`/apis/apps/v1/namespaces/web/deployments/api/scale`; KeyError for a kind that is not in the table."""
        known = KINDS[kind]
        place = self.namespace if namespace is None else namespace
        middle = f"/namespaces/{place}" if known.namespaced and place else ""
        return "/".join(filter(None, (f"{known.root}{middle}/{known.plural}", name, subresource)))

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Object:
        """One request of any kind, answered by JSON. Raises Refused or Unreachable."""
        status, answer = await self._send(method, path, query or {}, body, content_type)
        if status >= 400:
            raise _refusal(status, answer)
        return msgspec.json.decode(answer, type=Object)

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Any = None, content_type: str = ""
    ) -> tuple[int, bytes]:
        headers = {"Content-Type": content_type} if body is not None else {}
        try:
            async with self._session.request(
                method, path.lstrip("/"), params=query, json=body, headers=headers
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{method} {path}: {type(error).__name__}: {error}") from error

    def _placed(self, obj: Object) -> Object:
        """A copy that names its namespace: its own, or else this administrator's; none where its kind has none."""
        metadata = {**obj["metadata"], "namespace": obj["metadata"].get("namespace") or self.namespace}
        if not KINDS[obj["kind"]].namespaced:
            del metadata["namespace"]
        return {**obj, "metadata": metadata}


def _refusal(status: int, answer: bytes) -> Refused:
    """From a Status object, or from whatever else stands in the answer."""
    try:
        said = msgspec.json.decode(answer, type=Object)
    except msgspec.DecodeError:
        return Refused(status, "", answer.decode(errors="replace").strip())
    return Refused(status, str(said.get("reason", "")), str(said.get("message", "")))


# --- kubeconfig


def way(kubeconfig: Path, context: str) -> tuple[str, ssl.SSLContext | bool]:
    """The URL of a context's server, with a slash at its end, and what the connection to it is checked with."""
    cluster, user = _access(kubeconfig, context)
    return str(cluster["server"]).rstrip("/") + "/", _tls(cluster, user, kubeconfig.parent)


def _access(kubeconfig: Path, context: str) -> tuple[Object, Object]:
    """(cluster, user) of a context, the user's token read where it stands in a file of its own."""
    document = yaml.safe_load(kubeconfig.read_text())
    wanted = _named(document, "context", context or document["current-context"])
    user = dict(_named(document, "user", wanted["user"]))
    if "tokenFile" in user:
        user["token"] = (kubeconfig.parent / user["tokenFile"]).read_text().strip()
    return _named(document, "cluster", wanted["cluster"]), user


def _named(document: Object, noun: str, name: str) -> Object:
    found: Object = next(entry[noun] for entry in document[f"{noun}s"] if entry["name"] == name)
    return found


def _tls(cluster: Object, user: Object, folder: Path) -> ssl.SSLContext | bool:
    """What the connection is checked and signed with; True (as it comes) for a plain http server."""
    if not str(cluster["server"]).startswith("https"):
        return True
    ca = _pem(cluster, "certificate-authority", folder)
    tls = ssl.create_default_context(cadata=ca.decode() if ca else None)
    certificate, key = _pem(user, "client-certificate", folder), _pem(user, "client-key", folder)
    if certificate and key:
        with tempfile.NamedTemporaryFile() as held:  # the ssl module takes these from a file only
            held.write(certificate + b"\n" + key)
            held.flush()
            tls.load_cert_chain(held.name)
    return tls


def _pem(entry: Object, name: str, folder: Path) -> bytes:
    """`name`-data as it stands there, or the file that `name` says, by the folder of the kubeconfig; else nothing."""
    if f"{name}-data" in entry:
        return base64.b64decode(entry[f"{name}-data"])
    return (folder / entry[name]).read_bytes() if name in entry else b""
