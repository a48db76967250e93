"""One case on one ground: what it builds with, what the API server shows of it, and what it answered.

Called by `cases` (building), `recording` (writing it down) and the tests (comparing it).
"""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from demo.cluster import images
from tests.grounds import admin as admins
from tests.grounds import behaviours, ground, manifests, simulated
from tests.grounds.admin import Object, Objects

WITHIN = 150.0
"""Seconds that a case is given to settle on a real cluster: a CronJob waits for the minute, an autoscaler 15 s."""

UNHURRIED = 600
_SERVING = behaviours.serving()

LISTS: Mapping[str, str] = {
    "pods": "api/v1",
    "events": "api/v1",
    "services": "api/v1",
    "resourcequotas": "api/v1",
    "persistentvolumeclaims": "api/v1",
    "deployments": "apis/apps/v1",
    "replicasets": "apis/apps/v1",
    "statefulsets": "apis/apps/v1",
    "daemonsets": "apis/apps/v1",
    "jobs": "apis/batch/v1",
    "cronjobs": "apis/batch/v1",
    "horizontalpodautoscalers": "apis/autoscaling/v2",
    "poddisruptionbudgets": "apis/policy/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
}
"""What is taken of a namespace: no Secret, and no ConfigMap, for each namespace has one with the cluster's CA."""
CLUSTER_WIDE: Mapping[str, str] = {"namespaces": "api/v1", "nodes": "api/v1"}


@dataclass(frozen=True)
class Answer:
    """What one request was answered: `body` is the JSON, or the text where it is none."""

    status: int
    body: Any


@dataclass(frozen=True)
class Taken:
    """What the API server gave, as it gave it but without managedFields."""

    taken_at: datetime
    namespace: str
    lists: Mapping[str, Object]
    """Plural → the whole List object; kinds of which there is nothing are left out."""
    answers: Mapping[str, Answer]

    def items(self, plural: str) -> Objects:
        return list(self.lists.get(plural, {}).get("items") or ())

    # what cases ask when they want to know whether they are settled

    def pods(self, app: str) -> Objects:
        return [pod for pod in self.items("pods") if pod["metadata"].get("labels", {}).get("app") == app]

    def waits(self, app: str, reason: str, *, restarts: int = 0, init: bool = False) -> bool:
        """Whether the first container of a pod of the app waits for this reason, after so many restarts or more."""
        return any(
            (each.get("state", {}).get("waiting") or {}).get("reason") == reason and each["restartCount"] >= restarts
            for each in self.containers(app, init=init)
        )

    def runs(self, app: str, *, init: bool = False) -> bool:
        """Whether the first container of a pod of the app is running."""
        return any("running" in each["state"] for each in self.containers(app, init=init))

    def ended(self, app: str, reason: str, *, last: bool = False) -> bool:
        """Whether the first container of a pod of the app has ended for this reason, before (`last`) or just now."""
        state = "lastState" if last else "state"
        return any(
            (each.get(state, {}).get("terminated") or {}).get("reason") == reason for each in self.containers(app)
        )

    def containers(self, app: str, *, init: bool = False) -> Objects:
        """The status of the first container of each pod of the app."""
        name = "initContainerStatuses" if init else "containerStatuses"
        return [pod["status"][name][0] for pod in self.pods(app) if pod.get("status", {}).get(name)]

    def has_event(self, reason: str, about: str = "", text: str = "") -> bool:
        return any(
            event["reason"] == reason
            and event["involvedObject"]["name"].startswith(about)
            and text in event.get("message", "")
            for event in self.items("events")
        )

    def condition(self, plural: str, name: str, kind: str) -> tuple[str, str]:
        """(status, reason) of a condition of an object; two empty texts where it has none of that type."""
        for item in self.items(plural):
            if item["metadata"]["name"] == name:
                for each in item.get("status", {}).get("conditions") or ():
                    if each["type"] == kind:
                        return each["status"], each.get("reason", "")
        return "", ""

    def status(self, plural: str, name: str) -> Object:
        """The status of an object; empty where there is none."""
        return next((item.get("status", {}) for item in self.items(plural) if item["metadata"]["name"] == name), {})


