"""PDBBlocking: a PodDisruptionBudget lets no pod go that a node is waiting to be rid of. Called by `k8s.detection`.

A drain leaves no object and a refused eviction no event (the API server answers 429 and writes nothing), so a snapshot
shows only what a drain leaves behind: a cordoned node on which nothing is left but what budgets hold. A node that was
merely cordoned still has pods that could go, and is not spoken of.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from k8s import model, objects, phrases, surroundings, symptoms

PDB_BLOCKING = symptoms.KindInfo(
    kind="PDBBlocking",
    severity="P3",
    grace=timedelta(seconds=600),
    doc="https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/#the-eviction-api",
    condition="a cordoned node holds nothing but pods that a PodDisruptionBudget lets none go of",
)
KINDS = (PDB_BLOCKING,)

kinds: tuple[str, ...] = tuple(info.kind for info in KINDS)
reads: tuple[str, ...] = ("poddisruptionbudgets", "nodes", "pods")

_CORDONED = "node.kubernetes.io/unschedulable"

_Place = tuple[str, tuple[str, str] | None]
_Full = Mapping[_Place, Sequence[surroundings.Budget]]
"""By namespace and one label that the selector asks for (None where it asks for none), so that a pod meets few."""


@dataclass(slots=True)
class _Held:
    """What one budget holds."""

    budget: surroundings.Budget
    pods: list[objects.Pod] = field(default_factory=list)
    since: list[datetime] = field(default_factory=list)


def detect(snapshot: model.Snapshot, index: model.Index) -> Iterator[model.Finding]:
    """`class` in the facts: never (the budget allows none even when all is well) or unhealthy (pods of it are not)."""
    full = _full(snapshot.poddisruptionbudgets)
    leaving = {node.metadata.name: node for node in snapshot.nodes if _leaving(node)} if full else {}
    if not leaving:
        return
    on_node: dict[str, list[objects.Pod]] = defaultdict(list)
    for pod in snapshot.pods:
        if pod.spec.node_name in leaving and symptoms.living(pod) and _drained(pod):
            on_node[pod.spec.node_name or ""].append(pod)
    held: dict[tuple[str, str], _Held] = {}
    for name, pods in sorted(on_node.items()):
        holders = [(pod, _holder(pod, full)) for pod in pods]
        if any(budget is None for _, budget in holders):
            continue
        since = _cordoned_at(leaving[name])
        for pod, budget in holders:
            if budget is not None:
                key = (budget.metadata.namespace, budget.metadata.name)
                one = held.setdefault(key, _Held(budget))
                one.pods.append(pod)
                one.since += [since] if since is not None else []
    for _, one in sorted(held.items()):
        yield _finding(one, index, snapshot.taken_at)


def _full(budgets: Sequence[surroundings.Budget]) -> _Full:
    """Budgets that allow no disruption at this moment. One without pods holds nobody."""
    found: dict[_Place, list[surroundings.Budget]] = defaultdict(list)
    for budget in budgets:
        status, selector = budget.status, budget.spec.selector
        if status.disruptions_allowed == 0 and (status.expected_pods or 0) > 0 and selector is not None:
            label = min((selector.match_labels or {}).items(), default=None)
            found[budget.metadata.namespace, label].append(budget)
    return found


def _leaving(node: objects.Node) -> bool:
    taints = node.spec.taints or ()
    return bool(node.spec.unschedulable) or any(taint.key in symptoms.LEAVING for taint in taints)


def _drained(pod: objects.Pod) -> bool:
    """Whether a drain would evict it: neither a daemon's nor a static pod."""
    if objects.MIRROR in (pod.metadata.annotations or {}):
        return False
    owners = pod.metadata.owner_references or ()
    return not any(owner.controller and owner.kind in ("DaemonSet", "Node") for owner in owners)


def _cordoned_at(node: objects.Node) -> datetime | None:
    """When the control plane (or an autoscaler) tainted it; the cluster autoscaler writes its time as the value."""
    for taint in node.spec.taints or ():
        if taint.key == _CORDONED or taint.key in symptoms.LEAVING:
            told = objects.moment(taint.time_added)
            if told is not None:
                return told
            seconds = taint.value or ""
            if taint.key in symptoms.LEAVING and seconds.isascii() and seconds.isdecimal() and len(seconds) <= 10:
                return datetime.fromtimestamp(int(seconds), UTC)
    return None


def _holder(pod: objects.Pod, full: _Full) -> surroundings.Budget | None:
    """The first budget (by name) that keeps a pod from being evicted; None where it could go."""
    labels = pod.metadata.labels or {}
    near = [each for label in (None, *labels.items()) for each in full.get((pod.metadata.namespace, label), ())]
    matching = [each for each in near if surroundings.selects(each.spec.selector, labels)]
    holding = [each for each in matching if not _lets_unready_go(each, pod)]
    return min(holding, key=lambda each: each.metadata.name, default=None)


def _lets_unready_go(budget: surroundings.Budget, pod: objects.Pod) -> bool:
    """https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy"""
    if symptoms.ready(pod):
        return False
    if pod.status.phase == "Pending" or budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    healthy, desired = budget.status.current_healthy or 0, budget.status.desired_healthy or 0
    return healthy >= desired > 0


def _finding(held: _Held, index: model.Index, now: datetime) -> model.Finding:
    """Folds into the workload, where all the pods that it holds are of one."""
    budget, status = held.budget, held.budget.status
    resource = symptoms.reference("PodDisruptionBudget", budget.metadata)
    owners = {index.top_owner("Pod", pod.metadata) for pod in held.pods}
    nodes = sorted({pod.spec.node_name or "" for pod in held.pods})
    healthy, desired, expected = status.current_healthy or 0, status.desired_healthy or 0, status.expected_pods or 0
    never = desired >= expected
    why = (
        f"it asks for {desired} of {phrases.counted(expected, 'pod')} at all times"
        if never
        else f"{healthy} of its {expected} pods are healthy and it asks for {desired}"
    )
    where = f"node {nodes[0]} is" if len(nodes) == 1 else f"{len(nodes)} nodes are"
    still = "has" if len(nodes) == 1 else "have"
    return model.Finding(
        kind=PDB_BLOCKING.kind,
        severity=PDB_BLOCKING.severity,
        resource=resource,
        owner=owners.pop() if len(owners) == 1 else resource,
        message=f"PodDisruptionBudget {resource.name} lets no pod go ({why}), while {where} cordoned and still "
        f"{still} {phrases.counted(len(held.pods), 'pod')} of it; what could go has gone.",
        since=_since(held, now),
        cause="no disruption allowed",
        grace=PDB_BLOCKING.grace,
        facts={
            "class": "never" if never else "unhealthy",
            "nodes": phrases.clip(", ".join(nodes)),
            "held": str(len(held.pods)),
            "healthy": str(healthy),
            "desired_healthy": str(desired),
            "expected": str(expected),
        },
    )


def _since(held: _Held, now: datetime) -> datetime:
    """Since both held: the node is cordoned, and the budget allows nothing; `now` where one of them is not known."""
    condition = objects.condition(held.budget.status.conditions, "DisruptionAllowed")
    refusing = objects.moment(condition.last_transition_time) if condition is not None else None
    known = [moment for moment in (refusing, min(held.since, default=None)) if moment is not None and moment <= now]
    return max(known) if len(known) == 2 else now
