"""Names that may stand in a query: Kubernetes' own, and nothing that could end a string. Pure.

Called by `prometheus` and `loki`. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

import re

from k8s import model, workloads

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_SUFFIXES = {
    "Deployment": "-[a-z0-9]{1,12}-[a-z0-9]{5}",
    "ReplicaSet": "-[a-z0-9]{5}",
    "StatefulSet": "-[0-9]{1,5}",
    "DaemonSet": "-[a-z0-9]{5}",
    "Job": "-[a-z0-9]{5}",
    "CronJob": "-[0-9]{1,12}-[a-z0-9]{5}",
    "Pod": "",
}
"""What a controller adds to its name for a pod's."""


def valid(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def pods(problem: model.Problem, target: model.Target | None) -> str:
    """A regular expression (RE2) for the names of the workload's pods, ready to stand in double quotes; empty where
    there is no such workload, or its name is none."""
    subject = problem.subject if problem.subject.kind in _SUFFIXES else problem.primary.resource
    if target is not None and target.object is not None:
        subject = workloads.reference(target.object, target.ref.kind)
    suffix = _SUFFIXES.get(subject.kind)
    if suffix is None or not valid(subject.name) or not valid(subject.namespace):
        return ""
    return subject.name.replace(".", "\\\\.") + suffix


def namespace(problem: model.Problem) -> str:
    """Of the problem; empty where there is none, or it is no name."""
    found = problem.primary.resource.namespace or problem.subject.namespace
    return found if valid(found) else ""
