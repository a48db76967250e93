"""Which pods a drain of a node has to move, which of them it may not, and what of them is lost or runs short.

Pure. `made` is how a drain comes to be: from a freshly read node and its pods. Called by `k8s.actions.drain`,
`k8s.checks` and whoever proposes a drain. The rules are those of `kubectl drain`:
https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from k8s import fields, model, objects, targets, workloads

MOST = 120
"""Pods of one drain. A kubelet takes 110 by default; what holds more is for a person at a terminal."""
OWNERS = ("ReplicaSet", "StatefulSet")
"""Controllers that say how many of their pods are ready."""
SHOWN = 3
"""Names in a sentence; the rest is counted."""

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_HASH = "pod-template-hash"


def counts(pod: model.Json) -> bool:
    """Whether a drain has to evict it: it runs, or may, and neither its node nor a DaemonSet keeps it there."""
    return not (_kept(pod) or finished(pod) or fields.deleting(pod))


def finished(pod: model.Json) -> bool:
    """It runs no more: its record may stay."""
    return fields.text(pod, "status", "phase") in ("Succeeded", "Failed")


def _kept(pod: model.Json) -> bool:
    controller = fields.controller(pod)
    return objects.MIRROR in fields.annotations(pod) or (
        controller is not None and controller.kind in ("DaemonSet", "Node")
    )


def made(node: model.Json, pods: Iterable[model.Json]) -> model.Drain:
    """The drain of this node, with exactly those of its pods that count now. `problems` says whether it may be."""
    name = fields.text(node, "metadata", "name")
    moved = [pod for pod in on(name, pods) if counts(pod)]
    owners = {owner for pod in moved if (owner := fields.controller(pod)) is not None and owner.kind in OWNERS}
    return model.Drain(
        workload=model.ResourceRef("Node", "", name, fields.uid(node)),
        pods=tuple(sorted(workloads.reference(pod, "Pod") for pod in moved)),
        owners=tuple(sorted(owners)),
    )


def on(node: str, pods: Iterable[model.Json]) -> Iterator[model.Json]:
    """Those that sit on this node."""
    return (pod for pod in pods if fields.text(pod, "spec", "nodeName") == node)


def remaining(action: model.Drain, pods: Iterable[model.Json]) -> list[model.Json]:
    """Of the pods that it names, those that are still there and have not finished. A namesake is another one."""
    named = {pod.uid for pod in action.pods}
    return [pod for pod in on(action.workload.name, pods) if fields.uid(pod) in named and not finished(pod)]


def newcomers(action: model.Drain, pods: Iterable[model.Json]) -> list[model.Json]:
    """What came after it was proposed, and is left alone."""
    named = {pod.uid for pod in action.pods}
    return [pod for pod in on(action.workload.name, pods) if fields.uid(pod) not in named and counts(pod)]


def cordoned(node: object) -> bool:
    return fields.value(node, "spec", "unschedulable") is True


# --- why not


def fault(action: model.Drain) -> tuple[str, str] | None:
    """The first parameter that cannot be, and why."""
    if not action.pods:
        return "pods", "names no pod: cordon is for a node with nothing to move"
    if len(action.pods) > MOST:
        return "pods", f"names {len(action.pods)} pods, more than {MOST}"
    for listed, field in ((action.pods, "pods"), (action.owners, "owners")):
        if any(not ref.uid for ref in listed):
            return field, "names one without its uid"
        if list(listed) != sorted(set(listed)):
            return field, "is not sorted, or names one twice"
    if len({pod.uid for pod in action.pods}) < len(action.pods):
        return "pods", "names one uid twice"
    spaces = {pod.namespace for pod in action.pods}
    return None if all(ref.namespace in spaces for ref in action.owners) else ("owners", "is in no pod's namespace")


def problems(action: model.Drain, node: model.Json, target: model.Target) -> Sequence[str]:
    """Why this node must not be drained of these pods: sentences; empty where it may."""
    name = action.workload.name
    found = []
    if any(mark in fields.labels(node) for mark in _CONTROL_PLANE):
        found.append(f"Node {name} is of the control plane: it is not drained from here.")
    if not any(_takes_pods(each) for each in nodes(target) if fields.uid(each) != fields.uid(node)):
        found.append(f"No other node is ready and takes pods: nothing would run that is moved away from {name}.")
    left = remaining(action, target.pods)
    if not left:
        found.append(f"None of these pods is on node {name} any more.")
    if bare := [pod for pod in left if fields.controller(pod) is None and not _kept(pod)]:
        found.append(f"{named(bare)} {_have(bare)} no controller: nothing would put another one in its place.")
    if kept := [pod for pod in left if _kept(pod)]:
        found.append(f"{named(kept)} belongs to the node or to a DaemonSet, and would come back at once.")
    return found


def nodes(target: model.Target) -> list[model.Json]:
    return [each for each in target.extras if each.get("kind") == "Node"]


def _takes_pods(node: model.Json) -> bool:
    ready = fields.text(fields.condition(node, "Ready"), "status") == "True"
    return ready and not cordoned(node) and not fields.deleting(node)


def _have(pods: Sequence[model.Json]) -> str:
    return "has" if len(pods) == 1 else "have"


def named(pods: Sequence[model.Json]) -> str:
    """`Pod payments/api-1`, `Pods payments/api-1, payments/api-2 and 3 more`."""
    names = sorted(workloads.reference(pod, "Pod").short for pod in pods)
    return f"{'Pod' if len(names) == 1 else 'Pods'} {few(names)}"


def few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


# --- what it touches


def blast(action: model.Drain, target: model.Target) -> model.BlastRadius:
    """Numbers over all workloads that have pods there; in the note what numbers do not tell."""
    owners = [each for each in target.extras if each.get("kind") in OWNERS]
    left = remaining(action, target.pods)
    return model.BlastRadius(
        pods=len(left),
        ready=sum(workloads.ready(each, each["kind"]) for each in owners),
        desired=sum(workloads.desired(each, each["kind"]) for each in owners),
        headroom=workloads.headroom(target),
        note=" ".join(_notes(left, owners, target)),
    )


def _notes(left: Sequence[model.Json], owners: Sequence[model.Json], target: model.Target) -> Iterator[str]:
    touched = sorted({of(pod) for pod in left})
    yield f"Of {targets.counted(len(touched), 'workload')}: {few(touched)}."
    if most := _halved(left, owners):
        yield f"More than half of its pods go: {few(most)}."
    if tight := workloads.tight_budgets(target):
        yield f"No disruption is allowed now by PodDisruptionBudget {few(tight)}: the drain waits for it."
    if losing := sorted({of(pod) for pod in left if _local(pod)}):
        yield f"What is in emptyDir volumes is lost: {few(losing)}."
    yield "Undo uncordons the node; pods do not move back by themselves."


def of(pod: model.Json) -> str:
    """What a person calls the workload of a pod: a ReplicaSet goes by its Deployment's name."""
    controller = fields.controller(pod)
    if controller is None:
        return workloads.reference(pod, "Pod").short
    return controller.short.removesuffix(f"-{fields.labels(pod).get(_HASH, '')}")


