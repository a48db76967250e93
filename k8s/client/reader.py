"""All reading from a cluster: pages for a sweep, single objects, logs, events, and the whole target of an action.

Used by `k8s.snapshot` (pages), `k8s.executor` (targets), and by `bot` for evidence and for "did you mean". Nothing here
changes anything. Every method raises `errors.ClusterError` and nothing else of the network.
"""

import contextlib
import dataclasses
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from k8s import fields, model, names, remedies
from k8s.client import connection, discovering, errors, resources, selectors

PAGE = 500
"""Objects a page: 4 MB of ordinary pods, some 10 ms of decoding. kubectl's default as well."""

_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""Only the metadata of a list, where the server can (all since 1.15):
https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches"""

_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Nothing else: a server that cannot leave the content out answers 406, and the content never leaves it."""

_TARGET_LIMIT = 2000
"""Most pods, ReplicaSets or budgets that are read for one action."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_GONE_LOG = re.compile(
    rb"(unable to retrieve container logs for|failed to try resolving symlinks in path) [^\n]{1,500}"
)
"""What a kubelet says, as if it were the log and with status 200, where the container or its file is gone: one line
without an end (GetContainerLogs in pkg/kubelet/kuberuntime/kuberuntime_container.go)."""

_REVISION = "deployment.kubernetes.io/revision"

_REFINING = ("poddisruptionbudgets", "horizontalpodautoscalers")
"""Lists that a verdict asks, and that an identity may lack."""

_WITH_REVISIONS = ("StatefulSet", "DaemonSet")

_RUNNING = ("Deployment", "ReplicaSet", *_WITH_REVISIONS)
"""Kinds whose pods are read with them."""

_SOME = ("pods/resize",)
"""What an action on pods asks for, and only newer servers have."""

_OPTIONAL = (errors.Forbidden, errors.NotFound)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Continue(msgspec.Struct, rename="camel"):
    continue_: str | None = msgspec.field(name="continue", default=None)


class _Head(msgspec.Struct):
    metadata: _Continue | None = None


class _Items(msgspec.Struct):
    items: list[dict[str, Any]] | None = None


class _NamedMeta(msgspec.Struct):
    name: str = ""


class _Named(msgspec.Struct):
    metadata: _NamedMeta = msgspec.field(default_factory=_NamedMeta)


class _NamedItems(msgspec.Struct):
    items: list[_Named] | None = None


class Reader:
    """Reads one cluster through one connection."""

    def __init__(self, over: connection.Connection, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._connection = over
        self._now = now

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self._connection.name

    def pages(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        page: int = PAGE,
        field_selector: str = "",
        label_selector: str = "",
        accept: str = "application/json",
    ) -> AsyncGenerator[bytes, None]:
        """The raw JSON of each page of a list, in the server's order (namespace, name).

        `kind` is a Kind or a list name; `namespace` None lists all. A continue token that grew too old is answered with
        one that goes on from the same key in a newer version: good enough for a sweep, so that is used. Raises
        ClusterError.
        """
        resource = resources.named(kind)
        return self.pages_of(
            resource,
            namespace,
            page=page,
            field_selector=field_selector,
            label_selector=label_selector,
            accept=accept,
        )

    async def discover(self, api_version: str, kind: str, known: discovering.Known) -> resources.Resource:
        """The list that holds a kind outside of our table. Raises NotFound where the server has no such kind."""
        return await discovering.resource(self._connection, api_version, kind, known)

    async def pages_of(
        self,
        resource: resources.Resource,
        namespace: str | None = None,
        *,
        page: int = PAGE,
        field_selector: str = "",
        label_selector: str = "",
        accept: str = "application/json",
    ) -> AsyncGenerator[bytes, None]:
        """`pages` of any resource, also of one outside of our table."""
        what = f"list {resource.plural}" + (f" in {namespace}" if namespace else "")
        selection = [("limit", str(page))]
        selection += [("fieldSelector", field_selector)] if field_selector else []
        selection += [("labelSelector", label_selector)] if label_selector else []
        token, resumed = "", False
        while True:
            query = [*selection, ("continue", token)] if token else selection
            request = connection.Request(what, "GET", resource.path(namespace), query, accept=accept)
            try:
                body = await self._connection.send(request)
            except errors.Gone as error:
                if not error.resume or resumed:
                    raise
                token, resumed = error.resume, True
                continue
            resumed = False
            async with errors.translated(what):
                token = _continue_token(body)
            yield body
            if not token:
                return

    async def get(self, ref: model.ResourceRef) -> model.Json:
        """One object, whole. Raises NotFound where there is none of that name (a uid in `ref` is not compared)."""
        what = f"read {ref.kind} {ref.short}"
        return await self._json(connection.Request(what, "GET", resources.path_of(ref)))

    async def metadata(self, ref: model.ResourceRef) -> model.Json:
        """One object as `{"metadata": …}`: all else is not asked for, and dropped should it come all the same.

        For ConfigMaps and Secrets, whose content is nobody's business here. Raises as `get`.
        """
        what = f"read the metadata of {ref.kind} {ref.short}"
        request = connection.Request(what, "GET", resources.path_of(ref), accept=_METADATA_ONLY)
        found = await self._json(request)
        return {"metadata": found.get("metadata") or {}}

    async def list_json(
        self,
        kind: str,
        namespace: str | None,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = _TARGET_LIMIT,
    ) -> list[model.Json]:
        """The objects of a list, whole, at most `limit`. `kind` and `apiVersion`, which lists leave out, are set."""
        resource = resources.named(kind)
        found: list[model.Json] = []
        page = min(limit, PAGE)
        pages = self.pages(kind, namespace, page=page, field_selector=field_selector, label_selector=label_selector)
        async with contextlib.aclosing(pages):
            async for body in pages:
                async with errors.translated(f"list {resource.plural}"):
                    items = msgspec.json.decode(body, type=_Items).items or []
                found += ({"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in items)
                if len(found) >= limit:
                    break
        return found[:limit]

    async def names(self, kind: str, namespace: str | None = None, *, label_selector: str = "") -> list[str]:
        """The names of all objects of a kind, sorted: for near matches of what a person typed, for label selectors."""
        found: set[str] = set()
        async for body in self.pages(kind, namespace, label_selector=label_selector, accept=_NAMES_ONLY):
            async with errors.translated(f"list {kind}"):
                found.update(item.metadata.name for item in msgspec.json.decode(body, type=_NamedItems).items or ())
        return sorted(found - {""})

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail_lines: int = 200,
        limit_bytes: int = 65536,
        since: datetime | None = None,
    ) -> str:
        """The end of a container's log as clean text: at most `tail_lines` lines and `limit_bytes` bytes of it.

        `previous` reads the container before its last restart, `since` only what was written from that moment on. Bytes
        that are no UTF-8 become U+FFFD, terminal colours and control characters go, and a line longer than the limit is
        cut at its start. Not redacted yet. Raises Rejected where there is no such log (a container that never started,
        no previous one), NotFound where the node has it no more, which a moment later may be true of another container
        than now.
        """
        ref = model.ResourceRef("Pod", namespace, pod)
        query = [("container", container), ("tailLines", str(tail_lines))]
        # The server counts limitBytes from the first of these lines, and what matters is the last: so more is asked
        # for than is kept.
        query += [("limitBytes", str(max(limit_bytes * 16, 1 << 20)))]
        query += [("previous", "true")] if previous else []
        query += [("sinceTime", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))] if since is not None else []
        what = f"read the log of {ref.short} ({container})"
        path = resources.path_of(ref, "log")
        body = await self._connection.send(
            connection.Request(what, "GET", path, query, accept="*/*", keep_tail=limit_bytes)
        )
        if _GONE_LOG.fullmatch(body):
            raise errors.NotFound(what, "the node does not have this log any more")
        return _clean(body, cut=len(body) >= limit_bytes, lines=tail_lines)

    async def events(self, ref: model.ResourceRef) -> list[model.Json]:
        """All events about one object that the cluster still holds (usually one hour), newest first."""
        if ref.uid and ref.kind != "Node":  # a kubelet writes its node's name where the uid belongs
            selector = f"involvedObject.uid={ref.uid}"
        else:
            selector = f"involvedObject.kind={ref.kind},involvedObject.name={ref.name}"
        found = await self.list_json("events", ref.namespace or None, field_selector=selector)
        return sorted(found, key=_event_time, reverse=True)

    async def can_i(
        self,
        verb: str,
        resource: str,
        namespace: str = "",
        *,
        group: str | None = None,
        name: str = "",
        as_user: model.Identity | None = None,
    ) -> bool:
        """Whether our identity may do this (SelfSubjectAccessReview, which every authenticated user may create), or the
        one in whose name we ask: Forbidden then means that we may not impersonate it.

        `resource` is a list name, with a subresource after a slash (`pods/log`); `group` may be left out for those that
        `resources` knows.
        """
        plural, _, subresource = resource.partition("/")
        if group is None:
            group = resources.RESOURCES[plural].group if plural in resources.RESOURCES else ""
        wanted = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
        wanted |= {"namespace": namespace, "name": name}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in wanted.items() if value}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await self._json(
            connection.Request(f"ask whether we may {verb} {resource}", "POST", path, body=review, as_user=as_user)
        )
        return bool((answer.get("status") or {}).get("allowed"))

    async def read_target(self, action: model.Action) -> model.Target:
        """All that an action rests on, fresh. A target that is gone is no error: its `object` is None.

        A pod that is gone leaves its workload, whose pods tell whether it was replaced.
        """
        return await self._read(remedies.remedy_for(action).needs(action))

    async def read_subject(self, subject: model.ResourceRef) -> model.Target:
        """An incident's subject with all that an action could be about: its revisions, pods and autoscalers; in
        `extras` the Jobs of a CronJob, and the nodes where it matters on which a pod is."""
        if subject.kind == "Node":
            return await self._read_node(subject)
        running = subject.kind in _RUNNING
        served = _SOME if running else ()
        target = await self._read(model.Needs(subject, members=running, revisions=running, served=served))
        extras: list[model.Json] = []
        if subject.kind == "CronJob" and target.object is not None:
            extras += _owned(await self.list_json("jobs", subject.namespace), {_uid(target.object)})
        if subject.kind == "DaemonSet" or any(fields.deleting(pod) for pod in target.pods):
            extras += await self._list_optional("nodes", None) or ()
        return dataclasses.replace(target, extras=tuple(extras))

    async def _read_node(self, subject: model.ResourceRef) -> model.Target:
        node = await self._get_or_none(subject)
        if node is None:
            return model.Target(ref=subject, object=None, read_at=self._now())
        spaces = sorted({str(_meta(pod).get("namespace") or "") for pod in await self.pods_on(subject.name)})
        return await self._node_target(node, subject, spaces, ())

    async def _read(self, needs: model.Needs) -> model.Target:
        found, ref = await self._get_or_none(needs.object), needs.object
        owner = None if needs.owner is None else await self._get_or_none(needs.owner)
        top = found if needs.owner is None else owner
        if found is None and top is None:
            return model.Target(ref=ref, object=None, read_at=self._now(), owner=owner)
        space = ref.namespace
        replicasets, pods = await self._members(top, space) if top is not None and needs.members else ((), ())
        labels = _pod_labels(top or found or {})
        # What is in no namespace has neither budgets nor autoscalers.
        budgets, autoscalers = [await self._list_optional(kind, space) if space else [] for kind in _REFINING]
        extras = [await self._get_or_none(each) for each in needs.extras]
        if needs.on_node is not None:
            return await self._node_target(found or {}, ref, needs.on_node, extras)
        if needs.made and found is not None:
            extras += await self.list_json("jobs", space, f"{names.MADE_FROM}={_uid(found)}")
        return model.Target(
            ref=ref if found is None else model.ResourceRef(ref.kind, space, ref.name, _uid(found)),
            object=found,
            read_at=self._now(),
            owner=owner,
            replicasets=replicasets,
            pods=pods,
            budgets=tuple(
                each for each in budgets or () if selectors.matches((each.get("spec") or {}).get("selector"), labels)
            ),
            autoscalers=tuple(each for each in autoscalers or () if top is not None and _scales(each, top)),
            namespace=await self._optional(model.ResourceRef("Namespace", "", space)) if space else None,
            unread=tuple(
                kind for kind, listed in zip(_REFINING, (budgets, autoscalers), strict=True) if listed is None
            ),
            revisions=await self._revisions(top, space) if top is not None and needs.revisions else (),
            extras=tuple(each for each in extras if each is not None),
            unserved=tuple([name for name in needs.served if not await discovering.serves(self._connection, name)]),
        )

    async def pods_on(self, node: str) -> list[model.Json]:
        """All pods that are bound to a node, of all namespaces."""
        return await self.list_json("pods", None, field_selector=f"spec.nodeName={node}")

    async def _node_target(
        self, node: model.Json, ref: model.ResourceRef, spaces: Iterable[str], extras: Sequence[model.Json | None]
    ) -> model.Target:
        """A node with its pods, their budgets and namespaces, and all nodes beside it."""
        pods = await self.pods_on(ref.name)
        budgets = [(space, await self._list_optional("poddisruptionbudgets", space)) for space in spaces]
        marks = [await self._optional(model.ResourceRef("Namespace", "", space)) for space in spaces]
        nodes = await self.list_json("nodes", None)
        here = [each for _, listed in budgets for each in listed or () if any(_guards(each, pod) for pod in pods)]
        return model.Target(
            ref=model.ResourceRef(ref.kind, "", ref.name, _uid(node)),
            object=node,
            read_at=self._now(),
            pods=tuple(pods),
            budgets=tuple(here),
            unread=("poddisruptionbudgets",) if any(listed is None for _, listed in budgets) else (),
            extras=tuple(each for each in (*extras, *marks, *nodes) if each is not None),
        )

    async def _members(
        self, workload: model.Json, namespace: str
    ) -> tuple[tuple[model.Json, ...], tuple[model.Json, ...]]:
        """The ReplicaSets of a Deployment by ascending revision, and the pods of the workload."""
        selector = (workload.get("spec") or {}).get("selector")
        if not isinstance(selector, dict):
            return (), ()
        query = selectors.query(selector)
        owners = {_uid(workload)}
        replicasets: list[model.Json] = []
        if workload.get("kind") == "Deployment":
            listed = await self.list_json("replicasets", namespace, query)
            replicasets = sorted(_owned(listed, owners), key=_revision)
            owners = {_uid(each) for each in replicasets}
        pods = _owned(await self.list_json("pods", namespace, query), owners)
        return tuple(replicasets), tuple(pods)

    async def _revisions(self, workload: model.Json, namespace: str) -> tuple[model.Json, ...]:
        """The ControllerRevisions of a StatefulSet or DaemonSet, by ascending revision. They have its pods' labels."""
        selector = (workload.get("spec") or {}).get("selector")
        if workload.get("kind") not in _WITH_REVISIONS or not isinstance(selector, dict):
            return ()
        listed = await self.list_json("controllerrevisions", namespace, selectors.query(selector))
        return tuple(sorted(_owned(listed, {_uid(workload)}), key=lambda each: fields.count(each, "revision")))

    async def _get_or_none(self, ref: model.ResourceRef) -> model.Json | None:
        try:
            return await self.get(ref)
        except errors.NotFound:
            return None

    async def _list_optional(self, kind: str, namespace: str | None) -> list[model.Json] | None:
        """A list that only refines a verdict: empty where the server lacks the kind, None where we may not read it."""
        try:
            return await self.list_json(kind, namespace)
        except errors.NotFound:
            return []
        except errors.Forbidden:
            return None

    async def _optional(self, ref: model.ResourceRef) -> model.Json | None:
        """One object that only refines a verdict; None also where it may not be read."""
        try:
            return await self.get(ref)
        except _OPTIONAL:
            return None

    async def _json(self, request: connection.Request) -> model.Json:
        body = await self._connection.send(request)
        async with errors.translated(request.what):
            return connection.as_json(body)


