"""The record of every request that the server got, so that tests can count writes exactly."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Entry:
    """One request. `status` is 0 while it runs, or for ever when the connection was dropped before an answer."""

    number: int
    time: str
    method: str
    path: str
    query: dict[str, str]
    user: str
    dry_run: bool
    status: int = 0
    body: Any = None
    content_type: str = ""
    impersonated: str = ""
    """In whose name `user` asked, where it impersonated somebody; as `impersonatedUser` of a real audit log."""
    groups: tuple[str, ...] = ()
    """Those that were impersonated with it."""
    dropped: bool = False
    """The work was done, but the client never heard of it."""

    @property
    def acting(self) -> str:
        """Whose rights the request went by."""
        return self.impersonated or self.user

    @property
    def is_write(self) -> bool:
        """A request that is meant to change the cluster: no dry run, no access review; an exec whatever it runs."""
        if self.path.endswith("/exec"):
            return True
        return self.method in WRITES and not self.dry_run and "/authorization.k8s.io/" not in self.path

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "write": self.is_write}


@dataclass
class Journal:
    """All requests in the order of their arrival, without those of /_test."""

    entries: list[Entry] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __getitem__(self, index: int) -> Entry:
        return self.entries[index]

    @property
    def writes(self) -> list[Entry]:
        """The writes that the cluster carried out, whether or not the client heard of it."""
        return [
            entry for entry in self.entries if entry.is_write and (200 <= entry.status < 300 or entry.status == 101)
        ]

    @property
    def attempts(self) -> list[Entry]:
        """All requests that were meant to write, refused ones too."""
        return [entry for entry in self.entries if entry.is_write]

    @property
    def dry_runs(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.method in WRITES and entry.dry_run]

    def clear(self) -> None:
        self.entries.clear()
