"""Objects of one kind with a log of their changes: the truth of a server whose answers a test may spoil in any way.

`Api` is it behind `servers.serving`, over HTTP; `Twin` is it in place of a `Connection`, without a socket or a wait.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from k8s.client import connection, errors

Object = dict[str, Any]
End = Literal["end", "drop"]


def line(kind: str, found: Any) -> bytes:
    """A WatchEvent as it is sent."""
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


def expired(version: int) -> Object:
    message = f"too old resource version: {version}"
    return {"kind": "Status", "metadata": {}, "status": "Failure", "message": message, "reason": "Expired", "code": 410}


@dataclass
class Log:
    """`objects` by name is how things stand."""

    objects: dict[str, Object] = field(default_factory=dict)
    revision: int = 100
    compacted: int = 0
    lists: int = 0
    _past: list[tuple[int, bytes]] = field(default_factory=list)
    _snapshots: dict[int, list[Object]] = field(default_factory=dict)
    _watches: set["asyncio.Queue[bytes | End]"] = field(default_factory=set)

    @property
    def watched(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def put(self, name: str, *, sent: bytes = b"", **more: Any) -> Object:
        """Creates or changes an object. `sent` goes out instead of the line that tells of it."""
        before = self.objects.get(name)
        self.revision += 1
        uid = before["metadata"]["uid"] if before else f"uid-{name}-{self.revision}"
        metadata = {"name": name, "namespace": "payments", "uid": uid, "resourceVersion": str(self.revision)}
        self.objects[name] = {"metadata": metadata, **more}
        self._publish("MODIFIED" if before else "ADDED", self.objects[name], sent)
        return self.objects[name]

    def delete(self, name: str, *, sent: bytes = b"") -> None:
        gone = self.objects.pop(name)
        self.revision += 1
        last = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.revision)}}
        self._publish("DELETED", last, sent)

    def bookmark(self) -> None:
        metadata = {"resourceVersion": str(self.revision), "creationTimestamp": None}
        self.tell(line("BOOKMARK", {"kind": "Pod", "metadata": metadata, "spec": {"containers": None}, "status": {}}))

    def compact(self) -> None:
        """What was before is forgotten: 410 for whoever asks."""
        self.revision += 1
        self.compacted = self.revision
        self._past.clear()
        self._snapshots.clear()

    def tell(self, what: bytes | End) -> None:
        """To all open watches, whatever it is."""
        for queue in self._watches:
            queue.put_nowait(what)

    def _publish(self, kind: str, found: Object, sent: bytes) -> None:
        told = line(kind, found)
        self._past.append((self.revision, told))
        self.tell(sent or told)

    def page(self, limit: int, token: str) -> Object | None:
        """A page of a list; None where its token expired."""
        if token:
            revision, start = (int(part) for part in token.split(":"))
        else:
            self.lists += 1
            revision, start = self.revision, 0
            self._snapshots[revision] = [self.objects[name] for name in sorted(self.objects)]
        if revision not in self._snapshots:
            return None
        items = self._snapshots[revision]
        more = {"continue": f"{revision}:{start + limit}"} if start + limit < len(items) else {}
        return {"metadata": {"resourceVersion": str(revision)} | more, "items": items[start : start + limit]}

    async def watch(self, version: int) -> AsyncGenerator[bytes | End, None]:
        """What one watch gets to hear, from a version on."""
        queue: asyncio.Queue[bytes | End] = asyncio.Queue()
        if version < self.compacted:
            queue.put_nowait(line("ERROR", expired(version)))
            queue.put_nowait("end")
        for revision, told in self._past:
            if revision > version:
                queue.put_nowait(told)
        self._watches.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watches.discard(queue)


class Api(Log):
    """An answer for `servers.serving`. `wrong` holds answers that take precedence, one a request."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[Any] = []
        self.requests: list[web.Request] = []
        """Those for a watch. Their `transport` is None as soon as the other side is gone."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if self.wrong:
            answer: web.StreamResponse = await self.wrong.pop(0)(request)
            return answer
        if "watch" not in request.query:
            page = self.page(int(request.query["limit"]), request.query.get("continue", ""))
            return web.json_response(expired(0) if page is None else page, status=410 if page is None else 200)
        self.requests.append(request)
        response = web.StreamResponse()
        await response.prepare(request)
        async with contextlib.aclosing(self.watch(int(request.query["resourceVersion"]))) as told:
            async for each in told:
                if each == "drop" and request.transport is not None:
                    request.transport.abort()
                if isinstance(each, str):
                    return response
                await response.write(each)
        return response


class Twin(Log):
    """In place of a `Connection`. Bytes come in pieces of any size, and a dropped watch leaves half a line behind."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.wrong: list[errors.ClusterError] = []
        """Raised by the next requests, one each."""
        self._random = random.Random(seed)  # noqa: S311 - sizes of pieces, no secret

    async def send(self, request: connection.Request) -> bytes:
        await asyncio.sleep(0)
        if self.wrong:
            raise self.wrong.pop(0)
        query = dict(request.query)
        page = self.page(int(query["limit"]), query.get("continue", ""))
        if page is None:
            raise errors.Gone(request.what, "too old", resume="another")
        return json.dumps(page).encode()

    @contextlib.asynccontextmanager
    async def stream(self, request: connection.Request, *, within_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        await asyncio.sleep(0)
        if self.wrong:
            raise self.wrong.pop(0)
        async with contextlib.aclosing(self._pieces(int(dict(request.query)["resourceVersion"]))) as pieces:
            yield pieces

    async def _pieces(self, version: int) -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(self.watch(version)) as told:
            async for each in told:
                if each == "drop":
                    yield line("DELETED", {"metadata": {"name": "half"}})[: self._random.randrange(1, 40)]
                    raise errors.Unreachable("watch", "the answer broke off")
                if isinstance(each, str):
                    return
                rest = each
                while rest:
                    size = self._random.choice((1, 7, 60, 4000))
                    yield rest[:size]
                    rest = rest[size:]
                    if self._random.random() < 0.1:
                        await asyncio.sleep(0)