def _continue_token(body: bytes) -> str:
    """The token for the next page. Servers write a list's metadata before its items, so these are rarely looked at."""
    cut = body.find(b'"items"')
    if cut > 0:
        try:
            head = msgspec.json.decode(body[:cut].rstrip(b" \t\r\n,") + b"}", type=_Head)
        except msgspec.DecodeError:
            head = _Head()
        if head.metadata is not None:
            return head.metadata.continue_ or ""
    whole = msgspec.json.decode(body, type=_Head)
    return (whole.metadata.continue_ or "") if whole.metadata is not None else ""


def _clean(body: bytes, *, cut: bool, lines: int) -> str:
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROLS.sub("", _ANSI.sub("", text))
    kept = text.split("\n")
    if cut and len(kept) > 1:
        kept = kept[1:]  # most likely a part of a line
    ended = kept[-1] == ""
    return "\n".join(kept[-(lines + ended) :])


def _meta(item: model.Json) -> dict[str, Any]:
    return item.get("metadata") or {}


def _uid(item: model.Json) -> str:
    return str(_meta(item).get("uid") or "")


def _owned(items: Iterable[model.Json], owners: set[str]) -> list[model.Json]:
    """Those whose controller is one of `owners` (uids): a selector alone also finds other people's pods."""
    return [
        item
        for item in items
        if any(ref.get("controller") and ref.get("uid") in owners for ref in _meta(item).get("ownerReferences") or ())
    ]


