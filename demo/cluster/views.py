"""Objects that the API shows in a second shape: core events as events.k8s.io/v1, and back.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from demo.cluster.objects import Object

_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_BACK = {new: old for old, new in _RENAMED.items()}


def event_to_v1(event: Object) -> Object:
    return {_RENAMED.get(name, name): value for name, value in event.items()}


def event_from_v1(event: Object) -> Object:
    return {_BACK.get(name, name): value for name, value in event.items()}
