"""Takes one look at a cluster: reader → `model.Snapshot`, bounded in memory and in time. The sweep is its caller.

A sweep must come to an end with what can be seen: a kind that may not be listed, an odd object, a slow or broken list
makes that kind degraded and nothing else. Pages are decoded straight into `k8s.objects`, one at a time, and the event
loop gets its turn between them: Slack wants an answer within three seconds while ten thousand pods are being read.
"""

import asyncio
import contextlib
import fnmatch
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from k8s import model, objects
from k8s.client import errors


class Reader(Protocol):
    """What a snapshot needs of `k8s.client.reader.Reader`."""

    @property
    def cluster(self) -> str: ...

    def pages(
        self, kind: str, namespace: str | None = None, *, page: int = ..., field_selector: str = ...
    ) -> AsyncGenerator[bytes, None]: ...


PAGE = 500
"""Objects decoded, or freed, without a pause for the event loop."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sweep may cost."""

    pods: int = 200_000
    """Objects kept of any one kind but events: about 10 KB each in memory at the worst."""
    events: int = 20_000
    """Warning events kept, the newest."""
    page: int = PAGE
    """Objects a request: 4 MB of ordinary pods, about 10 ms of decoding."""
    timeout_s: float = 60.0
    """Seconds for one kind, all its pages. What came until then is kept, and the kind is degraded."""
    concurrency: int = 4
    """Lists at the same time."""


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""A copy of the whole object in one annotation: often its larger half, and no detector reads it."""

_EPOCH = datetime.min.replace(tzinfo=UTC)

_T = TypeVar("_T", bound=objects.Object)


class _Page(msgspec.Struct, Generic[_T], gc=False):
    items: list[_T] | None = None


class _RawPage(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """One list of the snapshot."""

    name: str
    type: type[objects.Object]
    namespaced: bool = True
    field_selector: str = ""


_KINDS = (
    _Kind("namespaces", objects.Namespace, namespaced=False),
    _Kind("nodes", objects.Node, namespaced=False),
    _Kind("pods", objects.Pod),
    _Kind("deployments", objects.Workload),
    _Kind("replicasets", objects.Workload),
    _Kind("statefulsets", objects.Workload),
    _Kind("daemonsets", objects.Workload),
    _Kind("jobs", objects.Job),
    _Kind("cronjobs", objects.CronJob),
    _Kind("events", objects.Event, field_selector="type=Warning"),
)

_TYPED = {kind.type: msgspec.json.Decoder(_Page[kind.type]) for kind in _KINDS}  # type: ignore[name-defined]
_SINGLE = {kind.type: msgspec.json.Decoder(kind.type) for kind in _KINDS}
_RAW = msgspec.json.Decoder(_RawPage)


@dataclass(slots=True)
class _Listing:
    """What came of one kind."""

    kind: _Kind
    items: list[Any] = field(default_factory=list)
    odd: int = 0
    trouble: str = ""
    """Why it is not whole: one sentence."""
    error: errors.ClusterError | None = None
    pages: int = 0


class _Namespaces:
    """Whether a namespace is in scope, each name matched once a sweep."""

    def __init__(self, scope: model.Scope) -> None:
        self._include = [re.compile(fnmatch.translate(glob)) for glob in scope.include]
        self._exclude = [re.compile(fnmatch.translate(glob)) for glob in scope.exclude]
        self._known: dict[str, bool] = {}
        self.all = not scope.include and not scope.exclude

    def hold(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            included = not self._include or any(glob.match(name) for glob in self._include)
            known = included and not any(glob.match(name) for glob in self._exclude)
            self._known[name] = known
        return known


async def take(
    reader: Reader,
    scope: model.Scope,
    *,
    now: datetime,
    monotonic: Callable[[], float],
    limits: Limits = Limits(),
) -> model.Snapshot:
    """Lists all kinds, a few at a time, and keeps what is in scope.

    `now` is the sweep's own time (aware), `monotonic` a clock in seconds. A scope that names its namespaces without
    globs is listed namespace by namespace, so that Roles in those suffice. Raises Unreachable or Unauthorized when the
    cluster cannot be asked at all, and the pods' own error when no list whatever could be read; every lesser trouble is
    in `degraded`.
    """
    started = monotonic()
    turns = asyncio.Semaphore(limits.concurrency)
    held = _Namespaces(scope)
    places = _places(scope, held)
    listings = [_Listing(kind) for kind in _KINDS]
    decoding = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        for listing in listings:
            group.create_task(_list(listing, reader, places, held, limits, turns, decoding))
    _raise_if_blind(listings)
    return model.Snapshot(
        cluster=reader.cluster,
        taken_at=now,
        scope=scope,
        degraded={listing.kind.name: listing.trouble for listing in listings if listing.trouble},
        odd=sum(listing.odd for listing in listings),
        seconds=monotonic() - started,
        **{listing.kind.name: listing.items for listing in listings},
    )


def _places(scope: model.Scope, held: _Namespaces) -> tuple[str | None, ...]:
    """The namespaces to list one by one; None stands for all of them at once."""
    if not scope.include or any(_is_glob(name) for name in scope.include):
        return (None,)
    return tuple(name for name in dict.fromkeys(scope.include) if held.hold(name))


def _is_glob(name: str) -> bool:
    return any(character in name for character in "*?[")


def _raise_if_blind(listings: Sequence[_Listing]) -> None:
    """Nothing at all was seen: the sweep failed, and says why by its most telling error."""
    failures = [listing.error for listing in listings if listing.error is not None]
    if any(listing.pages for listing in listings) or not failures:
        return
    fatal = [error for error in failures if isinstance(error, errors.Unreachable | errors.Unauthorized)]
    pods = [listing.error for listing in listings if listing.kind.name == "pods" and listing.error is not None]
    raise [*fatal, *pods, *failures][0]


async def _list(
    listing: _Listing,
    reader: Reader,
    places: Sequence[str | None],
    held: _Namespaces,
    limits: Limits,
    turns: asyncio.Semaphore,
    decoding: asyncio.Lock,
) -> None:
    """Fills one listing. Never raises a ClusterError: what went wrong is in `trouble` and `error`."""
    kind = listing.kind
    async with turns:
        try:
            async with asyncio.timeout(limits.timeout_s):
                for place in places if kind.namespaced else (None,):
                    await _list_place(listing, reader, place, held, limits, decoding)
        except errors.ClusterError as error:
            listing.error = error
            listing.trouble = f"could not {error}"
        except TimeoutError:
            listing.trouble = f"listing {kind.name} took longer than {limits.timeout_s:g} s and was cut short"
            listing.error = errors.Unreachable(f"list {kind.name}", "no answer in time")
    if listing.odd and not listing.trouble:
        listing.trouble = f"{listing.odd} {kind.name} could not be read and were left out"
    if kind.name == "events":
        _trim_events(listing, limits.events, final=True)


async def _list_place(
    listing: _Listing,
    reader: Reader,
    place: str | None,
    held: _Namespaces,
    limits: Limits,
    decoding: asyncio.Lock,
) -> None:
    kind = listing.kind
    pages = reader.pages(kind.name, place, page=limits.page, field_selector=kind.field_selector)
    async with contextlib.aclosing(pages):
        async for body in pages:
            async with decoding:  # pages of several kinds that arrive together would else be decoded in one go
                listing.pages += 1
                listing.items += _in_scope(_decoded(listing, body), kind, held)
                if _full(listing, limits):
                    return
                await asyncio.sleep(0)


def _full(listing: _Listing, limits: Limits) -> bool:
    """Cuts the listing to its bound; whether the rest of the list need not be read."""
    if listing.kind.name == "events":
        _trim_events(listing, limits.events)
        return False
    if len(listing.items) <= limits.pods:
        return False
    del listing.items[limits.pods :]
    listing.trouble = f"there are more than {limits.pods:,} {listing.kind.name}, the rest were left out"
    return True


def _decoded(listing: _Listing, body: bytes) -> list[Any]:
    """The objects of a page: at once, or one by one where one of them is odd. Raises Malformed."""
    try:
        items: list[Any] = _TYPED[listing.kind.type].decode(body).items or []
    except msgspec.ValidationError:
        items = _one_by_one(listing, body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.Malformed(f"list {listing.kind.name}", "the answer is not valid JSON") from None
    for item in items:
        annotations = item.metadata.annotations
        if annotations:
            annotations.pop(_LAST_APPLIED, None)
    return items


def _one_by_one(listing: _Listing, body: bytes) -> list[Any]:
    try:
        raws = _RAW.decode(body).items or []
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.Malformed(f"list {listing.kind.name}", "the answer is not a list of objects") from None
    items: list[Any] = []
    for raw in raws:
        try:
            items.append(_SINGLE[listing.kind.type].decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            listing.odd += 1
    return items


def _in_scope(items: Iterable[Any], kind: _Kind, held: _Namespaces) -> Iterable[Any]:
    if held.all or kind.name == "nodes":
        return items
    if kind.name == "namespaces":
        return [item for item in items if held.hold(item.metadata.name)]
    if kind.name == "events":  # an event about a node or another cluster-wide object lies in namespace `default`
        return [item for item in items if not (place := item.involved_object.namespace) or held.hold(place)]
    return [item for item in items if held.hold(item.metadata.namespace)]


def _trim_events(listing: _Listing, most: int, *, final: bool = False) -> None:
    """Keeps the newest `most` events. Between pages only when twice as many are there: sorting is not free."""
    if len(listing.items) <= (most if final else 2 * most):
        return
    listing.items.sort(key=lambda event: objects.last_seen(event) or _EPOCH, reverse=True)
    del listing.items[most:]
    listing.trouble = listing.trouble or f"there are more than {most:,} warning events, only the newest were kept"


async def discard(seen: model.Snapshot) -> None:
    """Empties a snapshot that is no longer needed, slice by slice.

    Freed in one go, the million small objects of ten thousand pods hold the event loop for some 40 ms. The snapshot is
    unusable afterwards, so only its owner calls this, as the sweep's last step.
    """
    for kind in _KINDS:
        items = getattr(seen, kind.name)
        while isinstance(items, list) and items:
            del items[-PAGE:]
            await asyncio.sleep(0)
