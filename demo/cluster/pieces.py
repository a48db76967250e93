"""A piece of a scenario: steps at moments of the past, each a change to the cluster."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.cluster.cluster import SimulatedCluster


@dataclass(frozen=True)
class Step:
    """Something that was done to the cluster `ago` seconds before it starts."""

    ago: float
    do: "Callable[[SimulatedCluster], None]"


@dataclass(frozen=True)
class Piece:
    """One story: a workload that breaks, or a healthy one."""

    name: str
    steps: tuple[Step, ...] = field(default_factory=tuple)
