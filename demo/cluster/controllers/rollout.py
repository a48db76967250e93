"""The arithmetic of a rolling update: how many pods the new ReplicaSet may have, and which old ones may go.

Pure. Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/deployment/rolling.go and
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment
"""

from demo.cluster.objects import Object, int_or_percent


def is_rolling(deployment: Object) -> bool:
    return bool(deployment["spec"]["strategy"]["type"] == "RollingUpdate")


def _bounds(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods; never both zero."""
    if not is_rolling(deployment):
        return 0, 0
    total = deployment["spec"].get("replicas", 1)
    rolling = deployment["spec"]["strategy"].get("rollingUpdate") or {}
    surge = int_or_percent(rolling.get("maxSurge", "25%"), total, round_up=True)
    unavailable = int_or_percent(rolling.get("maxUnavailable", "25%"), total, round_up=False)
    return (surge, 1) if surge == 0 and unavailable == 0 else (surge, unavailable)


def max_surge(deployment: Object) -> int:
    return _bounds(deployment)[0]


def max_unavailable(deployment: Object) -> int:
    wanted = deployment["spec"].get("replicas", 1)
    return min(_bounds(deployment)[1], wanted) if wanted else 0


def wanted(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 0))


def available(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))


def new_size(deployment: Object, replica_sets: list[Object], current: int) -> int:
    """NewRSNewReplicas: the size of the new ReplicaSet now, `current` being its size so far."""
    target = deployment["spec"].get("replicas", 1)
    if not is_rolling(deployment):
        return int(target)
    total = sum(wanted(each) for each in replica_sets)
    limit = target + max_surge(deployment)
    if total >= limit:
        return current
    return int(current + min(limit - total, target - current))


def shrink_old(deployment: Object, new: Object, old: list[Object]) -> list[tuple[Object, int]]:
    """Which old ReplicaSets shrink to which size now: first their unhealthy pods, then what availability allows."""
    everything = [*old, new]
    if not sum(wanted(each) for each in old):
        return []
    minimum = deployment["spec"].get("replicas", 1) - max_unavailable(deployment)
    new_unavailable = wanted(new) - available(new)
    room = sum(wanted(each) for each in everything) - minimum - new_unavailable
    if room <= 0:
        return []
    sizes = {each["metadata"]["uid"]: wanted(each) for each in old}
    for each in old:
        unhealthy = min(max(0, sizes[each["metadata"]["uid"]] - available(each)), room)
        sizes[each["metadata"]["uid"]] -= unhealthy
        room -= unhealthy
    spare = sum(available(each) for each in everything) - minimum
    for each in old:
        cut = min(max(0, spare), sizes[each["metadata"]["uid"]])
        sizes[each["metadata"]["uid"]] -= cut
        spare -= cut
    return [(each, sizes[each["metadata"]["uid"]]) for each in old if sizes[each["metadata"]["uid"]] != wanted(each)]


def proportional_sizes(deployment: Object, active: list[Object]) -> dict[str, int]:
    """Sizes by UID when a Deployment is scaled in the middle of a rollout: each ReplicaSet in its proportion."""
    target = deployment["spec"].get("replicas", 1)
    allowed = target + max_surge(deployment) if target else 0
    total = sum(wanted(each) for each in active)
    to_add = allowed - total
    order = sorted(active, key=lambda each: each["metadata"]["creationTimestamp"], reverse=to_add > 0)
    order.sort(key=wanted, reverse=True)
    sizes = {each["metadata"]["uid"]: wanted(each) for each in active}
    if not to_add:
        return sizes
    added = 0
    for each in order:
        maximum = int((each["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/max-replicas", total))
        share = round(wanted(each) * allowed / max(maximum, 1)) - wanted(each)
        left = to_add - added
        share = max(0, min(share, left)) if to_add > 0 else min(0, max(share, left))
        sizes[each["metadata"]["uid"]] += share
        added += share
    first = order[0]["metadata"]["uid"]
    sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes
