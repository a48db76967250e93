"""The scheduler: binds pods to nodes that fit, and says of the others why none does.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/ ; filters, their order and sentences
follow https://github.com/kubernetes/kubernetes/tree/v1.34.4/pkg/scheduler/framework/plugins . Preemption itself is not
simulated: only what is said where it would not help.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from demo.cluster.manager import Key, Manager
from demo.cluster.objects import (
    Object,
    clone,
    containers_of,
    controller_of,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    pod_phase,
    quantity,
    rfc3339,
    uid_of,
)
from demo.cluster.recorder import Recorder
from demo.cluster.registry import Registry
from demo.cluster.resources import BY_PLURAL
from demo.cluster.store import Change

RETRY_SECONDS = 300.0
COMPONENT = "default-scheduler"
_UNHELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"
_NO_CLAIMS = "no new claims to deallocate"
_NEVER = "not eligible due to preemptionPolicy=Never."
_NO_PRE_FILTER = "not found"
"""What the plugin of dynamic resources says after a pre-filter refused the pod: it finds nothing that it had noted."""


@dataclass(frozen=True)
class _Misfit:
    """Why a node does not take a pod; `final` when no preemption could help."""

    reasons: tuple[str, ...]
    final: bool


_BY_NAME = ("metadata.name", "In")
_OTHER_NODE = _Misfit(("node(s) didn't satisfy plugin(s) [NodeAffinity]",), final=True)
"""A node that a pod which names its nodes does not name."""


@dataclass
class Scheduler:
    registry: Registry
    recorder: Recorder
    manager: Manager
    _waiting: set[Key] = field(default_factory=set)
    _reported: dict[str, float] = field(default_factory=dict)

    def keys(self, change: Change) -> Iterable[Key]:
        if change.storage == "pods":
            pod = change.after
            if change.kind == "ADDED" and not pod["spec"].get("nodeName"):
                yield (namespace_of(pod), name_of(pod))
            elif change.kind == "DELETED" or pod_phase(pod) in ("Succeeded", "Failed"):
                yield from sorted(self._waiting)
        elif change.storage in ("nodes", "persistentvolumeclaims"):
            moved = change.before is None or change.before.get("spec") != change.after.get("spec")
            if moved or change.storage != "nodes":
                yield from sorted(self._waiting)

    def sync(self, key: Key) -> None:
        pod = self.registry.store.find("pods", *key)
        if pod is None or pod["spec"].get("nodeName") or is_deleting(pod):
            self._waiting.discard(key)
            return
        if pod["spec"].get("schedulingGates"):
            gate = "Scheduling is blocked due to non-empty scheduling gates"
            self._set_condition(pod, "SchedulingGated", gate)
            return
        nodes = self.registry.store.all("nodes")
        missing = self._missing_claim(pod)
        misfits = {name_of(each): misfit for each in nodes if (misfit := self._misfit(pod, each)) is not None}
        fitting = [] if missing else [each for each in nodes if name_of(each) not in misfits]
        if fitting:
            self._bind(pod, min(fitting, key=lambda node: self._load(pod, node)))
            self._waiting.discard(key)
        else:
            self._refuse(pod, _sentence(pod, len(nodes), missing, list(misfits.values())))
            self._waiting.add(key)
            self.manager.enqueue_after(self, key, RETRY_SECONDS, background=True)

    def _missing_claim(self, pod: Object) -> str:
        for volume in pod["spec"].get("volumes") or []:
            claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
            if not claim:
                continue
            found = self.registry.store.find("persistentvolumeclaims", namespace_of(pod), claim)
            if found is None:
                return f'persistentvolumeclaim "{claim}" not found'
            phase = (found.get("status") or {}).get("phase")
            if phase == "Lost":
                volume_name = found["spec"].get("volumeName", "")
                return f'persistentvolumeclaim "{claim}" bound to non-existent persistentvolume "{volume_name}"'
            if is_deleting(found):
                return f'persistentvolumeclaim "{claim}" is being deleted'
            if phase != "Bound":
                return "pod has unbound immediate PersistentVolumeClaims"
        return ""

    def _misfit(self, pod: Object, node: Object) -> _Misfit | None:
        named = named_nodes(pod["spec"])
        if named is not None and name_of(node) not in named:
            return _OTHER_NODE
        spec, tolerations = node.get("spec") or {}, pod["spec"].get("tolerations") or []
        unschedulable = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
        if spec.get("unschedulable") and not tolerated(unschedulable, tolerations):
            return _Misfit(("node(s) were unschedulable",), final=True)
        if any(
            taint["effect"] != "PreferNoSchedule" and not tolerated(taint, tolerations)
            for taint in spec.get("taints") or []
        ):
            return _Misfit(("node(s) had untolerated taint(s)",), final=True)
        if not selects_node(pod["spec"], node):
            return _Misfit(("node(s) didn't match Pod's node affinity/selector",), final=True)
        taken = {port for each in self._placed(name_of(node)) for port in host_ports(each["spec"])}
        if taken & host_ports(pod["spec"]):
            return _Misfit(("node(s) didn't have free ports for the requested pod ports",), final=False)
        return self._resources(pod, node)

    def _resources(self, pod: Object, node: Object) -> _Misfit | None:
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        placed = self._placed(name_of(node))
        reasons, final = [], False
        if len(placed) + 1 > quantity(allocatable.get("pods", "110")):
            reasons.append("Too many pods")
        requests = pod_requests(pod["spec"])
        for name in sorted(requests):
            wanted = requests[name]
            capacity = quantity(allocatable.get(name, "0"))
            used = sum(pod_requests(each["spec"]).get(name, 0.0) for each in placed)
            if wanted > 0 and used + wanted > capacity + 1e-9:
                reasons.append(f"Insufficient {name}")
                final = final or wanted > capacity
        return _Misfit(tuple(reasons), final) if reasons else None

    def _placed(self, node: str) -> list[Object]:
        return [
            each
            for each in self.registry.store.each("pods")
            if each["spec"].get("nodeName") == node and pod_phase(each) not in ("Succeeded", "Failed")
        ]

    def _load(self, pod: Object, node: Object) -> tuple[int, float, int, str]:
        """Least siblings first, then least requested cpu, then least pods, then the name."""
        placed = self._placed(name_of(node))
        owner = (controller_of(pod) or {}).get("uid")
        siblings = sum((controller_of(each) or {}).get("uid") == owner for each in placed) if owner else 0
        capacity = quantity(((node.get("status") or {}).get("allocatable") or {}).get("cpu", "1"))
        used = sum(pod_requests(each["spec"]).get("cpu", 0.0) for each in placed) / capacity
        return siblings, round(used, 3), len(placed), name_of(node)

    def _bind(self, pod: Object, node: Object) -> None:
        bound = clone(pod)
        bound["spec"]["nodeName"] = name_of(node)
        kept = [each for each in bound["status"].get("conditions") or [] if each["type"] != "PodScheduled"]
        moment = rfc3339(self.registry.timeline.now())
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": moment}
        bound["status"]["conditions"] = [*kept, scheduled]
        self.registry.store.replace("pods", bound)
        text = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {name_of(node)}"
        self.recorder.note("pods", pod, "Scheduled", "Binding", text, COMPONENT)

    def _refuse(self, pod: Object, message: str) -> None:
        changed = self._set_condition(pod, "Unschedulable", message)
        now = self.registry.timeline.seconds
        if changed or now - self._reported.get(uid_of(pod), 0.0) >= RETRY_SECONDS - 1:
            self._reported[uid_of(pod)] = now
            self.recorder.note("pods", pod, "FailedScheduling", "Scheduling", message, COMPONENT, warning=True)

    def _set_condition(self, pod: Object, reason: str, message: str) -> bool:
        status = clone(pod.get("status") or {})
        before = next((each for each in status.get("conditions") or [] if each["type"] == "PodScheduled"), None)
        if before is not None and (before.get("reason"), before.get("message")) == (reason, message):
            return False
        moment = rfc3339(self.registry.timeline.now()) if before is None else before["lastTransitionTime"]
        condition = {"type": "PodScheduled", "observedGeneration": pod["metadata"].get("generation", 1)}
        condition |= {"status": "False", "lastProbeTime": None, "lastTransitionTime": moment}
        condition |= {"reason": reason, "message": message}
        status["conditions"] = [condition]
        self.registry.update_status(BY_PLURAL["pods"], pod, status)
        return True


def tolerated(taint: Object, tolerations: list[Object]) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
    return any(
        each.get("effect") in (None, "", taint.get("effect"))
        and (
            (each.get("operator") == "Exists" and each.get("key") in (None, "", taint["key"]))
            or (each.get("key") == taint["key"] and (each.get("value") or "") == (taint.get("value") or ""))
        )
        for each in tolerations
    )


def selects_node(spec: Object, node: Object) -> bool:
    """nodeSelector and the required node affinity."""
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if not affinity:
        return True
    return any(_term(term, labels, name_of(node)) for term in affinity.get("nodeSelectorTerms") or [])


def _term(term: Object, labels: dict[str, str], name: str) -> bool:
    fields = {"metadata.name": name}
    pairs = [(each, labels) for each in term.get("matchExpressions") or []]
    pairs += [(each, fields) for each in term.get("matchFields") or []]
    for expression, values in pairs:
        value, wanted = values.get(expression["key"]), expression.get("values") or []
        holds = {
            "In": value in wanted,
            "NotIn": value not in wanted,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }.get(expression["operator"], False)
        if not holds:
            return False
    return bool(pairs)


def named_nodes(spec: Object) -> set[str] | None:
    """The nodes that a pod names in every term of its required affinity, as the pods of a DaemonSet do; None: any."""
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = (affinity or {}).get("nodeSelectorTerms") or []
    named: set[str] = set()
    for term in terms:
        fields = [each for each in term.get("matchFields") or [] if (each["key"], each["operator"]) == _BY_NAME]
        if not fields:
            return None
        named |= set.intersection(*(set(each.get("values") or []) for each in fields))
    return named if terms else None


def host_ports(spec: Object) -> set[tuple[str, int]]:
    """(protocol, port) of the node that the containers of a pod take."""
    return {
        (port.get("protocol", "TCP"), int(port["hostPort"]))
        for container in containers_of(spec)
        for port in container.get("ports") or []
        if port.get("hostPort")
    }


def pod_requests(spec: Object) -> dict[str, float]:
    """What the scheduler reserves: main containers and sidecars together, or an init container when that needs more.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    total: dict[str, float] = {}
    for container in spec.get("containers") or []:
        for name, amount in _requests(container).items():
            total[name] = total.get(name, 0.0) + amount
    sidecars: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for container in spec.get("initContainers") or []:
        for name, amount in _requests(container).items():
            if container.get("restartPolicy") == "Always":
                sidecars[name] = sidecars.get(name, 0.0) + amount
                total[name] = total.get(name, 0.0) + amount
            else:
                peaks[name] = max(peaks.get(name, 0.0), amount + sidecars.get(name, 0.0))
    return {name: max(total.get(name, 0.0), peaks.get(name, 0.0)) for name in total.keys() | peaks.keys()}


def _requests(container: Object) -> dict[str, float]:
    wanted = (container.get("resources") or {}).get("requests") or {}
    return {name: quantity(amount) for name, amount in wanted.items()}


def _sentence(pod: Object, count: int, missing: str, misfits: list[_Misfit]) -> str:
    """Why no node takes the pod, and why no preemption helps; the counts in the order of their text."""
    if not count:
        return "no nodes available to schedule pods"
    head = f"0/{count} nodes are available: "
    if missing:
        return f"{head}{missing}. {_NO_PRE_FILTER}"
    reasons = Counter(reason for misfit in misfits for reason in misfit.reasons)
    why = f"{head}{_counted(reasons)}. {_NO_CLAIMS}, preemption: "
    if pod["spec"].get("preemptionPolicy") == "Never":
        return why + _NEVER
    helpless = sum(misfit.final for misfit in misfits)
    return f"{why}{head}{_counted(Counter({_UNHELPFUL: helpless, _NO_VICTIMS: count - helpless}))}."


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{number} {text}" for text, number in reasons.items() if number))
