"""What pods use, as metrics.k8s.io tells it: read into a snapshot where the cluster has a metrics server.

https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/. Called by `k8s.snapshot` and
`k8s.memory_curves`.
"""

from typing import Any

import msgspec

from k8s import objects


class Whose(objects.Object):
    """Of its metadata only which pod it is: there are as many as pods, and each repeats the pod's labels."""

    name: str = ""
    namespace: str = ""


class Amounts(objects.Object):
    memory: Any = None
    """The working set, what the kernel holds against the limit less what it could drop at once: a quantity."""


class ContainerUsage(objects.Object):
    name: str = ""
    usage: Amounts | None = None


class PodMetrics(objects.Object):
    metadata: Whose = msgspec.field(default_factory=Whose)
    containers: tuple[ContainerUsage, ...] | None = None
    """No list: the garbage collector would walk through as many of them as there are pods, again and again."""
