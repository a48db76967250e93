"""Room: what the nodes have free for a pod that waits, and which of them its own rules leave it. Pure.

Called by `collecting` for what the scheduler refuses; what comes out is redacted there. The scheduler says how many
nodes lack what, never how much they lack: https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from collections.abc import Mapping, Sequence

import msgspec

from k8s import containers, fields, model, objects, phrases

LOOKED = 10
"""Nodes whose pods are read: each is a request of its own."""
RUNNING = "spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"
"""Field selector for the pods that hold what they asked for, as `kubectl describe node` sums them up."""
_BARRING = ("NoSchedule", "NoExecute")
_KEEPS_OFF = 3
"""Taints that are named; the nodes in the evidence show all of theirs."""

Pods = Mapping[str, Sequence[model.Json]]
"""Node name → its pods that have not ended; without the nodes whose pods could not be read."""


def looked(nodes: Sequence[model.Json], problem: model.Problem) -> list[model.Json]:
    """The nodes that are worth a look: open ones first, then by how much they hold of what is short."""
    short = problem.primary.facts.get("short") or "cpu"
    return sorted(nodes, key=lambda node: (not _open(node), -_holds(node).get(short, 0.0), _name(node)))[:LOOKED]


def lines(nodes: Sequence[model.Json], pods: Pods, problem: model.Problem) -> str:
    """One line a node: its state, what is free on it where that is known, its taints."""
    told = [_line(node, pods.get(_name(node)), problem) for node in looked(nodes, problem)]
    if len(nodes) > len(told):
        told.append(f"… and {len(nodes) - len(told)} more nodes")
    return "\n".join(told)


def facts(nodes: Sequence[model.Json], pods: Pods, problem: model.Problem, pod: model.Json) -> dict[str, str]:
    """For the rules: `room` on what the largest node has free of what is short; `room_never` where the pod is larger
    than any node; `kept_off` on what of the pod's own rules or of the nodes' taints leaves it no node.

    `pod` is the whole object, {} where it could not be read. What is not known is left out.
    """
    found = _room(nodes, pods, problem) if problem.primary.facts.get("short") else {}
    kept_off = _kept_off(nodes, problem, pod)
    return found | ({"kept_off": kept_off} if kept_off else {})


# --- what is free ---------------------------------------------------------------------------------------------------


def _room(nodes: Sequence[model.Json], pods: Pods, problem: model.Problem) -> dict[str, str]:
    short = problem.primary.facts["short"]
    asked = 1.0 if short == "pods" else phrases.quantity(problem.primary.facts.get(f"asked_{short}"))
    ranked = [node for node in looked(nodes, problem) if _open(node)]
    if not ranked:
        return {}
    holds = _holds(ranked[0]).get(short, 0.0)
    if asked is not None and asked > holds:
        which = "The only node" if len(nodes) == 1 else "The largest node"
        return {"room": f"{which}, {_name(ranked[0])}, {_in_all(ranked[0], pods, short)}", "room_never": "true"}
    known = [(left, node) for node in ranked if (left := _free(node, pods.get(_name(node)), short)) is not None]
    if not known:
        return {}
    left, best = max(known, key=lambda pair: pair[0])
    whole = _written(short, _holds(best).get(short, 0.0))
    if len(nodes) == 1:
        return {
            "room": f"The only node, {_name(best)}, has {_amount(short, left) if left else 'none'} of its {whole} free"
        }
    if not left:
        return {"room": f"All of it is taken, on {_name(best)} {whole}"}
    which = f"Of the {LOOKED} largest nodes, {_name(best)}" if len(nodes) > LOOKED else _name(best)
    return {"room": f"{which} has most free: {_amount(short, left)} of its {whole}"}


def _in_all(node: model.Json, pods: Pods, short: str) -> str:
    holds = _holds(node).get(short, 0.0)
    if not holds:
        return f"has no {_word(short)} at all"
    left = _free(node, pods.get(_name(node)), short)
    rest = "" if left is None else f", {_amount(short, left)} of it free"
    return f"holds {_written(short, holds)} in all{rest}"


def _free(node: model.Json, pods: Sequence[model.Json] | None, name: str) -> float | None:
    """What is left of a resource; None where the node's pods could not be read."""
    if pods is None:
        return None
    holds = _holds(node).get(name, 0.0)
    taken = float(len(pods)) if name == "pods" else sum(_requested(pod).get(name, 0.0) for pod in pods)
    return max(0.0, holds - taken)


def _requested(pod: model.Json) -> dict[str, float]:
    try:
        return containers.requested(msgspec.convert(pod, objects.Pod, strict=False))
    except msgspec.ValidationError:
        return {}


def _holds(node: model.Json) -> dict[str, float]:
    given = fields.mapping(node, "status", "allocatable")
    return {name: value for name, text in given.items() if (value := phrases.quantity(text)) is not None}


def _written(name: str, value: float) -> str:
    return _amount(name, value) if name == "memory" else f"{_amount(name, value)} {_word(name)}"


def _amount(name: str, value: float) -> str:
    if name == "cpu":
        return phrases.cores(value)
    return phrases.size(value) if name == "memory" else f"{value:g}"


def _word(name: str) -> str:
    return {"cpu": "CPU", "pods": "pod slots"}.get(name, name)


