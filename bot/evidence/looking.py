"""Looking: what a model may look at for one incident. Implements `ports.Looking` over the same reader, redaction and
caps as the evidence; nothing here can write.

Everything is held to the scope of the incident's watch, whatever was checked before. Secrets are not read at all, of a
ConfigMap the names of its keys alone leave this module. Made by `bot.parts`, anew for each question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import yaml

from bot import errors
from bot.domain import choices, consultations, picks, ports
from bot.evidence import gathering, listening, logs, loki, past, prometheus, telling, using
from k8s import fields, model, objects, policy, redact, workloads
from k8s.client import errors as cluster_errors
from k8s.client import reader as reading

T = TypeVar("T")

SECONDS = 10.0
"""Of one read."""
CHARACTERS = 6000
LOG_LINES = 300
LOG_BYTES = 65_536
ROWS = 60
"""Of a list."""
REVISIONS = 5
NEVER = frozenset({"Secret"})
WIDE = frozenset({"Node", "Namespace", "StorageClass", "IngressClass"})
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Select = Callable[[str, model.Scope], Awaitable[model.Scope]]


class Looking:
    """For one question about one incident."""

    def __init__(
        self,
        brief: consultations.Brief,
        readers: Callable[[str], Awaitable[reading.Reader]],
        select: Select,
        store: ports.Store,
        clock: ports.Clock,
        rules: policy.Policy,
        *,
        metrics: prometheus.Prometheus | None = None,
        lines: loki.Loki | None = None,
    ) -> None:
        """`select` tells the namespaces that match a scope's labels now (`bot.clusters`)."""
        self._brief = brief
        self._readers = readers
        self._select = select
        self._store = store
        self._clock = clock
        self._rules = rules
        self._metrics = metrics
        self._lines = lines
        self._scope: model.Scope | None = None
        self._learning = asyncio.Lock()

    @property
    def sources(self) -> Collection[str]:
        named = {"prometheus": self._metrics, "loki": self._lines}
        return tuple(name for name, source in named.items() if source is not None)

    async def sight(self) -> picks.Sight | None:
        subject = self._brief.problem.subject
        if not choices.names(subject.kind):
            return None
        target = await self._ask(lambda source: source.read_subject(subject))
        if target.object is None:
            return None
        return picks.Sight(target, self._brief.problem.kinds, self._clock(), self._brief.cluster, self._rules)

    async def get(self, ref: model.ResourceRef) -> str:
        await self._inside(ref)
        found = await self._ask(lambda source: source.get(ref))
        return _capped(_yaml(_plain(found, ref.kind)))

    async def listed(self, kind: str, namespace: str, labels: str) -> str:
        await self._inside(model.ResourceRef(kind, namespace, ""))
        found = await self._ask(lambda source: source.list_json(kind, namespace or None, labels, limit=ROWS + 1))
        now = self._clock()
        rows = [_row(one, kind, now) for one in found[:ROWS]]
        more = [f"… and more than these {ROWS}"] if len(found) > ROWS else []
        return _capped("\n".join([*rows, *more]) or "none")

    async def logs(self, pod: model.ResourceRef, container: str, *, previous: bool) -> str:
        await self._inside(pod)
        named = container or await self._first_container(pod)

        async def read(source: reading.Reader) -> str:
            return await source.logs(
                pod.namespace, pod.name, named, previous=previous, tail_lines=LOG_LINES, limit_bytes=LOG_BYTES
            )

        body, cut = logs.excerpt(listening.clean(await self._ask(read)))
        return _capped(f"{body}\n… the log is longer" if cut else body or "the log is empty")

    async def _first_container(self, pod: model.ResourceRef) -> str:
        found = await self._ask(lambda source: source.get(pod))
        names = [fields.text(one, "name") for one in fields.items(found, "spec", "containers")]
        if not names:
            raise errors.NotPossible(f"Pod {pod.short} has no containers.")
        return names[0]

    async def events(self, ref: model.ResourceRef) -> str:
        await self._inside(ref)
        found = await self._ask(lambda source: source.events(ref))
        return _capped(telling.events(found, self._clock()) or "none are held")

    async def rollouts(self, workload: model.ResourceRef) -> str:
        await self._inside(workload)
        target = await self._ask(lambda source: source.read_subject(workload))
        found = sorted(workloads.revisions(target), key=lambda one: one.number, reverse=True)
        before = [*found[1:], None]
        told = [line for one, old in zip(found[:REVISIONS], before, strict=False) for line in _revision(one, old)]
        return _capped("\n".join(told) or "no revisions are kept")

    async def top(self, namespace: str, workload: str) -> str:
        await self._inside(model.ResourceRef("Pod", namespace, ""))

        async def read(source: reading.Reader) -> tuple[Sequence[model.Json], Sequence[model.Json]]:
            pods = await source.list_json("pods", namespace)
            try:
                return pods, await source.list_json("podmetrics", namespace)
            except cluster_errors.NotFound:
                raise errors.NotPossible("The cluster serves no metrics (metrics.k8s.io).") from None

        pods, metrics = await self._ask(read)
        mine = [pod for pod in pods if not workload or _is_of(pod, workload)]
        piece = using.tell(metrics, mine, "")
        return _capped("nothing is known of these pods" if piece is None else piece.body)

    async def promql(self, query: str, minutes: int) -> str:
        if self._metrics is None:
            raise errors.NotPossible("No Prometheus is set.")
        return await self._asked(self._metrics.ask(self._brief.cluster, query, minutes))

    async def logql(self, query: str, minutes: int) -> str:
        if self._lines is None:
            raise errors.NotPossible("No Loki is set.")
        return await self._asked(self._lines.ask(self._brief.cluster, query, minutes))

    async def past(self, workload: model.ResourceRef) -> str:
        await self._inside(workload)
        about = replace(self._brief.problem, subject=workload)
        try:
            found = await past.Past(self._store, self._clock).of_workload(self._brief.cluster, about)
        except errors.StoreUnavailable:
            raise errors.NotPossible("The record of earlier incidents did not answer.") from None
        return _capped("\n".join(found) or "none are known")

    async def runbook(self, words: str) -> str:
        try:
            async with self._store.begin() as tx:
                found = await tx.runbooks.matching(self._brief.cluster, self._brief.problem.kinds, {}, words, 2)
        except errors.StoreUnavailable:
            raise errors.NotPossible("The runbooks did not answer.") from None
        return _capped("\n\n".join(f"{one.title}\n{one.body[: CHARACTERS // 2]}" for one in found) or "none fits")

    # --- what may be read, and how

    async def _inside(self, ref: model.ResourceRef) -> None:
        """Raises NotPossible for what is never read, and for what is outside of the watch."""
        if ref.kind in NEVER:
            raise errors.NotPossible("Secrets are not read.")
        namespace = ref.name if ref.kind == "Namespace" else ref.namespace
        if ref.kind in WIDE and not namespace:
            return
        scope = await self._watched()
        if not namespace or not scope.includes(namespace):
            raise errors.NotPossible(
                f"Namespace {namespace or '(none)'} is outside of this watch: nothing is read there."
            )

    async def _watched(self) -> model.Scope:
        """The watch's scope, read once. Without a watch, the namespaces of the question alone."""
        async with self._learning:
            if self._scope is None:
                self._scope = await self._learned()
            return self._scope

    async def _learned(self) -> model.Scope:
        try:
            async with self._store.begin() as tx:
                watch = await tx.watches.get(self._brief.watch_id)
        except errors.StoreUnavailable:
            raise errors.NotPossible("The scope of the watch is not known now: nothing is read.") from None
        own = self._brief.problem.subject.namespace
        scope = model.Scope((own,)) if watch is None and own else model.Scope() if watch is None else watch.scope
        return await self._select(self._brief.cluster, scope) if scope.labels else scope

    async def _ask(self, read: Callable[[reading.Reader], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(SECONDS):
                return await read(await self._readers(self._brief.cluster))
        except (cluster_errors.NotFound, cluster_errors.Forbidden, cluster_errors.Rejected) as error:
            raise errors.NotPossible(redact.redact(error.message)) from None
        except cluster_errors.ClusterError as error:
            raise errors.ClusterUnavailable(redact.redact(error.message)) from error
        except TimeoutError:
            raise errors.ClusterUnavailable(f"no answer within {SECONDS:g} s") from None

    async def _asked(self, reading_: Awaitable[str]) -> str:
        try:
            return _capped(await reading_)
        except gathering.Unanswered as error:
            raise errors.NotPossible(redact.redact(str(error))) from None


def _is_of(pod: model.Json, workload: str) -> bool:
    """Whether it is this pod, or of the workload of this name, through its ReplicaSet or its CronJob's Job: a name that
    only begins alike (`api-worker`) is another one's."""
    owner = fields.controller(pod)
    if owner is None:
        return fields.text(pod, "metadata", "name") == workload
    name, _, made = owner.name.rpartition("-")
    through = owner.kind == "ReplicaSet" or (owner.kind == "Job" and made.isdigit())
    return workload in (owner.name, fields.text(pod, "metadata", "name")) or (through and name == workload)


def _capped(text: str) -> str:
    """Redacted as a whole, then cut at a line."""
    clean = redact.redact(text)
    if len(clean) <= CHARACTERS:
        return clean
    head = clean[:CHARACTERS]
    return f"{head[: head.rfind(chr(10)) if chr(10) in head else CHARACTERS]}\n… cut"


def _plain(found: model.Json, kind: str) -> model.Json:
    """Without what tells nothing; of a ConfigMap the names of its keys."""
    metadata = {name: value for name, value in fields.mapping(found, "metadata").items() if name != "managedFields"}
    notes = {
        name: value for name, value in fields.mapping(found, "metadata", "annotations").items() if name != _APPLIED
    }
    metadata["annotations"] = notes
    if not notes:
        del metadata["annotations"]
    if kind == "ConfigMap":
        keys = sorted({*fields.mapping(found, "data"), *fields.mapping(found, "binaryData")})
        return {"kind": kind, "metadata": metadata, "keys": keys}
    return {**found, "metadata": metadata}


def _yaml(found: model.Json) -> str:
    return yaml.safe_dump(redact.redact_json(dict(found)), sort_keys=False, allow_unicode=True, width=200)


def _row(found: model.Json, kind: str, now: datetime) -> str:
    """`api-1  Running, 0 of 1 ready, 6 restarts, on worker-3, 3 h old`."""
    made = objects.moment(fields.text(found, "metadata", "creationTimestamp"))
    old = "" if made is None else f"{telling.duration((now - made).total_seconds())} old"
    told = ", ".join(part for part in (*_state(found, kind), old) if part)
    return f"{fields.text(found, 'metadata', 'name')}  {told}"


def _state(found: model.Json, kind: str) -> Iterator[str]:
    status = fields.mapping(found, "status")
    match kind:
        case "Pod":
            statuses = fields.items(found, "status", "containerStatuses")
            yield fields.text(found, "status", "reason") or fields.text(found, "status", "phase")
            yield f"{sum(bool(one.get('ready')) for one in statuses)} of {len(statuses)} ready"
            yield f"{sum(fields.count(one, 'restartCount') for one in statuses)} restarts"
            yield from (fields.text(one, "state", "waiting", "reason") for one in statuses)
            node = fields.text(found, "spec", "nodeName")
            yield f"on {node}" if node else "on no node"
        case "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet":
            yield f"{workloads.ready(found, kind)} of {workloads.desired(found, kind)} ready"
        case "Node":
            yield "cordoned" if fields.value(found, "spec", "unschedulable") else ""
            for condition in fields.items(found, "status", "conditions"):
                wrong = (fields.text(condition, "type") == "Ready") != (fields.text(condition, "status") == "True")
                yield f"{fields.text(condition, 'type')}={fields.text(condition, 'status')}" if wrong else ""
        case "Service":
            yield _labels("selects", fields.mapping(found, "spec", "selector"))
            yield from (
                f"port {one.get('port')} to {one.get('targetPort')}" for one in fields.items(found, "spec", "ports")
            )
        case "ConfigMap":
            yield f"keys: {', '.join(sorted(fields.mapping(found, 'data')))}"
        case _:
            yield str(status.get("phase") or "")


def _labels(what: str, labels: Mapping[str, Any]) -> str:
    return f"{what} {','.join(f'{name}={value}' for name, value in labels.items())}" if labels else ""


def _revision(one: workloads.Revision, before: workloads.Revision | None) -> Iterator[str]:
    made = "at an unknown time" if one.created is None else f"at {one.created:%Y-%m-%d %H:%M} UTC"
    cause = f" ({one.change_cause})" if one.change_cause else ""
    stands = f"{one.health}, {one.ready} of {one.replicas} ready"
    yield f"revision {one.number}, {made}{cause}: {stands}; {', '.join(one.images)}"
    if before is not None:
        yield from (f"  {line}" for line in workloads.template_diff(before.template, one.template))
