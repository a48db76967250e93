"""Watches: past changes from the log, then changes as they come, bookmarks, and 410 for what is too old.

`server` runs `stream` and writes each line. Source:
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field

from demo.cluster.api import Api, Request
from demo.cluster.errors import ApiError, bad_request, expired
from demo.cluster.objects import Object, namespace_of
from demo.cluster.selectors import parse_fields, parse_labels, selected
from demo.cluster.store import Change, Store

BOOKMARK_SECONDS = 60.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass
class Watches:
    """All open watches; `close` ends them when the server stops."""

    store: Store
    api: Api
    bookmark_seconds: float = BOOKMARK_SECONDS
    _queues: set["asyncio.Queue[Change | None]"] = field(default_factory=set)

    def close(self) -> None:
        """End every watch, as a server that shuts down does."""
        for queue in tuple(self._queues):
            queue.put_nowait(None)

    def prepare(self, request: Request) -> Callable[[], AsyncGenerator[Object, None]]:
        """Check the query now, so that mistakes in it are plain 400s; the result starts the stream."""
        query, resource = request.query, request.target.resource
        by_label = parse_labels(query["labelSelector"]) if query.get("labelSelector") else None
        by_field = parse_fields(query["fieldSelector"], resource.storage) if query.get("fieldSelector") else None
        namespace = request.target.namespace if resource.namespaced else ""
        version = query.get("resourceVersion") or "0"
        if not version.isdigit():
            raise bad_request(f"invalid resource version {version!r}: strconv.ParseUint: parsing: invalid syntax")

        def wanted(obj: Object) -> bool:
            return (not namespace or namespace_of(obj) == namespace) and selected(obj, by_label, by_field)

        return lambda: self._stream(request, wanted)

    async def _stream(self, request: Request, wanted: Callable[[Object], bool]) -> AsyncGenerator[Object, None]:
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._queues.add(queue)
        self.store.subscribe(queue.put_nowait)
        try:
            async for event in self._events(request, queue, wanted):
                yield event
        finally:
            self.store.unsubscribe(queue.put_nowait)
            self._queues.discard(queue)

    async def _events(
        self, request: Request, queue: "asyncio.Queue[Change | None]", wanted: Callable[[Object], bool]
    ) -> AsyncIterator[Object]:
        try:
            backlog = self._backlog(request, wanted)
        except ApiError as error:
            yield {"type": "ERROR", "object": error.status()}
            return
        for event in backlog:
            yield event
        loop = asyncio.get_running_loop()
        timeout = float(request.query.get("timeoutSeconds") or 0)
        end = loop.time() + timeout if timeout else None
        bookmarks = request.query.get("allowWatchBookmarks") in ("1", "true")
        while end is None or loop.time() < end:
            left = None if end is None else end - loop.time()
            wait = min(filter(None, (left, self.bookmark_seconds if bookmarks else None)), default=None)
            try:
                change = await asyncio.wait_for(queue.get(), wait)
            except TimeoutError:
                if bookmarks:
                    yield self._bookmark(request)
                continue
            if change is None:
                return
            seen = self._event(request, change, wanted)
            if seen is not None:
                yield seen

    def _backlog(self, request: Request, wanted: Callable[[Object], bool]) -> list[Object]:
        resource, version = request.target.resource, request.query.get("resourceVersion") or "0"
        initial = request.query.get("sendInitialEvents") in ("1", "true")
        if version == "0" or initial:
            objects = [each for each in self.store.all(resource.storage) if wanted(each)]
            events: list[Object] = [
                {"type": "ADDED", "object": self.api.present(resource, each, request.accept)} for each in objects
            ]
            if initial and request.query.get("allowWatchBookmarks") in ("1", "true"):
                events.append(self._bookmark(request, initial_end=True))
            return events
        if int(version) < self.store.compacted:
            raise expired(f"too old resource version: {version} ({self.store.compacted})")
        changes = [each for each in self.store.log if each.revision > int(version)]
        return [event for change in changes if (event := self._event(request, change, wanted)) is not None]

    def _event(self, request: Request, change: Change, wanted: Callable[[Object], bool]) -> Object | None:
        """A change as this watch sees it: leaving the selector is a deletion, entering it an addition."""
        resource = request.target.resource
        if change.storage != resource.storage:
            return None
        now = change.kind != "DELETED" and wanted(change.after)
        before = change.before is not None and wanted(change.before)
        if not now and not before:
            return None
        kind = "ADDED" if not before else "MODIFIED" if now else "DELETED"
        return {"type": kind, "object": self.api.present(resource, change.after, request.accept)}

    def _bookmark(self, request: Request, *, initial_end: bool = False) -> Object:
        resource = request.target.resource
        metadata: Object = {"resourceVersion": str(self.store.revision)}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        return {
            "type": "BOOKMARK",
            "object": {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata},
        }