def _line(node: model.Json, pods: Sequence[model.Json] | None, problem: model.Problem) -> str:
    state = "ready" if fields.text(fields.condition(node, "Ready"), "status") == "True" else "not ready"
    cordoned = ", cordoned" if fields.value(node, "spec", "unschedulable") else ""
    names = dict.fromkeys(("cpu", "memory", problem.primary.facts.get("short") or "cpu"))
    holds = _holds(node)
    parts = []
    for name in names:
        left = _free(node, pods, name)
        whole = _amount(name, holds[name]) if name in holds else "?" if name in ("cpu", "memory") else "0"
        parts.append(f"{name} {whole}" if left is None else f"{name} {_amount(name, left)} of {whole}")
    what = "free" if pods is not None else "can hold"
    taints = [_taint(taint) for taint in _taints(node)]
    kept = f"; taints {', '.join(taints)}" if taints else ""
    return f"{_name(node)}: {state}{cordoned}; {what} {', '.join(parts)}{kept}"


def fitting(nodes: Sequence[model.Json], pods: Pods, pod: model.Json) -> int | None:
    """How many more pods like this one the open nodes among those looked at can take, by what they have free.

    None where numbers do not tell: the pod asks for no cpu or no memory, or it is placed by rules of its own
    (affinity, spread, volumes, host ports), or what is free on no node is known.
    """
    asked = _requested(pod)
    if not all(asked.get(name) for name in ("cpu", "memory")) or _choosy(pod):
        return None
    wanted = fields.texts(pod, "spec", "nodeSelector").items()
    known = [
        (node, pods[_name(node)])
        for node in nodes
        if _name(node) in pods and _open(node) and wanted <= fields.labels(node).items()
    ]
    if not known:
        return None if not pods else 0
    return sum(_more(node, here, asked | {"pods": 1.0}) for node, here in known)


def _more(node: model.Json, here: Sequence[model.Json], asked: Mapping[str, float]) -> int:
    return min(int((_free(node, here, name) or 0.0) / value) for name, value in asked.items() if value)


def _choosy(pod: model.Json) -> bool:
    """Whether more than the nodes' sizes and labels decides where it may run. What only prefers does not count."""
    spec = fields.mapping(pod, "spec")
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    bound = any(
        fields.value(spec, "affinity", key, required) for key in ("nodeAffinity", "podAffinity", "podAntiAffinity")
    )
    spread = any(
        fields.text(each, "whenUnsatisfiable") == "DoNotSchedule"
        for each in fields.items(spec, "topologySpreadConstraints")
    )
    claims = any(fields.mapping(each, "persistentVolumeClaim") for each in fields.items(spec, "volumes"))
    ports = any(
        fields.number(port, "hostPort")
        for each in fields.items(spec, "containers")
        for port in fields.items(each, "ports")
    )
    return bound or spread or claims or ports or fields.value(spec, "hostNetwork") is True


def open_beside(nodes: Sequence[model.Json], name: str) -> int:
    """How many other nodes ordinary pods may be placed on."""
    return sum(_open(node) for node in nodes if _name(node) != name)


# --- what keeps a pod off -------------------------------------------------------------------------------------------


def _kept_off(nodes: Sequence[model.Json], problem: model.Problem, pod: model.Json) -> str:
    classes = problem.primary.facts.get("classes", "").split(",")
    told = [_selected(nodes, pod)] if "affinity" in classes else []
    if "taint" in classes:
        told.append(_tainted(nodes, pod))
    return " ".join(filter(None, told))


def _selected(nodes: Sequence[model.Json], pod: model.Json) -> str:
    wanted = fields.texts(pod, "spec", "nodeSelector")
    if not wanted or not nodes:
        return ""
    having = sum(wanted.items() <= fields.labels(node).items() for node in nodes)
    asked = phrases.clip(", ".join(f"{key}={value}" for key, value in sorted(wanted.items())))
    how_many = "no node has" if not having else f"{having} of {phrases.counted(len(nodes), 'node')} {_have(having)}"
    return f"It may only run on nodes with {asked}, which {how_many}."


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _tainted(nodes: Sequence[model.Json], pod: model.Json) -> str:
    """The taints that it does not tolerate, each with the nodes that have it: the scheduler no longer names them."""
    tolerations = fields.items(pod, "spec", "tolerations")
    barred: dict[str, list[str]] = {}
    for node in nodes:
        for taint in _taints(node):
            if not any(_tolerates(each, taint) for each in tolerations):
                barred.setdefault(_taint(taint), []).append(_name(node))
    told = []
    for what, names in sorted(barred.items())[:_KEEPS_OFF]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        told.append(f"{what} (node {names[0]}{more})")
    return f"It does not tolerate {', '.join(told)}." if told else ""


def _tolerates(toleration: model.Json, taint: model.Json) -> bool:
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
    effect, key = fields.text(toleration, "effect"), fields.text(toleration, "key")
    if effect and effect != fields.text(taint, "effect"):
        return False
    if fields.text(toleration, "operator") == "Exists":
        return key in ("", fields.text(taint, "key"))
    return key == fields.text(taint, "key") and fields.text(toleration, "value") == fields.text(taint, "value")


def _taints(node: model.Json) -> list[model.Json]:
    return [taint for taint in fields.items(node, "spec", "taints") if fields.text(taint, "effect") in _BARRING]


def _taint(taint: model.Json) -> str:
    value = fields.text(taint, "value")
    key = phrases.clip(fields.text(taint, "key"), 80)
    return f"{key}{f'={phrases.clip(value, 80)}' if value else ''}:{fields.text(taint, 'effect')}"


def _open(node: model.Json) -> bool:
    """Whether ordinary pods may be placed on it."""
    ready = fields.text(fields.condition(node, "Ready"), "status") == "True"
    return ready and not fields.value(node, "spec", "unschedulable") and not _taints(node)


def _name(node: model.Json) -> str:
    return fields.text(node, "metadata", "name")