def _revision(replicaset: model.Json) -> tuple[int, str]:
    text = str((_meta(replicaset).get("annotations") or {}).get(_REVISION, ""))
    return (
        int(text) if text.isascii() and text.isdigit() else 0,
        str(_meta(replicaset).get("creationTimestamp") or ""),
    )


def _pod_labels(item: model.Json) -> dict[str, str]:
    """The labels that a workload gives its pods; those of the object itself where it is a pod."""
    template = (item.get("spec") or {}).get("template")
    return _meta(template if isinstance(template, dict) else item).get("labels") or {}


def _guards(budget: model.Json, pod: model.Json) -> bool:
    """Whether a disruption budget is about this pod."""
    same = _meta(budget).get("namespace") == _meta(pod).get("namespace")
    return same and selectors.matches((budget.get("spec") or {}).get("selector"), _meta(pod).get("labels") or {})


def _scales(autoscaler: model.Json, workload: model.Json) -> bool:
    target = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
    return (target.get("kind"), target.get("name")) == (workload.get("kind"), _meta(workload).get("name"))


def _event_time(event: model.Json) -> str:
    series = event.get("series") or {}
    for value in (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")):
        if value:
            return str(value)
    return str(event.get("firstTimestamp") or _meta(event).get("creationTimestamp") or "")
