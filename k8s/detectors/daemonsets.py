"""DaemonSetIncomplete: nodes that should run a daemon pod do not, or others do. Called by `k8s.detection`.

https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/ : the controller itself leaves nodes out whose
taints are not tolerated; a cordon is tolerated, so a cordoned node counts and is excused here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k8s import absences, model, objects, phrases, symptoms

DAEMONSET_INCOMPLETE = symptoms.KindInfo(
    kind="DaemonSetIncomplete",
    severity="P2",
    grace=timedelta(seconds=300),
    doc="https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/#troubleshooting",
    condition="a node that should run a daemon pod has none that is ready, or one that should not has one",
    also={"misscheduled": ("nodes",)},
)
KINDS = (DAEMONSET_INCOMPLETE,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("daemonsets", "pods")

_LIFECYCLE = "node.kubernetes.io/"
"""Taints that the control plane sets while something is done to a node, or wrong with it."""


@dataclass(frozen=True, slots=True)
class _Fleet:
    """What matters of the nodes: which are cordoned or otherwise dealt with, and which refuse pods by any taint."""

    excused: frozenset[str]
    tainted: frozenset[str]


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: unavailable, refused (its pods cannot be made) or misscheduled."""
    fleet: _Fleet | None = None
    for daemonset in snapshot.daemonsets:
        if daemonset.metadata.deletion_timestamp or symptoms.unobserved(daemonset):
            continue
        status = daemonset.status
        if (status.number_unavailable or 0) <= 0 and (status.number_misscheduled or 0) <= 0:
            continue
        if fleet is None:
            fleet = _fleet(snapshot.nodes)
        unavailable = _unavailable(daemonset, index, fleet, snapshot.taken_at)
        if unavailable is not None:
            yield unavailable
        if (status.number_misscheduled or 0) > 0 and snapshot.saw(["nodes"]):
            misscheduled = _misscheduled(daemonset, index, fleet, snapshot.taken_at)
            if misscheduled is not None:
                yield misscheduled


def _fleet(nodes: Sequence[objects.Node]) -> _Fleet:
    excused, tainted = set(), set()
    for node in nodes:
        taints = [taint for taint in node.spec.taints or () if taint.effect != "PreferNoSchedule"]
        if taints or node.spec.unschedulable:
            tainted.add(node.metadata.name)
        dealt_with = any(taint.key.startswith(_LIFECYCLE) or taint.key in symptoms.LEAVING for taint in taints)
        if node.spec.unschedulable or node.metadata.deletion_timestamp or dealt_with:
            excused.add(node.metadata.name)
    return _Fleet(frozenset(excused), frozenset(tainted))


def _unavailable(daemonset: objects.Workload, index: model.Index, fleet: _Fleet, now: datetime) -> model.Finding | None:
    status = daemonset.status
    desired = status.desired_number_scheduled or 0
    if (status.number_unavailable or 0) <= 0:
        return None
    ref = symptoms.reference("DaemonSet", daemonset.metadata)
    broken = [
        pod
        for pod in index.pods(ref)
        if not symptoms.ready(pod) and symptoms.living(pod) and not _excused(pod, index, fleet)
    ]
    missing = max(desired - (status.current_number_scheduled or 0), 0)
    refused = index.events(ref, ("FailedCreate",)) if missing else ()
    since = symptoms.earliest(now, *map(symptoms.unready_since, broken), *map(symptoms.first_seen, refused))
    if not (broken or refused) or (_rolling(daemonset) and now - since < symptoms.DEFAULT_DEADLINE):
        return None
    short = len(broken) + missing
    kind = "unavailable" if broken else "refused"
    why = "" if broken else ", and their pods cannot be created"
    return _finding(
        daemonset,
        since=since,
        message=f"DaemonSet {ref.name} is not available on {short} of {desired} nodes{why}.",
        cause=kind,
        facts={
            "class": kind,
            "nodes": phrases.clip(", ".join(sorted({pod.spec.node_name or "" for pod in broken} - {""}))),
            "reason": (refused[0].reason or "") if refused else "",
            "said": phrases.clip(refused[0].message) if refused else "",
            "quota": absences.quota(refused[0].message or "") if refused else "",
        },
    )


def _excused(pod: objects.Pod, index: model.Index, fleet: _Fleet) -> bool:
    """Whether its node is being dealt with, or is lost: the node's own incident tells of that."""
    node = pod.spec.node_name
    return node is not None and (node in fleet.excused or not index.node_ready(node))


def _rolling(daemonset: objects.Workload) -> bool:
    """Whether an update is under way that takes no more pods away at a time than its strategy allows."""
    status, strategy = daemonset.status, daemonset.spec.update_strategy
    desired = status.desired_number_scheduled or 0
    if (status.updated_number_scheduled or 0) >= desired or (strategy is not None and strategy.type == "OnDelete"):
        return False
    rolling = strategy.rolling_update if strategy is not None else None
    return (status.number_unavailable or 0) <= _allowed(
        rolling.max_unavailable if rolling is not None else None, desired
    )


def _allowed(value: int | str | None, desired: int) -> int:
    """maxUnavailable in nodes: a number, or a percentage rounded up; the default is 1."""
    if isinstance(value, int):
        return max(value, 1)
    text = (value or "").removesuffix("%")
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        return 1
    return max(-(-int(text) * desired // 100), 1)


def _misscheduled(
    daemonset: objects.Workload, index: model.Index, fleet: _Fleet, now: datetime
) -> model.Finding | None:
    """Pods that run where they should not, for no taint that came after them: those may stay, by design."""
    ref = symptoms.reference("DaemonSet", daemonset.metadata)
    pods = [pod for pod in index.pods(ref) if pod.spec.node_name]
    explained = [pod for pod in pods if pod.metadata.deletion_timestamp or pod.spec.node_name in fleet.tainted]
    number = (daemonset.status.number_misscheduled or 0) - len(explained)
    if number <= 0:
        return None
    return _finding(
        daemonset,
        since=now,
        message=f"DaemonSet {ref.name} has {phrases.counted(number, 'pod')} on nodes that should not run it.",
        cause="misscheduled",
        facts={"class": "misscheduled", "misscheduled": str(number)},
    )


def _finding(
    daemonset: objects.Workload,
    *,
    since: datetime,
    message: str,
    cause: str,
    facts: Mapping[str, str],
) -> model.Finding:
    ref = symptoms.reference("DaemonSet", daemonset.metadata)
    counts = {
        "ready": str(daemonset.status.number_ready or 0),
        "desired": str(daemonset.status.desired_number_scheduled or 0),
    }
    return model.Finding(
        kind=DAEMONSET_INCOMPLETE.kind,
        severity=DAEMONSET_INCOMPLETE.severity,
        resource=ref,
        owner=ref,
        message=message,
        since=since,
        cause=cause,
        grace=DAEMONSET_INCOMPLETE.grace,
        facts={name: text for name, text in {**facts, **counts}.items() if text},
    )