@dataclass
class Stage:
    """A ground while a case is built on it."""

    ground: ground.Ground
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def admin(self) -> admins.Admin:
        return self.ground.admin

    async def apply(self, *objects: Object) -> None:
        for each in objects:
            await self.admin.apply(each)

    def deployment(self, name: str, *containers: Object, **more: Any) -> Object:
        """With a deadline that no case comes to, unless it says so: what is settled must not hang on the time."""
        return manifests.deployment(name, *containers, **{"deadline": UNHURRIED, **more})

    def container(self, behaviour: behaviours.Behaviour = _SERVING, **fields: Any) -> Object:
        """A container that does this; it serves well where nothing is said."""
        return self.ground.container(behaviour, **fields)

    def played(self, script: str | Sequence[str], run: images.Run, **fields: Any) -> Object:
        """A container that does what no behaviour does: a script for the shell or a command, and the same as a run."""
        found = self.container(**fields)
        if isinstance(self.ground, simulated.Simulated):
            repository = f"likeness/{hashlib.sha256(repr(run).encode()).hexdigest()[:8]}"
            self.ground.cluster.images.publish(repository, "v1", program=lambda _: run)
            return found | {"image": f"{repository}:v1"}
        return found | {"command": ["sh", "-c", script] if isinstance(script, str) else list(script)}

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[admins.Admin]:
        """The identity that the bot reads with."""
        settings = self.ground.settings()
        async with admins.Admin.open(
            Path(settings["KUBECONFIG"]), settings["CONTEXTS"], self.ground.namespace
        ) as found:
            yield found

    async def ask(
        self,
        label: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        content_type: str = "application/json",
        who: admins.Admin | None = None,
    ) -> Object:
        """One request whose answer is part of the case, under this label. A text that is no JSON is an empty object."""
        status, said = await (who or self.admin)._send(method, path, query or {}, body, content_type)
        try:
            answer = _bare(msgspec.json.decode(said))
        except msgspec.DecodeError:
            answer = said.decode(errors="replace")
        self.answers[label] = Answer(status, answer)
        return answer if isinstance(answer, dict) else {}

    async def settled(self, holds: Callable[[Taken], bool], *, nodes: bool = False, fleeting: bool = False) -> Taken:
        """Everything there is, as soon as what is said holds of it; AssertionError where that takes too long."""
        ends, poll = (
            time.monotonic() + WITHIN / min(self.ground.speed, 3.0),
            (0.25 if fleeting else 1.5) / min(self.ground.speed, 10.0),
        )
        while True:
            taken = await self.taken(nodes=nodes)
            if holds(taken):
                return taken
            if time.monotonic() > ends:
                raise AssertionError(f"not settled within {WITHIN:g} s: {json.dumps(taken.items('pods'))[:4000]}")
            await asyncio.sleep(poll)

    async def taken(self, *, nodes: bool = False) -> Taken:
        """All lists, the pods and the events as one moment shows them."""
        wanted = [self._list(plural) for plural in LISTS]
        wanted += [self._list_all(plural) for plural in CLUSTER_WIDE if nodes or plural != "nodes"]
        found = await asyncio.gather(*wanted)
        lists = dict(zip((*LISTS, *CLUSTER_WIDE), found, strict=False))  # nodes come last
        kept = {plural: listed for plural, listed in lists.items() if listed.get("items")}
        return Taken(datetime.now(UTC), self.ground.namespace, kept, dict(self.answers))

    async def _list(self, plural: str) -> Object:
        return await self._ask_bare(f"{LISTS[plural]}/namespaces/{self.ground.namespace}/{plural}")

    async def _list_all(self, plural: str) -> Object:
        """Of namespaces the case's own alone."""
        only = {"fieldSelector": f"metadata.name={self.ground.namespace}"} if plural == "namespaces" else None
        return await self._ask_bare(f"{CLUSTER_WIDE[plural]}/{plural}", only)

    async def _ask_bare(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        found: Object = _bare(await self.admin.ask("GET", path, query))
        return found

    async def let_go(self) -> None:
        """Takes off every finalizer of the namespace's pods, which would hold it for ever."""
        for pod in await self.admin.list("Pod"):
            if pod["metadata"].get("finalizers"):
                patch = {"metadata": {"finalizers": None}}
                await self.admin.patch("Pod", pod["metadata"]["name"], patch, how="merge")


def _bare(answer: Any) -> Any:
    """Without managedFields, which are larger than the rest and say nothing here."""
    if isinstance(answer, dict):
        return {name: _bare(value) for name, value in answer.items() if name != "managedFields"}
    return [_bare(each) for each in answer] if isinstance(answer, list) else answer


def http(path: str = "/healthz", *, port: int = 8080, period: int = 2, failures: int = 2) -> Object:
    """A probe that asks over HTTP; nothing listens in the containers of these cases."""
    asked = {"httpGet": {"path": path, "port": port}}
    return {**asked, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5}


def tcp(*, port: int = 8080, period: int = 2, failures: int = 2) -> Object:
    return {
        "tcpSocket": {"port": port},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 5,
    }


__all__ = ["Answer", "Stage", "Taken", "http", "manifests", "tcp"]
