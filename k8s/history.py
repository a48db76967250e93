"""What earlier sweeps learnt of a workload, so that a detector can speak of change and not of absolute numbers.

Values only. A sweep loads them from the record (`bot.remembering`), brings them up to date (`k8s.restart_rates`,
`k8s.memory_curves`, `k8s.log_rates`), and hands them to the detectors with its snapshot. Without any, those that rest
on them are silent. Stored as JSON, one state for each workload, container and family: nothing here grows without bound.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

Family = Literal["restarts", "memory", "logs"]


class Place(NamedTuple):
    """One container of one workload, by the workload's top owner: pods come and go, a baseline stays."""

    kind: str
    namespace: str
    name: str
    uid: str
    container: str


class Restart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Restarts of one pod's container between two sweeps."""

    at: datetime
    """When the later of the two saw them."""
    pod: str
    """Its uid."""
    times: int


class Restarts(msgspec.Struct, frozen=True, tag="restarts"):
    counts: dict[str, int]
    """Pod uid → restartCount at `at`, of pods that have any; at most `restart_rates.PODS`."""
    usual: float
    """Restarts before the recent ones, older ones weighing less …"""
    hours: float
    """… and the hours in which they happened, weighed alike."""
    recent: tuple[Restart, ...]
    at: datetime
    """The last sweep that had something to change here."""


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    at: int
    """Seconds of Unix time."""
    share: float
    """Of the memory limit, of the pod that used most of it then."""


class Memory(msgspec.Struct, frozen=True, tag="memory"):
    limit: float
    """Bytes; a curve ends where the limit is changed."""
    pod: str
    """The name of the pod that used most of it last."""
    pod_uid: str
    samples: tuple[Sample, ...]
    """Oldest first, thinned: at most `memory_curves.SAMPLES`."""


class Template(msgspec.Struct, frozen=True, gc=False):
    """Error lines that are alike but for numbers, ids and the like."""

    usual: float
    """Lines in reads before the last one, older ones weighing less."""
    recent: int
    """Lines in the last read."""
    line: str
    """The last one of them, redacted and cut."""


class Logs(msgspec.Struct, frozen=True, tag="logs"):
    templates: dict[str, Template]
    """At most `log_rates.TEMPLATES`, and under `log_rates.ALL` all error lines together."""
    minutes: float
    """Minutes of log in the reads before the last one, older ones weighing less."""
    span: float
    """Minutes of log in the last read."""
    read_at: datetime
    reads: int
    pod: str
    """The name of the pod whose log was read last."""
    pod_uid: str


State = Restarts | Memory | Logs


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of the workloads of one cluster."""

    restarts: Mapping[Place, Restarts] = field(default_factory=dict)
    memory: Mapping[Place, Memory] = field(default_factory=dict)
    logs: Mapping[Place, Logs] = field(default_factory=dict)
    kept: bool = False
    """Whether it comes from the record. Where it does not, that nothing is found by it says nothing."""

    def __iter__(self) -> Iterator[tuple[Place, State]]:
        yield from self.restarts.items()
        yield from self.memory.items()
        yield from self.logs.items()

    def __len__(self) -> int:
        return len(self.restarts) + len(self.memory) + len(self.logs)

    def with_changes(self, changes: "History") -> "History":
        """This one, brought up to date."""
        return History(
            restarts={**self.restarts, **changes.restarts},
            memory={**self.memory, **changes.memory},
            logs={**self.logs, **changes.logs},
            kept=self.kept or changes.kept,
        )
