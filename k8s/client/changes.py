"""What a watch tells its consumer, and what waits for a consumer that is slower than its cluster.

`watching.Stream` fills a `Waiting` and its consumer empties it. It never holds more than the newest state of each
object that there is, and one line for each that is gone: however slow the consumer is, memory stays in proportion to
the cluster and not to what happens in it. Pure.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from k8s import objects


class Listed(Protocol):
    """Any object of the API that is listed and watched (`objects.Pod`, `objects.Node` …)."""

    metadata: objects.Meta


T = TypeVar("T", bound=Listed)


@dataclass(frozen=True, slots=True)
class Relisted(Generic[T]):
    """The complete truth as of `resource_version`: an object that was known before and is not in it is gone."""

    objects: list[T]
    """The consumer's own from now on."""
    resource_version: str
    odd: int = 0
    """How many could not be read and were left out: their absence is no fact."""


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """An object that is new, or in a newer state. States in between may have been skipped."""

    object: T


@dataclass(frozen=True, slots=True)
class Removed(Generic[T]):
    """An object that is gone, or that the field selector selects no more, in its last state (of which, where the server
    sent an odd one, only the metadata are left)."""

    object: T


Change = Relisted[T] | Changed[T] | Removed[T]


def identity(metadata: objects.Meta) -> str:
    """What an object is told from others by: its uid. One without has no other life than its name's."""
    return metadata.uid or f"{metadata.namespace}/{metadata.name}"


class Waiting(Generic[T]):
    """What the consumer has not taken yet: a relist, where there was one, then one change for each object."""

    def __init__(self) -> None:
        self._relisted: Relisted[T] | None = None
        self._changes: OrderedDict[str, Changed[T] | Removed[T]] = OrderedDict()
        self._held: set[str] = set()
        """What the consumer holds, as soon as it has taken the relist that waits."""

    def __len__(self) -> int:
        return len(self._changes) + (self._relisted is not None)

    def relist(self, found: Relisted[T], held: set[str]) -> list[object]:
        """Takes the place of all that waits; `held` are the identities in it. What it replaced is given back, since
        many objects that are freed at once stall the event loop."""
        replaced: list[object] = list(self._changes.values())
        replaced += self._relisted.objects if self._relisted is not None else ()
        self._relisted, self._changes, self._held = found, OrderedDict(), held
        return replaced

    def change(self, found: T) -> None:
        """The newest state wins."""
        self._changes[identity(found.metadata)] = Changed(found)

    def remove(self, found: T) -> None:
        """Kept where the consumer has the object, forgotten where it never heard of it."""
        key = identity(found.metadata)
        if key in self._held:
            self._changes[key] = Removed(found)
        else:
            self._changes.pop(key, None)

    def take(self) -> Change[T] | None:
        """The next one, which the consumer has from now on; None where nothing waits."""
        if self._relisted is not None:
            found, self._relisted = self._relisted, None
            return found
        if not self._changes:
            return None
        key, change = self._changes.popitem(last=False)
        if isinstance(change, Removed):
            self._held.discard(key)
        else:
            self._held.add(key)
        return change
