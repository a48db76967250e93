"""Takes one look at a cluster: reader → `model.Snapshot`, bounded in memory and in time. The sweep is its caller.

A sweep must come to an end with what can be seen: a kind that may not be listed, an odd object, a slow or broken list
makes that kind degraded and nothing else. Pages are decoded straight into `k8s.objects`, one at a time, and the event
loop gets its turn between them: Slack wants an answer within three seconds while ten thousand pods are being read.
"""

import asyncio
import contextlib
import fnmatch
import gc
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from k8s import model, objects, slimming, surroundings, usage
from k8s.client import errors


class Reader(Protocol):
    """What a snapshot needs of `k8s.client.reader.Reader`."""

    @property
    def cluster(self) -> str: ...

    def pages(
        self, kind: str, namespace: str | None = None, *, page: int = ..., field_selector: str = ...
    ) -> AsyncGenerator[bytes, None]: ...


UNPAGED = 8 << 20
"""Bytes of a page from which it is decoded in several turns: a page of ordinary pods has two million."""

_SMALL = 1 << 19
"""The same for a list that comes in one piece as a rule, of many small objects."""

_PIECE = 1 << 18
"""Bytes at least of which such a list is decoded at a time: some nine hundred metrics of pods."""
_OPENING, _BETWEEN = b'"items":[', b'},{"metadata":'
"""How the objects of a list begin, and where the next one does."""

