"""Lists what detectors of somebody's own ask for: objects of any kind as plain JSON, bounded in number and in time.

Called by `bot.clusters` beside `k8s.snapshot`, for every whole look. What cannot be listed is named and concludes
nothing: a kind that the cluster does not have is `unread`, as one watch's rules may speak of what another cluster has;
all else (no right, no answer, too many) is `degraded`, because somebody asked for it and does not get it.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from k8s import model, ruling
from k8s.client import discovering, errors, reader, resources

MOST_OBJECTS = 5000
"""Of one kind: some 10 KB each in memory."""
SECONDS = 30.0
"""For one kind, all its pages."""
PARALLEL = 2
SLICE = 100
"""Objects decoded or freed without a pause for the event loop."""

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _Page(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of it, each by its name in `Snapshot.custom`."""

    objects: Mapping[str, list[model.Json]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    degraded: Mapping[str, str] = field(default_factory=dict)


async def gather(
    source: reader.Reader,
    wanted: Sequence[ruling.Wanted],
    scope: model.Scope,
    known: discovering.Known,
    *,
    most: int = MOST_OBJECTS,
    seconds: float = SECONDS,
) -> Gathered:
    """Lists every wanted kind within the scope. `known` keeps what discovery has told of this cluster.

    Never raises a ClusterError: a cluster that is away has failed the look itself.
    """
    lists: dict[str, list[model.Json]] = {}
    unread: dict[str, str] = {}
    degraded: dict[str, str] = {}
    turns = asyncio.Semaphore(PARALLEL)

    async def one(want: ruling.Wanted) -> None:
        found = lists[str(want)] = []
        async with turns:
            try:
                async with asyncio.timeout(seconds):
                    trouble = await _list(source, want, scope, known, found, most)
            except errors.NotFound as error:
                unread[str(want)] = f"could not {error}"
                known.pop((want.api_version, want.kind), None)
                return
            except errors.ClusterError as error:
                trouble = f"could not {error}"
            except TimeoutError:
                trouble = f"listing {want} took longer than {seconds:g} s and was cut short"
        if trouble:
            degraded[str(want)] = trouble

    async with asyncio.TaskGroup() as group:
        for want in wanted:
            group.create_task(one(want))
    return Gathered(lists, unread, degraded)


def added(snapshot: model.Snapshot, gathered: Gathered, rests: Mapping[str, Sequence[str]]) -> model.Snapshot:
    """The snapshot with what was gathered beside it."""
    return replace(
        snapshot,
        custom=gathered.objects,
        rests=rests,
        unread={**snapshot.unread, **gathered.unread},
        degraded={**snapshot.degraded, **gathered.degraded},
    )


async def discard(snapshot: model.Snapshot) -> None:
    """Frees what was gathered slice by slice, as `k8s.snapshot.discard` does with the rest."""
    for items in snapshot.custom.values():
        while isinstance(items, list) and items:
            del items[-SLICE:]
            await asyncio.sleep(0)


async def _list(
    source: reader.Reader,
    want: ruling.Wanted,
    scope: model.Scope,
    known: MutableMapping[tuple[str, str], resources.Resource],
    found: list[model.Json],
    most: int,
) -> str:
    """Fills `found`; what keeps it from being whole, or nothing. Raises ClusterError."""
    resource = await source.discover(want.api_version, want.kind, known)
    odd = 0
    places: Sequence[str | None] | None = scope.places if resource.namespaced else None
    for place in (None,) if places is None else places:
        pages = source.pages_of(resource, place)
        async with contextlib.aclosing(pages):
            async for body in pages:
                async with errors.translated(f"list {resource.plural}"):
                    raws = msgspec.json.decode(body, type=_Page).items or []
                for start in range(0, len(raws), SLICE):
                    part = [_decoded(raw, resource) for raw in raws[start : start + SLICE]]
                    odd += part.count(None)
                    found += _within(part, scope, namespaced=resource.namespaced)
                    await asyncio.sleep(0)
                if len(found) > most:
                    del found[most:]
                    return f"there are more than {most:,} {resource.plural}, the rest were left out"
    return f"{odd} {resource.plural} could not be read and were left out" if odd else ""


def _decoded(raw: msgspec.Raw, resource: resources.Resource) -> model.Json | None:
    """One object, without what nobody asks about; None where it is none."""
    try:
        item: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(item, dict) or not isinstance(meta := item.get("metadata"), dict):
        return None
    meta.pop("managedFields", None)
    annotations = meta.get("annotations")
    if isinstance(annotations, dict):
        annotations.pop(_LAST_APPLIED, None)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **item}


def _within(items: Iterable[model.Json | None], scope: model.Scope, *, namespaced: bool) -> list[model.Json]:
    there = [item for item in items if item is not None]
    if not namespaced:
        return there
    return [item for item in there if scope.includes(str(item["metadata"].get("namespace") or ""))]
