"""Snapshots of what a real API server gave (tests/likeness/recorded), read as a sweep reads them.

Used by test_recorded.py.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

import msgspec

from k8s import model, snapshot
from tests.likeness import recording
from tests.likeness.stage import Taken


class Reader:
    """Answers lists from a recording, in one page each, as the server would; of events those that are asked for."""

    cluster = "recorded"

    def __init__(self, taken: Taken) -> None:
        self._taken = taken

    async def pages(
        self, kind: str, namespace: str | None = None, *, page: int = 0, field_selector: str = ""
    ) -> AsyncGenerator[bytes, None]:
        items = self._taken.items(kind)
        if field_selector:
            name, _, wanted = field_selector.partition("=")
            items = [item for item in items if item.get(name) == wanted]
        yield msgspec.json.encode({"items": items})


def look(case: str) -> model.Snapshot:
    """The snapshot that a sweep would have taken at the moment of the recording."""
    taken = recording.load(case)
    scope = model.Scope(include=(taken.namespace,))
    return asyncio.run(snapshot.take(Reader(taken), scope, now=taken.taken_at, monotonic=time.monotonic))