PAGE = 250
"""Objects of a request, decoded, or freed, without a pause for the event loop: 2 MB of ordinary pods. Twice as many, as
kubectl asks for, keep it busy for some 40 ms."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sweep may cost."""

    pods: int = 200_000
    """Objects kept of any one kind but events: about 10 KB each in memory at the worst."""
    events: int = 20_000
    """Warning events kept, the newest."""
    page: int = PAGE
    """Objects a request."""
    timeout_s: float = 60.0
    """Seconds for one kind, all its pages. What came until then is kept, and the kind is degraded."""
    concurrency: int = 4
    """Lists at the same time."""


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""A copy of the whole object in one annotation: often its larger half, and no detector reads it."""

CERTIFICATES = "secrets"
"""The list that is read only where `take` is told to: a right to list Secrets is more than a watch should need."""

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
    optional: bool = False
    """An identity may do without: what may not be read is `unread`, and the sweep is whole all the same."""
    spare: bool = False
    """So may a cluster: whatever goes wrong with this list, it is `unread` and no more."""
    unpaged: int = UNPAGED
    """Bytes of a page from which it is decoded in several turns."""


_KINDS = (
    # The one list that comes in one piece: read while little else is held.
    _Kind("podmetrics", usage.PodMetrics, optional=True, spare=True, unpaged=_SMALL),
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
    _Kind("services", surroundings.Service, optional=True),
    _Kind("endpointslices", surroundings.EndpointSlice, optional=True),
    _Kind("ingresses", surroundings.Ingress, optional=True),
    _Kind("ingressclasses", surroundings.IngressClass, namespaced=False, optional=True),
    _Kind("persistentvolumeclaims", surroundings.Claim, optional=True),
    _Kind("storageclasses", surroundings.StorageClass, namespaced=False, optional=True),
    _Kind("resourcequotas", surroundings.Quota, optional=True),
    _Kind("horizontalpodautoscalers", surroundings.Autoscaler, optional=True),
    _Kind("poddisruptionbudgets", surroundings.Budget, optional=True),
    _Kind("validatingwebhookconfigurations", surroundings.WebhookConfiguration, namespaced=False, optional=True),
    _Kind("mutatingwebhookconfigurations", surroundings.WebhookConfiguration, namespaced=False, optional=True),
    _Kind(CERTIFICATES, surroundings.TlsSecret, field_selector="type=kubernetes.io/tls", optional=True),
)

_TYPED = {kind.type: msgspec.json.Decoder(_Page[kind.type]) for kind in _KINDS}  # type: ignore[name-defined]
_SINGLE = {kind.type: msgspec.json.Decoder(kind.type) for kind in _KINDS}
_RAW = msgspec.json.Decoder(_RawPage)


@dataclass(slots=True)
class _Listing:
    """What came of one kind."""

    kind: _Kind
    slim: slimming.Slimming
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
        self._selected = (scope.selected or frozenset()) if scope.labels else None
        self._known: dict[str, bool] = {}
        self.all = not scope.include and not scope.exclude and not scope.labels

    def hold(self, name: str) -> bool:
        known = self._known.get(name)
        if known is None:
            included = not self._include or any(glob.match(name) for glob in self._include)
            included = included and (self._selected is None or name in self._selected)
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
    certificates: bool = False,
) -> model.Snapshot:
    """Lists all kinds, a few at a time, and keeps what is in scope; Secrets that hold certificates only if told to.

    `now` is the sweep's own time (aware), `monotonic` a clock in seconds. A scope that names its namespaces without
    globs is listed namespace by namespace, so that Roles in those suffice. Raises Unreachable or Unauthorized when the
    cluster cannot be asked at all, and the pods' own error when no list whatever could be read; every lesser trouble is
    in `degraded`.
    """
    started = monotonic()
    turns = asyncio.Semaphore(limits.concurrency)
    held = _Namespaces(scope)
    places = _places(scope)
    slim = slimming.Slimming()
    listings = [_Listing(kind, slim) for kind in _KINDS if certificates or kind.name != CERTIFICATES]
    decoding = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        for listing in listings:
            group.create_task(_list(listing, reader, places, held, limits, turns, decoding))
    _raise_if_blind(listings)
    lists: dict[str, Any] = {listing.kind.name: listing.items for listing in listings}
    return model.Snapshot(
        cluster=reader.cluster,
        taken_at=now,
        scope=scope,
        unread=_unread(listings) | ({} if certificates else {CERTIFICATES: "reading certificates is off"}),
        degraded={each.kind.name: each.trouble for each in listings if each.trouble and not _may_not(each)},
        odd=sum(listing.odd for listing in listings),
        seconds=monotonic() - started,
        **lists,
    )


def _unread(listings: Iterable[_Listing]) -> dict[str, str]:
    return {listing.kind.name: listing.trouble for listing in listings if _may_not(listing)}


def _may_not(listing: _Listing) -> bool:
    """Whether it is a list that an identity may do without, and this one does: no right to it, or no such API."""
    if listing.kind.spare:
        return bool(listing.trouble)
    return listing.kind.optional and isinstance(listing.error, errors.Forbidden | errors.NotFound)


def _places(scope: model.Scope) -> tuple[str | None, ...]:
    """The namespaces to list one by one; None stands for all of them at once."""
    places = scope.places
    return (None,) if places is None else places


def _raise_if_blind(listings: Sequence[_Listing]) -> None:
    """Nothing at all was seen: the sweep failed, and says why by its most telling error."""
    failures = [listing.error for listing in listings if listing.error is not None and not listing.kind.spare]
    if any(listing.pages for listing in listings if not listing.kind.spare) or not failures:
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
                await asyncio.sleep(0)
                for part in _parts(listing, body):
                    await asyncio.sleep(0)
                    decoded = _decoded(listing, part)
                    await asyncio.sleep(0)
                    found = _in_scope(decoded, kind, held)
                    _slim(listing, found)
                    listing.items += found
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
        with _uncollected():
            items: list[Any] = _TYPED[listing.kind.type].decode(body).items or []
    except msgspec.ValidationError:
        items = _one_by_one(listing, body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.Malformed(f"list {listing.kind.name}", "the answer is not valid JSON") from None
    return items


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Decoding makes many objects and no garbage: a collection in its midst would only lengthen the loop's stall."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _slim(listing: _Listing, items: Sequence[Any]) -> None:
    """Takes off what no detector reads, and would be held until the end of the sweep."""
    match listing.kind.name:
        case "pods":
            for item in items:
                listing.slim.pod(item)
        case "events":
            for item in items:
                listing.slim.event(item)
        case "podmetrics":
            for item in items:
                listing.slim.metrics(item)
            return
        case "replicasets":
            for item in items:
                item.spec.template = None
    for item in items:
        annotations = item.metadata.annotations
        if annotations:
            annotations.pop(_LAST_APPLIED, None)


def _parts(listing: _Listing, body: bytes) -> Iterator[bytes]:
    """A page as it is; a list that came in one piece, as an aggregated server sends it that knows no pages, in pieces.
    Raises Malformed.

    It is cut where a server that writes its objects' metadata first has ended one of them. What is no list of whole
    objects between two cuts was cut inside of one: the rest is then taken apart at once, which takes its time.
    """
    if len(body) <= listing.kind.unpaged:
        yield body
        return
    start = body.find(_OPENING)
    if start >= 0:
        start += len(_OPENING)
        while (end := body.find(_BETWEEN, start + _PIECE)) >= 0:
            piece = b'{"items":[%s]}' % body[start : end + 1]
            if not _whole(piece):
                break
            yield piece
            start = end + 2
        body = b'{"items":[%s' % body[start:]
    try:
        raws = _RAW.decode(body).items or []
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise errors.Malformed(f"list {listing.kind.name}", "the answer is not a list of objects") from None
    del body
    for first in range(0, len(raws), PAGE):
        yield b'{"items":[%s]}' % b",".join(bytes(raw) for raw in raws[first : first + PAGE])


def _whole(piece: bytes) -> bool:
    """Whether this is a list of whole objects. As its brackets match, it was cut between two of them."""
    try:
        _RAW.decode(piece)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


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


def _in_scope(items: Sequence[Any], kind: _Kind, held: _Namespaces) -> Sequence[Any]:
    if held.all or (not kind.namespaced and kind.name != "namespaces"):
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