def _halved(left: Sequence[model.Json], owners: Sequence[model.Json]) -> list[str]:
    """Workloads that more than half of the wanted pods go of at once."""
    here: Counter[str] = Counter()
    called: dict[str, str] = {}
    for pod in left:
        controller = fields.controller(pod)
        if controller is not None:
            here[controller.uid] += 1
            called[controller.uid] = of(pod)
    wanted = {fields.uid(each): workloads.desired(each, each["kind"]) for each in owners}
    return sorted(
        f"{called[uid]} ({count} of {wanted[uid]})"
        for uid, count in here.items()
        if uid in wanted and count * 2 > wanted[uid]
    )


def _local(pod: model.Json) -> bool:
    """Whether it keeps data on the node, which goes with it; in memory is not counted for data."""
    volumes = (fields.value(volume, "emptyDir") for volume in fields.items(pod, "spec", "volumes"))
    return any(isinstance(each, Mapping) and each.get("medium") != "Memory" for each in volumes)


# --- how far it is


def halfway(action: model.Drain, operations: Collection[model.Operation], target: model.Target) -> model.Halfway:
    left = remaining(action, target.pods)
    gone, total, shut = len(action.pods) - len(left), len(action.pods), cordoned(target.object)
    cordons = any(op.target.kind == "Node" for op in operations)
    told = f"the node is {'' if shut else 'not '}cordoned, and {gone} of {targets.counted(total)} are gone"
    return model.Halfway(shut if cordons else gone > 0, told, ending=shut and all(map(fields.deleting, left)))


def unready(action: model.Drain, target: model.Target) -> list[str]:
    """Of what the pods belonged to, what is not ready again: `payments/api-5d8 (1 of 3 ready)`."""
    wanted = {ref.uid for ref in action.owners}
    found = []
    for each in target.extras:
        kind = fields.text(each, "kind")
        if fields.uid(each) not in wanted or kind not in OWNERS:
            continue
        ready, desired = workloads.ready(each, kind), workloads.desired(each, kind)
        if ready < desired:
            found.append(f"{workloads.reference(each, kind).short} ({ready} of {desired} ready)")
    return found
