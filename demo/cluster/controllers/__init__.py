"""The controllers of the control plane, one module each; `cluster` starts them all."""

from demo.cluster.controllers.autoscalers import Autoscalers
from demo.cluster.controllers.claims import Claims
from demo.cluster.controllers.daemonsets import DaemonSets
from demo.cluster.controllers.deployments import Deployments
from demo.cluster.controllers.disruption import Disruption
from demo.cluster.controllers.endpoints import EndpointControl
from demo.cluster.controllers.garbage import GarbageCollector
from demo.cluster.controllers.jobs import Jobs
from demo.cluster.controllers.namespaces import Namespaces
from demo.cluster.controllers.quotas import Quotas
from demo.cluster.controllers.replicasets import ReplicaSets
from demo.cluster.controllers.statefulsets import StatefulSets
from demo.cluster.manager import Controller, Manager
from demo.cluster.recorder import Recorder
from demo.cluster.registry import Registry


def all_controllers(registry: Registry, recorder: Recorder, manager: Manager) -> list[Controller]:
    """One of each; the node controller is apart, since tests drive it."""
    return [
        Deployments(registry, recorder, manager),
        ReplicaSets(registry, recorder, manager),
        StatefulSets(registry, recorder, manager),
        DaemonSets(registry, recorder, manager),
        Jobs(registry, recorder, manager),
        Autoscalers(registry, recorder, manager),
        Claims(registry, recorder, manager),
        Namespaces(registry),
        Disruption(registry, recorder),
        EndpointControl(registry),
        Quotas(registry),
        GarbageCollector(registry),
    ]
