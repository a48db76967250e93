"""The quality-of-service class of a pod, which a resize may not change.

Pure; for `k8s.actions.resize_pod`. https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/; the sums are those of
`ComputePodQOS` in pkg/apis/core/helper/qos/qos.go of kubernetes/kubernetes.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from k8s import fields, model, quantities

Class = Literal["Guaranteed", "Burstable", "BestEffort"]
_COUNTED: tuple[quantities.Resource, ...] = ("cpu", "memory")


def of(containers: Iterable[model.Json]) -> Class:
    """By the resources of all containers, those that initialise too. An amount that cannot be read counts for none."""
    requests: dict[str, int] = {}
    limits: dict[str, int] = {}
    whole = True
    for each in containers:
        wants, most = _amounts(each, "requests"), _amounts(each, "limits")
        whole = whole and len(most) == len(_COUNTED)
        for total, found in ((requests, wants), (limits, most)):
            for name, amount in found.items():
                total[name] = total.get(name, 0) + amount
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if whole and requests == limits else "Burstable"


def _amounts(container: model.Json, bound: str) -> Mapping[str, int]:
    found = ((name, fields.value(container, "resources", bound, name)) for name in _COUNTED)
    parsed = ((name, quantities.parse(str(text), name)) for name, text in found if text is not None)
    return {name: amount for name, amount in parsed if amount}
