"""From what a list or a watch sends to objects of ours: for `watching`. Pure.

Real clusters send odd objects (null where a list should be, a type that nobody expects), and one such object says
nothing about the others: it is left out and counted. Wire format: ListMeta, WatchEvent and Status in
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/
"""

import contextlib
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from k8s import objects
from k8s.client import changes, errors

T = TypeVar("T", bound=changes.Listed)

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""A copy of the whole object in one annotation: often its larger half, and no detector reads it."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str | None = None
    continue_: str | None = msgspec.field(name="continue", default=None)


class _List(msgspec.Struct, Generic[T], gc=False):
    metadata: _ListMeta | None = None
    items: list[T] | None = None


class _RawList(msgspec.Struct):
    metadata: _ListMeta | None = None
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct, Generic[T], gc=False):
    """metav1.WatchEvent."""

    type: str
    object: T


class _RawEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Named(msgspec.Struct):
    """Whatever it is, it has metadata."""

    metadata: objects.Meta


class _Code(msgspec.Struct):
    code: int | None = None


_RAW_LIST = msgspec.json.Decoder(_RawList)
_RAW_EVENT = msgspec.json.Decoder(_RawEvent)
_NAMED = msgspec.json.Decoder(_Named)
_CODE = msgspec.json.Decoder(_Code)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list."""

    objects: list[T]
    odd: int
    """Objects that could not be read and were left out."""
    resource_version: str
    token: str
    """For the next page; empty on the last."""


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """One line of a watch. `unreadable`: nobody knows what it was about, `nothing`: it changes no object that we can
    read; `error`: the server gives this watch up."""

    kind: Literal["changed", "removed", "nothing", "unreadable", "error"]
    object: T | None = None
    resource_version: str = ""
    """How far the watch is with it; empty where the line does not say."""
    odd: bool = False
    """Its object could not be read; of one that is gone, the metadata are left."""
    status: bytes = b""
    """Of an error: a Status as JSON."""


class Decoder(Generic[T]):
    """For objects of one type."""

    def __init__(self, decode: type[T]) -> None:
        self._type: Any = decode
        self._lists: Any = msgspec.json.Decoder(_List[decode])  # type: ignore[valid-type]
        self._events: Any = msgspec.json.Decoder(_Event[decode])  # type: ignore[valid-type]
        self._single: Any = msgspec.json.Decoder(decode)

    def page(self, body: bytes) -> Page[T]:
        """At once, or one by one where one of them is odd. Raises ValueError where it is no list at all."""
        try:
            found = self._lists.decode(body)
            items: list[T] = found.items or []
            odd = 0
        except msgspec.ValidationError:
            found, items = self._one_by_one(body)
            odd = len(found.items or ()) - len(items)
        except _UNREADABLE:
            raise ValueError("the answer is not valid JSON") from None
        for item in items:
            _lighten(item.metadata)
        metadata = found.metadata or _ListMeta()
        return Page(items, odd, metadata.resource_version or "", metadata.continue_ or "")

    def _one_by_one(self, body: bytes) -> tuple[_RawList, list[T]]:
        try:
            found = _RAW_LIST.decode(body)
        except _UNREADABLE:
            raise ValueError("the answer is not a list of objects") from None
        items: list[T] = []
        for raw in found.items or ():
            with contextlib.suppress(*_UNREADABLE):
                items.append(self._single.decode(raw))
        return found, items

    def event(self, line: bytes) -> Event[T]:
        try:
            found: _Event[T] = self._events.decode(line)
        except _UNREADABLE:
            return self._odd(line)
        version = found.object.metadata.resource_version
        match found.type:
            case "ADDED" | "MODIFIED":
                _lighten(found.object.metadata)
                return Event("changed", found.object, version)
            case "DELETED":
                _lighten(found.object.metadata)
                return Event("removed", found.object, version)
            case "BOOKMARK":
                return Event("nothing", None, version)
            case "ERROR":  # a Status that the type happens to fit
                return self._odd(line)
            case _:
                return Event("nothing", None, version, odd=True)

    def _odd(self, line: bytes) -> Event[T]:
        """What is no change of a readable object. That such a one is gone can be told nevertheless."""
        try:
            found = _RAW_EVENT.decode(line)
            if found.type == "ERROR":
                return Event("error", status=bytes(found.object))
            metadata = _NAMED.decode(found.object).metadata
        except _UNREADABLE:
            return Event("unreadable", odd=True)
        version = metadata.resource_version
        if found.type == "DELETED":
            return Event("removed", self._type(metadata=metadata), version, odd=True)
        return Event("nothing", None, version, odd=found.type != "BOOKMARK")


def failure(what: str, status: bytes) -> errors.ClusterError:
    """The error that an ERROR of a watch stands for; `what` was being done."""
    try:
        code = _CODE.decode(status).code
    except _UNREADABLE:
        code = None
    if code is None:
        return errors.Malformed(what, "the server sent an error that could not be read")
    return errors.from_answer(what, code, status, {})


def _lighten(metadata: objects.Meta) -> None:
    if metadata.annotations:
        metadata.annotations.pop(_LAST_APPLIED, None)
